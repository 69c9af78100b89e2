"""The checks that a student sees: small numbers, computed by hand, a few networks, and one training."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import optim, tasks
from tinygrad_rnn.errors import TinygradError
from tinygrad_rnn.homework import check, close, same
from tinygrad_rnn.homework.checks import CheckFailedError
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
    slips = slipped_predictions(made)
    near = {words: np.abs(np.arctan(got) - np.arctan(each)).sum() for words, each in slips.items()}
    words = min(near, key=near.get)
    if words and np.isfinite(got).any() and np.allclose(got, slips[words], atol=1.0):
        told += f"\n    this is what comes of: {words}"
    raise CheckFailedError(f"{hits} of {count} networks are within a quarter, and {enough} have to be{told}")


def slipped_predictions(made):
    """Return the right predictions of networks, called "", and those of well-known mistakes by what they are."""
    found = {}
    for W, states, unit, _ in made:
        values, slopes = np.linalg.svd(W, compute_uv=False), slope_of(unit, states)
        stretch, slope = (np.sqrt((each**2).mean()) for each in (values, slopes))
        sizes = np.abs(np.linalg.eigvals(W))
        typical = ", which bounds what W does and is not typical of it"
        for words, factor in {
            "": stretch * slope,
            f"the largest singular value{typical}": values[0] * (1.0 if unit == "tanh" else 0.25),
            f"the largest singular value{typical}, times the mean slope": values[0] * slopes.mean(),
            f"the largest singular value{typical}, times the root mean square of the slopes": values[0] * slope,
            "the mean of the slopes, not their root mean square": stretch * slopes.mean(),
            "the mean of the singular values, not their root mean square": values.mean() * slope,
            "the slopes are missing": stretch,
            "means, not root mean squares": values.mean() * slopes.mean(),
            "eigenvalues: a vector is stretched by singular values": np.sqrt((sizes**2).mean()) * slope,
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
    if type(made) not in (list, tuple) or len(made) != 2 or type(made[1]) is not dict:
        raise CheckFailedError(f"mended(seed) returns a model and a dict of settings; it was {repr(made)[:100]}")
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
    if name not in kinds:
        raise CheckFailedError(f"optimizer is {name!r}; it has to be one of {', '.join(kinds)}")
    try:
        return kinds[name](model.parameters(), **{key: value for key, value in settings.items() if key != "optimizer"})
    except (TinygradError, TypeError) as error:
        raise CheckFailedError(f"the optimizer: {error}") from error


def right(model, task, seed):
    """Return the share of right answers to 1,000 new sequences."""
    batch = task.batch(1000, (seed, 10**6), model.dtype)
    with tg.no_grad():
        return float(1 - task.scores(model.outputs(batch.to("cpu")), batch)["wrong"].mean())


# ---- 5.1


@check("5.1", 4, each=("tanh", "logistic"))
def all_units_alike(hw, draw, unit):
    stretch, h = (0.8, 0.0) if unit == "tanh" else (3.2, 0.5)  # 0.8 a step
    got = number(hw.predicted_horizon(stretch * np.eye(3), np.full((5, 2, 3), h), unit))
    slope = "1" if unit == "tanh" else "1/4"
    suspects = {f"a factor of 1 or more a step; W stretches by {stretch:g}, and the slope is {slope}": np.inf}
    what = f"steps until 1% is left, for W = {stretch:g} I and all states {h:g}, {unit}"
    close(got, np.log(0.01) / np.log(0.8), what, atol=1.0, suspects=suspects)


@check("5.1", 4, each=("tanh, small inputs", "tanh, large inputs", "logistic"))
def four_of_five_networks(hw, draw, kind):
    judge_predictions(hw, draw, kind, 5, 4)


# ---- 5.2

TURN = np.array([[0.0, 2.0], [-1.0, 0.0]])


@check("5.2", 4)
def one_small_jacobian(hw, draw):
    W, h = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.5, 0.0], [0.0, 0.5]])
    first = [[0.75, 1.5], [3.0, 4.0]]
    suspects = {
        "W transposed": [[[0.75, 2.25], [2.0, 4.0]], [[1.0, 3.0], [1.5, 3.0]]],
        "the slope of the unit that is read, not of the one that reads": [
            [[0.75, 2.0], [2.25, 4.0]],
            [[1.0, 1.5], [3.0, 3.0]],
        ],
        "h for the slope of tanh": [[[0.5, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.5, 2.0]]],
        "the slope left out": [[[1.0, 2.0], [3.0, 4.0]]] * 2,
        "(1 - h)^2 for 1 - h^2": [[[0.25, 0.5], [3.0, 4.0]], [[1.0, 2.0], [0.75, 1.0]]],
        "1 - tanh(h)^2 for 1 - h^2: h is the state, after tanh": [
            [[0.7864477, 1.5728955], [3.0, 4.0]],
            [[1.0, 2.0], [2.3593432, 3.1457909]],
        ],
        "the first example for all of them": [first, first],
    }
    right = [first, [[1.0, 2.0], [2.25, 3.0]]]
    close(hw.jacobian(W, h), right, "jacobian for h = (0.5, 0) and (0, 0.5)", suspects=suspects)


@check("5.2", 2, each=(0, 1, 2))
def a_small_product(hw, draw, lag):
    states = np.array([[[0.9, 0.9], [0.0, 0.0]], [[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.5], [0.0, 0.0]]])
    one, two, three = [[0.0, 2.0], [-0.75, 0.0]], [[-2.0, 0.0], [0.0, -1.125]], [[0.0, -0.76], [0.21375, 0.0]]
    # The second example's states are 0: one step is a TURN, two are -2, three -2 times a TURN.
    right = {0: [np.eye(2), np.eye(2)], 1: [one, TURN], 2: [two, -2 * np.eye(2)]}
    longest = [three, -2 * TURN]
    suspects = {
        "the oldest Jacobian on the left": [[[-1.125, 0.0], [0.0, -2.0]], -2 * np.eye(2)],
        "the first steps in place of the last, or one step too early": [[[0.0, 1.5], [-1.0, 0.0]], TURN],
        "one Jacobian too many": {**right, 3: longest}[lag + 1],
        "states[-0:], which is all of them": longest,
        "a product element by element": np.zeros((2, 2, 2)),
        "the first example for all of them": [right[lag][0]] * 2,
    }
    close(hw.product(TURN, states, lag), right[lag], f"product for lag {lag}", suspects=suspects)


def no_complex(got):
    what, why = "complex numbers among the singular values", "singular values are real; eigenvalues need not be"
    same(isinstance(got, np.ndarray) and np.iscomplexobj(got), False, f"whether there are {what}", why)


@check("5.2", 5)
def small_singular_values(hw, draw):
    got = hw.singular_values(np.array([[[0.0, 2000.0], [-1.0, 0.0]], [[1e-4, 0.0], [0.0, 2e-4]]]), 1e-3)
    small = [2e-4, 1e-4]
    suspects = {
        "what is below the precision is kept": [[2000.0, 1.0], small],
        "what is below the precision itself is nan, not what is below that part of the largest": [
            [2000.0, 1.0],
            [-1, -1],
        ],
        "the largest of all examples, not of each": [[2000.0, -1.0], [-1.0, -1.0]],
        "the sizes of the eigenvalues": [[2000**0.5, 2000**0.5], small],
        "the smallest first": [[-1.0, 2000.0], small[::-1]],
        "their squares, the eigenvalues of J.T @ J": [[4e6, -1.0], [4e-8, 1e-8]],
        "0 where nan is asked for": [[2000.0, 0.0], small],
    }
    no_complex(got)
    shown = np.where(np.isnan(np.asarray(got, dtype=float)), -1, got) if np.shape(got) == (2, 2) else got
    close(shown, [[2000.0, -1.0], small], "singular_values (with -1 for nan)", suspects=suspects)


@check("5.2", 5)
def a_small_bound(hw, draw):
    suspects = {"eigenvalues": 6.0**1.5, "the Frobenius norm": 13.0**1.5, "the lag left out": 3.0}
    suspects |= {"the norm of W to the power of the lag: slopes lie between one W and the next": 20.5241742}
    suspects |= {"sums of rows or of columns": 64.0, "the largest entry": 8.0, "the typical stretch": 6.5**1.5}
    close(hw.bound(np.array([[2.0, 2.0], [-1.0, 2.0]]), 3), 27.0, "bound for W = [[2, 2], [-1, 2]], whose singular values "
          "are 3 and 2, and lag 3", suspects=suspects)  # fmt: skip


# ---- 5.3


def small_flow(verdict="vanishes"):
    """Return a flow.json of a few numbers, as far as it is asked for."""
    h = {"lag": 3, "shares": {"i": 0.1, "f": 0.0, "g": 0.8, "o": 0.1}, "gate": None, "gate_units": None}
    c = {"lag": 5, "shares": {"f": -0.02, "c": 0.9, "g": 0.1}, "gate": "f", "gate_units": [0.5, 0.9]}
    about = {
        "h": h | {"left": 0.002, "gate_mean": None, "gate_alone": None, "carriers": [0, 1]},
        "c": c | {"left": 0.003, "gate_mean": 0.75, "gate_alone": 0.4, "carriers": [1, 0]},
    }
    gates = {name: {"mean": mean, "units": [mean, mean]} for name, mean in (("i", 0.5), ("f", 0.75), ("o", 0.5))}
    return {
        "verdict": verdict,
        "states": {"h": [0.0, 0.0, 0.004, 0.05, 0.3, 2.0], "c": [0.009, 0.09, 0.3, 0.6, 1.5, 3.0]},
        "horizon": {"threshold": 0.01, "state": "c", "steps": 5},
        "layers": [{"why": {"states": about, "gates": gates}}],
    }


def judge_reach(hw, flow, threshold, right, slips, what):
    """Compare what `reach` says; slips are the answers of well-known mistakes, by what they are."""
    got = hw.reach(flow, threshold)
    got = list(got) if type(got) is tuple else got
    found = [words for words, answers in slips.items() if got in answers]
    same(
        got, right, f"reach for the threshold {threshold}{what}", f"this is what comes of: {found[0]}" if found else ""
    )


@check("5.3", 1, each=(0.01, 0.04, 0.001))
def how_far_a_flow_reaches(hw, draw, threshold):
    right = {0.01: ["c", 5], 0.04: ["c", 4], 0.001: ["c", None]}[threshold]
    slips = {"the list is read from the first step on; lag 0 is the last step": [["h", None]]}
    if right[1]:
        slips |= {
            "one lag too many": [["c", right[1] + 1]],
            "the last lag that is above, or a count from 0 that begins one late": [["c", right[1] - 1]],
            "the kind of state that reaches least": [["h", 3]],
        }
    judge_reach(hw, small_flow(), threshold, right, slips, "")


@check("5.3", 1)
def it_may_be_h(hw, draw):
    flow = small_flow()
    flow["states"] = {"h": flow["states"]["c"], "c": flow["states"]["h"]}
    slips = {"c is taken to reach furthest, whatever its sizes are": [["c", 3]]}
    judge_reach(hw, flow, 0.01, ["h", 5], slips, ", where h has the sizes that c had before")


@check("5.3", 1)
def sizes_that_rise(hw, draw):
    sizes = [0.001, 0.5, 0.005, 0.03, 4.0, 1.0]  # the last step last
    slips = {
        "a part of the largest size, not of that at the last step": [["h", 2]],
        "all lags that are not below are counted; asked for is the first one below": [["h", 4]],
        "the last lag below, not the first": [["h", 5]],
        "the list is read from the first step on; lag 0 is the last step": [["h", None]],
    }
    judge_reach(hw, small_flow() | {"states": {"h": sizes}}, 0.01, ["h", 3], slips, f", sizes {sizes}")


@check("5.3", 1)
def sizes_that_do_not_tell(hw, draw):
    same(hw.reach(small_flow("withheld"), 0.01), None, "reach where the verdict is withheld")


@check("5.3", 3)
def the_way_of_a_small_flow(hw, draw):
    got = hw.path(small_flow())
    because = "that is the largest share of what arrives at c; f is a gate, and its mean of 0.75 is no share"
    same(list(got) if type(got) is tuple else got, ["c", 0.9], "path", because)


@check("5.3", 6)
def the_unit_of_a_small_flow(hw, draw):
    got = hw.carrier(small_flow())
    e = np.array([0.5, 0.9]) ** (2 * 5)
    right = [1, e.sum() ** 2 / (e @ e), np.sqrt(e.mean())]
    suspects = {
        "e is not a square": [1, 1.10558, 0.55756],
        "the lag is left out": [1, 1.56360, 0.72801],
        "the mean of the gate to the power of the lag": [*right[:2], 0.75**5],
        "the sum of e, not its mean": [*right[:2], np.sqrt(e.sum())],
        "the means of the gate's units in place of gate_units": [0, 2.0, 0.75**5],
    }
    close(got, right, "carrier, for gates of 0.5 and 0.9 and lag 5", atol=1e-4, suspects=suspects)


# ---- 5.4


#: Three steps of two examples, and what is asked for.
STEPS, ASKED = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 0.0]]), np.array([1.0, 2.0])


@check("5.4", 5)
def three_steps_pull(hw, draw):
    suspects = {
        "the sum over the examples": [-8.0, 24.0, 16.0],
        "divided by the steps, not by the examples": [-8 / 3, 8.0, 16 / 3],
        "s_t, the sum up to each step, for s_T": [-8.0, 8.0, 8.0],
        "each step by itself: x_t for s_T": [-8.0, 8.0, 0.0],
        "the square without its 2": [-2.0, 6.0, 4.0],
        "v left out": [-1.0, 3.0, 2.0],
        "the sign turned round": [4.0, -12.0, -8.0],
        "the steps added up": 16.0,
        "the mean over the steps, not over the examples": [32 / 3, 0.0],
    }
    got = hw.pulls(0.125, 4.0, STEPS, ASKED)
    close(got, [-4.0, 12.0, 8.0], "pulls of three steps, two examples, u = 1/8, v = 4", suspects=suspects)
    same(hw.changed_by(hw.pulls, 0.125, 4.0, STEPS, ASKED), [], "which arguments (u 0, v 1, x 2, y 3) pulls changes")


def judge_settle(hw, x, y, right, suspects, what):
    u, v = hw.settle(x, y, 0.3, -0.4)
    told = f"u v for {what}"
    if not np.isfinite(u * v):
        raise CheckFailedError(
            f"{told}: expected {right:g}, got {u * v:g}; where sums s_T are large, steps have to be small"
        )
    close(u * v, right, told, rtol=0.02, suspects={**suspects, "where it began": -0.12})


@check("5.4", 1.5)
def numbers_settle(hw, draw):
    suspects = {"1/T, whatever the numbers are": 1 / 3, "x_1 for s_T": 1.5, "the steps each by themselves": 0.375}
    judge_settle(hw, STEPS, ASKED, 0.25, suspects, "x = [[1, 1], [1, -1], [2, 0]], y = [1, 2]")


@check("5.4", 1.5)
def many_steps_settle(hw, draw):
    x = np.array([[1.0, 1.0], [1.0, -1.0]] * 10)
    judge_settle(
        hw, x, np.array([5.0, 1.0]), 0.25, {"1/T, whatever the numbers are": 0.05}, "20 steps whose sums are 20 and 0"
    )


@check("5.4", 2)
def two_steps_settle(hw, draw):
    suspects = {"only the step that is asked for": 1.0}
    x = np.array([[1.0, 1.0], [1.0, -1.0]])
    judge_settle(hw, x, x[0], 0.5, suspects, "two steps of which one is asked for")


# ---- 5.5


@check("5.5", 25, times=3)
def it_learns(hw, draw):
    trained(hw, draw)
