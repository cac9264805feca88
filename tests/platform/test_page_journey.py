"""The page in a real browser, as a student uses it in the introduction, the ETL and the backfills.

With PAGE_SCREENSHOTS=docs/images the pictures that the guides show are made anew.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.conftest import INVOKE

from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ("page-flow.png", "page-execution.png", "page-triggers.png", "page-months.png")
PATIENCE = 90_000  # milliseconds; a load on a busy machine
expect.set_options(timeout=PATIENCE / 3)
MONTHS = ("2010-02", "2010-03", "2010-04", "2010-05")  # no other test loads green in these
SCREENS = ("/", "/flows/taxi/taxi_to_postgres", "/executions", "/triggers",
           "/months?start=2010-02&end=2010-05&taxi=green")  # fmt: skip
EVIL = (
    "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"
)

# One input of each type; of those that a browser gives a meaning of its own, three names.
EVERY_INPUT = """
id: page_inputs
namespace: taxi
inputs:
  - {id: elements, type: STRING}
  - {id: querySelectorAll, type: INT, min: 1, max: 10, defaults: 3}
  - {id: length, type: FLOAT, defaults: 1.5}
  - {id: sure, type: BOOL, defaults: true}
  - {id: perhaps, type: BOOL, required: false}
  - {id: day, type: DATE, defaults: "2019-01-02"}
  - {id: moment, type: DATETIME, defaults: "2019-01-02T03:04:05Z"}
  - {id: clock, type: TIME, defaults: "10:11:12"}
  - {id: lasts, type: DURATION, defaults: PT5M}
  - {id: one, type: SELECT, values: [a, b], defaults: b}
  - {id: another, type: SELECT, values: [a, b], allowCustomValue: true, required: false}
  - {id: several, type: MULTISELECT, values: [x, y, z], defaults: [x, z]}
  - {id: some, type: MULTISELECT, values: [x, y], required: false}
  - {id: list, type: ARRAY, itemType: INT, defaults: [1, 2]}
  - {id: json, type: JSON, defaults: '{"a": "ü"}'}
  - {id: yaml, type: YAML, defaults: "a: [1, 2]\\n"}
  - {id: address, type: URI, defaults: "https://example.org/x?y=1&z=2"}
  - {id: mail, type: EMAIL, defaults: a@example.org}
  - {id: hidden, type: SECRET}
  - {id: file, type: FILE}
