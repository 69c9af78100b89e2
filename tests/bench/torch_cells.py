"""Every cell of the table in PyTorch's primitive ops, as one would write it there by hand: the peer of `cells.py`.

The loop over time is Python's. What the input contributes is computed in each step, or as in this library for the
whole sequence at once. `w` holds the parameters by the names that the cell of this library gives them; a step takes
what the input contributes, the states, and what `prepare` makes of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn.functional import layer_norm

W = Mapping[str, Any]
State = tuple[Any, ...]


def project(w: W, x: Any) -> Any:
    net = x @ w["weight_ih"].T + w["bias_ih"]
    return net + w["bias_hh"] if "bias_hh" in w else net


def recurrent_weight(w: W) -> tuple[Any, ...]:
    return (w["weight_hh"].T,)


class Written(NamedTuple):
    """A cell: its step, and what comes before the loop where that is not the usual."""

    step: Callable[..., State]
    project: Callable[[W, Any], Any] = project
    prepare: Callable[[W], tuple[Any, ...]] = recurrent_weight


def rnn(w: W, net: Any, state: State, weight: Any) -> State:
    return ((net + state[0] @ weight).tanh(),)


def irnn(w: W, net: Any, state: State, weight: Any) -> State:
    return ((net + state[0] @ weight).relu(),)


def carousel(w: W, net: Any, state: State) -> State:
    return (state[0] + net,)


def gates_from_input(w: W, net: Any, state: State) -> State:
    net_f, net_i, x = net.chunk(3, -1)
    return (net_f.sigmoid() * state[0] + net_i.sigmoid() * x,)


def project_and_input(w: W, x: Any) -> Any:
    return torch.cat([project(w, x), x], -1)


def lstm97(w: W, net: Any, state: State, weight: Any) -> State:
    h, c, r = state
    net_i, net_g, net_o = (net + torch.cat([h, r], -1) @ weight).chunk(3, -1)
    i, g, o = net_i.sigmoid(), 4 * net_g.sigmoid() - 2, net_o.sigmoid()
    c = c + i * g
    return o * (2 * c.sigmoid() - 1), c, torch.cat([i, o], -1)


def lstm97_nog(w: W, net: Any, state: State, weight: Any) -> State:
    net_i, net_g = (net + torch.cat(state, -1) @ weight).chunk(2, -1)
    i = net_i.sigmoid()
    return state[0] + i * net_g.sigmoid(), i


def lstm(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, f, g, o = (net + h @ weight).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def project_joined(w: W, x: Any) -> Any:
    return x @ w["weight"][:, w["weight"].shape[1] - x.shape[-1] :].T + w["bias_ih"]


def joined_weight(hidden_of: Callable[[W], int]) -> Callable[[W], tuple[Any, ...]]:
    return lambda w: (w["weight"][:, : hidden_of(w)].T,)


def peephole(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, f, g, o = (net + h @ weight).chunk(4, -1)
    i, f = (i + w["peephole_i"] * c).sigmoid(), (f + w["peephole_f"] * c).sigmoid()
    c = f * c + i * g.tanh()
    return (o + w["peephole_o"] * c).sigmoid() * c.tanh(), c


def peephole_full(w: W, net: Any, state: State, weight: Any, weight_ch: Any) -> State:
    h, c = state
    i, f, g, o = (net + h @ weight).chunk(4, -1)
    c_i, c_f, c_o = (c @ weight_ch).chunk(3, -1)
    c = (f + c_f).sigmoid() * c + (i + c_i).sigmoid() * g.tanh()
    return (o + c_o).sigmoid() * c.tanh(), c


def coupled(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, g, o = (net + h @ weight).chunk(3, -1)
    i = i.sigmoid()
    c = (1 - i) * c + i * g.tanh()
    return o.sigmoid() * c.tanh(), c


def nig(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    f, g, o = (net + h @ weight).chunk(3, -1)
    c = (f + w["peephole_f"] * c).sigmoid() * c + g.tanh()
    return (o + w["peephole_o"] * c).sigmoid() * c.tanh(), c


def nfg(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, g, o = (net + h @ weight).chunk(3, -1)
    c = c + (i + w["peephole_i"] * c).sigmoid() * g.tanh()
    return (o + w["peephole_o"] * c).sigmoid() * c.tanh(), c


def nog(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, f, g = (net + h @ weight).chunk(3, -1)
    i, f = (i + w["peephole_i"] * c).sigmoid(), (f + w["peephole_f"] * c).sigmoid()
    c = f * c + i * g.tanh()
    return c.tanh(), c


def niaf(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, f, g, o = (net + h @ weight).chunk(4, -1)
    i, f = (i + w["peephole_i"] * c).sigmoid(), (f + w["peephole_f"] * c).sigmoid()
    c = f * c + i * g
    return (o + w["peephole_o"] * c).sigmoid() * c.tanh(), c


def noaf(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, f, g, o = (net + h @ weight).chunk(4, -1)
    i, f = (i + w["peephole_i"] * c).sigmoid(), (f + w["peephole_f"] * c).sigmoid()
    c = f * c + i * g.tanh()
    return (o + w["peephole_o"] * c).sigmoid() * c, c


def cifg(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    i, g, o = (net + h @ weight).chunk(3, -1)
    i = (i + w["peephole_i"] * c).sigmoid()
    c = (1 - i) * c + i * g.tanh()
    return (o + w["peephole_o"] * c).sigmoid() * c.tanh(), c


def fgr(w: W, net: Any, state: State, weight: Any, weight_rr: Any) -> State:
    h, c, r = state
    i, f, g, o = (net + h @ weight).chunk(4, -1)
    r_i, r_f, r_o = (r @ weight_rr).chunk(3, -1)
    i, f = (i + w["peephole_i"] * c + r_i).sigmoid(), (f + w["peephole_f"] * c + r_f).sigmoid()
    c = f * c + i * g.tanh()
    o = (o + w["peephole_o"] * c + r_o).sigmoid()
    return o * c.tanh(), c, torch.cat([i, f, o], -1)


def project_normalised(w: W, x: Any) -> Any:
    net = x @ w["weight_ih"].T
    return layer_norm(net, net.shape[-1:], w["gain_ih"], w["bias_ih"] + w["bias_hh"])


def layernorm_lstm(w: W, net: Any, state: State, weight: Any) -> State:
    h, c = state
    from_state = h @ weight
    i, f, g, o = (net + layer_norm(from_state, from_state.shape[-1:], w["gain_hh"])).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * layer_norm(c, c.shape[-1:], w["gain_c"], w["bias_c"]).tanh(), c


def gru(w: W, net: Any, state: State, weight: Any) -> State:
    h = state[0]
    x_r, x_z, x_n = net.chunk(3, -1)
    h_r, h_z, h_n = (h @ weight + w["bias_hh"]).chunk(3, -1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return ((1 - z) * n + z * h,)


def gru_before(w: W, net: Any, state: State, to_gates: Any, to_candidate: Any) -> State:
    h = state[0]
    x_r, x_z, x_n = net.chunk(3, -1)
    h_r, h_z = (h @ to_gates).chunk(2, -1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + (r * h) @ to_candidate).tanh()
    return ((1 - z) * n + z * h,)


def mgu(w: W, net: Any, state: State, to_gate: Any, to_candidate: Any) -> State:
    h = state[0]
    x_f, x_n = net.chunk(2, -1)
    f = (x_f + h @ to_gate).sigmoid()
    n = (x_n + (f * h) @ to_candidate).tanh()
    return ((1 - f) * h + f * n,)


def project_without_state_bias(w: W, x: Any) -> Any:
    return x @ w["weight_ih"].T + w["bias_ih"]


def two_weights(w: W) -> tuple[Any, ...]:
    rows, hidden = w["weight_hh"].shape
    to_gates, to_candidate = w["weight_hh"].split([rows - hidden, hidden])
    return to_gates.T, to_candidate.T


def nothing(w: W) -> tuple[Any, ...]:
    return ()


#: By the text that `nn.parse_cell` reads.
def project_grid(w: W, x: Any) -> Any:
    pair = x @ w["weight_in"].T + w["bias_in"] if "weight_in" in w else x
    h_depth, c_depth = pair.chunk(2, -1)
    return torch.cat([project(w, h_depth), c_depth], -1)


def grid(w: W, net: Any, state: State, to_time: Any, to_depth: Any) -> State:
    _, h, c = state
    size = h.shape[-1]
    net_time, net_depth, c_depth = net.split([4 * size, 4 * size, size], -1)
    i, f, g, o = (net_time + h @ to_time).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = (o.sigmoid() * c).tanh()
    i, f, g, o = (net_depth + h @ to_depth).chunk(4, -1)
    c_depth = f.sigmoid() * c_depth + i.sigmoid() * g.tanh()
    return torch.cat([(o.sigmoid() * c_depth).tanh(), c_depth], -1), h, c


CELLS: dict[str, Written] = {
    "rnn": Written(rnn),
    "irnn": Written(irnn),
    "carousel": Written(carousel, prepare=nothing),
    "rnn_joined": Written(rnn, project_joined, joined_weight(lambda w: w["weight"].shape[0])),
    "gates_from_input": Written(gates_from_input, project_and_input, nothing),
    "lstm97": Written(lstm97),
    "lstm97_nog": Written(lstm97_nog),
    "lstm": Written(lstm),
    "lstm_joined": Written(lstm, project_joined, joined_weight(lambda w: w["weight"].shape[0] // 4)),
    "peephole": Written(peephole),
    "peephole_full": Written(peephole_full, prepare=lambda w: (w["weight_hh"].T, w["weight_ch"].T)),
    "coupled": Written(coupled),
    "nig": Written(nig),
    "nfg": Written(nfg),
    "nog": Written(nog),
    "niaf": Written(niaf),
    "noaf": Written(noaf),
    "cifg": Written(cifg),
    "np": Written(lstm),
    "fgr": Written(fgr, prepare=lambda w: (w["weight_hh"].T, w["weight_rr"].T)),
    "layernorm_lstm": Written(layernorm_lstm, project_normalised),
    "gru": Written(gru, project_without_state_bias),
    "gru:reset=before": Written(gru_before, prepare=two_weights),
    "mgu": Written(mgu, prepare=two_weights),
    "grid": Written(grid, project_grid, lambda w: tuple(part.T for part in w["weight_hh"].chunk(2))),
}


def by_step(text: str, w: W, x: Any, state: State) -> Any:
    """Return the outputs (T, B, H) of a cell along a sequence x (T, B, I), with everything inside the loop."""
    written, outputs = CELLS[text], []
    for x_t in x.unbind(0):
        state = written.step(w, written.project(w, x_t), state, *written.prepare(w))
        outputs.append(state[0])
    return torch.stack(outputs)


def hoisted(text: str, w: W, x: Any, state: State) -> Any:
    """Return the same outputs, with all that can be taken out of the loop taken out."""
    written, outputs = CELLS[text], []
    prepared = written.prepare(w)
    for net in written.project(w, x).unbind(0):
        state = written.step(w, net, state, *prepared)
        outputs.append(state[0])
    return torch.stack(outputs)
