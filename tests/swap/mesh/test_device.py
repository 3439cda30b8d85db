"""The same faces by both engines: OpenCV and numpy on the host, torch (here on the CPU) on the device."""

from dataclasses import fields

import av
import cv2
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from live.config import load_preset
from live.faces.masker import Masker, patch_matrix
from live.pixels import host
from live.pixels.device import slot_px
from live.resources import models_dir
from live.studio import build_tracker
from live.swap.contract import Job, Visible
from live.swap.mesh import MeshEngine, MeshOptions
from live.swap.mesh.device import MeshStep, options_of
from live.swap.mesh.device_slot import Takeover, faces_of, wearing_of
from live.values import Settings, SourceFace
from tests.swap.mesh.irises import BLUE, BROWN, person, source_of
from tests.swap.mesh.test_engine import composited, head, picture

MEAN, PERCENTILE_99 = 2.0, 10.0
"""Grey levels. The mean is what is promised. The greatest differences lie on the outlines of eyes, mouth and
silhouette, some hundredths of a face: the host fills whole pixels and the device shares of them, so that one there may
get a quarter more or less of a contrast of some 40 levels."""


def long_face(key="long", skin=(60, 80, 110)):
    """A source of other proportions than `head`: narrower, with a longer jaw."""
    landmarks = head()
    landmarks[:, 0] += 0.08 * (200 - landmarks[:, 0])
    landmarks[:, 1] += 0.12 * np.maximum(landmarks[:, 1] - 210, 0)
    return SourceFace(key, key, picture(landmarks, skin, seed=2), landmarks, "composite")


LONG, FAIR = long_face(), long_face("fair", (130, 160, 215))


@pytest.fixture(scope="module")
def engine():
    made = MeshEngine()
    for source in (LONG, FAIR):
        made.prepare(source)
    return made


@pytest.fixture(scope="module")
def step():
    return MeshStep()


@pytest.fixture(autouse=True)
def _fresh_tracks(request):
    yield
    if "engine" in request.fixturenames:
        for track in (1, 2):
            request.getfixturevalue("engine").forget(track)


def job_of(landmarks, *, size, track=1, source=LONG, skin=(120, 150, 200), **more):
    """The region of a face in a picture, as the pipeline cuts it."""
    image = more.pop("image", None)
    image = picture(landmarks, skin, size=size) if image is None else image
    x1, y1, x2, y2 = MeshEngine().region(landmarks, image.shape[1], image.shape[0])
    return Job(image[y1:y2, x1:x2].copy(), landmarks - np.float32((x1, y1, 0)), track, source, **more)


def face(px, yaw_deg=0.0, shift=(0.0, 0.0), **more):
    """A job with a face of so many pixels, turned and shifted."""
    width, height = round(1.7 * px), round(1.9 * px)
    landmarks = head(yaw_deg, px, (width / 2 + shift[0], 0.48 * height + shift[1]))
    return job_of(landmarks, size=(height, width), **more)


def stepped(step, engine, jobs, shape, state, takeover=None, options=None):
    """One step of the device for the same jobs."""
    side = max(slot_px(job.region.shape[1], job.region.shape[0]) for job in jobs)
    faces = faces_of(jobs, shape, side)
    wearing = wearing_of([engine._textures[job.source.key] for job in jobs])
    with torch.inference_mode():
        return step(faces, wearing, options_of(options or engine.options), state, takeover)


def both(step, engine, job, shape, state, takeover=None):
    """The same job by both engines: (composited, alpha) of each, and all that the device said."""
    (worn,) = engine.swap([job], Settings(source=job.source, shape=shape))
    out = stepped(step, engine, [job], shape, state, takeover, engine.options)
    height, width = job.region.shape[:2]
    alpha = out.alpha[0, :height, :width].numpy()
    share = alpha[..., None].astype(np.float32) / 255
    mixed = job.region * (1 - share) + out.pixels[0, :height, :width].numpy() * share
    return (composited(job.region, worn), worn.alpha, worn.opacity), (mixed, alpha, float(out.opacity[0])), out


def assert_alike(on_host, on_device, *, mean=MEAN, percentile_99=PERCENTILE_99):
    (expected, alpha, opacity), (found, other_alpha, other_opacity) = on_host, on_device
    worn = (alpha > 0) | (other_alpha > 0)
    assert worn.mean() > 0.1
    difference = np.abs(expected - found)[worn]
    assert difference.mean() <= mean
    assert np.percentile(difference, 99) <= percentile_99
    assert other_opacity == pytest.approx(opacity, abs=0.02)


