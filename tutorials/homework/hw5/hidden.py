"""The checks that decide: networks, flows and sequences are drawn when it is graded."""

import json

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.homework import check, close, same
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.nn import Recurrent

from public import judge_predictions, no_complex, number, slope_of, trained, untrained


def lengths(draw, count):
    """Return so many different lengths."""
    return [int(length) for length in draw.permutation([2, 3, 4, 5, 6])[:count]]


# ---- 5.1


def unchanged(hw, name, *arguments):
    """Say what is wrong if a function changes the arrays that it is given."""
    same(hw.changed_by(getattr(hw, name), *arguments), [], f"which of its arguments, counted from 0, {name} changes")


@check("5.1", 5, each=("tanh, small inputs", "tanh, large inputs", "logistic"))
def eight_of_ten_networks(hw, draw, kind):
    judge_predictions(hw, draw, kind, 10, 8)


@check("5.1", 2.5, each=("shrinks", "does not"))
def an_orthogonal_network(hw, draw, case):
    steps, batch, hidden = lengths(draw, 3)
    turn = np.linalg.qr(draw.standard_normal((hidden, hidden)))[0]
    for unit, slope, h in (("tanh", 1.0, 0.0), ("logistic", 0.25, 0.5)):
        shrinks, grows = draw.uniform(0.6, 0.85), draw.uniform(1.05, 1.5)
        for factor in [shrinks] if case == "shrinks" else [grows, shrinks]:  # always to answer math.inf is no answer
            unchanged(hw, "predicted_horizon", factor / slope * turn, np.full((steps, batch, hidden), h), unit)
            got = number(hw.predicted_horizon(factor / slope * turn, np.full((steps, batch, hidden), h), unit))
            expected = np.log(0.01) / np.log(factor) if factor < 1 else np.inf
            what = f"steps until 1% is left where each step leaves {factor:.2f} ({unit})"
            if factor > 1:
                same(got, np.inf, what, "where nothing shrinks the answer is math.inf")
            else:
                close(got, expected, what, atol=1.0)


# ---- 5.2


def tanh_states(draw, W, steps, batch, size=0.5):
    """Return the inputs, already multiplied by U, and the states of a tanh network."""
    into = size * draw.standard_normal((steps, batch, len(W)))
    h, states = size * draw.standard_normal((batch, len(W))), []
    for a in into:
        h = np.tanh(a + h @ W.T)
        states.append(h)
    return into, np.array(states)


def by_differences(W, into, h, step=1e-6):
    """Return the derivative of the last state by h, (B, H, H), by central differences."""

    def last(h):
        for a in into:
            h = np.tanh(a + h @ W.T)
        return h

    columns = [(last(h + step * axis) - last(h - step * axis)) / (2 * step) for axis in np.eye(len(W))]
    return np.stack(columns, axis=2)


@check("5.2", 4)
def one_jacobian(hw, draw):
    steps, batch, hidden = 2, *lengths(draw, 2)
    W = draw.standard_normal((hidden, hidden))
    into, states = tanh_states(draw, W, steps, batch)
    close(hw.jacobian(W, states[1]), by_differences(W, into[1:], states[0]), "jacobian", rtol=1e-5, atol=1e-7)
    unchanged(hw, "jacobian", W, states[1])


@check("5.2", 2, each=("no step", "some steps", "all steps"))
def a_product(hw, draw, case):
    batch, hidden = lengths(draw, 2)
    steps = int(draw.integers(7, 10))
    lag = {"no step": 0, "some steps": int(draw.integers(2, steps - 2)), "all steps": steps - 1}[case]
    W = draw.standard_normal((hidden, hidden))
    into, states = tanh_states(draw, W, steps, batch)
    expected = by_differences(W, into[steps - lag :], states[steps - 1 - lag])
    close(hw.product(W, states, lag), expected, f"product for lag {lag} of {steps} steps", rtol=1e-5, atol=1e-7)
    unchanged(hw, "product", W, states, lag)


def alike(got, values):
    """Return whether these are values of which some were made nan, in any order."""
    found = [[np.isclose(values[row], each, rtol=1e-6).any() for each in got[row]] for row in range(len(got))]
    return bool((np.isnan(got) | found).all()) and not np.isnan(got).all()


