# %% [markdown] minutes="20" seconds="60"
# # 07 What truncation forgets
#
# *Can a network learn what its gradient never reaches?*
#
# Going back through a thousand steps for every update is slow, and mostly for nothing (tutorial 05). So people cut: the
# state is carried on, but the gradient runs back only through the last $k$ steps. This is **truncated** backpropagation
# through time. "Then only what lies within these steps is learned", says a text. Is that so?

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim, viz

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
T = 11 if FAST else 21  # steps
SEEDS = range(1 if FAST else 3)


def first_bit(size, seed):
    """One bit at step 0, noise beside it all the time; which bit was it?"""
    draw = np.random.default_rng(seed)
    bit = draw.integers(0, 2, size)
    x = np.zeros((T, size, 2), "float32")
    x[0, :, 0] = 2 * bit - 1
    x[:, :, 1] = draw.standard_normal((T, size))
    return x, bit


x, bit = first_bit(3, seed=0)
print("bits", bit, "  what is read at step 0:", x[0, :, 0])
assert (x[1:, :, 0] == 0).all()

# %% [markdown]
# The task: a bit is shown at step 0 and asked for at the last step. The network is an LSTM (tutorial 10 takes it apart) whose
# cells are told at the start to keep what they hold: a forget bias of 3.
#
# To cut the gradient, run the early steps under `tg.no_grad()`. Their state is a plain number for the rest.


# %%
def learn(task, k, seed, updates, cell="lstm:forget_bias=3", keep_state=True):
    """Train with the gradient cut k steps before the end; returns the share of fresh examples that it answers rightly."""
    tg.manual_seed(seed)
    rnn, head = nn.Recurrent(cell, 2, 16), nn.Linear(16, 2)
    parameters = [*rnn.parameters(), *head.parameters()]
    adam, recent = optim.Adam(parameters, lr=1e-2), [1.0] * 20
    for update in range(updates):
        x, y = task(32, (seed, update))
        state = None
        if k < T and keep_state:
            with tg.no_grad():
                _, state = rnn(tg.tensor(x[: T - k]))
        states, _ = rnn(tg.tensor(x[T - k :]), state)
        loss = F.cross_entropy(head(states[-1]), tg.tensor(y))
        adam.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(parameters, 1.0)
        adam.step()
        recent = [*recent[1:], loss.item()]
        if max(recent) < 0.02:
            break
    x, y = task(512, (seed, 10**6))
    with tg.no_grad():
        states, _ = rnn(tg.tensor(x) if keep_state else tg.tensor(x[T - k :]))
    return float((head(states[-1]).numpy().argmax(axis=1) == y).mean())


assert 0 <= learn(first_bit, 2, seed=0, updates=1) <= 1

# %% [markdown] question="choice" options="no, it stays at chance | yes | only with luck" answer="2 if min(right) > 0.95 else 1"
# The bit lies twenty steps back. The gradient is cut after **two** steps: it never comes near step 0. Can the network learn
# the bit?

# %% seconds="10" keep="right plain"
right = [learn(first_bit, 2, seed, updates=400) for seed in SEEDS]
plain = [learn(first_bit, 2, seed, updates=50 if FAST else 200, cell="rnn") for seed in SEEDS]
print(f"LSTM with forget bias 3, cut after 2 steps: {right}")
print(f"plain RNN, cut after 2 steps:               {plain}")
assert min(right) > (0.9 if FAST else 0.95)
assert max(plain) < 0.7

# %% [markdown]
# It can. With a forget bias of 3 the bit is *still in the state* after twenty steps, whether anybody learned to put it there or
# not: the untrained cell takes in whatever comes and loses little. Reading it out needs only the last steps. The plain RNN
# forgets by itself, and then there is nothing to read.
#
# So the text's sentence is not true: what the state keeps by itself can be learned. What cannot?
#
# ## A bit that must be chosen
#
# Now there is a bit at *every* step, and a **mark** on one of the first five. The marked bit is asked. The network must learn
# *when to store*, and storing happens at the mark.


