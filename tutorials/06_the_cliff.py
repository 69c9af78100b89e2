# %% [markdown] minutes="15" seconds="15"
# # 06 The cliff
#
# *Why does one step destroy hours of training?*
#
# Tutorial 05 was about gradients that fade. Now the opposite. A factor a little above 1 per step, fifty steps: the
# gradient **explodes**. You will see one unit, two weights, and a loss surface with a wall in it; what a step does that
# starts at the wall; and the one-line remedy that everybody uses, **clipping**, with what it does not mend.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, tasks, viz
from tinygrad_rnn.train import SequenceModel, fit

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
T = 50


def loss_and_slopes(w, b):
    """One logistic unit, 50 steps of h = sigmoid(w h + b) from h = 0.5; the loss is (h - 0.7)^2."""
    W, C = (tg.tensor(v, dtype="float64", requires_grad=True) for v in (w, b))
    h = tg.tensor(0.5, dtype="float64")
    for _ in range(T):
        h = (W * h + C).sigmoid()
    loss = (h - 0.7).square()
    loss.backward()
    return loss.item(), np.array([W.grad.item(), C.grad.item()])


loss, slopes = loss_and_slopes(5.0, -2.6)
print(f"at (5.0, -2.6): loss {loss:.3f}, norm of the gradient {np.linalg.norm(slopes):.2f}")
assert np.linalg.norm(slopes) < 1

# %% [markdown]
# Two numbers to learn, the weight $w$ and the bias $b$. The unit feeds itself fifty times. For most $(w, b)$ it settles at
# one value. Between the region where it settles low and the one where it settles high lies an edge, and the loss
# jumps there within a hair's breadth.

# %% [markdown] question="choice" options="about 0.1 | about 1 | more than 100" answer="3 if longest['no clipping'] > 100 else 1"
# Sixty steps of gradient descent with learning rate 0.1 from this harmless place. How long is the longest single step? (The
# first ones are about 0.03 long.)


# %%
def descend(limit, steps=60, rate=0.1):
    """The places visited, (steps + 1, 2), and the norm of the gradient at each; gradients longer than `limit` are shortened."""
    places, norms = [np.array([5.0, -2.6])], []
    for _ in range(steps):
        _, slopes = loss_and_slopes(*places[-1])
        norms.append(np.linalg.norm(slopes))
        factor = 1.0 if limit is None else min(1.0, limit / norms[-1])
        places.append(places[-1] - rate * factor * slopes)
    return np.array(places), np.array(norms)


free, free_norms = descend(None)
longest = {"no clipping": np.linalg.norm(np.diff(free, axis=0), axis=1).max()}
print(f"largest gradient {free_norms.max():.0f}, longest step {longest['no clipping']:.0f}")
print(f"it ends at w = {free[-1][0]:.0f}, b = {free[-1][1]:.0f}, with a gradient of {free_norms[-1]:.0e}")
assert free_norms.max() > 1000
assert free_norms[-1] < 1e-50

# %% [markdown]
# One step threw both weights more than a hundred units away, to a place where the unit is stuck and the gradient is 0 in all
# but name. Nothing after that step learns anything: that is how one step destroys hours.
#
# The gradient did not lie. On the wall the surface *is* that steep; but only for a hair's breadth, and the step is far
# longer than that. The direction can be trusted, the length cannot. So keep the direction and limit the length:
#
# $$g \leftarrow g \cdot \min(1, \theta / \|g\|).$$

# %% [markdown] question="number" answer="longest['clipped at 1']" tolerance="0.01"
# We clip at $\theta = 1$ and keep the learning rate of 0.1. What is the longest step possible now?

# %%
clipped, clipped_norms = descend(1.0)
longest["clipped at 1"] = np.linalg.norm(np.diff(clipped, axis=0), axis=1).max()
first, last = loss_and_slopes(*clipped[0])[0], loss_and_slopes(*clipped[-1])[0]
print(f"longest step {longest['clipped at 1']:.3f}; loss {first:.3f} -> {last:.3f}")
assert abs(longest["clipped at 1"] - 0.1) < 1e-12
assert last < 0.1 * first

# %%
w, b = np.meshgrid(np.linspace(4.3, 5.6, 200), np.linspace(-3.0, -2.0, 200))
h = np.full_like(w, 0.5)
for _ in range(T):
    h = 1 / (1 + np.exp(-(w * h + b)))
surface = (h - 0.7) ** 2

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
image = ax.contourf(w, b, surface, 30, cmap="cividis")
fig.colorbar(image, label="loss after 50 steps")
ax.plot(*clipped.T, ".-", color="white", linewidth=1, markersize=4, label="clipped at 1")
jump = int(np.argmax(np.linalg.norm(np.diff(free, axis=0), axis=1)))
ax.plot(*free[: jump + 1].T, ".-", color="C1", linewidth=1, markersize=4, label="no clipping, until it leaves")
ax.annotate("", free[jump] + 0.3 * (free[jump + 1] - free[jump]) / np.linalg.norm(free[jump + 1] - free[jump]),
            free[jump], arrowprops={"arrowstyle": "->", "color": "C1", "linewidth": 2})  # fmt: skip
