"""The embedded engine on the device: the arithmetic of engine.py for a batch of faces, in torch.

A step is a straight line from tensors to tensors with fixed shapes: nothing waits for the host, no branch depends on a
value, so that a CUDA graph can hold it; on CPU torch the same lines run and are tested against the host's. Knows slots,
landmarks and textures; knows nothing about frames, streams, graphs or source faces' names. Needs float32 matrix
products at full precision, torch's default.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from live.swap.mesh import (
    device_draw,
    device_iris,
    device_lens,
    device_light,
    device_mask,
    device_shape,
    device_track,
    mask,
)
from live.swap.mesh.device_draw import Drawn
from live.swap.mesh.device_lens import Area
from live.swap.mesh.device_shape import Pose
from live.swap.mesh.device_slot import Faces, Takeover, Wearing
from live.swap.mesh.device_tables import Tables, load_tables, ramp
from live.swap.mesh.device_track import State
from live.swap.mesh.engine import _LENS_EVERY, _LENS_RATE, _TRANSITION, _UNCOVERED, _WHOLE, MeshOptions
from live.swap.mesh.texture import _LEVELS, SIZE_PX
from live.swap.mesh.topology import RING_REACH, load_topology


class Options(NamedTuple):
    """MeshOptions as tensors, so that a captured graph follows when they change. All (), float32, unless said."""

    colour: Tensor
    light: Tensor
    keep: Tensor
    """(3,) 0 or 1: the left eye, the right eye, the mouth."""
    edges: Tensor
    """(FINE, FINE) 0..1: the opacity that the outline leaves."""
    fade_deg: Tensor
    """(2,)"""
    iris: Tensor
    lens: Tensor
    """0 or 1"""
    memory_frames: Tensor


class Dressed(NamedTuple):
    """What comes out of a step, for N faces."""

    pixels: Tensor
    """(N, S, S, 3) uint8 BGR."""
    alpha: Tensor
    """(N, S, S) uint8: how much of `pixels` replaces the region; 0 outside the face."""
    opacity: Tensor
    """(N,) 0..1, as contract.Worn's."""
    ok: Tensor
    """(N,) bool: False where no face could be drawn from the landmarks or a value is not finite; alpha is then 0, the
    state unchanged and the frame not proven."""
    state: State
    """To be handed to the next step."""


class _Colours(NamedTuple):
    """What colours a texture, on the grid of cells."""

    gain: Tensor
    """(N, 3, CELLS, CELLS)"""
    plain: Tensor
    """(N, 3, CELLS, CELLS) BGR 0..255."""


def options_of(options: MeshOptions, device: torch.device | str = "cpu") -> Options:
    """Bring options to the device."""
    keep = (options.keep_eyes, options.keep_eyes, options.keep_mouth)
    edges = mask.edge(reach=options.reach, softness=options.softness)
    return Options(
        torch.tensor(float(options.colour), device=device),
        torch.tensor(float(options.light), device=device),
        torch.tensor([float(each) for each in keep], device=device),
        torch.from_numpy(edges).to(device),
        torch.tensor(options.fade_deg, dtype=torch.float32, device=device),
        torch.tensor(float(options.iris), device=device),
        torch.tensor(float(options.lens), device=device),
        torch.tensor(float(options.memory_frames), device=device),
    )


