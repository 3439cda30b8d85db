"""The masker learns from tiny invented data, its covers hide what they paint, and what it exports agrees with torch."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.training import clothes, covers, cutouts, faces, glasses, limbs, locks, mask_labels, masks
from models.training.loop import Loop, LoopConfig
from models.training.masker import LossConfig, export_checkpoint, mask_losses, missing_overlap
from models.training.masker_network import MaskNetwork
from models.training.patches import CROP_PX, CropInfo

LOOP = LoopConfig(
    samples=192, minutes=5, batch=8, learning_rate=1e-2, weight_decay=0.0, seed=1, threads=1, workers=0,
    checkpoint_minutes=5, warmup_steps=2,
)  # fmt: skip
NETWORK = {"fine": 8, "widths": [8, 8, 8, 8], "blocks": [0, 0, 0, 0], "depthwise": 2}
PLAIN_COVERS = (
    covers.thing, covers.stick, covers.microphone, clothes.face_mask, clothes.scarf, clothes.hat, glasses.glasses,
    locks.strands, limbs.drawn_hand,
)  # fmt: skip


def invented_face(middle: float = 120.0, half_px: float = 45.0) -> np.ndarray:
    """Return (478, 3) px landmarks over a face-sized ellipse, its features roughly where features are."""
    random = np.random.default_rng(0)
    angles, radii = random.uniform(0, 2 * np.pi, 478), np.sqrt(random.uniform(0, 0.8, 478))
    unit = np.column_stack([np.cos(angles) * radii * 0.8, np.sin(angles) * radii, 0.1 * radii])
    around = np.linspace(0, 2 * np.pi, len(faces.FACE_OVAL), endpoint=False) - np.pi / 2
    unit[list(faces.FACE_OVAL)] = np.column_stack([0.8 * np.cos(around), np.sin(around), 0 * around])
    places = {33: (-0.5, -0.2), 133: (-0.2, -0.2), 362: (0.2, -0.2), 263: (0.5, -0.2), 145: (-0.35, -0.15)}
    places |= {374: (0.35, -0.15), 1: (0, 0.2), 9: (0, -0.35), 13: (0, 0.5), 14: (0, 0.52), 105: (-0.35, -0.4)}
    places |= {334: (0.35, -0.4), 6: (0, -0.2), 197: (0, -0.1), 195: (0, 0), 5: (0, 0.1), 4: (0, 0.2), 2: (0, 0.3)}
    for number, place in places.items():
        unit[number, :2] = place
    return (unit * half_px + [middle, middle, 0]).astype(np.float32)


def invented_cache() -> masks.MaskCache:
    """Return four crops: a pale ellipse that is the face, on noise."""
    random = np.random.default_rng(0)
    landmarks = invented_face()
    label = mask_labels.filled([landmarks[list(faces.FACE_OVAL), :2]], CROP_PX) * np.uint8(255)
    crops = random.integers(0, 120, (4, CROP_PX, CROP_PX, 3), dtype=np.uint8)
    crops[:, label > 0] = (150, 180, 220)
    corners = np.array([[0, 0], [CROP_PX, 0], [CROP_PX, CROP_PX], [0, CROP_PX]], np.float32)
    hair = np.zeros((1, CROP_PX, CROP_PX, 4), np.uint8)
    hair[0, 60:90, 80:160] = (20, 30, 40, 255)
    return masks.MaskCache(
        crops, np.stack([label] * 4), np.full_like(crops[..., 0], 255), np.stack([landmarks] * 4),
        np.stack([corners] * 4), hair, landmarks[None, :, :2], np.full((1, 128, 128, 4), 200, np.uint8),
        tuple(CropInfo(f"{i}", "generated", held_out=False) for i in range(4)),
    )  # fmt: skip


def invented_patch() -> covers.Patch:
    """Return one uncovered patch."""
    dataset = invented_dataset()
    matrix = faces.square_matrix(*masks.mask_square(dataset.cache.landmarks[0]), masks.SIDE_PX)
    return dataset.cut(np.random.default_rng(0), 0, matrix)


def invented_dataset() -> masks.MaskDataset:
    """Return samples of the invented cache; the mirror permutation only swaps the eyes."""
    mirror = np.arange(478)
    mirror[[33, 263, 133, 362]] = [263, 33, 362, 133]
    return masks.MaskDataset(invented_cache(), np.full(4, 0.25), mirror, seed=1)


class TinyMaskTask:
    """A mask task over the invented cache."""

    def __init__(self):
        torch.manual_seed(0)
        self.dataset = invented_dataset()
        self.network = MaskNetwork(**NETWORK)

    def loss(self, network, batch):
        """See loop.Task."""
        patch, label, trust = batch
        return mask_losses(network(patch), label.float() / 255, trust.float() / 255, LossConfig(2.0, 0.5))

    def validate(self, network):
        """See loop.Task."""
        return {"still": 1.0}


def batch_loss(task, network) -> float:
    """Return the loss of a network on the first eight samples."""
    parts = zip(*(task.dataset[number] for number in range(8)), strict=True)
    with torch.no_grad():
        losses = task.loss(network.train(), [torch.from_numpy(np.stack(part)) for part in parts])
    return float(sum(losses.values()))


def test_masker_learns_continues_and_exports_its_checkpoint(tmp_path: Path):
    task = TinyMaskTask()
    before = batch_loss(task, task.network)
    Loop(task, LOOP, tmp_path).run()
    assert batch_loss(task, task.network) < 0.85 * before
    assert Loop(TinyMaskTask(), LOOP, tmp_path).progress.samples == LOOP.samples
    export_checkpoint(tmp_path, {"network": NETWORK})  # raises if it does not agree with torch
    session = onnxruntime.InferenceSession(str(tmp_path / "masker.onnx"), providers=["CPUExecutionProvider"])
    (mask,) = session.run(None, {"patch": np.zeros((3, 128, 128, 3), np.uint8)})
    assert mask.shape == (3, 128, 128)
    assert ((mask >= 0) & (mask <= 1)).all()


def test_samples_are_the_same_for_the_same_number():
    dataset = invented_dataset()
    for number in range(12):
        for first, second in zip(dataset[number], dataset[number], strict=True):
            np.testing.assert_array_equal(first, second)


def test_unknown_pixels_teach_nothing():
    logits, label = torch.randn(2, 16, 16), torch.zeros(2, 16, 16)
    trust = torch.ones(2, 16, 16)
    trust[:, :8] = 0
    other = logits.clone()
    other[:, :8] += 5
    config = LossConfig(2.0, 0.5)
    for name, value in mask_losses(logits, label, trust, config).items():
        assert float(value) == pytest.approx(float(mask_losses(other, label, trust, config)[name]), abs=1e-6), name


def test_missing_overlap_counts_only_trusted_pixels():
    found, label = np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool)
    found[0, :2], label[0, :1] = True, True
    assert missing_overlap(found, label, np.ones_like(label))[0] == pytest.approx(0.5)
    trust = np.ones_like(label)
    trust[0, 1] = False
    assert missing_overlap(found, label, trust)[0] == 0


@pytest.mark.parametrize("make", PLAIN_COVERS, ids=lambda make: make.__name__)
def test_a_cover_hides_where_it_paints_and_leaves_the_rest(make):
    patch, hidden = invented_patch(), 0.0
    for seed in range(12):
        random = np.random.default_rng(seed)
        cover = make(random, patch)
        assert cover.picture.shape == (128, 128, 3)
        assert (cover.opacity >= 0).all()
        assert (cover.opacity <= 1.001).all()
        assert (cover.hides <= cover.opacity.max() + 1e-3).all()
        laid = covers.lay(random, patch, cover)
        assert laid.image.dtype == np.uint8
        away = cover.opacity == 0
        assert (cover.hides[away] == 0).all()
        assert (laid.face <= patch.face + 1e-6).all()
        hidden += float((patch.face - laid.face).sum())
    assert hidden > 12 * 5  # on average it hides something


def test_clear_glasses_hide_only_their_frame():
    patch = invented_patch()
    shares = [glasses.lenses(np.random.default_rng(seed), np.ones((128, 128), np.float32)) for seed in range(40)]
    hiding = [bool(hides.any()) for _, _, hides in shares]
    assert any(hiding)
    assert not all(hiding)
    drawn, glass = glasses.frame(np.random.default_rng(1), patch)
    assert drawn.any()
    assert glass.any()


def test_wigs_and_cut_out_hands_hide_what_they_paint():
    patch, cache = invented_patch(), invented_cache()
    wig = locks.wig(np.random.default_rng(0), patch, cache.hair, cache.hair_landmarks)
    hand = limbs.real_hand(np.random.default_rng(0), patch, cache.hands)
    for cover in (wig, hand):
        assert cover.hides.max() > 0.7
        np.testing.assert_array_equal(cover.hides, cover.opacity)


def test_labels_are_cleaned_by_the_outline():
    landmarks = invented_face()
    crop = np.full((CROP_PX, CROP_PX, 3), 128, np.uint8)
    opinion = mask_labels.filled([landmarks[list(faces.FACE_OVAL), :2]], CROP_PX).astype(np.float32)
    x, y = np.round(landmarks[1, :2]).astype(int)
    opinion[y - 3 : y + 3, x - 3 : x + 3] = 0  # a hole
    opinion[5:60, 5:60] = 1  # somebody else's face
    label, weight = mask_labels.clean(opinion, crop, landmarks)
    assert label[y, x] == 255
    assert label[30, 30] == 0
    assert (weight == 255).all()  # a plain grey crop wears no glasses


def test_level_bars_across_the_nose_and_under_the_eyes_pass_for_glasses():
    landmarks, crop = invented_face(), np.full((CROP_PX, CROP_PX, 3), 160, np.uint8)
    random = np.random.default_rng(0)
    crop = np.clip(crop + random.normal(0, 1, crop.shape), 0, 255).astype(np.uint8)
    bare = mask_labels.glasses_strength(crop, landmarks)
    for number in (145, 374):
        x, y = np.round(landmarks[number, :2]).astype(int)
        crop[y + 6 : y + 9, x - 14 : x + 14] = 10
    x, y = np.round(landmarks[6, :2]).astype(int)
    crop[y : y + 3, x - 10 : x + 10] = 10
    assert bare < mask_labels.GLASSES_FROM < mask_labels.glasses_strength(crop, landmarks)


def test_what_passes_before_a_clips_faces_is_strange():
    crops = np.full((5, CROP_PX, CROP_PX, 3), 150, np.uint8)
    crops[2, 100:140, 100:140] = 20
    found = masks.strange(crops)
    assert found[2, 120, 120]
    assert found[2].mean() < 0.1
    assert not found[[0, 1, 3, 4]].any()


def test_hair_is_cut_out_where_it_grows_above_the_face():
    landmarks = invented_face()
    crop = np.full((CROP_PX, CROP_PX, 3), (200, 205, 210), np.uint8)
    label = mask_labels.filled([landmarks[list(faces.FACE_OVAL), :2]], CROP_PX) * np.uint8(255)
    crop[45:110, 75:165] = (25, 25, 30)
    crop[label > 0] = (140, 170, 215)
    corners = np.array([[0, 0], [CROP_PX, 0], [CROP_PX, CROP_PX], [0, CROP_PX]], np.float32)
    hair = cutouts.hair_of(crop, label, landmarks, corners)
    assert hair is not None
    assert hair[60, 120, 3] > 200
    assert hair[200, 120, 3] == 0
    assert hair[120, 120, 3] == 0


def test_a_hand_that_moves_beside_the_face_is_cut_out():
    landmarks = invented_face()
    frames = [np.full((CROP_PX, CROP_PX, 3), (60, 90, 60), np.uint8) for _ in range(5)]
    oval = np.round(landmarks[list(faces.FACE_OVAL), :2]).astype(np.int32)
    import cv2

    for frame in frames:
        cv2.fillConvexPoly(frame, oval, (140, 170, 215))
    frames[1][180:230, 20:70] = (140, 170, 215)
    rows = [faces.Labelled("clip/0", frame, landmarks[None], held_out=False) for frame in frames]
    hands = cutouts.hands_of(rows)
    assert hands.shape == (1, 128, 128, 4)
    assert hands[0, 64, 64, 3] == 255
    assert len(cutouts.hands_of([])) == 0
