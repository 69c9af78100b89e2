"""Two worlds that start alike: in one every step runs as it is, in the other it is recorded once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import tape
from tinygrad_rnn.engine.creation import default_generator

REPLAYS = 20

#: What makes a world: the step, and all tensors that it may change, by name.
World = tuple[Callable[..., Any], dict[str, tg.Tensor]]


def numbers_of(value: Any) -> Any:
    """Return a result with the bits of its tensors in place of them."""
    if isinstance(value, tg.Tensor):
        return (value.shape, str(value.dtype), value.numpy().tobytes())
    if isinstance(value, Mapping):
        return {key: numbers_of(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [numbers_of(part) for part in value]
    return value


def lived(
    make: Callable[[], World],
    batches: Sequence[Sequence[Any]],
    recorded: bool,
    warm_up: int = 0,
    between: Callable[[int, World], None] = lambda count, world: None,
    through_json: bool = False,
) -> list[Any]:
    """Return all that a world shows: the results, and after every step the tensors with their gradients."""
    tg.manual_seed(0)
    step, tensors = world = make()
    seen, run = [], step
    for count, batch in enumerate(batches):
        between(count, world)
        if recorded and count == warm_up:
            taped = tape.record(step, *batch)
            result, run = taped.result, taped.replay
        else:
            result = run(*batch)
        gradients = {name: x.grad for name, x in tensors.items() if x.is_leaf}
        random = {"seed": default_generator.seed, "counter": default_generator.counter}
        seen.append(numbers_of([result, tensors, gradients, random]))
    return seen


def assert_replays_are_the_step(
    make: Callable[[], World], batches: Sequence[Sequence[Any]], warm_up: int = 0, **options: Any
) -> None:
    eager = lived(make, batches, recorded=False, warm_up=warm_up, **options)
    taped = lived(make, batches, recorded=True, warm_up=warm_up, **options)
    for count, (wanted, found) in enumerate(zip(eager, taped, strict=True)):
        for what, a, b in zip(("result", "tensors", "gradients", "random"), wanted, found, strict=True):
            assert a == b, f"{what} differ after step {count}"
    assert len({str(each[0]) for each in eager}) > 1, "the steps must differ, or nothing is shown"


def id_batches(vocabulary: int, shape: tuple[int, ...], count: int = REPLAYS + 1, ignored: int | None = None) -> Any:
    """Return pairs of inputs and targets, in every third of which some targets are to be ignored."""
    random = np.random.default_rng(1)
    found = []
    for i in range(count):
        inputs, targets = random.integers(0, vocabulary, (2, *shape))
        if ignored is not None and i % 3 == 2:
            targets[0, 0] = ignored
        found.append((tg.tensor(inputs), tg.tensor(targets)))
    return found


def float_batches(*shapes: tuple[int, ...], count: int = REPLAYS + 1, dtype: str = "float32") -> Any:
    random = np.random.default_rng(2)
    return [tuple(tg.tensor(random.normal(size=shape), dtype) for shape in shapes) for _ in range(count)]