tasks:
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: "{{ inputs.elements }}"
"""


@pytest.fixture(scope="module")
def address(platform) -> Iterator[str]:
    """The page of the platform as the command serves it, with months to load."""
    (platform.releases / "green").mkdir(exist_ok=True)
    for month in MONTHS:
        path = platform.releases / "green" / file_name("green", Month.parse(month))
        sample.write(path, "green", Month.parse(month), 100)
    with subprocess.Popen(
        [*INVOKE, "ui", "--no-browser"],
        cwd=ROOT,
        env={**os.environ, "INVOKE_TAXISTACK_STATE": str(platform.state)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        try:
            yield serving.stdout.readline().strip()
        finally:
            serving.send_signal(signal.SIGINT)
            said, _ = serving.communicate(timeout=60)
    assert (serving.returncode, said) == (0, "the page is closed\n")


@pytest.fixture(scope="module")
def browser(chromium) -> Iterator[Browser]:
    with sync_playwright() as driver:
        # Root's Chromium needs --no-sandbox; what it opens here is our own page only.
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def context_of(browser: Browser, address: str, platform, **how: object) -> BrowserContext:
    password = platform.target.kestra_password()
    how.setdefault("viewport", {"width": 1000, "height": 720})
    made = browser.new_context(
        base_url=address,
        http_credentials={
            "username": platform.target.settings.kestra_user,
            "password": password,
        },
        **how,
    )
    made.set_default_timeout(PATIENCE)
    return made


@pytest.fixture
def page(browser, address, platform, request) -> Iterator[Page]:
    """A window; what its console says against the page fails the test."""
    context = context_of(browser, address, platform, **getattr(request, "param", {}))
    window = context.new_page()
    said: list[str] = []
    window.on("pageerror", lambda error: said.append(str(error)))
    # The browser logs refused calls too; those are answered on the page.
    window.on(
        "console",
        lambda line: (
            said.append(line.text)
            if line.type == "error" and "Failed to load resource" not in line.text
            else None
        ),
    )
    yield window
    context.close()
    assert said == []


@pytest.fixture(scope="module")
def own_flows(platform) -> Iterator[None]:
    """A flow that waits, and one whose every text tries to be HTML."""
    client = platform.target.kestra()
    quoted = EVIL.replace("'", "''")
    flows = {
        "page_waits": "  - id: long\n    type: io.kestra.plugin.core.flow.Sleep\n"
        "    duration: PT5M\n",
        "page_evil": "  - id: say\n    type: io.kestra.plugin.core.log.Log\n"
        f"    message: '{quoted}'\n"
        "  - id: no\n    type: io.kestra.plugin.core.execution.Fail\n"
        f"    errorMessage: '{quoted}'\n",
    }
    for name, tasks in flows.items():
        client.flows.create(
            f"id: {name}\nnamespace: taxi\ndescription: '{quoted} [x](javascript:alert(1))'\n"
            f"tasks:\n{tasks}"
        )
    client.flows.create(EVERY_INPUT)
    yield
    for name in (*flows, "page_inputs"):
        client.flows.delete("taxi", name)


@pytest.fixture(scope="module")
def ended(platform, own_flows) -> tuple[str, ...]:
    """One that succeeded, with tasks in tasks and outputs; one that failed, with its errors."""
    start = platform.target.kestra().executions.create
    both = start("taxi", "hello_world", wait=True), start("taxi", "page_evil", wait=True)
    assert [one.state for one in both] == ["SUCCESS", "FAILED"]
    return tuple(one.id for one in both)


def picture(page: Page, name: str, *, height: int = 720) -> None:
    """One of the guides' pictures, where they are asked for; `height` in pixels."""
    assert name in PICTURES
    if folder := os.environ.get("PAGE_SCREENSHOTS"):
        page.set_viewport_size({"width": 1000, "height": height})
        page.screenshot(path=ROOT / folder / name, animations="disabled")


def settled(page: Page) -> None:
    """The screen shows what it asked for, and has nothing to complain of."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()  # before: it asks for nothing yet
    expect(page.locator("[aria-busy]")).to_have_count(0)
    expect(page.locator("#trouble")).to_be_hidden()


def state_is(page: Page, *states: str) -> None:
    expect(page.locator(".status .badge")).to_have_text(
        re.compile("|".join(states)), timeout=PATIENCE
    )


def test_hello_world_is_executed_from_its_form_by_keyboard_alone(page):
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Flows")
    press_until(page, "hello_world")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("hello_world")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    picture(page, "page-flow.png")
    press_until(page, "Your name")
    page.keyboard.type("Ada")  # what was there is chosen when the field is entered
    page.keyboard.press("Enter")
    page.wait_for_url("**/executions/*")
    state_is(page, "SUCCESS")
    expect(page.get_by_role("log")).to_contain_text("Hello, Ada!")
    expect(page.get_by_role("region", name="Outputs")).to_contain_text("ran for Ada")
    for task in ("hello", "compose", "rest", "show", "goodbye"):
        expect(page.get_by_role("rowheader", name=task, exact=True)).to_be_visible()


def press_until(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until what is so named has the focus."""
    for _ in range(200):
        page.keyboard.press(key)
        if name in focused(page):
            return
    raise AssertionError(f"{key} never comes to {name}")


def focused(page: Page) -> list[str]:
    """The names of what has the focus: of its labels, of its own, of its text."""
    named = page.evaluate(
        "(one => [one.labels?.[0]?.textContent, one.ariaLabel, one.textContent])"
        "(document.activeElement)"
    )
    return [(text or "").strip() for text in named]


