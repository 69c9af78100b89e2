"""The checks that a student sees: numbers that were computed elsewhere, and your gradients beside your own forward pass."""

import numpy as np

from tinygrad_rnn.homework import check, close, raises, same
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.homework.remote import Remote

LSTM = ("x", "h", "c", "w_ih", "w_hh", "b")
GRU = ("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")


def waves(*shapes):
    """Return arrays of these shapes; what is in them looks random and is not."""
    return [
        np.sin(number + 1.7 * np.arange(np.prod(shape)) ** 1.1).reshape(shape) for number, shape in enumerate(shapes)
    ]


def layer(gates=4):
    """Return x, h, c, w_ih, w_hh and b for T = 2, B = 3, I = 4, H = 2."""
    return waves((2, 3, 4), (3, 2), (3, 2), (gates * 2, 4), (gates * 2, 2), (gates * 2,))


def _wrong(words):
    raise CheckFailedError(words)


def tensor(got, what):
    """Return what came if it is a tensor, or stands for one."""
    came = repr(got) if isinstance(got, Remote) else type(got).__name__
    if came.split()[-1] != "Tensor":
        _wrong(f"{what}: expected a tensor of tinygrad_rnn, got {came}")
    return got


def several(got, count, what):
    """Return what came if it is so many."""
    if not isinstance(got, list | tuple) or len(got) != count:
        came = f"{len(got)}" if isinstance(got, list | tuple) else repr(got)[:60]
        _wrong(f"{what}: expected {count} results, got {came}")
    return got


def two(got, what):
    hs, c = several(got, 2, what)
    return tensor(hs, f"{what}, all h"), tensor(c, f"{what}, the last c")


def tensors(hw, arrays, learned=False):
    return [hw.tg.tensor(value, requires_grad=learned) for value in arrays]


def unchanged(hw, function, names, *arguments):
    changed = hw.changed_by(getattr(hw, function), *arguments)
    words = ", ".join(names[number] for number in changed)
    same(changed, [], f"{function}: what it was given and changed", f"it wrote into {words}; make a new array")


def like(got, right, what, slips=None):
    """Compare numbers of shape (3, 2) with six of a table."""
    suspects = {words: np.reshape(numbers, (3, 2)) for words, numbers in (slips or {}).items()}
    close(got, np.reshape(right, (3, 2)), what, suspects=suspects, rtol=1e-5, atol=1e-6)


def slopes(f, arguments, place, step=1e-5):
    """Return the gradient of f by one of its arguments, entry by entry, from how f itself changes."""
    found = np.empty(arguments[place].shape)
    for index in np.ndindex(*found.shape):
        ends = []
        for moved in (step, -step):
            other = [value.copy() for value in arguments]
            other[place][index] += moved
            ends.append(f(*other))
        found[index] = (ends[0] - ends[1]) / (2 * step)
    return found


def beside(got, f, arguments, place, what, wrong=None):
    """Compare a gradient with how a function changes; wrong are functions that well-known mistakes differentiate."""
    if got is None:
        _wrong(f"{what}: no gradient arrives; it was detached, or left the tensors")
    right = slopes(f, arguments, place)
    try:
        close(got, right, what, rtol=1e-5, atol=1e-6)
    except CheckFailedError:
        suspects = {words: slopes(other, arguments, place) for words, other in (wrong or {}).items()}
        close(got, right, what, suspects=suspects, rtol=1e-5, atol=1e-6)


def in_parts(step, arguments, states, cut):
    """Return all h and the last c, where one state is cut: a step gets what it was when nothing had moved."""
    x, h, c, *weights = arguments
    hs = []
    for t in range(len(x)):
        if t:
            h, c = (states[t - 1][0] if cut == "h" else h), (states[t - 1][1] if cut == "c" else c)
        h, c = step(x[t], h, c, *weights)
        hs.append(h)
    return np.stack(hs), c


def states_of(step, x, h, c, *weights):
    found = []
    for each in x:
        h, c = step(each, h, c, *weights)
        found.append((h, c))
    return found


