# %% [markdown] minutes="25" seconds="8"
# # 04 One cell, many steps
#
# *What does one weight receive when it is used at every step?*
#
# A recurrent network reads a sequence one step at a time and keeps a **state** $h$, a row of numbers, from step to step:
#
# $$h_t = \tanh(x_t U + h_{t-1} W), \qquad o = h_T V.$$
#
# It is one small network, used again and again: the *same* $U$ and $W$ at every step. From tutorial 01 you know what
# happens to a number that is used several times: messages come back from every use, and add up. Here you do it
# by hand once, in twelve lines. This is **backpropagation through time** (BPTT); there is nothing more to it.

# %%
import math
import os

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim, viz

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
T, I, H = 3, 2, 4  # steps, inputs, size of the state
draw = np.random.default_rng(0)
xs = draw.standard_normal((T, 1, I))
U, W, V = (draw.standard_normal(shape) * 0.6 for shape in ((I, H), (H, H), (H, 1)))
target = 1.0


def forward(xs, U, W, V):
    """The states h_0 .. h_T, each of shape (1, H), and the loss (o - target)^2 / 2."""
    hs = [np.zeros((1, H))]
    for x in xs:
        hs.append(np.tanh(x @ U + hs[-1] @ W))
    return hs, 0.5 * float((hs[-1] @ V - target).item()) ** 2


hs, loss = forward(xs, U, W, V)
print(f"{len(hs) - 1} steps, loss {loss:.4f}")
assert len(hs) == T + 1

# %% [markdown]
# ## Back through the steps
#
# At the end stands the error, the output $o$ minus the target. Through $V$ it reaches $h_T$. Then, step by step backward: through the tanh (times
# $1 - h_t^2$, from tutorial 02), and from there three ways: to $U$, to $W$ and on to $h_{t-1}$, where the same
# begins again.
#
# The shapes tell how: $x$ is (1, I), the gradient $da$ of what goes into the tanh is (1, H), so $x^\top da$ is (I, H), as $U$ is:
# for each weight its input times the gradient of what it feeds, as in tutorial 01.


# %%
def by_hand(xs, U, W, V):
    """What U and W receive at each step (lists, step 1 first), and the gradient of V."""
    hs, _ = forward(xs, U, W, V)
    miss = hs[-1] @ V - target
    dh = miss @ V.T
    to_U, to_W = [], []
    for t in range(len(xs), 0, -1):
        da = dh * (1 - hs[t] ** 2)  # through the tanh
        to_U.insert(0, xs[t - 1].T @ da)
        to_W.insert(0, hs[t - 1].T @ da)
        dh = da @ W.T  # on to the step before
    return to_U, to_W, hs[-1].T @ miss


to_U, to_W, dV = by_hand(xs, U, W, V)
print("W receives at steps 1, 2, 3:", ", ".join(f"{np.linalg.norm(m):.3f}" for m in to_W), "(sizes)")
assert np.linalg.norm(to_W[0]) == 0

# %% [markdown] question="choice" options="a mistake in the code | h_0 is zero, so W is multiplied by zero there | the gradient has vanished" answer="2 if not hs[0].any() and np.linalg.norm(to_U[0]) > 0 else 1"
# At step 1, $W$ receives exactly 0, while $U$ receives something. Why?

# %%
print("U receives at steps 1, 2, 3:", ", ".join(f"{np.linalg.norm(m):.3f}" for m in to_U))
print("h_0 =", hs[0])
assert np.linalg.norm(to_U[0]) > 0
assert not hs[0].any()

# %% [markdown]
# What comes to $W$ at step $t$ is $h_{t-1}^\top$ times a gradient, and the state before the first step is 0.
#
# Now the engine. The forward pass is the same four lines with tensors; `tg.scope("t", t)` tells it which step a number
# belongs to, so that pictures can be drawn in columns.


# %%
def with_engine(xs, U, W, V):
    """The tensors U, W, V, and the loss."""
    U, W, V = (tg.tensor(w, requires_grad=True).named(name) for w, name in ((U, "U"), (W, "W"), (V, "V")))
    h = tg.zeros(1, H, dtype="float64")
    for t, x in enumerate(xs, 1):
        with tg.scope("t", t):
            h = (tg.tensor(x) @ U + h @ W).tanh().named("h")
    return U, W, V, (h @ V - target).square().sum() / 2


tU, tW, tV, tloss = with_engine(xs, U, W, V)
viz.show(viz.draw(viz.gradient_flow(tloss), title="One W, three uses, three messages"), name="unrolled")
tloss.backward()
worst = max(np.abs(tU.grad.numpy() - sum(to_U)).max(), np.abs(tW.grad.numpy() - sum(to_W)).max(),
            np.abs(tV.grad.numpy() - dV).max())  # fmt: skip
