"""The same pixel operations on both sides: host.py with OpenCV, device.py with torch (here on the CPU)."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from live.pixels import device, host
from live.pixels.device import VIDEO, Converter, Layout, Sampler
from live.values import Colour, PixelFormat

SIDE = 64
BOX = (10, 6, 57, 49)
"""Of odd size: the slot is wider than the region."""


def scene(height: int = 90, width: int = 120) -> np.ndarray:
    """Something smooth with an edge, as pictures are."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    picture = np.stack([columns * 2, 255 - rows * 2, 60 + (rows + columns)], axis=2)
    cv2.circle(picture, (width // 3, height // 3), 14, (40, 90, 200), -1)
    return cv2.GaussianBlur(np.clip(picture, 0, 255).astype(np.uint8), (0, 0), 1.5)


def frame_of(format: PixelFormat, colour=VIDEO):
    frame = host.bgr_frame(scene(), time_s=0, number=0)
    return host.convert(replace(frame, colour=colour), format)


def slot_of(frame, box, layout):
    """The region of a frame in a slot, as the pipeline lays it."""
    planes = {field.name: np.zeros((1, *field.shape), np.uint8) for field in layout.planes}
    for plane, part in zip(planes.values(), device.parts_of(frame, box)):
        plane[0, : part.shape[0], : part.shape[1]] = part
        plane[0, part.shape[0] :, : part.shape[1]] = part[-1:]
        plane[0, :, part.shape[1] :] = plane[0, :, part.shape[1] - 1 : part.shape[1]]
    return planes


@pytest.mark.parametrize("colour", [VIDEO, Colour("bt709", True)])
@pytest.mark.parametrize("format", list(PixelFormat))
def test_a_region_has_the_same_colours_on_both(format, colour):
    frame = frame_of(format, colour)
    layout = Layout(format, SIDE, frame.colour)
    planes = {name: torch.from_numpy(plane) for name, plane in slot_of(frame, BOX, layout).items()}
    found = Converter(layout).bgr_of(planes)[0].permute(1, 2, 0).numpy()
    expected = host.read_region(frame, BOX)
    difference = np.abs(found[: expected.shape[0], : expected.shape[1]] - expected)
    assert difference.max() <= 3  # a rounded step of chroma is two of blue
    assert difference.mean() < 0.3


@pytest.mark.parametrize("format", list(PixelFormat))
def test_a_face_is_laid_over_the_same_way_on_both_and_the_rest_stays_bit_for_bit(format):
    frame, other = frame_of(format), frame_of(format)
    layout = Layout(format, SIDE, frame.colour)
    planes = slot_of(frame, BOX, layout)
    height, width = BOX[3] - BOX[1], BOX[2] - BOX[0]
    pixels, alpha = np.full((SIDE, SIDE, 3), (30, 200, 90), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(alpha, (24, 20), 12, 255, -1)
    alpha = cv2.blur(alpha, (9, 9))
    laid = Converter(layout).laid(
        {name: torch.from_numpy(plane) for name, plane in planes.items()},
        torch.from_numpy(pixels).permute(2, 0, 1)[None].float(),
        torch.from_numpy(alpha)[None, None].float(),
    )
    before = [plane.copy() for plane in frame.planes]
    for part, plane in zip(device.parts_of(frame, BOX), laid.values()):
        part[...] = plane[0, : part.shape[0], : part.shape[1]].numpy()
    host.paste(other, BOX, pixels[:height, :width], alpha[:height, :width])
    changed = np.zeros((frame.height_px, frame.width_px), np.uint8)
    changed[BOX[1] : BOX[3], BOX[0] : BOX[2]] = alpha[:height, :width]
    changed = cv2.dilate(changed, np.ones((5, 5))) > 0
    for found, expected, bare in zip(frame.planes, other.planes, before):
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= 3  # the host rounds twice
        assert difference.mean() < 0.3
        step = frame.height_px // found.shape[0], frame.width_px // found.shape[1]
        untouched = ~changed[:: step[0], :: step[1]]
        assert np.array_equal(found[untouched], bare[untouched])
        assert not np.array_equal(found, bare)


@pytest.mark.parametrize("scale", [0.1, 0.2, 0.5, 0.9, 2.0])
@pytest.mark.parametrize("turn_deg", [0, 25])
def test_a_patch_is_cut_the_same_way_on_both(scale, turn_deg):
    picture = scene(256, 256)
    matrix = cv2.getRotationMatrix2D((128, 128), turn_deg, scale).astype(np.float32)
    matrix[:, 2] += 24 - 128
    expected = host.cut_patch(host.bgr_frame(picture, time_s=0, number=0), matrix, 48).astype(np.float32)
    slot = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    sampler = Sampler(256, (48,))
    found = sampler.pyramid(slot).cut(device.inverted(torch.from_numpy(matrix)[None]), 48)[0].permute(1, 2, 0).numpy()
    inside = cv2.warpAffine(np.ones((256, 256), np.uint8), matrix, (48, 48)) > 0
    inside = cv2.erode(inside.astype(np.uint8), np.ones((9, 9))) > 0
    assert np.abs(found - expected)[inside].mean() < 0.7


def test_a_patch_goes_back_to_where_it_was_cut():
    picture = torch.from_numpy(scene(128, 128)).permute(2, 0, 1)[None].float()
    matrix = torch.from_numpy(cv2.getRotationMatrix2D((64, 64), 20, 0.9).astype(np.float32))[None]
    sampler = Sampler(128, (128,))
    back = sampler.put_back(sampler.pyramid(picture).cut(device.inverted(matrix), 128), matrix)
    middle = (slice(None), slice(None), slice(40, 88), slice(40, 88))
    assert (back[middle] - picture[middle]).abs().mean() < 2
    assert Sampler(256, ()).put_back(torch.ones(1, 1, 128, 128), matrix)[0, 0, 255, 255] == 0


def test_matrices_are_inverted():
    a, b = torch.randn(2, 5)
    linear = torch.stack([torch.stack([a, -b], dim=1), torch.stack([b, a], dim=1)], dim=1)
    matrix = torch.cat([linear, torch.randn(5, 2, 1)], dim=2)
    there = device.inverted(device.inverted(matrix))
    assert torch.allclose(there, matrix, atol=1e-3)