@check("5.2", 2.5, each=("all there", "some are rounding"))
def spectra(hw, draw, case):
    batch, hidden = lengths(draw, 2)
    precision = 10.0 ** draw.integers(-12, -5)
    scales = 10.0 ** draw.permutation(np.linspace(-8, 8, batch))[:, None]
    values = np.sort(draw.uniform(0.2, 1, (batch, hidden)), axis=1)[:, ::-1] * scales
    if case == "some are rounding":
        values[:, 1:] *= np.where(draw.random((batch, hidden - 1)) < 0.5, 1e-3 * precision, 1.0)
        values[0, -1] = values[0, 0] * 1e-3 * precision
        values = np.sort(values, axis=1)[:, ::-1]
    sides = [np.linalg.qr(draw.standard_normal((batch, hidden, hidden)))[0] for _ in range(2)]
    J = sides[0] * values[:, None, :] @ sides[1]
    unchanged(hw, "singular_values", J, precision)
    got = hw.singular_values(J, precision)
    no_complex(got)
    got = np.asarray(got, dtype=float)
    same(got.shape, values.shape, "the shape of the singular values")
    slips = {"the sizes of the eigenvalues": np.abs(np.linalg.eigvals(J)), "the real parts of the eigenvalues":
             np.linalg.eigvals(J).real, "their squares, the eigenvalues of J.T @ J": values**2}  # fmt: skip
    because = "".join(f"this is what comes of: {words}" for words, slip in slips.items() if alike(got, slip))
    rounding = values < precision * values[:, :1]
    same(np.isnan(got).tolist(), rounding.tolist(), "which singular values are nan", because)
    if (np.diff(np.nan_to_num(got)) <= 0).all():
        slips = {words: np.sort(slip)[:, ::-1] for words, slip in slips.items()}
    suspects = {words: (slip / scales)[~rounding] for words, slip in slips.items()}
    close((got / scales)[~rounding], (values / scales)[~rounding], "the singular values that are not nan", rtol=1e-4,
          suspects=suspects)  # fmt: skip


@check("5.2", 2.5, each=("holds", "is reached"))
def bounds(hw, draw, case):
    hidden, batch = int(draw.integers(4, 8)), 3
    if case == "is reached":
        gain, lag = draw.uniform(0.5, 1.5), int(draw.integers(2, 8))
        W = gain * np.linalg.qr(draw.standard_normal((hidden, hidden)))[0]
        close(hw.bound(W, lag), gain**lag, f"bound of {gain:.2f} times an orthogonal W at lag {lag}")
        unchanged(hw, "bound", W, lag)
        return
    for turn in range(6):
        W = draw.standard_normal((hidden, hidden)) / np.sqrt(hidden)
        if turn % 2:  # W @ W is 0, but slopes lie between one W and the next
            a, b = draw.standard_normal((2, hidden))
            W = np.outer(a, b - a * (a @ b) / (a @ a))
        _, states = tanh_states(draw, W, 5, batch, 0.02 if turn < 2 else 0.5)
        for lag in (1, 3):
            largest = exact_product(W, states, lag)
            bound = float(hw.bound(W, lag))
            if not bound >= largest * (1 - 1e-9):
                raise CheckFailedError(
                    f"bound for lag {lag} is {bound:.4g}, but a singular value of {largest:.4g} occurs"
                )
            loosest = (hidden * np.linalg.norm(W, 2)) ** lag  # more than with any usual norm of W
            same(bool(bound <= loosest), True, f"bound for lag {lag}, {bound:.4g}, is made of W: infinity bounds all")


def exact_product(W, states, lag):
    """Return the largest singular value of dh_T / dh_{T-lag} over the examples."""
    sizes = []
    for example in range(states.shape[1]):
        found = np.eye(len(W))
        for back in range(1, lag + 1):
            found = found @ (slope_of("tanh", states[-back, example])[:, None] * W)
        sizes.append(np.linalg.svd(found, compute_uv=False)[0])
    return max(sizes)


# ---- 5.3


