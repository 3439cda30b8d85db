from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from live.bench import faces_clips, faces_data, faces_figures, faces_looking, faces_steadiness
from live.bench.faces import Wish, measure, table
from live.bench.faces_sheet import KEPT, Sheet
from live.bench.report import write_json
from live.config import load_preset
from live.errors import OutputError, UsageError
from live.pixels.people import read_person
from live.resources import models_dir
from models.training import faces as training

OFF = Sheet(wanted=False)


def square_face(yaw_deg=0.0):
    """Landmarks on a grid, eyes 100 px apart, turned to a side by the depth of its sides."""
    points = np.zeros((478, 3), np.float32)
    points[:, 0], points[:, 1] = np.arange(478) % 20 * 10, np.arange(478) // 20 * 10
    points[33, :2], points[263, :2] = (40, 80), (140, 80)
    points[234], points[454] = (0, 100, 0), (200, 100, 200 * np.tan(np.radians(yaw_deg)))
    return points


def save_labels(folder: Path, names, landmarks):
    """As the labels of the trainings: px x 64, counted from the picture's edge."""
    stored = np.rint((np.stack(landmarks) - faces_data.LABEL_SHIFT_PX) * 64).astype(np.int16)
    np.savez(folder / "labels.npz", name=np.array(names), landmarks=stored)


def make_set(folder: Path, people=("ada", "emeka")):
    folder.mkdir(parents=True)
    for name in people:
        cv2.imwrite(str(folder / f"{name}.png"), read_person(name).image)
    save_labels(folder, [f"{name}.png" for name in people], [read_person(name).landmarks for name in people])
    return folder


def webcam(name, size=(640, 360)):
    """A bundled person in the middle of a frame, and its landmarks."""
    image, landmarks = faces_steadiness.still_person(name)
    scale = size[0] / image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), landmarks * np.float32(scale)


def write_clip(path: Path, pictures):
    path.parent.mkdir(exist_ok=True)
    size = pictures[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, size)
    for picture in pictures:
        writer.write(picture)
    writer.release()


def save_clip_labels(file: Path, rows):
    """Rows of (clip, frame number, faces)."""
    clips, numbers, several = zip(*rows)
    landmarks = [face - faces_data.LABEL_SHIFT_PX for faces in several for face in faces]
    stored = np.array(landmarks, np.float32).reshape(-1, 478, 3)
    counts = [len(faces) for faces in several]
    np.savez(file, name=np.array(clips), frame=np.array(numbers), count=np.array(counts), landmarks=stored)


def save_masker(file: Path):
    """A network that takes what is bright in blue for face."""
    nodes = [
        helper.make_node("Gather", ["patch", "blue"], ["plane"], axis=3),
        helper.make_node("Cast", ["plane"], ["mask"], to=TensorProto.FLOAT),
    ]
    patch = helper.make_tensor_value_info("patch", TensorProto.UINT8, ["n", 128, 128, 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 128, 128])
    blue = helper.make_tensor("blue", TensorProto.INT64, [], [0])
    graph = helper.make_graph(nodes, "blue", [patch], [mask], [blue])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), str(file))


@pytest.fixture(scope="module")
def perception():
    return faces_looking.load_perception(load_preset(), models_dir())


@pytest.fixture
def brief(monkeypatch):
    """Steadiness and speed on few frames."""
    for name, value in {"PEOPLE": 1, "SETTLING": 3, "MEASURED": 5, "STEP_FRAMES": 4, "CALLS": 3, "WARM_UP": 1}.items():
        monkeypatch.setattr(faces_steadiness, name, value)


# The arithmetic.


def test_the_error_is_the_mean_distance_in_percent_of_the_eye_distance():
    true = square_face()
    found = true + np.array([3, 4, 50], np.float32)
    assert faces_figures.error_percent(found, true) == pytest.approx(5, abs=1e-4)
    found = true.copy()
    found[list(faces_figures.LIPS), 0] += 10
    row = faces_figures.row_of(found, true, sure=True)
    assert row.regions == pytest.approx((0, 10, 0, 0), abs=1e-4)
    assert row.nme_percent == pytest.approx(10 * len(faces_figures.LIPS) / 478, abs=1e-4)


@pytest.mark.parametrize("angle", [0, 25, -60])
def test_yaw_comes_from_the_depth_of_both_sides(angle):
    assert faces_figures.yaw_deg(square_face(angle)) == pytest.approx(abs(angle), abs=1e-3)


