"""Source face preparation: what covers a face goes, and several photos become one face."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from live.swap.mesh import cache, repair
from live.swap.mesh import texture as texture_module
from live.swap.mesh.canvas import features, load_canvas, outline_depth
from live.swap.mesh.cover import covered
from live.swap.mesh.flatten import flattened
from live.swap.mesh.fuse import fused
from live.swap.mesh.maps import SIZE_PX, field_of, poured
from live.swap.mesh.texture import make_texture
from live.swap.mesh.unwrap import unwrap
from live.values import Photo
from tests.swap.mesh.photos import BAND, Seer, painted, photo, source


@pytest.fixture(scope="module")
def canvas():
    return load_canvas()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVE_HOME", str(tmp_path))
    cache.SHELF.told.clear()


def middle(texture):
    """The texture's face, without the outer rim that hardly shows."""
    return texture.levels[0][..., :3].astype(float)[outline_depth(SIZE_PX) > 0.04]


def apart(one, other):
    return float(np.abs(middle(one) - middle(other)).mean())


def test_what_the_masker_sees_in_front_of_the_face_is_replaced(canvas):
    clean = photo()
    hurt, cover = painted(clean, BAND, (40, 200, 40), 26)
    wanted = make_texture(source(clean), canvas, Seer(np.zeros_like(cover)))
    seen = make_texture(source(hurt), canvas, Seer(cover))
    unseen = make_texture(source(hurt), canvas, Seer(np.zeros_like(cover)))
    place = np.abs(middle(unseen) - middle(wanted)).mean(axis=1) > 40
    assert place.mean() > 0.02
    assert np.abs(middle(seen) - middle(wanted)).mean(axis=1)[place].mean() < 14


def test_brows_covered_on_both_sides_come_back_darker_than_the_skin(canvas):
    clean = photo()
    hurt, cover = painted(clean, (70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300), (30, 200, 30), 44)
    cover = cv2.bitwise_or(cover, painted(clean, (10, 9), 0, 60)[1])  # a fringe comes from above
    texture = make_texture(source(hurt), canvas, Seer(cover)).levels[0][..., :3].astype(float)
    place = canvas.topology.canvas * SIZE_PX

    def at(vertex):
        x, y = place[vertex].astype(int)
        return texture[y - 4 : y + 5, x - 4 : x + 5].mean()

    assert max(at(105), at(334), at(66), at(296)) < 0.9 * min(at(151), at(50), at(280))
    greener = texture[..., 1] - texture[..., [0, 2]].max(axis=2)
    assert greener[outline_depth(SIZE_PX) > 0.02].max() < 40


def test_a_hole_that_the_masker_sees_inside_a_shadow_is_none(canvas):
    clean = photo()
    cover = painted(clean, (6, 197), 0, 12)[1]  # beside the bridge of the nose
    view = flattened(unwrap(clean, canvas, texture_module.ask(Seer(cover), clean)), canvas)
    nose = (canvas.topology.canvas[197] * SIZE_PX).astype(int)
    assert view.open[nose[1] - 6, nose[0]] < 0.5
    assert covered(view, canvas)[nose[1] - 6, nose[0]] < 0.1


def test_moles_stay_and_strands_go(canvas):
    clean = photo()
    view = flattened(unwrap(clean, canvas, None), canvas)
    x, y = (canvas.topology.canvas[337] * SIZE_PX).astype(int)  # on the forehead
    mole, strand = view.pixels.copy(), view.pixels.copy()
    cv2.circle(mole, (int(x), int(y)), 6, (20, 20, 25), -1)
    cv2.line(strand, (int(x) - 40, int(y)), (int(x) + 40, int(y)), (20, 20, 25), 10)
    assert covered(replace(view, pixels=mole), canvas)[y, x] < 0.1
    assert covered(replace(view, pixels=strand), canvas)[y, x] > 0.9


def turned(one, yaw_deg):
    """Landmarks of the photo's face turned; its picture stays."""
    angle, centre = np.radians(yaw_deg), one.landmarks.mean(axis=0)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]], np.float32)
    return ((one.landmarks - centre) @ turn.T + centre).astype(np.float32)


@pytest.mark.parametrize("yaw", [-50, 50])
def test_what_lies_behind_the_nose_is_known_to_be_hidden(canvas, yaw):
    one = photo()
    landmarks = turned(one, yaw)
    face, right = outline_depth(SIZE_PX) > 0.02, np.arange(SIZE_PX) >= SIZE_PX // 2
    assert unwrap(one, canvas, None).hidden[face].mean() < 0.03
    view = unwrap(Photo(one.image, landmarks), canvas, None)
    far, near = (face & side for side in ((right, ~right) if yaw > 0 else (~right, right)))
    assert view.hidden[far].mean() > 0.3
    assert view.hidden[near].mean() < 0.01
    assert view.facing[far].mean() < 0.3 < 0.9 < view.facing[near].mean()


def test_a_photo_that_ends_at_the_cheek_shows_nothing_beyond(canvas):
    one = photo()
    x = int(one.landmarks[50, 0])
    moved = one.landmarks - np.float32((x, 0, 0))
    hidden = unwrap(Photo(one.image[:, x:].copy(), moved), canvas, None).hidden
    column = int(canvas.topology.canvas[50, 0] * SIZE_PX)
    row = int(canvas.topology.canvas[50, 1] * SIZE_PX)
    assert hidden[row, column - 40] == 1
    assert hidden[row, column + 40] < 0.1


