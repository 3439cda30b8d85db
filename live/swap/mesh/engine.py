"""The embedded engine `mesh`: wears a source face's texture on the target's landmark mesh, on any CPU.

One face, a straight line: look at the light, move the points, draw the mesh on a coarse grid, colour it at full
resolution, lay it over the target with a soft edge. Knows regions and landmarks; knows nothing about frames or outputs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import cv2
import numpy as np

from live.faces.masker import Masker
from live.swap.contract import Job, Visible, Worn
from live.swap.mesh import iris, lay, lens, light, mask, shape
from live.swap.mesh.canvas import Canvas, load_canvas, ramp, step
from live.swap.mesh.draw import Drawn, draw
from live.swap.mesh.pose import Pose, checked, facing_of, pose_of
from live.swap.mesh.texture import SIZE_PX, Texture, make_texture
from live.swap.mesh.topology import LIPS_INNER
from live.swap.mesh.track import Track, look
from live.values import Box, Floats, Pixels, Settings, SourceFace

log = logging.getLogger(__name__)

MOST_TEXTURES = 32
"""Source faces that are kept prepared, 2.3 MB each; the oldest makes room."""
_LENS_EVERY, _LENS_RATE = 10, 0.3  # frames; share of a new look that is taken over
_WHOLE = 0.97  # share of detail or colour from which on nothing is taken away
_TRANSITION = 0.2  # canonical units: half the width of the step from the worn face to the target's eyes and mouth
_UNCOVERED = (0.12, 0.25)
"""Share of the face that has to be uncovered: with less of it worn, whoever is under there is not swapped."""
_MARGIN = 0.14  # of the face's size, around the mesh: the ring reaches out 0.126 at most, whatever the pose


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """How the mesh engine does its work. All shares are 0..1."""

    colour: float = 0.5
    """How far the skin tone follows the target's."""
    light: float = 0.8
    """How far the distribution of light follows the target's."""
    keep_eyes: bool = True
    """The target's own eyes look out of the face."""
    keep_mouth: bool = True
    """The target's own teeth and tongue show between the lips."""
    softness: float = 0.05
    """Width of the soft edge in shares of the face's width."""
    reach: float = 1.0
    """How far the face reaches: 1 to the jaw line, temples and the upper end of the mesh, 0 only its middle."""
    fade_deg: tuple[float, float] = (62.0, 76.0)
    """Yaw at which the face starts to fade, and at which it is gone."""
    iris: float = 0.0
    """How far the target's irises take the source's colour."""
    lens: bool = True
    """The face gets the camera's blur and grain."""
    memory_frames: float = 10.0
    """Time constant of everything that is smoothed over time."""
    crossfade_s: float = 0.0
    """How long another source face takes to take over; 0: from one frame to the next."""


