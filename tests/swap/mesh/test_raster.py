import numpy as np
import pytest

from live.swap.mesh import raster


def random_mesh(seed, count=40):
    """A triangulated square of jittered points: every cell belongs to it, no gaps."""
    random = np.random.default_rng(seed)
    side = 7
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2).astype(np.float32)
    inner = ((grid > 0) & (grid < side - 1)).all(axis=1)
    grid[inner] += random.uniform(-0.3, 0.3, (inner.sum(), 2))
    corner = np.arange(side * side).reshape(side, side)[:-1, :-1].ravel()
    triangles = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + side], 1),
            np.stack([corner + 1, corner + side + 1, corner + side], 1),
        ]
    ).astype(np.int32)
    return (grid * (count - 1) / (side - 1)).astype(np.float32), triangles, count


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_leave_no_cracks(seed):
    points, triangles, count = random_mesh(seed)
    seen = raster.draw(points, triangles, np.arange(len(triangles), dtype=np.int32), (count, count))
    assert (seen != raster.EMPTY).all()


@pytest.mark.parametrize("seed", range(5))
def test_values_between_vertices_are_linear(seed):
    points, triangles, count = random_mesh(seed)
    values = points @ np.float32(((2, -1), (0.5, 3))) + 7
    seen = raster.draw(points, triangles, np.arange(len(triangles), dtype=np.int32), (count, count))
    filled = raster.fill(seen, raster.planes(points, values.astype(np.float32), triangles))
    row, column = np.indices((count, count))
    expected = np.stack([column, row], -1) @ np.float32(((2, -1), (0.5, 3))) + 7
    assert np.abs(filled.transpose(1, 2, 0) - expected).max() < 0.01


def test_each_cell_lies_in_the_triangle_it_names():
    points, triangles, count = random_mesh(9)
    seen = raster.draw(points, triangles, np.arange(len(triangles), dtype=np.int32), (count, count))
    one_at_each_corner = np.zeros((len(points), 1), np.float32)
    row, column = np.indices(seen.shape)
    for number in np.unique(seen):
        for corner in triangles[number]:
            one_at_each_corner[:] = 0
            one_at_each_corner[corner] = 1
            weight = raster.planes(points, one_at_each_corner, triangles)[0, :, number]
            inside = weight[0] * column + weight[1] * row + weight[2]
            assert inside[seen == number].min() > -0.02


def test_later_triangles_cover_earlier_ones():
    points = np.float32(((0, 0), (20, 0), (0, 20), (0, 0), (20, 0), (0, 20)))
    triangles = np.int32(((0, 1, 2), (3, 4, 5)))
    for order in ([0, 1], [1, 0]):
        seen = raster.draw(points, triangles, np.int32(order), (21, 21))
        assert set(np.unique(seen)) == {raster.EMPTY, order[1]}


def test_what_lies_outside_the_grid_is_left_out():
    points = np.float32(((-50, -50), (60, -50), (5, 90)))
    seen = raster.draw(points, np.int32(((0, 1, 2),)), np.int32([0]), (12, 10))
    assert (seen == 0).all()
    far = raster.draw(points + 1000, np.int32(((0, 1, 2),)), np.int32([0]), (12, 10))
    assert (far == raster.EMPTY).all()


def test_slivers_do_no_harm():
    points = np.float32(((3, 3), (3, 3), (9, 9), (4, 1), (4, 1), (4, 1)))
    triangles = np.int32(((0, 1, 2), (3, 4, 5)))
    seen = raster.draw(points, triangles, np.int32([0, 1]), (12, 12))
    filled = raster.fill(seen, raster.planes(points, points, triangles))
    assert np.isfinite(filled).all()


def test_drawing_nothing_gives_an_empty_grid():
    seen = raster.draw(np.zeros((3, 2), np.float32), np.int32(((0, 1, 2),)), np.empty(0, np.int32), (4, 5))
    assert seen.shape == (4, 5)
    assert (seen == raster.EMPTY).all()
