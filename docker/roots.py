"""Roots that stand for base images, and what it takes to run something in one: debootstrap, mount, chroot.

Knows nothing about Dockerfiles. What is mounted stays mounted: callers are in a mount namespace of their own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path.home() / ".cache/live-docker"
CERTIFICATES = "/run/certificates-of-the-host.pem"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = """
apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip
ln -s /usr/bin/python3 /usr/local/bin/python
rm -rf /usr/lib/python3*/EXTERNALLY-MANAGED /var/lib/apt/lists/*
"""
# Stands for NVIDIA's own build: among the system's packages, of a version no index has, beside an old numpy.
NVIDIA = r"""
pip install --no-cache-dir torch torchvision numpy==1.26.4 && cd /usr/local/lib/python3.12/dist-packages
sed -i -E 's/^(Version: [0-9.]+).*/\1a0+0123abc.nv26.03/; s/^(Requires-Dist: torch)==.*/\1/' torch*-*.dist-info/METADATA
mkdir /etc/pip && echo numpy==1.26.4 > /etc/pip/constraint.txt
"""
BASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "python:3.12-slim": ("noble", PYTHON, {}),
    "python:3.13-slim": ("trixie", PYTHON, {}),
    "nvcr.io/nvidia/pytorch:": ("noble", PYTHON + NVIDIA, {"PIP_CONSTRAINT": "/etc/pip/constraint.txt"}),
}
"""How an image's name begins -> the release it is made of, what is installed there, its environment."""
UBUNTU_KEYS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")


@dataclass
class Stage:
    """A root that is being filled, and what its image would say of itself."""

    root: Path
    layers: list[Path]
    env: dict[str, str]
    args: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    folder: str = "/"
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    settings: dict[str, list[str]] = field(default_factory=dict)

    def within(self, path: str) -> Path:
        """Where a path of the image lies here."""
        return self.root / os.path.join(self.folder, path).lstrip("/")

    def command(self, words: Sequence[str], extra: Mapping[str, str] | None = None) -> list[str]:
        """What runs these words in the root, as its user, with nothing of this machine's environment."""
        people = [line.split(":") for line in (self.root / "etc/passwd").read_text("utf-8").splitlines()]
        home = next((each[5] for each in people if self.user in (each[0], each[2])), "/")
        env = [f"{name}={value}" for name, value in {"HOME": home, **(extra or {}), **self.env}.items()]
        chroot = ["chroot", f"--userspec={self.user}", str(self.root)]
        return [*chroot, "/usr/bin/env", "-i", "-C", self.folder, *env, *words]


def call(*command: str | Path) -> None:
    """Run a command quietly. Raises: SystemExit with the end of what it said."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(map(str, command))[:200]} failed ({done.returncode}):\n{done.stdout[-4000:]}")


def network() -> dict[str, str]:
    """What a RUN needs of this machine to reach package indexes; an image never sees it."""
    wanted = r"(?i)(?:https?|ftp|no|all)_proxy|PIP_(?:INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT)"
    certificates = dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), CERTIFICATES)
    return {**certificates, **{name: value for name, value in os.environ.items() if re.fullmatch(wanted, name)}}


def furnish(root: Path) -> None:
    """Give a root its /proc, /sys, a small /dev, and this machine's resolver and certificates."""
    for kind, name, options in (("proc", "proc", "rw"), ("sysfs", "sys", "ro"), ("tmpfs", "dev", "mode=755")):
        call("mount", "-t", kind, "-o", options, kind, root / name)
    (root / "dev/shm").mkdir()
    call("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", root / "dev/shm")
    (root / "dev/fd").symlink_to("/proc/self/fd")
    files = {f"/dev/{name}": f"dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
    bundle = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    for source, name in {**files, "/etc/resolv.conf": "etc/resolv.conf", bundle: CERTIFICATES[1:]}.items():
        (root / name).touch()
        call("mount", "--bind", source, root / name)


def base(image: str, work: Path) -> tuple[Path, dict[str, str]]:
    """The root that stands for an image, made once, and the image's environment. Raises: SystemExit."""
    recipe = next((BASES[name] for name in BASES if image.startswith(name)), None)
    if recipe is None:
        sys.exit(f"{image}: nothing stands for this image; known: {', '.join(BASES)}")
    suite, script, env = recipe
    made = CACHE / f"{suite}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:10]}"
    if not made.exists():
        part = Path(tempfile.mkdtemp(prefix="part-", dir=work))
        part.chmod(0o755)
        folder, options = work / "debootstrap", ["--variant=minbase", "--merged-usr"]
        shutil.copytree("/usr/share/debootstrap", folder, dirs_exist_ok=True)
        if suite == "noble":
            if not (folder / "scripts/noble").exists():  # an older debootstrap: all of Ubuntu has one script
                (folder / "scripts/noble").symlink_to("gutsy")
            options += ["--components=main,universe"]
            if not UBUNTU_KEYS.exists():
                print(f"{UBUNTU_KEYS} is not here: the signature of the release is not checked")
                options += ["--no-check-gpg"]
        call("env", f"DEBOOTSTRAP_DIR={folder}", "debootstrap", *options, suite, part)
        furnish(part)
        stage = Stage(part, [], {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"})
        call(*stage.command(["/bin/sh", "-ec", script], network()))
        for name in ("dev", "sys", "proc", "etc/resolv.conf", CERTIFICATES[1:]):
            call("umount", "--recursive", part / name)
        part.rename(made)
    return made, {"PATH": PATH, **env}
