"""A network from the catalogue by both paths: OpenCV and ONNX Runtime on the host, torch (here on the CPU) on the
device."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from live.faces.device_look import Where
from live.faces.masker import patch_matrix
from live.nets.ort_runner import OrtRunner
from live.nets.torch_graph import load_module
from live.pixels.device import Sampler, slot_px
from live.swap.contract import Visible
from live.swap.device.contract import Target, Wanted
from live.swap.device.network import NetworkWear, PatchModule, Restoring
from live.swap.identity import Identities
from live.swap.network import NetworkEngine, NetworkOptions
from live.swap.patches import PatchNetwork
from live.swap.restore import Restorer
from live.values import Quality, Settings
from tests.nets import small
from tests.swap import faces
from tests.swap.test_network import IMAGENET, NORMALISATIONS, entry, pasted

TRACKS = 4


def both(tmp_path, of, options, *, restorer=None, **network):
    """The same network as an engine of the host and as a wear of the device."""
    layout = of.input.normalisation.layout
    path = small.picture_function(tmp_path / of.file, side=of.input.size_px, layout=layout, **network)
    identities = Identities(of)
    on_host = NetworkEngine(PatchNetwork(of, OrtRunner(path, folder=tmp_path)), identities, options)
    restoring = None
    if restorer is not None:
        other = small.picture_function(tmp_path / restorer.file, side=restorer.input.size_px, scale=(0.9, 1.0, 1.1))
        on_host._restorer = Restorer(PatchNetwork(restorer, OrtRunner(other, folder=tmp_path)))
        restoring = Restoring(PatchModule(restorer, load_module(other), ("target",), "cpu"))
    module = PatchModule(of, load_module(path), ("target",), "cpu")
    return on_host, NetworkWear(module, identities, (), options, TRACKS, restoring=restoring)


def target_of(wear, jobs, fresh=True):
    side = max(slot_px(*job.region.shape[1::-1]) for job in jobs)
    count = len(jobs)
    picture, inside = torch.zeros(count, 3, side, side), torch.zeros(count, 1, side, side)
    mask, matrix = torch.ones(count, 128, 128), torch.zeros(count, 2, 3)
    for number, job in enumerate(jobs):
        height, width = job.region.shape[:2]
        picture[number, :, :height, :width] = torch.from_numpy(job.region.copy()).permute(2, 0, 1).float()
        inside[number, :, :height, :width] = 1
        if job.visible is not None:
            visible = job.visible()
            mask[number], matrix[number] = torch.from_numpy(visible.mask), torch.from_numpy(visible.matrix)
    where = Where(
        torch.zeros(count, 2),
        torch.tensor([job.track for job in jobs]),
        torch.full((count,), -1),
        torch.tensor([job.track for job in jobs]),
        torch.full((count,), float(fresh)),
        torch.zeros(count, 478, 3),
        torch.zeros(count),
    )
    extent = torch.tensor([job.region.shape[:2] for job in jobs]).float()
    landmarks = torch.from_numpy(np.stack([job.landmarks for job in jobs])).float()
    masked = any(job.visible is not None for job in jobs)
    pyramid = Sampler(side, wear.patches_px).pyramid(picture)
    return Target(
        picture, pyramid, extent, inside, landmarks, mask, matrix, masked, where, lambda work: work(), lambda: None
    )


def shown(wear, jobs):
    rows = {"shown": np.zeros(len(jobs), np.float32)}
    for number, job in enumerate(jobs):
        wear.fill(rows, number, Wanted(job.source, job.track, job.landmarks, Settings(), 0.0))
    return rows["shown"]


def worn_on_device(wear, jobs, variant="plain", fresh=True):
    with torch.inference_mode():
        dressed = wear(target_of(wear, jobs, fresh), {"shown": torch.from_numpy(shown(wear, jobs))}, variant)
    found = []
    for number, job in enumerate(jobs):
        height, width = job.region.shape[:2]
        alpha = dressed.alpha[number, 0, :height, :width].numpy()
        pixels = dressed.pixels[number].permute(1, 2, 0)[:height, :width].numpy()
        share = alpha[..., None] / 255
        found.append((job.region * (1 - share) + pixels * share, alpha, float(dressed.opacity[number])))
    return found


def assert_alike(job, worn, found, mean=1.0):
    mixed, alpha, opacity = found
    assert opacity == pytest.approx(worn.opacity, abs=0.02)
    changed = (alpha > 0) | (worn.alpha > 0)
    assert changed.mean() > 0.05
    assert np.abs(alpha - worn.alpha)[changed].mean() < 8  # the host fills whole pixels of a patch, some 60 px across
    assert np.abs(mixed - pasted(job, worn))[changed].mean() < mean


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_every_normalisation_comes_out_the_same_on_both(tmp_path, normalisation):
    of = entry(normalisation=NORMALISATIONS[normalisation])
    on_host, on_device = both(tmp_path, of, NetworkOptions(colour=0), scale=(0.6, 0.8, 0.7), offset=(0.1, 0.0, 0.2))
    job = faces.job(track=1, points=faces.landmarks(roll_deg=12, yaw_deg=8))
    (worn,) = on_host.swap([job], Settings())
    (found,) = worn_on_device(on_device, [job])
    assert_alike(job, worn, found)


@pytest.mark.parametrize("template", ["arcface_112_v2", "ffhq_512"])
@pytest.mark.parametrize("yaw_deg", [0, 40, 68])
def test_every_template_and_pose_comes_out_the_same_on_both(tmp_path, template, yaw_deg):
    of = entry(template=template, normalisation=IMAGENET)
    options = NetworkOptions(colour=0.5, reach=0.8, softness=0.08)
    on_host, on_device = both(tmp_path, of, options, scale=(0.6, 0.9, 0.7), offset=(0.2, 0.1, 0.0))
    job = faces.job(track=1, points=faces.landmarks(yaw_deg=yaw_deg))
    (worn,) = on_host.swap([job], Settings())
    (found,) = worn_on_device(on_device, [job])
    assert_alike(job, worn, found, mean=1.5)


def test_tone_follows_over_time_the_same_way_on_both(tmp_path):
    on_host, on_device = both(tmp_path, entry(), NetworkOptions(colour=1.0), scale=(0.6, 0.9, 0.7))
    for number in range(4):
        job = faces.job(track=2, points=faces.landmarks(yaw_deg=4 * number))
        job = type(job)(np.clip(job.region * (1 - 0.1 * number), 0, 255).astype(np.uint8), job.landmarks, 2, job.source)
        (worn,) = on_host.swap([job], Settings())
        (found,) = worn_on_device(on_device, [job], fresh=number == 0)
        assert_alike(job, worn, found, mean=1.5)


def test_what_covers_the_face_stays_in_front_on_both(tmp_path):
    on_host, on_device = both(tmp_path, entry(), NetworkOptions(colour=0), scale=(0.3, 0.3, 0.3))
    job = faces.job(track=1)
    mask = np.ones((128, 128), np.float32)
    mask[70:] = 0
    visible = Visible(mask, patch_matrix(job.landmarks))
    job = type(job)(job.region, job.landmarks, job.track, job.source, visible=lambda: visible)
    (worn,) = on_host.swap([job], Settings())
    (found,) = worn_on_device(on_device, [job])
    assert_alike(job, worn, found)
    assert found[1].sum() < 0.8 * worn_on_device(on_device, [faces.job(track=1)])[0][1].sum()


def test_a_boosted_network_gives_the_same_large_patch_on_both(tmp_path):
    options = NetworkOptions(colour=0, boost=2)
    on_host, on_device = both(tmp_path, entry(side=64), options, scale=(0.6, 0.8, 0.7))
    job = faces.job(track=1)
    (worn,) = on_host.swap([job], Settings())
    (found,) = worn_on_device(on_device, [job])
    assert_alike(job, worn, found)


def test_several_faces_of_a_batch_are_each_what_they_are_alone(tmp_path):
    _, wear = both(tmp_path, entry(), NetworkOptions(colour=0), scale=(0.6, 0.8, 0.7))
    jobs = [faces.job(track=1 + number, points=faces.landmarks(yaw_deg=10 * number)) for number in range(3)]
    together = worn_on_device(wear, jobs)
    for job, (mixed, alpha, _) in zip(jobs, together):
        (alone,) = worn_on_device(wear, [job])
        assert np.abs(mixed - alone[0]).max() < 1  # a level, where rounding falls to the other side
        assert np.abs(mixed - alone[0]).mean() < 0.01
        assert np.abs(alpha - alone[1]).max() <= 1


def test_a_network_that_makes_nothing_of_a_face_proves_nothing(tmp_path):
    _, wear = both(tmp_path, entry(), NetworkOptions(colour=0), scale=(0.0, 0.0, 0.0), offset=(0.5, 0.5, 0.5))
    job = faces.job(track=1)
    ((mixed, alpha, _),) = worn_on_device(wear, [job])
    assert not alpha.any()
    assert np.array_equal(mixed, job.region)


def test_who_is_handed_back_as_he_came_was_not_swapped_on_either(tmp_path):
    on_host, on_device = both(tmp_path, entry(), NetworkOptions(colour=0), scale=(1, 1, 1))
    job = faces.job(track=1)
    (worn,), (found,) = on_host.swap([job], Settings()), worn_on_device(on_device, [job])
    assert worn.opacity == found[2] == 0


def test_whom_the_networks_own_mask_leaves_out_was_not_swapped_on_either(tmp_path):
    of = entry(output={"masks": (1,)})
    on_host, on_device = both(tmp_path, of, NetworkOptions(colour=0), scale=(0.6, 0.6, 0.6), mask=0.05)
    job = faces.job(track=1)
    (worn,), (found,) = on_host.swap([job], Settings()), worn_on_device(on_device, [job])
    assert worn.opacity == found[2] == 0


def test_a_restorer_improves_the_same_pixels_on_both_and_is_laid_on_again_while_the_face_lies_still(tmp_path):
    restorer = entry(name="better", role="restorer", template="ffhq_512")
    on_host, on_device = both(tmp_path, entry(), NetworkOptions(colour=0), restorer=restorer, scale=(0.6, 0.8, 0.7))
    job = faces.job(track=1)
    (worn,) = on_host.swap([job], Settings())
    (found,) = worn_on_device(on_device, [job], "restore")
    assert_alike(job, worn, found, mean=1.5)
    (again,) = worn_on_device(on_device, [job], "plain", fresh=False)
    assert np.abs(again[0] - found[0]).max() < 1.5
    turned = faces.job(track=1, points=faces.landmarks(yaw_deg=15))
    (moved,) = worn_on_device(on_device, [turned], "plain", fresh=False)
    on_host._restorer = None
    (bare,) = on_host.swap([turned], Settings())
    assert_alike(turned, bare, moved, mean=1.5)


def test_the_outline_is_the_hull_of_the_landmarks():
    from live.swap import edges
    from live.swap.device import patch

    points = faces.landmarks(roll_deg=20)[:468, :2].astype(np.float32)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0).max() * 100 + 14
    expected = edges.outline(points, 128, reach=1.0, softness=0.05)
    found = patch.Outline(128, reach=1.0, softness=0.05)(torch.from_numpy(points)[None])[0, 0].numpy()
    assert np.abs(found - expected).mean() < 0.01
    hull = np.zeros((128, 128), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    assert not found[cv2.dilate(hull, np.ones((5, 5))) == 0].any()


def test_the_restorers_cadence_follows_what_time_is_left(tmp_path):
    restorer = entry(name="restorer", role="restorer", template="ffhq_512")
    _, wear = both(tmp_path, entry(), NetworkOptions(colour=0), restorer=restorer)
    cadences = {
        every: [wear.variant(number, Quality(restorer_every=every)) for number in range(8)] for every in (1, 2, 4, 0)
    }
    assert cadences[1] == ["restore"] * 8
    assert cadences[2] == ["restore", "plain"] * 4
    assert cadences[4] == ["restore", "plain", "plain", "plain"] * 2
    assert cadences[0] == ["plain"] * 8
