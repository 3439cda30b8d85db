"""The desk on a running session of small parts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from live.control.desk import Desk, Helpers
from live.control.figures import Figures
from live.control.keeping import Keeper
from live.control.notes import Notes
from live.control.wardrobe import READY, Wardrobe
from live.errors import FaceError, OutputError, UsageError
from live.governor import Governor, Run, ladder
from live.marking import Badge
from live.output import open_output
from live.output.contract import Format
from live.output.web import Slot
from live.session import Sight
from live.values import FULL, Face, Frame, Whom
from tests.parts import SOURCE, KeptOutput, PaintedCapture, PaintEngine, session, shows_painted_face

WAIT_S = 10.0
NAMES = ["ada", "bruno", "chen"]


def until(happened: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def load(name: str):
    if name == "broken":
        raise FaceError("broken is broken")
    return replace(SOURCE, name=name, key=name)


class Slow(PaintEngine):
    """Prepares when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let, self.prepared = threading.Event(), []

    def prepare(self, source) -> None:
        assert self.let.wait(WAIT_S)
        self.prepared.append(source.name)


class Rig:
    """A running session with its desk."""

    def __init__(self, names: list[str] = NAMES, protect: str = "everyone") -> None:
        self.engine, self.kept, self.shown = Slow(), KeptOutput(live=True), Slot()
        self.session = session(PaintedCapture(10**6, live=True), self.kept, engine=self.engine)
        self.session.badge = Badge()
        self.session.taps.after = self.shown.put
        self.wardrobe = Wardrobe(names, load, self.engine.prepare)
        helpers = Helpers(str, str, str, lambda: None, lambda name: 1)
        self.desk = Desk(
            self.session,
            self.wardrobe,
            helpers,
            Figures(self.session.meter),
            Notes(),
            Governor(ladder(Run()), 0.08),
            {"n": "next-face", "x": "face 9"},
            {},
            current="ada",
            preset="default",
            protect=protect,
        )

    def start(self) -> Rig:
        self.session.start()
        self.wardrobe.start("ada")
        return self

    def stop(self) -> None:
        self.engine.let.set()
        self.session.stop()
        assert self.session.wait(WAIT_S)
        self.wardrobe.close()

    @property
    def worn(self) -> str | None:
        source = self.session.settings.source
        return source.name if source else None


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig().start()
    yield rig
    rig.stop()


def test_a_prepared_face_is_put_on_before_the_command_returns(rig: Rig) -> None:
    rig.engine.let.set()
    until(lambda: set(rig.wardrobe.ready) == set(NAMES))
    assert rig.desk.execute("next-face", []) == "face: bruno"
    assert rig.worn == "bruno"
    rig.desk.press("n")
    assert rig.worn == "chen"
    rig.desk.execute("face", ["1"])
    assert rig.worn == "ada"


def test_a_face_that_is_not_prepared_is_put_on_when_it_is_and_only_the_last_wish_counts(rig: Rig) -> None:
    rig.desk.execute("face", ["bruno"])
    rig.desk.execute("face", ["chen"])
    assert rig.worn == "ada"
    seen = len(rig.kept.frames)
    until(lambda: len(rig.kept.frames) > seen + 5)  # pictures go on meanwhile
    rig.engine.let.set()
    until(lambda: rig.worn == "chen")
    until(lambda: set(rig.wardrobe.ready) == set(NAMES))
    assert rig.worn == "chen"


def test_whoever_is_wanted_is_prepared_before_the_others() -> None:
    rig = Rig([f"face{number:02}" for number in range(30)]).start()
    rig.desk.execute("face", ["face20"])
    rig.engine.let.set()
    until(lambda: rig.worn == "face20")
    assert "face20" in rig.engine.prepared[:2]  # the first may have been under way
    until(lambda: len(rig.wardrobe.ready) == READY)
    rig.stop()


