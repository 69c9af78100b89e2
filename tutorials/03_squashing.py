# %% [markdown] minutes="20" seconds="25"
# # 03 Squashing
#
# *What does the slope of a unit decide?*
#
# A **unit** adds up its inputs, each times a weight, and passes the sum through one function: tanh, the logistic function, or
# something simpler. The texts that introduce these functions argue about what comes *out* of them. Going back, something else
# counts: every gradient on its way to a weight is multiplied by the function's **slope** (tutorial 02). You will see that one
# factor decide how deep a network can be, whether its hidden weights move at all, and whether units die.
#
# You need the digits that come with scikit-learn: `pip install '.[plots,data]'`.

# %% [markdown] question="number" answer="slopes['logistic'].max()" tolerance="0.05"
# The logistic function, $1 / (1 + e^{-a})$, rises from 0 to 1. How steep is it where it is steepest?

# %%
import os
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import optim, tasks, viz

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
SEEDS = 3  # networks that learn side by side, each from its own numbers: the first axis of every array
UNITS = {
    "threshold": F.heaviside,  # 1 above 0, 0 below: the oldest one
    "logistic": lambda a: a.sigmoid(),  # 1 / (1 + exp(-a))
    "tanh": lambda a: a.tanh(),
    "ReLU": lambda a: a.relu(),  # max(0, a)
}
a, slopes = np.linspace(-5, 5, 1001), {}
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for (name, unit), line in zip(UNITS.items(), ("-.", "--", "-", ":")):
    x = tg.tensor(a, requires_grad=True)
    y = unit(x)
    y.sum().backward()
    slopes[name] = x.grad.numpy()
    left.plot(a, y.numpy(), line, label=name, linewidth=2)
    right.plot(a, slopes[name], line, label=name, linewidth=2)
left.set(xlabel="sum of the inputs", title="What comes out", ylim=(-1.2, 2))
right.set(xlabel="sum of the inputs", title="What a gradient is multiplied by", ylim=(-0.05, 1.1))
left.legend()
viz.show(fig, name="slopes")
print({name: f"steepest {slope.max():.2f}" for name, slope in slopes.items()})
assert abs(slopes["logistic"].max() - 0.25) < 1e-6 and abs(slopes["tanh"].max() - 1) < 1e-6
assert not slopes["threshold"].any()

# %% [markdown]
# Two of them **squash**: they flatten out on both sides, and there the slope goes to 0. The logistic function is never
# steeper than a quarter. ReLU is 0 or 1, nothing between. And the threshold has no slope anywhere.
#
# ## Twenty layers
#
# Now a stack: 20 layers of 64 units, a gradient at the top, and the question how much of it reaches the bottom. The weights
# are random with a spread of $1/\sqrt{64}$, which on average keeps the length of a vector: the weights are not to blame.

# %% [markdown] question="choice" options="about a hundredth | about a millionth | less than a billionth" answer="3 if max(reached['logistic']) < 1e-9 else 2"
# How much of the gradient is left after twenty layers of **logistic** units?

# %% [markdown] question="number" answer="np.mean(reached['ReLU']) ** (1 / 20)" tolerance="0.1"
# "ReLU does not vanish, its slope is 1", says a text. The slope is 1 where the unit is open, and 0 where it is shut. By which
# factor does the gradient change per layer of **ReLU**, then?


# %%
def reaches(unit, seed, layers=20, size=64, gain=1.0):
    """Size of the gradient below the layers over that above them, and the share of negative entries below."""
    draw = np.random.default_rng(seed)
    bottom = h = tg.tensor(draw.standard_normal((256, size)), requires_grad=True)
    for _ in range(layers):
        h = unit(h @ tg.tensor(gain * draw.standard_normal((size, size)) / np.sqrt(size)))
    above = draw.standard_normal(h.shape)
    h.backward(tg.tensor(above))
    below = bottom.grad.numpy()
    return float(np.sqrt((below**2).mean() / (above**2).mean())), float((below < 0).mean())