def test_a_face_fails_when_it_is_off_by_more_than_8_percent_or_not_found():
    true = square_face()
    rows = [
        faces_figures.row_of(true + np.array([error, 0, 0], np.float32), true, sure=sure)
        for error, sure in ((1, True), (2, True), (3, False), (10, True))
    ]
    rows.append(faces_figures.row_of(None, square_face(30), sure=True))
    found = faces_figures.figures(rows)
    assert found["pictures"] == 5
    assert found["nme_percent"] == pytest.approx(4)
    assert found["median_nme_percent"] == pytest.approx(2.5)
    assert found["p95_nme_percent"] == pytest.approx(8.95)
    assert found["failure_percent"] == 60
    assert found["not_found"] == 2
    assert list(found["by_yaw"]) == ["0-20", "20-40"]
    assert found["by_yaw"]["0-20"]["pictures"] == 4
    assert found["by_yaw"]["0-20"]["failure_percent"] == 50
    assert found["by_yaw"]["20-40"]["nme_percent"] is None
    assert found["by_region"] == pytest.approx({"eyes": 4, "lips": 4, "outline": 4, "irises": 4})


def test_nothing_measured_is_none_and_not_a_number_out_of_nowhere():
    found = faces_figures.figures([])
    assert found["pictures"] == 0
    assert found["nme_percent"] is None
    assert found["failure_percent"] is None


def test_overlaps_are_intersection_over_union():
    box = (0, 0, 10, 10)
    overlaps = faces_figures.box_overlaps(box, [(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30)])
    assert overlaps == pytest.approx([1, 1 / 3, 0])
    assert faces_figures.is_found(box, [(0, 0, 10, 5)])
    assert not faces_figures.is_found(box, [(0, 0, 10, 3.9)])
    assert not faces_figures.is_found(box, [])
    left, top = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    left[:, :2], top[:2] = True, True
    assert faces_figures.mask_overlap(left, top) == pytest.approx(4 / 12)
    assert faces_figures.mask_overlap(left, top, counted=left) == pytest.approx(0.5)
    assert faces_figures.mask_overlap(left & ~left, top & ~top) == 1
    assert faces_figures.mask_overlap(left, top & ~top) == 0


def test_glasses_are_neither_face_nor_no_face():
    face, glasses = faces_figures.face_and_glasses(np.arange(19, dtype=np.uint8).reshape(1, 19))
    assert np.flatnonzero(face).tolist() == [1, 2, 4, 5, 6, 7, 10, 11, 12]
    assert np.flatnonzero(glasses).tolist() == [3]


