"""`live ctl`: says a command of the table to a running program, for scripts, Stream Decks and a desktop's own hotkeys.

Imports next to nothing: it is started for every press of a button.
"""

from __future__ import annotations

import argparse
import http.client
import json
from typing import Any

from live.arguments import Lines, Parser, add_command
from live.control import runs
from live.control.commands import COMMANDS, checked
from live.errors import LiveError, UsageError

TIMEOUT_S = 40.0
"""Finishing a recording may take half a minute."""


def add_ctl(commands: Any) -> None:
    """Add the command and its verbs, one for each of the table."""
    ctl = commands.add_parser("ctl", help="steer a running live", formatter_class=Lines)
    verbs = ctl.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    for command in COMMANDS:
        added = add_command(verbs, command.name, command.help, _say)
        _add_port(added)
        added.usage = f"live ctl {command.usage} [--port N]"
        told = "; ".join(f"{argument.usage}: {argument.help}" for argument in command.arguments)
        if command.arguments:
            added.add_argument("words", nargs="*", help=told)
        added.set_defaults(name=command.name, words=[])
    _add_port(add_command(verbs, "state", "how the run stands, as JSON", _state))


def _add_port(to: Parser) -> None:
    to.add_argument("--port", type=int, help="of the run (default: the only one there is)")


def _say(options: argparse.Namespace) -> int:
    command, words = checked(options.name, options.words)
    print(ask(runs.choose(options.port), "POST", f"/command/{command.name}", words)["said"])
    return 0


def _state(options: argparse.Namespace) -> int:
    print(json.dumps(ask(runs.choose(options.port), "GET", "/state"), indent=2))
    return 0


def ask(reach: runs.Reach, method: str, path: str, arguments: list[str] | None = None) -> dict[str, Any]:
    """Ask a running program. Raises: UsageError for what it refuses; LiveError when it does not answer."""
    headers = {"Content-Type": "application/json"}
    if reach.token is not None:
        headers["Authorization"] = f"Bearer {reach.token}"
    connection = http.client.HTTPConnection(reach.host, reach.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, None if arguments is None else json.dumps(arguments), headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise LiveError(f"no live answers on {reach.host}:{reach.port} ({error}); is it running?") from None
    finally:
        connection.close()
    try:
        found = json.loads(text)
    except ValueError:
        found = {"error": text.strip()}
    if answer.status != 200:
        raise UsageError(str(found.get("error", text))[:500])
    return dict(found)