def judge_engine(hw, function, arguments, names, cells=True):
    """Let tinygrad_rnn differentiate the sum of what a function returns, weighted, and compare."""

    def weighted(parts):
        total = hw.tg.tensor(np.zeros(()))
        for part in parts:
            total = total + (tensor(part, "the result") * hw.tg.tensor(waves(part.shape)[0])).sum()
        return total

    def loss(*values):
        return weighted(function(*tensors(hw, values))).item()

    def step(x, *rest):
        hs, c = function(*tensors(hw, [x[None], *rest]))
        return hs[0].detach().numpy(), c.detach().numpy()

    given = tensors(hw, arguments, learned=True)
    total = weighted(several(function(*given), 2 if cells else 1, "the result"))
    if not total.requires_grad:
        _wrong("no gradient arrives anywhere: what came has left the tensors, as by .numpy()")
    total.backward()
    states = states_of(step, *arguments) if cells else []
    wrong = {
        f"{cut} is detached between the steps": lambda *values, cut=cut: sum(
            (part * waves(part.shape)[0]).sum() for part in in_parts(step, values, states, cut)
        )
        for cut in ("hc" if cells else "")
    }
    for place, name in enumerate(names):
        got = None if given[place].grad is None else given[place].grad.numpy()
        beside(got, loss, arguments, place, f"the derivative by {name}, found by the engine", wrong)


# ---- 4.1

#: h and c after two steps, (3, 2), and what comes of mistakes.
LSTM_H = [0.180421, 0.019274, -0.023042, 0.336079, 0.342862, -0.130940]
LSTM_H_SLIPS = {
    "the rows of i and f are exchanged": [0.135892, -0.047908, -0.031797, 0.235367, 0.420998, -0.079491],
    "the rows of g and o are exchanged": [0.031640, 0.079644, -0.040284, 0.032669, 0.237831, -0.021042],
    "the rows are taken as i, o, f, g": [-0.062230, 0.001160, -0.053628, 0.168137, 0.031642, -0.010360],
    "the products with w_hh are missing": [0.153519, -0.009179, -0.015380, 0.325354, 0.261806, -0.130206],
    "1 - f stands where i belongs": [0.110118, -0.067535, -0.090214, -0.020172, 0.180662, -0.346127],
    "there is a tanh around the new c": [0.149713, 0.012694, -0.022855, 0.288662, 0.322315, -0.129997],
    "the output gate is missing": [0.648387, 0.059766, -0.144854, 0.711127, 0.389264, -0.226938],
    "h' = o * c', without tanh": [0.229017, 0.022186, -0.023205, 0.421247, 0.367832, -0.133473],
    "tanh of tanh": [0.152782, 0.017311, -0.022883, 0.288663, 0.322314, -0.128523],
}
LSTM_C = [0.869433, 0.022461, -0.140840, 0.894302, 0.475594, -0.253066]
LSTM_C_SLIPS = {
    "the rows of i and f are exchanged": [0.856720, -0.054888, -0.240810, 0.579678, 0.621661, -0.149896],
    "the rows of g and o are exchanged": [0.035630, 0.181384, -0.252616, 0.036417, 0.280202, -0.146791],
    "the rows are taken as i, o, f, g": [-0.068358, 0.020288, -0.144237, 0.275308, 0.052595, -0.043311],
    "the products with w_hh are missing": [0.921663, -0.010548, -0.101551, 0.862455, 0.360503, -0.248451],
    "1 - f stands where i belongs": [0.469695, -0.078718, -0.772734, -0.038381, 0.246433, -0.762310],
    "there is a tanh around the new c": [0.684899, 0.014770, -0.139712, 0.713520, 0.443484, -0.251032],
    "the output gate is missing": [0.772511, 0.059837, -0.145880, 0.889460, 0.410932, -0.230959],
    "h' = o * c', without tanh": [0.860818, 0.025907, -0.140871, 0.894273, 0.474494, -0.252740],
    "tanh of tanh": [0.875135, 0.020146, -0.140810, 0.894330, 0.476557, -0.253352],
}


