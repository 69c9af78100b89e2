"""The LSTM of 1997 with its own way of learning: no backward pass, but sensitivities that are carried forward.

Hochreiter and Schmidhuber (1997), appendix A.1. A network has J blocks of S cells and an output layer that reads the
cells. At each step, with u = [x(t), y_c(t-1), y_in(t-1), y_out(t-1), 1] and f the logistic function:

    y_in = f(W_in u)        y_out = f(W_out u)        a gate of each for every block j
    g_v  = 4 f(W_c u) - 2                             every cell v of block j
    s_v  = s_v + y_in_j g_v                           the carousel: never forgets
    y_c_v = y_out_j (2 f(s_v) - 1)
    y    = f(K [y_c, 1])                              the output units; linear ones leave the f out

The truncated gradient takes u as given: no error goes back through it to the step before. What is left of the past are
the states s, and ds(t)/ds(t-1) = 1, so their derivatives with respect to weights only add up as time goes on:

    ds_v/dW_c  += y_in_j g'_v u                       (equation 27)
    ds_v/dW_in += g_v f'(in_j) u                      (equation 25)

Wherever an answer is asked, every weight goes down the slope of E = 1/2 sum (target - y)^2 at once:

    e_k = f'(y_k) (target_k - y_k)                    (equation 19; linear: the difference alone)
    b_v = sum_k K_kv e_k                              what reaches a cell's output
    K_kv  += rate e_k y_c_v
    W_out += rate f'(out_j) sum_v (2 f(s_v) - 1) b_v u
    W_c   += rate e_s ds_v/dW_c,  W_in += rate sum_v e_s ds_v/dW_in,  where e_s = y_out_j 2 f'(s_v) b_v

That costs the same at every step, however long the sequence is. Tests hold it against `nn.LSTM97Cell` with
gradient="truncated" and the engine's backward pass: the same numbers, far faster for a network this small.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn.backends import cpu_loops
from tinygrad_rnn.errors import InputError

__all__ = ["BIASED", "Network1997"]

#: Which units have a bias, by the words that a network takes: whether gates, cells and output units do.
BIASED = {
    "none": (False, False, False),
    "gates": (True, False, False),
    "hidden": (True, True, False),
    "all": (True, True, True),
}


@dataclass
class Network1997:
    """Blocks of cells and an output layer, learning online from one sequence after the other.

    Rows of `hidden` are the input gates (J), the cells (J*S) and the output gates (J); its columns those of u: inputs
    (I), cells (J*S), input gates (J), output gates (J), bias. So they are those of `nn.LSTM97Cell`: weight_ih,
    weight_hh and a bias, side by side. `output` (O, J*S + 1) ends with the biases too. Both are float64, and are
    written in place. A bias that the network does not have is 0 and stays so.

    Attributes:
        hidden: (2*J + J*S, I + J*S + 2*J + 1).
        output: (O, J*S + 1).
        block_size: S.
        biased: a word of `BIASED`.
        linear: whether output units are linear rather than logistic.

    >>> network = Network1997.random(np.random.default_rng(0), 2, blocks=2, block_size=2, outputs=1, biased="all")
    >>> network.weights
    93
    """

    hidden: np.ndarray
    output: np.ndarray
    block_size: int
    biased: str = "all"
    linear: bool = False

    @classmethod
    def random(
        cls, random: np.random.Generator, inputs: int, blocks: int, block_size: int, outputs: int, biased: str = "all",
        linear: bool = False, span: float = 0.1,
    ) -> Network1997:  # fmt: skip
        """Return a network whose weights and biases are uniform between -span and span.

        Raises:
            InputError: a word that `BIASED` does not have.
        """
        if biased not in BIASED:
            raise InputError(f"unknown word {biased!r} for what has a bias; there are {', '.join(BIASED)}")
        cells = blocks * block_size
        rows = cells + 2 * blocks
        hidden = random.uniform(-span, span, (rows, inputs + rows + 1))
        output = random.uniform(-span, span, (outputs, cells + 1))
        gates, of_cells, of_outputs = BIASED[biased]
        hidden[:blocks, -1] *= gates
        hidden[blocks : blocks + cells, -1] *= of_cells
        hidden[blocks + cells :, -1] *= gates
        output[:, -1] *= of_outputs
        return cls(hidden, output, block_size, biased, linear)

    @property
    def blocks(self) -> int:
        """J, the number of blocks."""
        return (self.output.shape[1] - 1) // self.block_size

    @property
    def weights(self) -> int:
        """How many numbers it learns, the biases that it has included."""
        gates, cells, outputs = BIASED[self.biased]
        biases = 2 * self.blocks * gates + (self.output.shape[1] - 1) * cells + len(self.output) * outputs
        return self.hidden[:, :-1].size + self.output[:, :-1].size + biases

    def copy(self) -> Network1997:
        """Return one with weights of its own."""
        return Network1997(self.hidden.copy(), self.output.copy(), self.block_size, self.biased, self.linear)

    def learn(self, inputs: np.ndarray, lengths: np.ndarray, targets: np.ndarray, rate: float = 0.0) -> np.ndarray:
        """Read sequences one after the other, each from a state of 0, and change the weights wherever one is asked.

        Args:
            inputs: (T, B, I).
            lengths: (B,), how many of the T steps each sequence has.
            targets: (B, O), asked at the last step of each, or (T, B, O), asked at every step.
            rate: the learning rate; 0 changes nothing.

        Returns:
            The answers, of the shape of the targets, each from before the change that its target makes.
        """
        every = targets.ndim == 3
        asked = np.ascontiguousarray(np.moveaxis(targets, 0, 1) if every else targets[:, None], np.float64)
        sequences = np.ascontiguousarray(np.moveaxis(inputs, 0, 1), np.float64)
        answers, biased = np.zeros_like(asked), BIASED[self.biased]
        _compiled()(
            self.hidden, self.output, self.block_size, *biased, self.linear, sequences,
            np.ascontiguousarray(lengths, np.int64), every, asked, float(rate), answers,
        )  # fmt: skip
        return np.moveaxis(answers, 1, 0) if every else answers[:, 0]


def _logistic(x: float) -> float:
    small = math.exp(-abs(x))
    return 1 / (1 + small) if x >= 0 else small / (1 + small)


def _loop(
    W: np.ndarray, K: np.ndarray, size: int, biased_gates: bool, biased_cells: bool, biased_outputs: bool, linear: bool,
    inputs: np.ndarray, lengths: np.ndarray, every: bool, targets: np.ndarray, rate: float, answers: np.ndarray,
) -> None:  # fmt: skip
    """See the top of this file. ds_c and ds_in are ds_v/dW_c and ds_v/dW_in of every cell v, rows as wide as u."""
    cells, read, wide = K.shape[1] - 1, inputs.shape[2], W.shape[1]
    blocks = cells // size
    out = blocks + cells  # the first row of the output gates
    u, y = np.empty(wide), np.empty(len(W))  # y: what gates and cells give, in the order of the rows
    s, squashed, back = np.empty(cells), np.empty(cells), np.empty(cells)
    ds_c, ds_in = np.empty((cells, wide)), np.empty((cells, wide))
    for b in range(len(inputs)):
        u[:] = 0.0
        u[-1] = 1.0
        s[:] = 0.0
        ds_c[:] = 0.0
        ds_in[:] = 0.0
        for t in range(lengths[b]):
            u[:read] = inputs[b, t]
            for row in range(len(W)):
                net = 0.0
                for k in range(wide):
                    net += W[row, k] * u[k]
                y[row] = _logistic(net)
            for v in range(cells):
                y_in, f = y[v // size], y[blocks + v]
                g = 4 * f - 2
                s[v] += y_in * g
                if rate:
                    through_c, through_in = y_in * 4 * f * (1 - f), g * y_in * (1 - y_in)
                    for k in range(wide):
                        ds_c[v, k] += through_c * u[k]
                        ds_in[v, k] += through_in * u[k]
                squashed[v] = 2 * _logistic(s[v]) - 1
                y[blocks + v] = y[out + v // size] * squashed[v]
            if every or t == lengths[b] - 1:
                asked = t if every else 0
                back[:] = 0.0
                for k in range(len(K)):
                    net = K[k, cells]
                    for v in range(cells):
                        net += K[k, v] * y[blocks + v]
                    answer = net if linear else _logistic(net)
                    answers[b, asked, k] = answer
                    e = targets[b, asked, k] - answer
                    if not linear:
                        e *= answer * (1 - answer)
                    for v in range(cells):
                        back[v] += K[k, v] * e
                        K[k, v] += rate * e * y[blocks + v]
                    if biased_outputs:
                        K[k, cells] += rate * e
                if rate:
                    for j in range(blocks):
                        e_out = 0.0
                        for v in range(j * size, (j + 1) * size):
                            e_out += squashed[v] * back[v]
                            f = (squashed[v] + 1) / 2
                            e_s = rate * y[out + j] * 2 * f * (1 - f) * back[v]
                            for k in range(wide - (not biased_cells)):
                                W[blocks + v, k] += e_s * ds_c[v, k]
                            for k in range(wide - (not biased_gates)):
                                W[j, k] += e_s * ds_in[v, k]
                        e_out *= rate * y[out + j] * (1 - y[out + j])
                        for k in range(wide - (not biased_gates)):
                            W[out + j, k] += e_out * u[k]
            u[read : read + cells] = y[blocks:out]
            u[read + cells : read + out] = y[:blocks]
            u[read + out : wide - 1] = y[out:]


@functools.cache
def _compiled() -> Any:
    """Return the loop as machine code, kept on disk by Numba.

    Raises:
        DeviceError: Numba cannot be imported.
    """
    numba = cpu_loops.numba_module()
    numba.extending.register_jitable(_logistic)
    # In any order a sum of a row is several times as fast, and the rounding error is no larger.
    options = cpu_loops.OPTIONS | {"fastmath": {"contract", "reassoc"}}
    try:
        return numba.jit(cache=True, **options)(_loop)
    except RuntimeError:  # nowhere to keep it
        return numba.jit(**options)(_loop)
