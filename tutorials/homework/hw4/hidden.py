"""The checks that decide: numbers and shapes are drawn when it is graded."""

import numpy as np

from tinygrad_rnn.homework import check, close, raises, same
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.homework.remote import StudentError

from public import GRU, LSTM, _wrong, several, tensor, tensors, two, unchanged


def sig(a):
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def sizes(draw):
    """Return T, B, I, H, all different."""
    return tuple(int(length) for length in draw.permutation([3, 4, 5, 6]))


def drawn(draw, gates=4, cells=True, scale=1.0):
    """Return x, the states and the weights of a layer, of about this size."""
    steps, batch, inputs, hidden = sizes(draw)
    states = [(batch, hidden)] * (2 if cells else 1)
    biases = [(gates * hidden,)] * (1 if cells else 2)
    shapes = [(steps, batch, inputs), *states, (gates * hidden, inputs), (gates * hidden, hidden), *biases]
    return [scale * draw.standard_normal(shape) for shape in shapes]


def along(f, arguments, direction, step=1e-5):
    """Return the derivative of f along a direction: for each argument as much as its part of the direction says."""
    up = f(*(value + step * moved for value, moved in zip(arguments, direction)))
    down = f(*(value - step * moved for value, moved in zip(arguments, direction)))
    return (up - down) / (2 * step)


def judge_gradients(draw, f, arguments, names, found, what, wrong=None, only=None):
    """Compare gradients with central differences of f along random directions, two for each argument, or for one only.

    wrong are functions that would have those gradients that come of well-known mistakes.
    """
    for place, name in enumerate(names):
        if only not in (None, name):
            continue
        got = found[place]
        if got is None:
            _wrong(f"{what}: no gradient arrives at {name}; it was detached, or left the tensors")
        shape = np.shape(arguments[place])
        if np.shape(got) != shape:
            _wrong(f"{what}: the gradient of {name}: expected shape {shape}, got {np.shape(got)}")
        for _ in range(2):
            direction = [np.zeros_like(value) for value in arguments]
            direction[place] = draw.standard_normal(shape)
            right = along(f, arguments, direction)
            suspects = {words: along(other, arguments, direction) for words, other in (wrong or {}).items()}
            slope = (np.asarray(got, dtype=float) * direction[place]).sum()
            close(
                slope, right, f"{what}: the gradient of {name} along a random direction", suspects=suspects,
                rtol=1e-5, atol=1e-6,
            )  # fmt: skip


def judge_engine(hw, draw, function, arrays, names, more=()):
    """Compare what tinygrad_rnn finds for a loss on all that a function returns with how the function itself changes.

    So a slip in the equations costs nothing here, and a part that was detached does.
    """

    def parts(given):
        found = function(*given, *more)
        return [tensor(each, "the result") for each in (found if isinstance(found, list | tuple) else [found])]

    def weighted(found):
        total = hw.tg.tensor(np.zeros(()))
        for part, weight in zip(found, weights):
            total = total + (part * hw.tg.tensor(weight)).sum()
        return total

    given = tensors(hw, arrays, learned=True)
    found = parts(given)
    weights = [draw.standard_normal(part.shape) for part in found]
    total = weighted(found)
    if not total.requires_grad:
        _wrong("no gradient arrives anywhere: what came has left the tensors, as by .numpy()")
    total.backward()
    grads = [None if each.grad is None else each.grad.numpy() for each in given]
    judge_gradients(
        draw, lambda *values: weighted(parts(tensors(hw, values))).item(), arrays, names, grads, "found by the engine"
    )
    for name, grad in zip(names, grads):
        same(bool(np.abs(grad).max() > 1e-6), True, f"{name} makes a difference to the result")


def judge_layer(hw, draw, function, what, given, names):
    def layer(*arguments):
        hs, c = two(function(*arguments), what)
        same(tuple(hs.shape), (len(given[0]), *given[1].shape), f"the shape of all h of {what}")
        same(tuple(c.shape), given[2].shape, f"the shape of the last c of {what}")
        return hs, c

    judge_engine(hw, draw, layer, given, names)