@pytest.mark.parametrize("shape", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("yaw_deg", [0, -30, 55, 68])
def test_turned_heads_look_the_same_on_both(step, engine, yaw_deg, shape):
    on_host, on_device, _ = both(step, engine, face(120, yaw_deg), shape, step.fresh(1))
    assert_alike(on_host, on_device, mean=1)


@pytest.mark.parametrize(("px", "yaw_deg", "shape"), [(220, 20, 0.5), (220, -40, 0.0), (400, 15, 0.5)])
def test_large_faces_look_the_same_on_both(step, engine, px, yaw_deg, shape):
    on_host, on_device, _ = both(step, engine, face(px, yaw_deg), shape, step.fresh(1))
    assert_alike(on_host, on_device, mean=1)


@pytest.mark.parametrize("shape", [0.0, 0.5])
def test_what_is_remembered_of_a_moving_face_is_the_same_on_both(step, engine, shape):
    state = step.fresh(1)
    for number in range(11):  # light in every frame, hair and proportions in every third, grain in every tenth
        skin = (120, 150, 200) if number < 5 else (60, 80, 150)  # somebody turns a lamp
        job = face(110, 3 * number, (0.7 * number, -0.4 * number), skin=skin)
        on_host, on_device, out = both(step, engine, job, shape, state)
        state = out.state
        assert_alike(on_host, on_device, mean=1)
    known = engine._tracks[1]
    assert int(state.age[0]) == known.age == 10
    assert np.abs(state.skin[0].numpy() - known.skin).max() < 0.05
    assert np.abs(state.bare[0].numpy() - known.bare).mean() < 0.05
    assert float(state.depth[0]) == pytest.approx(known.depth, abs=0.15)
    assert np.abs(state.built[0].numpy() - known.built).max() < 0.01
    assert float(state.certain[0]) == pytest.approx(known.certain, rel=0.01)
    assert float(state.lens.grain[0]) == pytest.approx(known.lens.grain, abs=0.3)
    assert float(state.lens.blur_px[0]) == pytest.approx(known.lens.blur_px, abs=0.3)


def hidden_below(job, row):
    """A mask on the masker's own patch: nothing below a row of the region is the face's."""
    matrix = patch_matrix(job.landmarks)
    places = cv2.transform(np.float32([[[0, row]]]), matrix)[0, 0, 1]
    mask = np.ones((128, 128), np.float32)
    mask[round(places) :] = 0
    return Visible(mask, matrix)


@pytest.mark.parametrize("shape", [0.0, 1.0])
def test_what_lies_before_a_face_stays_in_front_on_both(step, engine, shape):
    job = face(120)
    seen = hidden_below(job, job.landmarks[0, 1])
    job = face(120, visible=lambda: seen)
    on_host, on_device, _ = both(step, engine, job, shape, step.fresh(1))
    assert_alike(on_host, on_device, mean=1)
    chin, below = job.landmarks[152].astype(int), int(job.landmarks[0, 1]) + 12
    assert np.abs(on_device[0] - job.region)[below : chin[1] - 8, chin[0] - 8 : chin[0] + 8].mean() < 1


def test_a_face_that_is_covered_nearly_whole_is_called_so_on_both(step, engine):
    job = face(120)
    seen = hidden_below(job, job.landmarks[10, 1] + 14)
    on_host, on_device, _ = both(step, engine, face(120, visible=lambda: seen), 0.5, step.fresh(1))
    assert on_host[2] < 0.5
    assert on_device[2] == pytest.approx(on_host[2], abs=0.1)


@pytest.mark.parametrize("kind", ["grey", "hazy", "dark", "soft", "grainy", "red light"])
def test_every_camera_is_followed_by_both(step, engine, kind):
    landmarks = head(10, 150, (130, 140))
    image = picture(landmarks, size=(280, 260))
    if kind == "grey":
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    elif kind == "hazy":
        image = cv2.addWeighted(image, 0.25, np.full_like(image, 150), 0.75, 0)
    elif kind == "dark":
        image = (image * 0.15).astype(np.uint8)
    elif kind == "soft":
        image = cv2.GaussianBlur(image, (0, 0), 2.5)
    elif kind == "grainy":
        noise = np.random.default_rng(7).normal(0, 7, (280, 260, 1))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    else:
        image = np.clip(image * np.float32((0.5, 0.6, 1.2)), 0, 255).astype(np.uint8)
    job = job_of(landmarks, size=None, image=image)
    on_host, on_device, out = both(step, engine, job, 0.0, step.fresh(1))
    assert_alike(on_host, on_device)
    if kind == "grey":
        inside = out.alpha[0] > 250
        assert np.ptp(out.pixels[0][inside].numpy().astype(int), axis=-1).max() <= 1
    if kind == "grainy":
        assert float(out.state.lens.grain[0]) > 4


@pytest.mark.parametrize("middle", [(12.0, 100.0), (140.0, 8.0), (100.0, 195.0)])
def test_a_face_cut_by_the_frames_border_looks_the_same_on_both(step, engine, middle):
    job = job_of(head(10, 120, middle), size=(200, 160))
    on_host, on_device, _ = both(step, engine, job, 0.5, step.fresh(1))
    assert_alike(on_host, on_device)


@pytest.mark.parametrize("shape", [0.0, 1.0])
def test_another_source_face_takes_over_alike_on_both(step, shape):
    engine = MeshEngine(MeshOptions(crossfade_s=0.2))
    for source in (LONG, FAIR):
        engine.prepare(source)
    state = step.fresh(1)
    _, _, out = both(step, engine, face(120), shape, state)
    engine.swap([face(120, source=FAIR, time_s=0.1)], Settings(source=FAIR, shape=shape))
    (worn,) = engine.swap([face(120, source=FAIR, time_s=0.2)], Settings(source=FAIR, shape=shape))
    before = wearing_of([engine._textures["long"]])
    for share in (0.0, 0.5):
        out = stepped(step, engine, [face(120, source=FAIR)], shape, out.state, Takeover(before, torch.tensor([share])))
    region = face(120).region
    height, width = region.shape[:2]
    alpha = out.alpha[0, :height, :width].numpy()
    share = alpha[..., None] / np.float32(255)
    mixed = region * (1 - share) + out.pixels[0, :height, :width].numpy() * share
    assert_alike((composited(region, worn), worn.alpha, worn.opacity), (mixed, alpha, float(out.opacity[0])), mean=1)


def test_options_are_followed_by_both(step):
    options = MeshOptions(
        colour=0.0, light=0.3, keep_eyes=False, keep_mouth=False, reach=0.5, softness=0.15, lens=False
    )
    engine = MeshEngine(options)
    engine.prepare(LONG)
    on_host, on_device, out = both(step, engine, face(120, 10), 0.5, step.fresh(1))
    assert_alike(on_host, on_device, mean=1)
    assert not out.state.lens.known.any()


def test_two_faces_in_one_batch_are_as_alone(step, engine):
    jobs = [face(120, 20), face(90, -35, source=FAIR, skin=(70, 90, 150))]
    alone = [stepped(step, engine, [job], 0.5, step.fresh(1)) for job in jobs]
    together = stepped(step, engine, jobs, 0.5, step.fresh(2))
    for number, one in enumerate(alone):
        assert np.abs(together.pixels[number].numpy().astype(int) - one.pixels[0].numpy()).max() <= 1
        assert np.abs(together.alpha[number].numpy().astype(int) - one.alpha[0].numpy()).max() <= 1
        assert float(together.opacity[number]) == pytest.approx(float(one.opacity[0]), abs=1e-4)
        assert int(together.state.age[number]) == 0


def test_nothing_outside_the_region_and_the_face_is_touched(step, engine):
    job = face(120)
    out = stepped(step, engine, [job], 1.0, step.fresh(1))
    height, width = job.region.shape[:2]
    outside = np.ones(out.alpha[0].shape, bool)
    outside[2 : height - 2, 2 : width - 2] = False
    assert out.alpha[0].numpy()[outside].max() == 0
    assert out.alpha.max() == 255
    still = out.alpha[0, :height, :width].numpy() == 0
    assert np.array_equal(out.pixels[0, :height, :width].numpy()[still], job.region[still])


def test_the_targets_own_eyes_stay_bit_for_bit(step, engine):
    job = face(220)
    out = stepped(step, engine, [job], 0.0, step.fresh(1))
    eyes = np.zeros(job.region.shape[:2], np.uint8)
    for ring in step.tables.eyes.numpy():
        cv2.fillPoly(eyes, [job.landmarks[ring, :2].astype(np.int32)], 1)
    eyes = cv2.erode(eyes, np.ones((3, 3), np.uint8)) > 0
    assert eyes.sum() > 100
    assert out.alpha[0, : eyes.shape[0], : eyes.shape[1]].numpy()[eyes].max() == 0


@pytest.mark.parametrize("fault", ["nan", "infinite", "equal", "tiny", "outside"])
def test_landmarks_that_the_host_refuses_are_not_called_swapped(step, engine, fault):
    good, bad = face(120), face(120, track=2)
    points = bad.landmarks
    if fault == "nan":
        points[17, 1] = np.nan
    elif fault == "infinite":
        points[400, 2] = np.inf
    elif fault == "equal":
        points[:] = points[0]
    elif fault == "tiny":
        points *= 0.01
    else:
        points += 3000
    with pytest.raises(ValueError, match=r"landmarks|outside"):
        engine.swap([bad], Settings(source=LONG))
    known = stepped(step, engine, [good, good], 0.5, step.fresh(2)).state
    out = stepped(step, engine, [good, bad], 0.5, known)
    assert out.ok.tolist() == [True, False]
    assert float(out.opacity[0]) == 1
    assert float(out.opacity[1]) == 0
    assert out.alpha[0].max() == 255
    assert out.alpha[1].max() == 0
    assert out.state.age.tolist() == [1, 0]
    assert torch.equal(out.state.skin[1], known.skin[1])
    assert torch.isfinite(out.state.skin).all()


def test_a_forgotten_track_starts_anew(step, engine):
    first = stepped(step, engine, [face(100)], 0.5, step.fresh(1))
    state = stepped(step, engine, [face(100, skin=(60, 90, 120))], 0.5, first.state).state
    state = state._replace(age=torch.full_like(state.age, -1))
    again = stepped(step, engine, [face(100)], 0.5, state)
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.alpha, again.alpha)


