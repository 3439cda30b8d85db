"""The training loop both networks share: budget, schedule, moving average, checkpoints, progress, curves.

A task says what is special: its network, samples, loss and validation. Knows nothing about faces.
"""

import copy
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import matplotlib
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

matplotlib.use("Agg")  # before pyplot: curves are drawn where there may be no display
from matplotlib import pyplot

LONGEST_STEP_S = 20.0
"""A longer step was a pause: the machine slept, or somebody stopped the process. It costs no minutes of the budget."""
MOST_SKIPPED = 50
"""Steps in a row whose gradients are not finite, before the training gives up."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to learn. Training ends when the samples or the minutes are spent, whichever is first."""

    samples: int
    minutes: float
    batch: int
    learning_rate: float
    weight_decay: float
    seed: int
    threads: int
    workers: int
    checkpoint_minutes: float
    warmup_steps: int = 200
    gradient_limit: float = 1.0
    average: float = 0.998
    """How much of the averaged network stays at each step"""


@dataclass
class Progress:
    """What a checkpoint remembers besides weights."""

    samples: int = 0
    steps: int = 0
    elapsed_s: float = 0.0
    skipped: int = 0
    """The last so many steps were left out, because their gradients were not finite"""
    history: list[dict[str, float]] = field(default_factory=list)


class Task(Protocol):
    """What a training must say about itself."""

    network: nn.Module
    dataset: Dataset

    def loss(self, network: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """Return named losses; their sum is minimised."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return named measurements of the averaged network on held-out data."""


def device_for_training() -> torch.device:
    """CUDA where there is one, else CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def learning_share(config: LoopConfig, progress: Progress) -> float:
    """Return the learning rate as a share of its peak: linear warm-up, then half a cosine over the budget."""
    spent = max(progress.samples / config.samples, progress.elapsed_s / (config.minutes * 60))
    return min(1.0, (progress.steps + 1) / config.warmup_steps) * (0.5 + 0.5 * math.cos(math.pi * min(spent, 1.0)))


def read_checkpoint(file: Path, device: torch.device) -> dict:
    """Return what Loop.save wrote; weights and plain values only."""
    return torch.load(file, map_location=device, weights_only=True)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, steps: int, most: float) -> None:
    """Move the averaged network towards the network: keep the share `most` of it, less in the beginning."""
    keep = min(most, (1 + steps) / (10 + steps))
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def draw_curves(history: list[dict[str, float]], file: Path) -> None:
    """Draw every measurement of the history over the samples seen, one panel each."""
    names = [name for name in history[-1] if name != "samples"]
    figure, panels = pyplot.subplots(1, len(names), figsize=(4 * len(names), 3), squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        panel.plot([row["samples"] for row in history], [row[name] for row in history])
        panel.set_title(name)
        panel.set_xlabel("samples")
        panel.set_yscale("log")
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)


class Loop:
    """One training run in a work folder; continues from work/checkpoint.pt if that exists."""

    def __init__(self, task: Task, config: LoopConfig, work: Path, *, start: Path | None = None):
        """Args: start: another run's checkpoint, whose averaged network a fresh run starts from."""
        self.task, self.config, self.work = task, config, work
        self.device = device_for_training()
        self.network = task.network.to(self.device, memory_format=torch.channels_last)
        if start is not None:
            self.network.load_state_dict(read_checkpoint(start, self.device)["average"])
        self.average = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.scaler = torch.amp.GradScaler(enabled=self.device.type == "cuda")
        self.progress = Progress()
        if (work / "checkpoint.pt").exists():
            self.load()

    def save(self) -> None:
        """Write the checkpoint whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": vars(self.progress),
        }
        torch.save(state, self.work / "checkpoint.tmp")
        (self.work / "checkpoint.tmp").replace(self.work / "checkpoint.pt")

    def load(self) -> None:
        """Continue where the checkpoint ended."""
        state = read_checkpoint(self.work / "checkpoint.pt", self.device)
        for name in ("network", "average", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        self.progress = Progress(**state["progress"])

    def step(self, batch: list[Tensor]) -> dict[str, float]:
        """Learn from one batch; returns the losses."""
        batch = [part.to(self.device, non_blocking=True) for part in batch]
        share = learning_share(self.config, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.config.learning_rate * share)
        self.network.train()
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            losses = self.task.loss(self.network, batch)
        total = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        self.scaler.unscale_(self.optimizer)
        length = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_limit)
        finite = bool(length.isfinite())
        if finite or self.scaler.is_enabled():  # the scaler skips the step by itself, and lowers its scale
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.note(finite=finite)
        self.progress.samples += len(batch[0])
        self.progress.steps += 1
        return {name: float(value.detach()) for name, value in losses.items()} if finite else {}

    def note(self, *, finite: bool) -> None:
        """Let the averaged network follow a step that was taken; repair what a step that was not left behind.

        Raises: FloatingPointError if too many in a row were not taken.
        """
        if finite:
            self.progress.skipped = 0
            follow(self.average, self.network, self.progress.steps, self.config.average)
            return
        # Batch norms have already counted the activations that overflowed.
        for kept, spoilt in zip(self.average.buffers(), self.network.buffers(), strict=True):
            spoilt.copy_(kept)
        self.progress.skipped += 1
        if self.progress.skipped >= MOST_SKIPPED:
            raise FloatingPointError(
                f"the gradients of {MOST_SKIPPED} steps in a row are not finite; lower loop.learning_rate"
            )

    def check(self, losses: list[dict[str, float]]) -> None:
        """Validate the averaged network, note it with the mean losses since the last time, save and draw."""
        self.average.eval()
        means = {name: float(np.mean([row[name] for row in losses])) for name in losses[0]}
        measured = self.task.validate(self.average)
        self.progress.history.append({"samples": self.progress.samples, **means, **measured})
        self.save()
        draw_curves(self.progress.history, self.work / "curves.png")

    def run(self) -> nn.Module:
        """Train until the budget is spent; returns the averaged network in evaluation mode."""
        config, progress = self.config, self.progress
        torch.set_num_threads(config.threads)
        numbers = range(progress.samples, config.samples)
        loader = DataLoader(
            self.task.dataset, config.batch, sampler=numbers, num_workers=config.workers, drop_last=True
        )
        stepped_s = checked_s = time.monotonic()
        losses: list[dict[str, float]] = []
        with tqdm(total=config.samples, initial=progress.samples, unit="sample", mininterval=10) as bar:
            for batch in loader:
                measured = self.step(batch)
                losses += [measured] if measured else []
                now_s = time.monotonic()
                progress.elapsed_s += min(now_s - stepped_s, LONGEST_STEP_S)
                stepped_s = now_s
                bar.update(len(batch[0]))
                if progress.elapsed_s > config.minutes * 60:
                    break
                if losses and time.monotonic() - checked_s > config.checkpoint_minutes * 60:
                    self.check(losses)
                    last = {name: f"{value:.4g}" for name, value in progress.history[-1].items()}
                    bar.set_postfix(last)
                    checked_s, losses = time.monotonic(), []
        if losses:
            self.check(losses)
        return self.average.eval()
