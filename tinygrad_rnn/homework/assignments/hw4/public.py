"""The checks that a student sees: numbers that were computed elsewhere, and your gradients beside your own forward pass."""

import numpy as np

from tinygrad_rnn.homework import check, close, same
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.homework.remote import Remote, StudentError

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


def tensor(got, what):
    """Return what came if it is a tensor."""
    if not isinstance(got, Remote) or not repr(got).endswith(" Tensor"):
        came = repr(got) if isinstance(got, Remote) else type(got).__name__
        raise CheckFailedError(f"{what}: expected a tensor of tinygrad_rnn, got {came}")
    return got


def two(got, what):
    if not isinstance(got, list | tuple) or len(got) != 2:
        raise CheckFailedError(f"{what}: expected two tensors, all h and the last c")
    return tensor(got[0], f"{what}, all h"), tensor(got[1], f"{what}, the last c")


def tensors(hw, arrays, learned=False):
    return [hw.tg.tensor(value, requires_grad=learned) for value in arrays]


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


def beside_the_forward_pass(got, f, arguments, names, wrong=None):
    """Compare gradients with how a function changes; wrong are functions that well-known mistakes differentiate."""
    same(len(got), len(names), "how many derivatives there are")
    for place, name in enumerate(names):
        if got[place] is None:
            raise CheckFailedError(f"no gradient arrives at {name}; it was detached, or left the tensors")
        suspects = {words: slopes(other, arguments, place) for words, other in (wrong or {}).items()}
        right = slopes(f, arguments, place)
        close(got[place], right, f"the derivative by {name}", suspects=suspects, rtol=1e-5, atol=1e-6)


def judge_engine(hw, function, arguments, names):
    """Let tinygrad_rnn differentiate the sum of what a function returns, weighted, and compare."""

    def loss(*values, learned=False):
        given = tensors(hw, values, learned)
        found = function(*given)
        parts = found if isinstance(found, list | tuple) else [found]
        total = hw.tg.tensor(np.zeros(()))
        for part in parts:
            total = total + (tensor(part, "the result") * hw.tg.tensor(waves(part.shape)[0])).sum()
        return total, given

    total, given = loss(*arguments, learned=True)
    if not total.requires_grad:
        raise CheckFailedError("no gradient arrives anywhere: what came has left the tensors, as by .numpy()")
    total.backward()
    got = [None if each.grad is None else each.grad.numpy() for each in given]
    beside_the_forward_pass(got, lambda *values: loss(*values)[0].item(), arguments, names)


# ---- 4.1


@check("4.1", 8)
def two_steps(hw, draw):
    hs, c = two(hw.lstm(*tensors(hw, layer())), "lstm")
    close(
        hs[1],
        [[0.180421388, 0.019273614], [-0.023042275, 0.336079234], [0.342862236, -0.130939862]],
        "h after two steps",
        suspects={
            "the rows of i and f are exchanged": [
                [0.135892292, -0.047908023],
                [-0.031796742, 0.235367131],
                [0.420998456, -0.079490939],
            ],
            "the rows of g and o are exchanged: the order is i, f, g, o": [
                [0.031639797, 0.079644003],
                [-0.040284342, 0.032668664],
                [0.237831491, -0.021042149],
            ],
            "h' = o * c', without tanh": [
                [0.229017002, 0.022185691],
                [-0.023205162, 0.421247353],
                [0.367831725, -0.133472919],
            ],
            "tanh of tanh": [[0.152781788, 0.017310635], [-0.022882753, 0.288663373], [0.322313603, -0.128523248]],
        },
    )
    close(
        c,
        [[0.869432824, 0.022460766], [-0.140840109, 0.894301634], [0.475593702, -0.253066043]],
        "c after two steps",
        suspects={
            "the rows of i and f are exchanged": [
                [0.856720061, -0.054887621],
                [-0.240809531, 0.579678343],
                [0.621661400, -0.149896082],
            ],
            "the rows of g and o are exchanged: the order is i, f, g, o": [
                [0.035629542, 0.181384249],
                [-0.252615515, 0.036416957],
                [0.280202315, -0.146791399],
            ],
        },
    )
    same(tuple(hs.shape), (2, 3, 2), "the shape of all h")


@check("4.1", 7)
def the_gradient_gets_back(hw, draw):
    judge_engine(hw, hw.lstm, layer(), LSTM)


# ---- 4.2


def step_of(arguments):
    x, *rest = arguments
    return [x[0], *rest]