def lstm(x, h, c, w_ih, w_hh, b, slip=""):
    """Return all h, the last c, and what was kept of each step; slips are well-known mistakes."""
    hs, steps = [], []
    for t in range(len(x)):
        net_i, net_f, net_g, net_o = np.split(x[t] @ w_ih.T + h @ w_hh.T + b, 4, axis=1)
        if slip == "i and f":
            net_i, net_f = net_f, net_i
        if slip == "g and o":
            net_g, net_o = net_o, net_g
        if slip == "onnx":
            net_f, net_g, net_o = net_g, net_o, net_f
        if slip == "only x":
            net_i, net_f, net_g, net_o = np.split(x[t] @ w_ih.T + b, 4, axis=1)
        i, f, g, o = sig(net_i), sig(net_f), np.tanh(net_g), sig(net_o)
        new = f * c + (1 - f if slip == "1 - f" else i) * g
        new = np.tanh(new) if slip == "tanh c" else new
        steps.append({"x": x[t], "h": h, "c": c, "i": i, "f": f, "g": g, "o": o, "c_new": new})
        h, c = o * (new if slip == "no tanh" else np.tanh(new)), new
        if slip == "two tanh":
            h = o * np.tanh(np.tanh(new))
        if slip == "no o":
            h = np.tanh(new)
        hs.append(h)
    return np.stack(hs), c, steps


SLIPS = {
    "i and f": "the rows of i and f are exchanged",
    "g and o": "the rows of g and o are exchanged",
    "onnx": "the rows are taken as i, o, f, g",
    "only x": "the products with w_hh are missing",
    "1 - f": "1 - f stands where i belongs",
    "tanh c": "there is a tanh around the new c",
    "no o": "the output gate is missing",
    "no tanh": "h' = o * c', without tanh",
    "two tanh": "tanh of tanh",
}


def suspects_of(arguments, part):
    return {words: lstm(*arguments, slip)[part] for slip, words in SLIPS.items()}


# ---- 4.1


@check("4.1", 5)
def all_hidden_states(hw, draw):
    given = drawn(draw)
    hs, _ = two(hw.lstm(*tensors(hw, given)), "lstm")
    close(hs, lstm(*given)[0], "all h", suspects=suspects_of(given, 0))


@check("4.1", 2)
def the_last_cell_state(hw, draw):
    given = drawn(draw)
    _, c = two(hw.lstm(*tensors(hw, given)), "lstm")
    close(c, lstm(*given)[1], "the last c", suspects=suspects_of(given, 1) | {"c as it was given": given[2]})


@check("4.1", 5)
def the_engine_finds_its_way_back(hw, draw):
    judge_layer(hw, draw, hw.lstm, "lstm", drawn(draw), LSTM)


@check("4.1", 3)
def in_two_parts_as_in_one(hw, draw):
    given = drawn(draw)
    x, h, c, *weights = tensors(hw, given)
    cut = int(draw.integers(1, len(given[0])))
    hs, last = two(hw.lstm(x, h, c, *weights), "lstm")
    first, between = two(hw.lstm(hw.tg.tensor(given[0][:cut]), h, c, *weights), "lstm")
    rest, c = two(hw.lstm(hw.tg.tensor(given[0][cut:]), first[cut - 1], between, *weights), "lstm")
    close(first, hs.numpy()[:cut], f"h of the first {cut} steps alone")
    close(rest, hs.numpy()[cut:], f"h of the steps from {cut} on, where the states of the first {cut} were handed over")
    close(c, last.numpy(), "the last c, in two parts")
    for place in (0, 1, 2):
        moved = [value.copy() for value in given]
        moved[place] = moved[place] + 1.0
        other, _ = two(hw.lstm(*tensors(hw, moved)), "lstm")
        apart = np.abs(other.numpy()[-1] - hs.numpy()[-1]).max()
        same(bool(apart > 1e-6), True, f"{LSTM[place]} makes a difference to the last h")


# ---- 4.2


def one_step(draw):
    """Return what a step takes, the gradients that arrive, and what it keeps."""
    x, *rest = drawn(draw)
    given, shape = [x[0], *rest], rest[0].shape
    return given, draw.standard_normal(shape), draw.standard_normal(shape), lstm(x[:1], *rest)[2][0]


@check("4.2", 4)
def one_step_forward(hw, draw):
    given = one_step(draw)[0]
    got = several(hw.lstm_step(*given), 3, "lstm_step")
    every = [given[0][None], *given[1:]]
    suspects = {words: hs[0] for words, hs in suspects_of(every, 0).items()}
    close(got[0], lstm(*every)[0][0], "h' of one step", suspects=suspects)
    close(got[1], lstm(*every)[1], "c' of one step", suspects=suspects_of(every, 1))


