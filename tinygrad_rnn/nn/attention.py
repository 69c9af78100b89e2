"""Attention: what a decoder looks at in a sequence of annotations, and how much.

All of them read annotations (T, B, K), time-major as the outputs of the recurrent layers, and give weights with the
positions along the last axis. What does not depend on the query is computed once per sequence: `prepare`, whose result
stands for the annotations in every step of a decoder. Weights are named "attention", contexts "context".
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tinygrad_rnn import arguments
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import concat, tensor, zeros
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.carrying import counted
from tinygrad_rnn.nn.layers import Linear, check_sizes, check_tensor
from tinygrad_rnn.nn.module import Module, Parameter

__all__ = ["SCORES", "Attention", "AttentionalVector", "Memory", "SoftAttention"]

#: The score functions: q^T k, q^T W k, and v^T tanh(W q + U k + b).
SCORES = ("dot", "general", "additive")


#: What may be wrong where as many examples are given as there are positions.
SWAPPED = "; annotations are time-major, (T, B, K): keys.transpose(0, 1) makes them so of (B, T, K)"


class Memory(NamedTuple):
    """What `Attention.prepare` made of annotations: it takes their place as long as the parameters do not change.

    Attributes:
        scored: what the score function compares queries with: (B, D, T), for additive scores (T, B, A).
        values: the annotations, (B, T, K).
        mask: bool (B, T), or (T,), False beyond the length; None where all are of one length.
        batched: whether there was an axis B.
        attention: that made it, the only one that can look into it.
    """

    scored: Tensor
    values: Tensor
    mask: Tensor | None
    batched: bool
    attention: Attention


class Attention(Module):
    """Soft attention: a mean of annotations, weighted by how well each fits a query.

    e_j = score(q, k_j)
    alpha = softmax(e)
    context = sum_j alpha_j k_j

    Args:
        kind: the score function. "dot": q^T k; "general": q^T W k (both Luong et al. 2015, equation 8); "additive":
            v^T tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2; Luong's "concat" is the same with [W; U] as one
            weight).
        query_size: Q, the size of the last axis of queries: decoder states, h_t for Luong, s_{i-1} for Bahdanau.
        key_size: K, the size of the last axis of annotations; for "dot" the same as Q.
        hidden_size: A, of additive scores alone, that of the space in which q and k are added; K unless given.
        bias: whether additive scores have a bias b inside the tanh; the papers write none.
        dtype, device: of the parameters. "general": weight (Q, K); "additive": weight_query (A, Q), weight_key (A, K),
            weight_score (A,), and bias (A,) if there is one; "dot" has none.

    Weights start from U(-1/sqrt(n), 1/sqrt(n)), n being the size of what they multiply.

    Raises:
        InputError: an unknown kind, a size that is no positive whole number or, for "dot", two that differ; hidden_size
            or bias for scores that have none.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> attention, annotations = nn.Attention("additive", 4, 6), tg.zeros(7, 2, 6)
    >>> memory = attention.prepare(annotations, lengths=tg.tensor([7, 2]))   # once per sequence
    >>> context, weights = attention(tg.zeros(2, 4), memory)                 # in each step of a decoder
    >>> context.shape, weights.shape, weights[1].tolist()
    ((2, 6), (2, 7), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    """

    weight: Parameter
    weight_query: Parameter
    weight_key: Parameter
    weight_score: Parameter
    bias: Parameter | None

    def __init__(
        self,
        kind: str,
        query_size: int,
        key_size: int,
        hidden_size: int | None = None,
        bias: bool = False,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        self.kind = arguments.one_of("Attention: kind", kind, SCORES)
        self.query_size, self.key_size = check_sizes("Attention", query_size=query_size, key_size=key_size)
        bias = arguments.flag("Attention: bias", bias)
        if kind != "additive" and (hidden_size is not None or bias):
            raise InputError(f"Attention: hidden_size and bias belong to additive scores; {kind!r} has none")
        if kind == "dot" and self.query_size != self.key_size:
            raise InputError(
                f"Attention: for 'dot' query_size and key_size must be equal, not {self.query_size} and "
                f"{self.key_size}; 'general' scores have a weight between them"
            )
        made = {"dtype": dtype, "device": device}
        if kind == "general":
            self.weight = _uniform((self.query_size, self.key_size), self.key_size, made)
        if kind == "additive":
            size = self.key_size if hidden_size is None else hidden_size
            (size,) = (self.hidden_size,) = check_sizes("Attention", hidden_size=size)
            self.weight_query = _uniform((size, self.query_size), self.query_size, made)
            self.weight_key = _uniform((size, self.key_size), self.key_size, made)
            self.weight_score = _uniform((size,), size, made)
            self.bias = _uniform((size,), self.query_size, made) if bias else None

    def prepare(self, keys: Tensor, lengths: Any = None) -> Memory:
        """Return what all queries to one sequence have in common.

        Args:
            keys: the annotations, (T, B, K), or (T, K) for a single example.
            lengths: (B,), or () for a single example, as recurrent layers take them, a list, an array or an int64
                tensor, but at least 1: how many of the T positions there are; those beyond get a
                weight of exactly 0, and no gradient. All of them unless given.

        Raises:
            InputError, DTypeError, DeviceError, ShapeError: the annotations do not fit the module, or each other.
            IndexRangeError: a length is not within 1 and T: where nothing is left there is nothing to attend to.
                Lengths on a device are not looked at; 0 gives NaN there.
        """
        weight = next(self.parameters(), None)
        check_tensor("Attention", keys, weight)
        if keys.ndim not in (2, 3) or keys.shape[-1] != self.key_size or not keys.shape[0]:
            raise ShapeError(
                f"Attention: the annotations must be (T, B, {self.key_size}) or (T, {self.key_size}), with at least "
                f"one position, not {keys.shape}"
            )
        batched = keys.ndim == 3
        with scope("attention"):
            mask = None
            if lengths is not None:
                lengths = counted("Attention", lengths)
                if lengths.shape != keys.shape[1:-1]:
                    swapped = batched and lengths.shape == keys.shape[:1]
                    raise ShapeError(
                        f"Attention: lengths must be {keys.shape[1:-1]}, one for each example of annotations "
                        f"{keys.shape}, not {lengths.shape}{SWAPPED if swapped else ''}"
                    )
                lengths = lengths if isinstance(lengths, Tensor) else tensor(lengths, "int64")
                mask = F.length_mask(lengths, keys.shape[0], keys.device)
                keys = keys.where(mask.T.unsqueeze(-1) if batched else mask.unsqueeze(-1), 0.0)  # 0 * NaN is NaN
            keys = keys if batched else keys.unsqueeze(1)
            values = keys.transpose(0, 1).copy()  # contiguous: every step multiplies it
            if self.kind == "additive":
                scored = F.linear(keys, self.weight_key, self.bias)
            elif self.kind == "general":
                scored = (values @ self.weight.T).transpose(1, 2)
            else:
                scored = values.transpose(1, 2)
        return Memory(scored, values, mask, batched, self)

    def forward(self, query: Tensor, keys: Tensor | Memory, lengths: Any = None) -> tuple[Tensor, Tensor]:
        """Look for a query, or for one in every step of a decoder whose states are all known.

        Args:
            query: (B, Q), or (N, B, Q) for N steps at once; for a single example (Q,) or (N, Q). Additive scores of N
                steps at once take memory for N * T * B * A numbers.
            keys: annotations as in `prepare`, or what it made of them.
            lengths: as in `prepare`; not beside what it made.

        Returns:
            context (B, K) and weights (B, T), or with N in front.

        Raises:
            InputError, DTypeError, DeviceError, ShapeError, IndexRangeError: query or annotations do not fit.
        """
        if isinstance(keys, Memory):
            if lengths is not None:
                raise InputError("Attention: give the lengths to prepare(), which made this memory")
            memory = keys
            if memory.attention is not self:
                raise InputError(
                    "Attention: another Attention prepared this memory, with its own parameters; call prepare() of the "
                    "one that looks into it"
                )
        else:
            memory = self.prepare(keys, lengths)
        check_tensor("Attention", query, memory.values)
        axes = 2 if memory.batched else 1
        batch = memory.values.shape[:1] if memory.batched else ()
        if query.ndim not in (axes, axes + 1) or query.shape[-axes:] != (*batch, self.query_size):
            shape = ", ".join(map(str, (*batch, self.query_size)))
            swapped = memory.batched and query.shape[-2:] == (memory.values.shape[1], self.query_size)
            raise ShapeError(
                f"Attention: the query must be ({shape}) or (N, {shape}), not {query.shape}, for annotations of "
                f"{memory.values.shape[1]} positions{f' and {batch[0]} examples' if batch else ''}"
                f"{SWAPPED if swapped else ''}"
            )
        several = query.ndim > axes and memory.batched
        values, leading = memory.values, query.shape[:-1]
        queries = len(query) if query.ndim > axes else 1
        with scope("attention"):
            scores = self._scores(query.reshape((queries, values.shape[0], self.query_size)), memory.scored)
            weights = F.masked_softmax(scores.reshape((*leading, values.shape[1])), memory.mask).named("attention")
            rows = weights.transpose(0, 1) if several else weights.reshape((values.shape[0], queries, values.shape[1]))
            context = rows @ values  # (B, N, K)
            context = context.transpose(0, 1) if several else context.reshape((*leading, self.key_size))
            return context.named("context"), weights

    def _scores(self, queries: Tensor, scored: Tensor) -> Tensor:
        """Return e (N, B, T) for queries (N, B, Q)."""
        if self.kind != "additive":
            return (queries.transpose(0, 1) @ scored).transpose(0, 1)
        seen = F.linear(queries, self.weight_query).unsqueeze(1)  # (N, 1, B, A)
        seen = seen[0, 0] if len(seen) == 1 else seen  # then it is added to rows: no copy for every position
        return ((scored + seen).tanh() @ self.weight_score).transpose(-2, -1)

    def extra_repr(self) -> str:
        shown = f"{self.kind!r}, {self.query_size}, {self.key_size}"
        if self.kind == "additive":
            shown += f", hidden_size={self.hidden_size}" + ("" if self.bias is None else ", bias=True")
        return shown


def _uniform(shape: tuple[int, ...], inputs: int, made: dict[str, Any]) -> Parameter:
    bound = 1 / math.sqrt(inputs)
    return Parameter(init.uniform_(zeros(shape, **made), -bound, bound))


class AttentionalVector(Module):
    """What a decoder makes of its state and of what it saw (Luong et al. 2015, equation 5).

    h~ = tanh(W_c [c; h])

    Args:
        context_size: K, the size of the last axis of the context c.
        state_size: Q, that of the decoder's state h.
        output_size: O, that of h~; Q unless given.
        dtype, device: of the weight (O, K + Q), the columns of c first. There is no bias, as in the paper.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> nn.AttentionalVector(6, 4)(tg.zeros(2, 6), tg.zeros(2, 4)).shape
    (2, 4)
    """

    def __init__(
        self,
        context_size: int,
        state_size: int,
        output_size: int | None = None,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        output_size = state_size if output_size is None else output_size
        sizes = check_sizes(
            "AttentionalVector", context_size=context_size, state_size=state_size, output_size=output_size
        )
        self.context_size, self.state_size, self.output_size = sizes
        inputs = self.context_size + self.state_size
        self.weight = _uniform((self.output_size, inputs), inputs, {"dtype": dtype, "device": device})

    def forward(self, context: Tensor, state: Tensor) -> Tensor:
        """Return h~ (..., O) for a context (..., K) and a state (..., Q) with the same leading axes.

        Raises:
            InputError, DTypeError, DeviceError, ShapeError: they do not fit the module, or each other.
        """
        for x, size, what in ((context, self.context_size, "context"), (state, self.state_size, "state")):
            check_tensor("AttentionalVector", x, self.weight)
            if x.shape != (*context.shape[:-1], size):
                raise ShapeError(
                    f"AttentionalVector: context and state must be (..., {self.context_size}) and "
                    f"(..., {self.state_size}), alike but for the last axis; the {what} is {x.shape}"
                )
        return F.linear(concat([context, state], axis=-1), self.weight).tanh().named("attentional")

    def extra_repr(self) -> str:
        return f"{self.context_size}, {self.state_size}, {self.output_size}"


class SoftAttention(Module):
    """Attention to the places of an image, as an LSTM that describes it uses it (Xu et al. 2015, sections 3.1.2, 4.2).

    e_i = f_att(a_i, h) = v^T tanh(W h + U a_i + b),   alpha = softmax(e)
    beta = sigmoid(w_beta^T h + b_beta)
    z = beta * sum_i alpha_i a_i
    h_0 = tanh(W_h mean_i(a_i) + b_h),   c_0 = tanh(W_c mean_i(a_i) + b_c)

    In the paper f_att and the maps to h_0 and c_0 are multilayer perceptrons; these are the smallest. It asks that
    every place be looked at over time by a penalty, `functional.doubly_stochastic_penalty`.

    Args:
        state_size: H, the size of the decoder's h (B, H) and c.
        annotation_size: D, the size of the annotations a (L, B, D) of L places.
        hidden_size: of f_att; D unless given.
        gated: whether there is the scalar beta, by which the decoder turns to the image or to its own words.
        starts: whether it makes h_0 and c_0; for layers of any cell `InitialState` does the same.
        dtype, device: of the parameters of the parts: `attention` (an `Attention` with additive scores), `gate`,
            `to_h` and `to_c` (`Linear`).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> seen, places = nn.SoftAttention(4, 6), tg.zeros(9, 2, 6)
    >>> memory = seen.prepare(places)
    >>> h, c = seen.initial_state(memory)
    >>> z, weights = seen(h, memory)
    >>> h.shape, z.shape, weights.shape
    ((2, 4), (2, 6), (2, 9))
    """

    def __init__(
        self,
        state_size: int,
        annotation_size: int,
        hidden_size: int | None = None,
        gated: bool = True,
        starts: bool = True,
        dtype: Any = "float32",
        device: str = "cpu",
    ) -> None:
        sizes = check_sizes("SoftAttention", state_size=state_size, annotation_size=annotation_size)
        state_size, annotation_size = sizes
        made = {"dtype": dtype, "device": device}
        self.attention = Attention("additive", state_size, annotation_size, hidden_size, bias=True, **made)
        gated = arguments.flag("SoftAttention: gated", gated)
        self.gate = Linear(state_size, 1, **made) if gated else None
        starts = arguments.flag("SoftAttention: starts", starts)
        self.to_h = Linear(annotation_size, state_size, **made) if starts else None
        self.to_c = Linear(annotation_size, state_size, **made) if starts else None

    def prepare(self, annotations: Tensor, lengths: Tensor | None = None) -> Memory:
        """Return what all steps have in common, as `Attention.prepare` does; (L, B, D) or (L, D)."""
        return self.attention.prepare(annotations, lengths)

    def initial_state(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return (h_0, c_0), each (B, H), from the mean of the annotations within their lengths.

        Raises:
            InputError: it was made with starts=False, or memory is not what `prepare` returned.
        """
        if not isinstance(memory, Memory):
            raise InputError(
                f"SoftAttention: the state is made of what prepare() returned, not of a {type(memory).__name__}"
            )
        if self.to_h is None or self.to_c is None:
            raise InputError("SoftAttention: with starts=False it makes no state; nn.InitialState does")
        if memory.mask is None:
            mean = memory.values.mean(1)
        else:
            share = memory.mask.cast(memory.values.dtype)
            mean = ((share / share.sum(-1, keepdims=True)).unsqueeze(-2) @ memory.values).squeeze(1)
        mean = mean if memory.batched else mean.squeeze(0)
        return self.to_h(mean).tanh().named("h0"), self.to_c(mean).tanh().named("c0")

    def forward(self, h: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return z (B, D), what is seen from the state h (B, H), and the weights alpha (B, L); also with N in front.

        Raises:
            InputError, DTypeError, DeviceError, ShapeError: h does not fit.
        """
        context, weights = self.attention(h, memory)
        if self.gate is None:
            return context, weights
        with scope("attention"):
            beta = self.gate(h).sigmoid().named("beta")
            return (beta * context).named("context"), weights
