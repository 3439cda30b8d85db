"""The network engine: what goes in upright comes back in its place, in every template and normalisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from live.faces.alignment import destination, five_points, moved, similarity
from live.faces.recogniser import Recogniser
from live.nets.catalogue import load_catalogue
from live.nets.entry import Entry
from live.nets.ort_runner import OrtRunner
from live.nets.templates import TEMPLATES, template
from live.pixels import affine
from live.swap.contract import Visible
from live.swap.identity import Identities
from live.swap.network import NetworkEngine, NetworkOptions
from live.swap.patches import PatchNetwork
from live.swap.restore import Restorer
from live.values import Quality, Settings
from tests.nets import small
from tests.swap import faces

SIDE = 128
LICENCE = {"name": "none", "commercial": "yes", "redistribution": "yes"}
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NORMALISATIONS = {
    "plain": PLAIN,
    "half": HALF,
    "imagenet": IMAGENET,
    "bgr": {**IMAGENET, "order": "bgr"},
    "0..255": {"std": (1 / 255,) * 3},
    "nhwc": {**HALF, "order": "bgr", "layout": "nhwc"},
}


def entry(
    *, name="small", role="swapper", side=SIDE, template="arcface_128", family="plain", normalisation=None, **more
):
    numbers = normalisation or {}
    return Entry.model_validate(
        {
            "name": name,
            "role": role,
            "family": family,
            "file": f"{name}.onnx",
            "licence": LICENCE,
            "input": {"input": "target", "size_px": side, "template": template, "normalisation": numbers},
            "output": {"normalisation": numbers},
            "consent": "composite" if role == "swapper" and "identity" not in more else "",
            **more,
        }
    )


SHADE = (0.8, 0.8, 0.8)
"""What the network makes of each channel's number where a test does not care: a face that is not the bare one."""


def engine(folder: Path, of: Entry, *, restorer=None, identities=None, options=None, **network) -> NetworkEngine:
    numbers, change = of.input.normalisation, network or {"scale": SHADE}
    path = small.picture_function(folder / of.file, side=of.input.size_px, layout=numbers.layout, **change)
    patches = PatchNetwork(of, OrtRunner(path, folder=folder))
    return NetworkEngine(patches, identities or Identities(of), options or NetworkOptions(colour=0), restorer)


def pasted(job, worn) -> np.ndarray:
    return affine.blended(job.region, worn.pixels, worn.alpha)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_network_that_changes_nothing_gives_the_region_back(tmp_path, name, normalisation) -> None:
    of = entry(template=name, normalisation=NORMALISATIONS[normalisation])
    made = engine(tmp_path, of, scale=(1, 1, 1))
    job = faces.job(points=faces.landmarks(roll_deg=17, yaw_deg=10))
    (worn,) = made.swap([job], Settings())
    off = np.abs(worn.pixels.astype(int) - job.region)[worn.alpha > 0]
    assert worn.opacity == 0  # nobody was swapped, whatever was laid over
    assert (worn.alpha == 255).sum() > 3000
    assert off.max() <= 2
    assert np.abs(pasted(job, worn).astype(int) - job.region).max() <= 2


@pytest.mark.parametrize("normalisation", ["plain", "half", "bgr", "nhwc"])
def test_a_known_change_of_colour_comes_out_exactly(tmp_path, normalisation) -> None:
    """In the network's own order and units: halves each channel's number and adds to it."""
    of = entry(normalisation=NORMALISATIONS[normalisation])
    scale, offset = (0.5, 0.4, 0.3), (0.1, 0.2, -0.05)
    made = engine(tmp_path, of, scale=scale, offset=offset)
    region = np.full((320, 320, 3), (90, 140, 200), np.uint8)
    region[::2] += 3  # a picture of one colour is none
    region = np.ascontiguousarray(np.repeat(np.repeat(region[::40, ::40], 40, axis=0), 40, axis=1))
    job = faces.job(region=region)
    (worn,) = made.swap([job], Settings())
    numbers = of.input.normalisation
    order = [2, 1, 0] if numbers.order == "rgb" else [0, 1, 2]
    mean, std = np.array(numbers.mean), np.array(numbers.std)
    given = (region[..., order] / 255 - mean) / std
    wanted = np.empty_like(given)
    wanted[..., order] = np.clip(((given * scale + offset) * std + mean) * 255, 0, 255)
    whole = worn.alpha == 255
    assert np.abs(worn.pixels - wanted)[whole].max() <= 1.01