reached, negative = {}, {}
for name, unit in UNITS.items():
    reached[name], negative[name] = zip(*(reaches(unit, seed) for seed in range(SEEDS)))
    factor = np.mean(reached[name]) ** (1 / 20)
    print(f"{name:10} left {np.mean(reached[name]):.0e}, factor per layer {factor:.2f}")
wider = [reaches(UNITS["ReLU"], seed, gain=np.sqrt(2))[0] for seed in range(SEEDS)]
print("ReLU, weights times 1.41: left", np.round(wider, 2), " negative gradients:", np.round(negative["ReLU"], 2))
assert max(reached["logistic"]) < 1e-11 < 1e-4 < min(reached["ReLU"]) < max(reached["ReLU"]) < 3e-3
assert min(reached["tanh"]) > 0.02 and min(wider) > 0.2 and not any(reached["threshold"])
assert min(negative["ReLU"]) > 0.4 and max(negative["ReLU"]) < 0.6

# %% [markdown]
# The logistic units multiply by a little less than a quarter, twenty times over. ReLU multiplies by about 0.7 per layer: half
# of the units are shut, so half of the *squares* are lost, and $\sqrt{1/2} = 0.71$. That is no law of ReLU: weights that are
# $\sqrt{2}$ times larger make up for it. So it takes the slope *and* the weights.
#
# **Spot the slip.** The same text says that ReLU "prevents negative gradients". The last line counts them: about half of the
# gradients are negative, as with any unit. A slope of 0 or 1 keeps the sign of what comes from above.
#
# ## Learning with each of them
#
# Handwritten digits, 8 by 8 pixels, one layer of 64 hidden units, plain gradient descent. Three networks learn at once.

# %%
known, fresh = (task.batch(task.data_size, 0) for task in tasks.parse_task("digits:by=image").make().held_out())
pixels, digits = known.inputs[0], known.targets


def network(depth, seed=0):
    """Weights and biases, layer by layer: (SEEDS, inputs, units) and (SEEDS, 1, units)."""
    draw, sizes, made = np.random.default_rng(seed), [64] * (depth + 1) + [10], []
    for m, n in pairwise(sizes):
        made.append(tg.tensor((draw.standard_normal((SEEDS, m, n)) / np.sqrt(m)).astype("float32"), requires_grad=True))
        made.append(tg.zeros(SEEDS, 1, n, requires_grad=True))
    return made


def hidden(p, unit, x):
    """What the last hidden layer gives out."""
    for W, b in zip(p[:-2:2], p[1:-2:2]):
        x = unit(x @ W + b)
    return x


def right(p, unit):
    """Share of fresh digits that each of the three networks gets right."""
    said = hidden(p, unit, tg.tensor(fresh.inputs[0])) @ p[-2] + p[-1]
    return (said.numpy().argmax(axis=-1) == fresh.targets).mean(axis=1)


print(len(digits), "digits to learn from,", len(fresh.targets), "fresh ones")
assert right(network(1), UNITS["tanh"]).max() < 0.4


# %%
def learn(p, unit, rate, updates=150 if FAST else 300):
    """Plain gradient descent on the cross-entropy, 64 digits at a time; returns p."""
    sgd, draw = optim.SGD(p, lr=rate), np.random.default_rng(1)
    for _ in range(updates):
        chosen = draw.integers(0, len(digits), (SEEDS, 64))
        said = hidden(p, unit, tg.tensor(pixels[chosen])) @ p[-2] + p[-1]
        loss = SEEDS * F.cross_entropy(said.reshape(-1, 10), tg.tensor(digits[chosen].reshape(-1)))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return p


p = learn(network(1), UNITS["tanh"], rate=0.2)
print("tanh, right on fresh digits:", right(p, UNITS["tanh"]).round(3))
assert right(p, UNITS["tanh"]).min() > 0.9

