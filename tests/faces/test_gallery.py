"""The gallery: photos come in with consent and only if they serve, are kept whole or not at all, and are read back."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from live.errors import ConsentError, FaceError, UsageError
from live.faces import entry, photo
from live.faces.gallery import Gallery
from live.pixels.people import people_names, read_person
from live.values import Face, Floats, Pixels

Look = Callable[[Pixels], list[Face]]
AGREED = "Ada agreed by mail on 2026-03-01"


def face_at(landmarks: Floats, track: int = 0) -> Face:
    low, high = landmarks[:468, :2].min(axis=0), landmarks[:468, :2].max(axis=0)
    return Face(landmarks.astype(np.float32), (*map(float, low), *map(float, high)), 0.99, track)


def seeing(*faces: Floats) -> Look:
    """A look that knows where the faces are."""
    return lambda picture: [face_at(landmarks, track) for track, landmarks in enumerate(faces)]


def moved(landmarks: Floats, matrix: np.ndarray) -> Floats:
    result = landmarks.copy()
    result[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    result[:, 2] *= np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return result


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "faces")


@pytest.fixture
def portrait(tmp_path: Path) -> tuple[Path, Look]:
    """A photo file of one face, and a look that finds it."""
    person = read_person("ada")
    cv2.imwrite(str(tmp_path / "me.png"), person.image)
    return tmp_path / "me.png", seeing(person.landmarks)


def test_a_face_that_was_added_is_read_back_by_another_gallery(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    file, look = portrait
    added = gallery.add(file, "Zoë B", "Self", look)
    again = Gallery(gallery.folder).get("Zoë B")
    assert (again.name, again.consent, again.key) == ("Zoë B", "self", added.key)
    np.testing.assert_array_equal(again.image, added.image)
    np.testing.assert_array_equal(again.landmarks, added.landmarks)
    assert again.landmarks.shape == (478, 3)
    assert again.landmarks.dtype == np.float32


def test_the_card_says_what_was_added_and_when(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    gallery.add(portrait[0], "me", AGREED, portrait[1])
    card = yaml.safe_load((gallery.folder / "face-me" / "face.yaml").read_text("utf-8"))
    assert card["consent"] == AGREED
    assert card["version"] == 1
    assert len(card["sha256"]) == 64
    assert card["added"][:2] == "20"
    assert stat.S_IMODE(gallery.folder.stat().st_mode) & 0o077 == 0, "photos of people are their owner's alone"


def test_the_users_faces_come_before_the_bundled_people(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    assert gallery.names() == people_names()
    for name in ("zoe", "Ben"):
        gallery.add(portrait[0], name, "self", portrait[1])
    assert gallery.names() == ["Ben", "zoe", *people_names()]
    assert dict(gallery.listing())["ada"] == "composite"
    assert dict(gallery.listing())["zoe"] == "self"


def test_bundled_people_are_source_faces_and_distinct() -> None:
    gallery = Gallery(Path("/nonexistent"))
    faces = [gallery.get(name) for name in gallery.names()]
    assert len(faces) >= 10
    assert all(face.consent == "composite" and face.image.shape == (512, 512, 3) for face in faces)
    assert len({face.key for face in faces}) == len(faces)
    small = [cv2.resize(face.image, (32, 32), interpolation=cv2.INTER_AREA).astype(float) for face in faces]
    for index, one in enumerate(small):
        assert all(np.abs(one - other).mean() > 4 for other in small[:index])


def test_an_unknown_name_gets_the_near_ones(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    gallery.add(portrait[0], "Katharina", "self", portrait[1])
    with pytest.raises(FaceError, match="did you mean Katharina"):
        gallery.get("katarina")
    with pytest.raises(FaceError, match="there are Katharina, ada, "):
        gallery.get("xyzzy")


def test_a_removed_face_is_gone_and_bundled_people_stay(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    gallery.add(portrait[0], "me", "self", portrait[1])
    gallery.remove("me")
    assert gallery.names() == people_names()
    assert list(gallery.folder.iterdir()) == []
    with pytest.raises(FaceError, match="bundled"):
        gallery.remove("ada")
    with pytest.raises(FaceError, match="there is no face 'me'"):
        gallery.remove("me")


@pytest.mark.parametrize(
    "consent", ["", "  ", "yes", "ok", "1234567890", "aaaaaaaaaaaa", "asdfasdfasdf", "composite", "x" * 600]
)
def test_without_consent_there_is_no_face(gallery: Gallery, portrait: tuple[Path, Look], consent: str) -> None:
    with pytest.raises(ConsentError) as refused:
        gallery.add(portrait[0], "my face", consent, portrait[1])
    assert f"live faces add {portrait[0]} --name 'my face' --consent self" in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(ConsentError, match=r"live --face .*me\.png --consent self"):
        gallery.from_photo(portrait[0], consent, portrait[1])
    assert gallery.names() == people_names()


@pytest.mark.parametrize(
    "consent", ["self", AGREED, "本人が二〇二六年三月に書面で同意した", "Mario ha\naccettato via mail"]
)
def test_statements_of_consent_are_kept_on_one_line(
    gallery: Gallery, portrait: tuple[Path, Look], consent: str
) -> None:
    face = gallery.add(portrait[0], "me", consent, portrait[1])
    assert face.consent == " ".join(consent.split())


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "../x", "a/b", "a\\b", "a:b", "x" * 41, "a\0b", "-_ -", "a\u202eb", "😀"]
)
def test_names_that_are_no_names_are_refused(gallery: Gallery, portrait: tuple[Path, Look], name: str) -> None:
    with pytest.raises(FaceError, match="cannot be a name"):
        gallery.add(portrait[0], name, "self", portrait[1])
    with pytest.raises(FaceError):
        gallery.get(name)
    with pytest.raises(FaceError):
        gallery.remove(name)
    assert not gallery.folder.exists()


@pytest.mark.parametrize("name", ["x" * 40, "con", "Renée Müller-Łoś 2", "顔", "नमिता", "a_b"])
def test_names_of_all_scripts_work(gallery: Gallery, portrait: tuple[Path, Look], name: str) -> None:
    gallery.add(portrait[0], name, "self", portrait[1])
    assert gallery.names()[0] == name
    assert gallery.get(name).name == name


def test_a_name_is_given_once(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    gallery.add(portrait[0], "me", "self", portrait[1])
    with pytest.raises(FaceError, match="live faces remove"):
        gallery.add(portrait[0], "ME", "self", portrait[1])
    with pytest.raises(FaceError, match="bundled"):
        gallery.add(portrait[0], "Ada", "self", portrait[1])


def test_a_face_for_one_run_is_not_stored(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    face = gallery.from_photo(portrait[0], AGREED, portrait[1])
    assert (face.name, face.consent) == ("me", AGREED)
    assert not gallery.folder.exists()


def test_an_add_that_fails_half_way_leaves_nothing(
    gallery: Gallery, portrait: tuple[Path, Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = entry.write

    def full_disk(place: Path, *rest: object) -> None:
        write(place, *rest)  # type: ignore[arg-type]
        (place / entry.CARD).unlink()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(entry, "write", full_disk)
    with pytest.raises(FaceError, match="No space left on device"):
        gallery.add(portrait[0], "me", "self", portrait[1])
    assert list(gallery.folder.iterdir()) == []


def rewrite_card(place: Path, **fields: object) -> None:
    card = yaml.safe_load((place / "face.yaml").read_text("utf-8"))
    (place / "face.yaml").write_text(yaml.safe_dump({**card, **fields}), "utf-8")


BREAKAGES: dict[str, Callable[[Path], object]] = {
    "no card": lambda place: (place / "face.yaml").unlink(),
    "empty card": lambda place: (place / "face.yaml").write_text(""),
    "card that runs code": lambda place: (place / "face.yaml").write_text("!!python/object/apply:os.abort []"),
    "nested card": lambda place: (place / "face.yaml").write_text("[" * 5000),
    "card of a later version": lambda place: rewrite_card(place, version=3),
    "card of several photos without their number": lambda place: rewrite_card(place, version=2),
    "card whose number of photos is none": lambda place: rewrite_card(place, version=2, photos=True),
    "card of more photos than there are": lambda place: rewrite_card(place, version=2, photos=3),
    "card of more photos than there may be": lambda place: rewrite_card(place, version=2, photos=9),
    "no consent": lambda place: rewrite_card(place, consent=""),
    "another's name": lambda place: rewrite_card(place, name="other"),
    "name with a path": lambda place: rewrite_card(place, name="../../x"),
    "huge card": lambda place: (place / "face.yaml").write_text("a: 1\n" * 10_000),
    "no landmarks": lambda place: (place / "landmarks.npy").unlink(),
    "pickled landmarks": lambda place: np.save(place / "landmarks.npy", np.array([{}], object), allow_pickle=True),
    "too few landmarks": lambda place: np.save(place / "landmarks.npy", np.zeros((468, 3), np.float32)),
    "endless landmarks": lambda place: np.save(place / "landmarks.npy", np.full((478, 3), np.nan, np.float32)),
    "landmarks elsewhere": lambda place: np.save(place / "landmarks.npy", np.full((478, 3), 1e6, np.float32)),
    "landmarks that are text": lambda place: (place / "landmarks.npy").write_text("478"),
    "empty photo": lambda place: (place / "photo.png").write_bytes(b""),
    "cut photo": lambda place: (place / "photo.png").write_bytes((place / "photo.png").read_bytes()[:2000]),
}


@pytest.mark.parametrize("broken", BREAKAGES)
def test_a_broken_entry_says_so_and_does_not_break_the_others(
    gallery: Gallery, portrait: tuple[Path, Look], broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("good", "bad"):
        gallery.add(portrait[0], name, "self", portrait[1])
    BREAKAGES[broken](gallery.folder / "face-bad")
    with caplog.at_level(logging.WARNING):
        assert "good" in gallery.names()
    with pytest.raises(FaceError, match=r"the face bad in the gallery is broken: .*live faces remove bad") as refused:
        gallery.get("bad")
    assert "\n" not in str(refused.value)
    assert ("bad" in gallery.names()) or any("bad" in line for line in caplog.messages)
    gallery.get("good")
    gallery.remove("bad")
    assert "bad" not in gallery.names()


def test_strangers_in_the_folder_are_left_alone(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    gallery.add(portrait[0], "me", "self", portrait[1])
    (gallery.folder / "notes.txt").write_text("mine")
    (gallery.folder / ".unfinished-abc").mkdir()
    assert gallery.names() == ["me", *people_names()]


def test_the_users_own_folder_is_used_without_another(
    portrait: tuple[Path, Look], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIVE_HOME", str(tmp_path / "home"))
    Gallery(None).add(portrait[0], "me", "self", portrait[1])
    assert (tmp_path / "home" / "faces" / "face-me" / "face.yaml").is_file()


# several photos of one person


@pytest.fixture
def three(tmp_path: Path) -> tuple[list[Path], Look]:
    """Photo files of one person, and a look that knows each by its size."""
    files, sizes = [], {}
    for number, size in enumerate((512, 480, 448)):
        person = read_person("ada")
        picture = cv2.resize(person.image, (size, size), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
        files.append(tmp_path / f"{number}.png")
        sizes[size] = person.landmarks * np.float32(size / 512)
    return files, lambda picture: [face_at(sizes[picture.shape[0]])]


def test_several_photos_are_kept_in_order_and_read_back(gallery: Gallery, three: tuple[list[Path], Look]) -> None:
    files, look = three
    added = gallery.add(files[0], "me", "self", look, files[1:])
    again = Gallery(gallery.folder).get("me")
    assert again.key == added.key
    assert len(again.more) == 2
    one = gallery.from_photo(files[0], "self", look)
    np.testing.assert_array_equal(again.image, one.image)
    for photo_, file in zip(again.more, files[1:]):
        alone = gallery.from_photo(file, "self", look)
        np.testing.assert_array_equal(photo_.image, alone.image)
        np.testing.assert_array_equal(photo_.landmarks, alone.landmarks)
    assert sorted(path.name for path in (gallery.folder / "face-me").iterdir()) == [
        "face.yaml", "landmarks-2.npy", "landmarks-3.npy", "landmarks.npy", "photo-2.png", "photo-3.png", "photo.png",
    ]  # fmt: skip
    card = yaml.safe_load((gallery.folder / "face-me" / "face.yaml").read_text("utf-8"))
    assert (card["version"], card["photos"], len(card["sha256"].split())) == (2, 3, 3)


def test_every_photo_takes_part_in_the_key(gallery: Gallery, three: tuple[list[Path], Look]) -> None:
    files, look = three
    keys = [
        gallery.add(files[0], name, "self", look, more).key
        for name, more in (("a", []), ("b", files[1:2]), ("c", files[2:]), ("d", files[1:]), ("e", files[:0:-1]))
    ]
    assert len(set(keys)) == 5
    assert keys[0] == gallery.from_photo(files[0], "self", look).key


def test_what_is_kept_says_so_and_a_photo_for_one_run_does_not(gallery: Gallery, portrait: tuple[Path, Look]) -> None:
    assert gallery.add(portrait[0], "me", "self", portrait[1]).stored
    assert gallery.get("ada").stored
    assert not gallery.from_photo(portrait[0], "self", portrait[1]).stored


def test_too_many_photos_are_refused_with_the_number(gallery: Gallery, three: tuple[list[Path], Look]) -> None:
    files, look = three
    with pytest.raises(FaceError, match="9 photos are too many; give the best 8"):
        gallery.add(files[0], "me", "self", look, files[1:2] * 8)
    assert len(gallery.add(files[0], "me", "self", look, files[1:2] * 7).more) == 7


def test_a_further_photo_that_does_not_serve_is_named_and_nothing_is_added(
    gallery: Gallery, three: tuple[list[Path], Look]
) -> None:
    files, look = three
    with pytest.raises(FaceError, match=r"1\.png cannot serve as a source face: there is no face"):
        gallery.add(files[0], "me", "self", lambda picture: look(picture) if len(picture) == 512 else [], files[1:])
    assert gallery.names() == people_names()


@pytest.mark.parametrize(("yaw", "first", "further"), [(45, False, True), (70, False, False)])
def test_further_photos_may_show_more_of_a_side(
    gallery: Gallery, three: tuple[list[Path], Look], yaw: int, first: bool, further: bool
) -> None:
    files, look = three
    angle = np.radians(yaw)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]], np.float32)

    def turned_look(picture: Pixels) -> list[Face]:
        points = look(picture)[0].landmarks
        centre = points[:468].mean(axis=0)
        return [face_at((points - centre) @ turn.T + centre if len(picture) == 480 else points)]

    for name, given, fine in (("a", [files[1], files[0]], first), ("b", files[:2], further)):
        if fine:
            assert len(gallery.add(given[0], name, "self", turned_look, given[1:]).more) == 1
        else:
            with pytest.raises(FaceError, match="turned by"):
                gallery.add(given[0], name, "self", turned_look, given[1:])


@pytest.mark.parametrize("lost", ["photo-2.png", "landmarks-3.npy"])
def test_an_entry_that_lost_a_further_photo_is_broken(
    gallery: Gallery, three: tuple[list[Path], Look], lost: str
) -> None:
    files, look = three
    gallery.add(files[0], "me", "self", look, files[1:])
    (gallery.folder / "face-me" / lost).unlink()
    with pytest.raises(FaceError, match=f"is broken: {lost} is missing"):
        gallery.get("me")


# what a photo has to be


def findings(gallery: Gallery, file: Path, picture: Pixels, *faces: Floats) -> str:
    cv2.imwrite(str(file), picture)
    found = "; ".join(gallery.check(file, seeing(*faces)))
    if found:
        with pytest.raises(FaceError, match="cannot serve"):
            gallery.add(file, "x", "self", seeing(*faces))
    return found


def test_a_good_photo_has_no_findings(gallery: Gallery, tmp_path: Path) -> None:
    for name in people_names():
        person = read_person(name)
        assert findings(gallery, tmp_path / "a.png", person.image, person.landmarks) == ""


def test_no_face_and_several_faces_are_told_with_their_number(gallery: Gallery, tmp_path: Path) -> None:
    person = read_person("chen")
    assert "no face" in findings(gallery, tmp_path / "a.png", person.image)
    said = findings(gallery, tmp_path / "a.png", person.image, *[person.landmarks] * 5)
    assert "5 faces" in said
    assert "crop" in said


def test_small_faces_behind_a_large_one_leave_no_doubt(gallery: Gallery, tmp_path: Path) -> None:
    person = read_person("chen")
    behind = person.landmarks * 0.3
    assert findings(gallery, tmp_path / "a.png", person.image, person.landmarks, behind, behind) == ""
    rival = person.landmarks * 0.6
    assert "2 faces" in findings(gallery, tmp_path / "a.png", person.image, person.landmarks, rival, behind)


def test_a_small_face_is_told_with_its_size(gallery: Gallery, tmp_path: Path) -> None:
    person = read_person("dalia")
    small = cv2.resize(person.image, (160, 160), interpolation=cv2.INTER_AREA)
    assert "px wide" in findings(gallery, tmp_path / "a.png", small, person.landmarks * (160 / 512))
    enough = cv2.resize(person.image, (320, 320), interpolation=cv2.INTER_AREA)
    assert findings(gallery, tmp_path / "a.png", enough, person.landmarks * (320 / 512)) == ""


@pytest.mark.parametrize(
    ("side", "shift"), [("left", (-190, 0)), ("right", (190, 0)), ("top", (0, -190)), ("bottom", (0, 80))]
)
def test_a_face_over_the_border_is_told_with_the_side(
    gallery: Gallery, tmp_path: Path, side: str, shift: tuple[int, int]
) -> None:
    person = read_person("ines")
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float)
    picture = cv2.warpAffine(person.image, matrix, (512, 512))
    assert f"cut off at the {side}" in findings(gallery, tmp_path / "a.png", picture, moved(person.landmarks, matrix))


@pytest.mark.parametrize(("yaw", "fine"), [(-50, False), (-25, True), (30, True), (42, False)])
def test_a_turned_face_is_told_with_the_angle(gallery: Gallery, tmp_path: Path, yaw: int, fine: bool) -> None:
    person = read_person("luis")
    angle, centre = np.radians(yaw), person.landmarks[:468].mean(axis=0)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]], np.float32)
    turned = (person.landmarks - centre) @ turn.T + centre
    said = findings(gallery, tmp_path / "a.png", person.image, turned)
    assert ("turned by" in said) != fine


@pytest.mark.parametrize("roll", [0, 30, 90, 180, -120])
def test_the_stored_photo_is_upright_whatever_the_roll(gallery: Gallery, tmp_path: Path, roll: int) -> None:
    person = read_person("hana")
    matrix = cv2.getRotationMatrix2D((256, 256), roll, 1.0)
    matrix[:, 2] += 100
    turned = cv2.warpAffine(person.image, matrix, (712, 712), borderMode=cv2.BORDER_REPLICATE)
    cv2.imwrite(str(tmp_path / "a.png"), turned)
    face = gallery.add(tmp_path / "a.png", "me", "self", seeing(moved(person.landmarks, matrix)))
    eyes = face.landmarks[263] - face.landmarks[33]
    assert eyes[0] > 50
    assert abs(eyes[1]) < 0.5
    centre = face.landmarks[4, :2]
    colour = cv2.getRectSubPix(face.image, (9, 9), tuple(map(float, centre))).mean(axis=(0, 1))
    expected = cv2.getRectSubPix(person.image, (9, 9), tuple(map(float, person.landmarks[4, :2]))).mean(axis=(0, 1))
    np.testing.assert_allclose(colour, expected, atol=4)


@pytest.mark.parametrize(("gain", "lift", "said"), [(0.08, 0, "black"), (1.0, 140, "white"), (0.3, 0, "")])
def test_a_face_without_light_or_with_too_much_is_told(
    gallery: Gallery, tmp_path: Path, gain: float, lift: float, said: str
) -> None:
    person = read_person("freya")
    picture = np.clip(person.image * gain + lift, 0, 255).astype(np.uint8)
    found = findings(gallery, tmp_path / "a.png", picture, person.landmarks)
    assert said in found
    assert bool(found) == bool(said)


def test_a_large_photo_is_kept_at_1024_px(gallery: Gallery, tmp_path: Path) -> None:
    person = read_person("goran")
    grain = np.random.default_rng(0).normal(0, 6, (2048, 2048, 1))  # an enlarged picture alone is too soft
    large = np.clip(cv2.resize(person.image, (2048, 2048)) + cv2.GaussianBlur(grain, (0, 0), 3)[..., None] * 8, 0, 255)
    cv2.imwrite(str(tmp_path / "a.png"), large.astype(np.uint8))
    face = gallery.add(tmp_path / "a.png", "me", "self", seeing(person.landmarks * 4))
    assert face.image.shape == (1024, 1024, 3)
    assert 300 < np.ptp(face.landmarks[:468, 0]) < 600


def test_what_is_no_picture_is_told(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    assert len(gallery.check(tmp_path / "a.jpg", seeing())) == 1
    for file in (tmp_path / "a.jpg", tmp_path / "missing.jpg"):
        with pytest.raises(UsageError):
            gallery.add(file, "me", "self", seeing())


def test_portraits_are_sharp_enough_and_blurred_ones_are_not(data: Path) -> None:
    labels = np.load(data / "faces" / "portraits" / "labels.npz", allow_pickle=False)
    sharp = blurred = judged = 0
    for name, points in zip(labels["name"], labels["landmarks"].astype(np.float32) / 64):
        picture = cv2.imread(str(data / "faces" / "portraits" / str(name)))
        sigma = 0.06 * float(np.linalg.norm(points[33, :2] - points[263, :2]))
        judged += 1
        sharp += photo.sharpness(picture, points) >= photo.LEAST_SHARPNESS
        blurred += photo.sharpness(cv2.GaussianBlur(picture, (0, 0), sigma), points) >= photo.LEAST_SHARPNESS
    assert sharp >= 0.97 * judged
    assert blurred <= 0.03 * judged
    assert judged >= 50