class Recorder(TorchDispatchMode):
    """Writes down every operation with the shapes that come out of it."""

    def __init__(self):
        super().__init__()
        self.done = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        found = [result] if isinstance(result, torch.Tensor) else [one for one in result if torch.is_tensor(one)]
        self.done.append((str(func), [tuple(one.shape) for one in found], _picks(func, args)))
        return result


def _picks(func, args):
    """Whether an index is a mask: then the shape of the result depends on values."""
    indices = args[1] if str(func).startswith("aten.index") and isinstance(args[1], list | tuple) else ()
    return any(torch.is_tensor(index) and index.dtype == torch.bool for index in indices)


WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "item", "masked_select", "unique", "equal.default", "lift")
"""Operations that ask a device for a value, or bring one to it (`lift`: a tensor made of Python numbers)."""


def test_a_step_is_the_same_line_of_operations_whatever_it_sees(step, engine):
    seen, hidden = face(120, 10), face(60, 75, source=FAIR, skin=(20, 30, 40))
    mask = hidden_below(hidden, 20)
    hidden = face(60, 75, source=FAIR, visible=lambda: mask)
    hidden.landmarks[3] = np.nan
    done = []
    for job, shape, state in ((seen, 0.0, step.fresh(1)), (hidden, 1.0, step.fresh(1)._replace(age=torch.tensor([8])))):
        faces, wearing = faces_of([job], shape, 256), wearing_of([engine._textures[job.source.key]])
        options = options_of(MeshOptions() if job is seen else MeshOptions(colour=0, keep_eyes=False, lens=False))
        with torch.inference_mode(), Recorder() as recorder:
            step(faces, wearing, options, state)
        done.append(recorder.done)
    assert len(done[0]) > 100
    assert done[0] == done[1]
    assert not [name for name, _, picks in done[0] if picks or any(wait in name for wait in WAITS)]


