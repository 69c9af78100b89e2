# %% [markdown] minutes="25" seconds="50"
# # 09 One weight, two masters
#
# *Why is a perfect memory useless without doors?*
#
# To remember for ever, a unit only has to copy its state: $s_t = s_{t-1} + u\,x_t$. Going back a step multiplies the gradient
# by exactly 1; nothing vanishes, nothing explodes. This **carousel** is the idea that the LSTM of 1997 starts from. It also is
# the first thing that its authors show to *fail*. The reason fits into one sentence: the weight $u$ must open for what is to
# be stored and shut for everything else, and it is only one number.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import optim, viz

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
T, SEEDS, BATCH, H = (7 if FAST else 20), 3, 32, 4  # three networks learn side by side, each from its own numbers


def store(seed, size=BATCH, steps=T):
    """A bit at every step, one of the first five marked: say the marked one at the end. x (T, S, B, 2), y and asked (T, S, B)."""
    draw = np.random.default_rng(seed)
    x, y, asked = np.zeros((steps, SEEDS, size, 2)), np.zeros((steps, SEEDS, size)), np.zeros((steps, SEEDS, size))
    x[..., 0] = draw.choice([-1.0, 1.0], (steps, SEEDS, size))
    marked = draw.integers(0, 5, (SEEDS, size))
    s, b = np.indices((SEEDS, size))
    x[marked, s, b, 1] = 1
    y[-1], asked[-1] = x[marked, s, b, 0], 1
    return x, y, asked


x, y, asked = store(0)
print(
    "one example: bits ",
    x[:, 0, 0, 0].astype(int),
    "\n             marks",
    x[:, 0, 0, 1].astype(int),
    "-> answer",
    y[-1, 0, 0],
)
assert (x[..., 1].sum(axis=0) == 1).all()

# %% [markdown]
# ## A carousel, and doors for it
#
# The network: an input goes through $U$ into the carousel $s$, and out through $V$. Two doors can be added. The **input gate**
# $i$, a number between 0 and 1, multiplies what goes in; the **output gate** $o$ multiplies what comes out. Both are
# computed from the present input and what was last given out.


# %%
def network(gates, seed=0):
    """Parameters by name, for the three networks at once: the first axis."""
    draw = np.random.default_rng(seed)
    shapes = {"U": (2, H), "V": (H, 1)}
    for gate in gates:
        shapes |= {f"{gate}_x": (2, H), f"{gate}_h": (H, H), f"{gate}_b": (1, H)}
    scale = {"U": 0.3, "V": 0.3}
    return {name: tg.tensor(scale.get(name, 0.1) * draw.standard_normal((SEEDS, *shape)), requires_grad=True)
            for name, shape in shapes.items()}  # fmt: skip


def answers(p, gates, x):
    """What the networks say at each step: a list of (S, B)."""
    s = h = tg.zeros(SEEDS, x.shape[2], H, dtype="float64")
    said = []
    for x_t in map(tg.tensor, x):
        door = {g: (x_t @ p[f"{g}_x"] + h @ p[f"{g}_h"] + p[f"{g}_b"]).sigmoid() for g in gates}
        new = x_t @ p["U"]
        s = s + (door["i"] * new if "i" in gates else new)
        h = door["o"] * s if "o" in gates else s
        said.append((h @ p["V"]).reshape(SEEDS, -1))
    return said


x, y, asked = store(1)
assert len(answers(network("io"), "io", x)) == T


# %%
def learn(task, gates, updates=200 if FAST else 800, seed=0):
    """Train on the squared error where an answer is asked; returns the parameters and each network's final error."""
    p = network(gates, seed)
    adam = optim.Adam(p.values(), lr=0.05)

    def errors(batch, size=BATCH):
        x, y, asked = task((seed, batch), size)
        said = answers(p, gates, x)
        return sum((said[t] - tg.tensor(y[t])).square().mean(axis=1) for t in range(len(x)) if asked[t].any())

    for update in range(updates):
        adam.lr = 0.05 * (1 - update / updates)
        loss = errors(update).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    with tg.no_grad():
        return p, errors(10**6, 1000).numpy()


silent = np.mean(store(2, 500)[1][-1] ** 2)
print("always answering 0 has an error of", silent)
assert silent == 1

