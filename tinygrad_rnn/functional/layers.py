"""What the layers of `nn` compute: a layer is a function of this file with its parameters attached.

Ids (of classes, of rows) may be on the CPU although the rest is on another device: then they are checked before they
are moved there. Those on another device are not looked at, which would wait for it; what an id out of range gives
instead of an error is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine import indexing
from tinygrad_rnn.engine.creation import arange, rand
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.engine.recorder import Range
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias.

    Args:
        x: (..., in_features).
        weight: (out_features, in_features), as in PyTorch.
        bias: (out_features,), or None.

    Returns:
        (..., out_features).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.linear(tg.tensor([1.0, 2.0]), tg.tensor([[3.0, 4.0]]), tg.tensor([0.5])).tolist()
    [11.5]
    """
    check_tensors("linear", x=x, weight=weight, **_given(bias=bias))
    product = x @ weight.T
    return product if bias is None else product + bias


def embedding(ids: Any, weight: Tensor) -> Tensor:
    """Return the rows of weight (V, E) at integer ids of any shape S: (*S, E).

    Raises:
        InputError: the ids form no array.
        ShapeError: the weight has not two axes.
        IndexRangeError: an id is not within 0 and V - 1. On a device nobody looks: such an id gives a row of NaN.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.embedding(tg.tensor([1, 0, 1]), tg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    """
    check_tensors("embedding", weight=weight)
    if weight.ndim != 2:
        raise ShapeError(f"embedding: the weight must be (V, E), one row per id, not shape {weight.shape}")
    rows = weight.shape[0]
    if not isinstance(ids, Tensor):
        for recorder in modes.recorders:
            recorder.outside("ids that are no tensor")
    elif indexing.at_hand(ids) is None:
        ids = ids.where(ids >= 0, rows)  # outside; negative ones would count from the end
    message = f"embedding: id {{}} is not within 0 and {rows - 1}, the rows of a weight of shape {weight.shape}"
    try:
        places = indexing.positions(weight, ids, 0, Range(0, rows, None, message))
    except ValueError as error:  # NumPy's
        raise InputError(f"embedding: the ids form no array ({error})") from None
    return weight._take(places, 0)


def one_hot(ids: Tensor, num_classes: int = -1, dtype: Any = "float32") -> Tensor:
    """Return vectors that are 1 at the id and 0 elsewhere: int64 ids of shape S give (*S, num_classes).

    Unless num_classes is given it is one more than the largest id, which is looked at. Unlike torch's, the result is
    float32 unless asked otherwise, ready to be an input. It is on the device of the ids; unless that is the CPU, an id
    out of range gives zeros.

    Raises:
        InputError: num_classes is no whole number.
        DTypeError: the ids are no int64 tensor.
        IndexRangeError: an id is not within 0 and num_classes - 1, on the CPU.
        ShapeError: there are no ids to take num_classes from.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.one_hot(tg.tensor([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    check_tensors("one_hot", ids=ids)
    num_classes = arguments.whole("one_hot: num_classes", num_classes, -1)
    if num_classes == -1:
        if not ids.size:
            raise ShapeError(f"one_hot: without ids (shape {ids.shape}) num_classes must be given")
        num_classes = ids.max().item() + 1
    check_class_ids(ids, num_classes, "one_hot")
    return (ids.unsqueeze(-1) == arange(num_classes, device=ids.device)).cast(dtype)


def check_tensors(what: str, **arguments: Any) -> None:
    """Raise DTypeError unless all arguments are tensors."""
    for name, value in arguments.items():
        if not isinstance(value, Tensor):
            raise DTypeError(f"{what}: {name} must be a tensor, not {type(value).__name__}; pass tg.tensor({name})")


def _given(**arguments: Any) -> dict[str, Any]:
    """Return those of the arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}


def check_class_ids(ids: Tensor, classes: int, what: str, ignore_index: int | None = None) -> None:
    """Raise DTypeError or IndexRangeError unless the ids are int64, and name classes or are to be ignored."""
    if ids.dtype != "int64":
        raise DTypeError(f"{what}: class ids must be int64, not {ids.dtype}; use .cast('int64')")
    message = f"{what}: class id {{}} is not within 0 and {classes - 1}, for {classes} classes"
    indexing.checked(ids, Range(0, classes, ignore_index, message))


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each element to 0 with probability p and scale the others by 1 / (1 - p) (Srivastava et al. 2014).

    Outside training it returns x itself. The mask comes from the library's generator: `tg.manual_seed` repeats it.

    Raises:
        InputError: p is not within [0, 1].

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> sorted(set(F.dropout(tg.ones(1000), 0.75).tolist()))
    [0.0, 4.0]
    """
    check_tensors("dropout", x=x)
    p = check_probability("dropout: p", p)
    if not training or p == 0:
        return x
    keep = rand(x.shape, dtype=x.dtype, device=x.device) >= p
    return (x * (1 / (1 - p) if p < 1 else 0.0)).where(keep, 0.0)


def check_probability(name: str, p: Any) -> float:
    """Return a probability as a float; InputError if it is none."""
    return arguments.number(name, p, "a number between 0 and 1", lambda found: 0 <= found <= 1)


def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int] | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over the last axes (Ba et al. 2016).

    Args:
        x: (..., *normalized_shape); the variance divides by the number of elements.
        normalized_shape: the sizes of the axes that are normalised together; the last one unless given.
        weight, bias: of that shape, or None.
        eps: keeps a constant row from dividing by 0.

    Raises:
        ShapeError: x does not end in normalized_shape, or weight or bias have another shape.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import functional as F
    >>> F.layer_norm(tg.tensor([[1.0, 3.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    check_tensors("layer_norm", x=x, **_given(weight=weight, bias=bias))
    shape = _normalized_shape(x, normalized_shape)
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != shape:
            raise ShapeError(f"layer_norm: {name} must have the normalized shape {shape}, not {parameter.shape}")
    rows = x if len(shape) == 1 else x.flatten(-len(shape))
    normal = rows._layer_norm(eps)[0]
    if rows is not x:
        normal = normal.reshape(x.shape)
    if weight is not None:
        normal = normal * weight
    return normal if bias is None else normal + bias


def _normalized_shape(x: Tensor, wanted: int | Sequence[int] | None) -> tuple[int, ...]:
    """Return the sizes of the last axes of x that are normalised together, after checking them."""
    if isinstance(wanted, Tensor):
        raise DTypeError("layer_norm: after x comes the normalized shape; pass the weight as weight=")
    if wanted is None:
        wanted = x.shape[-1:]
    shape = tuple(wanted) if isinstance(wanted, Sequence) else (wanted,)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: x of shape {x.shape} does not end in the normalized shape {shape}")
    return shape
