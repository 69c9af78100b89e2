"""The checks that decide: numbers, shapes and directions are drawn when it is graded; slopes are central differences."""

from types import SimpleNamespace

import numpy as np

from tinygrad_rnn.homework import check, close, same

SLOPES = {"rtol": 1e-5, "atol": 1e-7}
FIVE = ("dxs", "dh0", "dU", "dW", "db")


def central(f, x, step=1e-6):
    """Return the gradient of f, which gives one number, by an array: every entry moved to both sides."""
    found = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        found[index] = (f(up) - f(down)) / (2 * step)
    return found


def run(xs, h0, U, W, b):
    """Return the states; U and W may be one array for all steps, or one for each."""
    per_step = np.ndim(W) == 3
    hs, h = [], h0
    for t, x in enumerate(xs):
        h = np.tanh(b + x @ (U[t] if per_step else U) + h @ (W[t] if per_step else W))
        hs.append(h)
    return np.array(hs)


def drawn(draw, steps=None):
    """Return a network and what it reads: T, B, I, H and O are five different lengths, T at least 3."""
    T, B, I, H, O = (int(length) for length in draw.permutation([2, 3, 4, 5, 6]))
    if T == 2:
        T, B = B, T
    T = steps or T
    normal = draw.standard_normal
    p = SimpleNamespace(
        T=T, B=B, I=I, H=H, O=O, xs=normal((T, B, I)), h0=0.5 * normal((B, H)), U=normal((I, H)) / np.sqrt(I),
        W=normal((H, H)) / np.sqrt(H), b=0.3 * normal(H), V=normal((H, O)), c=normal(O),
        dhs=normal((T, B, H)), dys=normal((T, B, O)),
    )  # fmt: skip
    p.hs = run(p.xs, p.h0, p.U, p.W, p.b)
    return p


def untouched(hw, function, what, **arrays):
    """Check that a function changes none of the arrays that it is given."""
    names = list(arrays)
    written = [names[place] for place in hw.changed_by(function, *arrays.values())]
    same(written, [], f"arrays that {what} writes into", "they belong to whoever calls it: make new ones")


def answers(function, dh, x, h, after, U, W):
    """Check that what a function returns is about what arrives: twice of it makes twice the gradients, not all of them 0."""
    once, twice = (five(function(each, x, h, after, U, W), "it") for each in (dh, 2 * dh))
    for name, like in zip(FIVE, (x, h, U, W, W[0])):
        close(twice[name], 2 * np.asarray(once[name]), f"{name} of twice the gradient")
        same(np.shape(once[name]), like.shape, f"the shape of {name}")
        same(bool(np.abs(once[name]).max() > 0), True, f"{name} is not 0 everywhere")


def five(got, what):
    same(len(got), 5, f"how many arrays {what} returns")
    return dict(zip(FIVE, got))


# ---- 3.1


@check("3.1", 2, each=("small", "middle", "large"))
def state_after_a_step(hw, draw, case):
    p = drawn(draw)
    x = p.xs[0] * {"small": 0.05, "middle": 1.0, "large": 1e4}[case]
    right = np.tanh(x @ p.U + p.h0 @ p.W + p.b)
    suspects = {
        "the state before is not used": np.tanh(x @ p.U + p.b),
        "b is missing": np.tanh(x @ p.U + p.h0 @ p.W),
        "W is transposed": np.tanh(x @ p.U + p.h0 @ p.W.T + p.b),
        "tanh is missing": x @ p.U + p.h0 @ p.W + p.b,
        "tanh twice": np.tanh(right),
        "the slope of tanh in place of tanh": 1 - right**2,
    }
    close(hw.step(x, p.h0, p.U, p.W, p.b), right, f"step, {case} inputs", suspects=suspects)


@check("3.1", 2)
def two_steps_one_after_the_other(hw, draw):
    p = drawn(draw)
    h = hw.step(p.xs[0], p.h0, p.U, p.W, p.b)
    close(hw.step(p.xs[1], h, p.U, p.W, p.b), p.hs[1], "the state after two steps")
    untouched(hw, hw.step, "step", x=p.xs[0], h=p.h0, U=p.U, W=p.W, b=p.b)


@check("3.1", 2)
def examples_of_a_batch_stay_apart(hw, draw):
    p = drawn(draw)
    together = hw.step(p.xs[0], p.h0, p.U, p.W, p.b)
    one = int(draw.integers(p.B))
    alone = hw.step(p.xs[0, one : one + 1], p.h0[one : one + 1], p.U, p.W, p.b)
    close(alone, p.hs[0, one : one + 1], "step with a batch of one")
    close(together[one], p.hs[0, one], "the same example within a batch")


