"""The embedded Reber grammar: strings whose last symbol but one is decided by the second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.answers import EveryClassTask
from tinygrad_rnn.tasks.symbols import NOTHING, dealt, names, one_hot
from tinygrad_rnn.tasks.task import Batch, Criterion, enough_steps

__all__ = ["ContinualReberTask", "EmbeddedReberTask"]

SYMBOLS = "BTPSXVE"
#: The grammar of Reber (1967): the edges that leave each node, with their symbols.
REBER: dict[int, dict[str, int]] = {
    0: {"B": 1}, 1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6}, 5: {"P": 4, "V": 6}, 6: {"E": 7},
}  # fmt: skip
_INSIDE = 8  # nodes of a Reber string, its end included
#: The nodes of the embedded grammar: B, then T or P, a Reber string, the same symbol again, E, and nothing more.
START, CHOICE, UPPER, LOWER = 0, 1, 2, 2 + _INSIDE
LAST, DONE = 2 + 2 * _INSIDE, 3 + 2 * _INSIDE
#: So often strings are drawn to find different ones.
ROUNDS = 100


def _embedded(after_the_end: dict[str, int]) -> list[dict[str, int]]:
    """Return the edges that leave each node of the embedded grammar, those of its end as given."""
    edges: list[dict[str, int]] = [{"B": CHOICE}, {"T": UPPER, "P": LOWER}]
    for first, symbol in ((UPPER, "T"), (LOWER, "P")):
        edges += [{each: first + node for each, node in leaving.items()} for leaving in REBER.values()]
        edges.append({symbol: LAST})
    return [*edges, {"E": DONE}, after_the_end]


class Walks:
    """Walks through a graph whose nodes have one or two edges, each taken with probability 1/2 if there are two.

    Args:
        edges: those that leave each node, with their symbols.

    Attributes:
        symbols, nodes: (nodes, 2) int64, what the first and the second edge of a node bring, and where they lead.
        possible: (nodes, 7) bool, which symbols its edges bring.
    """

    def __init__(self, edges: Sequence[dict[str, int]]) -> None:
        pairs = [(list(leaving.items()) * 2)[:2] for leaving in edges]
        self.symbols = np.array([[SYMBOLS.find(symbol) for symbol, _ in pair] for pair in pairs])
        self.nodes = np.array([[node for _, node in pair] for pair in pairs])
        self.possible = np.array([[symbol in leaving for symbol in SYMBOLS] for leaving in edges])

    def chances(self, steps: int, end: int) -> np.ndarray:
        """Return (steps, nodes): the probability of the first edge, for walks that end at a node.

        Row t is for the step t of such a walk, exactly `steps` long, among all walks that stand where they stand.
        """
        ends = np.eye(1, len(self.nodes), end)[0]
        chances = np.empty((steps, len(ends)))
        for t in range(steps - 1, -1, -1):
            first, both = ends[self.nodes[:, 0]], ends[self.nodes].sum(axis=1)
            chances[t] = np.divide(first, both, out=np.full(len(ends), 0.5), where=both > 0)
            ends = both / both.max()  # only ratios count: no walk is too long for them
        return chances

    def walk(
        self, random: np.random.Generator, start: np.ndarray, chances: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols (steps, B) of walks from the nodes `start`, and the nodes (steps + 1, B)."""
        steps, size = len(chances), len(start)
        symbols, nodes = np.empty((steps, size), np.int64), np.empty((steps + 1, size), np.int64)
        nodes[0] = node = start
        all_symbols, all_nodes, drawn = self.symbols.ravel(), self.nodes.ravel(), random.random((steps, size))
        for t in range(steps):
            edge = 2 * node + (drawn[t] >= chances[t].take(node))
            symbols[t] = all_symbols.take(edge)
            nodes[t + 1] = node = all_nodes.take(edge)
        return symbols, nodes

    def follow(self, symbols: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Return the nodes (T, B) that walks from `start` stand at after each of their symbols (T, B)."""
        nodes, node = np.empty(symbols.shape, np.int64), start
        for t, read in enumerate(symbols):
            nodes[t] = node = self.nodes[node, (self.symbols[node, 0] != read).astype(np.int64)]
        return nodes


class _ReberTask(EveryClassTask):
    """Base of the two: what is read is a one-hot symbol, what is asked the next, at every step."""

    walks: Walks
    input_size = output_size = len(SYMBOLS)
    criterion = Criterion("wrong", at_most=0.0)

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which examples are wrong: at some step a symbol that may come next is not among the most active."""
        return {"wrong": np.any(self._mistaken(outputs, batch), axis=0)}

    def _mistaken(self, outputs: Tensor, batch: Batch) -> np.ndarray:
        inputs = batch.inputs.numpy() if isinstance(batch.inputs, Tensor) else batch.inputs
        nodes = self.walks.follow(inputs.argmax(axis=-1), np.full(inputs.shape[1], START))
        possible, found = self.walks.possible[nodes], outputs.numpy()
        least = np.where(possible, found, np.inf).min(axis=-1)
        mistaken = ~(least > np.where(possible, -np.inf, found).max(axis=-1))
        return mistaken if batch.mask is None else mistaken & (batch.mask > 0)

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the symbols that one example (T, 7) reads."""
        return names(x, SYMBOLS)


class EmbeddedReberTask(_ReberTask):
    """Read a string of the embedded Reber grammar, one symbol at a time, and predict the next at every step.

    Hochreiter and Schmidhuber (1997), section 5.1, after Cleeremans, Servan-Schreiber and McClelland (1989). A string
    is B, T or P, a string of the Reber grammar, the same of T and P again, E; where two edges leave a node of the
    grammar, each is taken with probability 1/2. So the symbol before the last is decided by the second, at least 6
    symbols earlier. A string is wrong if at some step a symbol that may come next is not among the most active outputs.

    Strings that read more than T symbols are left out: with T = 20 one in 48, with T = 50 one in 539,000. With
    `strings` the task learns from so many, all different, and `held_out` evaluates it on so many others, as the paper
    does with 256 each; no string comes twice in a batch before all have come. It is solved when none of the others is
    wrong, each looked at; the paper looks at those learned from, too. Without `strings` it is solved when none of those
    that a validation draws is wrong. Outputs are probabilities with cross entropy here, and logistic units with squared
    error in the paper.

    To measure, strings of T + 2 symbols are taken, without their E: the last step asks for the symbol before it.

    Args:
        steps: T, at least 8.
        strings: how many to learn from; all there are unless given.

    Raises:
        InputError: fewer steps, or not so many different strings of at most T steps, or `strings` is no whole number
            from 1.

    >>> task = EmbeddedReberTask(steps=12)
    >>> inputs, targets = task.measured(1, seed=0)
    >>> "".join(task.input_labels(inputs[:, 0])), "BTPSXVE"[targets[-1, 0]]
    ('BTBTXXTTVPSE', 'T')
    """

    name = "embedded_reber"
    walks = Walks(_embedded({"nothing": DONE}))

    def __init__(self, steps: int, strings: int | None = None) -> None:
        self.steps = enough_steps(steps, 8, "the shortest strings of the embedded Reber grammar have 9 symbols")
        self._whole = self.walks.chances(steps + 1, DONE)
        self._due = self.walks.chances(steps + 1, LAST)
        if strings is not None:
            strings = arguments.whole("EmbeddedReberTask: strings", strings)
            self.criterion = Criterion("wrong", at_most=0.0, examples=strings)
        different = None if strings is None else self._different(2 * strings)
        self._known: np.ndarray | None = None if different is None else different[:, :strings]
        self._others: np.ndarray | None = None if different is None else different[:, strings:]

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return strings without their last symbols (T, B, 7), padded to the longest, and the next symbols (T, B)."""
        random = np.random.default_rng(seed)
        if self._known is None:
            symbols = self._strings(random, size)
        else:
            symbols = self._known[:, dealt(random, self._known.shape[1], size)]
        lengths = (symbols != NOTHING).sum(axis=0) - 1
        there = np.arange(lengths.max())[:, None] < lengths
        read, targets = symbols[: len(there)], symbols[1 : len(there) + 1]
        inputs = one_hot(np.where(there, read, NOTHING), len(SYMBOLS), dtype)
        return Batch(inputs, np.where(there, targets, 0), lengths, there.astype(dtype))

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return strings whose symbol before the last is due after T."""
        symbols, _ = self.walks.walk(np.random.default_rng(seed), np.full(size, START), self._due)
        return Batch(one_hot(symbols[:-1], len(SYMBOLS), dtype), symbols[1:])

    def held_out(self) -> tuple[EmbeddedReberTask, EmbeddedReberTask]:
        """Return the task, and the one on as many other strings; twice itself without `strings`.

        Which strings these are depends on the numbers of steps and of strings alone.
        """
        if self._known is None:
            return self, self
        other = copy(self)
        other._known, other._others = self._others, self._known
        return self, other

    def _strings(self, random: np.random.Generator, size: int) -> np.ndarray:
        return self.walks.walk(random, np.full(size, START), self._whole)[0]

    def _different(self, count: int) -> np.ndarray:
        """Return different strings (T + 1, count), in the order in which they first come."""
        random, found = np.random.default_rng(0), np.empty((self.steps + 1, 0), np.int64)
        for _ in range(ROUNDS):
            found = np.concatenate([found, self._strings(random, 2 * count)], axis=1)
            found = found[:, np.sort(np.unique(found, axis=1, return_index=True)[1])]
            if found.shape[1] >= count:
                return found[:, :count]
        raise InputError(
            f"strings={count // 2} takes {count} different strings, half of them to evaluate on; with {self.steps} "
            f"steps only {found.shape[1]} were found: take more steps or fewer strings"
        )


class ContinualReberTask(_ReberTask):
    """Strings of the embedded Reber grammar one after the other, with nothing between: predict the next symbol.

    Gers, Schmidhuber and Cummins (2000). The state of a network is not reset where a string ends and the next begins,
    so it has to learn when to forget. A batch has the first T symbols of so many streams; `stream` goes on from there,
    for networks whose state is carried from one window to the next.

    A stream is wrong if at some step a symbol that may come next is not among the most active outputs; the score
    "symbols" is how many steps went well before. Solved is when no stream that a validation draws is wrong, of T
    symbols each; in the paper a network is perfect if it goes on for 1,000,000. Outputs are probabilities with cross
    entropy here, and logistic units with squared error in the paper.

    To measure, streams are taken whose last step asks for the symbol before the last of a string.

    Args:
        steps: T, at least 8.

    Raises:
        InputError: there are fewer steps.

    >>> task = ContinualReberTask(steps=24)
    >>> "".join(task.input_labels(task.batch(1, seed=0).inputs[:, 0]))
    'BTBTXSETEBPBPTVPSEPEBTBP'
    """

    name = "continual_reber"
    walks = Walks(_embedded({"B": CHOICE}))

    def __init__(self, steps: int) -> None:
        self.steps = enough_steps(steps, 8, "the shortest strings of the embedded Reber grammar have 9 symbols")
        self._due = self.walks.chances(steps + 1, LAST)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return the beginnings of streams (T, B, 7), and the next symbols (T, B)."""
        return next(self.stream(size, seed, dtype))

    def measured(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return streams whose step T - 1 asks for the symbol before the last of a string."""
        return self._window(self.walks.walk(np.random.default_rng(seed), np.full(size, START), self._due)[0], dtype)

    def stream(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Iterator[Batch]:
        """Yield windows of T steps of B streams that never end, each where the one before ended.

        `scores` knows where a stream stands from its beginning only: join the windows for it.
        """
        random, either = np.random.default_rng(seed), np.full((1, len(self.walks.nodes)), 0.5)
        symbols, nodes = self.walks.walk(random, np.full(size, START), either)
        while True:
            more, nodes = self.walks.walk(random, nodes[-1], np.repeat(either, self.steps, axis=0))
            symbols = np.concatenate([symbols[-1:], more])
            yield self._window(symbols, dtype)

    @staticmethod
    def _window(symbols: np.ndarray, dtype: Any) -> Batch:
        return Batch(one_hot(symbols[:-1], len(SYMBOLS), dtype), symbols[1:])

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return which streams are wrong, and how many steps of each went well before the first mistake."""
        mistaken = self._mistaken(outputs, batch)
        wrong = np.any(mistaken, axis=0)
        return {"wrong": wrong, "symbols": np.where(wrong, mistaken.argmax(axis=0), len(mistaken))}
