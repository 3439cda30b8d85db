from __future__ import annotations

import cv2
import numpy as np
import pytest

from live.errors import ModelError
from live.faces import masker as module
from live.faces.masker import SIDE_PX, SIDES, Masker, Steady, patch_matrix
from live.pixels import host
from live.resources import models_dir
from live.values import Frame, PixelFormat

MODEL = models_dir() / "masker.onnx"


def face(degrees: float = 0.0, at: tuple[float, float] = (200.0, 150.0)) -> np.ndarray:
    """Invented landmarks (478, 3): a face 80 px wide and 100 px high, turned in the picture."""
    points = np.random.default_rng(0).uniform((-40, -50, 0), (40, 50, 1), (478, 3))
    points[33, :2], points[263, :2] = (-30, -10), (30, -10)
    points[:2, :2] = (-40, -50), (40, 50)
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return (points @ rotation + [*at, 0]).astype(np.float32)


def grey(format: PixelFormat = PixelFormat.BGR) -> Frame:
    return host.convert(host.bgr_frame(np.full((300, 400, 3), 128, np.uint8), time_s=0, number=0), format)


class Fixed:
    """A network that answers with what it was given, and remembers what it was asked."""

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers = list(answers)
        self.asked: list[np.ndarray] = []

    def run(self, patch: np.ndarray) -> list[np.ndarray]:
        self.asked.append(patch)
        return [self.answers.pop(0)]


def masker_with(monkeypatch: pytest.MonkeyPatch, network: Fixed) -> Masker:
    monkeypatch.setattr(module, "Network", lambda *_, **__: network)
    return Masker(MODEL)


@pytest.mark.parametrize("degrees", [0, 30, -45, 170])
def test_the_patch_is_upright_and_holds_the_face_with_its_forehead(degrees: float) -> None:
    points = face(degrees)
    matrix = patch_matrix(points)
    inside = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes = inside[263] - inside[33]
    assert eyes[0] > 0
    assert abs(eyes[1]) < 1e-3
    low, high = inside[:468].min(axis=0), inside[:468].max(axis=0)
    size = (high - low).max()
    assert size == pytest.approx(SIDE_PX / SIDES, rel=1e-3)
    assert (low[0] + high[0]) / 2 == pytest.approx(SIDE_PX / 2 - 0.5, abs=0.01)
    assert low[1] > 0.24 * size  # room for a forehead, measured from the mesh's top
    assert SIDE_PX - high[1] > 0.15 * size


def test_the_patch_is_the_one_the_network_was_trained_on() -> None:
    masks = pytest.importorskip("models.training.masks", reason="needs the training packages")
    from models.training import faces

    for degrees in (0, 25, -160):
        points = face(degrees)
        assert patch_matrix(points) == pytest.approx(faces.square_matrix(*masks.mask_square(points), SIDE_PX), abs=2e-3)


def test_points_on_one_spot_give_a_finite_patch() -> None:
    assert np.isfinite(patch_matrix(np.zeros((478, 3), np.float32))).all()


def test_all_faces_of_a_frame_are_masked_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.stack([np.full((SIDE_PX, SIDE_PX), share, np.float32) for share in (0.1, 0.2, 0.3)])
    network = Fixed(answer)
    landmarks = np.stack([face(at=(x, 150)) for x in (100, 200, 300)])
    found, matrices = masker_with(monkeypatch, network).mask(grey(), landmarks)
    assert [patch.shape for patch in network.asked] == [(3, SIDE_PX, SIDE_PX, 3)]
    np.testing.assert_array_equal(found, answer)
    np.testing.assert_array_equal(matrices, np.stack([patch_matrix(points) for points in landmarks]))


def test_no_face_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Fixed()
    found, matrices = masker_with(monkeypatch, network).mask(grey(), np.zeros((0, 478, 3), np.float32))
    assert found.shape == (0, SIDE_PX, SIDE_PX)
    assert matrices.shape == (0, 2, 3)
    assert network.asked == []


def test_a_mask_that_is_not_finite_covers_everything_and_spares_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.full((2, SIDE_PX, SIDE_PX), 0.25, np.float32)
    answer[0, 3, 4] = np.nan
    found, _ = masker_with(monkeypatch, Fixed(answer)).mask(grey(), np.stack([face()] * 2))
    assert (found[0] == 1).all()
    assert (found[1] == 0.25).all()


