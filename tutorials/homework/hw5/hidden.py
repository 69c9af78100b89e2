"""The checks that decide: networks, flows and sequences are drawn when it is graded."""

import json

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import optim, tasks
from tinygrad_rnn.errors import TinygradError
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.homework import check, close, same
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.nn import Recurrent
from tinygrad_rnn.train import SequenceModel, fit, measure


def slope_of(unit, h):
    """Return the derivative of a unit, told from its state."""
    return 1 - h**2 if unit == "tanh" else h * (1 - h)


def network(draw, kind):
    """Return W, the states (T, B, H), the unit and the measured horizon of a drawn network; None if that is not 8 to 24."""
    unit = "logistic" if kind == "logistic" else "tanh"
    steps, batch, hidden, width = 60, int(draw.integers(8, 14)), int(draw.integers(80, 121)), int(draw.integers(2, 5))
    gains, sizes = {
        "tanh, small inputs": ((0.6, 0.85), (0.1, 0.5)),
        "tanh, large inputs": ((1.1, 1.9), (1.5, 3.0)),
        "logistic": ((2.6, 3.8), (0.3, 1.5)),
    }[kind]
    made = int(draw.integers(0, 3))
    if made == 0:
        W = np.linalg.qr(draw.standard_normal((hidden, hidden)))[0]
    elif made == 1:
        W = draw.standard_normal((hidden, hidden)) / np.sqrt(hidden)
    else:
        W = draw.uniform(-1, 1, (hidden, hidden)) * np.sqrt(3 / hidden)
    W = W * draw.uniform(*gains)
    U = draw.standard_normal((width, hidden)) * draw.uniform(*sizes) / np.sqrt(width)
    h, states = 0.5 * draw.standard_normal((batch, hidden)), []
    for x in draw.standard_normal((steps, batch, width)):
        a = x @ U + h @ W.T
        h = np.tanh(a) if unit == "tanh" else 1 / (1 + np.exp(-a))
        states.append(h)
    g, sizes = np.tile(draw.standard_normal(hidden), (batch, 1)), []
    for h in reversed(states):
        sizes.append(np.sqrt((g**2).sum(axis=1).mean()))
        g = (g * slope_of(unit, h)) @ W
    gone = np.flatnonzero(np.array(sizes) < 0.01 * sizes[0])
    return (W, np.array(states), unit, int(gone[0])) if len(gone) and 8 <= gone[0] <= 24 else None


def judge_predictions(hw, draw, kind, count, enough):
    """Compare predicted and measured horizons of so many networks; enough of them have to be within a quarter."""
    made = []
    while len(made) < count:
        if found := network(draw, kind):
            made.append(found)
    got = [number(hw.predicted_horizon(W, states, unit)) for W, states, unit, _ in made]
    measured = [horizon for *_, horizon in made]
    hits = sum(abs(one - other) <= 0.25 * other for one, other in zip(got, measured))
    if hits >= enough:
        return
    told = "\n    measured:  " + " ".join(f"{each:5.0f}" for each in measured)
    told += "\n    predicted: " + " ".join(f"{each:5.1f}" for each in got)
    near = {words: np.abs(np.arctan(got) - np.arctan(each)).sum() for words, each in slipped_predictions(made).items()}
    words = min(near, key=near.get)
    if words and np.allclose(got, slipped_predictions(made)[words], atol=1.0):
        told += f"\n    this is what comes of: {words}"
    raise CheckFailedError(f"{hits} of {count} networks are within a quarter, and {enough} have to be{told}")


def slipped_predictions(made):
    """Return the right predictions of networks, called "", and those of well-known mistakes by what they are."""
    found = {}
    for W, states, unit, _ in made:
        values, slopes = np.linalg.svd(W, compute_uv=False), slope_of(unit, states)
        stretch, slope = (np.sqrt((each**2).mean()) for each in (values, slopes))
        typical = ", which bounds what W does and is not typical of it"
        for words, factor in {
            "": stretch * slope,
            f"the largest singular value{typical}": values[0] * (1.0 if unit == "tanh" else 0.25),
            f"the largest singular value{typical}, times the mean slope": values[0] * slopes.mean(),
            f"the largest singular value{typical}, times the root mean square of the slopes": values[0] * slope,
            "the mean of the slopes, not their root mean square": stretch * slopes.mean(),
            "the mean of the singular values, not their root mean square": values.mean() * slope,
            "means, not root mean squares": values.mean() * slopes.mean(),
        }.items():
            found.setdefault(words, []).append(steps_to_1_percent(factor))
    return found


def steps_to_1_percent(factor):
    return np.log(0.01) / np.log(factor) if factor < 1 else np.inf


def number(got):
    same(np.shape(got), (), "the shape of what is returned, which is one number")
    return float(got)


def trained(hw, draw):
    """Train a student's model here, on sequences that are drawn, and judge it; nothing is asked of it but its weights.

    One that has nearly learned the bit is trained once more, from another seed: a right one can have bad luck.
    """
    seeds = [int(draw.integers(1, 2**31)) for _ in range(2)]
    made = [(*untrained(hw, seed), seed) for seed in seeds]  # both now: to train takes longer than an answer may
    for model, settings, seed in made:
        share, told = learned(model, settings, seed)
        if share >= 0.99:
            return
        if share < 0.9:
            break
    raise CheckFailedError(told)


