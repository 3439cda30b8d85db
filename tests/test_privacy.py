from __future__ import annotations

import pytest

from live.privacy import Gate, Rules, Seen, Switches, Verdict, Watch
from live.values import Proof

PROVEN, BARE = Proof(True, "swapped"), Proof(False, "missed")
LEFT, RIGHT = (0.0, 0.0, 100.0, 100.0), (300.0, 0.0, 400.0, 100.0)


@pytest.fixture
def switches() -> Switches:
    return Switches()


def gate(switches: Switches, unproven: str = "slate") -> Gate:
    return Gate(Rules(unproven=unproven), switches)


def test_nothing_is_shown_before_the_first_proven_frame(switches: Switches) -> None:
    for unproven in ("slate", "blur"):
        assert gate(switches, unproven).judge(BARE, 0.0) is Verdict.SLATE


def test_an_unproven_frame_is_never_new_unless_pass_says_so(switches: Switches) -> None:
    for unproven in ("slate", "blur"):
        one = gate(switches, unproven)
        one.judge(PROVEN, 0.0)
        assert all(one.judge(BARE, t / 30) is not Verdict.NEW for t in range(1, 100))
    assert gate(switches, "pass").judge(BARE, 0.0) is Verdict.NEW


def test_the_last_picture_is_held_then_the_slate_comes(switches: Switches) -> None:
    one = gate(switches)
    one.judge(PROVEN, 10.0)
    verdicts = [one.judge(BARE, 10.0 + t) for t in (0.1, 0.5, 0.51, 3.0)]
    assert verdicts == [Verdict.HOLD, Verdict.HOLD, Verdict.SLATE, Verdict.SLATE]
    assert one.judge(PROVEN, 14.0) is Verdict.NEW


def test_a_stalled_loop_holds_then_shows_the_slate_also_under_pass(switches: Switches) -> None:
    one = gate(switches, "pass")
    one.judge(PROVEN, 0.0)
    assert [one.judge(None, t) for t in (0.1, 0.6)] == [Verdict.HOLD, Verdict.SLATE]


def test_blur_follows_the_hold(switches: Switches) -> None:
    one = gate(switches, "blur")
    one.judge(PROVEN, 0.0)
    assert [one.judge(BARE, t) for t in (0.2, 0.8)] == [Verdict.HOLD, Verdict.BLUR]
    assert one.judge(None, 0.9) is Verdict.SLATE


def test_panic_beats_everything_and_forgets_the_held_picture(switches: Switches) -> None:
    one = gate(switches, "pass")
    one.judge(PROVEN, 0.0)
    switches.panic.set()
    assert one.judge(PROVEN, 0.1) is Verdict.SLATE
    switches.panic.clear()
    assert one.judge(None, 0.2) is Verdict.SLATE
    assert one.judge(PROVEN, 0.3) is Verdict.NEW


def test_pause_freezes_the_last_released_picture(switches: Switches) -> None:
    one = gate(switches)
    switches.pause.set()
    assert one.judge(PROVEN, 0.0) is Verdict.SLATE
    switches.pause.clear()
    one.judge(PROVEN, 1.0)
    switches.pause.set()
    assert one.judge(PROVEN, 60.0) is Verdict.HOLD


def prove(watch: Watch, now_s: float, swapped: tuple = (), worn: bool = True, **seen: object) -> bool:
    return watch.prove(Seen(**seen), swapped, worn=worn, now_s=now_s).proven  # type: ignore[arg-type]


def test_a_frame_with_its_face_swapped_is_proven_at_once() -> None:
    assert prove(Watch(Rules()), 0.0, (LEFT,), found=(LEFT,))


def test_without_a_source_face_nothing_is_proven() -> None:
    watch = Watch(Rules())
    assert not prove(watch, 0.0, (), worn=False, found=(LEFT,))
    assert not prove(watch, 9.0, (), worn=False)


def test_one_of_two_faces_swapped_is_not_enough() -> None:
    assert not prove(Watch(Rules()), 0.0, (LEFT,), found=(LEFT, RIGHT))


def test_a_detection_that_nobody_follows_leaves_doubt_until_it_is_silent() -> None:
    watch = Watch(Rules())
    assert not prove(watch, 0.0, (LEFT,), found=(LEFT,), unmatched=(RIGHT,))
    assert not prove(watch, 0.9, (LEFT,), found=(LEFT,))
    assert prove(watch, 1.0, (LEFT,), found=(LEFT,))