# ---- 3.2


def slipped_step(p, dh, x, h, after):
    """Return what comes of well-known mistakes in one step back, by what they are."""
    slopes = {
        "(1 - h)**2 for 1 - h**2": (1 - after) ** 2,
        "divided by 1 - h**2, not multiplied": 1 / (1 - after**2),
        "the slope of tanh is missing": np.ones_like(after),
        "1 - h for 1 - h**2": 1 - after,
        "the slope of tanh is taken at the state before the step": 1 - h**2,
        "tanh' is written in h, and what tanh was taken of was put in": 1 - np.arctanh(after) ** 2,
    }
    found = {name: (dh * slope) for name, slope in slopes.items()}
    return {
        what: {name: value for name, da in found.items() if (value := of(da)) is not None}
        for what, of in {
            "dxs": lambda da: da @ p.U.T,
            "dh0": lambda da: da @ p.W.T,
            "dU": lambda da: x.T @ da,
            "dW": lambda da: h.T @ da,
            "db": lambda da: da.sum(axis=0),
        }.items()
    }


@check("3.2", 2, each=FIVE)
def gradient_of_a_step(hw, draw, what):
    p = drawn(draw)
    x, h, after, dh = p.xs[0], p.h0, p.hs[0], p.dhs[0]
    got = five(hw.step_backward(dh, x, h, after, p.U, p.W), "step_backward")

    def loss(**moved):
        q = {"x": x, "h": h, "U": p.U, "W": p.W, "b": p.b} | moved
        return float((dh * np.tanh(q["x"] @ q["U"] + q["h"] @ q["W"] + q["b"])).sum())

    name = {"dxs": "x", "dh0": "h", "dU": "U", "dW": "W", "db": "b"}[what]
    right = central(lambda moved: loss(**{name: moved}), {"x": x, "h": h, "U": p.U, "W": p.W, "b": p.b}[name])
    suspects = slipped_step(p, dh, x, h, after)[what]
    if what in ("dU", "dW", "db"):
        suspects["mean over the batch instead of sum"] = right / p.B
    da = dh * (1 - after**2)
    if what == "dh0":
        suspects |= {
            "W is not transposed": da @ p.W,
            "W is missing": da,
            "a second factor 1 - h**2": da @ p.W.T * (1 - after**2),
        }
    if what == "dW":
        suspects |= {"the state after the step for the one before": after.T @ da, "transposed": right.T}
    close(got[what], right, f"d{name} of one step", suspects=suspects, **SLOPES)


@check("3.2", 2)
def a_batch_adds_up(hw, draw):
    p = drawn(draw)
    whole = five(hw.step_backward(p.dhs[0], p.xs[0], p.h0, p.hs[0], p.U, p.W), "step_backward")
    parts = [
        five(hw.step_backward(p.dhs[0, one], p.xs[0, one], p.h0[one], p.hs[0, one], p.U, p.W), "step_backward")
        for one in (slice(0, 1), slice(1, None))
    ]
    for what in ("dU", "dW", "db"):
        close(whole[what], parts[0][what] + parts[1][what], f"{what} of a batch, and of its two parts together")


@check("3.2", 2)
def what_arrives_is_left_as_it_was(hw, draw):
    p = drawn(draw)
    untouched(
        hw, hw.step_backward, "step_backward",
        dh_next=p.dhs[0], x=p.xs[0], h=p.h0, h_next=p.hs[0], U=p.U, W=p.W,
    )  # fmt: skip
    answers(hw.step_backward, p.dhs[0], p.xs[0], p.h0, p.hs[0], p.U, p.W)


@check("3.2", 1)
def near_one_nothing_passes(hw, draw):
    p = drawn(draw)
    after = np.sign(p.hs[0])
    got = five(hw.step_backward(p.dhs[0], p.xs[0], p.h0, after, p.U, p.W), "step_backward")
    close(got["dh0"], np.zeros((p.B, p.H)), "dh where every unit of h_next is 1 or -1",
          suspects={"(1 - h)**2 for 1 - h**2": (p.dhs[0] * (1 - after) ** 2) @ p.W.T})  # fmt: skip


# ---- 3.3


