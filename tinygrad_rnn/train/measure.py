"""Measuring a model's gradient flow, in a form that anybody can recompute elsewhere."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from tinygrad_rnn import __version__, arguments
from tinygrad_rnn.engine.autograd import grad
from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.flow import FlowReport, gradient_flow
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.train.loop import MEASURED
from tinygrad_rnn.train.models import Model
from tinygrad_rnn.train.remedies import remedies_of

SCHEMA = "tinygrad_rnn.flow/1"


@dataclass(frozen=True)
class InputFlow:
    """What the inputs of each step have to do with the loss at the last one.

    Attributes:
        labels: what example 0 reads at each step, a character or a few digits; () if the task does not say. Where a
            decoder follows, T is that of both: first the inputs of the one, then the replies that the other reads.
        products: (T,) x_t · dL_0/dx_t of example 0, summed over the features, with its sign: how much the loss would
            change, to first order, if x_t grew by its own size.
        norms: (T,) sqrt(mean_b ||dL_b/dx_t||^2).
    """

    labels: tuple[str, ...]
    products: np.ndarray
    norms: np.ndarray


@dataclass(frozen=True)
class Measurement:
    """A report, and all that went into it.

    Attributes:
        report: the gradient flow of one loss per example, at the last step.
        settings: what `flow.json` says about the run: cell, task, sizes, seed, dtype, and what else was given.
        run: the parameters under PyTorch's names (those of the recurrent layers as in nn.LSTM, the output layer's as
            output.weight and output.bias), `inputs` (T, B, I), `targets`, and the initial states h0 and c0 (L, B, H).
        inputs: what the inputs have to do with the losses; None without statistics.
    """

    report: FlowReport
    settings: dict[str, Any]
    run: dict[str, np.ndarray]
    inputs: InputFlow | None = None

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
    model: Model,
    task: Task,
    batch: int,
    seed: int = 0,
    statistics: bool = False,
    threshold: float = 0.01,
    about: Mapping[str, Any] | None = None,
) -> Measurement:
    """Measure how the gradient of each example's loss at the last step flows back through the unrolled model.

    The batch is the one that `evaluate` takes. The model computes in its own dtype; float64 shows what underflows in
    float32. With `statistics` the report also describes the values and gradients of every node, and knows the largest
    singular values of the recurrent weights and what the changes that the cell suggests would do; below `threshold`
    times the gradient at the last step it counts as vanished. `about` is what flow.json shall say besides, as JSON can
    hold it: which text, and how long the model had been trained.
    """
    drawn, arrays = measured_batch(model, task, batch, seed)
    start = model.initial_state(batch)
    losses = task.last_losses(model.measured(drawn, start)[-1], drawn)
    report = gradient_flow(losses, threshold, statistics=statistics)
    if statistics and report.status == "ok":
        remedies = remedies_of(model, task, batch, seed, threshold)
        report = report.beside(remedies=remedies, sigma_max=tuple(_largest_singular_values(model)))
    settings = {
        "cell": model.cell_name,
        "task": task.specification,
        "steps": task.steps,
        "hidden": model.config()["hidden_size"],
        "batch": batch,
        "seed": seed,
        "dtype": str(model.dtype),
    } | dict(about or {})
    run = {name.removeprefix("rnn."): value.numpy() for name, value in model.state_dict().items()}
    run |= arrays
    run |= {f"{name}0": value.numpy() for name, value in start.items()}
    return Measurement(report, settings, run, input_flow(model, task, batch, seed) if statistics else None)


def _largest_singular_values(model: Model) -> Iterator[tuple[str, float]]:
    """Yield the largest singular value of the recurrent weight of every layer that has one, by its name."""
    for part, layers in model.recurrent.items():
        for layer in range(layers.num_layers):
            weight = getattr(layers.cell(layer), "weight_hh", None)
            if weight is not None:
                name = f"{part}.weight_hh_l{layer}".removeprefix("rnn.")
                yield name, float(np.linalg.norm(weight.detach().to("cpu").numpy(), 2))


def measured_batch(
    model: Model, task: Task, batch: int, seed: int, requires_grad: bool = False
) -> tuple[Batch, dict[str, np.ndarray]]:
    """Return the examples that gradients are measured of, as tensors, and the arrays they are made of by name.

    Raises:
        InputError: the batch is no whole number from 1, or the seed none from 0.
    """
    batch, seed = arguments.whole("measuring: batch", batch), arguments.whole("measuring: seed", seed, 0)
    drawn = task.measured(batch, (seed, MEASURED), model.dtype)
    arrays = {part.name: value for part in fields(drawn) if (value := getattr(drawn, part.name)) is not None}
    made = drawn.to(model.device)
    inputs = tensor(drawn.inputs, device=model.device, requires_grad=requires_grad).named("x")
    replies = None
    if drawn.replies is not None:
        replies = tensor(drawn.replies, device=model.device, requires_grad=requires_grad).named("y")
    return replace(made, inputs=inputs, replies=replies), arrays


def input_flow(model: Model, task: Task, batch: int, seed: int = 0) -> InputFlow:
    """Measure how the losses at the last step depend on the inputs of every step, on the batch that `measure` takes.

    The task tells what is read by its `input_labels`.

    >>> from tinygrad_rnn.tasks import TextTask
    >>> from tinygrad_rnn.train import SequenceModel, input_flow
    >>> found = input_flow(SequenceModel("gru", 7, 4, 7), TextTask("to be or not to be", steps=6), batch=3)
    >>> len(found.labels), found.products.shape, found.norms.shape
    (6, (6,), (6,))
    """
    drawn, arrays = measured_batch(model, task, batch, seed, requires_grad=True)
    losses = task.last_losses(model.measured(drawn, model.initial_state(batch))[-1], drawn)
    labels: list[str] = []
    products, norms = [], []
    wanted = [getattr(drawn, part) for part in model.reads]
    for part, found in zip(model.reads, grad(losses.sum(), wanted), strict=True):
        gradients, read = found.numpy().astype(np.float64), arrays[part]
        labels += (task.input_labels if part == "inputs" else task.reply_labels)(read[:, 0])
        products.append((read[:, 0] * gradients[:, 0]).sum(axis=-1))
        norms.append(np.sqrt((gradients**2).sum(axis=-1).mean(axis=-1)))
    return InputFlow(tuple(labels), np.concatenate(products), np.concatenate(norms))