class MeshEngine:
    """The engine of the contract. `swap` and `forget` belong to one thread; `prepare` may run on another."""

    name = "mesh"
    proves = True

    def __init__(self, options: MeshOptions | None = None, masker: Masker | None = None) -> None:
        """Args: masker: looks at the photos of source faces; one of its own, since `prepare` may run on any thread."""
        self._masker = masker
        self.options = options or MeshOptions()
        self._canvas: Canvas = load_canvas()
        self._edges = mask.edge(reach=self.options.reach, softness=self.options.softness)
        self._textures: dict[str, Texture] = {}
        self._worn: frozenset[str] = frozenset()
        self._tracks: dict[int, Track] = {}
        self._preparing = threading.Lock()

    def region(self, landmarks: Floats, width_px: int, height_px: int) -> Box:
        """Return the mesh's bounding box with its margin, clipped to the frame, x1 and y1 even; empty if unusable."""
        points = landmarks[:468, :2]
        if not np.isfinite(points).all():
            return 0, 0, 0, 0
        low, high = points.min(axis=0), points.max(axis=0)
        margin = _MARGIN * (high - low)
        limit = np.array((width_px, height_px))
        x1, y1 = (np.clip(np.floor(low - margin), 0, limit)).astype(int) & ~1
        x2, y2 = np.clip(np.ceil(high + margin), 0, limit).astype(int)
        return (int(x1), int(y1), int(x2), int(y2)) if x2 > x1 and y2 > y1 else (0, 0, 0, 0)

    def prepare(self, source: SourceFace) -> None:
        """Make the source face's texture; free when it is already there."""
        with self._preparing:
            if source.key not in self._textures:
                checked(source.landmarks)
                self._textures[source.key] = make_texture(source, self._canvas, self._masker)
                idle = [key for key in self._textures if key != source.key and key not in self._worn]
                for key in idle[: max(0, len(self._textures) - MOST_TEXTURES)]:
                    del self._textures[key]

    def swap(self, jobs: Sequence[Job], settings: Settings) -> list[Worn]:
        """Put each job's source face on. `settings.strength` is left to whoever lays `alpha` over the frame.

        Raises: ValueError for landmarks from which no face can be drawn in the region.
        """
        if jobs:
            self._worn = frozenset(job.source.key for job in jobs)
        return [self._swap_one(job, settings) for job in jobs]

    def forget(self, track: int) -> None:
        """Drop the light, hair and proportions remembered for a track."""
        self._tracks.pop(track, None)

    def close(self) -> None:
        """Nothing is held."""

    def _swap_one(self, job: Job, settings: Settings) -> Worn:
        options, landmarks = self.options, checked(job.landmarks)
        facing, pose = facing_of(landmarks, self._canvas.topology), pose_of(landmarks, self._canvas.topology)
        track = look(self._tracks.get(job.track), job, landmarks, facing, pose, self._canvas, options.memory_frames)
        self._tracks[job.track] = track
        texture = self._texture_of(job.source)
        takeover = self._takeover(job, texture, track, settings.takeover_s(options.crossfade_s))
        placed = landmarks
        if settings.shape > 0 and settings.quality.bend:
            lack = track.lack(job.source.key, texture)
            if takeover < 1 and track.before is not None:
                lack = lack + np.float32(1 - takeover) * (track.lack(track.before_key, track.before) - lack)
            placed = shape.moved(landmarks, pose, np.float32(settings.shape) * lack)
        drawn = draw(landmarks, placed, facing, job.region.shape[:2], self._canvas.topology)
        faded = step(abs(pose.yaw_deg), *options.fade_deg)
        face = self._colour(drawn, texture, track, pose)
        if takeover < 1 and track.before is not None:
            cv2.addWeighted(face, takeover, self._colour(drawn, track.before, track, pose), 1 - takeover, 0, dst=face)
        visible = job.visible() if job.visible else None
        opacity, open_share = self._opacity(drawn, track, pose, placed, 1 - faded, visible)
        if options.lens and settings.quality.lens:
            face = self._through_lens(job, drawn, face, opacity, track)
        own, irises = self._own(job, texture, track, takeover, visible)
        pixels, alpha = own.copy(), np.zeros(own.shape[:2], np.uint8)
        if drawn.bent is not None:
            lay.bend(own, irises, drawn.bent, pixels, alpha)
        elif irises is not None:
            alpha[:] = irises
        lay.over(drawn, face, opacity, pixels, alpha)
        return Worn(pixels, alpha, min(1 - faded, step(open_share, *_UNCOVERED)))

    def _takeover(self, job: Job, texture: Texture, track: Track, crossfade_s: float) -> float:
        """Return how far the job's source face has taken over from the one worn before, 0..1."""
        if track.worn != job.source.key:
            track.before, track.before_key = self._textures.get(track.worn), track.worn
            track.worn, track.since_s = job.source.key, job.time_s
        passed_s = job.time_s - track.since_s
        if track.before is None or not 0 <= passed_s < crossfade_s:
            track.before = None
            return 1.0
        return step(passed_s, 0.0, crossfade_s)

    def _through_lens(self, job: Job, drawn: Drawn, face: Pixels, opacity: Pixels, track: Track) -> Pixels:
        """Return the worn face (h, w, 3) as soft and as grainy as the target's picture."""
        if track.age % _LENS_EVERY == 0:
            x1, y1, x2, y2 = drawn.part.area
            found = lens.compare(job.region[y1:y2, x1:x2], face, opacity)
            if found is not None:
                track.lens = found if track.lens is None else track.lens.toward(found, _LENS_RATE)
        return face if track.lens is None else lens.apply(face, track.lens, track.age)

    def _own(
        self, job: Job, texture: Texture, track: Track, takeover: float, visible: Visible | None
    ) -> tuple[Pixels, Pixels | None]:
        """Return the target's own picture, irises in the source's colour where wanted, and a mask of what was painted.

        Returns: (H, W, 3), and (H, W) 255 around the irises, None where none is painted.
        """
        options = self.options
        if options.iris <= 0 or not options.keep_eyes or texture.iris is None:
            return job.region, None
        amount, wanted = options.iris, self._iris(texture, track)
        if takeover < 1 and track.before is not None:
            if track.before.iris is None:
                amount *= takeover
            else:
                before = self._iris(track.before, track)
                wanted = before + np.float32(takeover) * (wanted - before)
        tone = float(light.mean_colour(track.skin, self._canvas).mean())
        return iris.repainted(job.region, job.landmarks, wanted, tone, amount, visible)

    def _iris(self, texture: Texture, track: Track) -> Floats:
        """Return the colour (3,), logarithms, of a texture's irises in the target's light."""
        assert texture.iris is not None
        options = self.options
        gain = light.gain(track.skin, texture.skin, self._canvas, colour=options.colour, light=options.light)
        return iris.in_light(texture.iris, gain, self._canvas)

    def _texture_of(self, source: SourceFace) -> Texture:
        texture = self._textures.get(source.key)
        if texture is None:
            log.warning("source face %s was not prepared; preparing it now holds the picture", source.name)
            self.prepare(source)
            texture = self._textures[source.key]
        return texture

    def _colour(self, drawn: Drawn, texture: Texture, track: Track, pose: Pose) -> Pixels:
        """Return the worn face (h, w, 3) in the target's light."""
        options = self.options
        scale = pose.scale * 8.9 / 260  # outer eye corners: 8.9 canonical units, 260 px of the texture
        level = min(max(round(-log2(max(scale, 1e-3))), 0), len(texture.levels) - 1)
        size = np.float32(SIZE_PX >> level)
        where = drawn.part.enlarged(drawn.at * size - np.float32(0.5))
        bare = cv2.remap(texture.levels[level], where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        bare = cv2.cvtColor(bare, cv2.COLOR_BGRA2BGR)
        gain = light.gain(track.skin, texture.skin, self._canvas, colour=options.colour, light=options.light)
        worn: Pixels = cv2.multiply(bare, drawn.part.enlarged(mask.look_up(gain, drawn.at)), dtype=cv2.CV_8U)
        coloured = light.colourfulness(track.skin, self._canvas)
        if coloured < _WHOLE:
            grey = cv2.cvtColor(cv2.cvtColor(worn, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            cv2.addWeighted(worn, coloured, grey, 1 - coloured, 0, dst=worn)
        share = light.detail(track.depth, texture.depth)
        if share < _WHOLE:
            plain = drawn.part.enlarged(mask.look_up(gain * texture.plain, drawn.at))
            cv2.addWeighted(worn, share, cv2.convertScaleAbs(plain), 1 - share, 0, dst=worn)
        return worn

    def _opacity(
        self, drawn: Drawn, track: Track, pose: Pose, placed: Floats, share: float, visible: Visible | None
    ) -> tuple[Pixels, float]:
        """Return the opacity (h, w) 0..255, and how much of it is left by what covers the face, 0..1."""
        options = self.options
        edge = self._edges if visible else mask.opacity(self._edges, track.bare, self._canvas)
        covered = cv2.blur(drawn.face, (5, 5), borderType=cv2.BORDER_REPLICATE)
        cells = mask.look_up(edge, drawn.at) * ramp(covered, 0.5, 1.0)
        open_share = 1.0
        if visible is not None:
            whole = float(cells.sum())
            cells *= mask.seen(visible, drawn.own)
            open_share = float(cells.sum()) / max(whole, 1.0)
        cells *= 255 * share
        alpha = drawn.part.enlarged(cells).astype(np.uint8)
        corner, blur_px = np.array(drawn.part.area[:2], np.float32), max(1.0, pose.scale * _TRANSITION)
        kept = np.zeros_like(alpha)
        if options.keep_eyes:
            rings, closed = mask.eye_rings(placed)
            mask.keep(kept, rings - corner, blur_px * (1 + 2 * closed))
        if options.keep_mouth:
            mask.keep(kept, placed[None, LIPS_INNER, :2] - corner, blur_px)
        return cv2.multiply(alpha, cv2.bitwise_not(kept), scale=1 / 255), open_share