def test_the_disturbed_patch_is_a_little_off_and_the_same_every_time():
    true = square_face()
    moved, again = (faces_figures.disturbed(true, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(moved, again)
    assert 0.5 < faces_figures.error_percent(moved, true) < 30
    shape, old = (points[:, :2] - points[:, :2].mean(axis=0) for points in (moved, true))
    ratio = np.linalg.norm(shape, axis=1) / np.linalg.norm(old, axis=1).clip(1e-6)
    assert np.ptp(ratio[np.linalg.norm(old, axis=1) > 1]) < 1e-4


@pytest.mark.parametrize(("way", "late"), [([1.0, 1.0], 0), ([0.5, 0.91], 1), ([0.2, 0.5, 0.89], 3)])
def test_a_point_is_late_until_it_has_gone_nine_tenths_of_the_way(way, late):
    assert faces_steadiness.frames_late(way) == late


# The same rules as in the trainings.


def test_held_out_pictures_and_labels_are_those_of_the_trainings():
    names = [f"{number:05d}{end}" for number in range(400) for end in (".webp", ".jpg", ".png", ".jpeg")]
    assert [faces_data.is_held_out(name) for name in names] == [training.is_held_out(name) for name in names]
    assert 60 < sum(faces_data.is_held_out(name) for name in names) < 180
    assert np.array_equal(faces_data.LABEL_SHIFT_PX, training.LABEL_SHIFT_PX)
    assert faces_data.LABEL_FRACTION == training.LABEL_FRACTION
    assert faces_data.HELD_OUT_EVERY == training.HELD_OUT_EVERY
    assert faces_data.ONE_FACE_CLIPS == training.ONE_FACE_CLIPS
    assert faces_figures.PATCH_SIDES == training.PATCH_SCALE
    regions = (training.EYES, training.LIPS, training.FACE_OVAL)
    assert regions == (faces_figures.EYES, faces_figures.LIPS, faces_figures.OUTLINE)


def test_every_trained_set_is_known(data):
    recipes = Path(training.__file__).parent.glob("*.yaml")
    trained = "".join(recipe.read_text("utf-8") for recipe in recipes)
    named = {folder.name for folder in (data / "faces").iterdir() if folder.name in trained}
    assert named <= faces_data.TRAINED_SETS


def test_only_the_held_out_pictures_of_a_trained_set_are_measured():
    names = tuple(f"{number:05d}.webp" for number in range(300))
    picture_set = faces_data.PictureSet("congress", Path(), names, np.zeros((300, 478, 3), np.int16))
    held_out = [row for row, name in enumerate(names) if training.is_held_out(name)]
    assert faces_data.chosen_rows(picture_set, every=False, limit=None) == held_out
    assert len(faces_data.chosen_rows(picture_set, every=True, limit=None)) == 300
    assert len(faces_data.chosen_rows(replace(picture_set, name="other"), every=False, limit=None)) == 300
    few = faces_data.chosen_rows(picture_set, every=False, limit=3)
    assert len(few) == 3
    assert set(few) <= set(held_out)
    assert few[-1] > 150


# Files.


def test_sets_are_found_in_all_three_places(tmp_path):
    for place in ("one", "many/a", "many/b", "whole/faces/c"):
        make_set(tmp_path / place, ("ada",))
    found = [
        [item.name for item in faces_data.find_sets(tmp_path / place)] for place in ("one", "many", "whole", "many/a")
    ]
    assert found == [["one"], ["a", "b"], ["c"], ["a"]]


def test_labels_lie_where_the_face_is(tmp_path):
    picture_set = faces_data.read_set(make_set(tmp_path / "one", ("ada",)) / "labels.npz")
    sample = faces_data.read_sample(picture_set, 0)
    person = read_person("ada")
    assert np.array_equal(sample.image, person.image)
    assert np.abs(sample.landmarks - person.landmarks).max() < 1 / 64


@pytest.mark.parametrize(
    "arrays",
    [
        {"name": np.array(["a.png"])},
        {"name": np.array(["a.png"]), "landmarks": np.zeros((2, 478, 3), np.int16)},
        {"name": np.array(["a.png"]), "landmarks": np.zeros((1, 478, 3), np.float32)},
        {"name": np.array([1]), "landmarks": np.zeros((1, 478, 3), np.int16)},
        {"name": np.array(["a.png"], object), "landmarks": np.zeros((1, 478, 3), np.int16)},
    ],
    ids=["no landmarks", "another count", "floats", "numbers for names", "pickled"],
)
def test_labels_that_do_not_fit_are_one_line(tmp_path, arrays):
    np.savez(tmp_path / "labels.npz", **arrays)
    with pytest.raises(UsageError, match=r"labels\.npz") as caught:
        measure(load_preset(), Wish(tmp_path))
    assert "\n" not in str(caught.value)


def test_folders_and_files_that_hold_nothing_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no folder"):
        measure(load_preset(), Wish(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="no material"):
        measure(load_preset(), Wish(tmp_path))
    (tmp_path / "labels.npz").write_text("nothing of the kind")
    with pytest.raises(UsageError, match="cannot be read"):
        measure(load_preset(), Wish(tmp_path))
    with pytest.raises(OutputError, match="--sheet"):
        measure(load_preset(), Wish(tmp_path, sheet=tmp_path / "no" / "sheet.png"))
    make_set(tmp_path / "set", ("ada",))
    monkeypatch.setattr(faces_data, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="unpacks to"):
        faces_data.read_set(tmp_path / "set" / "labels.npz")


def test_pictures_that_cannot_be_measured_are_left_out_and_counted(tmp_path, perception):
    folder = make_set(tmp_path / "set", ("ada",))
    person = read_person("ada")
    cv2.imwrite(str(folder / "off.png"), person.image[:40, :40])
    cv2.imwrite(str(folder / "large.png"), np.pad(person.image, ((0, 0), (0, 4000), (0, 0))))
    (folder / "broken.png").write_bytes((folder / "ada.png").read_bytes()[:3000])
    (tmp_path / "outside.png").write_bytes((folder / "ada.png").read_bytes())
    names = ["ada.png", "off.png", "large.png", "broken.png", "missing.png", "../outside.png", "..", ""]
    save_labels(folder, names, [person.landmarks] * len(names))
    picture_set = faces_data.read_set(folder / "labels.npz")
    found = faces_looking.measure_set(perception, picture_set, range(len(names)), OFF)
    assert found.left_out == len(names) - 1
    assert len(found.from_labels) == len(found.end_to_end) == 1


def test_clip_labels_come_by_clip_and_frame(tmp_path):
    upper, lower = square_face(), square_face() + np.array([0, 300, 0], np.float32)
    rows = [("a.avi", 0, [upper, lower]), ("a.avi", 5, []), ("intel_asl_x.mkv", 2, [lower, upper])]
    save_clip_labels(tmp_path / "clips.npz", rows)
    labels = faces_data.read_clip_labels(tmp_path / "clips.npz")
    assert [len(faces) for faces in labels["a.avi"].values()] == [2, 0]
    assert labels["a.avi"][0][1] == pytest.approx(lower, abs=1e-3)
    assert labels["intel_asl_x.mkv"][2] == pytest.approx(upper[None], abs=1e-3)
    np.savez(tmp_path / "bad.npz", name=["a"], frame=[0], count=[2], landmarks=np.zeros((1, 478, 3)))
    with pytest.raises(UsageError, match="landmarks"):
        faces_data.read_clip_labels(tmp_path / "bad.npz")


# Looking.


def test_a_narrow_picture_stands_in_the_middle_of_a_wide_one():
    picture = np.full((90, 60, 3), 200, np.uint8)
    frame, left_px = faces_looking.widened(picture)
    assert (frame.width_px, frame.height_px, left_px) == (160, 90, 50)
    assert np.array_equal(frame.planes[0][:, 50:110], picture)
    assert frame.planes[0].sum() == picture.sum()
    frame, left_px = faces_looking.widened(np.zeros((90, 200, 3), np.uint8))
    assert (frame.width_px, left_px) == (200, 0)


def test_bundled_people_are_found_both_ways(tmp_path, perception):
    picture_set = faces_data.read_set(make_set(tmp_path / "set") / "labels.npz")
    report = faces_looking.measure_set(perception, picture_set, [0, 1], OFF).report()
    for figures in (report, report["end_to_end"]):
        assert figures["pictures"] == 2
        assert figures["not_found"] == 0
        assert 0 < figures["nme_percent"] < 4
        assert figures["failure_percent"] == 0
    assert report["recall_percent"] == 100


def test_a_label_without_a_face_counts_as_not_found_and_failed(tmp_path, perception):
    folder = make_set(tmp_path / "set", ("ada",))
    cv2.imwrite(str(folder / "ada.png"), np.full((512, 512, 3), 120, np.uint8))
    found = faces_looking.measure_set(perception, faces_data.read_set(folder / "labels.npz"), [0], OFF)
    assert found.detected == 0
    assert found.report()["end_to_end"]["not_found"] == 1
    assert found.report()["end_to_end"]["failure_percent"] == 100
    assert found.report()["end_to_end"]["nme_percent"] is None
    assert found.report()["not_found"] == 1


def test_a_clip_is_followed_and_compared_at_its_labelled_frames(tmp_path, perception):
    image, landmarks = webcam("ada")
    write_clip(tmp_path / "clips" / "ada.avi", [image] * 6)
    tiny = landmarks.copy()
    tiny[:, :2] *= 0.05
    rows = [("ada.avi", 0, [landmarks, tiny]), ("ada.avi", 5, [landmarks]), ("gone.avi", 0, [landmarks])]
    save_clip_labels(tmp_path / "clips.npz", rows)
    labels = faces_data.read_clip_labels(tmp_path / "clips.npz")
    found = faces_clips.measure_clips(perception, tmp_path, labels, None, OFF)
    assert (found["clips"], found["left_out"], found["frames"], found["faces"]) == (1, 1, 2, 2)
    assert found["recall_percent"] == found["followed_percent"] == 100
    assert found["missed_frames"] == found["shown_frames"] == 0
    assert faces_clips.measure_clips(perception, tmp_path, labels, 3, OFF)["frames"] == 1


def test_a_missed_face_is_held_by_privacy_at_first_and_shown_when_nobody_was_seen_for_long(tmp_path, perception):
    _, landmarks = webcam("ada")
    write_clip(tmp_path / "clips" / "nobody.avi", [np.full((360, 640, 3), 90, np.uint8)] * 40)
    save_clip_labels(tmp_path / "clips.npz", [("nobody.avi", number, [landmarks]) for number in (2, 38)])
    labels = faces_data.read_clip_labels(tmp_path / "clips.npz")
    found = faces_clips.measure_clips(perception, tmp_path, labels, None, OFF)
    assert (found["recall_percent"], found["followed_percent"]) == (0, 0)
    assert (found["missed_frames"], found["shown_frames"]) == (2, 1)


def test_false_faces_are_counted_with_and_without_confirmation(tmp_path, perception):
    image, _ = webcam("emeka")
    (tmp_path / "noface").mkdir()
    cv2.imwrite(str(tmp_path / "noface" / "face.png"), image)
    cv2.imwrite(str(tmp_path / "noface" / "grey.png"), np.full((200, 300, 3), 130, np.uint8))
    (tmp_path / "noface" / "notes.txt").write_text("no picture")
    write_clip(tmp_path / "noface" / "clip.avi", [image] * 3)
    write_clip(tmp_path / "clips" / "noface_b.avi", [np.full_like(image, 60)] * 2)
    write_clip(tmp_path / "clips" / "talk.avi", [image])
    found = faces_clips.measure_faceless(perception, faces_data.find_faceless(tmp_path), None, OFF)
    assert (found["frames"], found["files"], found["left_out"]) == (7, 4, 1)
    assert found["finds"] == found["frames_with_finds"] == 4
    assert found["false_faces"] == found["frames_with_false_faces"] == 4
    assert set(found["by_file"]) == {"face.png", "clip.avi"}


class Painter:
    """A masker that takes the upper half of its patch for face."""

    def mask(self, frame, landmarks):
        masks = np.zeros((len(landmarks), 128, 128), np.float32)
        masks[:, :64] = 1
        return masks, np.array([[[0.25, 0, 0], [0, 0.25, 0]]] * len(landmarks), np.float32)


def test_masks_are_laid_back_over_the_picture_and_compared(tmp_path, perception):
    folder = tmp_path / "parsing" / "any"
    folder.mkdir(parents=True)
    image = webcam("ada", (1024, 576))[0][:, 162:862]  # looked at in the middle of 1024 px again
    classes = np.zeros((576, 700), np.uint8)
    classes[:256, : 512 - 162], classes[:128, : 512 - 162] = 1, 3
    for name, picture in (("a", image), ("b", np.full_like(image, 100))):
        cv2.imwrite(str(folder / f"{name}.png"), picture)
        cv2.imwrite(str(folder / f"{name}_mask.png"), classes)
    cv2.imwrite(str(folder / "c.png"), image)
    cv2.imwrite(str(folder / "c_mask.png"), classes[:50])
    painted = replace(perception, masker=Painter())
    found = faces_looking.measure_masks(painted, faces_data.find_painted(tmp_path), OFF)
    assert (found["pictures"], found["left_out"], found["not_found"]) == (2, 1, 1)
    assert found["iou_mean"] == pytest.approx(0.5, abs=0.02)
    assert found["iou_p10"] == pytest.approx(0.1, abs=0.01)
    assert found["iou_glasses_cover_mean"] == pytest.approx(0.25, abs=0.02)


class Shaky:
    """A landmarker whose points stand one px left and right of their place in turn."""

    def __init__(self, landmarks):
        self.landmarks, self.calls = landmarks, 0

    def look(self, frame, matrices):
        self.calls += 1
        side = np.array([(-1) ** self.calls, 0, 0], np.float32)
        return (self.landmarks + side)[None], np.ones(1, np.float32)


def test_jitter_is_the_rms_distance_from_the_mean(perception, monkeypatch):
    for name, value in {"PEOPLE": 1, "SETTLING": 10, "MEASURED": 20, "STEP_FRAMES": 2}.items():
        monkeypatch.setattr(faces_steadiness, name, value)
    _, landmarks = faces_steadiness.still_person("ada")
    found = faces_steadiness.measure_steadiness(replace(perception, landmarker=Shaky(landmarks)))
    assert found["jitter_px"]["raw"] == pytest.approx(1, abs=0.01)
    assert found["jitter_px"]["smoothed"] < 0.7
    assert found["step_late_frames"]["raw"] == 2


# The whole.


def test_a_sheet_keeps_the_worst_and_never_more_than_it_may(tmp_path):
    sheet, drawn = Sheet(wanted=True), []

    def draw(value):
        drawn.append(value)
        return np.full((240, 240, 3), value, np.uint8)

    for value in reversed(range(200)):
        sheet.add("kind", value, "", lambda value=value: draw(value))
    sheet.write(tmp_path / "sheet.png")
    rows = 2 * (26 + KEPT // 8 * 240)
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture.shape == (rows, 8 * 240, 3)
    assert [picture[100, 120 + 240 * column, 0] for column in range(8)] == list(range(199, 191, -1))
    assert len(drawn) < 100
    OFF.add("kind", 1.0, "", lambda: pytest.fail("a picture was drawn that nobody wants"))
    with pytest.raises(OutputError, match="--sheet"):
        sheet.write(tmp_path)


@pytest.mark.usefixtures("brief")
def test_the_whole_report_of_a_folder(tmp_path):
    data = tmp_path / "data"
    make_set(data / "faces" / "people")
    image, landmarks = webcam("ada")
    (data / "noface").mkdir()
    cv2.imwrite(str(data / "noface" / "grey.png"), np.full((200, 300, 3), 130, np.uint8))
    (data / "noface" / "notes.txt").write_text("no picture")
    parsing = data / "parsing" / "celebamask"
    parsing.mkdir(parents=True)
    cv2.imwrite(str(parsing / "0.png"), image)
    cv2.imwrite(str(parsing / "0_mask.png"), np.ones(image.shape[:2], np.uint8))
    write_clip(data / "clips" / "ada.avi", [image] * 2)
    save_clip_labels(tmp_path / "clips.npz", [("ada.avi", 0, [landmarks])])
    models = tmp_path / "models"
    models.mkdir()
    for name in ("detector.onnx", "landmarker.onnx"):
        shutil.copy(models_dir() / name, models / name)
    save_masker(models / "masker.onnx")
    threads = cv2.getNumThreads()
    wish = Wish(data, tmp_path / "clips.npz", sheet=tmp_path / "s.png", json=tmp_path / "r.json", models=models)
    report = measure(load_preset(), wish)
    write_json(report, tmp_path / "r.json")
    assert cv2.getNumThreads() == threads
    assert json.loads((tmp_path / "r.json").read_text()) == report
    assert report["absent"] == []
    assert report["sets"]["people"]["nme_percent"] == report["nme_percent"]
    assert {"pictures", "median_nme_percent", "p95_nme_percent", "failure_percent", "not_found"} <= report.keys()
    assert report["detection"]["pictures"] == {"faces": 2, "recall_percent": 100, "followed_percent": 100}
    assert report["detection"]["clips"]["faces"] == 1
    assert report["detection"]["noface"]["false_faces"] == 0
    assert 0 < report["mask"]["iou_mean"] < 1
    assert set(report["ms"]) == {"detector", "landmarker", "masker"}
    assert report["ms"]["detector"]["least"] <= report["ms"]["detector"]["median"] <= report["ms"]["detector"]["p99"]
    assert cv2.imread(str(tmp_path / "s.png")) is not None
    text = table(report)
    assert "people" in text
    assert "not measured" not in text
    assert "labelled pictures: 2 faces, found 100.00 %, followed 100.00 %" in text
    assert "clips: 1 faces on 1 frames, found 100.00 %" in text
    assert "no faces: 1 frames, 0 false finds" in text
    assert text.count("left out") == text.count("; 1 left out, --verbose says why") == 1


@pytest.mark.usefixtures("brief")
def test_what_is_missing_is_left_out_with_a_word(tmp_path):
    make_set(tmp_path / "people", ("ada",))
    models = tmp_path / "models"
    models.mkdir()
    for name in ("detector.onnx", "landmarker.onnx"):
        shutil.copy(models_dir() / name, models / name)
    report = measure(load_preset(), Wish(tmp_path, models=models))
    assert "mask" not in report
    assert list(report["detection"]) == ["score", "pictures"]
    assert set(report["ms"]) == {"detector", "landmarker"}
    words = table(report).splitlines()[-3:]
    assert [line.split(": ")[:2] for line in words] == [
        ["not measured", "recall on clips"],
        ["not measured", "false faces"],
        ["not measured", "masks"],
    ]