@check("4.2", 6)
def one_step(hw, draw):
    h, c, kept = hw.lstm_step(*step_of(layer()))
    close(
        h,
        [[0.039213575, 0.323662160], [-0.066490854, 0.035280670], [-0.002839170, 0.101467392]],
        "h' of one step",
        suspects={
            "the rows of i and f are exchanged": [
                [-0.004758325, -0.110727104],
                [0.151807633, 0.003085502],
                [-0.008073089, 0.020869540],
            ],
            "the rows of g and o are exchanged: the order is i, f, g, o": [
                [0.204866844, -0.028959579],
                [-0.244109487, 0.037547737],
                [-0.089341989, -0.608628948],
            ],
            "h' = o * c', without tanh": [
                [0.042496008, 0.376520407],
                [-0.066781846, 0.035298715],
                [-0.002839602, 0.106135665],
            ],
            "tanh of tanh": [[0.036598602, 0.288548626], [-0.066203635, 0.035262652], [-0.002838738, 0.097369828]],
        },
    )
    close(c, [[0.505335454, 0.711505656], [-0.114633277, 0.039174250], [-0.021362411, 0.373228551]], "c' of one step")
    same(sorted(kept), ["c", "c_new", "f", "g", "h", "i", "o", "x"], "the names in the dict of lstm_step")
    close(kept["c"], layer()[2], 'kept["c"]', suspects={"c was overwritten by the new one": c})
    same(hw.changed_by(hw.lstm_step, *step_of(layer())), [], "the arguments of lstm_step that it changed")


@check("4.2", 12)
def one_step_back(hw, draw):
    given = step_of(layer())
    dh, dc = waves((3, 2), (3, 2))

    def loss(*arguments, part_h=1.0, part_c=1.0):
        h, c, _ = hw.lstm_step(*arguments)
        return part_h * (h * dh).sum() + part_c * (c * dc).sum()

    kept = hw.lstm_step(*given)[2]
    wrong = {
        "dc, which comes from the next step, is left out (= for +=)": lambda *all: loss(*all, part_c=0.0),
        "what comes to c' through h' is left out": lambda *all: loss(*all, part_h=0.0),
        "divided by the batch": lambda *all: loss(*all) / 3,
    }
    beside_the_forward_pass(hw.lstm_step_backward(dh, dc, kept, *given[3:5]), loss, given, LSTM, wrong)


@check("4.2", 12)
def a_sequence_back(hw, draw):
    given = layer()
    dhs, dc = waves((2, 3, 2), (3, 2))

    def loss(*arguments, part_h=(1.0, 1.0), part_c=1.0):
        hs, c, _ = hw.lstm_forward(*arguments)
        return (np.reshape(part_h, (2, 1, 1)) * hs * dhs).sum() + part_c * (c * dc).sum()

    steps = hw.lstm_forward(*given)[2]
    wrong = {
        "the gradient of the last c is ignored": lambda *all: loss(*all, part_c=0.0),
        "only the last h counts": lambda *all: loss(*all, part_h=(0.0, 1.0)),
        "divided by the batch": lambda *all: loss(*all) / 3,
    }
    beside_the_forward_pass(hw.lstm_backward(dhs, dc, steps, *given[3:5]), loss, given, LSTM, wrong)
    changed = hw.changed_by(hw.lstm_backward, dhs, dc, steps, *given[3:5])
    same(changed, [], "the arguments of lstm_backward that it changed", "add to a new array: dhs[t] + dh, not +=")


# ---- 4.3


@check("4.3", 4)
def three_inputs_two_units(hw, draw):
    w_ih, w_hh, b = hw.initial(3, 2, 1.5, 7)
    same((np.shape(w_ih), np.shape(w_hh)), ((8, 3), (8, 2)), "the shapes of w_ih and w_hh")
    close(b, [0.0, 0, 1.5, 1.5, 0, 0, 0, 0], "b", suspects={"the rows of g have it": [0.0, 0, 0, 0, 1.5, 1.5, 0, 0]})
    for name, got in (("w_ih", w_ih), ("w_hh", w_hh)):
        same(bool(0.5 < np.abs(got).max() <= 0.70711), True, f"the largest entry of {name} is a little below 1/sqrt(2)")


@check("4.3", 1)
def half_of_it_after_one_step(hw, draw):
    close(hw.forget_bias_for(1, 0.5), 0.0, "the bias that leaves a half after one step")
    close(hw.forget_bias_for(10, 0.5), 2.634240, "the bias that leaves a half after ten steps", rtol=1e-5)


# ---- 4.4


def coupled_layer():
    return [*layer(3), *waves((2, 2), (2,))]


