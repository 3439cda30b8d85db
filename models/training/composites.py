"""Make the bundled people: averages of many generated faces, nobody's likeness.

    python -m models.training.composites --data DIR --out models/people

Per person: choose 36-48 generated faces that look alike (same publisher's label, closed mouth, near-frontal, similar
hair), bring each onto the mean of their 478 landmarks by a piecewise affine warp, bring hair and outline together by
optical flow towards the running average, average, give back the fine texture that averaging loses, and put the result
before one soft grey backdrop. The landmarks are the mean shape itself. Everything is seeded: the same data give the
same people. Knows nothing about the program that wears them.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial import Delaunay

from models.training.faces import FACE_OVAL, LABEL_FRACTION, MESH_LANDMARKS
from models.training.portrait_finish import LUMA, before_backdrop, matte, restore_texture
from models.training.recipes import RECIPES, SOURCE_PX, Recipe, choose, read_generated

SIZE_PX = 512
HEADROOM_PX = 14  # the generated pictures cut hair tightly; the person is moved down by this
FLOW_LIMIT_PX = 8.0  # of the 256 px flow: hair differs by more, and then it should stay blurred
CARD = """# Bundled people

People who do not exist: each picture is the average of many generated faces, so it is nobody's likeness. They are
there to try the program with (`live --face ada`), and animated they are the demo person (`live --input demo:ada`).

| file | what |
|---|---|
| `NAME.webp` | 512 x 512 colour picture before a grey backdrop, and the person's matte as alpha |
| `people.npz` | `name` (N,), `landmarks` (N, 478, 3) int16: px x 64 of that picture, MediaPipe's topology |

Made by `python -m models.training.composites --data DIR` (seeded) from the data set *hmdghoul/generated-faces* at
commit 59ccdc22: pictures of adults made by a generator, none of a person; 478 landmarks per picture by MediaPipe's
face mesh.
**Its publisher states no licence.** What is taken from it here are averages of dozens of pictures, not any of them.
The landmarks are the mean of the averaged faces' landmarks, onto which every face was warped before averaging.

| person | the publisher's own label of the faces | faces averaged |
|---|---|---|
{rows}

Limits: young to middle-aged adults, frontal, mouth closed, even light, no glasses; regular features, as averages have.
The names are chosen freely and say nothing about anybody.
"""


def similarity(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return the (2, 3) least-squares similarity that takes points (N, 2) to points (N, 2) (Umeyama 1991)."""
    a, b = start - start.mean(axis=0), goal - goal.mean(axis=0)
    cosine, sine = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    linear = np.array([[cosine, -sine], [sine, cosine]]) / (a**2).sum()
    return np.column_stack([linear, goal.mean(axis=0) - linear @ start.mean(axis=0)])