@check("4.1", 8)
def two_steps(hw, draw):
    hs, c = two(hw.lstm(*tensors(hw, layer())), "lstm")
    same(tuple(hs.shape), (2, 3, 2), "the shape of all h")
    like(c, LSTM_C, "c after two steps", LSTM_C_SLIPS)
    like(hs[1], LSTM_H, "h after two steps", LSTM_H_SLIPS)


@check("4.1", 7)
def the_gradient_gets_back(hw, draw):
    judge_engine(hw, hw.lstm, layer(), LSTM)


# ---- 4.2

#: h' and c' of one step, (3, 2), and what comes of mistakes.
STEP_H = [0.039214, 0.323662, -0.066491, 0.035281, -0.002839, 0.101467]
STEP_H_SLIPS = {
    "the rows of i and f are exchanged": [-0.004758, -0.110727, 0.151808, 0.003086, -0.008073, 0.020870],
    "the rows of g and o are exchanged": [0.204867, -0.028960, -0.244109, 0.037548, -0.089342, -0.608629],
    "the rows are taken as i, o, f, g": [0.206733, -0.090518, -0.191391, 0.024700, -0.020700, -0.603171],
    "the products with w_hh are missing": [0.056727, 0.307236, -0.005209, -0.021146, -0.082482, 0.114344],
    "1 - f stands where i belongs": [0.034962, 0.285032, -0.299333, -0.426500, -0.001518, -0.057758],
    "there is a tanh around the new c": [0.036599, 0.288549, -0.066204, 0.035263, -0.002839, 0.097370],
    "the output gate is missing": [0.466303, 0.611620, -0.114134, 0.039154, -0.021359, 0.356812],
    "h' = o * c', without tanh": [0.042496, 0.376520, -0.066782, 0.035299, -0.002840, 0.106136],
    "tanh of tanh": [0.036599, 0.288549, -0.066204, 0.035263, -0.002839, 0.097370],
}
STEP_C = [0.505335, 0.711506, -0.114633, 0.039174, -0.021362, 0.373229]


def one_step_of_it():
    x, *rest = layer()
    return [x[0], *rest]


def step_of(hw):
    return lambda *arguments: several(hw.lstm_step(*arguments), 3, "lstm_step")[:2]


@check("4.2", 6)
def one_step(hw, draw):
    given = one_step_of_it()
    h, c, kept = several(hw.lstm_step(*given), 3, "lstm_step")
    same(isinstance(kept, dict), True, "the third that lstm_step returns is a dict")
    like(c, STEP_C, "c' of one step")
    like(h, STEP_H, "h' of one step", STEP_H_SLIPS)
    same(sorted(kept), ["c", "c_new", "f", "g", "h", "i", "o", "x"], "the names in the dict of lstm_step")
    for gate in "ifo":
        same(bool(((kept[gate] > 0) & (kept[gate] < 1)).all()), True, f"kept[{gate!r}] lies between 0 and 1")
    close(kept["c"], given[2], 'kept["c"]', suspects={"c was overwritten by the new one": c})
    unchanged(hw, "lstm_step", LSTM, *given)