print(f"largest difference between hand and engine: {worst:.1e}")
assert worst < 1e-15

# %% [markdown]
# Equal up to rounding. The picture shows $W$ at each step with what it receives there (the sizes you found by hand:
# compare), and at the left once more with the size of the sum. Arrows point forward; gradients run along them backward.
#
# ## Who pulls at W?
#
# With more steps it matters *when* a contribution was made. We take thirty steps and look at the size of what $W$ receives
# at each of them.

# %% [markdown] question="choice" options="all thirty about equally | the last few | the first few" answer="2 if sizes[-5:].sum() > 0.5 * sizes.sum() else 1"
# The loss is at step 30. Which steps contribute most to $W$'s gradient?

# %%
long = draw.standard_normal((30, 1, I))
_, to_W_long, _ = by_hand(long, U, W, V)
sizes = np.array([np.linalg.norm(m) for m in to_W_long])

fig, ax = plt.subplots(figsize=(7, 3))
ax.bar(np.arange(1, 31), sizes)
ax.set(xlabel="step t (the loss is at 30)", ylabel="size of W's message", title="What W receives from each step")
viz.show(fig, name="contributions")
print(f"the last five steps make {sizes[-5:].sum() / sizes.sum():.1%} of the sum of sizes; step 2 is {sizes[1]:.0e}")
assert sizes[-5:].sum() / sizes.sum() > 0.9

# %% [markdown]
# $W$ is used thirty times, but it learns almost only from the last few uses. What happened at step 2 hardly counts. How
# quickly this goes, and for which weights, is the question of tutorial 05.
#
# ## Spot the bug
#
# A text writes the gradient as a sum over $k$, the step where $W$ was used, and a product of the step-to-step slopes
# $\partial h_j / \partial h_{j-1}$ from $j = k - 1$ up to $T$. The accepted formula starts the product at $j = k + 1$. Does
# it matter?


# %%
def as_a_sum(first):
    """Sum over k of (use of W at step k) x (product of the Jacobians j = k + first .. T)."""
    hs, _ = forward(long, U, W, V)
    total = np.zeros_like(W)
    for k in range(1, len(long) + 1):
        dh = (hs[-1] @ V - target) @ V.T
        for j in range(len(long), max(k + first, 1) - 1, -1):
            dh = (dh * (1 - hs[j] ** 2)) @ W.T
        total += hs[k - 1].T @ (dh * (1 - hs[k] ** 2))
    return total


true = sum(to_W_long)
accepted, printed = (np.abs(as_a_sum(first) - true).max() / np.abs(true).max() for first in (1, -1))
print(f"from k + 1: off by {accepted:.0e};  from k - 1: off by {printed:.0%} of the largest entry")
assert accepted < 1e-12
assert printed > 0.2

# %% [markdown]
# One index, two factors too many. It runs, and it has the right shape. A comparison tells: with the
# engine, or with central differences (the loss with one weight a little larger, minus the loss with it a little smaller, over
# the distance).
#
# ## "hello"
#
# The smallest task that *needs* a state: read h, e, l, l and say after each letter which comes next: e, l, l, o. After
# the first l comes an l, after the second an o.

# %% [markdown] question="number" answer="floor" tolerance="0.05"
# A network *without* state sees only the present letter. It can be sure about h and e, but after an l it must hedge: l
# or o, one half each, a loss of $\ln 2$ each time. Averaged over the four letters, how low can its loss get at best?

# %%
letters = "helo"
reads, says = ([letters.index(c) for c in word] for word in ("hell", "ello"))
onehot = tg.tensor(np.eye(4, dtype="float32")[reads][:, None])  # (T=4, B=1, 4)


def learn(recurrent, seed, updates=100 if FAST else 300):
    """Loss after each update, the word written at the end, and the update that wrote it right first."""
    tg.manual_seed(seed)
    body = nn.RNN(4, 8) if recurrent else nn.Linear(4, 8)
    head = nn.Linear(8, 4)
    adam = optim.Adam([*body.parameters(), *head.parameters()], lr=0.05)
    losses, first = [], None
    for update in range(1, updates + 1):
        logits = head(body(onehot)[0] if recurrent else body(onehot).tanh()).reshape(4, 4)
        loss = F.cross_entropy(logits, tg.tensor(says))
        written = "h" + "".join(letters[i] for i in logits.numpy().argmax(axis=1))
        first = first or (update if written == "hello" else None)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses, written, first


