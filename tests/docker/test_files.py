"""The container files without a container: linted, read, and held to what their README promises."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from live.cli import parser
from live.config import load_preset

ROOT = Path(__file__).parent.parent.parent
DOCKER = ROOT / "docker"
DOCKERFILES = ("Dockerfile", "Dockerfile.cpu")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
CAMERA = yaml.safe_load((DOCKER / "compose.camera.yaml").read_text("utf-8"))


def module(name: str) -> ModuleType:
    """A script's module; their folder is no package."""
    spec = importlib.util.spec_from_file_location(f"docker_{name}", DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


reading = module("instructions")


def instructions(dockerfile: str) -> list:
    return reading.parse((DOCKER / dockerfile).read_text("utf-8"))


def last(dockerfile: str, name: str) -> list[str]:
    return [each for each in instructions(dockerfile) if each.name == name][-1].words({})


def bases(dockerfile: str) -> list[str]:
    values = dict(
        each.rest.split("=", 1) for each in instructions(dockerfile) if each.name == "ARG" and "=" in each.rest
    )
    return [each.words(values)[0] for each in instructions(dockerfile) if each.name == "FROM"]


def run(tool: str, *arguments: str) -> None:
    path = Path(sys.executable).parent / tool
    if not path.exists():
        pytest.skip(f"{tool} is not installed beside {sys.executable}")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name):
    run("hadolint", str(DOCKER / name))


@pytest.mark.parametrize("name", ["compose.yaml", "compose.camera.yaml"])
def test_compose_files_follow_the_schema(name):
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DOCKER / name))


@pytest.mark.parametrize("name", DOCKERFILES)
def test_bases_are_pinned_to_a_tag_with_a_python_that_the_project_takes(name):
    allowed = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"])
    for image in bases(name):
        assert re.search(r":\d[\w.-]+$", image), image
        version = re.search(r"^python:(\d+\.\d+)-", image)
        # NVIDIA's tag does not say it. The release notes of 26.03 do: Ubuntu 24.04 with Python 3.12.
        assert (version[1] if version else "3.12") in allowed
        assert version or image == "nvcr.io/nvidia/pytorch:26.03-py3", "look up its Python, then change this line"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_live_as_nobody_special_and_knows_whether_it_is_well(name):
    assert last(name, "USER") == ["10001"]
    assert last(name, "ENTRYPOINT") == ["live"]
    assert last(name, "HEALTHCHECK") == ["live", "ctl", "state"]
    assert set(last(name, "VOLUME")) == {"/data", "/models"}
    assert last(name, "EXPOSE") == ["8910"]


def test_the_gpu_image_proves_after_each_installation_that_torch_was_kept():
    runs = [each.rest for each in instructions("Dockerfile") if each.name == "RUN"]
    installs = [text for text in runs if "/opt/live/venv/bin/python install" in text]
    assert len(installs) == 2
    assert all(text.rstrip().endswith("constraints.py /opt/live/constraints.txt") for text in installs)
    assert any(
        "constraints.py > /opt/live/constraints.txt" in text and "--system-site-packages" in text for text in runs
    )
    constraint = next(each for each in instructions("Dockerfile") if each.rest.startswith("PIP_CONSTRAINT="))
    assert constraint.rest == "PIP_CONSTRAINT=/opt/live/constraints.txt"


def test_both_images_are_used_alike():
    used = [[each for each in instructions(name) if each.name in reading.SETTINGS - {"LABEL"}] for name in DOCKERFILES]
    gpu, cpu = ([(each.name, each.flags, each.rest) for each in found] for found in used)
    assert gpu == cpu


def test_another_torch_than_the_base_had_ends_the_build(tmp_path):
    before = tmp_path / "constraints.txt"
    before.write_text("torch==2.9.0a0+0123abc.nv26.03\ntorchvision==0.24.0a0+0123abc\n", "utf-8")
    check = [sys.executable, str(DOCKER / "constraints.py"), str(before)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "the base's packages were ['torch==2.9.0a0+0123abc.nv26.03'" in done.stderr


def test_every_service_is_read_only_without_capabilities_and_on_this_machine_only():
    for name, service in COMPOSE["services"].items():
        assert service["profiles"] == [name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["init"] is True
        assert service["restart"] == "unless-stopped"
        assert not {"privileged", "network_mode", "pid", "ipc", "user"} & service.keys()
        assert all(port.startswith("${LIVE_BIND:-127.0.0.1}:") for port in service["ports"])


def test_a_published_page_has_the_number_it_has_inside():
    for name in ("cpu", "gpu"):
        assert COMPOSE["services"][name]["ports"] == ["${LIVE_BIND:-127.0.0.1}:8910:8910"]


@pytest.mark.parametrize(
    "command", [last("Dockerfile", "CMD"), COMPOSE["x-live"]["command"], CAMERA["x-camera"]["command"]]
)
def test_commands_ask_for_a_token_and_leave_the_page_its_port(command):
    plain = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in command]
    options = parser().parse_args(plain)
    preset = load_preset(options.preset, options.set)
    assert (preset.control.listen, preset.control.port) == ("0.0.0.0", 8910)
    assert not {"web", "web:8910"} & set(options.output)


def test_only_containers_may_read_the_bare_picture_at_the_router():
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    everybody, containers = yaml.safe_load((DOCKER / "mediamtx.yaml").read_text("utf-8"))["authInternalUsers"]
    assert containers["ips"] == [network["ip_range"]]
    assert "ips" not in everybody
    assert {"action": "read", "path": "live"} in everybody["permissions"]
    assert {"action": "read", "path": "camera"} not in everybody["permissions"]
    assert ip_address(network["gateway"]) not in ip_network(network["ip_range"])
    assert ip_address(network["gateway"]) in ip_network(network["subnet"])


def test_a_build_is_sent_what_the_wheel_holds_and_little_else():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "live/cli.py",
        "docker/constraints.py",
        *project["force-include"],
    ]
    assert [path for path in needed if reading.ignored(path, rules)] == []
    left_out = [".git/config", ".venv/bin/live", "tests/conftest.py", "docker/replay.py", "models/training/crops.py"]
    assert [path for path in [*left_out, "live/__pycache__/cli.pyc"] if not reading.ignored(path, rules)] == []


def test_no_file_names_the_address_of_an_index_or_of_a_mirror():
    for path in (*DOCKER.iterdir(), ROOT / ".dockerignore"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert not re.search(r"https?://(?!127\.0\.0\.1|localhost)[\w.]+", text), path
            assert not re.search(r"(?:pypi|pythonhosted|debian|ubuntu|pytorch)\.(?:org|com)", text), path


@pytest.mark.parametrize(
    "text", ["FROM a\nADD b c\n", "FROM a\nRUN <<E\nE\n", "FROM a\nCOPY --link a b\n", "RUN a \\\n"]
)
def test_a_replay_refuses_what_it_does_not_know(text):
    with pytest.raises(ValueError, match=r"not known here|no end"):
        reading.parse(text)


def test_a_replay_reads_lines_flags_and_variables():
    text = "ARG B=x:1\nFROM ${B} AS a\n# not this\nRUN --mount=type=cache,target=/c one \\\n  # nor this\n  && two\n"
    argument, begin, ran = reading.parse(text)
    assert begin.words(dict([argument.rest.split("=")])) == ["x:1", "AS", "a"]
    assert (ran.line, ran.flags["mount"], ran.rest) == (4, ["type=cache,target=/c"], "one   && two")
    assert reading.expand("${A:-b} ${C:+d} $C", {"C": "c"}) == "b d c"
    assert reading.parse('CMD ["a b"]\n')[0].words({}) == ["a b"]