# %% [markdown] question="number" answer="product.mean()" tolerance="0.3"
# No doors. All $T = 20$ bits enter through the same weight (say $u$, with $v$ behind it), one of them is asked for. Small $u v$:
# the answer is too small. Large $u v$: the other 19 bits drown it. What will $u v$ be at the best compromise?
# ($T = 7$ if you are in a hurry with `TINYGRAD_RNN_FAST=1`.)

# %% seconds="5" keep="product plain weights"
p, plain = learn(store, "")
weights = {name: value.numpy() for name, value in p.items()}
product = (weights["U"][:, 0] * weights["V"][:, :, 0]).sum(axis=1)  # the way of the bits, for each network
print("u v:", product.round(3), " 1/T:", 1 / T)
print("error:", plain.round(3), " best possible 1 - 1/T:", 1 - 1 / T)
assert np.allclose(product, 1 / T, rtol=0.3)
assert (abs(plain - (1 - 1 / T)) < 0.1).all()

# %% [markdown]
# The error of $u v$ is $(1 - uv)^2 + (T-1)(uv)^2$: smallest at $u v = 1/T$, and then $1 - 1/T$. Nearly as bad as
# saying nothing, after any amount of training, although no gradient vanished on its way.
#
# ## Who pulls which way?
#
# Give every step its *own* copy of $U$ and look at what each copy receives, with its sign.

# %% [markdown] question="choice" options="all steps pull the same way | the marked step pulls one way, all others the other way" answer="2 if mine < 0 < others.min() else 1"
# After training the gradient of $u$ is about 0. What do the contributions of the single steps look like?

# %%
x, _, _ = store(3, 4000)
first = x[0, 0, :, 1] == 1  # only examples whose first step is the marked one, so that the picture has one tall bar
x, target = x[:, :1, first], x[0, 0, first, 0]
copies = [tg.tensor(weights["U"][:1], requires_grad=True) for _ in range(T)]
s = sum(tg.tensor(x_t) @ copy for x_t, copy in zip(x, copies))
miss = (s @ tg.tensor(weights["V"][:1])).reshape(-1) - tg.tensor(target)
miss.square().mean().backward()
v = weights["V"][0, :, 0]
pulls = np.array([copy.grad.numpy()[0, 0] @ v / (v @ v) for copy in copies])

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.bar(range(T), pulls, color=["C3" if t == 0 else "C0" for t in range(T)])
ax.axhline(0, color="0.3", linewidth=0.8)
ax.set(xlabel="step (the marked one is step 0)", ylabel="contribution to the gradient of u",
       title="One step wants u larger, all others want it smaller")  # fmt: skip
viz.show(fig, name="pulls")
mine, others = pulls[0], pulls[1:]
print(f"marked step {mine:.2f}, the others {others.mean():.2f} each, {others.sum():.2f} together")
assert mine < -1.5
assert 0 < others.sum() < 2.5

# %% [markdown]
# A negative gradient means: make it larger. The marked step wants $u$ larger, each other step a little smaller, and training
# ends where they cancel. That is the **input weight conflict**. No better optimizer and no longer training helps: the sum
# *is* at rest.
#
# On the way out the same happens. In the second task a bit comes at step 0, and a *flag* at some later step asks for it:
# there the answer is the bit, before and after it must be 0. One weight $v$ has to speak up once and be silent 19 times.