def test_what_the_engine_refuses_is_said_where_it_was_typed(page):
    page.goto("/flows/taxi/taxi_backfill")
    page.get_by_label("Months at once").fill("99")
    page.get_by_label("Months (required)").fill("[]")
    page.get_by_role("button", name="Execute").click()
    expect(page.get_by_role("form").get_by_role("alert")).to_contain_text("parallel")
    expect(page.get_by_label("Months at once")).to_be_focused()
    expect(page).to_have_url(re.compile("/flows/taxi/taxi_backfill$"))


def test_a_form_takes_an_input_of_every_type_whatever_it_is_called(
    page, own_flows, platform, tmp_path
):
    page.goto("/flows/taxi/page_inputs")
    page.get_by_label("elements (required)").fill('ä"<b>')
    page.get_by_label("querySelectorAll").fill("11")
    page.get_by_label("hidden (required)").fill("Hush-hush-9")
    (tmp_path / "two words.csv").write_text("a,b")
    page.get_by_label("file (required)").set_input_files(tmp_path / "two words.csv")
    page.get_by_role("button", name="Execute").click()
    expect(page.get_by_label("querySelectorAll")).to_be_focused()
    page.get_by_label("querySelectorAll").fill("9")
    page.get_by_role("button", name="Execute").click()
    page.wait_for_url("**/executions/*")
    state_is(page, "SUCCESS")
    given = page.get_by_role("region", name="Inputs")
    expect(given).to_contain_text("a secret, encrypted")
    expect(page.get_by_role("link", name="two_words.csv")).to_be_visible()
    taken = platform.target.kestra().executions.get(page.url.rsplit("/", 1)[1]).inputs
    assert "Hush" not in given.inner_text()
    wanted = {
        "elements": 'ä"<b>', "querySelectorAll": 9, "length": 1.5, "sure": True, "perhaps": None,
        "day": "2019-01-02", "clock": "10:11:12", "one": "b", "another": None,
        "several": ["x", "z"], "some": None, "list": [1, 2], "json": {"a": "ü"},
        "yaml": {"a": [1, 2]}, "address": "https://example.org/x?y=1&z=2", "mail": "a@example.org",
    }  # fmt: skip
    assert {name: taken.get(name) for name in wanted} == wanted


def test_a_load_is_watched_live_to_its_end(page):
    page.goto("/flows/taxi/taxi_to_postgres")
    expect(page.get_by_role("img", name="Diagram")).to_be_visible()
    page.get_by_label("Taxi", exact=True).select_option("green")
    page.get_by_label("Month", exact=True).fill(MONTHS[0])
    page.get_by_role("button", name="Execute").click()
    page.wait_for_url("**/executions/*")
    expect(page.get_by_role("button", name="Kill")).to_be_visible()
    expect(page.get_by_role("rowheader", name="extract")).to_be_visible()
    state_is(page, "SUCCESS")  # nothing was reloaded
    expect(page.get_by_role("log")).to_contain_text("100 rows")
    expect(page.get_by_role("rowheader", name="reconcile")).to_be_visible()
    expect(page.get_by_role("region", name="Outputs")).to_contain_text("rows")
    picture(page, "page-execution.png", height=880)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert "100 rows" in Path(saved.value.path()).read_text()


def test_an_execution_is_found_killed_and_replayed(page, own_flows):
    page.goto("/flows/taxi/page_waits")
    page.get_by_role("button", name="Execute").click()
    page.wait_for_url("**/executions/*")
    first = page.url
    state_is(page, "RUNNING")
    page.get_by_role("link", name="Executions", exact=True).first.click()
    page.get_by_role("combobox", name="Flow").select_option("page_waits")
    page.get_by_role("combobox", name="State").select_option("running")
    page.wait_for_url("**/executions?*state=running*")
    expect(page.get_by_role("cell", name="hello_world")).to_have_count(0)
    page.locator(f"a[href='/executions/{first.rsplit('/', 1)[1]}']").click()
    page.wait_for_url(first)
    page.get_by_role("button", name="Kill").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    state_is(page, "RUNNING")
    page.get_by_role("button", name="Kill").click()
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    state_is(page, "KILLED")
    page.get_by_role("button", name="Replay").click()
    page.wait_for_url(lambda url: url != first)
    state_is(page, "RUNNING")
    press_until(page, "Kill")  # the second one by keyboard
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    press_until(page, "Kill")
    page.keyboard.press("Enter")
    state_is(page, "KILLED")
    expect(page.locator("main :focus")).to_have_count(1)  # though what was pressed is gone


