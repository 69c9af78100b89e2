# %% [markdown] minutes="15" seconds="20"
# # 11 Same name, other equations
#
# *Why do weights that fit give wrong answers?*
#
# You train a GRU in one library and load its weights into another. Names and shapes fit, nothing complains, and
# the answers are wrong. Two papers, four programs: they agree on the name GRU and on the shapes of its weights, and not on
# the equations. You will see both differences, mend the one that can be mended, and learn why a test may miss both.
#
# A **gated recurrent unit** computes from its input $x$ and state $h$ a **reset gate** $r$, an **update gate** $z$ (numbers
# between 0 and 1), a candidate $n$, and mixes:

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, tasks, viz
from tinygrad_rnn.train import SequenceModel, assess, fit

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def gru(x, h, W, R, b, c, update="keep", reset="after"):
    """One step in NumPy. x (I,), h (H,); W (3H, I), R (3H, H), b and c (3H,): rows in the order r, z, n."""
    (Wr, Wz, Wn), (Rr, Rz, Rn) = np.split(W, 3), np.split(R, 3)
    (br, bz, bn), (cr, cz, cn) = np.split(b, 3), np.split(c, 3)
    r = sigmoid(Wr @ x + br + Rr @ h + cr)
    z = sigmoid(Wz @ x + bz + Rz @ h + cz)
    n = np.tanh(Wn @ x + bn + (r * (Rn @ h + cn) if reset == "after" else Rn @ (r * h) + cn))
    return (1 - z) * n + z * h if update == "keep" else (1 - z) * h + z * n


draw = np.random.default_rng(0)
I, H = 3, 5
x, h, *weights = (draw.standard_normal(s) for s in ((I,), (H,), (3 * H, I), (3 * H, H), (3 * H,), (3 * H,)))
cell = nn.GRUCell(I, H, dtype="float64")
cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), map(tg.tensor, weights))))
difference = np.abs(cell(tg.tensor(x), tg.tensor(h)).numpy() - gru(x, h, *weights)).max()
print(f"nn.GRUCell against the twelve lines above: {difference:.0e}")
assert difference < 1e-14

# %% [markdown]
# The last line of `gru` holds the first difference. In Cho's paper of 2014, PyTorch, Keras and ONNX, $z = 1$ **keeps** the old
# state: $h' = (1-z)\,n + z\,h$. In Chung's paper of the same year, and in many texts, $z = 1$ **renews** it:
# $h' = (1-z)\,h + z\,n$.

# %% [markdown] question="choice" options="hardly: it is only a matter of naming | much: by about the size of the state itself" answer="2 if np.median(apart['renew', 'after']) > 0.3 else 1"
# Same weights, other reading of $z$, eight steps of random input. How much do the outputs differ?

# %%
CONVENTIONS = [("keep", "after"), ("renew", "after"), ("keep", "before"), ("renew", "before")]


def outputs(weights, update, reset, seed, steps=8, size=I):
    draw, h = np.random.default_rng(seed), np.zeros(weights[1].shape[1])
    for _ in range(steps):
        h = gru(draw.standard_normal(size), h, *weights, update, reset)
    return h


def random_weights(seed, scale=1.0, hidden=H):
    draw = np.random.default_rng((1, seed))
    return [
        scale * draw.uniform(-1, 1, s) for s in ((3 * hidden, I), (3 * hidden, hidden), (3 * hidden,), (3 * hidden,))
    ]


apart = {}
for convention in CONVENTIONS:
    apart[convention] = [np.abs(outputs(random_weights(s), *convention, s) - outputs(random_weights(s), "keep", "after", s)).max()
                         for s in range(5)]  # fmt: skip
    print(
        f"update={convention[0]:6} reset={convention[1]:7} differs from PyTorch's by {np.median(apart[convention]):.2f}"
    )
assert np.median(apart["renew", "after"]) > 0.3
assert 0.05 < np.median(apart["keep", "before"]) < np.median(apart["renew", "after"])

# %% [markdown]
# ## The sign can be mended
#
# The two readings are mirror images: one's $z$ is the other's $1 - z$, and $1 - \sigma(a) = \sigma(-a)$.

# %% [markdown] question="choice" options="the rows of r | the rows of z in the weights | the rows of z in weights and both biases" answer="3 if errors['z, weights and biases'] < 1e-12 else 2"
# Which rows must be negated to turn weights of one kind into the other?

# %%
rows = {"r": slice(0, H), "z": slice(H, 2 * H)}
errors = {}
for name, gate, parts in (("r", "r", 4), ("z, weights only", "z", 2), ("z, weights and biases", "z", 4)):
    converted = [w.copy() for w in random_weights(0)]
    for w in converted[:parts]:
        w[rows[gate]] *= -1
    errors[name] = np.abs(
        outputs(converted, "renew", "after", 0) - outputs(random_weights(0), "keep", "after", 0)
    ).max()
    print(f"negating {name:22} leaves an error of {errors[name]:.0e}")