def by_hand(p, dhs, slip="", steps=None):
    """Return what states_backward gives with a well-known mistake; only the mistakes are taken from here."""
    first = 0 if steps is None else p.T - steps
    found = {"dxs": np.zeros_like(p.xs), "dU": 0.0, "dW": 0.0, "db": 0.0}
    dh = np.zeros_like(p.h0)
    for t in range(p.T - 1, first - 1, -1):
        before, slope = p.hs[t - 1] if t else (0 * p.h0 if slip == "h0" else p.h0), 1 - p.hs[t] ** 2
        arrived = dhs[t] + (0 if slip == "later" else dh)
        if slip == "own":
            arrived = dh if t < p.T - 1 else dhs[t]
        da = slope * arrived
        found["dxs"][t] = da @ p.U.T
        if slip == "=":
            found["dU"], found["dW"], found["db"] = 0.0, 0.0, 0.0
        found["dU"] = found["dU"] + p.xs[t].T @ da
        found["dW"] = found["dW"] + (p.hs[t] if slip == "after" else before).T @ da
        found["db"] = found["db"] + da.sum(axis=0)
        dh = da @ (p.W if slip == "W" else p.W.T) * (slope if slip == "twice" else 1)
    return found | {"dh0": dh}


SLIPS = {
    "later": "what comes back from the step after is not added: each state gets its own dhs[t] only",
    "own": "dhs of the last step only: a state in the middle has a loss of its own, too",
    "=": "= for +=: a weight keeps only what it got at one step",
    "W": "W is not transposed on the way back",
    "twice": "a second factor 1 - h**2 on the way to the step before",
    "after": "dW has the state after the step in place of the one before it",
    "h0": "h0 is taken as 0, or the loop ends before the first step",
}


def suspects_of(p, what):
    return {words: by_hand(p, p.dhs, slip)[what] for slip, words in SLIPS.items()}


@check("3.3", 2, each=("many steps", "one step"))
def all_states(hw, draw, case):
    p = drawn(draw, 1 if case == "one step" else None)
    apart = np.array([run(p.xs[t : t + 1], p.h0, p.U, p.W, p.b)[0] for t in range(p.T)])
    suspects = {
        "h0 is not used": run(p.xs, 0 * p.h0, p.U, p.W, p.b),
        "batch and time are swapped": p.hs.swapaxes(0, 1),
    }
    if case == "many steps":
        suspects["the state is not carried on: every step begins at h0"] = apart
    close(hw.states(p.xs, p.h0, p.U, p.W, p.b), p.hs, f"states, {case}", suspects=suspects)


@check("3.3", 2, each=FIVE)
def gradient_of_a_sequence(hw, draw, what):
    p = drawn(draw)
    got = five(hw.states_backward(p.dhs, p.xs, p.h0, p.hs, p.U, p.W), "states_backward")
    place = {"dxs": 0, "dh0": 1, "dU": 2, "dW": 3, "db": 4}[what]
    given = [p.xs, p.h0, p.U, p.W, p.b]

    def loss(moved):
        return float((p.dhs * run(*given[:place], moved, *given[place + 1 :])).sum())

    right = central(loss, given[place])
    close(got[what], right, f"{what}, loss at every step", suspects=suspects_of(p, what), **SLOPES)


@check("3.3", 1)
def along_a_drawn_direction(hw, draw):
    p = drawn(draw, int(draw.integers(8, 12)))
    got = five(hw.states_backward(p.dhs, p.xs, p.h0, p.hs, p.U, p.W), "states_backward")
    given = [p.xs, p.h0, p.U, p.W, p.b]
    directions = [draw.standard_normal(each.shape) for each in given]
    rise = sum(float((np.asarray(got[what]) * way).sum()) for what, way in zip(FIVE, directions))

    def loss(far):
        return float((p.dhs * run(*(each + far * way for each, way in zip(given, directions)))).sum())

    close(rise, (loss(1e-6) - loss(-1e-6)) / 2e-6, f"the slope along a direction, {p.T} steps", **SLOPES)


@check("3.3", 1)
def one_step_is_one_step_back(hw, draw):
    p = drawn(draw, 1)
    got = five(hw.states_backward(p.dhs, p.xs, p.h0, p.hs, p.U, p.W), "states_backward")
    for what in FIVE:
        close(got[what], by_hand(p, p.dhs)[what], f"{what} of a sequence of one step")


@check("3.3", 2)
def dhs_are_left_as_they_were(hw, draw):
    p = drawn(draw)
    untouched(hw, hw.states_backward, "states_backward", dhs=p.dhs, xs=p.xs, h0=p.h0, hs=p.hs, U=p.U, W=p.W)
    answers(hw.states_backward, p.dhs, p.xs, p.h0, p.hs, p.U, p.W)


