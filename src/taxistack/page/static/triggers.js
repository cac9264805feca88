// Triggers: switched, backfilled, watched.

import { complain, content, live, post } from "./calls.js";
import { asked, h, rendered, speak, swap, when } from "./dom.js";

export async function triggers(place) {
  const list = h("div", { class: "cards", "aria-busy": "true" }, h("p", { class: "soft" }, "Loading…"));
  place.append(h("h1", {}, "Triggers"),
    h("p", { class: "soft lead" }, "A schedule starts its flow by itself. A backfill runs the ticks of a range that has passed, one after the other."),
    list);
  const open = new Map(); // the forms that are being filled in: they stay as they are
  const looking = live("/triggers", (found) => swap(list, found.length
    ? found.map((one) => card(one, open, act))
    : h("p", { class: "empty" }, "No flow has a trigger.")),
  (found) => (found.some((one) => one.backfill && !one.backfill.paused) ? 1000 : 3000), list);
  async function act(one, action, said, body = {}) {
    content();
    try {
      await post(`/triggers/${one.namespace}/${one.flow}/${one.id}/${action}`, body);
      speak(said);
      return true;
    } catch (error) {
      complain(error);
      return false;
    } finally {
      await looking.look();
    }
  }
}

function card(one, open, act) {
  const key = `${one.flow}/${one.id}`;
  const name = `${one.id} of ${one.flow}`;
  return h("section", { class: "card trigger", "aria-label": `Trigger ${name}` },
    h("div", { class: "head" },
      h("h2", {}, one.id, h("span", { class: "soft" }, " of "), h("a", { href: `/flows/${one.namespace}/${one.flow}`, "data-key": `${key}-flow` }, one.flow)),
      h("button", {
        class: "switch", role: "switch", disabled: one.off_in_source, "aria-checked": one.disabled ? "false" : "true", "aria-label": `${name} is switched on`, "data-key": `${key}-switch`,
        onclick: () => act(one, one.disabled ? "enable" : "disable", `${name} is switched ${one.disabled ? "on" : "off"}`),
      }, one.disabled ? "off" : "on")),
    h("div", { class: "soft" }, rendered(one.description)),
    h("dl", { class: "facts" },
      h("div", {}, h("dt", {}, one.cron ? "Schedule" : "Type"), h("dd", {}, h("code", {}, one.cron ?? one.type))),
      h("div", {}, h("dt", {}, "Next run"), h("dd", {}, one.disabled ? "switched off" : one.backfill ? "after the backfill" : when(one.next, false))),
      one.last && h("div", {}, h("dt", {}, "Last run"), h("dd", {}, one.execution ? h("a", { href: `/executions/${one.execution}`, "data-key": `${key}-last` }, when(one.last, false)) : when(one.last, false)))),
    one.off_in_source
      ? h("p", { class: "soft" }, "Switched off in the flow’s source (", h("code", {}, "disabled: true"), "): change it there, and push the flow.")
      : one.disabled && one.schedules && h("p", { class: "soft" }, "Switched off: a backfill waits until it is switched on."),
    one.backfill ? progress(one, key, act) : one.schedules && !one.off_in_source && backfill(one, key, open, act));
}

function progress(one, key, act) {
  const { start, end, currentDate, paused } = one.backfill;
  const share = Math.min(1, Math.max(0, (Date.parse(currentDate ?? start) - Date.parse(start)) / Math.max(1, Date.parse(end) - Date.parse(start))));
  return h("div", { class: "backfill" },
    h("h3", {}, paused ? "Backfill, paused" : "Backfill"),
    h("progress", { max: "1", value: share, "aria-label": `Backfill of ${one.id} of ${one.flow}` }),
    h("p", { class: "soft" }, when(start, false), " to ", when(end, false), currentDate ? [", now at ", when(currentDate, false)] : null, ` (${Math.round(100 * share)} %)`),
    h("div", { class: "actions" },
      paused
        ? h("button", { "data-key": `${key}-pause`, onclick: () => act(one, "continue", "the backfill goes on") }, "Continue")
        : h("button", { "data-key": `${key}-pause`, onclick: () => act(one, "pause", "the backfill is paused") }, "Pause"),
      h("button", { class: "danger", "data-key": `${key}-give-up`, onclick: async () => (await asked("Give this backfill up? What it has started goes on.", "Give up")) && act(one, "give-up", "the backfill was given up") }, "Give up"),
      h("a", { href: `/executions?flow=${one.namespace}/${one.flow}` }, "Its executions")));
}

function backfill(one, key, open, act) {
  if (!open.has(key)) open.set(key, made(one, key, act));
  return open.get(key);
}

function made(one, key, act) {
  const day = (name, label) => h("label", {}, h("span", {}, label), h("input", { type: "date", name, required: true, "data-key": `${key}-${name}` }));
  const fields = h("form", { class: "range" }, day("start", "First day"), day("end", "Last day"), h("button", { class: "primary", "data-key": `${key}-go` }, "Backfill"));
  const box = h("details", { class: "backfill" }, h("summary", { "data-key": `${key}-open` }, "Backfill executions"),
    h("p", { class: "soft" }, `Every tick of ${one.cron} from the first to the last day (UTC, both whole) becomes a run.`), fields);
  fields.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { start, end } = Object.fromEntries(new FormData(fields));
    if (await act(one, "backfill", `the backfill of ${one.id} has begun`, { start, end })) box.open = false;
  });
  return box;
}