@check("4.2", 2)
def what_a_step_keeps(hw, draw):
    given, _, _, right = one_step(draw)
    kept = several(hw.lstm_step(*given), 3, "lstm_step")[2]
    same(isinstance(kept, dict), True, "the third that lstm_step returns is a dict")
    same(sorted(kept), sorted(right), "the names in the dict of lstm_step")
    for name, value in right.items():
        suspects = {"c was overwritten: the new one instead of that before the step": right["c_new"]}
        close(kept[name], value, f"kept[{name!r}]", suspects=suspects if name == "c" else None)
    unchanged(hw, "lstm_step", LSTM, *given)


def step_loss(dh, dc):
    def loss(x, *rest):
        hs, c, _ = lstm(x[None], *rest)
        return (hs[0] * dh).sum() + (c * dc).sum()

    return loss


@check("4.2", 1, each=LSTM)
def one_step_backward(hw, draw, name):
    given, dh, dc, kept = one_step(draw)
    found = several(hw.lstm_step_backward(dh, dc, kept, *given[3:5]), 6, "lstm_step_backward")
    wrong = {
        "dc, which comes from the next step, is left out (= for +=)": step_loss(dh, 0 * dc),
        "what comes to c' through h' is left out": step_loss(0 * dh, dc),
        "divided by the batch": step_loss(dh / len(dh), dc / len(dh)),
    }
    judge_gradients(draw, step_loss(dh, dc), given, LSTM, found, "one step backward", wrong, only=name)


@check("4.2", 2)
def one_step_backward_changes_nothing(hw, draw):
    given, dh, dc, kept = one_step(draw)
    arguments = dh, dc, kept, *given[3:5]
    unchanged(hw, "lstm_step_backward", ("dh", "dc", "kept", "w_ih", "w_hh"), *arguments)
    first = several(hw.lstm_step_backward(*arguments), 6, "lstm_step_backward")
    for name, one, other in zip(LSTM, first, hw.lstm_step_backward(*arguments)):
        close(other, one, f"the derivative by {name}, the second time")


def right_step_backward(dh, dc, kept, w_ih, w_hh):
    """Return the derivatives of one step; here so that a wrong step does not cost the points of the sequence.

    Student code can call this once it was lent, so the checks that lend it come after those of the step.
    """
    i, f, g, o, bent = kept["i"], kept["f"], kept["g"], kept["o"], np.tanh(kept["c_new"])
    total = dc + dh * o * (1 - bent * bent)
    nets = np.hstack([total * g * i * (1 - i), total * kept["c"] * f * (1 - f), total * i * (1 - g * g),
                      dh * bent * o * (1 - o)])  # fmt: skip
    return nets @ w_ih, nets @ w_hh, total * f, nets.T @ kept["x"], nets.T @ kept["h"], nets.sum(0)


def sequence(draw):
    """Return what a layer takes, what the loss sends to all h and to the last c, the steps, and the loss."""
    given = drawn(draw)
    hs, c, steps = lstm(*given)
    to_hs, to_c = draw.standard_normal(hs.shape), draw.standard_normal(c.shape)

    def loss(*arguments, part_h=1, part_c=1):
        hs, c, _ = lstm(*arguments)
        return part_h * (hs * to_hs).sum() + part_c * (c * to_c).sum()

    def last_only(*arguments):
        hs, c, _ = lstm(*arguments)
        return (hs[-1] * to_hs[-1]).sum() + (c * to_c).sum()

    wrong = {
        "the gradient of the last c is ignored": lambda *arguments: loss(*arguments, part_c=0),
        "only the last h counts": last_only,
        "divided by the batch": lambda *arguments: loss(*arguments) / c.shape[0],
    }
    return given, to_hs, to_c, steps, loss, wrong


@check("4.2", 8)
def a_sequence_backward(hw, draw):
    given, to_hs, to_c, _, loss, wrong = sequence(draw)
    steps = hw.lstm_forward(*given)[2]
    found = several(hw.lstm_backward(to_hs, to_c, steps, *given[3:5]), 6, "lstm_backward")
    judge_gradients(draw, loss, given, LSTM, found, "a sequence backward", wrong)