@check("4.2", 12)
def one_step_back(hw, draw):
    given = one_step_of_it()
    dh, dc = waves((3, 2), (3, 2))

    def loss(*arguments, part_h=1.0, part_c=1.0):
        h, c, _ = hw.lstm_step(*arguments)
        return part_h * (h * dh).sum() + part_c * (c * dc).sum()

    def by_gates(i, f, g, o, c):
        cell = f * c + i * g
        return (o * np.tanh(cell) * dh).sum() + (cell * dc).sum()

    wrong = {
        "dc, which comes from the next step, is left out (= for +=)": lambda *every: loss(*every, part_c=0.0),
        "what comes to c' through h' is left out": lambda *every: loss(*every, part_h=0.0),
        "divided by the batch": lambda *every: loss(*every) / 3,
    }
    kept = several(hw.lstm_step(*given), 3, "lstm_step")[2]
    got = several(hw.lstm_step_backward(dh, dc, kept, *given[3:5]), 6, "lstm_step_backward")
    same(np.shape(got[5]), (8,), "the shape of the derivative by b")
    # By b first: its rows say which gate is wrong.
    right = slopes(loss, given, 5)
    gates = [kept[name] for name in ("i", "f", "g", "o", "c")]
    for place, gate in enumerate("ifgo"):
        rows, s = slice(2 * place, 2 * place + 2), kept[gate]
        at_gate = slopes(by_gates, gates, place)
        suspects = {words: slopes(other, given, 5)[rows] for words, other in wrong.items()}
        own, other = (1 - s * s, s * (1 - s)) if gate == "g" else (s * (1 - s), 1 - s * s)
        suspects |= {
            f"the slope of the gate {gate} itself is missing": at_gate.sum(0),
            f"gate {gate} has the slope of {'a sigmoid' if gate == 'g' else 'tanh'}": (at_gate * other).sum(0),
            "this fits the equations, but lstm_step does not: mend that first": (at_gate * own).sum(0),
        }
        close(got[5][rows], right[rows], f"the derivative by b, in the rows of {gate}",
              suspects=suspects, rtol=1e-5, atol=1e-6)  # fmt: skip
    wrong["what arrives at c' goes on to c without f"] = lambda x, h, c, *rest: (
        loss(x, h, 0 * c, *rest)
        + (c * slopes(lambda cell: (kept["o"] * np.tanh(cell) * dh + cell * dc).sum(), [kept["c_new"]], 0)).sum()
    )
    for place, name in ((2, "c"), (1, "h"), (0, "x"), (4, "w_hh"), (3, "w_ih")):
        beside(got[place], loss, given, place, f"the derivative by {name}", wrong)


@check("4.2", 12)
def a_sequence_back(hw, draw):
    given = layer()
    dhs, dc = waves((2, 3, 2), (3, 2))

    def weighted(hs, c, part_h=(1.0, 1.0), part_c=1.0):
        return (np.reshape(part_h, (2, 1, 1)) * hs * dhs).sum() + part_c * (c * dc).sum()

    def loss(*every, **parts):
        return weighted(*hw.lstm_forward(*every)[:2], **parts)

    def first_step_only(x, h, c, *weights):  # the second has the weights as they were
        h, c = step(x[0], h, c, *weights)
        last = step(x[1], h, c, *given[3:])
        return weighted(np.stack([h, last[0]]), last[1])

    step = step_of(hw)
    states = states_of(step, *given)
    wrong = {
        "the gradient of the last c is ignored": lambda *every: loss(*every, part_c=0.0),
        "only the last h counts": lambda *every: loss(*every, part_h=(0.0, 1.0)),
        "what the next step sends to h is lost": lambda *every: weighted(*in_parts(step, every, states, "h")),
        "what the next step sends to c is lost": lambda *every: weighted(*in_parts(step, every, states, "c")),
        "divided by the batch": lambda *every: loss(*every) / 3,
        "the weights have the gradient of one step only (= for +=)": first_step_only,
    }
    steps = hw.lstm_forward(*given)[2]
    got = several(hw.lstm_backward(dhs, dc, steps, *given[3:5]), 6, "lstm_backward")
    for place, name in enumerate(LSTM):
        beside(got[place], loss, given, place, f"the derivative by {name}", wrong)
    unchanged(hw, "lstm_backward", ("dhs", "dc", "steps", "w_ih", "w_hh"), dhs, dc, steps, *given[3:5])


# ---- 4.3


@check("4.3", 4)
def how_it_starts(hw, draw):
    w_ih, w_hh, b = several(hw.initial(3, 2, 1.5, 7), 3, "initial")
    same((np.shape(w_ih), np.shape(w_hh)), ((8, 3), (8, 2)), "the shapes of w_ih and w_hh, for I = 3 and H = 2")
    suspects = {
        "the rows of i have it": [1.5, 1.5, 0, 0, 0, 0, 0, 0],
        "the rows of g have it": [0, 0, 0, 0, 1.5, 1.5, 0, 0],
    }
    close(b, [0, 0, 1.5, 1.5, 0, 0, 0, 0], "b", suspects=suspects)
    for name, got in zip(("w_ih", "w_hh"), hw.initial(40, 25, 0.0, 7)):
        suspects = {"1/sqrt(I)": 40**-0.5, "1/H": 1 / 25}
        close(
            np.abs(got).max(), 0.2, f"the largest entry of {name}, for I = 40 and H = 25", suspects=suspects, rtol=0.01
        )
        close(np.mean(got), 0.0, f"the mean of {name}", atol=0.02)


