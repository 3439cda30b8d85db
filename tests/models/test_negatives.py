"""What the trainings see without a face is drawn whole, and faces that are taken away are gone."""

import numpy as np
import pytest

from models.training import crops, erasing, faceless, faces, negatives, patches, scenes, surfaces, things, thumbnails
from models.training.stock import Scene, SceneStock


@pytest.mark.parametrize("maker", [maker for _, maker in things.MAKERS], ids=lambda maker: maker.__name__)
def test_every_thing_is_drawn_and_has_an_outline(maker):
    for seed in range(4):
        thing = maker(np.random.default_rng(seed))
        assert thing.shape == (things.SIDE_PX, things.SIDE_PX, 4)
        assert thing.dtype == np.uint8
        assert 0.02 < (thing[..., 3] > 127).mean() < 0.999
        assert thing[..., :3][thing[..., 3] > 127].std() > 1


@pytest.mark.parametrize("maker", surfaces.SURFACES, ids=lambda maker: maker.__name__)
def test_every_surface_fills_any_size(maker):
    for height_px, width_px in ((24, 24), (96, 160)):
        picture = maker(np.random.default_rng(1), height_px, width_px)
        assert picture.shape == (height_px, width_px, 3)
        assert picture.dtype == np.uint8


def picture_with_face() -> tuple[np.ndarray, np.ndarray]:
    """Return grey noise with one magenta disc, and points on the disc: nothing else is magenta."""
    random = np.random.default_rng(0)
    image = np.repeat(random.integers(90, 140, (160, 240, 1), dtype=np.uint8), 3, axis=2)
    y, x = np.mgrid[:160, :240]
    image[np.hypot(x - 120, y - 70) < 30] = (255, 0, 255)
    angles = np.linspace(0, 2 * np.pi, 60)
    return image, np.stack([120 + 30 * np.cos(angles), 70 + 30 * np.sin(angles)], axis=1)


def test_a_face_that_is_erased_is_gone_and_the_rest_stays():
    image, points = picture_with_face()
    grey = np.full((50, 50, 3), 60, np.uint8)
    for seed in range(20):
        result = erasing.without_faces(np.random.default_rng(seed), image, points[None], [grey], [])
        magenta = (result[..., 0].astype(int) - result[..., 1]) > 120
        assert magenta.mean() < 0.002
        assert (result[140:, :60] == image[140:, :60]).all()


def test_the_hole_is_filled_with_texture_and_not_smoothed_over():
    image, points = picture_with_face()
    for seed in range(10):
        random = np.random.default_rng(seed)
        hole = erasing.head_mask(random, image.shape, points, 1.2)
        filling = erasing.patchwork(random, image, hole, hole)
        assert filling[hole > 0].std() > 0.7 * image[hole == 0].std()


def stock() -> SceneStock:
    """Return a stock whose faces are magenta, and whose negatives are not."""
    image, points = picture_with_face()
    spread = np.concatenate([np.repeat(points, 8, axis=0)[: faces.MESH_LANDMARKS], points[:5]]).astype(np.float32)
    scene = Scene(image, spread[None], complete=True)
    random = np.random.default_rng(0)
    drawn = tuple(np.dstack([np.full((128, 128, 3), 30, np.uint8), things.coin(random)[..., 3]]) for _ in range(3))
    return SceneStock((scene,), (scene,), negatives.Negatives((np.full((80, 120, 3), 70, np.uint8),), drawn))


def test_a_good_share_of_the_scenes_shows_nobody():
    dataset = scenes.SceneDataset(stock(), seed=1)
    empty = [bool(np.isnan(dataset[number][1]).all()) for number in range(120)]
    assert 0.3 < np.mean(empty) < 0.5


def test_things_lie_beside_faces_and_not_on_them():
    composer = scenes.Composer(stock(), np.random.default_rng(2))
    angles = np.linspace(0, 2 * np.pi, 473)
    composer.found = [np.stack([160 + 50 * np.cos(angles), 96 + 50 * np.sin(angles)], axis=1).astype(np.float32)]
    thumbnail = np.full((thumbnails.HEIGHT_PX, thumbnails.WIDTH_PX, 3), 200, np.uint8)
    composer.strew(thumbnail, 60)
    x, y = np.round(composer.found[0]).astype(int).T
    assert (thumbnail[y, x, 0] < 100).mean() < 60 * scenes.MOST_HIDDEN / 4
    assert (thumbnail[..., 0] < 100).mean() > 0.05


def test_negatives_come_back_as_they_were_saved(tmp_path):
    made = stock().negatives
    negatives.save(made, tmp_path / "folder" / "negatives.npz")
    again = negatives.load(tmp_path / "folder" / "negatives.npz")
    for ours, theirs in ((made.pictures, again.pictures), (made.things, again.things)):
        assert len(ours) == len(theirs)
        assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


def test_faceless_patches_come_from_what_was_mined_and_from_things():
    mined = np.full((2, faceless.KEPT_PX, faceless.KEPT_PX, 3), 255, np.uint8)
    source = faceless.FacelessPatches(stock().negatives, mined)
    drawn = [source.draw(np.random.default_rng(seed)) for seed in range(60)]
    assert all(patch.shape == (patches.PATCH_PX, patches.PATCH_PX, 3) for patch in drawn)
    share = np.mean([patch.min() == 255 for patch in drawn])
    assert 0.35 < share < 0.85


def invented_profile(yaw_rad: float) -> np.ndarray:
    """Return (478, 3) px of a flat face turned sideways."""
    random = np.random.default_rng(3)
    points = random.uniform(-1, 1, (478, 3)) * (60, 80, 5)
    points[234], points[454] = (-60, 0, 0), (60, 0, 0)
    x, z = points[:, 0] * np.cos(yaw_rad), points[:, 0] * np.sin(yaw_rad)
    return np.stack([x + 120, points[:, 1] + 120, z], axis=1).astype(np.float32)


def test_the_teacher_is_believed_where_it_sees_and_not_on_profiles():
    near, far, lost = invented_profile(0.3), invented_profile(1.3), invented_profile(0.3)
    exact = np.stack([near, far, lost, near])
    teacher = exact + np.float32(2.0)
    teacher[2] = np.nan
    teacher[3] += 40
    merged = patches.taught(exact, teacher)
    np.testing.assert_allclose(merged[0], teacher[0], atol=1e-3)
    np.testing.assert_allclose(merged[1:], exact[1:], atol=1e-3)


def test_turned_crops_have_their_depth_about_zero():
    random = np.random.default_rng(0)
    points = invented_profile(0.0)
    picture, turned = crops.turned_crop(
        random, np.zeros((240, 240, 3), np.uint8), points, random.integers(0, 468, (9, 3))
    )
    assert picture.shape == (240, 240, 3)
    assert abs(turned[:, 2].mean()) < 1e-3