@check("4.4", 9)
def two_steps_of_the_coupled_cell(hw, draw):
    hs, c = two(hw.coupled(*tensors(hw, coupled_layer())), "coupled")
    close(
        c,
        [[0.699500848, -0.892678062], [-0.586584811, -0.822343902], [-0.182911734, -0.665216689]],
        "c after two steps",
        suspects={
            "U is transposed": [
                [0.566680255, -0.852884255],
                [-0.576602483, -0.884902440],
                [-0.417555694, -0.749837656],
            ],
            "only the diagonal of U is used": [
                [0.606870426, -0.880312883],
                [-0.595179914, -0.841991866],
                [-0.355469118, -0.696479653],
            ],
            "f and 1 - f are exchanged": [
                [0.907324521, -0.818988423],
                [0.557698054, 0.197848064],
                [0.530107780, 0.330204324],
            ],
            "the forget gate does not see c": [
                [0.606176814, -0.905304492],
                [-0.594127129, -0.751551603],
                [-0.353292274, -0.713666465],
            ],
        },
    )
    close(
        hs[1],
        [[0.574450696, -0.215697559], [-0.067595165, -0.573724005], [-0.144716855, -0.071099963]],
        "h after two steps",
        suspects={
            "the output gate sees c as it was before the step": [
                [0.565035042, -0.237809111],
                [-0.097587667, -0.566096720],
                [-0.126845636, -0.073632030],
            ],
            "the output gate does not see c": [
                [0.550951181, -0.275486040],
                [-0.108001248, -0.597430070],
                [-0.168396894, -0.086996738],
            ],
        },
    )


@check("4.4", 6)
def the_coupled_cell_is_differentiated(hw, draw):
    judge_engine(hw, hw.coupled, coupled_layer(), (*LSTM, "u_f", "p_o"))


# ---- 4.5


def gru_layer():
    return waves((2, 3, 4), (3, 2), (6, 4), (6, 2), (6,), (6,))


READINGS = {
    "after, keep": [[0.704804165, -0.121761874], [-0.942702580, 0.754858307], [-0.558515160, -0.120353200]],
    "after, renew": [[0.525093357, 0.430536471], [-0.688430857, 0.453617247], [-0.617251627, 0.665782379]],
    "before, keep": [[0.735276304, 0.269173731], [-0.935854731, 0.927336950], [-0.542036731, -0.075713653]],
    "before, renew": [[0.642185160, 0.466829058], [-0.585928829, 0.493099060], [-0.593618662, 0.681615930]],
}


@check("4.5", 3, each=tuple(READINGS))
def two_steps_of_a_gru(hw, draw, reading):
    got = tensor(hw.gru(*tensors(hw, gru_layer()), *reading.split(", ")), "gru")
    suspects = {f"this is the GRU with {other}": right for other, right in READINGS.items() if other != reading}
    close(got[1], READINGS[reading], f"h of the GRU ({reading}) after two steps", suspects=suspects)


def convention(order, reset="after", update="keep"):
    return {"order": order, "reset": reset, "update": update}


@check("4.5", 4)
def blocks_in_another_order(hw, draw):
    rows = {gate: np.full((2, 1), value) for gate, value in (("r", 1.0), ("z", 2.0), ("n", 3.0))}
    weights = dict.fromkeys(GRU[2:], np.concatenate([rows[gate] for gate in "rzn"]))
    got = hw.convert(weights, convention("rzn"), convention("znr"))
    suspects = {"the blocks went the other way, as if from znr to rzn": [[3.0], [3], [1], [1], [2], [2]]}
    for name in GRU[2:]:
        close(got[name], [[2.0], [2], [3], [3], [1], [1]], f"{name}, from the order rzn to znr", suspects=suspects)


@check("4.5", 5)
def the_other_sign(hw, draw):
    given = gru_layer()
    got = hw.convert(dict(zip(GRU[2:], given[2:])), convention("rzn"), convention("rzn", update="renew"))
    moved = tensors(hw, [*given[:2], *(got[name] for name in GRU[2:])])
    close(hw.gru(*moved, "after", "renew")[1], READINGS["after, keep"],
          "h of your own GRU (after, renew), with the weights of one that keeps, converted")  # fmt: skip


@check("4.5", 4)
def where_nothing_helps(hw, draw):
    try:
        hw.convert(dict(zip(GRU[2:], gru_layer()[2:])), convention("rzn", "after"), convention("rzn", "before"))
    except StudentError as error:
        if error.kind == "NotImplementedError":
            raise
        same(error.kind, "ValueError", "what is raised where no weights do that")
    else:
        raise CheckFailedError("convert from reset 'after' to 'before': expected a ValueError, and there was none")