@pytest.mark.slow
def test_a_captured_step_serves_other_faces(step, engine):
    from torch.fx.experimental.proxy_tensor import make_fx

    def inputs(job, shape):
        wearing = wearing_of([engine._textures[job.source.key]])
        return faces_of([job], shape, 256), wearing, options_of(engine.options), step.fresh(1)

    with torch.inference_mode():
        graph = make_fx(lambda *values: tuple(step(*values)))(*inputs(face(120, 10), 0.0))
        other = inputs(face(70, -40, source=FAIR, skin=(60, 90, 120)), 1.0)
        expected, found = step(*other), graph(*other)
    assert torch.equal(expected.pixels, found[0])
    assert torch.equal(expected.alpha, found[1])
    assert torch.equal(expected.state.skin, found[4].skin)


def test_a_region_that_fits_no_slot_is_refused(step, engine):
    assert [slot_px(*size) for size in ((256, 200), (257, 30), (1024, 600), (2305, 8))] == [256, 512, 1152, None]
    with pytest.raises(ValueError, match="does not fit a slot of 128 px"):
        faces_of([face(120)], 0.5, 128)


def test_all_of_a_texture_is_brought_to_the_device(engine):
    texture = engine._textures["long"]
    wearing = wearing_of([texture])
    names = {field.name for field in fields(texture)} - {"levels"}
    assert names == set(wearing._fields) - {"atlas", "iris_known"}
    left = 0
    for level in texture.levels[:2]:
        side = level.shape[0]
        assert np.array_equal(wearing.atlas[0, :, :side, left : left + side].permute(1, 2, 0), level[..., :3])
        left += side