@check("4.2", 1, each=LSTM)
def from_step_to_step(hw, draw, name):
    given, to_hs, to_c, steps, loss, wrong = sequence(draw)
    own = hw.lstm_step_backward
    try:
        for step in (own, right_step_backward):
            hw.lstm_step_backward = step
            try:
                found = several(hw.lstm_backward(to_hs, to_c, steps, *given[3:5]), 6, "lstm_backward")
                return judge_gradients(draw, loss, given, LSTM, found, "a sequence backward", wrong, only=name)
            except (CheckFailedError, StudentError):
                if step is right_step_backward:
                    raise
    finally:
        hw.lstm_step_backward = own


@check("4.2", 2)
def a_sequence_backward_changes_nothing(hw, draw):
    given, to_hs, to_c, steps, _, _ = sequence(draw)
    arguments = to_hs, to_c, steps, *given[3:5]
    unchanged(hw, "lstm_backward", ("dhs", "dc", "steps", "w_ih", "w_hh"), *arguments)
    first = several(hw.lstm_backward(*arguments), 6, "lstm_backward")
    for name, one, other in zip(LSTM, first, hw.lstm_backward(*arguments)):
        close(other, one, f"the derivative by {name}, the second time")


# ---- 4.3


@check("4.3", 2)
def weights_of_the_right_size(hw, draw):
    inputs, hidden, seed = int(draw.integers(20, 30)), int(draw.integers(50, 60)), int(draw.integers(1, 1000))
    bound = 1 / np.sqrt(hidden)
    w_ih, w_hh, _ = several(hw.initial(inputs, hidden, 1.0, seed), 3, "initial")
    for name, got, columns in (("w_ih", w_ih, inputs), ("w_hh", w_hh, hidden)):
        same(np.shape(got), (4 * hidden, columns), f"the shape of {name}")
        largest = {"1/sqrt(I)": 1 / np.sqrt(inputs), "1/H": 1 / hidden, "1/sqrt(4 H)": bound / 2}
        close(np.abs(got).max(), bound, f"the largest entry of {name}", suspects=largest, rtol=0.02)
        close(np.std(got), bound / np.sqrt(3), f"the standard deviation of {name}", rtol=0.05)
        close(np.mean(got) / bound, 0.0, f"the mean of {name}, as a part of the bound", atol=0.05)
    columns = min(inputs, hidden)
    alike = np.corrcoef(np.ravel(w_ih[:, :columns]), np.ravel(w_hh[:, :columns]))[0, 1]
    flat = np.corrcoef(np.ravel(w_ih), np.ravel(w_hh)[: w_ih.size])[0, 1]
    close([alike, flat], [0.0, 0.0], "the correlation of w_ih with w_hh", atol=0.15)


@check("4.3", 0.5)
def another_seed_other_weights(hw, draw):
    seed = int(draw.integers(1, 1000))
    first, again, other = (hw.initial(3, 4, 1.0, each)[0] for each in (seed, seed, seed + 1))
    close(again, first, "w_ih, the second time with this seed")
    same(np.allclose(first, other), False, "w_ih is the same with another seed")


@check("4.3", 1.5)
def only_the_forget_gates_bias(hw, draw):
    _, _, hidden, inputs = sizes(draw)
    value = float(draw.uniform(1, 3))
    right = np.zeros(4 * hidden)
    right[hidden : 2 * hidden] = value
    suspects = {"it is in the rows of another gate": np.roll(right, -hidden), "all gates have it": right * 0 + value}
    suspects |= {"it is in the rows of g": np.roll(right, hidden), "it is in the rows of o": np.roll(right, 2 * hidden)}
    close(hw.initial(inputs, hidden, value, 0)[2], right, "b", suspects=suspects)


@check("4.3", 1)
def how_long_it_keeps(hw, draw):
    for steps in (1, int(draw.integers(5, 50)), int(draw.integers(200, 1000)), 10**14):
        left = float(draw.uniform(0.05, 0.95))
        right = np.log(left ** (1 / steps) / -np.expm1(np.log(left) / steps))
        suspects = {"the other sign": -right, "f itself, not the bias that makes it": left ** (1 / steps)}
        close(hw.forget_bias_for(steps, left), right, f"the bias that leaves {left:.3f} after {steps} steps",
              suspects=suspects, rtol=1e-5)  # fmt: skip


# ---- 4.4


