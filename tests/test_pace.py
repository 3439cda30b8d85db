from live.pace import BackOff, EverySoOften


def test_a_repeating_fault_is_told_once_per_interval_with_its_count() -> None:
    often = EverySoOften(1.0)
    assert [often.ready(t) for t in (0.0, 0.1, 0.9, 1.0, 1.5)] == [True, False, False, True, False]
    assert often.held_back == 3


def test_tries_come_at_once_then_further_and_further_apart():
    back_off = BackOff(first_s=0.1, most_s=0.5)
    waits = []
    now_s = 10.0
    assert now_s >= back_off.due_s
    for _ in range(5):
        back_off.failed(now_s)
        waits.append(round(back_off.due_s - now_s, 3))
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5]
    back_off.worked()
    assert now_s >= back_off.due_s
    back_off.failed(now_s)
    assert round(back_off.due_s - now_s, 3) == 0.1
