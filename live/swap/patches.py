"""A network that turns patches of faces into pictures of faces: swappers and restorers, as their entry describes them.

All faces go in one run. Knows pixels, entries and runners; knows neither frames nor how a patch was cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from live.errors import ModelError
from live.nets.contract import Array, Port, Runner
from live.nets.entry import Entry, Picture
from live.nets.pictures import fed, given_back
from live.swap import dfm
from live.values import Floats, Pixels

LEAST_SPAN = 2
"""Grey levels: a picture whose brightest and darkest pixel lie no farther apart is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a network made of N patches."""

    pictures: Pixels
    """(N, S, S, 3) BGR."""
    masks: Floats | None
    """(N, S, S) 0..1, where the network says that its face is; None: it says nothing."""
    fine: NDArray[np.bool_]
    """(N,) False for what is not finite or all of one colour: never to be shown."""


class PatchNetwork:
    """A swapper or restorer; one thread at a time."""

    def __init__(self, entry: Entry, runner: Runner) -> None:
        """Raises: ModelError, one line, when the file is not what its entry says."""
        assert entry.input is not None
        assert entry.output is not None
        self.name, self.side_px, self.template = entry.name, entry.input.size_px, entry.input.template
        self.runner = runner
        self._entry, self._picture, self._result = entry, entry.input, entry.output
        self._input = entry.input.input or runner.inputs[0].name
        _check(entry, entry.input, self._input, runner)
        self._knobs = {knob.input: (_port(entry, knob.input, runner), knob.value) for knob in entry.knobs}

    def run(self, patches: Pixels, identities: Array | None = None) -> Answer:
        """Run N patches in one batch.

        Args: patches (N, S, S, 3) BGR; identities (N, ...): a row each of what the entry's identity is.
        Raises: ModelError when the network fails.
        """
        if self._entry.family == "dfm":
            patches = dfm.sharpened(patches)
        inputs: dict[str, Array] = {self._input: fed(patches, self._picture.normalisation)}
        if self._entry.identity is not None:
            assert identities is not None
            inputs[_identity_input(self._entry)] = identities
        for name, (port, value) in self._knobs.items():
            inputs[name] = np.full([len(patches) if side is None else side for side in port.shape], value, port.dtype)
        found = self.runner.run(inputs)
        numbers = found[self._result.picture]
        pictures = given_back(numbers, self._result.normalisation)
        fine = np.array([_shows_something(*row) for row in zip(numbers, pictures)], np.bool_)
        masks = [_mask(found[index], self._result.normalisation.layout) for index in self._result.masks]
        if not masks:
            return Answer(pictures, None, fine)
        smallest = np.minimum.reduce(masks)
        fine = fine & np.isfinite(smallest).all(axis=(1, 2))
        smallest = np.clip(np.nan_to_num(smallest), 0, 1)
        return Answer(pictures, dfm.softened(smallest) if self._entry.family == "dfm" else smallest, fine)

    def close(self) -> None:
        """Free the network."""
        self.runner.close()


def _shows_something(numbers: Array, picture: Pixels) -> bool:
    return bool(np.isfinite(numbers).all()) and int(picture.max()) - int(picture.min()) > LEAST_SPAN


def _mask(numbers: Array, layout: str) -> Floats:
    """(N, 1, S, S), (N, S, S, 1) or (N, S, S) as (N, S, S) float32."""
    if numbers.ndim == 4:
        numbers = numbers[..., 0] if layout == "nhwc" else numbers[:, 0]
    return np.asarray(numbers, np.float32)


def _identity_input(entry: Entry) -> str:
    assert entry.identity is not None
    return entry.identity.input if entry.identity.kind == "embedding" else entry.identity.picture.input


def _port(entry: Entry, name: str, runner: Runner) -> Port:
    for port in runner.inputs:
        if port.name == name:
            return port
    there = ", ".join(port.name for port in runner.inputs)
    raise ModelError(f"{entry.file}: {entry.name} has an input {name}, the file has {there}; it is another network")


def _check(entry: Entry, picture: Picture, name: str, runner: Runner) -> None:
    """Compare a file with its entry."""
    side = picture.size_px
    wanted = (3, side, side) if picture.normalisation.layout == "nchw" else (side, side, 3)
    shape = _port(entry, name, runner).shape
    if len(shape) != 4 or any(size not in (None, want) for size, want in zip(shape[1:], wanted)):
        raise ModelError(f"{entry.file}: input {name} is {shape}, but {entry.name} takes pictures of {wanted}")
    assert entry.output is not None
    last = max(entry.output.picture, *entry.output.masks, 0)
    if last >= len(runner.outputs):
        raise ModelError(f"{entry.file}: has {len(runner.outputs)} outputs, but {entry.name} needs {last + 1}")
    used = {name, *(knob.input for knob in entry.knobs)} | ({_identity_input(entry)} if entry.identity else set())
    unfed = [port.name for port in runner.inputs if port.name not in used]
    if unfed:
        raise ModelError(f"{entry.file}: {entry.name} does not say what its input {unfed[0]} is fed with")