@check("4.3", 1)
def what_is_left(hw, draw):
    close(hw.forget_bias_for(1, 0.5), 0.0, "the bias that leaves a half after one step")
    suspects = {
        "f itself, not the bias that makes it": 0.870551,
        "the other sign": -1.905835,
        "the bias for what is forgotten, 1 - left": 3.534066,
    }
    close(hw.forget_bias_for(10, 0.25), 1.905835, "the bias that leaves a quarter after ten steps",
          suspects=suspects, rtol=1e-5)  # fmt: skip


# ---- 4.4

#: h and c after two steps, (3, 2), and what comes of mistakes.
COUPLED_H = [0.574451, -0.215698, -0.067595, -0.573724, -0.144717, -0.071100]
COUPLED_H_SLIPS = {
    "the output gate sees the old c": [0.565035, -0.237809, -0.097588, -0.566097, -0.126846, -0.073632],
    "U is transposed": [0.484737, -0.213766, -0.084462, -0.605507, -0.302167, -0.075524],
    "only the diagonal of U is used": [0.513248, -0.215430, -0.077375, -0.585527, -0.264603, -0.072820],
    "f and 1 - f are exchanged": [0.699671, -0.214166, 0.171367, 0.181609, 0.380350, 0.078992],
    "the forget gate does not see c": [0.512896, -0.217158, -0.077188, -0.545370, -0.262920, -0.073835],
    "the output gate does not see c": [0.550951, -0.275486, -0.108001, -0.597430, -0.168397, -0.086997],
}
COUPLED_C = [0.699501, -0.892678, -0.586585, -0.822344, -0.182912, -0.665217]
COUPLED_C_SLIPS = {
    "the output gate sees the old c": [0.702564, -0.890458, -0.661522, -0.824829, -0.193281, -0.664751],
    "U is transposed": [0.566680, -0.852884, -0.576602, -0.884902, -0.417556, -0.749838],
    "only the diagonal of U is used": [0.606870, -0.880313, -0.595180, -0.841992, -0.355469, -0.696480],
    "f and 1 - f are exchanged": [0.907325, -0.818988, 0.557698, 0.197848, 0.530108, 0.330204],
    "the forget gate does not see c": [0.606177, -0.905304, -0.594127, -0.751552, -0.353292, -0.713666],
    "the output gate does not see c": [0.696613, -0.893243, -0.609732, -0.820261, -0.211832, -0.661807],
}


def coupled_layer():
    return [*layer(3), *waves((2, 2), (2,))]


@check("4.4", 9)
def two_steps_of_the_coupled_cell(hw, draw):
    hs, c = two(hw.coupled(*tensors(hw, coupled_layer())), "coupled")
    same(tuple(hs.shape), (2, 3, 2), "the shape of all h")
    like(c, COUPLED_C, "c after two steps", COUPLED_C_SLIPS)
    like(hs[1], COUPLED_H, "h after two steps", COUPLED_H_SLIPS)


@check("4.4", 6)
def the_coupled_cell_is_differentiated(hw, draw):
    judge_engine(hw, hw.coupled, coupled_layer(), (*LSTM, "u_f", "p_o"))


# ---- 4.5