@pytest.mark.parametrize("format", [PixelFormat.BGR, PixelFormat.NV12, PixelFormat.YUYV, PixelFormat.GRAY])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_embedded_network_takes_any_number_of_faces_of_any_format(format: PixelFormat, count: int) -> None:
    landmarks = np.stack([face(at=(x, 150)) for x in (100, 200, 390)])[:count]
    found, matrices = Masker(MODEL).mask(grey(format), landmarks)
    assert found.shape == (count, SIDE_PX, SIDE_PX)
    assert matrices.shape == (count, 2, 3)
    assert found.dtype == matrices.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


def test_the_embedded_network_sees_a_face_and_what_hides_it(data) -> None:
    from models.training import faces

    labels = np.load(data / "faces" / "generated" / "labels.npz", allow_pickle=False)
    name = next(str(name) for name in labels["name"] if faces.is_held_out(str(name)))
    picture = cv2.imread(str(data / "faces" / "generated" / name))
    row = labels["name"].tolist().index(name)
    points = labels["landmarks"][row].astype(np.float32) / faces.LABEL_FRACTION
    nose, chin, cheek = (np.round(points[i, :2]).astype(int) for i in (1, 152, 50))
    masks = []
    for covered in (False, True):
        if covered:  # a blue card over the lower face
            cv2.rectangle(picture, (0, int(nose[1])), (255, int(chin[1]) + 20), (160, 60, 20), -1)
        mask, matrix = Masker(MODEL).mask(host.bgr_frame(picture, time_s=0, number=0), points[None])
        size = picture.shape[1::-1]
        masks.append(cv2.warpAffine(mask[0], matrix[0], size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
    lower = slice(int(nose[1]) + 8, int(chin[1]) - 6), slice(int(cheek[0]), int(nose[0]))
    assert masks[0][lower].mean() > 0.9
    assert masks[1][lower].mean() < 0.1
    assert masks[1][int(points[9, 1]), int(points[9, 0])] > 0.9  # between the brows
    assert masks[0][:5].max() < 0.1


def constant(value: float) -> np.ndarray:
    return np.full((1, SIDE_PX, SIDE_PX), value, np.float32)


def test_flicker_shrinks_and_large_changes_pass_at_once() -> None:
    steady = Steady(0.6)
    assert (steady.smooth([7], constant(0.9)) == np.float32(0.9)).all()
    little = steady.smooth([7], constant(0.8))
    assert 0.85 < float(little.mean()) < 0.9
    much = steady.smooth([7], constant(0.0))
    assert float(much.mean()) < 0.1  # a hand comes: the face may not show through for long


def test_a_still_mask_is_reached_and_kept() -> None:
    steady = Steady(0.9)
    for _ in range(60):
        last = steady.smooth([1], constant(0.5))
    np.testing.assert_allclose(last, 0.5, atol=1e-5)


def test_tracks_do_not_mix_and_begin_anew_after_a_gap() -> None:
    steady = Steady(0.6)
    steady.smooth([1, 2], np.concatenate([constant(0.0), constant(1.0)]))
    swapped = steady.smooth([2, 1], np.concatenate([constant(1.0), constant(0.0)]))
    assert swapped[:, 0, 0].tolist() == [1.0, 0.0]
    steady.smooth([2], constant(1.0))
    again = steady.smooth([2, 1], np.concatenate([constant(1.0), constant(0.3)]))
    assert again[1, 0, 0] == np.float32(0.3)  # track 1 was away: nothing of its old mask is left
    assert steady.smooth([], np.zeros((0, SIDE_PX, SIDE_PX), np.float32)).shape == (0, SIDE_PX, SIDE_PX)


def test_smoothing_leaves_its_input_alone_and_can_be_turned_off() -> None:
    steady, given = Steady(0.6), constant(0.4)
    steady.smooth([1], constant(0.5))
    steady.smooth([1], given)
    assert (given == np.float32(0.4)).all()
    off = Steady(0.0)
    off.smooth([1], constant(0.5))
    assert (off.smooth([1], given) == given).all()
    with pytest.raises(ValueError, match="strength 1"):
        Steady(1)


def test_a_missing_broken_or_foreign_model_gives_one_clear_line(tmp_path) -> None:
    broken = tmp_path / "masker.onnx"
    with pytest.raises(ModelError, match="no model file"):
        Masker(broken)
    broken.write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"masker\.onnx is no whole ONNX file") as raised:
        Masker(broken)
    assert "\n" not in str(raised.value)
    with pytest.raises(ModelError, match="another network"):
        Masker(models_dir() / "landmarker.onnx")