def test_all_faces_go_in_one_run_and_each_keeps_its_own(tmp_path) -> None:
    made = engine(tmp_path, entry())
    runs = []
    real = made._network.runner.run
    made._network.runner.run = lambda inputs: runs.append(len(inputs["target"])) or real(inputs)
    jobs = [
        faces.job(track=number, points=faces.landmarks(centre=(140 + 10 * number, 150), scale=8 + number))
        for number in range(3)
    ]
    together = made.swap(jobs, Settings())
    assert runs == [3]
    for job, worn in zip(jobs, together, strict=True):
        (alone,) = made.swap([job], Settings())
        assert np.array_equal(worn.pixels, alone.pixels)
        assert np.array_equal(worn.alpha, alone.alpha)
    assert made.swap([], Settings()) == []


def test_nothing_beyond_the_faces_outline_and_the_patch_changes(tmp_path) -> None:
    made = engine(tmp_path, entry(template="ffhq_512"), scale=(0.2, 0.2, 0.2))
    job = faces.job()
    (worn,) = made.swap([job], Settings())
    slack_px = 1.5 / np.linalg.norm(
        similarity(five_points(job.landmarks), destination(template("ffhq_512"), SIDE))[0, :2]
    )
    low, high = job.landmarks[:468, :2].min(axis=0) - slack_px, job.landmarks[:468, :2].max(axis=0) + slack_px
    rows, columns = np.nonzero(worn.alpha)
    assert columns.min() >= low[0]
    assert columns.max() <= high[0]
    assert rows.min() >= low[1]
    assert rows.max() <= high[1]


def test_the_region_holds_the_whole_patch(tmp_path) -> None:
    made = engine(tmp_path, entry())
    points = faces.landmarks(roll_deg=30)
    x1, y1, x2, y2 = made.region(points, 320, 320)
    assert x1 % 2 == y1 % 2 == 0
    matrix = similarity(five_points(points), destination(template("arcface_128"), SIDE))
    inside = np.array([[x1, y1], [x2, y1], [x1, y2], [x2, y2]], np.float32)
    corners = moved(inside, matrix)
    assert corners.min() <= 0
    assert corners.max() >= SIDE - 1
    assert made.region(points + np.float32(10_000), 320, 320) == (0, 0, 0, 0)
    assert made.region(np.full((478, 3), np.nan, np.float32), 320, 320) == (0, 0, 0, 0)
    assert made.region(np.zeros((478, 3), np.float32), 320, 320) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param({"offset": (np.nan,) * 3}, id="not a number"),
        pytest.param({"scale": (np.inf,) * 3}, id="infinite"),
        pytest.param({"scale": (0, 0, 0), "offset": (0.5, 0.5, 0.5)}, id="all grey"),
        pytest.param({"offset": (9, 9, 9)}, id="all white"),
    ],
)
def test_what_a_broken_network_makes_is_never_shown_as_swapped(tmp_path, network) -> None:
    made = engine(tmp_path, entry(), **network)
    job = faces.job()
    (worn,) = made.swap([job], Settings())
    assert worn.opacity == 0
    assert not worn.alpha.any()


def test_one_broken_face_does_not_take_the_others_with_it(tmp_path) -> None:
    made = engine(tmp_path, entry())
    black = faces.job(region=np.zeros((320, 320, 3), np.uint8), track=1)
    lost = faces.job(points=np.full((478, 3), np.nan, np.float32), track=2)
    found = made.swap([faces.job(), black, lost], Settings())
    assert [worn.opacity for worn in found] == [1, 0, 0]


def test_a_profile_fades_out(tmp_path) -> None:
    made = engine(tmp_path, entry())
    shown = [made.swap([faces.job(points=faces.landmarks(yaw_deg=yaw))], Settings())[0] for yaw in (0, 69, 80)]
    assert shown[0].opacity == 1
    assert 0 < shown[1].opacity < 0.99
    assert shown[2].opacity == 0
    assert not shown[2].alpha.any()