# %%
def ask(seed, size=BATCH, steps=T, others=False):
    """A bit at step 0; a flag at a later step asks for it, and everywhere else the answer is 0. `others`: bits at all steps."""
    draw = np.random.default_rng(seed)
    x, y = np.zeros((steps, SEEDS, size, 2)), np.zeros((steps, SEEDS, size))
    x[..., 0] = draw.choice([-1.0, 1.0], (steps, SEEDS, size))
    if not others:
        x[1:, ..., 0] = 0
    flag = draw.integers(steps // 4, steps, (SEEDS, size))
    s, b = np.indices((SEEDS, size))
    x[flag, s, b, 1] = 1
    y[flag, s, b] = x[0, ..., 0]
    return x, y, np.ones_like(y)


def both(seed, size=BATCH):
    """As `ask`, with other bits after the first, which must not be stored; the first step is marked, too."""
    x, y, asked = ask(seed, size, others=True)
    x[0, ..., 1] = 1
    return x, y, asked


x, y, asked = both(0)
assert (y**2).sum(axis=0).max() == 1

# %% [markdown] question="choice" options="the input gate solves all | each gate solves one task, both together solve all | the output gate solves all" answer="2 if (table['both', 'io'] < 0.35).all() and (table['store', 'i'] < 0.2).all() and (table['ask', 'o'] < 0.2).all() else 1"
# Three tasks (store, ask, both at once), four networks (no gate, input gate, output gate, both gates). Who solves what?

# %% seconds="45" keep="table"
table = {("store", ""): plain}
for name, task in (("store", store), ("ask", ask), ("both", both)):
    for gates in ("", "i", "o", "io"):
        if (name, gates) not in table:
            table[name, gates] = learn(task, gates)[1]
    print(
        f"{name:6}", *(f"{gates or 'none':>5}: {np.median(table[name, gates]):.3f}" for gates in ("", "i", "o", "io"))
    )
assert (table["store", "i"] < 0.2).all() and (table["store", "o"] > 0.5).all()
assert (table["ask", "o"] < 0.2).all() and (table["ask", "i"] > 0.5).all()

# %%
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
grid = np.array(
    [[np.median(table[name, gates]) for gates in ("", "i", "o", "io")] for name in ("store", "ask", "both")]
)
image = ax.imshow(grid, cmap="cividis_r", vmin=0, vmax=1)
for (row, column), value in np.ndenumerate(grid):
    ax.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
ax.set_xticks(range(4), ["no gate", "input gate", "output gate", "both gates"])
ax.set_yticks(range(3), ["store", "ask", "both at once"])
ax.set_title("Error after training (always 0: 1.00)")
viz.show(fig, name="table")
assert grid[2, 3] == grid[2].min()
assert grid[2, :3].min() > grid[2, 3] + 0.1

# %% [markdown]
# Each gate resolves one conflict: it makes the weight mean something else at different steps. This is what the gates of an
# LSTM are *for*. The carousel keeps the gradient; the gates decide whom it serves.

# %% [markdown] exercise="1" question="number" answer="at_forty" tolerance="0.02"
# With $T = 40$ steps and no gates: what is $u v$ at the best compromise?

# %% [markdown] hint="1"
# Minimise $(1 - p)^2 + (T - 1)\,p^2$ over $p = uv$.

# %% solution="1"
p = np.linspace(0, 0.2, 2001)
at_forty = p[((1 - p) ** 2 + 39 * p**2).argmin()]
print(f"u v = {at_forty:.4f}, error {(1 - at_forty) ** 2 + 39 * at_forty**2:.3f}")
assert abs(at_forty - 1 / 40) < 1e-3

# %% [markdown] exercise="2" question="choice" options="yes | no: tanh(bit + mark) is an AND, so the unit itself can shut the door" answer="2 if wall < 0.25 else 1"
# Put a tanh before the carousel, $s_t = s_{t-1} + \tanh(x_t U + b)$, and no gate. Does the input conflict of the first task
# remain?

# %% [markdown] hint="2"
# Take three units: tanh(3 (bit + mark)), tanh(3 (bit - mark)) and tanh(3 bit). Which sum of them is 0 whenever mark = 0?

# %% solution="2"
bit, mark = np.array([-1.0, 1.0, -1.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
opened = (np.tanh(3 * (bit + mark)) + np.tanh(3 * (bit - mark))) / 2 - np.tanh(3 * bit)
wall = float(np.abs(opened[:2]).max())
print("unmarked bits enter as", opened[:2].round(3), "marked ones as", opened[2:].round(3))
assert wall < 1e-12
assert abs(opened[2:]).min() > 0.4

# %% [markdown]
# ## In three sentences
#
# A carousel keeps the gradient for ever, and still learns nothing, because one weight is asked to do two things. The steps'
# contributions cancel, and the error stops at $1 - 1/T$. Gates let the same weight count at one step and not at another.
#
# **What this did not show.** The exercise's way out works only because bit and mark come at the same step; let the mark come
# one step earlier, and it fails again. And a carousel that never forgets fills up: the forget gate came later, and with it
# the next question: does an LSTM then solve vanishing?
