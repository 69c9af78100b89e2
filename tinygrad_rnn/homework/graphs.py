"""The graph of a student's tensors as a picture, with the edge in red along which something went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import graphviz
import numpy as np

from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.homework.remote import StudentError, WorkerDiedError

__all__ = ["drawn", "graph_of"]

#: A larger graph is no picture.
_MOST = 60


@contextlib.contextmanager
def drawn(root: Any, wrong: Sequence[tuple[Any, int, str]]) -> Iterator[None]:
    """Have what fails inside carry a picture of a graph.

    Args:
        root: the tensor that the graph ends in.
        wrong: the edges to mark, as in `graph_of`.

    Raises:
        CheckFailedError: the one that was raised inside, with its graph.
    """
    try:
        yield
    except CheckFailedError as error:
        with contextlib.suppress(StudentError, WorkerDiedError, TypeError, ValueError, AttributeError):
            error.graph = graph_of(root, wrong) if wrong else ""
        raise


def graph_of(root: Any, wrong: Sequence[tuple[Any, int, str]] = ()) -> str:
    """Return the graph that ends in a tensor as DOT text, arrows as numbers flow.

    Args:
        root: a tensor, with `parents` (tensors), `op` (a text, empty or None for a leaf) and `data` (an array).
        wrong: the edges to mark: a tensor, which of its parents, and words.

    Raises:
        ValueError: it is too large for a picture.
    """
    drawing = graphviz.Digraph(graph_attr={"rankdir": "LR"}, node_attr={"shape": "box", "fontname": "Helvetica"})
    drawing.attr("edge", fontname="Helvetica")
    tensors, waiting = [root], [root]
    while waiting:
        child = waiting.pop()
        name = str(tensors.index(child))
        drawing.node(name, _label(child))
        for position, parent in enumerate(child.parents):
            if parent not in tensors:
                if len(tensors) == _MOST:
                    raise ValueError("too many tensors for a picture")
                tensors.append(parent)
                waiting.append(parent)
            said = next((words for each, place, words in wrong if each == child and place == position), None)
            marked = {} if said is None else {"label": said, "color": "red", "fontcolor": "red", "penwidth": "2"}
            drawing.edge(str(tensors.index(parent)), name, **marked)
    return str(drawing.source)


def _label(tensor: Any) -> str:
    data = np.asarray(tensor.data)
    value = f"{data.item():.4g}" if data.size == 1 else "x".join(map(str, data.shape))
    return f"{graphviz.escape(str(tensor.op or 'leaf')[:20])}\n{value}"