def coupled(x, h, c, w_ih, w_hh, b, u_f, p_o, slip=""):
    hs = []
    for t in range(len(x)):
        net_f, net_g, net_o = np.split(x[t] @ w_ih.T + h @ w_hh.T + b, 3, axis=1)
        seen = {"no U": 0 * c, "U turned": c @ u_f, "U's diagonal": c * np.diag(u_f)}.get(slip, c @ u_f.T)
        f, g = sig(net_f + seen), np.tanh(net_g)
        old, c = c, (1 - f) * c + f * g if slip == "1 - f" else f * c + (1 - f) * g
        h = sig(net_o + p_o * (old if slip == "old c" else 0 * c if slip == "no p" else c)) * np.tanh(c)
        hs.append(h)
    return np.stack(hs), c


COUPLED = (*LSTM, "u_f", "p_o")
COUPLED_SLIPS = {
    "old c": "the output gate sees the old c",
    "U turned": "U is transposed",
    "U's diagonal": "only the diagonal of U is used",
    "1 - f": "f and 1 - f are exchanged",
    "no U": "the forget gate does not see c",
    "no p": "the output gate does not see c",
}


def drawn_coupled(draw):
    given = drawn(draw, gates=3)
    hidden = given[1].shape[1]
    return [*given, draw.standard_normal((hidden, hidden)), draw.standard_normal(hidden)]


def one_step_of_coupled(draw, forget=0.0):
    """Return what coupled takes for one step; the bias of the forget gate is moved."""
    x, h, c, w_ih, w_hh, b, *seen = drawn_coupled(draw)
    b[: h.shape[1]] += forget
    return [x[:1], h, c, w_ih, w_hh, b, *seen]


def judge_coupled(hw, given, part, what):
    got = two(hw.coupled(*tensors(hw, given)), "coupled")[part]
    suspects = {words: coupled(*given, slip)[part] for slip, words in COUPLED_SLIPS.items()}
    close(got, coupled(*given)[part], what, suspects=suspects)


@check("4.4", 3)
def the_cell_after_one_step(hw, draw):
    judge_coupled(hw, one_step_of_coupled(draw), 1, "c' of one step")


@check("4.4", 2)
def what_is_kept_and_what_is_renewed(hw, draw):
    judge_coupled(hw, one_step_of_coupled(draw, 1e3), 1, "c', where f = 1 keeps c")
    judge_coupled(hw, one_step_of_coupled(draw, -1e3), 1, "c', where f = 0 makes it the candidate")


@check("4.4", 3)
def the_output_gate(hw, draw):
    judge_coupled(hw, one_step_of_coupled(draw, -1e3), 0, "h' of one step, where f = 0")


@check("4.4", 3)
def all_steps_of_coupled(hw, draw):
    given = drawn_coupled(draw)
    judge_coupled(hw, given, 0, "all h")
    judge_coupled(hw, given, 1, "the last c")


@check("4.4", 4)
def the_engine_differentiates_coupled(hw, draw):
    judge_layer(hw, draw, hw.coupled, "coupled", drawn_coupled(draw), COUPLED)


# ---- 4.5


def gru(x, h, w_ih, w_hh, b_ih, b_hh, reset, update, slip=""):
    hs = []
    for t in range(len(x)):
        (x_r, x_z, x_n), (w_r, w_z, w_n) = np.split(x[t] @ w_ih.T + b_ih, 3, axis=1), np.split(w_hh, 3)
        d_r, d_z, d_n = np.split(b_hh, 3)
        if slip == "r and z":
            x_r, x_z, w_r, w_z, d_r, d_z = x_z, x_r, w_z, w_r, d_z, d_r
        r, z = sig(x_r + h @ w_r.T + d_r), sig(x_z + h @ w_z.T + d_z)
        inside = r * (h @ w_n.T + d_n)
        if reset == "before":
            inside = (r * h) @ w_n.T + d_n
        elif slip == "bias outside":
            inside = r * (h @ w_n.T) + d_n
        n = np.tanh(x_n + inside)
        h = (1 - z) * n + z * h if update == "keep" else (1 - z) * h + z * n
        hs.append(h)
    return np.stack(hs)


OTHER = {"after": "before", "before": "after", "keep": "renew", "renew": "keep"}
READINGS = [(reset, update) for reset in ("after", "before") for update in ("keep", "renew")]


def gru_suspects(given, reset, update):
    return {
        "the other sign: h and n are exchanged in the last line": gru(*given, reset, OTHER[update]),
        "the reset gate acts in the other place": gru(*given, OTHER[reset], update),
        "the rows of r and z are exchanged": gru(*given, reset, update, "r and z"),
        "d_n stands outside of the reset gate": gru(*given, reset, update, "bias outside"),
    }


