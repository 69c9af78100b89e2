"""A graph as text: the Wengert list, one line per value, forward and then backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_rnn.engine.protocol import Edge, Value, Vertex, is_value
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow.survey import Survey, edges_of, label_of, look_over
from tinygrad_rnn.viz.equations import applied


def listing(x: Value) -> str:
    """Return the graph behind a tensor as text: every value with its equation, then the gradients in reverse.

    Values without a name are called v1, v2, ... in the order they were computed. A gradient is shown where `.grad`
    holds one (after `backward(retain_graph=True)`: the leaves, and what `retain_grad` was called on).

    Raises:
        GraphError: backward() has freed the graph.
        InputError: x is no tensor.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.tensor(3.0, requires_grad=True).named("x")
    >>> y = (x * x + 1.0).named("y")
    >>> y.backward(retain_graph=True)
    >>> print(viz.listing(y))
    forward
      x       leaf, requires grad  ()  3
      v1      = x * x              ()  9
      y       = v1 + 1             ()  10
    backward (to see more: retain_grad() on a tensor, then backward(retain_graph=True))
      y_bar   the start            ()  not computed
      v1_bar  from y               ()  not computed
      x_bar   from v1, v1          ()  6
    """
    if not is_value(x):
        raise InputError(f"listing: pass a tensor, such as the loss, not {type(x).__name__}")
    survey, nodes = look_over(x.edge[0], "list")
    names = _names(survey, nodes)
    readers: dict[Edge, list[str]] = {}
    for child in reversed(nodes):
        for edge in edges_of(child):
            readers.setdefault(edge, []).append(names[child])
    forward, backward = [], []
    for node in nodes:
        for index, name in enumerate(_outputs(node, names)):
            values, found = node.values(index), node.grad_of(index)
            equation = _equation(node, names) if index == 0 else f"output {index} of the same"
            forward.append((name, equation, str(values.shape), _summary(values)))
            if node.requires_grad:
                sources = ", ".join(readers.get((node, index), []))
                unread = "the start" if node is x.edge[0] else "not used"
                grad = "not computed" if found is None else _summary(found.numpy())
                backward.append((f"{name}_bar", f"from {sources}" if sources else unread, str(values.shape), grad))
    backward.reverse()
    widths = [max(len(row[column]) for row in forward + backward) for column in range(3)]
    heading = "backward"
    if any(row[3] == "not computed" for row in backward):
        heading += " (to see more: retain_grad() on a tensor, then backward(retain_graph=True))"
    return "\n".join(["forward", *_aligned(forward, widths), heading, *_aligned(backward, widths)])


def _names(survey: Survey, nodes: dict[Vertex, int]) -> dict[Vertex, str]:
    """Return what each node is called: by its path if it is a leaf or has a name, else v1, v2, ..."""
    count = 0
    names = {}
    for node, at in nodes.items():
        if node.op_name is None or label_of(node) is not None:
            names[node] = _one_line(survey.paths[at])
        else:
            count += 1
            names[node] = f"v{count}"
    return names


def _outputs(node: Vertex, names: dict[Vertex, str]) -> list[str]:
    return [names[node]] if len(node.outputs) == 1 else [f"{names[node]}.{i}" for i in range(len(node.outputs))]


def _equation(node: Vertex, names: dict[Vertex, str]) -> str:
    if node.op_name is None:
        return "leaf, requires grad" if node.requires_grad else "data"
    inputs = [
        f"{parent.values().item():g}" if parent.constant else _outputs(parent, names)[index]
        for parent, index in node.parents or ()
    ]
    return f"= {applied(node.op_name, inputs, node.attrs)}"


def _summary(values: np.ndarray) -> str:
    """Return a few values as they are, many by their smallest and largest."""
    if values.size == 0:
        return "empty"
    if values.size <= 4:
        return ", ".join(f"{value:g}" for value in values.ravel())
    return f"{values.min():.3g} to {values.max():.3g}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _aligned(rows: Sequence[tuple[str, ...]], widths: list[int]) -> list[str]:
    return ["  " + "  ".join([*map(str.ljust, row[:3], widths), row[3]]) for row in rows]