def drawn_flow(draw, cell, every=False):
    """Return the report of a drawn network, and its flow.json. One unit of an LSTM keeps what it has, three of a GRU."""
    batch, width = lengths(draw, 2)
    steps, hidden = int(draw.integers(25, 41)), int(draw.integers(8, 17))
    tg.manual_seed(int(draw.integers(2**31)))
    layer = Recurrent(cell, width, hidden, dtype="float64")
    if cell != "rnn":
        bias = layer.bias_ih_l0.numpy().copy()
        bias[hidden : 2 * hidden] = draw.uniform(-1.5, 0.5, hidden)
        open_units = draw.permutation(hidden)[: 1 if cell == "lstm" else 3]
        bias[open_units] = -3.0  # an LSTM takes little in there, so that it does not fill up
        bias[hidden + open_units] = draw.uniform(4, 5, len(open_units))
        layer.bias_ih_l0.assign_(tg.tensor(bias))
    outputs, _ = layer.unroll(tg.tensor(draw.standard_normal((steps, batch, width))))
    read = tg.tensor(draw.standard_normal((hidden, 1)))
    losses = [(output @ read).square().sum(axis=1) for output in outputs]
    report = gradient_flow(sum(losses) if every else losses[-1], statistics=True)
    return report, json.loads(json.dumps(report.to_dict()))


def far(report, threshold):
    """Return each kind of state with how far it reaches, the furthest first."""
    found = [(state.kind, state.horizon(threshold)) for state in report.cell]
    return sorted(found, key=lambda each: np.inf if each[1] is None else each[1], reverse=True)


def telling_flow(draw, cell, thresholds):
    """Return a flow in which no two kinds of states are equally far at any of these thresholds."""
    while True:
        report, flow = drawn_flow(draw, cell)
        if all(len({steps for _, steps in far(report, each)}) == len(report.cell) for each in (0.01, *thresholds)):
            return report, flow


@check("5.3", 1.5, each=("rnn", "gru", "lstm"))
def how_far(hw, draw, cell):
    thresholds = (0.01, float(draw.uniform(0.02, 0.09)), float(draw.uniform(0.3, 0.6)))
    report, flow = telling_flow(draw, cell, thresholds)
    for threshold in thresholds:
        expected = list(far(report, threshold)[0])
        got = hw.reach(flow, threshold)
        got = list(got) if type(got) is tuple else got
        others = [kind for kind, steps in far(report, threshold)[1:] if got == [kind, steps]]
        because = f"{others[0]} is not the kind of state that carries the gradient furthest" if others else ""
        same(got, expected, f"reach of a {cell} for the threshold {threshold:.2g}", because)
    if cell == "rnn":  # what grows first is still compared with the last step
        rises = int(draw.integers(2, 6))
        back = 1.5 ** np.minimum(np.arange(30), rises) * 0.6 ** np.maximum(np.arange(30) - rises, 0)
        grown = flow | {"states": {"h": (draw.uniform(0.1, 10) * back[::-1]).tolist()}}
        same(list(hw.reach(grown, 0.02)), ["h", int(np.argmax(back < 0.02))], "reach where the gradient grows first")
        back[rises + 9 :] = draw.uniform(
            1e-3, 1, len(back) - rises - 9
        )  # it falls below the threshold, and comes again
        dips = flow | {"states": {"h": (draw.uniform(0.1, 10) * back[::-1]).tolist()}}
        why = "how far is the first lag below the threshold, whatever comes after it"
        same(list(hw.reach(dips, 0.2)), ["h", int(np.argmax(back < 0.2))], "reach where the gradient comes again", why)
    if cell == "lstm":
        kinds = [kind for kind, _ in far(report, 0.01)]
        turned = flow | {"states": {kind: flow["states"][other] for kind, other in zip(kinds, kinds[::-1])}}
        expected = [kinds[-1], far(report, 0.01)[0][1]]
        why = "any kind of state may be the one"
        same(list(hw.reach(turned, 0.01)), expected, f"reach where {kinds[-1]} has the sizes of {kinds[0]}", why)


@check("5.3", 1.5)
def a_loss_at_every_step(hw, draw):
    for cell in ("lstm", "gru"):
        _, flow = drawn_flow(draw, cell, every=True)
        same(hw.reach(flow, 0.01), None, f"reach of a {cell} with a loss at every step")
        _, flow = telling_flow(draw, cell, ())
        same(hw.reach(flow, 0.01) is None, False, f"whether reach says nothing of a {cell} with one loss")


@check("5.3", 1, each=("rnn", "gru", "lstm"))
def which_way(hw, draw, cell):
    report, flow = telling_flow(draw, cell, ())
    kind = far(report, 0.01)[0][0]
    ways = {each.kind: max(each.shares, key=lambda share: share[1]) for each in report.causes()}
    (way, share), others = ways.pop(kind), {f"the way to {other}, not to {kind}": told for other, told in ways.items()}
    got = hw.path(flow)
    same(len(got), 2, "how many things path returns")
    because = "; ".join(f"this is {words}" for words, told in others.items() if np.isclose(got[1], told[1]))
    same(got[0], way, f"the way of most of the gradient of a {cell}", because)
    close(got[1], share, f"its share in a {cell}", suspects={words: told[1] for words, told in others.items()})