@pytest.fixture(scope="module")
def people(data):
    """Four portraits with their landmarks: two targets, two sources."""
    folder = data / "faces" / "portraits"
    with np.load(folder / "labels.npz") as labels:
        names, points = labels["name"], labels["landmarks"].astype(np.float32) / 64
    found = {}
    for name in ("00006.webp", "00013.webp", "00024.webp", "00046.webp"):
        row = int(np.flatnonzero(names == name)[0])
        found[name] = SourceFace(name, name, cv2.imread(str(folder / name)), points[row], "measurement")
    return list(found.values())


def masked_job(image, landmarks, source):
    """A job as the pipeline makes it, with the masker's own mask."""
    bare = job_of(landmarks, size=None, image=image, source=source)
    frame = host.bgr_frame(bare.region, time_s=0, number=0)
    masks, matrices = Masker(models_dir() / "masker.onnx").mask(frame, bare.landmarks[None])
    return job_of(landmarks, size=None, image=image, source=source, visible=lambda: Visible(masks[0], matrices[0]))


@pytest.mark.parametrize("shape", [0.0, 0.5])
def test_portraits_look_the_same_on_both(step, people, shape):
    engine = MeshEngine()
    for target, source in ((people[0], people[3]), (people[2], people[1])):
        engine.prepare(source)
        engine.forget(1)
        job = masked_job(target.image, target.landmarks, source)
        on_host, on_device, _ = both(step, engine, job, shape, step.fresh(1))
        assert_alike(on_host, on_device)


@pytest.mark.parametrize("name", ["foreman_cif_300f.264", "grid_bbaf2n.mpg"])
def test_frames_of_clips_look_the_same_on_both(data, step, people, name):
    engine, tracker, state = MeshEngine(), build_tracker(load_preset()), step.fresh(1)
    engine.prepare(people[0])
    with av.open(str(data / "clips" / name)) as container:
        pictures = [picture.to_ndarray(format="bgr24") for picture, _ in zip(container.decode(video=0), range(2))]
    for number, image in enumerate(pictures):
        (found, *_), _ = tracker.look(host.bgr_frame(image, time_s=number / 25, number=number), number / 25)
        job = masked_job(image, found.landmarks, people[0])
        on_host, on_device, out = both(step, engine, job, 0.5, state)
        state = out.state
        assert_alike(on_host, on_device)


@pytest.mark.parametrize("shape", [0.0, 0.7])
@pytest.mark.parametrize("seen", [True, False])
def test_painted_irises_look_the_same_on_both(step, shape, seen):
    target, blue = person("ada", BROWN, closed=not seen), source_of(person("jonas", BLUE))
    engine = MeshEngine(MeshOptions(iris=1.0, lens=False))
    engine.prepare(blue)
    x1, y1, x2, y2 = engine.region(target.landmarks, target.image.shape[1], target.image.shape[0])
    job = Job(target.image[y1:y2, x1:x2].copy(), target.landmarks - np.float32((x1, y1, 0)), 1, blue)
    (worn,) = engine.swap([job], Settings(source=blue, shape=shape))
    side = slot_px(job.region.shape[1], job.region.shape[0])
    faces, wearing = faces_of([job], shape, side), wearing_of([engine._textures[blue.key]])
    with torch.inference_mode():
        painted, plain = (
            step(faces, wearing, options_of(engine.options), step.fresh(1), irises=irises) for irises in (True, False)
        )
    height, width = job.region.shape[:2]

    def shown(out):
        share = out.alpha[0, :height, :width, None].numpy() / np.float32(255)
        return job.region * (1 - share) + out.pixels[0, :height, :width].numpy() * share

    expected, found = composited(job.region, worn), shown(painted)
    changed = np.abs(found - shown(plain)).max(axis=2) > 1
    assert (changed.sum() > 50) == seen
    assert np.abs(expected - found)[(worn.alpha > 0)].mean() < 1
    if seen:
        assert np.abs(expected - found)[changed].mean() < 2