@pytest.mark.parametrize(("share", "wanted"), [(1.0, 1.0), (0.0, 0.0)])
def test_what_covers_the_face_stays_in_front(tmp_path, share, wanted) -> None:
    made = engine(tmp_path, entry())
    visible = Visible(np.full((128, 128), share, np.float32), np.eye(2, 3, dtype=np.float32))
    (worn,) = made.swap([faces.job(visible=lambda: visible)], Settings())
    assert worn.opacity == wanted
    assert bool(worn.alpha.any()) is bool(wanted)


def test_a_hand_over_half_the_face_is_left_as_it_is(tmp_path) -> None:
    made = engine(tmp_path, entry(), scale=(0.2, 0.2, 0.2))
    mask = np.ones((160, 160), np.float32)
    mask[:, :80] = 0
    visible = Visible(mask, np.float32(0.5) * np.eye(2, 3, dtype=np.float32))
    (worn,) = made.swap([faces.job(visible=lambda: visible)], Settings())
    assert worn.opacity == 1
    assert not worn.alpha[:, :154].any()
    assert (worn.alpha[:, 170:] == 255).sum() > 2000


def test_the_networks_own_mask_counts(tmp_path) -> None:
    path = small.swapper(tmp_path / "masked.onnx", side=SIDE, rows="n", mask=True, length=8)
    of = entry(
        identity={
            "kind": "embedding",
            "input": "source",
            "recogniser": "r",
            "normalise_first": True,
            "normalise_last": False,
        },
        output={"masks": (1,)},
    )
    patches = PatchNetwork(of, OrtRunner(path, folder=tmp_path))
    answer = patches.run(np.stack([np.ascontiguousarray(faces.picture(SIDE, SIDE))] * 2), np.zeros((2, 8), np.float32))
    assert answer.masks is not None
    assert answer.masks.shape == (2, SIDE, SIDE)
    made = NetworkEngine(patches, StandIn(np.ones(8, np.float32)), NetworkOptions(colour=0))
    (worn,) = made.swap([faces.job()], Settings())
    assert 0 < worn.alpha.max() < 255  # the mask is the mean of the picture, which is never 1


def test_a_network_whose_mask_leaves_nothing_has_swapped_nobody(tmp_path) -> None:
    of = entry(output={"masks": (1,)})
    path = small.picture_function(tmp_path / of.file, side=SIDE, scale=SHADE, mask=0.05)
    made = NetworkEngine(PatchNetwork(of, OrtRunner(path, folder=tmp_path)), Identities(of), NetworkOptions(colour=0))
    (worn,) = made.swap([faces.job()], Settings())
    assert worn.opacity == 0


class StandIn:
    """Says the same vector about everybody."""

    def __init__(self, vector) -> None:
        self.vector = vector
        self.known: dict[str, np.ndarray] = {}

    def of(self, source):
        return self.known.get(source.key, self.vector)

    def has(self, source) -> bool:
        return True

    def close(self) -> None:
        pass


def spied(made: NetworkEngine) -> list[dict[str, np.ndarray]]:
    """What the network is fed."""
    seen: list[dict[str, np.ndarray]] = []
    real = made._network.runner.run
    made._network.runner.run = lambda inputs: seen.append(dict(inputs)) or real(inputs)
    return seen


VECTOR = {
    "kind": "embedding",
    "input": "source",
    "recogniser": "r",
    "normalise_first": True,
    "normalise_last": True,
    "length": 4,
}


def test_another_source_face_takes_over_along_the_way_between_their_vectors(tmp_path) -> None:
    of = entry(identity=VECTOR)
    people = StandIn(None)
    people.known = {"ada": np.array([1, 0, 0, 0], np.float32), "bob": np.array([0, 1, 0, 0], np.float32)}
    made = engine(
        tmp_path, of, identities=people, options=NetworkOptions(colour=0, crossfade_s=1.0), vector=4, scale=SHADE
    )
    seen = spied(made)
    for time_s, name in ((0.0, "ada"), (5.0, "bob"), (5.5, "bob"), (6.0, "bob"), (7.0, "bob")):
        made.swap([faces.job(face=faces.source(name), time_s=time_s)], Settings())
    fed = [inputs["source"][0] for inputs in seen]
    assert np.allclose(fed[0], [1, 0, 0, 0])
    assert np.allclose(fed[1], [1, 0, 0, 0])
    assert np.allclose(fed[2], [np.sqrt(0.5), np.sqrt(0.5), 0, 0], atol=1e-5)
    assert np.allclose(fed[3:], [[0, 1, 0, 0]] * 2)


