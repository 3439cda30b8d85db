"""Fetching from a real server that behaves, and from one that does not."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from live.errors import ModelError
from live.nets.catalogue import Catalogue, Entry
from live.nets.fetch import TRIES
from live.nets.pull import Pulled, pull
from live.nets.verify import look

from .files import addition, network
from .site import WAIT_S, Answer, Proxy, Site, no_ranges, page, part, redirect, status

MODEL = network({"input": [1, 3, 512, 512]}, {"output": [1, 3, 512, 512]}, (700, 700)).SerializeToString()  # 5.1 MB
OTHER = addition().SerializeToString()
HASH = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Place:
    """A models folder and what a pull into it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.waits: list[float] = []
        self.progress: list[tuple[int, int | None]] = []

    @property
    def file(self) -> Path:
        return self.folder / "tiny.onnx"

    def entry(self, *urls: str, **changes: Any) -> Entry:
        half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
        # the addresses go in unchecked: without a hash an entry takes only https
        return Entry.model_validate({
            "name": "tiny", "role": "restorer", "family": "plain", "file": "tiny.onnx",
            "bytes": len(MODEL), "sha256": HASH,
            "licence": {"name": "MIT", "commercial": "yes", "redistribution": "yes"},
            "input": {"size_px": 512, "template": "ffhq_512", "normalisation": half},
            "output": {"normalisation": half}, **changes,
        }).model_copy(update={"urls": urls})  # fmt: skip

    def pull(self, *sites: Site | str, only: Path | None = None, stall_s: float = 10.0, **changes: Any) -> Pulled:
        entry = self.entry(*(site if isinstance(site, str) else f"{site.url}/tiny.onnx" for site in sites), **changes)
        return pull(
            Catalogue((entry,), self.folder), entry, lambda *seen: self.progress.append(seen),
            only=only, stall_s=stall_s, sleep=self.waits.append,
        )  # fmt: skip

    def fails(self, *sites: Site | str, **more: Any) -> str:
        with pytest.raises(ModelError) as caught:
            self.pull(*sites, **more)
        line = str(caught.value)
        assert "\n" not in line
        assert not self.file.exists()
        return line

    def is_clean(self) -> bool:
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(".")) == ["tiny.onnx"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_whole_file_gets_its_name_and_nothing_else_stays(place: Place) -> None:
    with Site(MODEL) as site:
        pulled = place.pull(site)
        assert (pulled.path, pulled.sha256, pulled.known, pulled.source) == (place.file, HASH, True, "127.0.0.1")
        assert place.file.read_bytes() == MODEL
        assert place.is_clean()
        assert place.progress[-1] == (len(MODEL), len(MODEL))
        assert site.agents.pop().startswith("live-faceswap/")
        assert place.pull(site).source == ""
        assert site.ranges == [""]


def test_a_cut_download_goes_on_where_it_stopped(place: Place) -> None:
    with Site(MODEL, part(0.4), part(0.5), status(503)) as site:
        place.pull(site)
        starts = [int(span.removeprefix("bytes=").removesuffix("-") or 0) for span in site.ranges]
    assert starts[0] == 0
    assert 0 < starts[1] < starts[2] <= starts[3] < len(MODEL)
    assert place.file.read_bytes() == MODEL
    assert place.is_clean()
    assert len(place.waits) == 3


def test_the_next_call_goes_on_with_what_the_last_one_left(place: Place) -> None:
    with Site(MODEL, part(0.6), *[status(500)] * 9) as site:
        assert "(500)" in place.fails(site)
        left = (place.folder / "tiny.onnx.part").stat().st_size
        assert left > len(MODEL) // 2
        site.faults.clear()
        place.pull(site)
        assert site.ranges[-1] == f"bytes={left}-"
    assert place.is_clean()


def test_a_file_that_changed_meanwhile_is_fetched_anew(place: Place) -> None:
    with Site(OTHER * 9000, part(0.5), *[status(500)] * 9, etag='"old"') as site:
        place.fails(site, bytes=None, sha256=None)
    with Site(MODEL, etag='"new"') as site:
        assert place.pull(site.url + "/tiny.onnx").path.read_bytes() == MODEL
        assert site.ranges[0].startswith("bytes=")
        assert len(site.ranges) == 1


def test_without_validators_a_part_of_another_version_is_found_out_by_the_hash(place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "tiny.onnx.part").write_bytes(bytes(1000))
    with Site(MODEL, etag="") as site:
        place.pull(site)
        assert site.ranges == ["bytes=1000-", ""]
    assert place.is_clean()


def test_without_validator_and_hash_a_part_is_not_trusted(place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "tiny.onnx.part").write_bytes(bytes(1000))
    with Site(MODEL, etag="") as site:
        assert not place.pull(site, sha256=None).known
        assert site.ranges == [""]


def test_a_server_without_ranges_is_asked_for_the_whole(place: Place) -> None:
    with Site(MODEL, part(0.5), no_ranges) as site:
        place.pull(site)
        assert site.ranges[1].startswith("bytes=")
    assert place.file.read_bytes() == MODEL


def test_a_part_longer_than_the_file_is_dropped(place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "tiny.onnx.part").write_bytes(MODEL + b"more")
    with Site(MODEL) as site:
        place.pull(site)
        assert site.ranges == [""]


def test_a_wrong_hash_never_gets_the_name(place: Place) -> None:
    wrong = MODEL[:-1] + b"\x00"
    with Site(wrong) as first, Site(MODEL) as second:
        line = place.fails(first)
        assert "another file" in line
        assert HASH[:12] in line
        assert not list(place.folder.glob("tiny*"))
        assert place.pull(first, second).path.read_bytes() == MODEL


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(401), "login"),
        (status(403), "403 forbidden"),
        (status(404), "404 not found"),
        (status(418), "418"),
        (status(204), "204"),
        (page, "web page"),
        (redirect(lambda site: f"{site.url}/on"), "without end"),
        (redirect(lambda site: "file:///etc/passwd"), "another kind"),
        (redirect(lambda site: "ftp://127.0.0.1/x"), "another kind"),
    ],
)
def test_a_mirror_that_refuses_is_named_and_the_next_one_asked(fault: Answer, words: str, place: Place) -> None:
    with Site(MODEL, *[fault] * 20) as refusing, Site(MODEL) as good:
        line = place.fails(refusing)
        assert words in line
        assert "127.0.0.1" in line
        assert "--from" in line
        assert not place.waits
        refusing.faults = [fault] * 20
        place.pull(refusing, good)
    assert place.is_clean()


