import subprocess
import sys

import cv2
import numpy as np
import pytest

from live.swap.contract import Job, Visible
from live.swap.mesh import MeshEngine, MeshOptions
from live.swap.mesh.topology import EYE_LEFT, EYE_RIGHT, LIPS_OUTER, load_topology
from live.values import FULL, Quality, Settings, SourceFace

FACE_PX = 220


def head(yaw_deg=0.0, face_px=FACE_PX, middle=(200.0, 210.0)):
    """Landmarks of the canonical face, turned and placed; the irises lie in the eyes."""
    topology = load_topology()
    yaw = np.radians(yaw_deg)
    turn = np.array(((np.cos(yaw), 0, np.sin(yaw)), (0, 1, 0), (-np.sin(yaw), 0, np.cos(yaw))))
    points = topology.positions @ turn.T * face_px / np.ptp(topology.positions[:, 0])
    points[:, :2] += middle
    irises = np.repeat(np.stack([points[list(EYE_LEFT)].mean(0), points[list(EYE_RIGHT)].mean(0)]), 5, axis=0)
    return np.concatenate([points, irises]).astype(np.float32)


def picture(landmarks, skin=(120, 150, 200), size=(420, 400), seed=1):
    """A face of plain skin with darker brows, eyes and lips on a noisy background."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 255, (*size, 3), dtype=np.uint8)
    hull = cv2.convexHull(landmarks[:468, :2].copy()).astype(np.int32)
    cv2.fillConvexPoly(image, hull, skin)
    for ring, colour in ((EYE_LEFT, (240, 240, 240)), (EYE_RIGHT, (240, 240, 240))):
        cv2.fillPoly(image, [landmarks[list(ring), :2].astype(np.int32)], colour)
    return cv2.GaussianBlur(image, (0, 0), 1.2)


def source_face(skin=(120, 150, 200), key="a"):
    landmarks = head()
    return SourceFace(key, key, picture(landmarks, skin, seed=2), landmarks, "composite")


def swapped(engine, image, landmarks, source, *, track=1, shape=0.0, strength=1.0):
    settings = Settings(source=source, shape=shape, strength=strength)
    return engine.swap([Job(image, landmarks, track, source)], settings)[0]


def composited(image, worn):
    share = worn.alpha[..., None].astype(np.float32) / 255
    return image * (1 - share) + worn.pixels * share


@pytest.fixture(scope="module")
def engine():
    made = MeshEngine()
    made.prepare(source_face())
    made.prepare(source_face((60, 80, 110), "dark"))
    return made


@pytest.fixture(autouse=True)
def _fresh_tracks(request):
    yield
    if "engine" in request.fixturenames:
        for track in (1, 2):
            request.getfixturevalue("engine").forget(track)


@pytest.mark.parametrize("shape", [0.0, 1.0])
def test_nothing_outside_the_face_is_touched(engine, shape):
    landmarks = head()
    image = picture(landmarks)
    before = image.copy()
    worn = swapped(engine, image, landmarks, source_face((60, 80, 110), "dark"), shape=shape)
    far = cv2.pointPolygonTest(cv2.convexHull(landmarks[:468, :2].copy()), (5.0, 5.0), True)
    assert far < 0
    outside = np.ones(image.shape[:2], np.uint8)
    grown = (landmarks[:468, :2] - landmarks[:468, :2].mean(0)) * 1.3 + landmarks[:468, :2].mean(0)
    cv2.fillConvexPoly(outside, cv2.convexHull(grown).astype(np.int32), 0)
    assert worn.alpha[outside > 0].max() == 0
    assert worn.alpha.max() == 255
    assert worn.pixels.shape == image.shape
    assert worn.alpha.shape == image.shape[:2]
    assert np.array_equal(image, before)


def test_a_face_wearing_itself_looks_the_same():
    exact = MeshEngine(MeshOptions(colour=0.0, light=1.0))
    face = source_face()
    worn = swapped(exact, face.image, face.landmarks, face)
    error = np.abs(composited(face.image, worn) - face.image)[worn.alpha > 0]
    assert error.mean() < 3
    assert np.percentile(error, 95) < 12


def test_the_source_face_arrives(engine):
    landmarks = head()
    image = picture(landmarks)
    worn = swapped(engine, image, landmarks, source_face((60, 80, 110), "dark"))
    middle = worn.pixels[worn.alpha == 255].mean()
    assert middle < image[worn.alpha == 255].mean() - 15  # darker, but led towards the target's skin
    assert middle > 60


def test_a_turned_head_shows_no_far_side():
    landmarks = head(40)
    texture_half = MeshEngine()
    face = source_face()
    image = face.image.copy()
    image[:, : int(face.landmarks[1, 0])] = (30, 30, 220)  # one half of the source is red
    image[:, int(face.landmarks[1, 0]) :] = (220, 60, 30)  # the other is blue
    two = SourceFace("two", "two", image, face.landmarks, "composite")
    texture_half.prepare(two)
    # the halves would be evened out as light and filled from each other: put the colours into the texture itself
    prepared = texture_half._textures["two"]
    for level in prepared.levels:
        side = level.shape[1]
        level[:, : side // 2, :3], level[:, side // 2 :, :3] = (30, 30, 220), (220, 60, 30)
    worn = swapped(texture_half, picture(landmarks), landmarks, two)
    ridge = landmarks[[10, 168, 6, 1, 0, 152], :2]
    seen = (worn.alpha > 200) & (np.abs(worn.pixels[..., 0].astype(int) - worn.pixels[..., 2]) > 30)
    rows, columns = np.nonzero(seen)
    red = worn.pixels[rows, columns, 2] > worn.pixels[rows, columns, 0]
    border = np.interp(rows, ridge[:, 1], ridge[:, 0])
    clear = np.abs(columns - border) > 25  # beside the nose, whose silhouette may hide either side
    side = columns < border
    assert (red == side)[clear].mean() > 0.97
    # the near half is wide, the far half narrow: nothing of it is smeared beyond the silhouette
    silhouette = cv2.convexHull(landmarks[:468, :2].copy())
    mask = np.zeros(worn.alpha.shape, np.uint8)
    cv2.fillConvexPoly(mask, silhouette.astype(np.int32), 1)
    assert worn.alpha[cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0].max() == 0


def test_the_targets_own_eyes_stay_bit_for_bit(engine):
    landmarks = head()
    image = picture(landmarks)
    random = np.random.default_rng(5)
    eyes = np.zeros(image.shape[:2], np.uint8)
    for ring in (EYE_LEFT, EYE_RIGHT):
        cv2.fillPoly(eyes, [landmarks[list(ring), :2].astype(np.int32)], 1)
    eyes = cv2.erode(eyes, np.ones((3, 3), np.uint8))
    image[eyes > 0] = random.integers(0, 255, (int(eyes.sum()), 3), dtype=np.uint8)
    worn = swapped(engine, image, landmarks, source_face((60, 80, 110), "dark"))
    assert eyes.sum() > 100
    assert worn.alpha[eyes > 0].max() == 0
    given_away = MeshEngine(MeshOptions(keep_eyes=False))
    assert swapped(given_away, image, landmarks, source_face()).alpha[eyes > 0].min() > 200


def test_two_tracks_do_not_share_their_light(engine):
    landmarks, source = head(), source_face()
    bright, dim = picture(landmarks), (picture(landmarks) * 0.4).astype(np.uint8)
    alone = swapped(engine, bright, landmarks, source, track=1)
    for _ in range(3):
        swapped(engine, dim, landmarks, source, track=2)
    together = swapped(engine, bright, landmarks, source, track=1)
    assert np.abs(alone.pixels.astype(int) - together.pixels)[alone.alpha > 0].mean() < 1


def test_a_forgotten_track_starts_anew(engine):
    landmarks, source = head(), source_face()
    first = swapped(engine, picture(landmarks), landmarks, source)
    for _ in range(5):
        swapped(engine, picture(landmarks, (90, 120, 180)), landmarks, source)
    engine.forget(1)
    engine.forget(77)
    again = swapped(engine, picture(landmarks), landmarks, source)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.alpha, again.alpha)


@pytest.mark.parametrize("fault", ["nan", "infinite", "equal", "shape", "tiny"])
def test_useless_landmarks_are_refused(engine, fault):
    landmarks = head()
    if fault == "nan":
        landmarks[17, 1] = np.nan
    elif fault == "infinite":
        landmarks[400, 2] = np.inf
    elif fault == "equal":
        landmarks[:] = landmarks[0]
    elif fault == "tiny":
        landmarks = landmarks * 0.01
    else:
        landmarks = landmarks[:100]
    with pytest.raises(ValueError, match="landmarks"):
        swapped(engine, picture(head()), landmarks, source_face())


@pytest.mark.parametrize("middle", [(5000.0, 210.0), (-5000.0, -5000.0), (1e7, 0.0)])
@pytest.mark.parametrize("shape", [0.0, 1.0])
def test_a_face_outside_its_region_is_refused(engine, middle, shape):
    with pytest.raises(ValueError, match="outside"):
        swapped(engine, picture(head()), head(middle=middle), source_face(), shape=shape)


@pytest.mark.parametrize("shape", [0.0, 0.7])
@pytest.mark.parametrize("middle", [(20.0, 210.0), (390.0, 30.0), (200.0, 410.0)])
def test_a_face_partly_outside_the_picture_is_worn_where_it_is_seen(engine, middle, shape):
    whole, landmarks = picture(head()), head(middle=middle)
    worn = swapped(engine, whole, landmarks, source_face(), shape=shape)
    inside = (
        (landmarks[:468, 0] > 10) & (landmarks[:468, 0] < 390) & (landmarks[:468, 1] > 10) & (landmarks[:468, 1] < 410)
    )
    points = landmarks[:468][inside].astype(int)
    assert (worn.alpha[points[:, 1], points[:, 0]] > 100).mean() > 0.4


def test_black_and_white_pictures_do_not_break_the_arithmetic(engine):
    for level in (0, 255):
        image = np.full((420, 400, 3), level, np.uint8)
        worn = swapped(engine, image, head(), source_face(), shape=0.5)
        assert worn.pixels.dtype == np.uint8
        assert worn.alpha.max() > 0
        engine.forget(1)


def test_a_dark_scene_stays_dark(engine):
    landmarks = head()
    image = (picture(landmarks) * 0.12).astype(np.uint8)
    worn = swapped(engine, image, landmarks, source_face())
    inside = worn.alpha > 200
    assert worn.pixels[inside].mean() < 2.2 * image[inside].mean() + 6


def test_a_black_and_white_picture_stays_so(engine):
    landmarks = head()
    image = cv2.cvtColor(cv2.cvtColor(picture(landmarks), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    worn = swapped(engine, image, landmarks, source_face((60, 80, 110), "dark"))
    assert np.ptp(worn.pixels[worn.alpha > 0].astype(int), axis=1).max() <= 2


def test_a_hazy_picture_gets_a_hazy_face(engine):
    landmarks = head()
    clear = picture(landmarks)
    for ring in (EYE_LEFT, EYE_RIGHT, LIPS_OUTER):
        cv2.fillPoly(clear, [landmarks[list(ring), :2].astype(np.int32)], (20, 20, 30))
    crisp = SourceFace("crisp", "crisp", clear, landmarks, "composite")
    hazy = cv2.addWeighted(clear, 0.25, np.full_like(clear, 150), 0.75, 0)
    lips = np.zeros(clear.shape[:2], np.uint8)
    cv2.fillPoly(lips, [landmarks[list(LIPS_OUTER), :2].astype(np.int32)], 1)
    lips = cv2.erode(lips, np.ones((3, 3), np.uint8)) > 0
    keep_nothing = MeshEngine(MeshOptions(keep_mouth=False))

    def contrast(image, track):
        worn = swapped(keep_nothing, image, landmarks, crisp, track=track)
        return worn.pixels[worn.alpha > 200].mean() / worn.pixels[lips].mean()

    assert contrast(hazy, 1) < 0.75 * contrast(clear, 2)


@pytest.mark.parametrize("shape", [0.0, 0.5])
def test_the_region_may_lie_anywhere(engine, shape):
    landmarks = head()
    image = picture(landmarks, seed=4)
    source = source_face((60, 80, 110), "dark")
    worn = swapped(engine, image, landmarks, source, shape=shape)
    there = swapped(engine, image[2:, 2:].copy(), landmarks - np.float32((2, 2, 0)), source, track=2, shape=shape)
    first, second = composited(image, worn)[2:, 2:], composited(image[2:, 2:], there)
    assert np.abs(first - second).max() < 6
    assert np.abs(first - second).mean() < 0.3


def test_opacity_on_air_is_left_to_whoever_pastes(engine):
    landmarks = head()
    full = swapped(engine, picture(landmarks), landmarks, source_face())
    half = swapped(engine, picture(landmarks), landmarks, source_face(), strength=0.5)
    assert np.array_equal(half.alpha, full.alpha)


def test_preparing_again_is_free(engine):
    face = source_face()
    made = MeshEngine()
    made.prepare(face)
    texture = made._textures[face.key]
    made.prepare(face)
    assert made._textures[face.key] is texture


def test_prepared_faces_are_bounded_and_the_worn_one_stays(monkeypatch):
    monkeypatch.setattr("live.swap.mesh.engine.MOST_TEXTURES", 2)
    ready = MeshEngine()
    face, landmarks = source_face(), head()
    swapped(ready, picture(landmarks), landmarks, face)
    texture = ready._textures[face.key]
    monkeypatch.setattr("live.swap.mesh.engine.make_texture", lambda source, canvas, masker: texture)
    for key in "bcde":
        ready.prepare(SourceFace(key, key, face.image, face.landmarks, "composite"))
    assert set(ready._textures) == {"a", "e"}
    monkeypatch.setattr("live.swap.mesh.engine.MOST_TEXTURES", 7)
    for key in "bcd":
        ready.prepare(SourceFace(key, key, face.image, face.landmarks, "composite"))
    assert set(ready._textures) == set("abcde")


def test_a_source_that_was_not_prepared_is_prepared_on_air_and_said_so(caplog):
    made, landmarks = MeshEngine(), head()
    worn = swapped(made, picture(landmarks), landmarks, source_face())
    assert worn.alpha.max() == 255
    assert "was not prepared" in caplog.text


def test_the_source_may_change_from_one_frame_to_the_next(engine):
    landmarks = head()
    image = picture(landmarks)
    light = swapped(engine, image, landmarks, source_face())
    dark = swapped(engine, image, landmarks, source_face((60, 80, 110), "dark"))
    assert dark.pixels[dark.alpha == 255].mean() < light.pixels[light.alpha == 255].mean() - 10


def test_several_faces_come_back_in_order(engine):
    near, far = head(), head(face_px=60, middle=(100, 100))
    source = source_face()
    jobs = [Job(picture(near), near, 1, source), Job(picture(far, size=(200, 220)), far, 2, source)]
    worn = engine.swap(jobs, Settings())
    assert [one.alpha.shape for one in worn] == [(420, 400), (200, 220)]
    assert engine.swap([], Settings()) == []


def test_a_face_seen_from_the_side_fades(engine):
    front = swapped(engine, picture(head(0)), head(0), source_face())
    engine.forget(1)
    side = swapped(engine, picture(head(69)), head(69), source_face())
    engine.forget(1)
    gone = swapped(engine, picture(head(80)), head(80), source_face())
    assert (front.alpha.max(), front.opacity) == (255, 1)
    assert 30 < side.alpha.max() < 225
    assert 0.1 < side.opacity < 0.9
    assert (gone.alpha.max(), gone.opacity) == (0, 0)


@pytest.mark.parametrize("yaw_deg", [0, 45, -75])
def test_the_region_holds_the_face_and_the_ring_that_bends_around_it(engine, yaw_deg):
    landmarks = head(yaw_deg, middle=(301.3, 200.7))
    x1, y1, x2, y2 = engine.region(landmarks, 640, 480)
    ring = load_topology().with_ring(landmarks[:, :2])
    low, high = ring.min(0), ring.max(0)
    assert x1 % 2 == 0
    assert y1 % 2 == 0
    assert x1 < low[0] < high[0] < x2
    assert y1 < low[1] < high[1] < y2


@pytest.mark.parametrize("middle", [(0.0, 0.0), (640.0, 480.0), (-900.0, 50.0), (np.nan, 3.0), (1e20, 0.0)])
def test_the_region_stays_in_the_frame(engine, middle):
    x1, y1, x2, y2 = engine.region(head(middle=middle), 640, 480)
    assert 0 <= x1 <= x2 <= 640
    assert 0 <= y1 <= y2 <= 480


def test_importing_the_engine_brings_no_torch():
    code = "import sys; import live.swap.mesh; assert 'torch' not in sys.modules and 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def hidden_below(row, shape=(420, 400)):
    """A mask of the region's own size: nothing below a row of the picture is the face's."""
    mask = np.ones(shape, np.float32)
    mask[row:] = 0
    return lambda: Visible(mask, np.eye(2, 3, dtype=np.float32))


@pytest.mark.parametrize("shape", [0.0, 1.0])
def test_what_lies_before_the_face_stays_in_front_of_the_swap(engine, shape):
    landmarks = head()
    image, source = picture(landmarks), source_face((60, 80, 110), "dark")
    settings = Settings(source=source, shape=shape)
    chin = int(landmarks[:468, 1].max())
    row = int(landmarks[0, 1])  # the upper lip
    (worn,) = engine.swap([Job(image, landmarks, 1, source, visible=hidden_below(row))], settings)
    engine.forget(1)
    (whole,) = engine.swap([Job(image, landmarks, 1, source)], settings)
    middle = np.s_[row + 12 : chin - 12, 170:230]
    shown = np.abs(composited(image, worn)[middle] - image[middle]).mean()
    assert shown < 1
    assert np.abs(composited(image, whole)[middle] - image[middle]).mean() > 5
    assert worn.alpha[row - 40, 150] == whole.alpha[row - 40, 150] == 255
    assert worn.opacity == 1


def test_a_face_that_is_covered_nearly_whole_is_not_called_swapped(engine):
    landmarks = head()
    image, source = picture(landmarks), source_face((60, 80, 110), "dark")
    top = int(landmarks[:468, 1].min())
    (worn,) = engine.swap([Job(image, landmarks, 1, source, visible=hidden_below(top + 20))], Settings(source=source))
    assert worn.opacity < 0.5


@pytest.mark.parametrize("shape", [0.0, 1.0])
def test_another_source_face_takes_over_step_by_step(shape):
    engine = MeshEngine(MeshOptions(colour=0, crossfade_s=0.2))
    light, dark = source_face(), source_face((60, 80, 110), "dark")
    for source in (light, dark):
        engine.prepare(source)
    landmarks = head()
    image = picture(landmarks)

    def brightness(source, time_s):
        (worn,) = engine.swap([Job(image, landmarks, 1, source, time_s)], Settings(source=source, shape=shape))
        return composited(image, worn)[landmarks[:468, 1].astype(int), landmarks[:468, 0].astype(int)].mean()

    bright, begun = brightness(light, 0.0), brightness(dark, 0.1)
    half, done, later = (brightness(dark, time_s) for time_s in (0.2, 0.3, 0.4))
    assert begun == pytest.approx(bright, abs=1)
    assert done == pytest.approx(later, abs=1)
    assert bright - done > 10
    assert half == pytest.approx((bright + done) / 2, abs=3)


def test_what_is_left_out_where_time_is_short_leaves_the_face_swapped():
    landmarks = head()
    image, source = picture(landmarks), source_face((60, 80, 110), "dark")
    job = Job(image, landmarks, 1, source)

    def worn(quality, shape):
        return MeshEngine(MeshOptions(colour=0)).swap([job], Settings(source=source, shape=shape, quality=quality))[0]

    unbent, plain = worn(Quality(bend=False), 1.0), worn(FULL, 0.0)
    assert np.array_equal(unbent.pixels, plain.pixels)
    assert np.array_equal(unbent.alpha, plain.alpha)
    without_lens = MeshEngine(MeshOptions(colour=0, lens=False)).swap([job], Settings(source=source, shape=0.0))[0]
    assert np.array_equal(worn(Quality(lens=False), 0.0).pixels, without_lens.pixels)
    assert unbent.opacity == 1


def test_the_settings_say_how_long_a_crossfade_takes():
    engine = MeshEngine(MeshOptions(colour=0, crossfade_s=0.2))
    landmarks = head()
    image = picture(landmarks)
    light, dark = source_face(), source_face((60, 80, 110), "dark")

    def brightness(source, time_s, crossfade_s):
        settings = Settings(source=source, crossfade_s=crossfade_s)
        (worn,) = engine.swap([Job(image, landmarks, 1, source, time_s)], settings)
        return composited(image, worn)[landmarks[:468, 1].astype(int), landmarks[:468, 0].astype(int)].mean()

    bright, at_once = brightness(light, 0.0, 0.0), brightness(dark, 0.01, 0.0)
    assert bright - at_once > 10
    brightness(light, 1.0, 2.0)
    half = brightness(light, 2.0, 2.0)
    assert half == pytest.approx((bright + at_once) / 2, abs=3)


def test_without_crossfade_a_source_face_takes_over_at_once():
    engine = MeshEngine(MeshOptions(colour=0, crossfade_s=0))
    light, dark = source_face(), source_face((60, 80, 110), "dark")
    landmarks = head()
    image = picture(landmarks)
    shown = []
    for source in (light, dark, dark):
        engine.prepare(source)
        (worn,) = engine.swap([Job(image, landmarks, 1, source)], Settings(source=source, shape=0))
        shown.append(composited(image, worn).mean())
    assert shown[0] - shown[1] > 1
    assert shown[1] == pytest.approx(shown[2], abs=0.2)


def tint_of(image, landmarks):
    """Logarithms of the cheeks' colour, BGR, around 0."""
    y, x = (int(v) for v in landmarks[50, 1::-1])
    colour = np.log(image[y - 8 : y + 8, x - 8 : x + 8].reshape(-1, 3).astype(float) + 1).mean(axis=0)
    return colour - colour.mean()


@pytest.mark.parametrize("lamp", [(0.45, 1.0, 1.0), (1.0, 0.55, 0.55), (0.7, 1.2, 0.7)])
def test_a_coloured_lamp_colours_the_worn_face_too(engine, lamp):
    landmarks = head()
    image = np.clip(picture(landmarks) * np.array(lamp), 0, 255).astype(np.uint8)
    source = source_face()
    worn = swapped(engine, image, landmarks, source)
    assert np.abs(tint_of(worn.pixels, landmarks) - tint_of(image, landmarks)).max() < 0.08


def test_a_skin_tone_that_people_have_is_kept_in_part(engine):
    landmarks = head()
    image = picture(landmarks, skin=(110, 150, 190))
    source = source_face((150, 165, 185), "pale")
    engine.prepare(source)
    worn = swapped(engine, image, landmarks, source)
    off = np.abs(tint_of(worn.pixels, landmarks) - tint_of(image, landmarks)).max()
    assert 0.02 < off < np.abs(tint_of(source.image, source.landmarks) - tint_of(image, landmarks)).max()
