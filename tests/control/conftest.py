"""A screen for the tests of hotkeys, and a server of a run that does nothing."""

import pytest

from live.control.server import ControlServer
from live.output.web import Slot, free_port
from tests.control.asking import Desk
from tests.output.conftest import _server as _server
from tests.output.conftest import screen as screen


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def slot():
    return Slot()


@pytest.fixture
def server(slot, desk):
    server = ControlServer(slot, free_port(21_000, 1000), desk.state, desk.execute)
    server.start()
    yield server
    server.stop()