ax.set(
    xlabel="weight w",
    ylabel="bias b",
    title="One unit, fifty steps: the loss has a wall",
    xlim=(4.3, 5.6),
    ylim=(-3, -2),
)
ax.legend(loc="lower left")
viz.show(fig, name="cliff")
steepest = np.abs(np.diff(surface, axis=0)).max() / (b[1, 0] - b[0, 0])
print(f"steepest slope on this grid: {steepest:.0f}")
assert steepest > 20

# %% [markdown]
# ## Does it matter in practice?
#
# Here a tanh network whose recurrent matrix doubles the length of every vector (an orthogonal matrix times 2) learns text,
# with and without clipping.

# %% [markdown] question="choice" options="much: without it training fails | little: the losses end close together" answer="2 if abs(ends[1e9] - ends[1.0]).max() < 0.2 else 1"
# How much does clipping matter there?

# %% seconds="8" keep="ends spikes"
task = tasks.TextTask(tasks.default_corpus().text, steps=50)
ends, spikes = {}, []
for limit in (1e9, 1.0):
    tails = []
    for seed in range(3):
        tg.manual_seed(seed)
        model = SequenceModel.for_task(task, "rnn", 32)
        nn.init.orthogonal_(model.rnn.weight_hh_l0, gain=2.0)
        sgd = optim.SGD(model.parameters(), lr=0.1)
        updates = list(fit(model, task, sgd, updates=60 if FAST else 200, batch=16, seed=seed, clip=limit))
        tails.append(np.mean([u.loss for u in updates[-20:]]))
        spikes.append(max(u.norm for u in updates) / np.median([u.norm for u in updates]))
    ends[limit] = np.array(tails)
print("loss without clipping", ends[1e9].round(2), " with", ends[1.0].round(2))
print(f"largest gradient, as a multiple of the usual one: {min(spikes):.0f} to {max(spikes):.0f}")
assert FAST or abs(ends[1e9] - ends[1.0]).max() < 0.2
assert FAST or min(spikes) > 10

# %% [markdown]
# There are spikes of many times the usual length, and yet the losses end close together: in these runs the tanh network got over its
# wild steps, and the single logistic unit above did not. Clipping is an insurance; here the losses with and without it
# differ by less than 0.2.
#
# ## What clipping does not mend
#
# A ReLU unit has no upper end. With $W = 1.2\,I$ (each unit multiplies itself by 1.2) it is not the *gradient* that explodes
# first.

# %% [markdown] question="choice" options="yes, the gradient is cut to length 1 | no, the state itself overflows on the way forward" answer="2 if not np.isfinite(state) else 1"
# A ReLU network with $W = 1.2\,I$ in float32 runs 600 steps. Does clipping save it?

# %%
h = tg.full((1, 4), 0.01)
for t in range(600):
    h = (h * 1.2).relu()
    if t in (49, 299):
        print(f"state after {t + 1} steps: {h.numpy()[0, 0]:.1e}")
state = float(h.numpy()[0, 0])
print("state after 600 steps:", state)
assert state == np.inf

# %% [markdown]
# The state leaves the range of float32 going *forward*, before any gradient exists. Cutting the backward pass short
# (truncation, the next tutorial) does not help either, for the same reason. A squashing unit, a gate, or $W$ with a gain
# of at most 1 does.

# %% [markdown] exercise="1" question="choice" options="(5, 5) and (5, 5) | (3, 4) and (5, 5) | (3, 4) and (3, 4)" answer="2"
# There are two kinds of clipping: by **norm** (the whole vector is shortened) and by **value** (each entry is cut by itself).
# The gradient is (6, 8). What do clipping by norm at 5 and by value at 5 make of it?

# %% [markdown] hint="1"
# The norm of (6, 8) is 10.

# %% solution="1"
p = tg.tensor([0.0, 0.0], requires_grad=True)
made = {}
for name, clip in (("norm", optim.clip_grad_norm_), ("value", optim.clip_grad_value_)):
    p.grad = None
    (p * tg.tensor([6.0, 8.0])).sum().backward()
    clip([p], 5.0)
    made[name] = p.grad.numpy().round(3).tolist()
print(made)
assert np.allclose(made["norm"], [3, 4], atol=1e-3)
assert made["value"] == [5, 5]

# %% [markdown] exercise="2" question="choice" options="shorter steps everywhere | exactly clipping by norm | nothing" answer="2 if same else 1"
# A text advises instead: "monitor the gradient, and where its norm is above a threshold, make the learning rate smaller by the
# factor threshold / norm". What is that, with plain gradient descent (SGD)?

# %% [markdown] hint="2"
# The step is learning rate times gradient. Does it matter which of the two is multiplied? (With Adam
# it does: there the gradient also goes into what the optimizer remembers.)

# %% solution="2"
g, rate, threshold = np.array([6.0, 8.0]), 0.1, 5.0
norm = np.linalg.norm(g)
smaller_rate = rate * min(1, threshold / norm)
same = bool(np.allclose(smaller_rate * g, rate * (g * min(1, threshold / norm))))
print(smaller_rate * g, "both ways")
assert same

# %% [markdown]
# ## In three sentences
#
# A recurrent loss has walls, because fifty applications of the same weights turn a small difference into another outcome. On
# a wall the gradient's direction is right and its length is useless: clipping keeps the one and limits the other. It bounds
# the step and nothing else: a state that grows by itself still overflows.
#
# **What this did not show.** The other old remedy is to stop the gradient after a fixed number of steps. What does a network
# then fail to learn? Tutorial 07.
