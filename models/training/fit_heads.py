"""Find where the 478 landmarks lie on the head model, by asking the teacher: writes head_points.npz.

`python -m models.training.fit_heads views --data DIR --folder F` renders heads from before; `label_made --made F`
labels them; `python -m models.training.fit_heads points --data DIR --folder F --out FILE` takes each landmark back to
the surface.
"""

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from models.training import faces, heads
from models.training.heads import HeadModel, Surface, View
from models.training.patches import CropInfo

log = logging.getLogger(__name__)

VIEWS, SIZE_PX, SEED = 30, 400, 0
NEAR_PX = 6
IRISES = range(faces.MESH_LANDMARKS, faces.LANDMARKS)


def views(model: HeadModel) -> list[tuple[np.ndarray, View]]:
    """Return seeded shapes (V, 3) cm and views: different people who look nearly at the camera."""
    random = np.random.default_rng(SEED)
    result = []
    for _ in range(VIEWS):
        weights = random.normal(0, 0.8, len(model.identity)).clip(-2, 2).astype(np.float32)
        shape = model.neutral + np.tensordot(weights, model.identity.astype(np.float32), axes=1)
        yaw_rad, pitch_rad = np.radians(random.uniform((-12, -5), (12, 8)))
        result.append((shape, View(yaw_rad, pitch_rad, 0.0, 90.0, SIZE_PX / 25, (SIZE_PX * 0.5, SIZE_PX * 0.525))))
    return result


def plain_colours(model: HeadModel) -> np.ndarray:
    """Return (V, 3) BGR: skin, white eyes with brown irises, dark mouth."""
    colours = np.tile(np.float32([150, 170, 210]), (len(model.neutral), 1))
    colours[slice(*heads.MOUTH)], colours[slice(*heads.SOCKETS)] = (30, 20, 60), (30, 20, 60)
    colours[slice(*heads.GUMS)], colours[slice(*heads.TEETH)] = (90, 80, 160), (230, 240, 240)
    for part in (heads.EYE_LEFT, heads.EYE_RIGHT):
        ball = model.neutral[slice(*part)]
        off = ball - ball.mean(axis=0)
        iris = (np.hypot(off[:, 0], off[:, 1]) < 0.62) & (off[:, 2] > 0)
        colours[slice(*part)] = np.where(iris[:, None], (60, 50, 40), (235, 235, 235))
    return colours


def render_views(model: HeadModel) -> np.ndarray:
    """Return (30, 400, 400, 3) uint8 pictures of the views in plain colours, each under its own light."""
    random, colours, pictures = np.random.default_rng(SEED + 1), plain_colours(model), []
    for shape, view in views(model):
        surface = heads.rasterise(heads.project(shape, view), model.triangles, SIZE_PX)
        normals = surface.spread(model.triangles, heads.normals_of(shape, model.triangles) @ heads.turn_of(view).T)
        light = np.array([0.3 * random.normal(0, 0.4), 0.2 + 0.2 * random.normal(0, 0.4), 0.75], np.float32)
        picture = surface.spread(model.triangles, colours) * np.clip(normals @ light, 0.1, 1)[..., None] * 1.1
        picture[surface.triangle < 0] = (120, 130, 110)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return np.stack(pictures)


def hits(model: HeadModel, surface: Surface, landmarks: np.ndarray) -> list[tuple[int, np.ndarray] | None]:
    """Return for each landmark (478, 2 or 3) px the triangle and the corner shares (3,) nearest to it in a view.

    Irises lie on eyeballs, everything else on what is not.
    """
    on_eye = (model.triangles >= heads.EYE_LEFT[0]).all(axis=1)
    found: list[tuple[int, np.ndarray] | None] = []
    for number, (x, y) in enumerate(landmarks[:, :2]):
        top, left = max(round(float(y)) - NEAR_PX, 0), max(round(float(x)) - NEAR_PX, 0)
        window = surface.triangle[top : top + 2 * NEAR_PX + 1, left : left + 2 * NEAR_PX + 1]
        rows, columns = ((window >= 0) & (on_eye[window] == (number in IRISES))).nonzero()
        if not len(rows):
            found.append(None)
            continue
        best = int(((rows + top - y) ** 2 + (columns + left - x) ** 2).argmin())
        place = rows[best] + top, columns[best] + left
        found.append((int(surface.triangle[place]), surface.shares[place]))
    return found


def fit(model: HeadModel, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return corners (478, 3) vertices and shares (478, 3): of each landmark's hits the one in their middle.

    Args: labels (30, 478, 3) px of the views, NaN where the teacher saw none.
    """
    seen: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(faces.LANDMARKS)]
    for (shape, view), landmarks in zip(views(model), labels, strict=True):
        if np.isnan(landmarks[0, 0]):
            continue
        surface = heads.rasterise(heads.project(shape, view), model.triangles, SIZE_PX)
        for number, hit in enumerate(hits(model, surface, landmarks)):
            seen[number] += [hit] if hit is not None else []
    corners, shares, spread_cm = np.empty((faces.LANDMARKS, 3), np.int32), np.empty((faces.LANDMARKS, 3)), []
    for number, found in enumerate(seen):
        triangles, weights = model.triangles[[hit[0] for hit in found]], np.stack([hit[1] for hit in found])
        places = np.einsum("nk,nkc->nc", weights, model.neutral[triangles])
        away_cm = np.linalg.norm(places - np.median(places, axis=0), axis=1)
        corners[number], shares[number] = triangles[away_cm.argmin()], weights[away_cm.argmin()]
        spread_cm.append(np.median(away_cm))
    log.info("spread over the views: median %.2f cm, largest %.2f cm", np.median(spread_cm), max(spread_cm))
    return corners, shares


def main() -> None:
    """Render or fit from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["views", "points"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for the views and their labels")
    parser.add_argument("--out", type=Path, help="file for the points")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model = heads.load_heads(arguments.data / "mesh" / "ict_facekit_light_f16.npz")
    folder = arguments.folder / "patches"
    if arguments.step == "views":
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "crops.npy", render_views(model))
        infos = [asdict(CropInfo(f"view{number}", "profiles", held_out=False)) for number in range(VIEWS)]
        (folder / "infos.json").write_text(json.dumps(infos))
    else:
        corners, shares = fit(model, np.load(folder / "teacher.npy") + faces.LABEL_SHIFT_PX)
        np.savez_compressed(arguments.out, corners=corners, shares=shares.astype(np.float16))


if __name__ == "__main__":
    main()