# %% [markdown] question="choice" options="about 10%, that is guessing | about half | 75% or more" answer="3 if scores['threshold'].min() > 0.75 else 2 if scores['threshold'].min() > 0.3 else 1"
# All hidden units are **thresholds**. Their slope is 0, so the weights below them cannot learn. How many digits does the network
# get right?

# %% seconds="4" keep="scores moved agrees"
# The threshold going forward, the slope 1 going back: what is detached has no gradient.
UNITS["pretender"] = lambda a: a + (F.heaviside(a) - a).detach()
scores, moved = {}, {}
for name, unit in UNITS.items():
    p = network(1)
    start = p[0].numpy().copy()
    scores[name] = right(learn(p, unit, rate=0.2), unit)
    moved[name] = float(np.abs(p[0].numpy() - start).max())
    print(f"{name:10} right {scores[name].round(3)}   hidden weights moved by up to {moved[name]:.2f}")
agrees = tg.gradcheck(F.heaviside, tg.tensor([-1.3, 0.4, 2.0], dtype="float64", requires_grad=True))
print("does gradcheck agree that the slope of a threshold is 0?", agrees)
assert moved["threshold"] == 0 < min(moved[name] for name in UNITS if name != "threshold")
assert agrees and scores["threshold"].min() > 0.75
assert scores["pretender"].min() > scores["threshold"].max() and scores["tanh"].min() > scores["logistic"].max()

# %% [markdown]
# The hidden weights of the threshold network moved by exactly 0. What it gets right it owes to the *output* layer, which
# learned to read 64 random features: that alone solves a good part of this task, and it hides the fault. "Threshold
# units are not differentiable", say the texts. At the jump; everywhere else the derivative is 0, and gradcheck (tutorial 02) finds
# nothing wrong with that.
#
# The **pretender** computes the same function. Only its slope is a lie: 1 instead of 0. And it learns better than the
# honest one. It is not what comes out that decides, but what goes back.
#
# ## Units that die
#
# The slope of ReLU is exactly 0 on one side. A unit that is shut for *every* digit gets no gradient from any: it is **dead**.
# How would it come to that? By a step so long that it lands far on the wrong side.

# %% [markdown] question="choice" options="about as many | about a third | nearly all" answer="3 if dead[2.0].min() > 0.8 else 2 if dead[2.0].min() > 0.2 else 1"
# With a learning rate of 1 fewer than 15% of the ReLU units die. How many with a learning rate of 2?

# %% seconds="6" keep="dead alive_again rates accuracy"
ReLU, rates = UNITS["ReLU"], [0.2, 1.0, 2.0] if FAST else [0.1, 0.2, 0.5, 1.0, 1.4, 2.0, 5.0]


def shut(p):
    """Which hidden units are 0 for every digit: (SEEDS, 64)."""
    return hidden(p, ReLU, tg.tensor(pixels)).numpy().max(axis=1) == 0


dead, accuracy = {}, {}
for rate in rates:
    p = learn(network(1), ReLU, rate)
    dead[rate], accuracy[rate] = shut(p).mean(axis=1), right(p, ReLU)
    print(f"rate {rate:3}: dead {dead[rate].round(2)}   right {accuracy[rate].round(2)}")
    if rate == 2.0:
        before = shut(p)
        alive_again = int((before & ~shut(learn(p, ReLU, 0.1, updates=100))).sum())
print("after 100 more updates at the rate of 0.1,", alive_again, "of the dead are alive again")
assert dead[1.0].max() < 0.15 and dead[2.0].min() > 0.8 and accuracy[2.0].max() < 0.5 and alive_again == 0