@check("3.3", 1)
def the_second_call_gives_the_same(hw, draw):
    p = drawn(draw)
    first, later = (five(hw.states_backward(p.dhs, p.xs, p.h0, p.hs, p.U, p.W), "states_backward") for _ in range(2))
    for what in FIVE:
        suspects = {"what the first call added up was still there": 2 * np.asarray(first[what])}
        close(later[what], first[what], f"{what} of a second call", suspects=suspects)
    answers(hw.states_backward, p.dhs, p.xs, p.h0, p.hs, p.U, p.W)


@check("3.3", 2, each=("dhs", "dV", "dc"))
def gradient_of_the_readout(hw, draw, what):
    p = drawn(draw)
    got = hw.readout_backward(p.dys, p.hs, p.V)
    same(len(got), 3, "how many arrays readout_backward returns")
    place = {"dhs": 0, "dV": 1, "dc": 2}[what]
    given = [p.hs, p.V, p.c]

    def loss(moved):
        hs, V, c = [*given[:place], moved, *given[place + 1 :]]
        return float((p.dys * (hs @ V + c)).sum())

    right = central(loss, given[place])
    last, first = ({"dV": p.hs[t].T @ p.dys[t], "dc": p.dys[t].sum(axis=0)} for t in (-1, 0))
    suspects = {
        "= for +=, or the last step only: V and c are used at every step": last,
        "= for +=: only the first step is left": first,
    }
    suspects = {words: value[what] for words, value in suspects.items() if what in value}
    close(got[place], right, f"{what} of the readout", suspects=suspects, **SLOPES)


# ---- 3.4


def used(p):
    """Return what U, W and V get for their use at each step: by central differences, with a copy for every step."""
    U, W, V = (np.repeat(each[None], p.T, axis=0) for each in (p.U, p.W, p.V))

    def loss(U, W, V):
        return float((p.dys * (run(p.xs, p.h0, U, W, p.b) @ V)).sum())

    return {
        "to_U": central(lambda moved: loss(moved, W, V), U),
        "to_W": central(lambda moved: loss(U, moved, V), W),
        "to_V": central(lambda moved: loss(U, W, moved), V),
    }


def back_from(p, t, dh, factor):
    """Send dh at the state of step t to the step before; `factor` is the slope of tanh."""
    return (dh * factor[t]) @ p.W.T


def slipped_parts(p):
    """Return the parts of dW as well-known mistakes give them, by what they are."""
    factor, own = 1 - p.hs**2, p.dys @ p.V.T
    before = np.concatenate([p.h0[None], p.hs[:-1]])

    def part(k, of_losses, first):
        total = np.zeros_like(p.W)
        for loss in of_losses:
            dh = own[loss]
            for j in range(loss, max(k + first, 0) - 1, -1):
                dh = back_from(p, j, dh, factor)
            total += before[k].T @ (dh * factor[k])
        return total

    steps = range(p.T)
    right = np.array([part(k, range(k, p.T), 1) for k in steps])
    by_loss = np.array([sum(part(k, [loss], 1) for k in range(loss + 1)) for loss in steps])
    return {
        "parted by the step of the loss, not by the step at which W is used": by_loss,
        "the product of the slopes begins at k - 1, not at k + 1": np.array([part(k, range(k, p.T), -1) for k in steps]),
        "the product of the slopes begins at k, not at k + 1": np.array([part(k, range(k, p.T), 0) for k in steps]),
        "only the loss of the same step: what comes back from later ones is missing": np.array([part(k, [k], 1) for k in steps]),
        "the last step comes first": right[::-1],
        "running sums: each step should have its own part": right.cumsum(axis=0),
        "running sums from the end: each step should have its own part": right[::-1].cumsum(axis=0)[::-1],
        "every step gets the same part of the whole": np.repeat(right.mean(axis=0)[None], p.T, axis=0),
    }  # fmt: skip


@check("3.4", 3, each=("to_U", "to_W", "to_V"))
def parts_of_each_step(hw, draw, what):
    p = drawn(draw)
    got = hw.contributions(p.dys, p.xs, p.h0, p.hs, p.U, p.W, p.V)
    same(len(got), 3, "how many arrays contributions returns")
    right = used(p)[what]
    suspects = slipped_parts(p) if what == "to_W" else {"the last step comes first": right[::-1]}
    close(got[("to_U", "to_W", "to_V").index(what)], right, what, suspects=suspects, **SLOPES)


