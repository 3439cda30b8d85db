"""A head that the tests of engines agree on: landmarks as the canonical face has them, in any pose."""

from __future__ import annotations

import numpy as np

from live.swap.contract import Job
from live.swap.mesh.topology import load_topology
from live.values import SourceFace

IRISES = {468: (33, 133), 473: (362, 263)}
"""Each iris' middle lies between the corners of its eye."""


def landmarks(*, centre=(160.0, 150.0), scale=11.0, yaw_deg=0.0, roll_deg=0.0) -> np.ndarray:
    """(478, 3) px; the face is about 15.5 scales wide."""
    positions = load_topology().positions.astype(np.float64)
    yaw, roll = np.radians([yaw_deg, roll_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    points = np.zeros((478, 3))
    points[:468] = positions @ (tilt @ turn).T * scale
    points[:468] -= points[:468].mean(axis=0)
    points[:468, :2] += centre
    for iris, corners in IRISES.items():
        points[iris : iris + 5] = points[list(corners)].mean(axis=0)
    return points.astype(np.float32)


def picture(height: int = 320, width: int = 320) -> np.ndarray:
    """Smooth colours that no resampling changes by more than a grey level."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [
        120 + 60 * np.sin(x / 61) + 30 * np.cos(y / 47),
        110 + 50 * np.cos(x / 53 + 1) + 40 * np.sin(y / 71),
        130 + 55 * np.sin((x + y) / 83),
    ]
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


def source(key: str = "ada", colour: int = 128) -> SourceFace:
    image = np.clip(picture().astype(int) + colour - 128, 0, 255).astype(np.uint8)
    return SourceFace(key, key, image, landmarks(), "composite")


def job(*, points=None, region=None, track=0, face=None, time_s=0.0, visible=None) -> Job:
    return Job(
        picture() if region is None else region,
        landmarks() if points is None else points,
        track,
        face or source(),
        time_s,
        visible,
    )