def test_a_place_that_one_photo_hides_comes_from_the_other(canvas):
    clean = photo()
    first, cover = painted(clean, BAND, (40, 200, 40), 40)
    second, other = painted(clean, (338, 334, 280, 426), (200, 40, 40), 40)
    empty = np.zeros_like(cover)
    wanted = make_texture(source(clean), canvas, Seer(empty))
    both = make_texture(source(first, second), canvas, Seer(cover, other))
    alone = make_texture(source(first), canvas, Seer(cover))
    assert apart(both, wanted) < apart(alone, wanted)
    assert apart(both, wanted) < 4


def test_detail_comes_from_the_sharper_photo_whichever_is_first(canvas):
    sharp = photo()
    dull = Photo(cv2.GaussianBlur(sharp.image, (0, 0), 4), sharp.landmarks)

    def detail(texture):
        grey = cv2.cvtColor(texture.levels[0], cv2.COLOR_BGRA2GRAY).astype(np.float32)
        return cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.CV_32F)[outline_depth(SIZE_PX) > 0.05].std()

    alone, blurred = detail(make_texture(source(sharp), canvas)), detail(make_texture(source(dull), canvas))
    assert blurred < 0.7 * alone
    for photos in ((sharp, dull), (dull, sharp)):
        assert detail(make_texture(source(*photos), canvas)) > 0.92 * alone


def test_photos_in_other_light_do_not_leave_patches(canvas):
    one = photo()
    warm = Photo(np.clip(one.image * np.array((0.7, 0.9, 1.1)), 0, 255).astype(np.uint8), one.landmarks)
    views = [flattened(unwrap(each, canvas, None), canvas) for each in (one, warm)]
    hole = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    hole[:, 200:300] = 1  # the first does not show this stripe
    view, _ = fused(views, [hole, np.zeros_like(hole)], canvas)
    plain = (outline_depth(SIZE_PX) > 0.06) & (features(SIZE_PX, grow=0.02) == 0)
    tone = cv2.GaussianBlur(np.log(view.pixels.clip(0) + 6) - field_of(view.skin, canvas), (0, 0), 4)
    before = cv2.GaussianBlur(np.log(views[0].pixels.clip(0) + 6) - field_of(views[0].skin, canvas), (0, 0), 4)
    assert np.abs(tone - before)[plain].mean() < 0.03


def test_a_photo_that_lies_a_little_off_does_not_double_the_face(canvas):
    one = photo()
    off = Photo(one.image, one.landmarks + np.float32((2.5, 2.0, 0)))
    alone = make_texture(source(one), canvas)
    assert apart(make_texture(source(one, off), canvas), alone) < 0.6 * apart(make_texture(source(off), canvas), alone)


def test_proportions_follow_the_neutral_photo(canvas):
    one = photo()
    talking = one.landmarks.copy()
    talking[[14, 87, 178, 88, 317, 402, 318, 17, 152, 148, 377], 1] += 40
    both = make_texture(source(one, Photo(one.image, talking)), canvas)
    neutral, loud = (make_texture(source(Photo(one.image, points)), canvas) for points in (one.landmarks, talking))
    near, far = (np.abs(both.proportions - other.proportions).mean() for other in (neutral, loud))
    assert near < 0.3 * far
    assert both.opening < 0.3 * loud.opening


def test_pouring_goes_on_with_what_is_around():
    values = np.zeros((SIZE_PX, SIZE_PX, 3), np.float32)
    values[:, : SIZE_PX // 2], values[:, SIZE_PX // 2 :] = 1, 3
    known = np.ones((SIZE_PX, SIZE_PX), np.float32)
    known[200:300, 100:200] = known[200:300, 450:550] = 0
    values[known == 0] = 99
    whole = poured(values, known)
    assert abs(float(whole[250, 150, 0]) - 1) < 0.1
    assert abs(float(whole[250, 500, 0]) - 3) < 0.1


def test_shade_at_the_temples_is_levelled_and_a_beard_stays():
    canvas = load_canvas()
    depth = outline_depth(SIZE_PX)
    expected = np.full((SIZE_PX, SIZE_PX, 3), 5.0, np.float32)
    shaded = expected - 0.4 * ((depth > 0) & (depth < 0.05))[..., None]
    levelled = repair._levelled_rim(shaded, expected, np.ones_like(depth), canvas)
    rim = (depth > 0.012) & (depth < 0.03)
    upper, lower = rim.copy(), rim.copy()
    upper[int(0.5 * SIZE_PX) :] = False
    lower[: int(0.75 * SIZE_PX)] = False
    assert np.abs(levelled - expected)[upper].mean() < 0.5 * np.abs(shaded - expected)[upper].mean()
    assert np.array_equal(levelled[lower], shaded[lower])
    assert np.array_equal(levelled[depth > 0.1], shaded[depth > 0.1])


def test_stripes_that_a_photo_shows_only_stretched_on_both_sides_become_skin(canvas):
    view = flattened(unwrap(photo(), canvas, None), canvas)
    stripes = 60 * (np.arange(SIZE_PX) // 6 % 2)[:, None, None].astype(np.float32)
    stretched = (view.facing < 0.05) & (view.facing[:, ::-1] < 0.05) & (outline_depth(SIZE_PX) > 0.03)
    assert stretched.sum() > 1000
    open_ = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    clean = repair.filled(view, open_, canvas)
    striped = repair.filled(replace(view, pixels=view.pixels + stripes * stretched[..., None]), open_, canvas)
    assert np.abs(striped - clean)[stretched].mean() < 6
    inner = (view.facing > 0.95) & (outline_depth(SIZE_PX) > 0.12)
    assert np.abs(clean - view.pixels)[inner].mean() < 3, "what is seen well stays"
