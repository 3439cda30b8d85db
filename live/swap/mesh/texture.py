"""A source face as a texture on the canonical canvas: seen once, cleaned up, worn many times.

Runs when a source face is prepared, not in the frame path. Knows one picture with its landmarks; knows nothing about
targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from live.swap.mesh import light, raster
from live.swap.mesh.canvas import GRID, Canvas, features, hair_zone, outline_depth, ramp
from live.swap.mesh.pose import facing_of, pose_of
from live.swap.mesh.shape import mouth_opening, proportions
from live.swap.mesh.topology import VERTICES, load_topology
from live.values import Floats, Pixels, SourceFace

SIZE_PX = 640
"""Side of the texture: its middle then has the detail of a face about 500 px wide."""
_LEVELS = 4
_SEEN = (0.2, 0.5)  # cosine to the camera below which a place is filled from the other side of the face
_EVEN = 0.85  # how much of the light's left-right difference is taken out
_HAIR_DARKER = (0.2, 0.4)  # log units against the skin around
_HAIR_BRIGHTER = (0.35, 0.6)
_HAIR_TINT = (0.13, 0.26)
_LOPSIDED = (0.3, 0.5)  # against the other side of the face, after its light was evened out
_GROW_PX = 9
_BEARD = (1.0, 3.0)  # canonical units below the eyes: from the nose down darkness may be a beard, and stays
_CALM = 0.15  # log units of shading that an evenly lit face has beside its smooth colour
_FINE_PX = 3.0  # sigma below which detail counts as the skin's grain


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """What is worn."""

    levels: tuple[Pixels, ...]
    """(SIZE, SIZE, 4) BGR and 255 (remap of 4 channels takes 0.8 ms where 3 take 1.3), and halved: small faces take a
    small one, or it would shimmer."""
    skin: Floats
    """(K, 3) its smooth colour, coefficients of the canvas's basis."""
    plain: Floats
    """(GRID, GRID, 3) BGR 0..255: the same as colours."""
    depth: float
    """Of pupils and nostrils below the skin, log units."""
    proportions: Floats
    """(468, 3) canonical units."""
    opening: float
    """Of the mouth, height by width."""


def make_texture(source: SourceFace, canvas: Canvas) -> Texture:
    """Turn a source face into a texture."""
    # 1) the picture at about the texture's resolution, and the picture on the canvas
    landmarks = source.landmarks[:VERTICES].astype(np.float32)
    scale = min(1.0, SIZE_PX * 0.8 / max(1.0, float(np.ptp(landmarks[:, 0]))))
    picture = (
        cv2.resize(source.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else source.image
    )
    points = (landmarks[:, :2] + 0.5) * scale - 0.5
    pixels, seen = _unwrap(picture, points, canvas), _visible(landmarks, canvas)
    # 2) its smooth colour; the darker side lifted, the side that was not seen taken from the other
    facing = facing_of(landmarks, canvas.topology)
    colours = light.observe(picture, points, canvas)
    skin = light.fit(colours, light.trust_in(facing, canvas), canvas)
    depth = light.depth(colours, skin, canvas)
    pixels, skin = _evened(pixels, seen, skin, canvas)
    pixels = _softened(pixels, skin, canvas)
    # 3) no hair, and skin up to and beyond the outline
    pixels = _without_hair(pixels, skin, canvas)
    levels = [cv2.cvtColor(np.clip(pixels, 0, 255).astype(np.uint8), cv2.COLOR_BGR2BGRA)]
    for _ in range(1, _LEVELS):
        side = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA))
    built = proportions(landmarks, pose_of(landmarks, canvas.topology), canvas.topology)
    plain: Floats = np.clip(np.exp(_field(skin, canvas)) - light.OFFSET, 0, 255)
    return Texture(tuple(levels), skin, plain, depth, built, mouth_opening(landmarks))


