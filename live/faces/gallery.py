"""The gallery: the source faces there are, the user's own and the bundled people, each with its consent.

A folder per face, on this computer only. Knows files, names and consent; photo.py judges photos, and who finds the
faces in them is passed in as `look`.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from live.consent import BUNDLED, checked_consent
from live.errors import FaceError
from live.pixels.people import people_names, read_person
from live.pixels.pictures import PictureError, read_picture
from live.resources import home_dir
from live.values import Face, Floats, Photo, Pixels, SourceFace

from . import entry, photo

log = logging.getLogger(__name__)

Look = Callable[[Pixels], list[Face]]
"""Finds all faces of a (H, W, 3) BGR picture."""


class Gallery:
    """The source faces of one folder and the bundled people."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: None is the user's own, `faces` in $LIVE_HOME or in the platform's folder for user data."""
        self.folder = folder or home_dir() / "faces"

    def names(self) -> list[str]:
        """All faces: the user's own first, then the bundled people, both in alphabetical order."""
        return [name for name, _ in self.listing()]

    def listing(self) -> list[tuple[str, str]]:
        """Name and consent of all faces. A broken entry is logged with what to do and left out."""
        own = []
        for place in entry.places(self.folder):
            try:
                card = entry.read_card(place)
            except FaceError as error:
                log.warning("%s", error)
            else:
                own.append((card.name, card.consent))
        return sorted(own, key=lambda pair: pair[0].casefold()) + [(name, BUNDLED) for name in people_names()]

    def get(self, name: str) -> SourceFace:
        """Read a face. Raises: FaceError for an unknown name (with near ones) or a broken entry."""
        place = self._place(name)
        if place is not None and place.is_dir():
            card, photos = entry.read(place)
            return source_face(
                card.name, photos[0].image, photos[0].landmarks, card.consent, tuple(photos[1:]), stored=True
            )
        if name in people_names():
            person = read_person(name)
            return source_face(person.name, person.image, person.landmarks, BUNDLED, stored=True)
        raise self._unknown(name)

    def check(self, file: Path, look: Look) -> list[str]:
        """What speaks against a photo as a source face, one line each; empty when nothing does."""
        try:
            picture = read_picture(file)
        except PictureError as error:
            return [str(error)]
        return [f"{file.name}: {line}" for line in photo.findings(picture, look(picture))]

    def add(self, file: Path, name: str, consent: str, look: Look, more: Sequence[Path] = ()) -> SourceFace:
        """Add a photo's face under a name; whole or not at all.

        Args: more: further photos of the same person, which may show the face from farther to the side.
        Raises: ConsentError without a statement of consent; FaceError for a name that is taken or not allowed, a photo
        that does not serve or too many; PictureError for a file that is no picture.
        """
        name = entry.checked_name(name)
        consent = checked_consent(consent, file, f"live faces add {{photo}} --name {entry.quoted(name)}")
        if name.casefold() in people_names():
            raise FaceError(f"{name} is a bundled person; choose another --name")
        place = entry.place_of(self.folder, name)
        if place.exists():
            again = f"live faces remove {entry.quoted(name)}"
            raise FaceError(f"there is a face {name} already; choose another --name, or first: {again}")
        files = [file, *more]
        if len(files) > entry.MOST_PHOTOS:
            raise FaceError(f"{len(files)} photos are too many; give the best {entry.MOST_PHOTOS}")
        photos = [_face_of(file, look), *(_face_of(one, look, photo.MOST_YAW_FURTHER_DEG) for one in more)]
        hashes = " ".join(hashlib.sha256(one.read_bytes()).hexdigest() for one in files)
        card = entry.Card(name, consent, hashes, photos=len(photos))
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = Path(tempfile.mkdtemp(prefix=entry.UNFINISHED, dir=self.folder))
            try:
                entry.write(fresh, card, photos)
                fresh.rename(place)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
        except OSError as error:
            raise FaceError(
                f"cannot write to {self.folder} ({error.strerror or error}); free or allow it and add again"
            ) from error
        return self.get(name)

    def remove(self, name: str) -> None:
        """Delete one of the user's own faces, broken ones too. Raises: FaceError for others."""
        place = self._place(name)
        if place is None or not place.is_dir():
            if name in people_names():
                raise FaceError(f"{name} is a bundled person and stays; only faces that you added can be removed")
            raise self._unknown(name)
        try:
            shutil.rmtree(place)
        except OSError as error:
            raise FaceError(f"cannot remove {place} ({error.strerror or error}); allow it and try again") from error

    def from_photo(self, file: Path, consent: str, look: Look, name: str | None = None) -> SourceFace:
        """A source face for one run; nothing is stored. Raises: as `add`."""
        consent = checked_consent(consent, file, "live --face {photo}")
        one = _face_of(file, look)
        return source_face(name or file.stem, one.image, one.landmarks, consent)

    def _place(self, name: str) -> Path | None:
        """The folder a name has; None for a name that cannot be one."""
        try:
            return entry.place_of(self.folder, entry.checked_name(name))
        except FaceError:
            return None

    def _unknown(self, name: str) -> FaceError:
        names = self.names()
        folded = {known.casefold(): known for known in names}
        near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, 3, 0.6)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
        return FaceError(
            f"there is no face {name[:60]!r}; {hint}; add one with: live faces add PHOTO --name NAME --consent TEXT"
        )


def source_face(
    name: str, image: Pixels, landmarks: Floats, consent: str, more: tuple[Photo, ...] = (), *, stored: bool = False
) -> SourceFace:
    """A source face; its key is the hash of its pictures and landmarks."""
    content = hashlib.sha256()
    for one in (Photo(image, landmarks), *more):
        content.update(repr(one.image.shape).encode())
        content.update(np.ascontiguousarray(one.image).tobytes())
        content.update(np.ascontiguousarray(one.landmarks, np.float32).tobytes())
    return SourceFace(name, content.hexdigest(), image, landmarks, consent, more, stored)


def _face_of(file: Path, look: Look, most_yaw_deg: float = photo.MOST_YAW_DEG) -> Photo:
    """The crop of the only face of a photo. Raises: PictureError; FaceError with all findings."""
    picture = read_picture(file)
    faces = look(picture)
    found = photo.findings(picture, faces, most_yaw_deg=most_yaw_deg)
    if found:
        raise FaceError(f"{file.name} cannot serve as a source face: {'; '.join(found)}")
    return Photo(*photo.crop(picture, faces[0].landmarks))
