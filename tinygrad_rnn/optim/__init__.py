"""Optimizers, schedules of the learning rate, and gradient clipping, with PyTorch's numbers.

A step is a list of tensor ops and `assign_`s, also for what changes between steps (learning rate, step count, moments),
so that it can be recorded and replayed, and never waits for a device. Gradients are read, never written in place.
"""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.engine.names import no_such_name
from tinygrad_rnn.optim.algorithms import SGD, Adagrad, Adam, AdamW, RMSprop
from tinygrad_rnn.optim.clipping import clip_grad_norm_, clip_grad_value_
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.optim.schedules import (
    SCHEDULES,
    CosineAnnealingLR,
    GradientMonitor,
    LinearLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
    parse_schedule,
)
from tinygrad_rnn.optim.table import OPTIMIZERS, optimizer_of, parse_optimizer

__all__ = [
    "OPTIMIZERS", "SCHEDULES", "SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "GradientMonitor", "LinearLR",
    "Optimizer", "RMSprop", "ReduceLROnPlateau", "Schedule", "StepLR", "clip_grad_norm_", "clip_grad_value_",
    "optimizer_of", "parse_optimizer", "parse_schedule",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name, __all__)


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