def _unwrap(picture: Pixels, points: Floats, canvas: Canvas) -> Floats:
    """Draw the picture (H, W, 3) with mesh points (468, 2) onto the canvas: (SIZE, SIZE, 3) float32."""
    topology = canvas.topology
    place = (topology.canvas * SIZE_PX - 0.5).astype(np.float32)
    order = np.arange(len(topology.triangles), dtype=np.int32)
    seen = raster.draw(place, topology.triangles, order, (SIZE_PX, SIZE_PX))
    functions = raster.planes(place, topology.with_ring(points), topology.triangles)
    at = raster.fill(seen, functions)
    unwrapped: Floats = cv2.remap(picture, at[0], at[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(
        np.float32
    )
    return unwrapped


def _visible(landmarks: Floats, canvas: Canvas) -> Floats:
    """Return (SIZE, SIZE) 0..1: how well each place was seen."""
    cosine = facing_of(landmarks, canvas.topology)[canvas.triangle][:, None]
    smooth = cv2.GaussianBlur(canvas.spread(cosine), (0, 0), 1.5)
    seen: Floats = cv2.resize(ramp(smooth, *_SEEN), (SIZE_PX, SIZE_PX))
    return seen


def _evened(pixels: Floats, seen: Floats, skin: Floats, canvas: Canvas) -> tuple[Floats, Floats]:
    """Even out light from the side and fill what was not seen from the other side.

    Returns: the texture (SIZE, SIZE, 3) and its new smooth colour (K, 3).
    """
    field = _field(skin, canvas)
    odd = (field - field[:, ::-1]) / 2 * _EVEN
    level = _upscaled(np.exp(-odd))
    own = pixels * level
    other = own[:, ::-1] * _upscaled(np.exp((field - odd) - (field - odd)[:, ::-1]))
    weight = np.maximum(seen, 1 - seen[:, ::-1])[..., None]  # seen on neither side: its own
    weight = cv2.GaussianBlur(weight, (0, 0), SIZE_PX / 100)[..., None]
    mixed = own * weight + other * (1 - weight)
    flat: Floats = (field - odd).reshape(GRID * GRID, 3)[canvas.cells].astype(np.float32)
    return mixed, light.fit(flat, np.ones(len(flat), np.float32), canvas)


def _softened(pixels: Floats, skin: Floats, canvas: Canvas) -> Floats:
    """Take back hard shadows and highlights above the mouth to what an evenly lit face has; others pass unchanged."""
    upper = 1 - ramp(canvas.topology.positions[:, 1], *_BEARD)
    plain = cv2.resize(canvas.spread(canvas.skin[:, None]), (SIZE_PX, SIZE_PX)) * (outline_depth(SIZE_PX) > 0)
    plain *= _spread_vertices(upper, canvas)
    off = (np.log(pixels.clip(0) + light.OFFSET) - _field_of(skin, canvas)).mean(axis=2)
    amount = _wide_blur(plain, SIZE_PX / 40)
    off = _wide_blur(off.clip(-1, 1) * plain, SIZE_PX / 40) / np.maximum(amount, 0.02)
    middle = plain * (1 - _spread_vertices(hair_zone(canvas.topology), canvas))
    spread = float(np.sqrt((off * off * middle).sum() / middle.sum()))
    excess = max(0.0, 1 - _CALM / max(spread, 1e-3))
    return pixels * np.exp(-excess * off * ramp(amount, 0.02, 0.2))[..., None]


def _without_hair(pixels: Floats, skin: Floats, canvas: Canvas) -> Floats:
    """Replace what is not skin at forehead, temples and sides, and everything beyond the outline.

    By the other side of the face where that is skin (so a covered brow gets its twin), else by skin from around.
    """
    expected = np.exp(_field_of(skin, canvas))
    depth = outline_depth(SIZE_PX)
    smooth = np.log(cv2.GaussianBlur(pixels, (0, 0), SIZE_PX / 200) + light.OFFSET)
    zone = _spread_vertices(hair_zone(canvas.topology), canvas)
    drawn = features(SIZE_PX, grow=0.012)
    unlike = _unlike(smooth - np.log(expected), _HAIR_DARKER, _HAIR_BRIGHTER, _HAIR_TINT) * zone * (1 - drawn)
    lopsided = _unlike(smooth - smooth[:, ::-1], _LOPSIDED, (9, 10), _LOPSIDED) * np.maximum(
        zone, drawn * _above_eyes()
    )
    alien = _grown(np.maximum(unlike, lopsided), _GROW_PX)
    twin = alien[:, ::-1]
    beyond = cv2.GaussianBlur(1 - ramp(depth, 0.004, 0.016), (0, 0), SIZE_PX / 128)
    to_twin = cv2.GaussianBlur(alien * (1 - twin), (0, 0), SIZE_PX / 128)[..., None]
    mixed = pixels * (1 - to_twin) + pixels[:, ::-1] * to_twin
    bad = np.maximum(cv2.GaussianBlur(np.minimum(alien, twin), (0, 0), SIZE_PX / 128), beyond)[..., None]
    ratio = _poured((mixed + light.OFFSET) / expected, np.clip(1 - 1.5 * bad, 0, 1) * (depth > 0)[..., None])
    filled = np.clip(expected * ratio - light.OFFSET + _grain(pixels), 0, 255)
    skin_only: Floats = (mixed * (1 - bad) + filled * bad).astype(np.float32)
    return skin_only


def _unlike(
    off: Floats, darker: tuple[float, float], brighter: tuple[float, float], tint: tuple[float, float]
) -> Floats:
    """Return 0..1 how much logarithmic differences (H, W, 3) speak against skin; doubt grows from a pair's first."""
    tone = off.mean(axis=2)
    tinted = np.abs(off - tone[..., None]).max(axis=2)
    return np.maximum(np.maximum(ramp(-tone, *darker), ramp(tone, *brighter)), ramp(tinted, *tint))


def _grown(mask: Floats, reach_px: int) -> Floats:
    """Close small gaps, drop specks, and grow what is left by reach_px."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    clean = cv2.morphologyEx((mask * 255).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    grown = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach_px + 1, 2 * reach_px + 1))
    closed: Floats = np.clip(cv2.dilate(clean, grown).astype(np.float32) * (1.5 / 255), 0, 1).astype(np.float32)
    return closed


def _above_eyes() -> Floats:
    """Return (SIZE, 1): 1 above the middle of the eyes' upper lids, where a covered brow may be mended."""
    upper = (load_topology().canvas[159, 1] - 0.02) * SIZE_PX
    above: Floats = (np.arange(SIZE_PX, dtype=np.float32)[:, None] < upper).astype(np.float32)
    return above


def _poured(values: Floats, weight: Floats) -> Floats:
    """Continue values (H, W, K) into where weight (H, W, 1) is 0: of blurs of growing width the finest that knows."""
    result, known = np.ones_like(values), np.zeros_like(weight)
    for share in (6, 12, 24, 48, 96):
        sigma = SIZE_PX / share
        amount = _wide_blur(weight, sigma)[..., None]
        here = _wide_blur(values * weight, sigma) / np.maximum(amount, np.float32(1e-4))
        known = ramp(amount, 0.02, 0.25)
        result += known * (here - result)
    return result


def _wide_blur(values: Floats, sigma: float) -> Floats:
    """Gaussian blur, done at a quarter of the size: only for smooth results."""
    small = cv2.resize(values, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide: Floats = cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), values.shape[1::-1])
    return wide


def _grain(pixels: Floats) -> Floats:
    """Return noise (SIZE, SIZE, 3) like the fine detail of the cheeks."""
    fine = pixels - cv2.GaussianBlur(pixels, (0, 0), _FINE_PX)
    row, column = slice(int(SIZE_PX * 0.5), int(SIZE_PX * 0.6)), slice(int(SIZE_PX * 0.25), int(SIZE_PX * 0.35))
    strength = float(np.median(np.abs(fine[row, column]))) * 1.5
    noise = np.random.default_rng(0).standard_normal((SIZE_PX, SIZE_PX, 1)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.0)[..., None] / 0.28
    grain: Floats = (noise * min(strength, 4.0)).astype(np.float32)
    return grain


def _field(skin: Floats, canvas: Canvas) -> Floats:
    """Return the smooth logarithmic colour (GRID, GRID, 3) of coefficients (K, 3)."""
    return (canvas.basis_everywhere @ skin).reshape(GRID, GRID, 3)


def _field_of(skin: Floats, canvas: Canvas) -> Floats:
    """Return the same at the texture's size, (SIZE, SIZE, 3)."""
    return _upscaled(_field(skin, canvas))


def _upscaled(grid: Floats) -> Floats:
    """Resize a grid (GRID, GRID, K) to the texture."""
    full: Floats = cv2.resize(cv2.GaussianBlur(grid, (0, 0), 1.0), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
    return full


def _spread_vertices(values: Floats, canvas: Canvas) -> Floats:
    """Interpolate values (468,) of the vertices over the texture, continued beyond the face: (SIZE, SIZE)."""
    cells = np.einsum("mc,mc->m", values[canvas.corners], canvas.weights)[:, None]
    spread: Floats = cv2.resize(canvas.spread(cells), (SIZE_PX, SIZE_PX))
    return spread
