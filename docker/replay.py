"""Replays a Dockerfile where no Docker is, and runs what came of it, as root: `python docker/replay.py DOCKERFILE`.

Every stage is an overlay over a debootstrap'ed root that stands for its base image; RUN is a chroot into it, COPY a
real copy. An instruction that is not known is an error, never skipped. Needs debootstrap, util-linux, overlayfs and the
network; the roots are kept in ~/.cache/live-docker. All mounts lie in a namespace of their own, which the kernel clears
however the script ends.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from instructions import Instruction, expand, ignored, parse
from roots import CACHE, Stage, base, call, furnish, network

REPOSITORY = Path(__file__).resolve().parent.parent
HEALTHY_S, ENDED_S = 60.0, 20.0


def context(to: Path) -> Path:
    """Copy what a build would be sent."""
    lines = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    for top, folders, names in os.walk(REPOSITORY):
        here = Path(top).relative_to(REPOSITORY)
        back = {name for name in folders if any(rule.startswith(f"!{here / name}/") for rule in rules)}
        folders[:] = [name for name in folders if name in back or not ignored(str(here / name), rules)]
        for name in names:
            if not ignored(str(here / name), rules):
                (to / here).mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / here / name, to / here / name)
    return to


class Replay:
    """One Dockerfile on its way through."""

    def __init__(self, work: Path, given: Mapping[str, str]) -> None:
        self.work, self.given = work, given
        self.context = context(work / "context")
        self.args: dict[str, str] = {}
        self.stages: dict[str, Stage] = {}
        self.stage: Stage | None = None

    def step(self, each: Instruction) -> None:
        """Do one instruction. Raises: SystemExit."""
        stage, name = self.stage, each.name
        values = {**stage.args, **stage.env} if stage else self.args
        if name == "ARG":
            key, sign, default = each.rest.partition("=")
            value = self.given.get(key, expand(default, values) if sign else self.args.get(key, ""))
            (stage.args if stage else self.args)[key] = value
        elif name == "FROM":
            self._from(*each.words(self.args))
        elif stage is None:
            sys.exit(f"line {each.line}: {name} before FROM")
        elif name == "RUN":
            self._run(stage, each)
        elif name == "COPY":
            self._copy(stage, each, each.words(values))
        elif name == "ENV":
            stage.env.update((word.partition("=")[0], word.partition("=")[2]) for word in each.words(values))
        elif name == "WORKDIR":
            stage.folder = os.path.join(stage.folder, each.words(values)[0])
            stage.within(".").mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            stage.user = each.words(values)[0]
        elif name == "SHELL":
            stage.shell = each.words(values)
        else:
            stage.settings[name] = each.words(values)

    def _from(self, image: str, *named: str) -> None:
        if image in self.stages:
            layers, env = self.stages[image].layers, dict(self.stages[image].env)
        else:
            made, env = base(image, self.work)
            layers = [made]
        folder = Path(tempfile.mkdtemp(prefix="stage-", dir=self.work))
        for part in ("upper", "inner", "root"):
            (folder / part).mkdir(mode=0o755)
        over = f"lowerdir={':'.join(map(str, layers))},upperdir={folder}/upper,workdir={folder}/inner"
        call("mount", "-t", "overlay", "-o", over, "overlay", folder / "root")
        furnish(folder / "root")
        self.stage = Stage(folder / "root", [folder / "upper", *layers], env)
        self.stages[named[-1] if named else str(len(self.stages))] = self.stage

    def _run(self, stage: Stage, each: Instruction) -> None:
        mounted = []
        for text in each.flags.get("mount", []):
            mount = dict(part.split("=", 1) for part in text.split(","))
            if mount["type"] == "cache":
                source = CACHE / "mounts" / mount["target"].strip("/").replace("/", "-")
                source.mkdir(parents=True, exist_ok=True)
            elif mount["type"] == "bind" and "from" in mount:
                source = self.stages[mount["from"]].within(mount["source"])
            else:
                sys.exit(f"line {each.line}: not known here: --mount={text}")
            mounted.append(stage.within(mount["target"]))
            mounted[-1].mkdir(parents=True, exist_ok=True)
            call("mount", "--bind", source, mounted[-1])
        words = each.words({}) if each.rest.startswith("[") else [*stage.shell, each.rest]
        call(*stage.command(words, {**network(), **stage.args}))
        for target in mounted:
            call("umount", target)

    def _copy(self, stage: Stage, each: Instruction, words: list[str]) -> None:
        *sources, to = words
        origin = self.stages[each.flags["from"][0]].root if "from" in each.flags else self.context
        owner = each.flags.get("chown", ["0:0"])[0]
        for source in sources:
            found = sorted(origin.glob(source.lstrip("/"))) if source.strip("./") else [origin]
            if not found:
                sys.exit(f"line {each.line}: there is no {source}")
            for path in found:
                target = stage.within(to) / path.name if path.is_file() and to.endswith("/") else stage.within(to)
                target.parent.mkdir(parents=True, exist_ok=True)
                call("cp", "-aT", path, target)
                call("chroot", stage.root, "chown", "-R", owner, "/" + str(target.relative_to(stage.root)))


def prove(stage: Stage, work: Path) -> None:
    """Run the image read-only but for volumes and /tmp, as compose.yaml does, and without a network."""
    changed = [path for path in stage.layers[0].rglob("dist-packages/**/*") if path.is_file() and path.suffix != ".pyc"]
    if changed:
        sys.exit(f"{len(changed)} files among the base's Python packages were written, the first: {changed[0]}")
    for number, name in enumerate(stage.settings["VOLUME"]):
        call("cp", "-aT", stage.within(name), work / f"volume-{number}")
        call("mount", "--bind", work / f"volume-{number}", stage.within(name))
    call("mount", "-o", "remount,bind,ro", stage.root)
    call("mount", "-t", "tmpfs", "tmpfs", stage.root / "tmp")
    if ctypes.CDLL(None).unshare(0x40000000):  # CLONE_NEWNET
        sys.exit("no network namespace is to be had")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
    live = stage.settings["ENTRYPOINT"]
    call(*stage.command([*live, "doctor"]))
    demo = "--preset fast --input demo --output out.mp4 --duration 2 --set control.active=false"
    call(*stage.command([*live, *demo.split()]))
    print(f"doctor is content; out.mp4 has {stage.within('out.mp4').stat().st_size} bytes", flush=True)
    command, check = stage.command([*live, *stage.settings["CMD"]]), stage.command(stage.settings["HEALTHCHECK"])
    begun_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        while subprocess.run(check, capture_output=True).returncode:
            if time.monotonic() - begun_s > HEALTHY_S or running.poll() is not None:
                running.kill()
                sys.exit(f"CMD is not healthy:\n{running.communicate()[0][-4000:]}")
            time.sleep(0.5)
        print(f"CMD is healthy after {time.monotonic() - begun_s:.1f} s", flush=True)
        running.terminate()
        said = running.communicate(timeout=ENDED_S)[0]
    if running.returncode:
        sys.exit(f"CMD ended with {running.returncode}:\n{said[-4000:]}")


def main() -> None:
    """Go into namespaces of its own, then through the Dockerfile and the proof."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("--arg", action="append", default=[], metavar="NAME=VALUE", help="as build's --build-arg")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is None:
        CACHE.mkdir(parents=True, exist_ok=True)
        work = tempfile.mkdtemp(prefix="work-", dir=CACHE)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        apart = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        try:
            sys.exit(subprocess.run([*apart, sys.executable, *sys.argv, "--inside", work]).returncode)
        finally:
            shutil.rmtree(work)
    begun_s = time.monotonic()
    replay = Replay(options.inside, dict(each.split("=", 1) for each in options.arg))
    for each in parse(options.dockerfile.read_text("utf-8")):
        step_s = time.monotonic()
        replay.step(each)
        print(f"{time.monotonic() - step_s:6.1f} s  {each.name} {' '.join(each.rest.split())[:90]}", flush=True)
    if replay.stage is None:
        sys.exit("it has no FROM")
    size = subprocess.run(["du", "-sh", replay.stage.layers[0]], capture_output=True, text=True).stdout.split()[0]
    print(f"{size} lie over the base", flush=True)
    prove(replay.stage, options.inside)
    print(f"{time.monotonic() - begun_s:6.1f} s in all")


if __name__ == "__main__":
    main()