def test_texts_of_flows_and_logs_are_texts(page, own_flows):
    page.goto("/flows/taxi/page_evil")
    expect(page.get_by_role("region", name="Description")).to_contain_text("<script>")
    assert page.get_by_role("link", name="x", exact=True).count() == 0
    page.get_by_role("button", name="Execute").click()
    page.wait_for_url("**/executions/*")
    state_is(page, "FAILED")
    expect(page.get_by_role("log")).to_contain_text("<script>document.title")
    expect(page.locator(".verdict.bad")).to_contain_text("onerror")
    page.get_by_role("button", name="Restart").click()
    state_is(page, "RUNNING", "CREATED", "RESTARTED", "FAILED")
    page.goto("/")
    expect(page.get_by_role("row", name="page_evil")).to_contain_text("<img src=x")
    assert "broken in" not in page.title()
    assert page.locator("main script, main img").count() == 0


def test_a_trigger_is_switched_and_a_range_of_it_backfilled_by_keyboard_alone(page, platform):
    client = platform.target.kestra()
    page.goto("/triggers")
    mine = page.get_by_role("region", name="Trigger green of taxi_to_postgres")
    switch = mine.get_by_role("switch")
    expect(switch).to_have_attribute("aria-checked", "true")
    press_until(page, "green of taxi_to_postgres is switched on")
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    expect(mine.get_by_text("a backfill waits until it is switched on")).to_be_visible()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    press_until(page, "Backfill executions")
    page.keyboard.press("Enter")
    for name, day in (("First day", f"{MONTHS[2]}-01"), ("Last day", f"{MONTHS[3]}-02")):
        press_until(page, name)
        year, month, number = day.split("-")
        page.keyboard.type(month + number + year)
        expect(mine.get_by_label(name)).to_have_value(day)
    press_until(page, "Backfill")
    page.keyboard.press("Enter")
    expect(mine.get_by_role("button", name="Pause")).to_be_visible()
    press_until(page, "Pause")
    page.keyboard.press("Enter")
    expect(mine.get_by_text("Backfill, paused")).to_be_visible()
    expect(mine.get_by_role("progressbar")).to_be_visible()
    picture(page, "page-triggers.png", height=860)
    mine.get_by_role("button", name="Continue").click()
    expect(mine.get_by_text("Backfill executions")).to_be_visible(timeout=PATIENCE)
    for month in MONTHS[2:]:
        page.goto(f"/executions?flow=taxi/taxi_to_postgres&label=month:{month}")
        expect(page.get_by_role("row").nth(1)).to_contain_text("SUCCESS", timeout=PATIENCE)
    assert not client.triggers.search(namespace="taxi", flow_id="taxi_to_postgres")[0].disabled


def test_what_the_months_say_is_missing_is_loaded_and_proven_by_keyboard_alone(page):
    """Needs nothing of the tests before: what they loaded is loaded, the rest is missing."""
    page.goto(SCREENS[-1])
    settled(page)
    choose = page.get_by_role("button", name=re.compile(r"Choose \d+ missing"))
    press_until(page, choose.inner_text())
    page.keyboard.press("Enter")
    expect(choose).to_be_focused()
    for month in MONTHS[2:]:
        press_until(page, f"load green {month} into bigquery, missing")
        page.keyboard.press("Space")
    load = page.get_by_role("button", name=re.compile(r"^Load \d+ months$"))
    press_until(page, load.inner_text(), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"Load \d+: \d+ chosen, under way"))).to_be_visible()
    expect(page.get_by_role("cell", name="loading").first).to_be_visible()
    running = page.get_by_role("link", name=re.compile("loading$")).first
    expect(running).to_be_visible(timeout=PATIENCE)
    picture(page, "page-months.png")
    expect(page.get_by_role("status")).to_contain_text("done in", timeout=3 * PATIENCE)
    seen = page.get_by_role("link", name=f"green {MONTHS[1]} in bigquery: loaded")
    expect(seen).to_be_visible()
    expect(page.get_by_label(f"load green {MONTHS[2]} into bigquery, missing")).to_be_visible()
    press_until(page, "Prove and draw")
    page.keyboard.press("Enter")
    report = page.get_by_role("region", name="Report")
    expect(report.locator(".verdict")).to_contain_text("proven", timeout=PATIENCE)
    for drawing in report.get_by_role("img").all():
        drawing.scroll_into_view_if_needed()
        expect(drawing).to_have_js_property("complete", True)
        assert drawing.evaluate("one => one.naturalWidth") > 0
    seen.click()
    page.wait_for_url("**/executions/*")
    state_is(page, "SUCCESS")


