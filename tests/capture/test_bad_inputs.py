"""Every file gives frames or one clear line, in bounded time and memory, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .media import write_h264

LONGEST_S = 10.0
"""Of processor time, for one file."""
pytestmark = pytest.mark.timeout(300)
REPOSITORY = Path(__file__).parents[2]


def outcomes(paths: list[Path]) -> dict[str, dict[str, object]]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.capture.open_each"],
        input="\0".join(map(str, paths)), capture_output=True, text=True, timeout=280, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, f"died at {paths[len(results)]}: {ran.stderr[-2000:]}"
    assert len(results) == len(paths)
    return {Path(result["path"]).name: result for result in results}


def assert_frames_or_one_line(results: dict[str, dict[str, object]]) -> None:
    for name, result in results.items():
        assert "bug" not in result, (name, result)
        assert result["frames"] or "error" in result, (name, result)
        error = str(result.get("error", ""))
        assert "\n" not in error
        assert len(error) < 400, error
        assert float(str(result["seconds"])) < LONGEST_S, (name, result)


def test_all_edge_pictures(data: Path) -> None:
    results = outcomes(sorted(path for path in (data / "edge").rglob("*") if path.is_file()))
    assert len(results) > 100
    assert_frames_or_one_line(results)
    refused = {name for name, result in results.items() if "error" in result}
    assert {
        "empty.jpg",
        "text_renamed.jpg",
        "truncated_2pct.jpg",
        "truncated_50pct.jpg",
        "decompression_bomb.gif",
    } <= refused
    assert not refused & {"png_named.jpg", "cmyk.jpg", "gray16.png", "huge_81MP.jpg", "photo.avif", "one_pixel.png"}
    assert results["animated.webp"]["frames"] == results["animated.gif"]["frames"] == 9


def test_all_clips_and_broken_streams(data: Path) -> None:
    results = outcomes(sorted(path for path in (data / "clips").iterdir() if path.is_file()))
    assert_frames_or_one_line(results)
    assert not [name for name, result in results.items() if "error" in result]
    assert results["obama_whitehouse_512.mp4"]["frames"] == 259


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small files of many kinds, cut off and with flipped bytes, seeded."""
    folder = tmp_path_factory.mktemp("damaged")
    generator = np.random.default_rng(7)
    sources = [write_h264(folder / f"clip.{suffix}", 20, sound=True) for suffix in ("mp4", "mkv", "ts", "avi", "flv")]
    noise = [Image.effect_noise((64, 48), 60 + number).convert("RGB") for number in range(3)]
    for suffix in ("jpg", "png", "webp", "gif", "tif", "avif", "jp2", "bmp"):
        sources.append(folder / f"photo.{suffix}")
        more = {"save_all": True, "append_images": noise[1:]} if suffix in {"gif", "webp"} else {}
        noise[0].save(sources[-1], **more)
    paths = []
    for source in sources:
        content = source.read_bytes()
        for number in range(6):
            bad = bytearray(content)
            if number < 2:
                del bad[int(len(bad) * generator.uniform(0.01, 0.95)) :]
            else:
                for at in generator.integers(0, len(bad) if number < 5 else 200, 10 ** (number - 2)):
                    bad[min(at, len(bad) - 1)] = generator.integers(256)
            paths.append(folder / f"{number}_{source.name}")
            paths[-1].write_bytes(bad)
    return paths


def test_damaged_files(damaged: list[Path]) -> None:
    results = outcomes(damaged)
    assert len(results) == len(damaged) == 78
    assert_frames_or_one_line(results)
    assert sum(bool(result["frames"]) for result in results.values()) > 20
    assert sum("error" in result for result in results.values()) > 10
