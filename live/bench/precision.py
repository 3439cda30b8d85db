"""`live bench precision`: every network at every precision beside float32, and beside what the card can do at most.

On a GPU each row is timed twice, launched step by step and as one CUDA graph; without one, only the embedded networks
are measured, in processor time. Also runs alone: `python -m live.bench.precision` needs torch, onnx and OpenCV only.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from live.bench.precision_nets import Subject, inputs_for, load_subject
from live.bench.precision_row import Setting, measure_row
from live.bench.precision_wish import BATCHED, CPU_MODES, MODES, ON_GPU, OURS, Wish, add_arguments, wish_of
from live.bench.rates import Rates, measure_rates
from live.bench.report import check_places, head, write_json
from live.bench.twins import TWINS
from live.errors import LiveError
from live.nets.precision import ladder
from live.nets.selftest import facts_of

log = logging.getLogger(__name__)


def measure(wish: Wish) -> dict[str, Any]:
    """Measure all rows, as far as the time allows. Returns: the report. Raises: LiveError, one line."""
    check_places(json=wish.json)
    end_s = time.monotonic() + wish.budget_s
    device = torch.device(wish.device if wish.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    facts = facts_of(device)
    modes = wish.modes or (MODES if device.type == "cuda" else CPU_MODES)
    names = wish.networks or (ON_GPU if device.type == "cuda" else OURS)
    with torch.inference_mode():
        rates = measure_rates(device, tuple(mode for mode in modes if mode != "autocast") or ("fp16",))
    report = head(
        device=facts.name or facts.kind, capability=list(facts.capability), torch=torch.__version__,
        ladder=list(ladder(facts)), tflops={word: rate / 1e12 for word, rate in rates.flops.items()},
        gb_per_s=rates.bandwidth / 1e9, fp8_tflops=rates.fp8_flops and rates.fp8_flops / 1e12, rows=[], left_out=[],
        eight_bit="not measured in networks: torch has no convolution in FP8 or INT8 to run them with",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="live-twins-") as folder:
        for name in names:
            if time.monotonic() > end_s:
                report["left_out"].append(name)
                continue
            subject = load_subject(name, Path(folder), wish.width)
            rows = wish.rows if wish.networks or name in BATCHED else wish.rows[:1]
            for entry in _rows(subject, rows, modes, wish, device, rates, end_s):
                report["rows"].append(entry)
                log.info("%s", line(entry))
                if wish.json:
                    write_json(report, wish.json)
    report["seconds"] = round(time.monotonic() - end_s + wish.budget_s, 1)
    if wish.json:
        write_json(report, wish.json)
    return report


def _rows(
    subject: Subject, batches: Sequence[int], modes: Sequence[str], wish: Wish, device: torch.device, rates: Rates,
    end_s: float,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    for rows in batches:
        inputs = [tensor.to(device) for tensor in inputs_for(subject, rows)]
        reference = None
        # float32 is measured first, because the others are compared with it.
        for mode in dict.fromkeys(("fp32", *modes)):
            if time.monotonic() > end_s:
                yield {"network": subject.name, "mode": mode, "rows": rows, "error": "left out: the time is up"}
                continue
            for compiled in (False, True) if wish.compile and mode in ("fp16", "fp32") else (False,):
                setting = Setting(mode, rows, device, compiled, wish.kernels and mode == "fp16")
                try:
                    entry, outputs = measure_row(subject, setting, inputs, reference, rates)
                except RuntimeError as error:  # out of memory, an operator a device lacks
                    yield {
                        "network": subject.name,
                        "mode": mode,
                        "rows": rows,
                        "error": " ".join(str(error).split())[:160],
                    }
                    continue
                finally:
                    if device.type == "cuda":
                        torch.cuda.empty_cache()
                reference = outputs if reference is None else reference
                entry["parameters_m"] = _parameters(subject) / 1e6
                yield entry


def _parameters(subject: Subject) -> int:
    return sum(array.size for array in subject.graph.weights.values() if array.dtype.kind == "f")


def line(row: dict[str, Any]) -> str:
    """A row for people."""
    start = f"{row['network'][:20]:20} {row['rows']:>2} {row['mode'][:14]:14}"
    if "error" in row:
        return f"{start} {row['error']}"

    def number(key: str, form: str, scale: float = 1.0) -> str:
        width = int(form.split(".")[0].lstrip("<>") or 8)
        return f"{row[key] * scale:{form}}" if row.get(key) is not None else f"{'-':>{width}}"

    return " ".join(
        (
            start, number("ms_graph", "8.3f"), number("ms_eager", "8.3f"), number("floor_ms", "8.3f"),
            number("share_of_rate", "6.1f", 100), number("weights_mb", "8.1f"), number("peak_mb", "8.1f"),
            number("relative_l2", "9.1e"), number("psnr_db", "6.1f"),
        )
    )  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    rates = ", ".join(f"{word} {rate:.3g}" for word, rate in report["tflops"].items())
    eight = f", fp8 {report['fp8_tflops']:.0f}" if report["fp8_tflops"] else ""
    lines = [
        f"live {report['live']}, {report['device']}, torch {report['torch']}, {report['seconds']} s",
        f"measured: TFLOP/s {rates}{eight}; {report['gb_per_s']:.0f} GB/s; ladder {' '.join(report['ladder'])}",
        "",
        f"{'network':20} {'N':>2} {'precision':14} {'graph ms':>8} {'eager ms':>8} {'floor ms':>8} {'% rate':>6} "
        f"{'weights':>8} {'peak MB':>8} {'L2':>9} {'PSNR':>6}",
        *(line(row) for row in report["rows"]),
    ]
    if report["left_out"]:
        lines.append(f"left out, the time was up: {', '.join(report['left_out'])}; more with --budget")
    twins = [row["network"] for row in report["rows"] if row["network"] in TWINS]
    if twins:
        lines += [
            "",
            "Twins have random weights: their time and memory are the real networks', their distances a hint.",
        ]
    return "\n".join(lines)


def main() -> int:
    """Run alone, without the rest of the program."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="live bench precision")
    add_arguments(parser)
    try:
        print(table(measure(wish_of(parser.parse_args()))))
    except LiveError as error:
        parser.exit(error.exit_code, f"live: {error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
