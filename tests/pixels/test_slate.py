import numpy as np
import pytest

from live.pixels.slate import draw_slate


@pytest.mark.parametrize("size", [(16, 16), (17, 200), (60, 60), (200, 17), (320, 180), (640, 480), (480, 854)])
def test_every_size_is_drawn(size):
    picture = draw_slate(*size, "face hidden", "no face found for 0.6 s")
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 2
    assert picture.mean() < 80


def test_the_text_changes_the_picture_and_a_long_one_stays_inside():
    assert (draw_slate(320, 180, "one") != draw_slate(320, 180, "two")).any()
    long = draw_slate(320, 180, "word " * 50)
    plain = draw_slate(320, 180, "")
    changed = np.argwhere((long != plain).any(axis=2))
    assert changed[:, 1].min() >= 4
    assert changed[:, 1].max() < 316


def test_the_same_slate_is_drawn_twice():
    assert (draw_slate(64, 48) == draw_slate(64, 48)).all()


def test_words_of_any_script_do_not_fail():
    assert draw_slate(320, 180, "лицо скрыто 顔\n\x00").shape == (180, 320, 3)


def test_too_small_a_size_is_refused():
    with pytest.raises(ValueError, match="15x40"):
        draw_slate(15, 40)
