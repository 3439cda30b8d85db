"""The grammar of `live models` and what its commands do: the user's word before anything is fetched, and progress."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from live.arguments import Lines, Parser, add_command
from live.errors import UsageError

if TYPE_CHECKING:
    from live.nets.catalogue import Catalogue, Entry
    from live.nets.fetch import Tell


ROLES = ("recogniser", "projector", "swapper", "restorer")
"""That a user's file can have."""
ANSWERS = {"yes": "allowed", "no": "NOT allowed", "unclear": "unclear"}

EPILOG = """Files lie in the folder that LIVE_MODELS names, else in your data folder (`live models list` shows it).
LIVE_MODELS_OFFLINE names a folder that is looked into before the network; proxies are those of http_proxy, https_proxy.
Nothing is fetched unless you say pull, and yes to the licence."""


def add_models(commands: Any) -> None:
    """Add `models` with its verbs."""
    models = commands.add_parser(
        "models", help="networks: list, fetch, check, add your own", epilog=EPILOG, formatter_class=Lines
    )
    verbs = models.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    add_command(verbs, "list", "list all models, which are here, and their licences", _list)
    pull = add_command(verbs, "pull", "fetch models, after showing their licences", _pull)
    pull.add_argument("name", nargs="+")
    pull.add_argument("--accept-licence", action="store_true", help="say yes to the licences without being asked")
    pull.add_argument(
        "--from", dest="folder", type=Path, metavar="DIR", help="take them from a folder, not the network"
    )
    verify = add_command(verbs, "verify", "read files that are here and compare their hashes", _verify)
    verify.add_argument("name", nargs="*", help="default: all that are here")
    add = add_command(verbs, "add", "take a model file of your own: .onnx, .dfm or .safetensors", _add)
    add.add_argument("file", type=Path)
    add.add_argument("--name", help="default: the file's name")
    add.add_argument("--role", choices=ROLES, help="what it is for, where that cannot be told")
    add.add_argument("--family", metavar="NAME", help="ghost, simswap or hififace, which look alike")
    add.add_argument("--network", metavar="NAME", help="for .safetensors: the model here that they belong to")
    add.add_argument("--licence", metavar="TEXT", help="what its author allows, for your own memory")
    add.add_argument("--consent", default="", metavar="TEXT", help="for a .dfm: whose face is inside and who agreed")
    remove = add_command(verbs, "remove", "delete a model's file, and the entry of your own ones", _remove)
    remove.add_argument("name")
    licence = add_command(verbs, "licence", "show what a model's owners allow", _licence)
    licence.add_argument("name")


def _list(options: argparse.Namespace) -> int:
    from live.nets.catalogue import load_catalogue
    from live.nets.entry import Role
    from live.nets.verify import look

    catalogue = load_catalogue()
    for role in get_args(Role):
        for entry in (one for one in catalogue.entries if one.role == role):
            seen = look(catalogue, entry, hashed=False)
            state = "embedded" if entry.embedded else "here" if seen.fine else "BROKEN" if seen.there else "-"
            size = f"{entry.size_bytes / 1e6:.3g} MB" if entry.size_bytes else ""
            money = f"commercial: {entry.licence.commercial}"
            print(f"{entry.name:30} {role:10} {state:9} {size:>8}  {money:20} {entry.licence.name}")
    print(f"\nYours lie in {catalogue.folder}. `live models pull NAME` fetches, `licence NAME` says what is allowed.")
    return 0


def _pull(options: argparse.Namespace) -> int:
    from live.nets.add import needs
    from live.nets.catalogue import load_catalogue
    from live.nets.pull import pull

    catalogue = load_catalogue()
    entries = [catalogue.get(name) for name in dict.fromkeys(options.name)]
    for entry in entries:
        _ask(entry, options.accept_licence)
    for entry in entries:
        with _progress(entry.name) as tell:
            pulled = pull(catalogue, entry, tell, only=options.folder)
        if not pulled.source:
            print(f"{entry.name} is here already, whole and right: {pulled.path}")
            continue
        print(f"{entry.name}: from {pulled.source} to {pulled.path}")
        if not pulled.known:
            print(f"  nobody published its hash; sha256 {pulled.sha256} is kept and held to from now on")
        for command in needs(catalogue, entry):
            print(f"  it works with another model: {command}")
    return 0


def _ask(entry: Entry, accepted: bool) -> None:
    """Show a licence and get the user's yes. Raises: UsageError without it."""
    print("\n".join(_licence_lines(entry)))
    if accepted:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"{entry.name} needs your yes to its licence: live models pull {entry.name} --accept-licence")
    try:
        answer = input("Fetch it under this licence? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().casefold() not in ("y", "yes"):
        raise UsageError(f"{entry.name} was not fetched: its licence was not accepted")


def _licence_lines(entry: Entry) -> list[str]:
    licence = entry.licence
    lines = [
        f"{entry.name} ({entry.role}): {licence.name}",
        f"  commercial use: {ANSWERS[licence.commercial]}; handing it on: {ANSWERS[licence.redistribution]}",
    ]
    lines += textwrap.wrap(licence.note, 116, initial_indent="  ", subsequent_indent="  ")
    return lines + ([f"  {licence.url}"] if licence.url else [])


@contextmanager
def _progress(name: str) -> Iterator[Tell]:
    """A bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _verify(options: argparse.Namespace) -> int:
    from live.nets.catalogue import load_catalogue
    from live.nets.verify import look

    catalogue = load_catalogue()
    entries = [catalogue.get(name) for name in options.name] or _present(catalogue)
    code = 0
    for entry in entries:
        verdict = look(catalogue, entry)
        sign = "ok" if verdict.fine else "BROKEN" if verdict.there else "missing"
        print(f"{sign:7}  {entry.name}: {verdict.text}")
        code = code if verdict.fine else 1
    return code


def _present(catalogue: Catalogue) -> list[Entry]:
    return [entry for entry in catalogue.entries if catalogue.find(entry.name) is not None]


def _add(options: argparse.Namespace) -> int:
    from live.nets.add import Wish, add, needs
    from live.nets.catalogue import load_catalogue

    catalogue = load_catalogue()
    told = (options.name, options.role, options.family, options.network, options.licence, options.consent)
    wish = Wish(options.file, *told)
    entry, title = add(catalogue, wish)
    print(f"{options.file.name} was taken for {title}; it is here now as {entry.name}")
    if entry.own:
        print(f"  how it is fed: {catalogue.folder / entry.name}.yaml; mend it where the guess is wrong")
        print(f"  licence: {entry.licence.name}; {entry.licence.note}")
    for command in needs(catalogue, entry):
        print(f"  it works with another model: {command}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    from live.nets.add import remove
    from live.nets.catalogue import load_catalogue

    catalogue = load_catalogue()
    remove(catalogue, catalogue.get(options.name))
    print(f"removed {options.name}")
    return 0


def _licence(options: argparse.Namespace) -> int:
    from live.nets.catalogue import load_catalogue

    print("\n".join(_licence_lines(load_catalogue().get(options.name))))
    return 0