def test_the_settings_say_how_long_a_crossfade_takes(tmp_path) -> None:
    people = StandIn(None)
    people.known = {"ada": np.array([1, 0, 0, 0], np.float32), "bob": np.array([0, 1, 0, 0], np.float32)}
    options = NetworkOptions(colour=0, crossfade_s=1.0)
    made = engine(tmp_path, entry(identity=VECTOR), identities=people, options=options, vector=4, scale=SHADE)
    seen = spied(made)
    for time_s, name, crossfade_s in ((0.0, "ada", 0.0), (5.0, "bob", 0.0), (6.0, "ada", 4.0), (8.0, "ada", 4.0)):
        made.swap([faces.job(face=faces.source(name), time_s=time_s)], Settings(crossfade_s=crossfade_s))
    fed = [inputs["source"][0] for inputs in seen]
    assert np.allclose(fed[1], [0, 1, 0, 0])
    assert np.allclose(fed[3], [np.sqrt(0.5), np.sqrt(0.5), 0, 0], atol=1e-5)


def test_less_boost_gives_the_same_face_with_less_work(tmp_path) -> None:
    of = entry(identity=VECTOR, side=64)
    people, same = StandIn(np.ones(4, np.float32)), {"vector": 4, "scale": (1, 1, 1)}
    made = engine(tmp_path, of, identities=people, options=NetworkOptions(colour=0, boost=3), **same)
    seen = spied(made)
    whole, less, again = (made.swap([faces.job()], Settings(quality=Quality(boost=most)))[0] for most in (4, 1, 4))
    assert [len(inputs["source"]) for inputs in seen] == [9, 1, 9]
    assert np.array_equal(whole.pixels, again.pixels)
    assert np.abs(whole.alpha.astype(int) - less.alpha).mean() < 2
    both = (whole.alpha == 255) & (less.alpha == 255)
    assert np.abs(whole.pixels.astype(int) - less.pixels)[both].mean() < 4


