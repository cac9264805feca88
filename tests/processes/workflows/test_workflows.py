"""The workflows are well-formed, trust nobody they need not, and take away what they make."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import workflows

PROGRAMS = Path(sys.executable).parent
TEXTS = {name: (workflows.FOLDER / name).read_text() for name in workflows.names()}
JOBS = [(name, job) for name in TEXTS for job in workflows.workflow(name)["jobs"]]
# Steps whose commands other tests run, and where.
RUN_BY = {
    "local.yml": "tests/platform/test_guides.py",
    "google-cloud.yml": "tests/gcp/test_gcp_sequence.py",
    "sweep.yml": "tests/gcp/test_sweep_gcp.py",
}


def lint(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])  # shellcheck, for actionlint
    return subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]],
        cwd=workflows.ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_there_are_the_four() -> None:
    assert list(TEXTS) == ["checks.yml", "google-cloud.yml", "local.yml", "sweep.yml"]


def test_actionlint_finds_nothing() -> None:
    done = lint("actionlint", *(f".github/workflows/{name}" for name in TEXTS))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_actionlint_would_find_something(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(TEXTS["sweep.yml"].replace("github.ref", "github.reff"))
    done = lint("actionlint", str(broken))
    assert 'property "reff" is not defined' in done.stdout


def test_zizmor_finds_nothing() -> None:
    done = lint("zizmor", "--offline", "--persona", "auditor", ".github/workflows")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings" in done.stdout
    assert "WARN" not in done.stderr


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    shutil.copytree(workflows.FOLDER, folder)
    text = TEXTS["sweep.yml"].replace("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7")
    text = text.replace("persist-credentials: false", "persist-credentials: true")
    (folder / "sweep.yml").write_text(text)
    done = lint("zizmor", "--offline", "--persona", "auditor", str(folder))
    assert done.returncode != 0
    assert {"unpinned-uses", "artipacked"} <= set(re.findall(r"\[([a-z-]+)\]", done.stdout))


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_by_commit_and_says_its_version(name: str) -> None:
    used = re.findall(r"uses: (.*)", TEXTS[name])
    assert used
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one
    versions = {one.partition("@")[0]: one for text in TEXTS.values()
                for one in re.findall(r"uses: (.*)", text)}  # fmt: skip
    assert set(used) <= set(versions.values()), "one version of an action in all of them"


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_allowed_but_what_a_job_says(name: str) -> None:
    content = workflows.workflow(name)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        wanted = {"contents": "read"}
        if name in ("google-cloud.yml", "sweep.yml"):
            wanted["id-token"] = "write"
        assert job["permissions"] == wanted
    assert "secrets." not in TEXTS[name]
    assert "ssh" not in TEXTS[name]
    assert "pull_request_target" not in TEXTS[name]


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_ends_and_does_not_run_beside_itself(name: str, job: str) -> None:
    content = workflows.workflow(name)
    assert content["jobs"][job]["timeout-minutes"] <= 90
    touches_a_cloud = name in ("google-cloud.yml", "sweep.yml")
    assert content["concurrency"]["cancel-in-progress"] is not touches_a_cloud


@pytest.mark.parametrize("name", ["google-cloud.yml", "sweep.yml"])
def test_google_cloud_is_asked_for_by_a_variable_and_on_main_only(name: str) -> None:
    for job in workflows.workflow(name)["jobs"].values():
        assert "vars.GOOGLE_CLOUD == 'on' && github.ref == 'refs/heads/main'" in job["if"]


def test_down_is_a_job_of_its_own_that_always_runs() -> None:
    jobs = workflows.workflow("google-cloud.yml")["jobs"]
    assert jobs["down"]["needs"] == "load"
    assert jobs["down"]["if"].startswith("${{ always() && ")
    assert workflows.command("google-cloud.yml", "down") == (
        "invoke down --yes --force-unlock auto"
    )


def test_each_run_has_a_stack_of_its_own() -> None:
    content = workflows.workflow("google-cloud.yml")
    for variable, prefix in (("NAME", "ci-"), ("RUN", "gh-")):
        value = content["env"][f"INVOKE_TAXISTACK_{variable}"]
        assert value == prefix + "${{ github.run_id }}"
    # A name has 20 characters at most; GitHub's run ids have 11 now.
    assert len("ci-") + 17 <= 20


def test_the_report_of_the_local_job_is_kept() -> None:
    steps = workflows.workflow("local.yml")["jobs"]["demo"]["steps"]
    (kept,) = [one for one in steps if one.get("uses", "").startswith("actions/upload-artifact")]
    assert kept["with"]["path"] == "${{ env.REPORT }}"
    assert kept["with"]["if-no-files-found"] == "error"


def test_checks_run_what_the_projects_own_ci_runs() -> None:
    assert workflows.command("checks.yml", "test") == "bash .ci/run"
    readme = (workflows.ROOT / "README.md").read_text()
    assert "scripts/bootstrap && .venv/bin/invoke test" in readme
    ran = (workflows.ROOT / ".ci" / "run").read_text()
    assert "\nscripts/bootstrap\nexec .venv/bin/invoke test\n" in ran


def test_the_command_of_every_step_is_run_by_a_test() -> None:
    for name, path in RUN_BY.items():
        text = (workflows.ROOT / path).read_text()
        for step in workflows.steps(name):
            if step.name not in workflows.PREPARING:
                assert f'"{step.name}"' in text, f"{name}: {step.name} is not run in {path}"
                assert f'"{name}"' in text


@pytest.mark.parametrize("flags", ["", " --cloud"])
def test_the_bootstrap_of_a_job_is_the_projects_script(flags: str) -> None:
    used = {one.run for name in TEXTS for one in workflows.steps(name) if one.name == "bootstrap"}
    wanted = f'scripts/bootstrap{flags}\necho "$PWD/.venv/bin" >> "$GITHUB_PATH"\n'
    assert wanted in used
    assert len(used) == 2
