import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from live.output.ring import LARGEST_BYTES, Ring

SIZE = 300_000
WRITER = """
import sys
from live.output.ring import Ring
ring = Ring.attach(sys.argv[1])
for number in range(1, 4001):
    with ring.writing() as slot:
        slot[...] = number % 251
    ring.beat()
"""


@pytest.fixture
def ring():
    ring = Ring.create(SIZE)
    yield ring
    ring.close()


def write(ring, value):
    with ring.writing() as slot:
        slot[...] = value


def test_the_newest_picture_is_taken_once(ring):
    assert ring.take() is None
    for value in range(1, 6):
        write(ring, value)
    taken = ring.take()
    assert taken.size == SIZE
    assert set(np.unique(taken)) == {5}
    assert ring.take() is None


def test_a_picture_that_is_being_read_stays_as_it_is(ring):
    write(ring, 1)
    taken = ring.take()
    for value in range(2, 50):
        write(ring, value)
        assert taken[0] == 1
    assert ring.take()[0] == 49


def test_a_writer_that_stops_in_the_middle_shows_nothing_half_done(ring):
    write(ring, 1)
    ring.take()

    def torn():
        with ring.writing() as slot:
            slot[: SIZE // 2] = 2
            raise InterruptedError

    with pytest.raises(InterruptedError):
        torn()
    assert ring.take() is None
    write(ring, 3)
    assert set(np.unique(ring.take())) == {3}


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX only")
def test_no_picture_is_torn_between_two_processes(ring):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, ring.address], pass_fds=ring.inherited)
    taken = 0
    last = 0
    while writer.poll() is None or taken == 0:
        picture = ring.take()
        if picture is None:
            continue
        first = int(picture[0])
        assert int(picture.min()) == int(picture.max()) == first
        taken += 1
    assert writer.returncode == 0
    last = ring.take()
    assert last is None or int(last[0]) == 4000 % 251
    assert taken > 10
    assert ring.beats == 4000


def test_the_slate_is_apart(ring):
    ring.slate[...] = 99
    for value in range(1, 10):
        write(ring, value)
    assert set(np.unique(ring.slate)) == {99}


def test_signs_of_life_are_counted(ring):
    ring.beat()
    ring.beat()
    assert ring.beats == 2


def test_nothing_is_left_behind():
    before = {path for folder in ("/dev/shm", "/tmp") for path in Path(folder).glob("live-ring-*")}
    ring = Ring.create(SIZE)
    ring.close()
    ring.close()
    assert {path for folder in ("/dev/shm", "/tmp") for path in Path(folder).glob("live-ring-*")} == before


@pytest.mark.parametrize("size", [0, -1, LARGEST_BYTES + 1])
def test_a_senseless_size_is_refused(size):
    with pytest.raises(OSError, match="limit"):
        Ring.create(size)


def test_a_full_memory_file_system_falls_back_to_the_disk(monkeypatch):
    real = os.posix_fallocate
    folders = []

    def full(descriptor, at, size):
        folders.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent)
        if len(folders) == 1:
            raise OSError(28, "No space left on device")
        real(descriptor, at, size)

    if not (sys.platform == "linux" and os.access("/dev/shm", os.W_OK)):
        pytest.skip("needs /dev/shm")
    monkeypatch.setattr(os, "posix_fallocate", full)
    ring = Ring.create(SIZE)
    ring.close()
    assert folders[0] == Path("/dev/shm")
    assert folders[1] != folders[0]


def test_a_file_that_is_no_ring_is_refused(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(bytes(10_000))
    with pytest.raises(OSError, match="not a ring"):
        Ring.attach(str(path))
