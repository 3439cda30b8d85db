"""Boots virtual machines that have the real driver and runs the cases in `inside` there, each kind of machine once.

Needs QEMU, Debian's packages over the network at the first run, and no privileges but those for apt. Alone on two cores
all three take about six minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import missing

ROOT = Path(__file__).parents[2]
TOOL = Path(__file__).with_name("virtualcam_vm.sh")
MACHINES = {"0.12": (), "0.12-open": ("--no-exclusive-caps",), "0.15": ("--driver", "trixie")}
"""Name, with the version of v4l2loopback in it -> how the tool is told to make it."""
WEBCAM = "vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0"
"""A driver that plays a USB webcam."""
CAMERAS = ("live", "webcam", "spare")
CANNOT = 125
"""The tool's exit status when there is no machine to be had."""
LONGEST_S = 900
NOT_PASSED = {"failure", "error", "skipped"}
"""What JUnit's report says of a case that did not pass."""


def run(machine: str, results: Path, cases: list[str]) -> tuple[int, str]:
    """Run cases in a machine, telling what happens as it happens. Returns the exit status and all that was told."""
    cameras = [word for label in CAMERAS for word in ("--camera", label)]
    tool = [str(TOOL), *MACHINES[machine], *cameras, "--module", WEBCAM, "--env", f"LIVE_VM_MACHINE={machine}"]
    # numpy's threads are of no use there, and starting them costs every process most of a second.
    tool += ["--env", "OPENBLAS_NUM_THREADS=1", "--mount", f"{results}:rw", "--timeout", str(LONGEST_S)]
    inside = [sys.executable, "-m", "pytest", *cases, "-v", "-p", "no:cacheprovider"]
    inside += ["--durations=0", "--durations-min=1", f"--junitxml={results / 'results.xml'}"]
    with subprocess.Popen(
        [*tool, "--", *inside], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
    return process.returncode, "".join(said)


def outcome(results: Path) -> tuple[list[str], list[str]]:
    """The cases that ran, and those of them that did not pass."""
    try:
        cases = list(ElementTree.parse(results / "results.xml").iter("testcase"))
    except (OSError, ElementTree.ParseError):  # the machine died
        return [], []
    names = [f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}" for case in cases]
    return names, [name for name, case in zip(names, cases, strict=True) if {part.tag for part in case} & NOT_PASSED]


@pytest.mark.vm
@pytest.mark.timeout(3 * LONGEST_S)
@pytest.mark.parametrize("machine", MACHINES)
def test_the_cases_inside_pass(machine: str, tmp_path: Path) -> None:
    """An emulated machine on a busy host loses seconds: what fails has a second try, alone in a machine of its own."""
    # An emulated processor takes longer to compile a module than to run it.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "live", "tests"], cwd=ROOT, check=False)
    status, said = run(machine, tmp_path, ["tests/vm/inside"])
    if status == CANNOT and "the VM died" not in said:
        missing("vm", f"no virtual machine: {' '.join(said.split()[-60:])}")
    ran, failed = outcome(tmp_path)
    if status != 0 or not ran:
        (tmp_path / "results.xml").unlink(missing_ok=True)
        status, _ = run(machine, tmp_path, failed or ["tests/vm/inside"])
        ran, failed = outcome(tmp_path)
    assert status == 0, f"the run in machine {machine} ended with {status}"
    assert ran
    assert not failed, f"these did not run or failed: {', '.join(failed)}"
