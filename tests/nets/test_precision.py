"""Which precision is chosen, over made-up devices and verdicts."""

from __future__ import annotations

import pytest

from live.nets.precision import (
    Choice,
    DeviceFacts,
    Verdict,
    choose,
    ladder,
    narrow_down,
    next_rung,
    overflowing,
)

H100 = DeviceFacts("cuda", "NVIDIA H100 80GB HBM3", (9, 0))
GOOD, BAD, NAN = Verdict(True, 1e-3), Verdict(True, 0.3), Verdict(False, float("inf"))


@pytest.mark.parametrize(
    ("name", "capability", "rungs"),
    [
        ("NVIDIA GeForce RTX 4090", (8, 9), ("fp16", "bf16", "tf32", "fp32")),
        ("NVIDIA GeForce RTX 3060", (8, 6), ("fp16", "bf16", "tf32", "fp32")),
        ("NVIDIA GeForce RTX 5080", (12, 0), ("fp16", "bf16", "tf32", "fp32")),
        ("NVIDIA GeForce RTX 2080 Ti", (7, 5), ("fp16", "fp32")),
        ("Quadro RTX 5000", (7, 5), ("fp16", "fp32")),
        ("Tesla T4", (7, 5), ("fp16", "fp32")),
        ("Tesla V100-SXM2-16GB", (7, 0), ("fp16", "fp32")),
        ("NVIDIA GeForce GTX 1660 SUPER", (7, 5), ("fp32",)),
        ("NVIDIA GeForce GTX 1650", (7, 5), ("fp32",)),
        ("NVIDIA GeForce MX450", (7, 5), ("fp32",)),
        ("NVIDIA T1000", (7, 5), ("fp32",)),
        ("NVIDIA GeForce GTX 1080 Ti", (6, 1), ("fp32",)),
        ("GeForce GTX 950", (5, 2), ("fp32",)),
    ],
)
def test_the_ladder_of_a_card(name: str, capability: tuple[int, int], rungs: tuple[str, ...]) -> None:
    assert ladder(DeviceFacts("cuda", name, capability)) == rungs


@pytest.mark.parametrize("kind", ["cpu", "mps", "rocm"])
def test_other_devices_run_in_float32(kind: str) -> None:
    assert ladder(DeviceFacts(kind)) == ("fp32",)


def test_the_fastest_rung_that_holds_is_taken() -> None:
    assert choose(H100, lambda word, wide: GOOD) == Choice("fp16", (), GOOD)


def test_half_precision_that_overflows_gives_way_to_bfloat16() -> None:
    choice = choose(H100, lambda word, wide: NAN if word == "fp16" else GOOD)
    assert choice.precision == "bf16"
    assert choice.refused == (("fp16", NAN),)
    assert choice.line == "bf16 (distance from fp32 1e-03) since fp16 is not finite"


def test_an_old_card_goes_straight_to_float32() -> None:
    choice = choose(DeviceFacts("cuda", "RTX 2070", (7, 5)), lambda word, wide: NAN)
    assert (choice.precision, choice.wide) == ("fp32", ())


def test_float32_needs_no_test() -> None:
    def judge(word: str, wide: frozenset[str]) -> Verdict:
        raise AssertionError(word)

    assert choose(DeviceFacts("cpu"), judge) == Choice("fp32")


def test_a_few_layers_in_float32_save_half_precision() -> None:
    choice = choose(H100, lambda word, wide: GOOD if wide else NAN, lambda word: ("a", "b"), nodes=100)
    assert (choice.precision, choice.wide) == ("fp16", ("a", "b"))
    assert choice.line == "fp16 with 2 layers in fp32 (distance from fp32 1e-03)"


def test_too_many_layers_in_float32_do_not() -> None:
    choice = choose(
        H100, lambda word, wide: GOOD if wide or word != "fp16" else NAN, lambda word: tuple("abcdefghij"), nodes=20
    )
    assert choice.precision == "bf16"


def test_nothing_holds() -> None:
    choice = choose(H100, lambda word, wide: BAD)
    assert choice.precision == "fp32"
    assert [word for word, _ in choice.refused] == ["fp16", "bf16", "tf32"]


def test_the_guard_climbs_one_rung_at_a_time() -> None:
    climbed = ["fp16"]
    while (rung := next_rung(H100, climbed[-1])) is not None:
        climbed.append(rung)
    assert climbed == ["fp16", "bf16", "tf32", "fp32"]


def test_layers_that_come_near_the_limit_are_named() -> None:
    seen = {"small": 3.0, "large": 50_000.0, "lost": float("nan"), "endless": float("inf")}
    assert overflowing(seen, 16_000) == ("large", "lost", "endless")


@pytest.mark.parametrize("guilty", [{"n3"}, {"n0", "n15"}, {"n7", "n8"}, {f"n{i}" for i in range(16)}])
def test_the_layers_to_blame_are_found_by_leaving_out(guilty: set[str]) -> None:
    tests = 0

    def holds(names: frozenset[str]) -> bool:
        nonlocal tests
        tests += 1
        return guilty <= names

    found = narrow_down([f"n{i}" for i in range(16)], holds, tries=64)
    assert set(found) == guilty
    assert tests <= 64


def test_the_search_ends_when_its_tries_are_used_up() -> None:
    tests = 0

    def holds(names: frozenset[str]) -> bool:
        nonlocal tests
        tests += 1
        return "n31" in names

    found = narrow_down([f"n{i}" for i in range(256)], holds, tries=5)
    assert tests <= 5
    assert "n31" in found


def test_where_float32_everywhere_does_not_help_nothing_is_named() -> None:
    assert narrow_down(["a", "b"], lambda names: False) == ()