assert errors["z, weights and biases"] < 1e-15
assert min(errors["r"], errors["z, weights only"]) > 1e-3

# %% [markdown]
# ## The place of the reset gate cannot
#
# Second difference: $r$ acts on the product, $r \odot (R_n h)$, or on the state before it, $R_n (r \odot h)$. In the papers
# before; in PyTorch, cuDNN and Keras after (one big product is faster). No change of weights turns one into the
# other: in the first, each row of $R_n$ is scaled as a whole; in the second, each column.

# %%
fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
shown = {**apart, ("renew", "after", "z rows negated"): [errors["z, weights and biases"]]}
for i, values in enumerate(shown.values()):
    ax.plot([max(v, 1e-17) for v in values], [i] * len(values), "o", color="C0" if i else "0.5")
ax.set_yticks(range(len(shown)), [", ".join(key) for key in shown])
ax.set(xscale="log", xlabel="largest difference from PyTorch's output (same weights)",
       title="Four cells called GRU")  # fmt: skip
ax.invert_yaxis()
viz.show(fig, name="conventions")
assert max(apart["keep", "after"]) == 0

# %% [markdown]
# ## Would you notice?
#
# Train a GRU on two tasks and let it run with the wrong sign of $z$, then with the reset gate in the wrong place. The first
# task is a *classification*: which bit was shown at the first step? The second a *regression*: the sum of two marked numbers.

# %% [markdown] question="choice" options="both notice at once | the classification hides it, the regression shows it | both hide it" answer="2 if max(wrong['first_bit']) < 0.05 and max(wrong['adding']) > 5 * right['adding'] else 1"
# Which task tells that the reading is wrong?

# %% seconds="15" keep="right wrong"
settings = {
    "first_bit": (tasks.FirstBitTask(10), 8, 150, "wrong"),  # the share of wrong answers
    "adding": (tasks.AddingTask(8), 24, 300 if FAST else 1500, "loss"),
}
right, wrong = {}, {}
for name, (task, hidden, updates, measure) in settings.items():
    tg.manual_seed(1)
    model = SequenceModel.for_task(task, "gru", hidden)
    adam = optim.Adam(model.parameters(), lr=1e-2)
    for _ in fit(model, task, adam, updates=updates, batch=32, seed=1):
        pass
    misread = []
    for other in ("gru:update=renew", "gru:reset=before", "gru:update=renew:reset=before"):
        twin = SequenceModel.for_task(task, other, hidden)
        twin.load_state_dict(model.state_dict(), strict=False)  # strictly, this library refuses another cell's state
        misread.append(assess(twin, task, batch=256, seed=9)[measure])
    right[name] = assess(model, task, batch=256, seed=9)[measure]
    wrong[name] = misread
    print(f"{name:10} right {right[name]:.4f};  sign {misread[0]:.4f}, reset {misread[1]:.4f}, both {misread[2]:.4f}")
assert max(wrong["adding"]) > 5 * right["adding"]

# %% [markdown]
# A classification asks only which number is larger, and a network that is sure of itself stays on the right side with any
# reading. A regression asks for the number. So **compare weights between libraries on outputs, not on accuracy**.
#
# Converters know this: `nn.from_keras` and `nn.from_onnx` read the convention from the file, negate where that helps, and
# build the other cell (`reset="before"`) where it does not.

# %% [markdown] exercise="1" question="number" answer="count" tolerance="0.001"
# How many parameters has a GRU with $I = 10$ inputs and $H = 20$ units, with both biases?

# %% [markdown] hint="1"
# Three blocks (r, z, n); each has a matrix from the input, one from the state, and two biases.

# %% solution="1"
count = sum(p.numpy().size for p in nn.GRUCell(10, 20).parameters())
print(count, "=", "3 H (I + H + 2)")
assert count == 3 * 20 * (10 + 20 + 2)

# %% [markdown] exercise="2" question="choice" options="yes, any difference shows | no, for one unit both places of the reset gate give the same" answer="2 if same else 1"
# To keep a test small you take $H = 1$ and leave the biases at 0. Does it find that the reset gate sits in the wrong place?

# %% [markdown] hint="2"
# With one unit $R_n$ is a single number. Compare $r (R h)$ with $R (r h)$.

# %% solution="2"
one = random_weights(3, hidden=1)
one[3][2] = 0.0  # the bias inside the reset gate
same = bool(np.allclose(outputs(one, "keep", "after", 3), outputs(one, "keep", "before", 3), rtol=1e-12))
print("H = 1: equal" if same else "H = 1: different")
assert same

# %% [markdown]
# ## In three sentences
#
# Cells of the same name differ in what a gate of 1 means and in where a gate acts. The first difference is undone by negating
# rows in weights *and* biases, the second by nothing. Accuracy, one unit and zero biases each hide such a difference, so compare
# outputs, with several units, random biases and weights of the size of 1.
#
# **What this did not show.** That one convention would be better than another: for learning from scratch they are alike.
