import cv2
import numpy as np
import pytest

from live.bench.quality import read_source
from live.swap.mesh import light
from live.swap.mesh.canvas import load_canvas
from live.swap.mesh.pose import facing_of, pose_of
from live.swap.mesh.shape import difference, mouth_opening, moved, proportions
from live.swap.mesh.texture import SIZE_PX, make_texture
from live.swap.mesh.topology import load_topology


@pytest.fixture(scope="module")
def canvas():
    return load_canvas()


def grey(texture):
    return cv2.cvtColor(texture.levels[0], cv2.COLOR_BGRA2GRAY).astype(float)


def on_canvas(canvas, vertex):
    return tuple((canvas.topology.canvas[vertex] * SIZE_PX).astype(int))


def test_hair_over_the_forehead_is_not_worn(data, canvas):
    fringe = read_source(data / "faces" / "portraits", "00027.webp")  # long hair hides one side
    texture = grey(make_texture(fringe, canvas))
    cheeks = np.median([texture[on_canvas(canvas, vertex)[::-1]] for vertex in (50, 280, 205, 425)])
    in_picture = cv2.cvtColor(fringe.image, cv2.COLOR_BGR2GRAY)
    hidden = 0
    for vertex in (69, 108, 151, 337, 299, 333, 298, 127, 356):  # forehead and temples
        x, y = fringe.landmarks[vertex, :2].astype(int)
        hidden += in_picture[y - 3 : y + 4, x - 3 : x + 4].mean() < 0.5 * cheeks
        x, y = on_canvas(canvas, vertex)
        assert texture[y - 3 : y + 4, x - 3 : x + 4].mean() > 0.55 * cheeks
    assert hidden > 0


def test_a_side_that_was_not_seen_is_filled_from_the_other(data, canvas):
    turned = read_source(data / "faces" / "portraits", "00002.webp")
    yaw_deg = pose_of(turned.landmarks[:468], canvas.topology).yaw_deg
    assert abs(yaw_deg) > 15
    texture = grey(make_texture(turned, canvas))
    for left, right in ((50, 280), (205, 425), (187, 411)):
        one, other = (texture[on_canvas(canvas, vertex)[::-1]] for vertex in (left, right))
        assert abs(one - other) < 40


def test_small_levels_are_the_same_face(data, canvas):
    texture = make_texture(read_source(data / "faces" / "portraits", "00006.webp"), canvas)
    sides = [level.shape[0] for level in texture.levels]
    assert sides == [SIZE_PX >> number for number in range(len(sides))]
    small = cv2.resize(texture.levels[2], (SIZE_PX, SIZE_PX)).astype(float)
    assert np.abs(small - texture.levels[0]).mean() < 4


def test_light_from_one_side_is_found_and_taken_out(canvas):
    cells = canvas.basis
    colours = (cells[:, [0]] * (4.0, 4.2, 4.6) + 0.4 * cells[:, [1]]).astype(np.float32)  # lit along x
    found = light.fit(colours, np.ones(len(cells), np.float32), canvas)
    assert np.abs(cells @ found - colours).max() < 0.05


def test_a_hand_of_other_colour_does_not_shift_the_skin(canvas):
    random = np.random.default_rng(0)
    colours = np.tile(np.float32((4.2, 4.5, 4.9)), (len(canvas.basis), 1)) + random.normal(
        0, 0.03, (len(canvas.basis), 3)
    )
    covered = np.arange(len(colours)) % 5 == 0
    colours[covered] -= 1.5
    found = light.fit(colours.astype(np.float32), canvas.skin, canvas)
    assert np.abs((canvas.basis @ found)[~covered] - (4.2, 4.5, 4.9)).mean() < 0.08


def test_proportions_do_not_depend_on_pose(data):
    topology = load_topology()
    face = read_source(data / "faces" / "portraits", "00006.webp").landmarks[:468]
    straight = proportions(face, pose_of(face, topology), topology)
    angle = np.radians(25)
    turn = np.float32(((np.cos(angle), 0, np.sin(angle)), (0, 1, 0), (-np.sin(angle), 0, np.cos(angle))))
    turned = (face - face.mean(0)) @ turn.T * 1.7 + 300
    assert np.abs(proportions(turned, pose_of(turned, topology), topology) - straight).max() < 0.02


def test_a_face_lacks_nothing_of_itself_and_moves_toward_another(data):
    topology = load_topology()
    faces = [read_source(data / "faces" / "portraits", name).landmarks[:468] for name in ("00006.webp", "00043.webp")]
    poses = [pose_of(face, topology) for face in faces]
    mine, theirs = (proportions(face, pose, topology) for face, pose in zip(faces, poses))
    assert np.abs(difference(mine, mine, 0.0)).max() == 0
    lack = difference(theirs, mine, mouth_opening(faces[1]))
    placed = moved(faces[0], poses[0], lack)
    after = proportions(placed, poses[0], topology)
    before_apart, after_apart = np.abs(mine - theirs)[:, :2].mean(), np.abs(after - theirs)[:, :2].mean()
    assert after_apart < 0.75 * before_apart


def test_faces_turned_away_face_away():
    topology = load_topology()
    front = facing_of(topology.positions, topology)
    assert (front > -0.3).all()
    assert (front > 0.3).mean() > 0.8
    back = facing_of(topology.positions * np.float32((-1, 1, -1)), topology)  # turned by 180 degrees
    assert (back < 0.3).all()