@check("3.4", 1, each=("to_U", "to_W", "to_V"))
def parts_sum_to_the_gradient(hw, draw, what):
    p = drawn(draw)
    got = hw.contributions(p.dys, p.xs, p.h0, p.hs, p.U, p.W, p.V)
    place = ("to_U", "to_W", "to_V").index(what)
    given = [p.U, p.W, p.V]

    def loss(moved):
        U, W, V = [*given[:place], moved, *given[place + 1 :]]
        return float((p.dys * (run(p.xs, p.h0, U, W, p.b) @ V)).sum())

    whole = np.asarray(got[place]).sum(axis=0)
    close(whole, central(loss, given[place]), f"the sum of {what} over the steps", **SLOPES)


@check("3.4", 3)
def one_loss_reaches_earlier_uses_only(hw, draw):
    p = drawn(draw)
    at = int(draw.integers(1, p.T - 1))
    p.dys[np.arange(p.T) != at] = 0
    p.h0[:] = 0
    p.hs = run(p.xs, p.h0, p.U, p.W, p.b)
    got = hw.contributions(p.dys, p.xs, p.h0, p.hs, p.U, p.W, p.V)
    right = used(p)
    for place, what in enumerate(("to_U", "to_W", "to_V")):
        suspects = slipped_parts(p) if what == "to_W" else None
        words = f"{what}, from a state of 0 and with a loss at step {at} of 0 to {p.T - 1} only"
        close(got[place], right[what], words, suspects=suspects, **SLOPES)


# ---- 3.5


def part(p, begin, end, first, what, state=None):
    """Return the gradient of the losses dhs[begin:end] through the steps first..end-1 by central differences.

    The state before step `first` is a given number, `state` where it is said, and else the one that was there.
    """
    if state is None:
        state = p.hs[first - 1] if first > 0 else p.h0
    told = p.dhs[first:end].copy()
    told[: max(begin - first, 0)] = 0
    given = {"dU": p.U, "dW": p.W, "db": p.b}

    def loss(moved):
        U, W, b = (given | {what: moved}).values()
        return float((told * run(p.xs[first:end], state, U, W, b)).sum())

    return central(loss, given[what])


def slipped_windows(p, begin, end, k2, what):
    """Return the gradient as well-known mistakes about the window give it."""
    first = max(end - k2, 0)
    found = {
        "the gradient runs through all steps: it is not cut at the window": part(p, begin, end, 0, what),
        "one step too few": part(p, begin, end, min(first + 1, end - 1), what),
        "one step too many": part(p, begin, end, max(first - 1, 0), what),
        "the state before the window is set to 0": part(p, begin, end, first, what, 0 * p.h0),
        "the state is set to 0 at each part": part(dropped(p, begin), begin, end, first, what) if begin else None,
        "losses of older steps count again": part(p, 0, end, first, what),
        "cut at the beginning of this part, whatever k2 is": part(p, begin, end, begin, what),
        "the first k2 steps in place of the last": part(p, 0, k2, 0, what),
    }
    right = part(p, begin, end, first, what)
    return {words: value for words, value in found.items() if value is not None and not np.allclose(value, right)}


def dropped(p, begin):
    """Return the same, with states that begin anew at a step."""
    hs = p.hs.copy()
    hs[begin - 1] = 0
    hs[begin:] = run(p.xs[begin:], 0 * p.h0, p.U, p.W, p.b)
    return SimpleNamespace(**(vars(p) | {"hs": hs}))


@check("3.5", 2, each=("1", "2", "T - 1", "T"))
def the_last_steps_only(hw, draw, case):
    p = drawn(draw, int(draw.integers(7, 10)))
    k2 = {"1": 1, "2": 2, "T - 1": p.T - 1, "T": p.T}[case]
    got = hw.window_backward(p.dhs, p.xs, p.h0, p.hs, p.U, p.W, k2)
    same(len(got), 3, "how many arrays window_backward returns")
    for place, what in enumerate(("dU", "dW", "db")):
        right = part(p, 0, p.T, p.T - k2, what)
        suspects = slipped_windows(p, 0, p.T, k2, what)
        close(got[place], right, f"{what}, T = {p.T}, k2 = {k2}", suspects=suspects, **SLOPES)