def learned(model, settings, seed):
    """Return the share of right answers after training, and what to say of it."""
    task = tasks.FirstBitTask(steps=50)
    same(right(model, task, seed) < 0.9, True, "it does not know the bit before its first update")
    optimizer = made_optimizer(model, settings)
    left = measure(model.converted("float64"), task, 16, seed).report.horizon
    recent, updates = [], 0
    try:
        for update in fit(model, task, optimizer, updates=500, batch=32, seed=seed):
            recent, updates = [*recent[-19:], update.loss], updates + 1
            if max(recent) < 0.02 and (share := right(model, task, seed)) >= 0.99:
                return share, ""
    except TinygradError as error:
        raise CheckFailedError(f"training: {error}") from error
    share, arrived = right(model, task, seed), f"after {left.steps} steps back" if left.steps else "nowhere"
    return share, (
        f"after {updates} updates it is right on {share:.0%} of new sequences, and 99% are asked for (to guess is 50%)"
        f"\n    before training, less than 1% of its gradient was left {arrived}; the bit is 49 steps back"
    )


def untrained(hw, seed):
    """Return a model like that of a student, made here of its settings and weights, and how to train it."""
    made = hw.mended(seed)
    pair = type(made) in (list, tuple) and len(made) == 2 and type(made[1]) is dict
    same(pair, True, "whether mended(seed) returns a model and a dict of settings")
    config = made[0].config()
    sizes = {"input_size": 2, "hidden_size": 32, "output_size": 2, "num_layers": 1}
    same({name: config.get(name) for name in sizes}, sizes, "the sizes of the model")
    weights = made[0].state_dict()
    try:
        state = {name: tg.tensor(np.asarray(weights[name].detach().numpy())) for name in SequenceModel.shapes(config)}
        tg.manual_seed(seed)
        return SequenceModel.restored(config, state), made[1]
    except TinygradError as error:
        raise CheckFailedError(f"the model: {error}") from error


def made_optimizer(model, settings):
    kinds = {kind.__name__: kind for kind in (optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW)}
    name = settings.get("optimizer")
    same(name in kinds, True, f"whether the optimizer is one of {', '.join(kinds)}")
    try:
        return kinds[name](model.parameters(), **{key: value for key, value in settings.items() if key != "optimizer"})
    except TinygradError as error:
        raise CheckFailedError(f"the optimizer: {error}") from error


def right(model, task, seed):
    """Return the share of right answers to 1,000 new sequences."""
    batch = task.batch(1000, (seed, 10**6), model.dtype)
    with tg.no_grad():
        return float(1 - task.scores(model.outputs(batch.to("cpu")), batch)["wrong"].mean())


def lengths(draw, count):
    """Return so many different lengths."""
    return [int(length) for length in draw.permutation([2, 3, 4, 5, 6])[:count]]


# ---- 5.1


@check("5.1", 5, each=("tanh, small inputs", "tanh, large inputs", "logistic"))
def eight_of_ten_networks(hw, draw, kind):
    judge_predictions(hw, draw, kind, 10, 8)


@check("5.1", 2.5, each=("shrinks", "does not"))
def an_orthogonal_network(hw, draw, case):
    steps, batch, hidden = lengths(draw, 3)
    turn = np.linalg.qr(draw.standard_normal((hidden, hidden)))[0]
    for unit, slope, h in (("tanh", 1.0, 0.0), ("logistic", 0.25, 0.5)):
        factor = draw.uniform(0.6, 0.85) if case == "shrinks" else draw.uniform(1.05, 1.5)
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
    same(hw.changed_by(hw.jacobian, W, states[1]), [], "which arguments (W 0, h 1) jacobian changes")


@check("5.2", 2, each=("no step", "some steps", "all steps"))
def a_product(hw, draw, case):
    batch, hidden = lengths(draw, 2)
    steps = int(draw.integers(7, 10))
    lag = {"no step": 0, "some steps": int(draw.integers(2, steps - 2)), "all steps": steps - 1}[case]
    W = draw.standard_normal((hidden, hidden))
    into, states = tanh_states(draw, W, steps, batch)
    expected = by_differences(W, into[steps - lag :], states[steps - 1 - lag])
    close(hw.product(W, states, lag), expected, f"product for lag {lag} of {steps} steps", rtol=1e-5, atol=1e-7)


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
    got = hw.singular_values(J, precision)
    real = "singular values are real; eigenvalues need not be"
    same(
        isinstance(got, np.ndarray) and np.iscomplexobj(got),
        False,
        "whether there are complex numbers among the singular values",
        real,
    )
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
        return
    for number in range(6):
        W = draw.standard_normal((hidden, hidden)) / np.sqrt(hidden)
        if number % 2:  # W @ W is 0, but slopes lie between one W and the next
            a, b = draw.standard_normal((2, hidden))
            W = np.outer(a, b - a * (a @ b) / (a @ a))
        _, states = tanh_states(draw, W, 5, batch, 0.02 if number < 2 else 0.5)
        for lag in (1, 3):
            largest = exact_product(W, states, lag)
            bound = float(hw.bound(W, lag))
            if not bound >= largest * (1 - 1e-9):
                raise CheckFailedError(
                    f"bound for lag {lag} is {bound:.4g}, but a singular value of {largest:.4g} occurs"
                )


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


@check("5.3", 1.5)
def a_loss_at_every_step(hw, draw):
    for cell in ("lstm", "gru"):
        _, flow = drawn_flow(draw, cell, every=True)
        same(hw.reach(flow, 0.01), None, f"reach of a {cell} with a loss at every step")


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
        suspects = {"the sum over the examples": right * x.shape[1], "the square without its 2": right / 2}
        close(hw.pulls(u, v, x, y), right, "pulls", rtol=1e-5, atol=1e-6, suspects=suspects)


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


@check("5.5", 7, each=("first", "second", "third"))
def it_learns_what_is_drawn(hw, draw, which):
    trained(hw, draw)
