"""The embedded engine on the device: live/swap/mesh/device.py with its textures and tracks in tables.

Source faces and tracks have rows of tables that stay on the device, so a row of a batch only says which. Knows the mesh
engine; knows nothing about frames or batches.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import torch
from torch import Tensor

from live.faces.masker import Masker
from live.nets.packing import Field, Rows
from live.swap.device.contract import Dressed, Target, Wanted
from live.swap.mesh import device_track
from live.swap.mesh.canvas import GRID, load_canvas, step
from live.swap.mesh.device import MeshStep, options_of
from live.swap.mesh.device_slot import Faces, Takeover, Wearing, wearing_of
from live.swap.mesh.engine import MeshOptions
from live.swap.mesh.pose import checked
from live.swap.mesh.texture import SIZE_PX, make_texture
from live.swap.mesh.topology import VERTICES
from live.values import FULL, Quality, SourceFace

SOURCES = 16
"""Source faces on the device, 4.7 MB each; the one not worn for longest makes room."""


class MeshWear:
    """The wear `mesh`."""

    name = "mesh"
    frames = 1
    patches_px = ()
    takes = (
        Field("source", (), "int64"),
        Field("source_before", (), "int64"),
        Field("takeover"),
        Field("shape"),
    )

    def __init__(
        self, options: MeshOptions, masker: Masker | None, tracks: int, device: torch.device | str = "cpu"
    ) -> None:
        """Args: masker: looks at the photos of source faces; tracks: rows of the tables."""
        self._options, self._masker, self._canvas = options, masker, load_canvas()
        self._step = MeshStep(device)
        self._tensors = options_of(options, device)
        self._states = self._step.fresh(tracks)
        self._sources = _tables(self._step.tables.basis.shape[1], device)
        self._device = device
        self._rows: dict[str, int] = {}
        """By the key of a source face, the one worn last at the end."""
        self._worn: dict[int, tuple[str, str, float]] = {}
        """By track: the source face it wears, the one before, and since when."""
        self._lock = threading.Lock()

    def prepare(self, source: SourceFace) -> None:
        """Make the source face's texture and bring it to the device."""
        if source.key in self._rows:
            return
        checked(source.landmarks)
        texture = wearing_of([make_texture(source, self._canvas, self._masker)], self._device)
        with self._lock:
            if source.key in self._rows:  # another thread was quicker
                return
            row = len(self._rows)
            if row >= SOURCES:
                row = self._rows.pop(next(iter(self._rows)))
            for table, part in zip(self._sources, texture):
                table[row] = part[0]
            if self._sources.atlas.is_cuda:  # frames read the row on another stream
                torch.cuda.current_stream(self._sources.atlas.device).synchronize()
            self._rows[source.key] = row

    def fill(self, rows: Rows, number: int, face: Wanted) -> None:
        """Say which texture the row wears, and what it takes over from."""
        source, track, now_s = face.source, face.track, face.now_s
        if source.key not in self._rows:
            self.prepare(source)
        worn, before, since_s = self._worn.get(track, (source.key, source.key, -1e9))
        if worn != source.key:
            worn, before, since_s = source.key, worn, now_s
        self._worn[track] = worn, before, since_s
        passed_s = now_s - since_s
        share = 1.0
        crossfade_s = face.settings.takeover_s(self._options.crossfade_s)
        if before in self._rows and 0 <= passed_s < crossfade_s:
            share = step(passed_s, 0.0, crossfade_s)
        with self._lock:
            self._rows[worn] = self._rows.pop(worn)  # worn last
        rows["source"][number] = self._rows[worn]
        rows["source_before"][number] = self._rows.get(before, self._rows[worn])
        rows["takeover"][number] = share
        rows["shape"][number] = face.settings.shape if face.settings.quality.bend else 0.0

    def forget(self, track: int) -> None:
        """What the track wore before is forgotten; its light and proportions begin anew with a fresh row."""
        self._worn.pop(track, None)

    def variant(self, number: int, quality: Quality = FULL) -> str:
        """There is one line."""
        return "plain"

    def __call__(self, target: Target, given: Mapping[str, Tensor], variant: str = "plain") -> Dressed:
        """Swap N faces by the mesh engine's step."""
        where = target.where
        target.join()
        known = device_track.of_rows(self._states, where.track)
        known = known._replace(age=torch.where(where.fresh > 0, -1, known.age))
        faces = Faces(
            target.picture.byte().permute(0, 2, 3, 1),
            target.extent,
            target.landmarks[:, :VERTICES],
            given["shape"],
            target.mask,
            target.matrix,
            torch.full_like(where.fresh, target.masked, dtype=torch.bool),
            target.landmarks[:, VERTICES:, :2],
        )
        worn = Wearing(*(table[given["source"]] for table in self._sources))
        before = Wearing(*(table[given["source_before"]] for table in self._sources))
        out = self._step(
            faces, worn, self._tensors, known, Takeover(before, given["takeover"]), irises=self._options.iris > 0
        )
        device_track.store(self._states, where.keep, out.state)
        return Dressed(
            out.pixels.permute(0, 3, 1, 2).float(),
            out.alpha[:, None].float(),
            out.opacity,
            out.ok,
            torch.ones_like(out.ok),
        )


def _tables(functions: int, device: torch.device | str) -> Wearing:
    """Room for the textures of source faces."""
    shapes = ((3, SIZE_PX, SIZE_PX * 3 // 2), (functions, 3), (3, GRID, GRID), (), (VERTICES, 3), (), (3,), ())
    return Wearing(*(torch.zeros(SOURCES, *shape, device=device) for shape in shapes))