def test_a_broken_face_is_told_and_the_others_are_prepared(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(["broken", *NAMES]).start()
    rig.engine.let.set()
    rig.desk.execute("face", ["broken"])
    until(lambda: set(rig.wardrobe.ready) == set(NAMES))
    assert rig.worn == "ada"
    assert "broken is broken" in caplog.text
    rig.stop()


def test_a_face_is_put_on_everybody_whatever_they_wore(rig: Rig) -> None:
    rig.engine.let.set()
    until(lambda: set(rig.wardrobe.ready) == set(NAMES))
    rig.session.change(others=(load("chen"),), assigned={3: load("chen")})
    assert rig.desk.state()["face"] == "ada, chen"
    rig.desk.press("n")
    assert [rig.session.settings.worn_by(person).name for person in range(4)] == ["bruno"] * 4


def test_one_person_wears_a_face_of_his_own_until_he_wears_everybodys_again(rig: Rig) -> None:
    rig.engine.let.set()
    rig.desk.execute("person-face", ["2", "chen"])
    until(lambda: rig.session.settings.worn_by(1).name == "chen")
    assert rig.session.settings.worn_by(0).name == "ada"
    rig.desk.execute("person-face", ["2", "auto"])
    assert rig.session.settings.worn_by(1).name == "ada"


def test_panic_shows_the_slate_and_the_painted_face_comes_back(rig: Rig) -> None:
    until(lambda: rig.kept.frames and shows_painted_face(rig.kept.frames[-1]))
    rig.desk.execute("panic", [])
    until(lambda: not shows_painted_face(rig.kept.frames[-1]))
    assert rig.desk.state()["panic"]
    rig.desk.execute("panic", ["on"])
    assert rig.desk.state()["panic"]
    rig.desk.execute("panic", ["off"])
    until(lambda: shows_painted_face(rig.kept.frames[-1]))


def test_fewer_than_everyone_needs_the_users_words(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    for command in (["people", "largest"], ["lock", "1"], ["lock-like", "ada"]):
        with pytest.raises(UsageError, match="others-bare"):
            rig.desk.execute(command[0], command[1:])
        assert rig.session.settings.whom is Whom.EVERYONE
    rig.desk.execute("lock", ["2", "others-bare"])
    assert (rig.session.settings.whom, rig.session.settings.locked) == (Whom.LOCKED, 1)
    assert rig.desk.state()["protect"] == "chosen"
    assert "BARE" in caplog.text
    rig.desk.execute("people", ["everyone"])
    assert rig.desk.state()["protect"] == "everyone"


def test_a_preset_that_protects_the_chosen_needs_no_further_words() -> None:
    rig = Rig(protect="chosen").start()
    rig.desk.execute("people", ["leftmost"])
    assert rig.session.settings.whom is Whom.LEFTMOST
    rig.stop()


def test_numbers_and_switches_change_the_settings(rig: Rig) -> None:
    rig.desk.execute("strength", ["0.8"])
    rig.desk.execute("strength", ["-0.1"])
    rig.desk.execute("shape", ["0.25"])
    rig.desk.execute("crossfade", ["1.5"])
    rig.desk.execute("mirror", [])
    rig.desk.execute("badge", ["off"])
    settings = rig.session.settings
    assert (settings.strength, settings.shape, settings.crossfade_s) == (0.7, 0.25, 1.5)
    assert settings.mirror
    assert not settings.badge


def test_changes_from_many_threads_are_all_kept(rig: Rig) -> None:
    fields = {"strength": 0.6, "shape": 0.1, "crossfade_s": 0.3, "mirror": True, "badge": False}
    threads = [threading.Thread(target=rig.session.change, kwargs={name: value}) for name, value in fields.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: getattr(rig.session.settings, name) for name in fields} == fields


def test_an_unknown_key_does_nothing_and_a_key_with_a_wrong_command_is_told(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.desk.press("z")
    assert not caplog.records
    rig.desk.press("x")
    assert 'no face "9"' in caplog.text


def test_people_are_told_where_they_are_seen_also_mirrored(rig: Rig) -> None:
    rig.session.stop()
    assert rig.session.wait(WAIT_S)
    face = Face(np.zeros((478, 3), np.float32), (10.0, 20.0, 30.0, 60.0), 0.9, 5, 2)
    rig.session.sight = Sight((face,), 100, 100)
    assert rig.desk.state()["people"] == [{"person": 3, "box": [0.1, 0.2, 0.2, 0.4], "face": "ada", "own": False}]
    rig.session.sight = Sight((face,), 100, 100, True)
    assert rig.desk.state()["people"][0]["box"] == [0.7, 0.2, 0.2, 0.4]


def test_the_governor_acts_on_late_pictures_and_lets_go_when_told(rig: Rig) -> None:
    name = rig.kept.name
    now_s = 1000.0
    for _ in range(2):
        rig.desk.figures.newest_ms = {name: np.full(30, 200.0, np.float32)}
        rig.desk.govern(now_s)
        now_s += 5
    assert rig.session.settings.quality != FULL
    assert rig.desk.state()["governor"]["step"] > 0
    rig.desk.execute("governor", ["off"])
    assert rig.session.settings.quality == FULL
    rig.desk.govern(now_s)
    assert rig.session.settings.quality == FULL


def test_behind_the_slate_the_governor_does_not_judge(rig: Rig) -> None:
    rig.desk.execute("panic", ["on"])
    rig.desk.figures.newest_ms = {rig.kept.name: np.full(30, 900.0, np.float32)}
    rig.desk.govern(1000.0)
    assert rig.session.settings.quality == FULL


def format_of(rig: Rig) -> Format:
    info = rig.session.capture.info
    return Format(info.width_px, info.height_px, info.fps, info.format, info.colour, info.live)


def test_a_recording_starts_and_stops_on_air_and_plays(rig: Rig, tmp_path: Path) -> None:
    keeper = Keeper(rig.session, rig.shown, tmp_path, lambda path: open_output(str(path), format_of(rig)))
    with pytest.raises(UsageError, match="nothing is recorded"):
        keeper.record(False)
    said = keeper.record(True)
    assert keeper.recording is not None
    assert keeper.recording in said
    with pytest.raises(UsageError, match="already"):
        keeper.record(True)
    seen = len(rig.kept.frames)
    until(lambda: len(rig.kept.frames) > seen + 40)
    keeper.record(False)
    assert keeper.recording is None
    (file,) = tmp_path.glob("live-*.mp4")
    with av.open(str(file)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(pictures) > 10
    assert all(abs(int(picture[65, 80].mean()) - 200) > 40 for picture in pictures)  # never the bare face
    seen = len(rig.kept.frames)
    until(lambda: len(rig.kept.frames) > seen + 5)  # the run goes on


def test_a_snapshot_shows_what_is_shown(rig: Rig, tmp_path: Path) -> None:
    keeper = Keeper(rig.session, rig.shown, tmp_path, lambda path: open_output(str(path), format_of(rig)))
    until(lambda: (frame := rig.shown.newest()[2]) is not None and shows_painted_face(frame))
    keeper.snapshot()
    keeper.snapshot()
    files = sorted(tmp_path.glob("live-*.png"))
    assert len(files) == 2
    with Image.open(files[0]) as picture:
        assert "face swapped" in picture.info["Comment"]
        assert picture.getpixel((80, 60)) == (20, 20, 20)


def test_a_snapshot_needs_a_folder_that_can_be_written(rig: Rig, tmp_path: Path) -> None:
    until(lambda: rig.shown.newest()[2] is not None)
    with pytest.raises(OutputError, match=r"control\.folder"):
        Keeper(rig.session, rig.shown, tmp_path / "missing", lambda path: KeptOutput()).snapshot()


def test_a_captured_frame_is_handed_to_the_tap_bare_and_the_output_is_not() -> None:
    bare: list[Frame] = []
    run = session(PaintedCapture(20), kept := KeptOutput())
    run.taps.before = lambda frame: bare.append(replace(frame, planes=tuple(plane.copy() for plane in frame.planes)))
    run.start()
    assert run.wait(WAIT_S)
    assert len(bare) == 20
    assert not any(shows_painted_face(frame) for frame in bare)
    assert all(shows_painted_face(frame) for frame in kept.frames)