# %%
fig, ax = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
ax.semilogx(rates, [np.mean(dead[rate]) for rate in rates], "o-", label="dead units")
ax.semilogx(rates, [np.mean(accuracy[rate]) for rate in rates], "s--", label="right on fresh digits")
ax.axvspan(1, 2, color="0.9")
ax.set(xlabel="learning rate", ylabel="share", ylim=(-0.03, 1.03), title="Between 1 and 2 the ReLU units die")
ax.legend(loc="center left")
viz.show(fig, name="dead")
jump = float(dead[2.0].mean() - dead[1.0].mean())
print(f"from rate 1 to rate 2 the dead share grows by {jump:.2f}")
assert jump > 0.7

# %% [markdown]
# The change is abrupt, and nobody comes back: a dead unit has no gradient that could revive it. A **leaky** ReLU
# ($0.01\,a$ below 0 instead of 0) leaves the way back open.
#
# ## A unit that learns its own shape
#
# Why choose a function at all? A **maxout** unit takes the largest of $k$ straight lines, $\max_j (w_j x + b_j)$, and learns the
# lines. With the lines $0$ and $x$ it is ReLU.

# %% [markdown] question="choice" options="all three | the first two, not the third | only the first" answer="2 if misses[8]['-|x|'] > 0.25 and misses[8]['|x|'] < 0.02 and misses[8]['x^2'] < 0.04 else 1"
# One maxout unit with eight lines: which of $|x|$, $x^2$ and $-|x|$ can it learn on $-1 \ldots 1$?

# %% seconds="2" keep="misses"
x = np.linspace(-1, 1, 101)[:, None]
shapes = {"|x|": np.abs(x), "x^2": x**2, "-|x|": -np.abs(x)}
wanted = tg.tensor(np.stack(list(shapes.values()))[:, None])  # (3, 1, 101, 1)
misses = {}
for k in (2, 4, 8):
    draw, updates = np.random.default_rng(0), 200 if FAST else 400
    w, b = (tg.tensor(draw.standard_normal((3, 10, 1, k)), requires_grad=True) for _ in range(2))  # ten tries for each
    adam = optim.Adam([w, b], lr=0.05)
    for update in range(updates):
        adam.lr = 0.05 * (1 - update / updates)
        error = (F.maxout(tg.tensor(x) @ w + b, k) - wanted).square().mean(axis=(2, 3))
        adam.zero_grad()
        error.sum().backward()
        adam.step()
    misses[k] = dict(zip(shapes, np.sqrt(error.numpy().min(axis=1)).tolist()))
    print(f"{k} lines, best of ten tries:", ", ".join(f"{name} off by {miss:.3f}" for name, miss in misses[k].items()))
assert misses[2]["|x|"] < 0.01 and min(misses[k]["-|x|"] for k in misses) > 0.25
assert misses[2]["x^2"] > 1.5 * misses[4]["x^2"] > 1.5 * misses[8]["x^2"]

# %% [markdown]
# The largest of straight lines can only bend upward (it is **convex**), so $-|x|$ stays out of reach however many lines there
# are. Two units and a minus sign in the next layer would do it.
#
# ## A cure of its time, and what replaced it
#
# Before ReLU, deep networks of logistic units were the rule, and they did not train. A cure was to **pre-train**: teach each
# layer, from the bottom up, to keep what is needed to rebuild its input; only then learn the task.


# %% [markdown] question="choice" options="3 and 5 layers | 3 layers, not 5 | neither" answer="1 if deep['pretrained', 5].min() > 0.5 else 2 if deep['pretrained', 3].min() > 0.5 else 3"
# Logistic networks with 3 and with 5 hidden layers learn little or nothing (guessing: 10%). Which of them does pre-training save?


