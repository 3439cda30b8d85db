import subprocess
import sys
from pathlib import Path

import numpy as np

import live.swap.mesh.topology as module
from live.swap.mesh.topology import LIDS_LEFT, LIDS_RIGHT, VERTICES, load_topology

ROOT = Path(module.__file__).parents[3]
STORED = Path(module.__file__).with_name("topology.npz")


def test_the_stored_mesh_is_what_its_script_makes_of_the_published_one(data, tmp_path):
    script = ROOT / "models" / "training" / "topology.py"
    made = tmp_path / "topology.npz"
    obj = data / "mesh" / "canonical_face_model.obj"
    subprocess.run([sys.executable, str(script), "--obj", str(obj), "--out", str(made)], check=True, timeout=60)
    with np.load(made) as new, np.load(STORED) as stored:
        assert set(new.files) == set(stored.files)
        assert all(np.array_equal(new[key], stored[key]) for key in new.files)


def test_the_mesh_is_a_disc_with_a_ring_around_it():
    topology = load_topology()
    assert topology.triangles.shape == (898 + 72, 3)
    assert topology.face_triangles == 898
    assert len(set(topology.outline)) == 36
    assert topology.triangles[:898].max() == VERTICES - 1
    edges = np.sort(
        np.concatenate([topology.triangles[:, [0, 1]], topology.triangles[:, [1, 2]], topology.triangles[:, [2, 0]]])
    )
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert uses.max() == 2
    assert (uses == 1).sum() == 36  # the ring's outer border


def test_all_triangles_face_the_viewer_on_the_canvas():
    topology = load_topology()
    a, b, c = (topology.canvas[topology.triangles[:, corner]] for corner in range(3))
    twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (twice > 0).all()
    assert topology.canvas.min() > 0
    assert topology.canvas.max() < 1


def test_mirrored_vertices_are_each_others_mirror_images():
    topology = load_topology()
    mirror = topology.mirror
    assert np.array_equal(mirror[mirror], np.arange(VERTICES))
    assert np.abs(topology.positions[mirror] * (-1, 1, 1) - topology.positions).max() < 0.01
    assert np.array_equal(mirror[list(LIDS_LEFT)], LIDS_RIGHT)


def test_the_ring_lies_outside_the_outline():
    topology = load_topology()
    ring = topology.with_ring(topology.positions[:, :2])[VERTICES:]
    border = topology.positions[topology.outline, :2]
    middle = border.mean(axis=0)
    assert (np.linalg.norm(ring - middle, axis=1) > 1.15 * np.linalg.norm(border - middle, axis=1)).all()
