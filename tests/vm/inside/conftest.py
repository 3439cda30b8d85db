"""Which case runs on which machine, and what the cases share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from live.output import child, open_output
from live.output.contract import Output

from . import machine
from .pictures import Pictures
from .v4l2 import device_of


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "on(*machines): only in these of the virtual machines")
    config.pluginmanager.register(TellAtOnce(config), "tell at once")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cases of other machines are left out, not skipped: a skip in here is a failure."""
    elsewhere = [item for item in items if (mark := item.get_closest_marker("on")) and machine.NAME not in mark.args]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


class TellAtOnce:
    """Shows a failure when it happens: a machine whose kernel dies shows nothing at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            writer = self._config.get_terminal_writer()
            writer.line()
            report.toterminal(writer)


@pytest.fixture(autouse=True, scope="session")
def _patience() -> Iterator[None]:
    """A child needs 5 s to begin on an emulated processor, and more on a busy host."""
    usual_s, child.OPEN_S = child.OPEN_S, 60.0
    yield
    child.OPEN_S = usual_s


@pytest.fixture
def live_device() -> str:
    """The device of the virtual camera labelled `live`; a case may have moved it."""
    return device_of("live")


@pytest.fixture
def open_live() -> Iterator[Callable[..., Output]]:
    """Opens the output for pictures at a rate; all are closed at the end."""
    opened: list[Output] = []

    def open_it(pictures: Pictures, fps: float, address: str = "virtualcam:live") -> Output:
        opened.append(open_output(address, pictures.format_at(fps)))
        return opened[-1]

    yield open_it
    for output in opened:
        output.close()