def test_something_doubtful_is_held_only_briefly() -> None:
    watch = Watch(Rules())
    assert not prove(watch, 0.0, (LEFT,), found=(LEFT,), doubtful=(RIGHT,))
    assert not prove(watch, 0.2, (LEFT,), found=(LEFT,))
    assert prove(watch, 0.3, (LEFT,), found=(LEFT,))


def test_failed_perception_leaves_a_doubt_that_no_other_face_ends() -> None:
    watch = Watch(Rules())
    assert prove(watch, 0.0, (LEFT,), found=(LEFT,))
    watch.blind(0.1)
    assert not prove(watch, 0.2, (LEFT,), found=(LEFT,))
    assert prove(watch, 1.1, (LEFT,), found=(LEFT,))


def test_a_lost_face_leaves_doubt_until_it_is_followed_again() -> None:
    watch = Watch(Rules())
    assert prove(watch, 0.0, (LEFT, RIGHT), found=(LEFT, RIGHT))
    assert not prove(watch, 0.1, (LEFT,), found=(LEFT,), lost=(RIGHT,))
    assert not prove(watch, 0.2, (LEFT,), found=(LEFT,))
    assert prove(watch, 0.3, (LEFT, RIGHT), found=(LEFT, RIGHT))


def test_an_empty_picture_is_proven_after_a_second_of_silence() -> None:
    watch = Watch(Rules())
    assert not prove(watch, 5.0)
    assert not prove(watch, 5.9)
    assert prove(watch, 6.0)


def test_the_end_of_the_last_track_starts_the_silence_anew() -> None:
    watch = Watch(Rules())
    prove(watch, 0.0, (LEFT,), found=(LEFT,))
    assert not prove(watch, 10.0, lost=(LEFT,))
    assert not prove(watch, 10.9)
    assert prove(watch, 11.0)


def test_after_a_cut_only_a_swapped_face_or_silence_is_proof() -> None:
    watch = Watch(Rules())
    prove(watch, 0.0, (LEFT,), found=(LEFT,))
    assert not prove(watch, 1.0, cut=True)
    assert prove(watch, 1.1, (RIGHT,), found=(RIGHT,))


MINE, THEIRS = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 10.0)


def chosen_watch() -> Watch:
    """A watch that has settled on one swapped person and one who stays bare in the user's words."""
    watch = Watch(Rules())
    proof = watch.prove(Seen(found=(MINE, THEIRS)), (MINE,), worn=True, now_s=0.0, bare=(THEIRS,))
    assert proof.proven
    assert "BARE" in proof.reason
    return watch


def test_somebody_bare_whom_the_user_did_not_choose_to_leave_so_is_never_proven() -> None:
    assert not Watch(Rules()).prove(Seen(found=(MINE, THEIRS)), (MINE,), worn=True, now_s=0.0).proven


def test_what_happens_to_those_who_stay_bare_leaves_no_doubt() -> None:
    watch = chosen_watch()
    assert watch.prove(Seen(found=(MINE,), lost=(THEIRS,)), (MINE,), worn=True, now_s=0.1).proven
    watch = chosen_watch()
    seen = Seen(found=(MINE, THEIRS), unmatched=(THEIRS,), doubtful=(THEIRS,))
    assert watch.prove(seen, (MINE,), worn=True, now_s=0.1, bare=(THEIRS,)).proven


def test_losing_the_swapped_person_leaves_a_doubt_also_behind_one_who_stays_bare() -> None:
    watch = chosen_watch()
    proof = watch.prove(Seen(found=(THEIRS,), lost=(MINE,)), (), worn=True, now_s=0.1, bare=(THEIRS,))
    assert not proof.proven
    watch = chosen_watch()
    before_him = (2.0, 0.0, 12.0, 10.0)  # the bare one has stepped in front
    proof = watch.prove(Seen(found=(before_him,), lost=(MINE,)), (), worn=True, now_s=0.1, bare=(before_him,))
    assert not proof.proven


def test_a_stranger_who_is_not_followed_is_not_taken_for_one_who_stays_bare() -> None:
    watch = chosen_watch()
    elsewhere = (100.0, 0.0, 110.0, 10.0)
    seen = Seen(found=(MINE, THEIRS), unmatched=(elsewhere,))
    assert not watch.prove(seen, (MINE,), worn=True, now_s=0.1, bare=(THEIRS,)).proven