@check("4.5", 3, each=[", ".join(reading) for reading in READINGS])
def a_reading(hw, draw, reading):
    reset, update = reading.split(", ")
    for scale in (1.0, 3.0):
        given = drawn(draw, gates=3, cells=False, scale=scale)
        got = tensor(hw.gru(*tensors(hw, given), reset, update), "gru")
        suspects = gru_suspects(given, reset, update)
        close(got, gru(*given, reset, update), f"all h of the GRU ({reading})", suspects=suspects)


@check("4.5", 2)
def the_engine_differentiates_the_gru(hw, draw):
    reading = READINGS[int(draw.integers(4))]
    judge_engine(hw, draw, hw.gru, drawn(draw, gates=3, cells=False), GRU, reading)


def reordered(weights, before, after):
    """Return weights with their blocks of rows in another order."""
    return {
        name: np.concatenate([np.split(value, 3)[before.index(gate)] for gate in after])
        for name, value in weights.items()
    }


def output_of(weights, convention, x, h):
    plain = reordered(weights, convention["order"], "rzn")
    return gru(x, h, *(plain[name] for name in GRU[2:]), convention["reset"], convention["update"])


def judge_conversion(hw, draw, source, target):
    for scale in (1.0, 3.0):
        x, h, *arrays = drawn(draw, gates=3, cells=False, scale=scale)
        weights = dict(zip(GRU[2:], arrays))
        got = hw.convert(weights, source, target)
        same(sorted(got) if isinstance(got, dict) else got, sorted(weights), "the names in the dict of convert")
        for name, value in weights.items():
            same(np.shape(got[name]), value.shape, f"the shape of {name}, converted")
        shown = " to ".join(f"({each['order']}, {each['reset']}, {each['update']})" for each in (source, target))
        suspects = {"as if nothing had been converted": output_of(weights, target, x, h)}
        if source["update"] != target["update"]:
            suspects["the order is right, the sign is as it was"] = output_of(
                reordered(weights, source["order"], target["order"]), target, x, h
            )
        close(
            output_of(got, target, x, h), output_of(weights, source, x, h),
            f"all h of the GRU {shown}, with the weights converted", suspects=suspects,
        )  # fmt: skip


def convention(order="rzn", reset="after", update="keep"):
    return {"order": order, "reset": reset, "update": update}


@check("4.5", 3)
def another_order_of_rows(hw, draw):
    reset, update = READINGS[int(draw.integers(4))]
    for before, after in (("rzn", "zrn"), ("rzn", "znr"), ("nrz", "zrn"), ("znr", "rzn")):
        judge_conversion(hw, draw, convention(before, reset, update), convention(after, reset, update))


@check("4.5", 3)
def another_sign(hw, draw):
    for reset in ("after", "before"):
        for update in ("keep", "renew"):
            judge_conversion(hw, draw, convention("rzn", reset, update), convention("rzn", reset, OTHER[update]))


@check("4.5", 2)
def another_order_and_sign(hw, draw):
    for before, after in (("zrn", "rzn"), ("rzn", "nrz"), ("nzr", "znr")):
        judge_conversion(hw, draw, convention(before, "before", "renew"), convention(after, "before", "keep"))


@check("4.5", 2)
def where_there_are_no_such_weights(hw, draw):
    weights = dict(zip(GRU[2:], drawn(draw, gates=3, cells=False)[2:]))
    for update, other in (("keep", "keep"), ("keep", "renew")):
        for reset in ("after", "before"):
            conventions = convention("rzn", reset, update), convention("rzn", OTHER[reset], other)
            why = "in the one each row of V_n is scaled by r, in the other each column"
            what = f"what convert raises, from reset {reset!r} to {OTHER[reset]!r}"
            raises("ValueError", what, hw.convert, weights, *conventions, because=why)


@check("4.5", 1)
def the_weights_stay_as_they_are(hw, draw):
    weights = dict(zip(GRU[2:], drawn(draw, gates=3, cells=False)[2:]))
    arguments = weights, convention("rzn"), convention("zrn", update="renew")
    got = hw.convert(*arguments)
    same(
        isinstance(got, dict) and got.keys() == weights.keys(),
        True,
        f"convert returns a dict with {', '.join(weights)}",
    )
    for name, weight in weights.items():
        kept = np.shape(got[name]) == weight.shape and np.array_equal(got[name], weight)
        same(kept, False, f"{name} is the same in both conventions")
    unchanged(hw, "convert", ("weights", "source", "target"), *arguments)