def test_a_server_in_trouble_is_asked_again_and_not_forever(place: Place) -> None:
    with Site(MODEL, *[status(503, Retry_After="7"), status(429)], *[status(500)] * 20) as site:
        assert f"{TRIES} times" in place.fails(site)
        assert len(site.ranges) == TRIES
    assert place.waits[0] == 7
    assert place.waits[1:] == sorted(place.waits[1:])
    assert max(place.waits) <= 30


@pytest.mark.parametrize("length", [len(MODEL) - 5, len(MODEL) + 5])
def test_a_length_that_is_not_the_catalogues_is_refused_before_the_first_byte(length: int, place: Place) -> None:
    with Site((MODEL + bytes(9))[:length]) as site:
        assert f"{length} bytes instead of {len(MODEL)}" in place.fails(site)
    assert not place.progress


def test_more_than_announced_is_never_written(place: Place) -> None:
    with Site(MODEL, part(1.5, chunked=True)) as site:
        assert "more than" in place.fails(site)
    assert not list(place.folder.glob("tiny*"))
    assert max(done for done, _ in place.progress) < len(MODEL) + 2**19


def test_a_file_of_unknown_length_is_bounded_by_what_it_should_have(place: Place) -> None:
    with Site(MODEL, part(1.0, chunked=True)) as site:
        assert "more than" in place.fails(site, bytes=None, megabytes=1.0)
        assert "more than" in place.fails(site, bytes=None, megabytes=1.0)
    with Site(MODEL) as site:
        place.pull(site, bytes=None, megabytes=5.0)


