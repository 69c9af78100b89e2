"""Schedules set the learning rates that PyTorch's do, and continue from their state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError, StateError

LOSSES = [3.0, 2.0, 2.0, 2.1, 1.9999, 2.2, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
#: Class here and there, options here and there.
PAIRS = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}, {"step_size": 3, "gamma": 0.5}),
    ("CosineAnnealingLR", {"T_max": 12, "end": 0.25}, {"T_max": 12, "eta_min": 0.1}),
    ("LinearLR", {"total_iters": 5}, {"total_iters": 5}),
    ("LinearLR", {"total_iters": 5, "start_factor": 0.1}, {"total_iters": 5, "start_factor": 0.1}),
    ("ReduceLROnPlateau", {"factor": 0.5, "patience": 1}, {"factor": 0.5, "patience": 1}),
]


def sgd(lr: float = 0.4) -> optim.SGD:
    return optim.SGD([tg.zeros(1, requires_grad=True)], lr=lr)


@pytest.mark.parametrize(("name", "options", "theirs"), PAIRS)
def test_learning_rates_are_those_of_pytorch(name: str, options: Any, theirs: Any) -> None:
    torch = pytest.importorskip("torch")
    mine, its = sgd(), torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    schedule = getattr(optim, name)(mine, **options)
    other = getattr(torch.optim.lr_scheduler, name)(its, **theirs)
    for loss in LOSSES:
        its.step()
        schedule.step(1.0)
        if name == "ReduceLROnPlateau":
            schedule.validated(loss)
            other.step(loss)
        else:
            other.step()
        assert mine.lr.item() == pytest.approx(its.param_groups[0]["lr"], rel=1e-12)


def test_a_cosine_stays_down_after_its_end() -> None:
    mine = sgd()
    schedule = optim.CosineAnnealingLR(mine, 3)
    for _ in range(6):
        schedule.step()
    assert mine.lr.item() == pytest.approx(0.0, abs=1e-17)


def test_the_monitor_halves_where_the_gradient_leaves_its_band_and_comes_back_when_all_is_calm() -> None:
    mine = sgd()
    monitor = optim.GradientMonitor(mine, band=10.0, patience=3)
    rates = []
    for norm in [1.0, 1.0, 30.0, 1.0, 1.0, 1.0, 0.01, 1.0, 1.0, 1.0, 1.0]:
        monitor.step(norm)
        rates.append(mine.lr.item())
    assert rates == [0.4, 0.4, 0.2, 0.2, 0.2, 0.4, 0.2, 0.2, 0.2, 0.4, 0.4]


def test_the_monitors_mean_is_of_logarithms() -> None:
    monitor = optim.GradientMonitor(sgd(), band=1e9)
    for norm in (1.0, 100.0, 0.0):
        monitor.step(norm)
    assert monitor.mean == pytest.approx(0.1 * np.log(100.0))


@pytest.mark.parametrize(
    "text", ["step:every=3:by=0.5", "cosine:updates=12", "warmup:updates=5", "plateau:patience=1:by=0.5", "monitor"]
)
def test_a_schedule_continues_from_its_state_as_if_it_had_not_stopped(text: str) -> None:
    found = []
    for stop in (None, 4):
        mine = sgd()
        schedule = optim.parse_schedule(text).make(mine)
        for number, loss in enumerate(LOSSES):
            if number == stop:
                state, rate = json.loads(json.dumps(schedule.state_dict())), mine.state_dict()
                mine = sgd(lr=9.0)
                schedule = optim.parse_schedule(text).make(mine)
                mine.load_state_dict(rate)
                schedule.load_state_dict(state)
            schedule.step(100.0 if number in (2, 9) else loss)
            schedule.validated(loss)
        found.append((mine.lr.item(), schedule.state_dict()))
    assert found[0] == found[1]
    assert text == "monitor" or text.startswith("warmup") or found[0][0] != 0.4


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="the schedule step needs every: step:every="):
        optim.parse_schedule("step").make(sgd())
    with pytest.raises(InputError, match="unknown schedule 'stop'"):
        optim.parse_schedule("stop")
    with pytest.raises(InputError, match="band must be a number above 1, not 1"):
        optim.GradientMonitor(sgd(), band=1.0)
    with pytest.raises(StateError, match="does not fit StepLR, which has base, taken"):
        optim.StepLR(sgd(), 3).load_state_dict({"base": 1.0})
    with pytest.raises(StateError, match="taken must be a number"):
        optim.StepLR(sgd(), 3).load_state_dict({"base": 1.0, "taken": "3"})
