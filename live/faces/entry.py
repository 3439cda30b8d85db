"""One face in the gallery's folder: its name, its files, writing and reading them with every field checked.

`face-NAME/` holds face.yaml, photo.png and landmarks.npy, and of further photos photo-2.png, landmarks-2.npy and so on.
Knows nothing about finding faces or about other entries.
"""

from __future__ import annotations

import datetime
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import yaml

from live.errors import FaceError, UsageError
from live.pixels.pictures import read_picture
from live.values import Photo

from .photo import CROP_SIZE_PX

VERSION, VERSION_SEVERAL = 1, 2
"""Of cards of one photo, and of several: programs that know only one photo read the former."""
PREFIX, UNFINISHED = "face-", ".unfinished-"
"""The prefix also keeps names apart that Windows reserves (con, nul, ...)."""
CARD, PHOTO, LANDMARKS = "face.yaml", "photo.png", "landmarks.npy"
MOST_BYTES = {".yaml": 8192, ".png": 16_777_216, ".npy": 65_536}
MOST_PHOTOS = 8
MOST_CHARACTERS = 40
LANDMARK_SHAPE = (478, 3)


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Card:
    """What face.yaml says."""

    name: str
    consent: str
    sha256: str
    """Of the photo files as they were given, one after the other with a space between."""
    added: str = field(default_factory=_today)
    """ISO date, UTC."""
    photos: int = 1

    @property
    def version(self) -> int:
        """Of the card's form."""
        return VERSION if self.photos == 1 else VERSION_SEVERAL


def checked_name(name: str) -> str:
    """The name as it is kept. Raises: FaceError saying what a name may be."""
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    allowed = all(sign.isalnum() or unicodedata.category(sign).startswith("M") or sign in " -_" for sign in kept)
    if not 0 < len(kept) <= MOST_CHARACTERS or not allowed or not any(sign.isalnum() for sign in kept):
        raise FaceError(f"{name[:60]!r} cannot be a name; 1 to {MOST_CHARACTERS} letters, digits, spaces, - and _ can")
    return kept


def quoted(name: str) -> str:
    """The name as a shell takes it."""
    return shlex.quote(name)


def place_of(folder: Path, name: str) -> Path:
    """The folder of a checked name; names that differ only in case, or space and _, share it."""
    return folder / f"{PREFIX}{name.casefold().replace(' ', '_')}"


def places(folder: Path) -> list[Path]:
    """The folders of all entries, whole or broken."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.startswith(PREFIX) and path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FaceError(
            f"cannot read the gallery {folder} ({error.strerror or error}); allow it and try again"
        ) from error


def numbered(name: str, number: int) -> str:
    """The name of a file of the Nth photo, from 0 on: photo.png, photo-2.png, photo-3.png."""
    stem, dot, suffix = name.partition(".")
    return name if number == 0 else f"{stem}-{number + 1}{dot}{suffix}"


def write(place: Path, card: Card, photos: Sequence[Photo]) -> None:
    """Write all files into an existing folder. Raises: OSError."""
    for number, photo in enumerate(photos):
        encoded, data = cv2.imencode(".png", photo.image)
        if not encoded:
            raise OSError("the photo cannot be encoded")
        (place / numbered(PHOTO, number)).write_bytes(data.tobytes())
        with (place / numbered(LANDMARKS, number)).open("wb") as file:
            np.save(file, photo.landmarks.astype(np.float32), allow_pickle=False)
    names = ("version", "name", "consent", "added", "sha256", *(("photos",) if card.photos > 1 else ()))
    fields = {name: getattr(card, name) for name in names}
    (place / CARD).write_text(yaml.safe_dump(fields, allow_unicode=True, sort_keys=False), encoding="utf-8")


def read_card(place: Path) -> Card:
    """Read face.yaml and see that the other files are there. Raises: FaceError naming the entry and what to do."""
    try:
        fields = _flat_mapping(_size_checked(place, CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise _broken(place, f"{CARD} cannot be read") from error
    if not isinstance(fields, dict) or fields.get("version") not in (VERSION, VERSION_SEVERAL):
        raise _broken(place, f"{CARD} is not of version {VERSION} or {VERSION_SEVERAL}")
    photos = 1 if fields["version"] == VERSION else fields.get("photos")
    if type(photos) is not int or not 1 <= photos <= MOST_PHOTOS:
        raise _broken(place, f"{CARD} does not say how many photos there are, 1 to {MOST_PHOTOS}")
    for number in range(photos):
        _size_checked(place, numbered(PHOTO, number))
        _size_checked(place, numbered(LANDMARKS, number))
    names = ("name", "consent", "sha256", "added")
    texts = {name: text for name in names if isinstance(text := fields.get(name), str) and 0 < len(text) <= 1000}
    if len(texts) < len(names):
        raise _broken(place, f"{CARD} lacks one of {', '.join(names)}")
    card = Card(texts["name"], texts["consent"], texts["sha256"], texts["added"], photos)
    try:
        matches = place_of(place.parent, checked_name(card.name)) == place
    except FaceError as error:
        raise _broken(place, "its name is none") from error
    if not matches:
        raise _broken(place, f"it says that its name is {card.name}")
    return card


def _flat_mapping(text: str) -> object:
    """Load YAML that nests nothing. Raises: ValueError, yaml.YAMLError.

    Seen first event by event: 5 000 opening brackets, 5 kB, keep the loader busy for 10 s.
    """
    collections = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        collections += isinstance(event, yaml.CollectionStartEvent)
        if collections > 1 or isinstance(event, yaml.AliasEvent):
            raise ValueError("nested")
    return yaml.safe_load(text)


def read(place: Path) -> tuple[Card, list[Photo]]:
    """Read an entry whole, photos in the order in which they were added. Raises: FaceError naming it and what to do."""
    card = read_card(place)
    return card, [_read_photo(place, number) for number in range(card.photos)]


def _read_photo(place: Path, number: int) -> Photo:
    name = numbered(LANDMARKS, number)
    try:
        image = read_picture(place / numbered(PHOTO, number), max_side_px=CROP_SIZE_PX)
    except UsageError as error:
        raise _broken(place, str(error)) from error
    try:
        landmarks = np.load(place / name, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _broken(place, f"{name} cannot be read") from error
    if not isinstance(landmarks, np.ndarray) or landmarks.shape != LANDMARK_SHAPE or landmarks.dtype.kind != "f":
        raise _broken(place, f"{name} does not hold 478 points")
    side = max(image.shape[:2])
    if not np.isfinite(landmarks).all() or np.abs(landmarks[:, :2] - side / 2).max() > side:
        raise _broken(place, f"{name} does not fit its photo")
    return Photo(image, landmarks.astype(np.float32))


def _size_checked(place: Path, name: str) -> Path:
    path = place / name
    try:
        size = path.stat().st_size if path.is_file() else 0
    except OSError as error:
        raise _broken(place, f"{name} cannot be read") from error
    if not 0 < size <= MOST_BYTES[path.suffix]:
        raise _broken(place, f"{name} is missing, empty or too large")
    return path


def _broken(place: Path, reason: str) -> FaceError:
    name = place.name.removeprefix(PREFIX)
    return FaceError(
        f"the face {name} in the gallery is broken: {reason}; live faces remove {quoted(name)}, then add it again"
    )