@check("3.5", 2, each=("k1 = k2", "k2 > k1", "k2 < k1", "k1 does not divide T", "k2 = 1", "k1 = T"))
def every_k1_steps(hw, draw, case):
    k1, k2, T = {
        "k1 = k2": (3, 3, 9),
        "k2 > k1": (2, 5, 8),
        "k2 < k1": (4, 2, 8),
        "k1 does not divide T": (3, 4, 8),
        "k2 = 1": (2, 1, 8),
        "k1 = T": (7, 7, 7),
    }[case]
    p = drawn(draw, T)
    got = hw.truncated(p.dhs, p.xs, p.h0, p.U, p.W, p.b, k1, k2)
    starts = range(0, T, k1)
    sizes = f"T = {T}, k1 = {k1}, k2 = {k2}"
    same(len(got), len(starts), f"how many entries there are for {sizes}")
    for number, begin in enumerate(starts):
        end = min(begin + k1, T)
        same(len(got[number]), 3, "how many arrays an entry has")
        for place, what in enumerate(("dU", "dW", "db")):
            right = part(p, begin, end, max(end - k2, 0), what)
            suspects = slipped_windows(p, begin, end, k2, what)
            close(got[number][place], right, f"{what} of entry {number}, {sizes}", suspects=suspects, **SLOPES)


# ---- 3.6


def first_weights(draw, letters, hidden):
    shapes = (letters, hidden), (hidden, hidden), (hidden,), (hidden, letters), (letters,)
    return tuple(draw.uniform(-1, 1, shape) / np.sqrt(hidden) for shape in shapes)


def surprise(weights, reads, says):
    """Return the mean of -log of the probability of the right letter."""
    U, W, b, V, c = weights
    ys = run(np.eye(len(U))[reads][:, None], np.zeros((1, len(W))), U, W, b)[:, 0] @ V + c
    ys = ys - ys.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(ys).sum(axis=1)) - ys[np.arange(len(says)), says]))


def written(weights, first, length):
    """Return what a network writes by itself."""
    U, W, b, V, c = weights
    letters, h = [first], np.zeros(len(W))
    for _ in range(length - 1):
        h = np.tanh(U[letters[-1]] + h @ W + b)
        letters.append(int(np.argmax(h @ V + c)))
    return letters


@check("3.6", 1, each=("small", "thousands"))
def one_update(hw, draw, case):
    letters, hidden, T = (int(each) for each in draw.permutation([4, 5, 6]))
    weights = first_weights(draw, letters, hidden)
    if case == "thousands":
        weights = (*weights[:4], weights[4] + 5e3 * draw.permutation(letters))
    reads, says = ([int(each) for each in draw.integers(0, letters, T)] for _ in range(2))
    rate = float(draw.uniform(0.2, 0.8))
    given = tuple(weights), reads, says, rate
    same(hw.changed_by(hw.update, *given), [], "what update changes of weights (0), reads (1), says (2), rate (3)")
    moved, loss = hw.update(*given)
    same(len(moved), 5, "how many weights update returns")
    close(loss, surprise(weights, reads, says), "the loss before the update",
          suspects={"the sum over the steps in place of the mean": T * surprise(weights, reads, says)})  # fmt: skip
    step = 1e-6 if case == "small" else 1e-4
    for place, name in enumerate("UWbVc"):

        def at(value, place=place):
            return surprise([*weights[:place], value, *weights[place + 1 :]], reads, says)

        slope, weight = central(at, weights[place], step), weights[place]
        suspects = {
            "uphill: the gradient is added": weight + rate * slope,
            "the sum over the steps in place of the mean": weight - T * rate * slope,
            "it did not move": weight,
        }
        suspects = {words: value for words, value in suspects.items() if np.abs(slope).max() > 1e-6}
        close(moved[place], weight - rate * slope, f"{name} after an update, {case}", suspects=suspects, **SLOPES)


@check("3.6", 1, each=("first", "second", "third"))
def hello_is_written(hw, draw, seed):
    letters, hidden = int(draw.integers(4, 7)), int(draw.integers(8, 11))
    number = dict(zip("helo", (int(each) for each in draw.permutation(letters))))
    word = [number[letter] for letter in "hello"]
    weights = first_weights(draw, letters, hidden)
    close(hw.write(weights, word[0], 9), written(weights, word[0], 9), "what untrained weights write")
    for _ in range(100):
        weights, _ = hw.update(weights, word[:-1], word[1:], 1.0)
        weights = tuple(weights)
    told = "".join(
        {at: letter for letter, at in number.items()}.get(each, "?") for each in written(weights, word[0], 5)
    )
    same(told, "hello", "what is written after 100 updates")
    close(hw.write(weights, word[0], 5), word, "what write returns then, the letters as numbers")