class MeshStep:
    """The step. Keeps nothing but constants: two sessions may share one."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.tables: Tables = load_tables(device)
        self._face_triangles = load_topology().face_triangles
        self._sides = torch.tensor([SIZE_PX >> level for level in range(_LEVELS)], dtype=torch.float32, device=device)
        self._left = torch.tensor([0] + [SIZE_PX] * (_LEVELS - 1), dtype=torch.float32, device=device)
        tops = [0] + [SIZE_PX - (SIZE_PX >> level) for level in range(_LEVELS - 1)]
        self._top = torch.tensor(tops, dtype=torch.float32, device=device)
        self._bench = device_lens.bench(device)

    def fresh(self, count: int) -> State:
        """Return the state of faces that were never seen."""
        return device_track.fresh(count, self.tables)

    def __call__(
        self,
        faces: Faces,
        worn: Wearing,
        options: Options,
        known: State,
        takeover: Takeover | None = None,
        *,
        focus: bool = True,
        irises: bool = False,
    ) -> Dressed:
        """Swap N faces. With and without `takeover`, `focus` and `irises` are different graphs.

        Args: focus: False leaves out the look at sharpness and grain: for frames in which it is no face's turn;
            irises: whether `options.iris` counts.
        """
        tables, side = self.tables, faces.region.shape[1]
        usable = device_shape.usable(faces.landmarks, faces.extent)
        landmarks = torch.where(usable[:, None, None], faces.landmarks, tables.positions + side / 2)
        # 1) look: how the face stands, its light, its proportions
        inside = _inside(faces)
        picture = faces.region.permute(0, 3, 1, 2).float()
        facing = device_shape.facing_of(landmarks, tables, self._face_triangles)
        pose = device_shape.pose_of(landmarks, tables)
        state = device_track.look(known, picture, faces.extent, landmarks, facing, pose, options.memory_frames, tables)
        # 2) draw: where everything lies
        placed = self._placed(landmarks, faces.shape, pose, worn, state, takeover)
        own = device_shape.with_ring(landmarks[..., :2], tables, RING_REACH)
        drawn = device_draw.draw(own, placed, facing, faces.shape > 0, tables)
        # 3) colour and opacity on the cells, brought to the pixels together
        faded = ramp(pose.yaw_deg().abs(), options.fade_deg[0], options.fade_deg[1])
        cells, open_share = self._opacity(drawn, faces, state, options)
        cells = cells * (1 - faded)[:, None, None]
        colours = self._colours(drawn, worn, state, options)
        parts = [drawn.at.permute(0, 3, 1, 2), drawn.origin.permute(0, 3, 1, 2), cells[:, None], drawn.share[:, None]]
        parts += colours
        if takeover is not None:
            parts += self._colours(drawn, takeover.before, state, options)
        full = drawn.grid.enlarged(torch.cat(parts, dim=1), side)
        at, origin, opacity, share, *tones = torch.split(full, [part.shape[1] for part in parts], dim=1)
        # 4) the face, over the target bent to its proportions
        face = self._coloured(at, worn, _Colours(*tones[:2]), pose, state)
        if takeover is not None:
            before = self._coloured(at, takeover.before, _Colours(*tones[2:]), pose, state)
            face = before + takeover.share[:, None, None, None] * (face - before)
        blur_px = (pose.scale * _TRANSITION).clamp(min=1)
        kept = device_mask.kept(placed, blur_px, options.keep, side, tables)
        opacity = torch.round(_whole_steps(opacity) * (1 - kept[:, None])) * inside
        area = _area(drawn, placed, faces.extent)
        if focus:
            found = device_lens.compare(picture, face, opacity, area, self._bench)
            due = (state.age % _LENS_EVERY == 0) & (options.lens > 0)
            state = state._replace(lens=device_lens.toward(state.lens, found, _LENS_RATE, due))
        lens = state.lens._replace(known=state.lens.known & (options.lens > 0))
        face = device_lens.apply(face, lens, state.age, area, self._bench)
        own, around = picture, torch.zeros_like(opacity)
        if irises:
            own, around = self._painted(picture, faces, worn, options, state, takeover)
        pixels, alpha = _laid(own, faces.extent, face, opacity, origin, _whole_steps(share) * inside, around)
        ok = usable & torch.isfinite(full).flatten(1).all(dim=1) & torch.isfinite(pixels).flatten(1).all(dim=1)
        shown = (1 - faded).minimum(ramp(open_share, *_UNCOVERED))
        return Dressed(
            torch.where(ok[:, None, None, None], pixels, picture).permute(0, 2, 3, 1).round().clamp(0, 255).byte(),
            torch.where(ok[:, None, None], alpha[:, 0], 0).byte(),
            torch.where(ok, shown, 0),
            ok,
            device_track.chosen(ok, state, known),
        )

    def _placed(
        self, landmarks: Tensor, shape: Tensor, pose: Pose, worn: Wearing, state: State, takeover: Takeover | None
    ) -> Tensor:
        """Return where the worn faces have the targets' points, (N, 468, 3) px."""
        lack = device_shape.difference(worn.proportions, state.built, worn.opening, self.tables)
        if takeover is not None:
            before = takeover.before
            other = device_shape.difference(before.proportions, state.built, before.opening, self.tables)
            lack = other + takeover.share[:, None, None] * (lack - other)
        return device_shape.moved(landmarks, pose, shape[:, None, None] * lack)

    def _painted(
        self,
        picture: Tensor,
        faces: Faces,
        worn: Wearing,
        options: Options,
        state: State,
        takeover: Takeover | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the pictures with the sources' colour in the targets' irises, and masks around them, 0..255."""
        wanted, amount = self._irises(worn, options, state), options.iris * options.keep[0] * worn.iris_known
        if takeover is not None:
            share, known = takeover.share[:, None], takeover.before.iris_known[:, None] > 0
            before = self._irises(takeover.before, options, state)
            wanted = torch.where(known, before + share * (wanted - before), wanted)
            amount = torch.where(known[:, 0], amount, amount * takeover.share)
        tone = (self.tables.basis_of_skin @ state.skin).mean(dim=-1)
        own, around = device_iris.repainted(picture, faces, wanted, tone, amount, self.tables)
        return own, around * (amount > 0)[:, None, None, None]

    def _irises(self, worn: Wearing, options: Options, state: State) -> Tensor:
        """Return the colours (N, 3), logarithms, of the textures' irises in the targets' light."""
        gain = device_light.gain(state.skin, worn.skin, self.tables, colour=options.colour, light=options.light)
        return device_iris.in_light(worn.iris, gain, self.tables)

    def _colours(self, drawn: Drawn, worn: Wearing, state: State, options: Options) -> _Colours:
        gain = device_light.gain(state.skin, worn.skin, self.tables, colour=options.colour, light=options.light)
        return _Colours(*device_mask.look_up(torch.cat([gain, gain * worn.plain], dim=1), drawn.at).chunk(2, dim=1))

    def _coloured(self, at: Tensor, worn: Wearing, colours: _Colours, pose: Pose, state: State) -> Tensor:
        """Return the worn faces (N, 3, S, S) in the targets' light.  Args: at (N, 2, S, S); colours at that size."""
        scale = pose.scale * 8.9 / 260  # outer eye corners: 8.9 canonical units, 260 px of the texture
        level = torch.round(-torch.log2(scale.clamp(min=1e-3))).clamp(0, _LEVELS - 1).long()
        side, left, top = (table[level][:, None, None] for table in (self._sides, self._left, self._top))
        x, y = ((at[:, axis] * side).clamp(min=0.5).minimum(side - 0.5) for axis in (0, 1))  # stay in the level
        where = torch.stack([(x + left) * 2 / worn.atlas.shape[3] - 1, (y + top) * 2 / worn.atlas.shape[2] - 1], dim=-1)
        bare = F.grid_sample(worn.atlas, where, padding_mode="border", align_corners=False)
        face = (bare * colours.gain).clamp(0, 255)
        coloured = device_light.colourfulness(state.skin, self.tables)
        grey = (face * self._bench.grey).sum(dim=1, keepdim=True)
        face = grey + _whole(coloured) * (face - grey)
        plain = colours.plain.clamp(0, 255)
        return plain + _whole(device_light.detail(state.depth, worn.depth)) * (face - plain)

    def _opacity(self, drawn: Drawn, faces: Faces, state: State, options: Options) -> tuple[Tensor, Tensor]:
        """Return the opacity (N, CELLS, CELLS) 0..1, and how much of it is left by what covers the face (N,)."""
        edge = device_mask.opacity(options.edges, state.bare, faces.masked, self.tables)
        cells = device_mask.look_up(edge, drawn.at)[:, 0] * device_mask.covered(drawn.face)
        seen = torch.where(faces.masked[:, None, None], device_mask.seen(faces.mask, faces.matrix, drawn.origin), 1)
        return cells * seen, (cells * seen).sum(dim=(1, 2)) / cells.sum(dim=(1, 2)).clamp(min=1)


def _area(drawn: Drawn, placed: Tensor, extent: Tensor) -> Area:
    """Return the part of the region in which the worn faces lie."""
    return Area(
        drawn.corner, (torch.ceil(placed[..., :2].amax(dim=1)) + drawn.grid.step[:, None]).minimum(extent.flip(1))
    )


def _inside(faces: Faces) -> Tensor:
    """Return (N, 1, S, S) 1 in the region, 0 in the rest of the slot."""
    pixel = torch.arange(faces.region.shape[1], device=faces.region.device)
    rows, columns = (pixel < faces.extent[:, axis, None] for axis in (0, 1))
    return (rows[:, None, :, None] & columns[:, None, None, :]).float()


def _whole_steps(share: Tensor) -> Tensor:
    """Return shares 0..1 as 0..255, rounded down as on the host; what interpolation leaves of 1 still counts as 1."""
    return torch.floor(share * 255 + 0.01)


def _whole(share: Tensor) -> Tensor:
    """Return shares (N,) as (N, 1, 1, 1), 1 from where on nothing is taken away."""
    return torch.where(share < _WHOLE, share, 1)[:, None, None, None]


def _laid(
    picture: Tensor, extent: Tensor, face: Tensor, opacity: Tensor, origin: Tensor, bent: Tensor, painted: Tensor
) -> tuple[Tensor, Tensor]:
    """Lay faces (N, 3, S, S) over the targets bent to their proportions.

    Args: picture (N, 3, S, S) whose region has extent (N, 2); opacity, bent (N, 1, S, S) 0..255: of the face, and where
        its surroundings come from another place, origin (N, 2, S, S) px; painted (N, 1, S, S) 0..255: where the picture
        is not as it came.
    Returns: pixels (N, 3, S, S) and alpha (N, 1, S, S), both 0..255.
    """
    side = picture.shape[-1]
    last = (extent.flip(1) - 1)[:, None, None]
    where = torch.minimum(origin.permute(0, 2, 3, 1).clamp(min=0), last)
    moved = F.grid_sample(
        torch.cat([picture, painted], dim=1), (2 * where + 1) / side - 1, padding_mode="border", align_corners=False
    )
    under, alpha = moved[:, :3], torch.maximum(torch.maximum(opacity, bent), torch.floor(moved[:, 3:] + 0.01))
    return torch.where(alpha > 0, under + opacity / alpha.clamp(min=1) * (face - under), picture), alpha