def test_an_answer_that_does_not_come_is_told_until_it_does(page):
    """The other looks of the same screen are answered, and hide nothing."""
    page.route("**/api/months?*", lambda one: one.fulfill(status=500, json={"error": "no luck"}))
    with page.expect_response("**/api/loads"), page.expect_response("**/api/report"):
        page.goto(SCREENS[-1])
    expect(page.get_by_text("There is no answer; the reason stands above.")).to_be_visible()
    with page.expect_response("**/api/months?*"):  # it asks again by itself
        expect(page.locator("#trouble")).to_have_text("no luck")
    page.unroute("**/api/months?*")
    expect(page.get_by_role("region", name="Months by taxi and destination")).to_be_visible()
    settled(page)
    page.goto("/executions?label=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("must be key:value")
    expect(page.locator("[aria-busy]")).to_have_count(0)


# --- how it looks, and to whom --------------------------------------------------------------------

LOOK = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const bright = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, n) => sum + one * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    const unseen = box.width < 2 || element.closest("svg, option, noscript, :disabled");
    if (unseen || !walk.currentNode.data.trim()) continue;
    const [a, b] = [bright(rgb(getComputedStyle(element).color)), bright(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) pale.push(`${walk.currentNode.data.trim()} ${contrast.toFixed(1)}`);
  }
  const unnamed = [...document.querySelectorAll("input, select, textarea, button, a")]
    .filter((one) => !one.textContent.trim() && !one.labels?.length && !one.ariaLabel)
    .map((one) => one.outerHTML);
  return {
    pale, unnamed, overflow: document.documentElement.scrollWidth > innerWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    heads: document.querySelectorAll("h1").length,
  };
}"""


LOOKS = list(itertools.product(("light", "dark"), (390, 1280)))


def test_every_screen_fits_and_can_be_read_in_light_and_dark(page, ended):
    for path in (*SCREENS, *(f"/executions/{one}" for one in ended)):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settled(page)
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            seen = page.evaluate(LOOK)
            red = int(re.findall(r"\d+", seen["paper"])[0])
            where = (path, scheme, width)
            assert red > 200 if scheme == "light" else red < 40, where
            assert (where, seen["overflow"], seen["heads"]) == (where, False, 1)
            assert (where, seen["pale"], seen["unnamed"]) == (where, [], [])


def test_a_screen_reader_meets_landmarks_names_and_states(page):
    page.goto(SCREENS[-1])
    settled(page)
    heard = page.locator("body").aria_snapshot()
    for landmark in ("banner:", 'navigation "Screens"', "main:", "contentinfo:"):
        assert landmark in heard, heard
    assert 'region "Months by taxi and destination"' in heard
    assert f'rowheader "{MONTHS[0]}"' in heard
    page.goto("/triggers")
    expect(page.get_by_role("switch").first).to_be_visible()
    # Its flow says `disabled: true`: Kestra would count its ticks and run none of them.
    mine = page.get_by_role("region", name="Trigger every_day of hello_world")
    heard = mine.aria_snapshot()
    assert 'switch "every_day of hello_world is switched on" [disabled]' in heard
    assert "Switched off in the flow" in heard
    assert "Backfill executions" not in heard


def test_the_pictures_of_the_guides_are_there_and_small():
    shown = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    for name in PICTURES:
        assert f"](images/{name})" in shown
        assert (ROOT / "docs" / "images" / name).stat().st_size < 150_000
