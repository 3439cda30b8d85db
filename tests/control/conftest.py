"""A screen for the tests of hotkeys."""

from tests.output.conftest import _server as _server
from tests.output.conftest import screen as screen
