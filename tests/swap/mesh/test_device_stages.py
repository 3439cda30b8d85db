"""Stage by stage: what the device computes is what the host computes."""

import cv2
import numpy as np
import pytest
import torch

from live.swap.mesh import device_draw, device_lens, device_light, device_mask, device_shape, lens, light, mask, shape
from live.swap.mesh.canvas import load_canvas
from live.swap.mesh.device_lens import Area, Lens
from live.swap.mesh.device_tables import load_tables
from live.swap.mesh.pose import facing_of, pose_of
from live.swap.mesh.raster import draw
from live.swap.mesh.topology import LIPS_INNER, load_topology
from tests.swap.mesh.test_engine import head, picture

TOPOLOGY, TABLES = load_topology(), load_tables()


def one(array):
    """A batch of one."""
    return torch.from_numpy(np.ascontiguousarray(array))[None]


def turned(seed):
    """A face turned any way up, with noise, as landmarks (468, 3)."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    points = TOPOLOGY.positions @ turn.T * random.uniform(4, 40) + random.uniform(-100, 600, 3)
    return (points + random.normal(0, 2, points.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_the_pose_is_the_same_any_way_up(seed):
    landmarks = turned(seed)
    if seed == 5:
        landmarks[:, 0] = -landmarks[:, 0]  # a mirror image: no rotation fits well, the best one is asked for
    expected, found = pose_of(landmarks, TOPOLOGY), device_shape.pose_of(one(landmarks), TABLES)
    assert np.allclose(found.rotation[0], expected.rotation, atol=2e-4)
    assert float(found.scale[0]) == pytest.approx(expected.scale, rel=1e-4)
    assert np.allclose(found.centre[0], expected.centre, rtol=1e-3, atol=0.05)
    assert float(found.yaw_deg()[0]) == pytest.approx(expected.yaw_deg, abs=0.05)
    assert float(found.pitch_deg()[0]) == pytest.approx(expected.pitch_deg, abs=0.05)
    facing = device_shape.facing_of(one(landmarks), TABLES, TOPOLOGY.face_triangles)
    assert np.allclose(facing[0], facing_of(landmarks, TOPOLOGY), atol=1e-3)


def test_proportions_and_what_lacks_of_them_are_the_same():
    landmarks, other = head(12)[:468], head()[:468] * np.float32((1.1, 0.9, 1))
    landmarks[[14, 17]] += (0, 3, 0)  # the mouth opens a little
    pose, own = pose_of(landmarks, TOPOLOGY), device_shape.pose_of(one(landmarks), TABLES)
    built = shape.proportions(landmarks, pose, TOPOLOGY)
    wanted = shape.proportions(other, pose_of(other, TOPOLOGY), TOPOLOGY)
    assert np.allclose(device_shape.proportions(one(landmarks), own, TABLES)[0], built, atol=1e-3)
    neutral = float(device_shape.neutrality(one(landmarks), own)[0])
    assert 0.05 < neutral == pytest.approx(shape.neutrality(landmarks, pose), abs=1e-3)
    lack = shape.difference(wanted, built, 0.12)
    found = device_shape.difference(one(wanted), one(built), torch.tensor([0.12]), TABLES)
    assert np.abs(lack).max() > 0.1
    assert np.allclose(found[0], lack, atol=1e-4)
    placed = shape.moved(landmarks, pose, lack)
    assert np.allclose(device_shape.moved(one(landmarks), own, found)[0], placed, atol=0.01)


def test_overlapping_triangles_hide_each_other_as_on_the_host():
    random = np.random.default_rng(4)
    cells = random.uniform(-20, 180, (len(TOPOLOGY.canvas), 2)).astype(np.float32)  # large, crossing, beyond the grid
    keys = random.permutation(len(TOPOLOGY.triangles)).astype(np.int32)
    keys[::7] = -1
    order = np.argsort(keys)[(keys < 0).sum() :].astype(np.int32)
    size = (device_draw.CELLS, device_draw.CELLS)
    expected = draw(cells, TOPOLOGY.triangles, order, size)
    found = device_draw._seen(one(cells), one(keys), TABLES)[0].numpy()
    keys_expected = np.where(expected >= 0, keys[expected], -1)
    assert (found == keys_expected).mean() > 0.999
    assert len(np.unique(found)) > 30


def test_the_skins_colour_is_seen_and_fitted_alike():
    canvas, landmarks = load_canvas(), head(20, 150, (150, 160))
    image = picture(landmarks, size=(320, 300))
    slot = np.zeros((512, 512, 3), np.uint8)
    slot[:320, :300] = image
    extent = torch.tensor([[320.0, 300.0]])
    colours = light.observe(image, landmarks[:468, :2], canvas)
    pixels = one(slot).permute(0, 3, 1, 2).float()
    found = device_light.observe(pixels, extent, one(landmarks[:468, :2]), TABLES)
    assert np.abs(found[0].numpy() - colours).mean() < 0.02
    facing = facing_of(landmarks[:468], TOPOLOGY)
    trust = light.trust_in(facing, canvas)
    assert np.allclose(device_light.trust_in(one(facing), torch.ones(1, 1), TABLES)[0], trust, atol=1e-5)
    skin = light.fit(colours, trust, canvas)
    nothing = torch.zeros(1, *skin.shape)
    begun = torch.tensor([False])
    fitted = device_light.fit(one(colours), one(trust), nothing, begun, TABLES)
    assert np.allclose(fitted[0], skin, atol=1e-3)
    again = device_light.fit(one(colours), one(trust), one(skin + np.float32(0.1)), ~begun, TABLES)
    assert np.allclose(again[0], light.fit(colours, trust, canvas, skin + np.float32(0.1)), atol=1e-3)
    assert float(device_light.depth(one(colours), one(skin), TABLES)[0]) == pytest.approx(
        light.depth(colours, skin, canvas), abs=1e-4
    )
    bare = mask.skin_seen(colours, skin, trust, canvas)
    assert np.allclose(device_mask.skin_seen(one(colours), one(skin), one(trust), TABLES)[0], bare, atol=1e-3)
    other = skin + np.float32((0.2, -0.1, 0.4))
    applied = light.gain(skin, other, canvas, colour=0.4, light=0.7)
    made = device_light.gain(one(skin), one(other), TABLES, colour=torch.tensor(0.4), light=torch.tensor(0.7))[
        0
    ].permute(1, 2, 0)
    assert np.ptp(applied) > 0.1
    assert np.allclose(made, applied, atol=1e-3)


@pytest.mark.parametrize(("px", "blur_px"), [(100, 1.0), (220, 1.7), (400, 3.1)])
@pytest.mark.parametrize("opening", [0.4, 6.0])
def test_eyes_and_mouth_stay_the_targets_as_far_as_on_the_host(px, blur_px, opening):
    landmarks = head(15, px, (255.3, 250.6))[:468]
    rows = landmarks[LIPS_INNER, 1]
    landmarks[LIPS_INNER, 1] = rows.mean() + opening * (rows - rows.mean())
    expected = np.zeros((512, 512), np.uint8)
    rings, closed = mask.eye_rings(landmarks)
    mask.keep(expected, rings, blur_px * (1 + 2 * closed))
    mask.keep(expected, landmarks[None, LIPS_INNER, :2], blur_px)
    wanted = torch.ones(3)
    found = device_mask.kept(one(landmarks), torch.tensor([blur_px]), wanted, 512, TABLES)[0].numpy()
    there = (expected > 0) | (found > 0)
    difference = found[there] - expected[there] / 255
    assert abs(difference.mean()) < 0.03
    assert np.abs(difference).mean() < 0.06
    assert found[20, 20] == 0  # no patch reaches beyond its opening
    none = device_mask.kept(one(landmarks), torch.tensor([blur_px]), torch.tensor([0.0, 0.0, 1.0]), 512, TABLES)
    assert none[0, : int(landmarks[4, 1])].max() == 0


@pytest.mark.parametrize(("blur_px", "grain"), [(0.0, 0.0), (0.0, 5.0), (2.0, 0.0), (1.5, 4.0)])
def test_a_cameras_blur_and_grain_are_told_and_put_on_alike(blur_px, grain):
    random, bench = np.random.default_rng(3), device_lens.bench("cpu")
    worn = np.full((256, 256, 3), 150, np.uint8)
    for _ in range(14):
        centre = tuple(int(v) for v in random.integers(40, 200, 2))
        cv2.ellipse(worn, centre, (22, 9), float(random.uniform(0, 180)), 0, 360, int(random.integers(30, 220)), -1)
    worn = cv2.merge([cv2.GaussianBlur(worn[..., 0], (0, 0), 0.7)] * 3)
    target = cv2.GaussianBlur(worn, (0, 0), blur_px) if blur_px else worn
    target = np.clip(target + random.normal(0, grain, (256, 256, 1)), 0, 255).astype(np.uint8)
    x1, y1, x2, y2 = 10, 20, 250, 240
    opacity = np.zeros((256, 256), np.uint8)
    opacity[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4] = 255
    expected = lens.compare(target[y1:y2, x1:x2], worn[y1:y2, x1:x2], opacity[y1:y2, x1:x2])
    area = Area(torch.tensor([[10.0, 20.0]]), torch.tensor([[250.0, 240.0]]))
    planes = [one(each).permute(0, 3, 1, 2).float() for each in (target, worn)]
    found = device_lens.compare(*planes, one(opacity)[:, None].float(), area, bench)
    assert found.known.all()
    assert float(found.blur_px[0]) == pytest.approx(expected.blur_px, abs=0.05)
    assert float(found.grain[0]) == pytest.approx(expected.grain, abs=0.1)
    shown = lens.apply(worn[y1:y2, x1:x2], expected, 13)
    same = Lens(torch.tensor([expected.blur_px]), torch.tensor([expected.grain]), torch.tensor([True]))
    put_on = device_lens.apply(planes[1], same, torch.tensor([13]), area, bench)[0].permute(1, 2, 0).numpy()
    inner = np.s_[12:-12, 12:-12]  # the host's picture ends at the area's border
    assert np.abs(put_on[y1:y2, x1:x2][inner] - shown[inner]).mean() < 0.5


def test_without_enough_of_the_face_no_lens_is_told():
    bench, picture_ = device_lens.bench("cpu"), torch.zeros(1, 3, 256, 256)
    area = Area(torch.tensor([[10.0, 20.0]]), torch.tensor([[250.0, 240.0]]))
    found = device_lens.compare(picture_, picture_, torch.zeros(1, 1, 256, 256), area, bench)
    known = Lens(torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([True]))
    kept = device_lens.toward(known, found, 0.3, torch.tensor([True]))
    assert not found.known.any()
    assert [float(value[0]) for value in kept] == [1.0, 2.0, 1.0]