#: h after two steps, (3, 2), of the four; and of the first two with other mistakes.
READINGS = {
    "after, keep": [0.704804, -0.121762, -0.942703, 0.754858, -0.558515, -0.120353],
    "after, renew": [0.525093, 0.430536, -0.688431, 0.453617, -0.617252, 0.665782],
    "before, keep": [0.735276, 0.269174, -0.935855, 0.927337, -0.542037, -0.075714],
    "before, renew": [0.642185, 0.466829, -0.585929, 0.493099, -0.593619, 0.681616],
}
GRU_SLIPS = {
    "after, keep": {
        "the rows of r and z are exchanged": [0.632599, -0.099012, -0.844391, 0.366973, -0.922825, 0.150815],
        "d_n stands outside of the reset gate": [0.736625, 0.265317, -0.935183, 0.894650, -0.543461, -0.073343],
    },
    "after, renew": {
        "the rows of r and z are exchanged": [0.839458, 0.246568, -0.498947, 0.632761, 0.153862, 0.650778],
        "d_n stands outside of the reset gate": [0.641067, 0.465534, -0.580147, 0.483069, -0.591922, 0.682080],
    },
    "before, keep": {
        "the rows of r and z are exchanged": [0.668657, 0.124893, -0.851887, 0.695362, -0.912506, 0.198181],
    },
    "before, renew": {
        "the rows of r and z are exchanged": [0.848088, 0.305811, -0.479784, 0.764172, 0.165228, 0.741884],
    },
}


def gru_layer():
    return waves((2, 3, 4), (3, 2), (6, 4), (6, 2), (6,), (6,))


@check("4.5", 3, each=tuple(READINGS))
def two_steps_of_a_gru(hw, draw, reading):
    hs = tensor(hw.gru(*tensors(hw, gru_layer()), *reading.split(", ")), "gru")
    same(tuple(hs.shape), (2, 3, 2), "the shape of all h")
    slips = {f"the equations of the GRU ({other})": right for other, right in READINGS.items() if other != reading}
    like(hs[1], READINGS[reading], f"h of the GRU ({reading}) after two steps", slips | GRU_SLIPS.get(reading, {}))


def convention(order, reset="after", update="keep"):
    return {"order": order, "reset": reset, "update": update}


@check("4.5", 2)
def a_gru_is_differentiated(hw, draw):
    judge_engine(hw, lambda *given: (hw.gru(*given, "before", "renew"),), gru_layer(), GRU, cells=False)


@check("4.5", 4)
def blocks_in_another_order(hw, draw):
    rows = {gate: np.full((2, 1), value) for gate, value in (("r", 1.0), ("z", 2.0), ("n", 3.0))}
    weights = dict.fromkeys(GRU[2:], np.concatenate([rows[gate] for gate in "rzn"]))
    got = hw.convert(weights, convention("rzn"), convention("znr"))
    suspects = {"the blocks went the other way, as if from znr to rzn": [[3.0], [3], [1], [1], [2], [2]]}
    same(isinstance(got, dict), True, "convert returns a dict")
    for name in GRU[2:]:
        close(got[name], [[2.0], [2], [3], [3], [1], [1]], f"{name}, from the order rzn to znr", suspects=suspects)


@check("4.5", 4)
def the_other_sign(hw, draw):
    x, h, *arrays = gru_layer()
    weights = dict(zip(GRU[2:], arrays))
    got = hw.convert(weights, convention("rzn"), convention("rzn", update="renew"))
    same(isinstance(got, dict), True, "convert returns a dict")
    for name, array in weights.items():
        same(np.shape(got[name]), array.shape, f"the shape of {name}, converted")
        same(np.array_equal(got[name], array), False, f"{name} is as it was")
    keeps, renews = (
        hw.gru(*tensors(hw, [x, h, *(these[name] for name in GRU[2:])]), "after", update)[1].numpy()
        for these, update in ((weights, "keep"), (got, "renew"))
    )
    close(
        renews,
        keeps,
        "h of your own GRU (after, renew) with the converted weights, where (after, keep) had them before",
    )
    unchanged(hw, "convert", ("weights",), weights, convention("rzn"), convention("rzn", update="renew"))


@check("4.5", 3)
def where_nothing_helps(hw, draw):
    weights = dict(zip(GRU[2:], gru_layer()[2:]))
    conventions = convention("rzn", "after"), convention("rzn", "before")
    raises("ValueError", "what convert raises, from reset 'after' to 'before'", hw.convert, weights, *conventions)
