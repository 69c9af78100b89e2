"""Measuring a model's gradient flow, in a form that anybody can recompute elsewhere."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn import __version__
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.flow import FlowReport, gradient_flow
from tinygrad_rnn.train.loop import MEASURED, Task
from tinygrad_rnn.train.model import SequenceModel

SCHEMA = "tinygrad_rnn.flow/1"


@dataclass(frozen=True)
class Measurement:
    """A report, and all that went into it.

    Attributes:
        report: the gradient flow of one loss per example, at the last step.
        settings: what `flow.json` says about the run: cell, task, sizes, seed, dtype, and what else was given.
        run: the parameters under PyTorch's names (those of the recurrent layers as in nn.LSTM, the output layer's as
            output.weight and output.bias), `inputs` (T, B, I), `targets`, and the initial states h0 and c0 (L, B, H).
    """

    report: FlowReport
    settings: dict[str, Any]
    run: dict[str, np.ndarray]

    def flow_json(self) -> dict[str, Any]:
        """Return the content of flow.json; weights go by the names they have in `run`."""
        found = self.report.to_dict()
        names = {name.rpartition(".")[2]: name for name in self.run}
        found["weights"] = {names.get(name, name): weight for name, weight in found["weights"].items()}
        return {"schema": SCHEMA, **self.settings, "versions": versions(), **found}


def versions() -> dict[str, str]:
    """Return what has to be the same for the numbers to be the same, by name."""
    return {"tinygrad_rnn": __version__, "python": platform.python_version(), "numpy": np.__version__}


def measure(
    model: SequenceModel,
    task: Task,
    batch: int,
    seed: int = 0,
    statistics: bool = False,
    threshold: float = 0.01,
    about: Mapping[str, Any] | None = None,
) -> Measurement:
    """Measure how the gradient of each example's loss at the last step flows back through the unrolled model.

    The batch is the one that `evaluate` takes. The model computes in its own dtype; float64 shows what underflows in
    float32. With `statistics` the report also describes the values and gradients of every node; below `threshold` times
    the gradient at the last step it counts as vanished. `about` is what flow.json shall say besides, as JSON can hold
    it: which text, and how long the model had been trained.
    """
    inputs, targets = task.batch(batch, (seed, MEASURED), model.dtype)
    start = model.initial_state(batch)
    output = model.last_output(tensor(inputs, device=model.device).named("x"), start)
    report = gradient_flow(task.last_losses(output, targets), threshold, statistics=statistics)
    settings = {
        "cell": model.cell_name,
        "task": task.name,
        "steps": task.steps,
        "hidden": model.rnn.hidden_size,
        "batch": batch,
        "seed": seed,
        "dtype": str(model.dtype),
    } | dict(about or {})
    run = {name.removeprefix("rnn."): value.numpy() for name, value in model.state_dict().items()}
    run |= {"inputs": inputs, "targets": targets}
    run |= {f"{name}0": value.numpy() for name, value in start.items()}
    return Measurement(report, settings, run)