@check("5.3", 3, each=("gru", "lstm"))
def which_unit(hw, draw, cell):
    report, flow = telling_flow(draw, cell, ())
    kind = far(report, 0.01)[0][0]
    cause = next(each for each in report.causes() if each.kind == kind)
    e = cause.gate_units ** (2 * cause.lag)
    mean = {"the mean of the gate to the power of the lag": cause.gate_mean**cause.lag}
    got = hw.carrier(flow)
    same(len(got), 3, "how many things carrier returns")
    close(got[0], int(np.argmax(e)), f"the unit that carries in a {cell}")
    effective = {"units counted by what the gate lets through in one step": one_step(cause.gate_units)}
    close(got[1], e.sum() ** 2 / (e @ e), f"the effective number of units in a {cell}", suspects=effective)
    close(got[2], np.sqrt(e.sum() / len(e)), f"what is left in a {cell}", suspects=mean)


def one_step(units):
    return (units**2).sum() ** 2 / (units**4).sum()


# ---- 5.4


def balanced(draw):
    """Return bits (T, 64) of which no two steps have anything in common, and those of one step."""
    bits = np.ones((1, 1))
    for _ in range(6):
        bits = np.block([[bits, bits], [bits, -bits]])
    x = draw.permutation(bits[1:])[: int(draw.integers(5, 41))]
    return x, x[int(draw.integers(len(x)))]


def drawn_examples(draw):
    steps, batch = int(draw.integers(5, 16)), int(draw.integers(20, 40))
    x = draw.standard_normal((steps, batch))
    return x, draw.uniform(0.2, 0.8) * x.sum(axis=0) + draw.standard_normal(batch)


@check("5.4", 2.5, each=("bits", "numbers"))
def who_pulls(hw, draw, case):
    x, y = balanced(draw) if case == "bits" else drawn_examples(draw)
    axes = 1e-5 * np.eye(len(x))
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):  # with some of them all slopes are positive
        u, v = draw.uniform(0.3, 1, 2) * signs

        def error(each, v=v):
            return ((v * (each[:, None] * x).sum(axis=0) - y) ** 2).mean()

        right = np.array([error(u + axis) - error(u - axis) for axis in axes]) / 2e-5
        suspects = {"the sum over the examples": right * x.shape[1], "the square without its 2": right / 2,
                    "divided by the steps, not by the examples": right * x.shape[1] / len(x),
                    "s_t, the sum up to each step, for s_T": 2 * v * (x * (v * u * x.cumsum(axis=0) - y)).mean(axis=1)}  # fmt: skip
        close(hw.pulls(u, v, x, y), right, "pulls", rtol=1e-5, atol=1e-6, suspects=suspects)
    unchanged(hw, "pulls", u, v, x, y)


@check("5.4", 2.5, each=("bits", "numbers"))
def where_it_settles(hw, draw, case):
    for _ in range(3):
        x, y = balanced(draw) if case == "bits" else drawn_examples(draw)
        u, v = (float(each) for each in draw.uniform(0.3, 1, 2) * draw.choice([-1, 1], 2))
        s = x.sum(axis=0)
        best = 1 / len(x) if case == "bits" else (y @ s) / (s @ s)
        got = hw.settle(x, y, u, v)
        same(len(got), 2, "how many numbers settle returns")
        suspects = {"only the step that is asked for": 1.0, "where it began": u * v, "1/T": 1 / len(x)}
        close(got[0] * got[1], best, f"u v for {len(x)} steps", rtol=0.02, suspects=suspects)
    unchanged(hw, "settle", x, y, u, v)


# ---- 5.5


@check("5.5", 4)
def it_is_new_for_each_seed(hw, draw):
    seeds = [int(seed) for seed in draw.choice(10**6, 2, replace=False)]
    one, again, other = (
        np.concatenate([value.numpy().ravel() for value in untrained(hw, seed)[0].parameters()])
        for seed in (seeds[0], seeds[0], seeds[1])
    )
    same(bool((one == again).all()), True, "the same seed gives the same weights")
    same(len(one) == len(other) and bool((one == other).all()), False, "another seed gives the same weights")


@check("5.5", 7, each=("first", "second", "third"), times=3)
def it_learns_what_is_drawn(hw, draw, which):
    trained(hw, draw)