def mean_shape(faces: np.ndarray) -> np.ndarray:
    """Return the (478, 3) px mean of faces (N, 478, 3) after similarity alignment, in the 512 px picture."""
    mean = faces[:, :, :2].mean(axis=0)
    for _ in range(3):
        aligned = faces.copy()
        for face in aligned:
            matrix = similarity(face[:MESH_LANDMARKS, :2], mean[:MESH_LANDMARKS])
            face[:, 2] *= np.sqrt(np.linalg.det(matrix[:, :2]))
            face[:, :2] = face[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        mean = aligned.mean(axis=0)[:, :2]
    shape = aligned.mean(axis=0) * (SIZE_PX / SOURCE_PX)
    shape[:, :2] += 0.5  # pixel centres: twice as large puts 0 at 0.5
    shape[:, 1] += HEADROOM_PX
    return shape


def control_points(face: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Return a face's landmarks, a ring outside its oval (hair, ears) and the picture's border: (P, 2) px."""
    centre, oval = face[:MESH_LANDMARKS, :2].mean(axis=0), face[list(FACE_OVAL), :2]
    return np.concatenate([face[:, :2], centre + (oval - centre) * 1.45, border])


def warp_maps(mean: np.ndarray, faces: np.ndarray) -> list[np.ndarray]:
    """Return per face the (512, 512, 2) float32 map from the mean shape's picture into the face's own."""
    line, low, high = np.linspace(0, SIZE_PX - 1, 9), np.zeros(9), np.full(9, SIZE_PX - 1.0)
    border = np.concatenate([np.stack(pair, 1) for pair in ((line, low), (line, high), (low, line), (high, line))])
    triangles = Delaunay(control_points(mean, border))
    pixels = np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1).reshape(-1, 2).astype(float)
    found = np.maximum(triangles.find_simplex(pixels), 0)
    frames = triangles.transform[found]
    weights = np.einsum("nij,nj->ni", frames[:, :2], pixels - frames[:, 2])
    weights = np.column_stack([weights, 1 - weights.sum(axis=1)])
    maps = []
    for face in faces:
        matrix = similarity(mean[:MESH_LANDMARKS, :2], face[:MESH_LANDMARKS, :2])
        points = control_points(face, border @ matrix[:, :2].T + matrix[:, 2])
        where = np.einsum("nk,nkd->nd", weights, points[triangles.simplices[found]])
        maps.append(where.reshape(SIZE_PX, SIZE_PX, 2).astype(np.float32))
    return maps


def middle_mean(stack: np.ndarray) -> np.ndarray:
    """Average the middle half by brightness, pixel by pixel: (N, H, W, 3) -> (H, W, 3) float32; hair keeps an edge."""
    order = np.argsort(stack @ LUMA, axis=0)[len(stack) // 4 : len(stack) - len(stack) // 4]
    return np.take_along_axis(stack, order[..., None], axis=0).astype(np.float32).mean(axis=0)


def _warped(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Look a picture up; above it is its own backdrop (hair that it cuts must not be drawn out upwards)."""
    corners = np.concatenate([image[:24, :24], image[:24, -24:]]).reshape(-1, 3)
    framed = cv2.copyMakeBorder(image, 24, 0, 0, 0, cv2.BORDER_CONSTANT, value=np.median(corners, axis=0).tolist())
    return cv2.remap(framed, where + np.float32((0, 24)), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def average(images: list[np.ndarray], maps: list[np.ndarray], rounds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Warp, let flow bring outlines together, and average; the mean flow is taken out, so the mean shape stays.

    Returns: the average (512, 512, 3) float32 BGR and the warped faces (N, 512, 512, 3) uint8.
    """
    flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grid = np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1).astype(np.float32)

    def warp() -> np.ndarray:
        return np.stack([_warped(image, where) for image, where in zip(images, maps)])

    half = (SIZE_PX // 2, SIZE_PX // 2)
    for _ in range(rounds):
        stack = warp()
        goal = cv2.cvtColor(cv2.resize(np.uint8(middle_mean(stack)), half), cv2.COLOR_BGR2GRAY)
        flows = []
        for image in stack:
            grey = cv2.cvtColor(cv2.resize(image, half, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
            flow = cv2.GaussianBlur(flow_of.calc(goal, grey, None), (0, 0), 2.5)
            length = np.linalg.norm(flow, axis=-1, keepdims=True)
            flow *= np.minimum(1, FLOW_LIMIT_PX / np.maximum(length, 1e-3))
            flows.append(2 * cv2.resize(flow, (SIZE_PX, SIZE_PX)))
        common = np.mean(flows, axis=0)
        maps = [cv2.remap(m, grid + f - common, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for m, f in zip(maps, flows)]  # fmt: skip
    stack = warp()
    return middle_mean(stack), stack


def make(recipe: Recipe, folder: Path, names: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Make one person from candidates: (512, 512, 4) uint8 BGR + matte, landmarks (478, 3) px, number of faces."""
    images = [cv2.imread(str(folder / str(name)), cv2.IMREAD_COLOR) for name in names]
    chosen = choose(recipe, images, faces)
    shape = mean_shape(faces[chosen])
    mean, stack = average([images[i] for i in chosen], warp_maps(shape, faces[chosen]))
    mean = restore_texture(mean, stack, seed=RECIPES.index(recipe))
    alpha = matte(np.uint8(np.clip(mean, 0, 255)), shape, HEADROOM_PX)
    picture = before_backdrop(mean, alpha)
    return np.dstack([picture, np.uint8(np.rint(alpha * 255))]), shape, len(chosen)


def write_card(out: Path, made: list[tuple[str, str, int]]) -> None:
    """Write people.md, the card: what the pictures are made from and what that means."""
    rows = "\n".join(f"| {name} | {folder} | {count} |" for name, folder, count in made)
    out.with_suffix(".md").write_text(CARD.format(rows=rows), encoding="utf-8")


def main() -> None:
    """Make every person of RECIPES and write pictures, landmarks and card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with faces/generated")
    parser.add_argument("--out", type=Path, default=Path("models/people"))
    parser.add_argument("--only", nargs="*", help="make only these, leave people.npz and the card alone")
    options = parser.parse_args()
    folder = options.data / "faces" / "generated"
    names, faces, folders = read_generated(folder)
    options.out.mkdir(parents=True, exist_ok=True)
    shapes, made = [], []
    for recipe in RECIPES:
        if options.only and recipe.name not in options.only:
            continue
        own = folders == recipe.folder
        picture, shape, count = make(recipe, folder, names[own], faces[own])
        image = Image.fromarray(np.ascontiguousarray(picture[..., [2, 1, 0, 3]]))
        image.save(options.out / f"{recipe.name}.webp", quality=92, alpha_quality=80, method=6, exact=True)
        shapes.append(np.int16(np.rint(shape * LABEL_FRACTION)))
        made.append((recipe.name, recipe.folder, count))
        print(f"{recipe.name}: {count} of {own.sum()} {recipe.folder}", flush=True)
    if not options.only:
        np.savez_compressed(options.out / "people.npz", name=np.array([m[0] for m in made]), landmarks=np.stack(shapes))
        write_card(options.out, made)


if __name__ == "__main__":
    main()
