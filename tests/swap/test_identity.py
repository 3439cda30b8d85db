"""What swappers are told of a source face, in each way that the field's swappers want it."""

from __future__ import annotations

import numpy as np
import pytest

from live.errors import FaceError, ModelError
from live.faces.recogniser import Identity
from live.nets.entry import Embedding
from live.nets.ort_runner import OrtRunner
from live.swap.identity import MOST_KEPT, Emap, Identities, Projector, between, projected
from tests.nets import small
from tests.swap import faces
from tests.swap.test_network import HALF, entry

RAW = np.array([3.0, 0, 4.0, 0], np.float32)
EMAP = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)


def how(first: bool, last: bool, projection: str = "none") -> Embedding:
    projector = "p" if projection == "network" else None
    return Embedding(
        input="source",
        recogniser="r",
        projection=projection,
        projector=projector,
        normalise_first=first,
        normalise_last=last,
        length=4,
    )


def test_a_projection_may_be_a_matrix_or_a_network(tmp_path) -> None:
    assert np.allclose(Emap(EMAP)(RAW), RAW @ EMAP)
    path = small.projector(tmp_path / "projector.onnx", EMAP)
    network = Projector(OrtRunner(path, folder=tmp_path))
    assert np.allclose(network(RAW), RAW @ EMAP, atol=1e-5)
    network.close()
    with pytest.raises(ModelError, match="is closed"):
        network(RAW)


class Recogniser:
    def __init__(self, raw=RAW) -> None:
        self.raw, self.asked = raw, 0

    def identity(self, source) -> Identity:
        self.asked += 1
        return Identity(self.raw)


def test_the_vector_goes_through_what_the_entry_says() -> None:
    unit = RAW / 5
    assert np.allclose(projected(RAW, how(True, False), None), unit)
    assert np.allclose(projected(RAW, how(False, False), None), RAW)
    mapped = unit @ EMAP
    insightface = projected(RAW, how(True, True, "emap"), lambda vector: vector @ EMAP)
    assert np.allclose(insightface, mapped / np.linalg.norm(mapped), atol=1e-6)
    unmeasured = projected(RAW, how(False, False, "network"), lambda vector: vector @ EMAP)  # ghost: as long as it is
    assert np.allclose(unmeasured, RAW @ EMAP, atol=1e-5)


def test_a_source_face_is_made_once_and_the_oldest_makes_room() -> None:
    recogniser = Recogniser()
    people = Identities(entry(identity=how(True, False).model_dump()), recogniser)
    for _ in range(3):
        people.of(faces.source("ada"))
    assert recogniser.asked == 1
    for number in range(MOST_KEPT):
        people.of(faces.source(f"p{number}"))
        people.of(faces.source("p0"))
    assert not people.has(faces.source("ada"))
    assert people.has(faces.source("p0"))


def test_a_swapper_that_wants_a_picture_gets_the_source_face_upright() -> None:
    likeness = {
        "kind": "picture",
        "picture": {"input": "source", "size_px": 112, "template": "arcface_112_v2", "normalisation": HALF},
    }
    fed = Identities(entry(identity=likeness)).of(faces.source())
    assert fed.shape == (3, 112, 112)
    assert -1 <= fed.min() < 0 < fed.max() <= 1


def test_a_swapper_of_one_face_is_told_nothing() -> None:
    people = Identities(entry())
    assert people.of(faces.source()) is None
    assert people.has(faces.source())


def test_what_is_missing_is_said_when_the_engine_is_made() -> None:
    of = entry(identity=how(True, True, "emap").model_dump())
    with pytest.raises(ModelError, match="needs the recogniser r"):
        Identities(of)
    with pytest.raises(ModelError, match="needs its projection, emap"):
        Identities(of, Recogniser())


def test_a_projection_that_makes_nothing_is_refused() -> None:
    people = Identities(entry(identity=how(True, True, "emap").model_dump()), Recogniser(), np.zeros_like)
    with pytest.raises(FaceError, match="nothing can be made of the photos of ada"):
        people.of(faces.source())


def test_the_way_between_two_vectors_keeps_their_length() -> None:
    one, other = np.array([2.0, 0, 0], np.float32), np.array([0, 4.0, 0], np.float32)
    assert np.allclose(between(one, other, 0), one)
    assert np.allclose(between(one, other, 1), other)
    assert np.linalg.norm(between(one, other, 0.5)) == pytest.approx(3)
    assert np.allclose(between(one, -one, 0.5), -one)  # the middle of opposites is nobody