floor = 2 * math.log(2) / 4
runs = [learn(True, seed) for seed in range(3)]
assert all(written == "hello" for _, written, _ in runs)

# %%
without = [learn(False, seed) for seed in range(3)]
print(
    "with a state:   ",
    [(written, f"loss {losses[-1]:.3f}", f"right at update {first}") for losses, written, first in runs],
)
print("without a state:", [(written, f"loss {losses[-1]:.3f}") for losses, written, _ in without])
print(f"(ln 2) / 2 = {floor:.4f}")

fig, ax = plt.subplots(figsize=(6, 3.5))
for (losses, *_), (flat, *_) in zip(runs, without):
    ax.plot(losses, color="C0")
    ax.plot(flat, color="C1")
ax.axhline(floor, color="0.5", linestyle="--")
ax.set(xlabel="update", ylabel="loss", title='"hello" with a state (blue) and without (orange); dashed: (ln 2) / 2')
viz.show(fig, name="hello")
assert max(first for _, _, first in runs) <= 30
assert all(floor - 1e-3 < losses[-1] < floor + (0.05 if FAST else 0.005) for losses, _, _ in without)

# %% [markdown]
# Without a state it writes the same letter after both l ("helll", or "heloo": l and o are tied): no training helps, since what
# would tell the two l apart is not there. With a
# state a few updates are enough.

# %% [markdown] exercise="1" question="number" answer="invisible" tolerance="0.01"
# Six slips in `by_hand`, and in summing what it returns: (1) `=` instead of `+=` when summing over steps, (2) `W` instead of `W.T`, (3) the gradient is
# not passed on to the step before, (4) an extra factor $(1 - h^2)$ when passing on, (5) $1 - x^2$ from the input of the
# tanh, (6) target minus output. You test your code with a sequence of *one* step. How many slips do you not see?

# %% [markdown] hint="1"
# With one step nothing is summed and nothing is passed on. Which slips sit only there?


# %% solution="1"
def slipped(xs, slip):
    """The gradients of U and W, with one slip."""
    hs, _ = forward(xs, U, W, V)
    miss = hs[-1] @ V - target
    dh = (-miss if slip == 6 else miss) @ V.T
    dU, dW = np.zeros_like(U), np.zeros_like(W)
    for t in range(len(xs), 0, -1):
        da = dh * (1 - (xs[t - 1] @ U + hs[t - 1] @ W) ** 2 if slip == 5 else 1 - hs[t] ** 2)
        step_U, step_W = xs[t - 1].T @ da, hs[t - 1].T @ da
        dU, dW = (step_U, step_W) if slip == 1 else (dU + step_U, dW + step_W)
        dh = da @ (W if slip == 2 else W.T) * (0 if slip == 3 else 1 - hs[t] ** 2 if slip == 4 else 1)
    return np.concatenate([dU.ravel(), dW.ravel()])


invisible = 0
for slip in range(1, 7):
    seen = [not np.allclose(slipped(xs[:n], slip), slipped(xs[:n], 0)) for n in (1, 3)]
    invisible += not seen[0]
    print(
        f"slip {slip}: {'seen' if seen[0] else 'not seen'} with one step,",
        f"{'seen' if seen[1] else 'not seen'} with three",
    )
    assert seen[1]
assert invisible == 4

# %% [markdown] exercise="2" question="choice" options="it raises | the 32 pictures are read as 32 steps | it works, only slower" answer="2 if out.shape == (32, 28, 5) else 1"
# `nn.RNN(28, 5)` wants (steps, batch, inputs). You give it 32 pictures of 28 rows of 28 pixels, as (32, 28, 28): batch
# first. What happens?

# %% [markdown] hint="2"
# The last axis fits. Can the network know what the first two mean?

# %% solution="2"
out, state = nn.RNN(28, 5)(tg.zeros(32, 28, 28))
print("output", out.shape, "state", state.shape, "- read as 32 steps and a batch of 28")
right, _ = nn.RNN(28, 5, batch_first=True)(tg.zeros(32, 28, 28))
assert out.shape == right.shape == (32, 28, 5)
assert state.shape == (1, 28, 5)

# %% [markdown]
# ## In three sentences
#
# A recurrent network is one cell used at every step, so each weight receives one message per step, and its gradient is
# their sum. Going back a step multiplies by $W^\top$ and by $1 - h^2$, again and again. A check with a single step sees
# none of the mistakes that belong to time.
#
# **What this did not show.** Why the contributions of early steps were so small. Next: how small, how fast, and whether the
# old rule "gone after five steps" is true.
