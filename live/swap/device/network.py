"""A network from the catalogue on the device: what live/swap/network.py does, for a batch, in one captured line.

Five points to the template, patch, network, the target's colours, an edge that is soft and leaves out what covers the
face, a restorer where there is one, back into the region. Knows tensors, entries and modules; nothing about frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from live.faces.alignment import FIVE, destination
from live.faces.device_look import in_order
from live.nets.contract import Array
from live.nets.entry import Embedding, Entry, Picture
from live.nets.guard import guarded
from live.nets.packing import Field, Rows
from live.nets.pictures import to_numbers, to_pixels
from live.nets.templates import template
from live.pixels.device import composed, inverted
from live.swap import edges, tone
from live.swap.device import patch
from live.swap.device.contract import Dressed, Target, Wanted
from live.swap.identity import Identities, between
from live.swap.mesh.canvas import step
from live.swap.mesh.device_tables import ramp
from live.swap.mesh.pose import pose_of
from live.swap.mesh.topology import VERTICES, load_topology
from live.swap.network import _UNCOVERED, LEAST_CHANGE, NetworkOptions
from live.swap.patches import LEAST_SPAN
from live.swap.restore import MOST_MOVED
from live.values import FULL, Quality, SourceFace


class PatchModule:
    """A swapper or restorer as a module, fed and read as its entry says."""

    def __init__(self, entry: Entry, module: nn.Module, inputs: tuple[str, ...], device: torch.device | str) -> None:
        """Args: inputs: the names of the module's inputs in its order."""
        assert entry.input is not None
        assert entry.output is not None
        self.name, self.picture, self.result = entry.name, entry.input, entry.output
        self.template = template(entry.input.template or "arcface_128")
        self.network, self._inputs = module, inputs
        self._input = entry.input.input or inputs[0]
        self._identity = entry.identity
        self._knobs = {knob.input: torch.tensor(knob.value, device=device) for knob in entry.knobs}
        self._in, self._out = (
            [torch.from_numpy(part).to(device)[:, None, None] for part in table(normalisation)]
            for table, normalisation in (
                (to_numbers, entry.input.normalisation),
                (to_pixels, entry.output.normalisation),
            )
        )

    def in_order(self, given: Sequence[Array]) -> list[Array]:
        """Put the picture, then the identity, into the order of the network's inputs, with its knobs' values."""
        names = [self._input, *([] if len(given) == 1 else [self._identity_input()])]
        values = dict(zip(names, given)) | {name: knob.cpu().numpy()[None] for name, knob in self._knobs.items()}
        return [values[name] for name in self._inputs]

    def _identity_input(self) -> str:
        assert self._identity is not None
        return self._identity.input if isinstance(self._identity, Embedding) else self._identity.picture.input

    def __call__(self, patches: Tensor, identities: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """Run N patches (N, 3, S, S) BGR 0..255.

        Returns: pictures of the same kind, masks (N, 1, S, S) 0..1 or None, and (N,) bool: whether it made something.
        """
        numbers = _ordered(patches, self.picture) * self._in[0] + self._in[1]
        given = {self._input: _laid_out(numbers, self.picture)}
        if self._identity is not None:
            assert identities is not None
            given[self._identity_input()] = identities
        given |= {name: value.expand(len(patches)) for name, value in self._knobs.items()}
        found = self.network(*(given[name] for name in self._inputs))
        answer = found[self.result.picture]
        if self.result.normalisation.layout == "nhwc":
            answer = answer.permute(0, 3, 1, 2)
        answer, fine = guarded(answer, torch.zeros_like(answer))
        pictures = (answer * self._out[0] + self._out[1]).clamp(0, 255)
        if self.result.normalisation.order == "rgb":
            pictures = pictures.flip(1)
        fine = fine & (pictures.flatten(1).amax(dim=1) - pictures.flatten(1).amin(dim=1) > LEAST_SPAN)
        masks = None
        for index in self.result.masks:
            mask = found[index].reshape(len(patches), 1, *pictures.shape[2:])
            mask, whole = guarded(mask, torch.zeros_like(mask))
            fine, mask = fine & whole, mask.clamp(0, 1)
            masks = mask if masks is None else torch.minimum(masks, mask)
        return pictures, masks, fine


@dataclass(slots=True)
class Restoring:
    """A restorer after the swap."""

    module: PatchModule
    blend: float = 0.8
    every: int = 1
    """It runs on every n-th frame; in between its last correction is laid on, as far as the face lies still."""


@dataclass(slots=True)
class _Track:
    """What the host remembers of a track, for the crossfade."""

    worn: str
    identity: Array
    before: Array | None = None
    since_s: float = 0.0


class NetworkWear:
    """The wear of a swapper."""

    frames = 4

    def __init__(
        self,
        module: PatchModule,
        identities: Identities,
        identity_shape: tuple[int, ...],
        options: NetworkOptions,
        tracks: int,
        device: torch.device | str = "cpu",
        restoring: Restoring | None = None,
    ) -> None:
        """Args: identity_shape: of what the network is told of a source face, () for nothing; tracks: table rows."""
        self.name = module.name if restoring is None else f"{module.name} and {restoring.module.name}"
        self.takes: tuple[Field, ...] = (Field("shown"),)
        if identity_shape:
            self.takes = (*self.takes, Field("identity", identity_shape))
        self.patches_px = [module.picture.size_px * options.boost]
        self.module, self.identities, self._options, self.restoring = module, identities, options, restoring
        self._side_px = module.picture.size_px * options.boost
        target = torch.from_numpy(destination(module.template, module.picture.size_px, options.boost)).to(device)
        self._fit = patch.Fit(target)
        self._five, self._topology = torch.tensor(FIVE, device=device), load_topology()
        self._box = torch.from_numpy(edges.box(self._side_px).copy()).to(device)[None, None]
        self._colours = patch.Colours(device)
        self._tones = torch.from_numpy(tone.SAME).to(device).repeat(tracks, 1, 1)
        self._outline = patch.Outline(self._side_px, reach=options.reach, softness=options.softness, device=device)
        self._worn: dict[int, _Track] = {}
        if restoring is not None:
            side = restoring.module.picture.size_px
            self.patches_px.append(side)
            self._restored_fit = patch.Fit(torch.from_numpy(destination(restoring.module.template, side)).to(device))
            self._restored_box = torch.from_numpy(edges.box(side).copy()).to(device)[None, None] * restoring.blend
            self._corrections = torch.zeros(tracks, 3, side, side, dtype=torch.float16, device=device)
            self._points = torch.zeros(tracks, VERTICES, 2, device=device)

    def prepare(self, source: SourceFace) -> None:
        """Make what the network is told of the source face."""
        self.identities.of(source)

    def fill(self, rows: Rows, number: int, face: Wanted) -> None:
        """Write what the network is told, on its way from the source face before where there was one.

        How far a face has turned away is judged by the frame before: a frame late, and a tenth of the operations less.
        """
        yaw_deg = pose_of(face.landmarks[:VERTICES], self._topology).yaw_deg
        rows["shown"][number] = 1 - step(abs(yaw_deg), *self._options.fade_deg)
        source, track, now_s = face.source, face.track, face.now_s
        wanted = self.identities.of(source)
        if wanted is None:
            return
        known = self._worn.get(track)
        if known is None:
            known = self._worn[track] = _Track(source.key, wanted)
        crossfade_s = face.settings.takeover_s(self._options.crossfade_s)
        fades = wanted.ndim == 1 and crossfade_s > 0
        if known.worn != source.key:
            known.before = known.identity if fades else None
            known.worn, known.since_s = source.key, now_s
        share = (now_s - known.since_s) / crossfade_s if fades else 1.0
        if known.before is not None and 0 <= share < 1:
            known.identity = between(known.before, wanted, step(share, 0.0, 1.0))
        else:
            known.before, known.identity = None, wanted
        rows["identity"][number] = known.identity

    def forget(self, track: int) -> None:
        """Another track begins in this row; its tone begins anew with a fresh row."""
        self._worn.pop(track, None)

    def variant(self, number: int, quality: Quality = FULL) -> str:
        """`restore` for the frames in which the restorer runs, else `plain`."""
        every = 0 if self.restoring is None else self.restoring.every * quality.restorer_every
        return "restore" if every and number % every == 0 else "plain"

    def __call__(self, target: Target, given: Mapping[str, Tensor], variant: str = "plain") -> Dressed:
        """Swap N faces."""
        sampler, shown = target.pyramid.sampler, given["shown"]
        matrices, usable = self._fit(target.landmarks[:, self._five, :2])
        back = inverted(matrices)
        whole, shares = target.beside(lambda: self._mask(target, matrices, back))
        patches = target.pyramid.cut(back, self._side_px, border=True).round()
        pictures, masks, fine = self._swapped(patches, given.get("identity"))
        target.join()
        shares = shares if masks is None else shares * masks
        open_share = torch.where(whole < 1, 0, shares.sum(dim=(1, 2, 3)) / whole.clamp(min=1))
        pictures = self._toned(pictures, patches, shares, target)
        faded = (shares * (255 * shown)[:, None, None, None]).round()
        laid = sampler.put_back(torch.cat([pictures, faded], dim=1), matrices)
        alpha, ok = laid[:, 3:].round() * target.inside, usable & fine
        pixels = torch.where(ok[:, None, None, None], laid[:, :3], target.picture)
        if self.restoring is not None:
            pixels = self._restored(target, pixels, alpha, variant)
        opacity = shown.minimum(ramp(open_share, *_UNCOVERED)) * _changed(pictures, patches, shares)
        return Dressed(pixels, torch.where(ok[:, None, None, None], alpha, 0), opacity, ok, fine)

    def _swapped(self, patches: Tensor, identities: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """All faces through the network, with their tiles where there are more pixels than it takes."""
        times = self._options.boost
        if times == 1:
            return self.module(patches, identities)
        if identities is not None:
            identities = identities.repeat_interleave(times * times, dim=0)
        pictures, masks, fine = self.module(patch.dealt(patches, times), identities)
        gathered = None if masks is None else patch.gathered(masks, times)
        return patch.gathered(pictures, times), gathered, fine.reshape(-1, times * times).all(dim=1)

    def _mask(self, target: Target, matrices: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
        """Return how large the faces are (N,) px, and where nothing covers them (N, 1, s, s) 0..1."""
        inside = self._outline(patch.moved(target.landmarks[:, :VERTICES, :2], matrices))
        shares = torch.minimum(self._box, inside)
        whole = shares.sum(dim=(1, 2, 3))
        if target.masked:
            onward = composed(target.matrix, back)
            shares = shares * patch.seen(target.mask, onward, self._side_px, target.pyramid.sampler)
        return whole, shares

    def _toned(self, pictures: Tensor, patches: Tensor, shares: Tensor, target: Target) -> Tensor:
        """Pictures in the targets' colours, steady over time."""
        if self._options.colour <= 0:
            return pictures
        where, now = target.where, self._colours.tone_map(pictures, patches, shares)

        def follow(row: slice, known: Tensor) -> tuple[Tensor]:
            followed = known + (now[row] - known) / self._options.memory_frames
            return (torch.where(where.fresh[row, None, None] > 0, now[row], followed),)

        (tones,) = in_order(where, (self._tones,), follow)
        self._tones.index_copy_(0, where.keep, tones)
        return self._colours.toned(pictures, tones, self._options.colour)

    def _restored(self, target: Target, pixels: Tensor, alpha: Tensor, variant: str) -> Tensor:
        """Worn faces (N, 3, S, S) with the restorer's detail, or with what is left of it from the frame before."""
        assert self.restoring is not None
        where, module, sampler = target.where, self.restoring.module, target.pyramid.sampler
        matrices, usable = self._restored_fit(target.landmarks[:, self._five, :2])
        shown = target.picture + alpha / 255 * (pixels - target.picture)
        patches = sampler.pyramid(shown).cut(inverted(matrices), module.picture.size_px, border=True).round()
        points = patch.moved(target.landmarks[:, :VERTICES, :2], matrices)
        if variant == "restore":
            pictures, _, fine = module(patches, None)
            correction = torch.where((fine & usable)[:, None, None, None], pictures - patches, 0)
            self._corrections.index_copy_(0, where.keep, correction.half())
            self._points.index_copy_(0, where.keep, points)
        else:
            off = (points - self._points[where.track]).norm(dim=-1).sort(dim=1).values[:, VERTICES * 9 // 10]
            still = 1 - ramp(off / module.picture.size_px, MOST_MOVED / 2, MOST_MOVED)
            still = torch.where(where.fresh > 0, 0, still)
            correction = self._corrections[where.track].float() * still[:, None, None, None]
        box = self._restored_box.expand(len(pixels), -1, -1, -1)
        back = sampler.put_back(torch.cat([(patches + correction).clamp(0, 255), box], dim=1), matrices)
        return pixels + back[:, 3:] * usable[:, None, None, None] * (back[:, :3] - pixels)


def _changed(pictures: Tensor, patches: Tensor, shares: Tensor) -> Tensor:
    """Whether each picture (N, 3, S, S) differs from its patch at all where it shows (N, 1, S, S); (N,) bool."""
    where = shares > 0.5
    off = ((pictures - patches).abs() * where).sum(dim=(1, 2, 3)) / (3 * where.sum(dim=(1, 2, 3))).clamp(min=1)
    return off >= LEAST_CHANGE


def _ordered(patches: Tensor, picture: Picture) -> Tensor:
    return patches.flip(1) if picture.normalisation.order == "rgb" else patches


def _laid_out(numbers: Tensor, picture: Picture) -> Tensor:
    return numbers.permute(0, 2, 3, 1) if picture.normalisation.layout == "nhwc" else numbers