def test_two_people_wear_two_faces_in_one_run(tmp_path) -> None:
    people = StandIn(None)
    people.known = {"ada": np.array([1, 0, 0, 0], np.float32), "bob": np.array([0, 1, 0, 0], np.float32)}
    made = engine(tmp_path, entry(identity=VECTOR), identities=people, vector=4, scale=SHADE)
    seen = spied(made)
    made.swap([faces.job(track=0), faces.job(track=1, face=faces.source("bob"))], Settings())
    assert np.allclose(seen[0]["source"], [[1, 0, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize("times", [2, 3, 4])
def test_boost_deals_the_pixels_out_and_back(tmp_path, times) -> None:
    of = entry(identity=VECTOR, side=64)
    people, same = StandIn(np.ones(4, np.float32)), {"vector": 4, "scale": (1, 1, 1)}
    made = engine(tmp_path, of, identities=people, options=NetworkOptions(colour=0, boost=times), **same)
    seen = spied(made)
    fine = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    job = faces.job(region=fine, points=faces.landmarks(scale=8))
    (worn,) = made.swap([job], Settings())
    assert seen[0]["target"].shape == (times * times, 3, 64, 64)
    assert seen[0]["source"].shape == (times * times, 4)
    (plain,) = engine(tmp_path, of, identities=people, **same).swap([job], Settings())
    off, off_plain = (np.abs(one.pixels.astype(int) - fine)[one.alpha == 255].mean() for one in (worn, plain))
    assert off < 0.7 * off_plain  # more pixels keep more of the picture
    assert np.abs(worn.alpha.astype(int) - plain.alpha).mean() < 3  # and lie where the plain patch lies


def test_the_colours_of_the_target_are_taken_over_by_the_share_asked_for(tmp_path) -> None:
    offsets = []
    for share in (0.0, 0.5, 1.0):
        made = engine(
            tmp_path, entry(), options=NetworkOptions(colour=share), scale=(1, 1, 1), offset=(0.1, -0.05, 0.08)
        )
        job = faces.job()
        (worn,) = made.swap([job], Settings())
        offsets.append((worn.pixels.astype(float) - job.region)[worn.alpha == 255].mean(axis=0))
    assert np.allclose(offsets[0], [0.08 * 255, -0.05 * 255, 0.1 * 255], atol=1)
    assert np.allclose(offsets[1], np.array(offsets[0]) / 2, atol=1)
    assert np.abs(offsets[2]).max() < 1


def test_the_tone_is_steady_and_forgotten_with_the_track(tmp_path) -> None:
    made = engine(tmp_path, entry(), options=NetworkOptions(colour=1.0), scale=(0.5, 0.5, 0.5))
    job = faces.job()
    (first,) = made.swap([job], Settings())
    darker = faces.job(region=(faces.picture() * 0.8).astype(np.uint8))
    (next_frame,) = made.swap([darker], Settings())
    made.forget(0)
    (new,) = made.swap([darker], Settings())
    inside = first.alpha == 255
    lag = (next_frame.pixels.astype(float) - darker.region)[inside].mean()
    assert lag > 5  # the map of the lighter frame still rules
    assert abs((new.pixels.astype(float) - darker.region)[inside].mean()) < 1


def test_a_restorer_runs_on_what_is_shown_and_changes_nothing_else(tmp_path) -> None:
    of = entry(name="restorer", role="restorer", template="ffhq_512", normalisation=HALF)
    path = small.picture_function(tmp_path / of.file, side=SIDE, offset=(0.2, 0.2, 0.2))
    restorer = Restorer(PatchNetwork(of, OrtRunner(path, folder=tmp_path)), blend=0.8)
    plain = engine(tmp_path, entry())
    made = engine(tmp_path, entry(), restorer=restorer)
    job = faces.job()
    (before,), (after,) = plain.swap([job], Settings()), made.swap([job], Settings())
    assert np.array_equal(before.alpha, after.alpha)
    middle = job.landmarks[4, :2].astype(int)
    brighter = (after.pixels.astype(float) - before.pixels)[
        middle[1] - 5 : middle[1] + 5, middle[0] - 5 : middle[0] + 5
    ]
    assert np.abs(brighter - 0.2 * 127.5 * 0.8).max() <= 2
    assert made.region(job.landmarks, 320, 320)[2] >= plain.region(job.landmarks, 320, 320)[2]


def test_a_restorer_with_a_cadence_reuses_its_correction_only_where_it_fits(tmp_path) -> None:
    of = entry(name="restorer", role="restorer", template="ffhq_512", normalisation=HALF)
    path = small.picture_function(tmp_path / of.file, side=SIDE, offset=(0.2, 0.2, 0.2))
    network = PatchNetwork(of, OrtRunner(path, folder=tmp_path))
    made = engine(tmp_path, entry(), restorer=Restorer(network, every=3))
    runs = []
    real = network.run
    network.run = lambda patches: runs.append(len(patches)) or real(patches)
    results = [made.swap([faces.job()], Settings())[0] for _ in range(4)]
    assert len(runs) == 2  # frames 0 and 3
    assert np.abs(results[1].pixels.astype(int) - results[0].pixels)[results[0].alpha > 0].max() <= 1
    opened = faces.landmarks()
    opened[:, 1] += np.where(opened[:, 1] > 150, 6, 0)  # the lower half moves: the old correction would show double
    made.swap([faces.job(points=opened)], Settings())
    assert len(runs) == 3
    made.swap([faces.job(points=opened, face=faces.source("bob"))], Settings())
    assert len(runs) == 4
    made.forget(0)
    made.swap([faces.job(points=opened, face=faces.source("bob"))], Settings())
    assert len(runs) == 5


def test_a_restorer_runs_more_seldom_or_not_at_all_where_time_is_short(tmp_path) -> None:
    of = entry(name="restorer", role="restorer", template="ffhq_512", normalisation=HALF)
    path = small.picture_function(tmp_path / of.file, side=SIDE, offset=(0.2, 0.2, 0.2))
    network = PatchNetwork(of, OrtRunner(path, folder=tmp_path))
    made = engine(tmp_path, entry(), restorer=Restorer(network, every=2))
    runs, real = [], network.run
    network.run = lambda patches: runs.append(len(patches)) or real(patches)
    seldom, never = (Settings(quality=Quality(restorer_every=every)) for every in (2, 0))
    for _ in range(8):
        made.swap([faces.job()], seldom)
    assert len(runs) == 2
    (bare,) = made.swap([faces.job()], never)
    assert len(runs) == 2
    assert np.array_equal(bare.pixels, engine(tmp_path, entry()).swap([faces.job()], Settings())[0].pixels)


def test_a_broken_restorer_leaves_the_swap_as_it_was(tmp_path) -> None:
    of = entry(name="restorer", role="restorer", template="ffhq_512")
    path = small.picture_function(tmp_path / of.file, side=SIDE, offset=(np.nan,) * 3)
    restorer = Restorer(PatchNetwork(of, OrtRunner(path, folder=tmp_path)))
    made = engine(tmp_path, entry(), restorer=restorer)
    (worn,) = made.swap([faces.job()], Settings())
    assert worn.opacity == 1
    assert np.array_equal(worn.pixels, engine(tmp_path, entry()).swap([faces.job()], Settings())[0].pixels)


def test_every_swapper_and_restorer_of_the_catalogue_runs_on_a_small_twin_of_its_interface(tmp_path) -> None:
    """All that the shipped entries say is enough to run them: ports, vectors, templates, masks, knobs."""
    catalogue, told = load_catalogue(tmp_path), []
    for of in catalogue.entries:
        if of.role not in ("swapper", "restorer"):
            continue
        path = small.interface(tmp_path / of.file, of)
        network = PatchNetwork(of, OrtRunner(path, folder=tmp_path))
        if of.role == "restorer":
            patches = np.stack([np.ascontiguousarray(faces.picture(of.input.size_px, of.input.size_px))] * 2)
            answer = network.run(patches)
            assert answer.pictures.shape == patches.shape
        else:
            length = of.identity.length if of.identity and of.identity.kind == "embedding" else 0
            people = StandIn(np.ones(length, np.float32)) if length else Identities(of)
            made = NetworkEngine(network, people, NetworkOptions(colour=0))
            for count in (0, 1, 3):
                jobs = [faces.job(track=number) for number in range(count)]
                found = made.swap(jobs, Settings())
                assert len(found) == count
                for job, worn in zip(jobs, found, strict=True):
                    assert (worn.alpha == 255).sum() > 3000
                    assert np.abs(worn.pixels.astype(int) - job.region)[worn.alpha > 0].max() <= 3
        told.append(of.name)
    assert {"inswapper_128", "hyperswap_1a_256", "gfpgan_1.4", "gpen_256"} <= set(told)


def test_a_model_of_deepfacelive_is_told_apart_by_its_family(tmp_path) -> None:
    """Rows, columns, channels; blue first; two masks of which the smaller counts, eroded and softened."""
    numbers = {"order": "bgr", "layout": "nhwc"}
    of = entry(
        family="dfm", template="dfl_whole_face", normalisation=numbers, output={"normalisation": numbers, "masks": (1,)}
    )
    path = small.picture_function(tmp_path / of.file, side=SIDE, layout="nhwc", scale=SHADE, mask=1.0)
    network = PatchNetwork(of, OrtRunner(path, folder=tmp_path))
    answer = network.run(np.ascontiguousarray(faces.picture(SIDE, SIDE))[None])
    assert answer.masks[0, 0, 0] < 0.3  # eroded from the border, and soft
    assert answer.masks[0, SIDE // 2, SIDE // 2] == pytest.approx(1, abs=1e-3)
    made = NetworkEngine(network, Identities(of), NetworkOptions(colour=0))
    job = faces.job()
    (worn,) = made.swap([job], Settings())
    assert worn.opacity == 1
    whole = worn.alpha == 255
    assert np.abs(worn.pixels - 0.8 * job.region)[whole].max() <= 4  # sharpening changes smooth pictures little


def test_the_recogniser_sees_the_upright_face(tmp_path) -> None:
    of = entry(name="r", role="recogniser", side=112, template="arcface_112_v2", normalisation=HALF, output=None)
    of = of.model_copy(update={"input": of.input.model_copy(update={"input": ""})})
    path = small.recogniser(tmp_path / of.file)
    recogniser = Recogniser(of, OrtRunner(path, folder=tmp_path), "digest")
    assert recogniser.identity(faces.source()).raw.shape == (512,)
