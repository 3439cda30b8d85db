import cv2
import numpy as np
import pytest

from live.swap.contract import Job
from live.swap.mesh import MeshEngine, MeshOptions, lens
from live.swap.mesh.lens import Lens
from live.values import Settings
from tests.swap.mesh.test_engine import head, picture, source_face


@pytest.fixture
def portrait():
    """Edges of many directions on plain ground, as soft as a good camera's: (260, 240, 3)."""
    grey = np.full((260, 240), 150, np.uint8)
    random = np.random.default_rng(3)
    for _ in range(14):
        centre = tuple(int(v) for v in random.integers(40, 200, 2))
        cv2.ellipse(grey, centre, (22, 9), float(random.uniform(0, 180)), 0, 360, int(random.integers(30, 220)), -1)
    return cv2.merge([cv2.GaussianBlur(grey, (0, 0), 0.7)] * 3)


def worn_everywhere(image):
    return np.full(image.shape[:2], 255, np.uint8)


def test_a_picture_lacks_nothing_of_itself(portrait):
    assert lens.compare(portrait, portrait, worn_everywhere(portrait)) == Lens(0, 0)


@pytest.mark.parametrize("blur_px", [1.2, 2.0])
def test_a_softer_camera_is_told_by_its_edges(portrait, blur_px):
    found = lens.compare(cv2.GaussianBlur(portrait, (0, 0), blur_px), portrait, worn_everywhere(portrait))
    assert blur_px / 2 < found.blur_px < 1.2 * blur_px
    assert found.grain < 0.8


def test_a_crisper_camera_sharpens_nothing(portrait):
    soft = cv2.GaussianBlur(portrait, (0, 0), 2)
    assert lens.compare(portrait, soft, worn_everywhere(portrait)).blur_px == 0


@pytest.mark.parametrize("grain", [2.0, 6.0])
def test_grain_is_measured_and_put_on_as_strong_and_moves(portrait, grain):
    noise = np.random.default_rng(7).normal(0, grain, portrait.shape[:2])[..., None]
    found = lens.compare(np.clip(portrait + noise, 0, 255).astype(np.uint8), portrait, worn_everywhere(portrait))
    assert found.blur_px < 0.4
    one, other = (lens.apply(portrait, found, number).astype(float) for number in (1, 2))
    assert (one - portrait).std() == pytest.approx(grain, rel=0.35)
    assert np.corrcoef((one - portrait).ravel(), (other - portrait).ravel())[0, 1] < 0.1


def test_without_edges_no_blur_is_told(portrait):
    assert lens.compare(np.full_like(portrait, 120), portrait, worn_everywhere(portrait)).blur_px == 0


def test_where_next_to_nothing_is_worn_nothing_is_said(portrait):
    assert lens.compare(portrait, portrait, np.zeros(portrait.shape[:2], np.uint8)) is None
    assert lens.compare(portrait[:9, :9], portrait[:9, :9], worn_everywhere(portrait)[:9, :9]) is None


@pytest.mark.parametrize("wanted", [True, False])
def test_the_worn_face_gets_the_cameras_grain_when_asked(wanted):
    engine, source, landmarks = MeshEngine(MeshOptions(lens=wanted)), source_face(), head()
    engine.prepare(source)
    noise = np.random.default_rng(7).normal(0, 7, (420, 400, 1))
    image = np.clip(picture(landmarks) + noise, 0, 255).astype(np.uint8)
    (worn,) = engine.swap([Job(image, landmarks, 1, source)], Settings(source=source, shape=0))
    cheek = worn.pixels[235:265, 140:165].astype(float)
    fine = cheek - cv2.GaussianBlur(cheek, (0, 0), 1)
    assert (fine.std() > 2.5) == wanted