# %% seconds="12" keep="deep"
def pretrain(p, unit, updates=200):
    """Teach each hidden layer to rebuild what it reads through a straight layer back, from the bottom up; returns p."""
    draw = np.random.default_rng(2)
    for layer in range(0, len(p) - 2, 2):
        W, b = p[layer : layer + 2]
        V = tg.tensor(W.numpy().transpose(0, 2, 1), requires_grad=True)
        c = tg.zeros(SEEDS, 1, 64, requires_grad=True)
        adam = optim.Adam([W, b, V, c], lr=0.01)
        for _ in range(updates):
            x = tg.tensor(pixels[draw.integers(0, len(digits), (SEEDS, 64))])
            with tg.no_grad():  # through the layers below; `hidden` leaves out the last pair that it is given
                x = hidden([*p[:layer], None, None], unit, x)
            rebuilt = unit(x @ W + b) @ V + c
            adam.zero_grad()
            ((rebuilt - x).square().mean() * SEEDS).backward()
            adam.step()
    return p


deep = {}
for depth in (3, 5):
    for name in ("logistic", "pretrained", "tanh"):
        unit = UNITS["tanh" if name == "tanh" else "logistic"]
        p = network(depth)
        if name == "pretrained":
            pretrain(p, unit)
        learn(p, unit, rate=0.2 if name == "tanh" else 0.5, updates=150 if FAST and depth == 5 else 300)
        deep[name, depth] = right(p, unit)
        print(f"{depth} layers, {name:10} right {deep[name, depth].round(2)}")
assert deep["logistic", 3].max() < 0.5 and deep["logistic", 5].max() < 0.35
assert deep["pretrained", 3].min() > 0.7 and deep["pretrained", 5].max() < 0.35
assert min(deep["tanh", depth].min() for depth in (3, 5)) > 0.9

# %% [markdown]
# It saves three layers and not five: two more quarters in the product. What replaced it is one line: a unit with the slope 1 at
# 0, and weights whose spread is one over the root of the number of inputs, so that sums stay where the slope is. (Weights
# like ours go by the name of Xavier or Glorot.) No pre-training, no cure.

# %% [markdown] exercise="1" question="number" answer="deepest" tolerance="0.05"
# Logistic layers multiply a gradient by about 0.23 each. The smallest number that float32 holds with full precision is
# $1.2 \cdot 10^{-38}$. After how many layers has a gradient of 1 fallen below it?

# %% [markdown] hint="1"
# Solve $0.23^n < 1.2 \cdot 10^{-38}$ with two logarithms.

# %% solution="1"
smallest = float(np.finfo("float32").tiny)
deepest = int(np.ceil(np.log(smallest) / np.log(0.23)))
print(deepest)
assert 0.23**deepest < smallest <= 0.23 ** (deepest - 1)

# %% [markdown] exercise="2" question="choice" options="1 and 0 | 1 and -1 | 1 and 1" answer="2 if found == [-1.0, 1.0] else 1"
# A maxout unit with two lines and no biases, $\max(w_1 x, w_2 x)$, shall be exactly $|x|$. Which are the two weights?

# %% [markdown] hint="2"
# For $x > 0$ the larger of the two must be $x$, for $x < 0$ it must be $-x$.

# %% solution="2"
x = tg.tensor([[-2.0], [-0.5], [0.0], [3.0]])
fits = {(1.0, other): np.array_equal(F.maxout(x @ tg.tensor([[1.0, other]]), 2).numpy(), np.abs(x.numpy()))
        for other in (0.0, -1.0, 1.0)}  # fmt: skip
found = sorted(next(weights for weights, fit in fits.items() if fit))
print(fits)
assert sum(fits.values()) == 1 and found == [-1.0, 1.0]

# %% [markdown]
# ## In three sentences
#
# A gradient is multiplied by the slope of every unit it passes: a quarter at best for logistic units, about 0.7 a layer for
# ReLU with these weights, 0 for a threshold. Where the slope is 0, nothing below learns, and the output layer may hide it.
# Slope and spread of the weights together decide whether depth costs anything.
#
# **What this did not show.** Twenty layers have twenty different weight matrices, and a few large ones can make up for small
# ones. A recurrent network uses *one* matrix at every step. Tutorial 04 unrolls it.