# %%
def marked_bit(size, seed, span=5):
    """A bit at every step, one of the first five marked; which was the marked one?"""
    draw = np.random.default_rng(seed)
    bits = draw.choice([-1.0, 1.0], (T, size))
    marked = draw.integers(0, span, size)
    x = np.zeros((T, size, 2), "float32")
    x[:, :, 0] = bits
    x[marked, np.arange(size), 1] = 1
    return x, (bits[marked, np.arange(size)] > 0).astype(int)


x, y = marked_bit(1, seed=2)
print("bits ", " ".join(f"{v:+.0f}" for v in x[:, 0, 0]))
print("marks", " ".join(f" {v:.0f}" for v in x[:, 0, 1]), " answer", y[0])
assert x[:5, 0, 1].sum() == 1

# %% [markdown] question="number" answer="min(k for k, values in found.items() if min(values) > 0.9)" tolerance="0.01"
# Marks fall on the steps 0 to 4, the last step is number 20. What is the smallest number of steps the gradient must run back
# (over the last $k$ steps) so that the network can learn the task? (In a hurry, `TINYGRAD_RNN_FAST=1`, the last step is
# number 10.)

# %% seconds="50" keep="found cuts touching"
touching = T - 4  # the last k steps reach the last step that can be marked
cuts = [touching - 1, touching, T] if FAST else [5, touching - 1, touching, T]
found = {}
for k in cuts:
    seeds = SEEDS if k in (touching - 1, touching) else range(1)
    found[k] = [learn(marked_bit, k, seed, updates=300 if FAST else 700) for seed in seeds]
    print(f"gradient through the last {k:2} steps: right {', '.join(f'{v:.0%}' for v in found[k])}")
assert max(found[touching - 1]) < 0.85
assert min(found[touching]) > 0.93

# %%
edge = min(k for k, values in found.items() if min(values) > 0.9)
fig, ax = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
ax.axvspan(T - 4.5, T + 0.5, color="C1", alpha=0.2, label="the cut reaches steps that can be marked")
for k, values in found.items():
    ax.plot([k] * len(values), values, "o", color="C0")
ax.axhline(0.5, color="0.5", linestyle="--", label="guessing")
ax.set(xlabel="steps k that the gradient runs back", ylabel="right answers", ylim=(0.4, 1.04),
       title="What must be stored has to be reached")  # fmt: skip
ax.legend(loc="center left")
viz.show(fig, name="cut")
print("smallest that works:", edge)
assert edge == touching

# %% [markdown]
# The edge is exactly where the gradient first touches a step that can be marked: step 4 alone is enough. From the examples
# marked there the network learns what a mark means, and uses it at the steps 0 to 3, where no gradient ever came.
#
# **What to keep can be learned without reaching back, as long as the state keeps it by itself. What to *store* must be
# reached by the gradient at least sometimes.**

# %% [markdown] exercise="1" question="number" answer="smallest" tolerance="0.01"
# The sequence has 31 steps (0 to 30), marks on steps 0 to 4, the question comes after step 30. What is the smallest cut that
# can learn it?

# %% [markdown] hint="1"
# The last k steps of 31 begin at step 31 - k.

# %% solution="1"
smallest = next(k for k in range(1, 32) if 31 - k <= 4)
print(smallest)
assert smallest == 27

# %% [markdown] exercise="2" question="choice" options="as well as before | at chance | a little worse" answer="2 if max(reset) < 0.65 else 1"
# Someone sets the state to zero at the cut instead of carrying it on. How well is the *first bit* learned with $k = 2$?

# %% [markdown] hint="2"
# What does the network then know about step 0?

# %% solution="2"
reset = [learn(first_bit, 2, seed, updates=60, keep_state=False) for seed in SEEDS]
print(reset)
assert max(reset) < 0.65

# %% [markdown]
# ## In three sentences
#
# Truncation cuts the gradient, not the state: what the state carries by itself can be read and learned from. What the
# network must *do* at a certain step is learned only where a gradient sometimes reaches such a step. Whoever resets the
# state at the cut cuts both.
#
# **What this did not show.** How to make a state keep things in the first place. Next: which of the many cures of the texts
# survive a measurement.
