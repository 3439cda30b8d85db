from live.pace import EverySoOften


def test_a_repeating_fault_is_told_once_per_interval_with_its_count() -> None:
    often = EverySoOften(1.0)
    assert [often.ready(t) for t in (0.0, 0.1, 0.9, 1.0, 1.5)] == [True, False, False, True, False]
    assert often.held_back == 3