def test_a_server_that_announces_more_than_it_has_is_given_up(place: Place) -> None:
    with Site(MODEL, *[part(1.0, announced=len(MODEL) + 99)] * 50) as site:
        line = place.fails(site, bytes=None)
        assert "broke off" in line or "go on" in line
        assert len(site.ranges) < 20


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_stalled_server_is_left_in_time_and_the_rest_comes_from_the_next_try(share: float, place: Place) -> None:
    with Site(MODEL, part(share, hold=True)) as site:
        place.pull(site, stall_s=0.3)
        assert site.stalled.is_set()
    assert place.file.read_bytes() == MODEL


def test_a_server_that_drips_is_as_good_as_stalled(place: Place) -> None:
    async def dripping(site: Site, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": site.etag})
        response.content_length = len(site.data)
        await response.prepare(request)
        for byte in site.data:
            if site.go_on.is_set():
                break
            await response.write(bytes([byte]))
            await asyncio.sleep(0.02)
        return response

    with Site(MODEL, dripping) as site:
        place.pull(site, stall_s=0.4)
        assert site.ranges[0] == ""
        assert site.ranges[1].startswith("bytes=")
    assert place.file.read_bytes() == MODEL


def test_nothing_at_the_address_is_one_line(place: Place) -> None:
    with Site(MODEL) as site:
        gone = f"{site.url}/tiny.onnx"
    assert "connection refused" in place.fails(gone)
    assert "is not known" in place.fails("http://no-such-host.invalid/tiny.onnx")


def test_a_plain_server_where_an_encrypted_one_should_be(place: Place) -> None:
    with Site(MODEL) as site:
        assert "no encrypted connection" in place.fails(f"https://127.0.0.1:{site.port}/tiny.onnx")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    try:
        subprocess.run([*command, *names], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs openssl to make a certificate")
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def test_certificates_are_checked_and_encryption_is_never_left(
    certificate: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with Site(MODEL) as plain, Site(MODEL, tls=tls) as site:
        assert "certificate is not valid" in place.fails(site)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        site.faults = [redirect(lambda _: f"{plain.url}/tiny.onnx")]
        assert "not encrypted" in place.fails(site)
        assert place.pull(site).source == "127.0.0.1"
        assert not plain.ranges


def test_an_encrypted_download_goes_through_the_proxys_tunnel(
    certificate: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Site(MODEL, part(0.5), tls=tls) as site, Proxy(site) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        place.pull("https://127.0.0.1:9/tiny.onnx")
        assert proxy.lines == ["CONNECT 127.0.0.1:9"] * 2
    assert place.is_clean()


def test_the_environments_proxy_is_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(MODEL, part(0.5)) as site, Proxy(site, "407 Proxy Authentication Required") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        place.pull("http://models.invalid/a/tiny.onnx")
        assert proxy.lines == ["GET http://models.invalid/a/tiny.onnx"] * 2
        assert site.hosts == ["models.invalid"] * 2
        place.file.unlink()
        assert "proxy refuses" in place.fails("https://models.invalid/a/tiny.onnx")
        assert proxy.lines[-1] == "CONNECT models.invalid:443"


def test_what_is_no_model_is_refused_even_where_no_hash_is_known(place: Place) -> None:
    for data, word in ((b"PK\x03\x04" + bytes(100), "zip"), (b"\x80\x04" + bytes(100), "pickle"), (b"??", "ONNX")):
        with Site(data) as site:
            assert word in place.fails(site, sha256=None, bytes=None)
        assert not list(place.folder.glob("tiny*"))


def test_an_unpublished_hash_is_kept_and_held_to(place: Place) -> None:
    entry = place.entry(sha256=None, bytes=None)
    catalogue = Catalogue((entry,), place.folder)
    with Site(MODEL) as site:
        assert not place.pull(site, sha256=None, bytes=None).known
        assert look(catalogue, entry).fine
        place.file.unlink()
        site.data = OTHER
        assert "another file" in place.fails(site, sha256=None, bytes=None)
        place.file.write_bytes(OTHER)
        assert not look(catalogue, entry).fine


def test_a_broken_file_under_the_name_is_not_overwritten_unasked(place: Place) -> None:
    place.folder.mkdir()
    place.file.write_bytes(b"mine")
    with Site(MODEL) as site:
        entry = place.entry(f"{site.url}/tiny.onnx")
        with pytest.raises(ModelError, match="live models remove tiny"):
            pull(Catalogue((entry,), place.folder), entry, lambda *_: None)
        assert not site.ranges
    assert place.file.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["tiny.onnx", "upstream-name.onnx"])
def test_a_folder_serves_in_place_of_the_network(name: str, place: Place, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(MODEL)
    pulled = place.pull("http://no-such-host.invalid/upstream-name.onnx", only=tmp_path)
    assert pulled.source == str(tmp_path)
    assert place.is_clean()


def test_a_folder_without_the_file_or_with_another_says_so(place: Place, tmp_path: Path) -> None:
    assert "no tiny.onnx" in place.fails("http://no-such-host.invalid/tiny.onnx", only=tmp_path)
    (tmp_path / "tiny.onnx").write_bytes(MODEL[:-1] + b"\x00")
    assert "another file" in place.fails("http://no-such-host.invalid/tiny.onnx", only=tmp_path)
    (tmp_path / "tiny.onnx").write_bytes(MODEL[:-1])
    assert "bytes" in place.fails("http://no-such-host.invalid/tiny.onnx", only=tmp_path)
    assert (tmp_path / "tiny.onnx").exists()


def test_the_offline_folder_comes_before_the_network(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_MODELS_OFFLINE", str(tmp_path))
    with Site(MODEL) as site:
        (tmp_path / "tiny.onnx").write_bytes(bytes(len(MODEL)))
        assert place.pull(site).source == "127.0.0.1"
        place.file.unlink()
        (tmp_path / "tiny.onnx").write_bytes(MODEL)
        assert place.pull(site).source == str(tmp_path)
        assert len(site.ranges) == 1


def test_two_pulls_at_once_do_not_write_the_same_file(place: Place) -> None:
    with Site(MODEL, part(0.5, hold=True)) as site:
        done: list[Pulled] = []
        first = threading.Thread(target=lambda: done.append(place.pull(site)))
        first.start()
        assert site.stalled.wait(WAIT_S)
        assert "another live" in place.fails(site)
        site.go_on.set()
        first.join(WAIT_S)
        assert done[0].sha256 == HASH
    assert place.is_clean()


def test_a_killed_pull_leaves_no_name_and_no_lock_and_is_gone_on_with(place: Place, tmp_path: Path) -> None:
    with Site(MODEL, part(0.5, hold=True)) as site:
        entry = place.entry(f"{site.url}/tiny.onnx")
        (tmp_path / "entry.json").write_text(entry.model_dump_json())
        code = (
            "import sys; from pathlib import Path; from live.nets.catalogue import *; from live.nets.pull import pull;"
            "entry = Entry.model_validate_json(Path(sys.argv[1]).read_text());"
            "pull(Catalogue((entry,), Path(sys.argv[2])), entry, lambda *_: None)"
        )
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "entry.json"), str(place.folder)])
        try:
            assert site.stalled.wait(WAIT_S)
        finally:
            child.kill()
            child.wait(WAIT_S)
        assert not place.file.exists()
        place.pull(site)
        assert site.ranges[0] == ""
    assert place.file.read_bytes() == MODEL
    assert place.is_clean()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_line(place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "tiny.onnx.part").symlink_to("/dev/full")
    with Site(MODEL) as site:
        assert "is full" in place.fails(site)
    (place.folder / "tiny.onnx.part").unlink()


def test_too_little_room_is_said_before_anything_is_fetched(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=len(MODEL) - 1))
    with Site(MODEL) as site:
        assert "free some" in place.fails(site)
        assert not site.ranges


def test_a_folder_that_cannot_be_written_is_one_line(place: Place, tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"a file where the folder should be")
    with Site(MODEL) as site:
        with pytest.raises(ModelError, match="LIVE_MODELS"):
            place.pull(site)
        assert not site.ranges
