# %% [markdown] minutes="20" seconds="2"
# # 02 An op is one screen
#
# *How do you find out that a derivative is wrong?*
#
# In tutorial 01 every number knew the slope of the operation that made it. Now arrays take the place of numbers, and an
# operation (an **op**) becomes a class with two methods: how to compute it, and how to send a gradient back through it.
# Both fit on one screen. Writing them is easy; *trusting* them is what this tutorial is about.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.errors import DTypeError, GradcheckError


class Tanh(tg.Op):
    @staticmethod
    def forward(backend, x):
        return np.tanh(x)

    @staticmethod
    def vjp(node, g):
        y = node.output()
        return g * (1 - y * y)


x = tg.tensor([-1.0, 0.5, 2.0], dtype="float64", requires_grad=True)
y = tg.apply(Tanh, x)
y.sum().backward()
print("tanh      ", y.numpy())
print("its slope ", x.grad.numpy())
assert np.allclose(x.grad.numpy(), 1 - np.tanh(x.numpy()) ** 2)

# %% [markdown]
# `forward` gets plain arrays. `vjp` gets the gradient `g` of the op's *output* and returns that of its *input*. The name
# stands for vector-Jacobian product: each output element has a slope with respect to each input element (the
# **Jacobian**), and `g` is multiplied into it without ever writing the whole table down. For tanh the table is
# diagonal, so `g` is multiplied element by element.
#
# ## Asking the function itself
#
# A slope can also be had without any rule: move the input a little to both sides and see what the output does,
# $(f(x + \varepsilon) - f(x - \varepsilon)) / 2 \varepsilon$. This **central difference** is slow (two runs for each
# input number) and not exact, but it knows nothing of our derivation, so it cannot share our mistake.


# %%
def central(f, x, step):
    """The slope of f at x by a central difference: f takes and returns one number."""
    return (f(x + step) - f(x - step)) / (2 * step)


by_rule = 1 - np.tanh(0.5) ** 2
by_difference = central(np.tanh, 0.5, 1e-6)
print(f"by rule {by_rule:.12f}, by difference {by_difference:.12f}")
assert abs(by_rule - by_difference) < 1e-9

# %% [markdown] question="choice" options="the smaller the better | best near 1e-5, worse on both sides | the step does not matter" answer="2 if errors['float64'].min() < 1e-3 * min(errors['float64'][0], errors['float64'][-1]) else 1"
# The rule for a derivative says "as the step goes to 0". Which step gives the best central difference in float64, whose
# numbers have about 16 digits?

# %%
steps = 10.0 ** np.arange(-12, 0)
points = np.random.default_rng(0).standard_normal(200)
errors = {}
for dtype in ("float64", "float32"):
    p, true = points.astype(dtype), 1 - np.tanh(points.astype(dtype).astype("float64")) ** 2
    found = np.array([(np.tanh(p + dtype_step) - np.tanh(p - dtype_step)) / (2 * dtype_step)
                      for dtype_step in steps.astype(dtype)])  # fmt: skip
    errors[dtype] = np.median(np.abs(found - true), axis=1)

fig, ax = plt.subplots(figsize=(6, 3.8))
for dtype, error in errors.items():
    ax.loglog(steps, error, "o-", label=dtype)
ax.set(xlabel="step", ylabel="error of the slope", title="Too long a step bends, too short a step drowns in rounding")
ax.legend()
viz.show(fig, name="step")
best = {dtype: (steps[error.argmin()], error.min()) for dtype, error in errors.items()}
for dtype, (step, error) in best.items():
    print(f"{dtype}: best step {step:.0e}, error there {error:.0e}")
assert 5e-7 < best["float64"][0] < 2e-5 < best["float32"][0]
assert best["float64"][1] < 1e-10 < 1e-6 < best["float32"][1]

# %% [markdown]
# Two errors pull in opposite directions. A long step sees the curve bend. A short step subtracts two nearly equal numbers,
# and their last digits are rounding. In float32 (7 digits) the best that can be had is too coarse to tell a small
# mistake from noise. So **derivatives are checked in float64**.
#
# `tg.gradcheck` does this for every input element against every output element, and raises an error that names the worst.

# %%
x = tg.tensor([-1.0, 0.5, 2.0], dtype="float64", requires_grad=True)
passed = tg.gradcheck(lambda x: tg.apply(Tanh, x), x)
try:
    tg.gradcheck(lambda x: tg.apply(Tanh, x), tg.tensor([0.5], dtype="float32", requires_grad=True))
except DTypeError as error:  # the engine refuses what could not be judged
    refusal = str(error)
print(passed, "|", refusal)
assert passed and "float64" in refusal

# %% [markdown]
# ## Five wrong derivatives
#
# Each of these has been handed in as homework. `y` is tanh of `x`.


# %%
def tanh_with(rule):
    """A tanh whose derivative follows `rule(g, x, y)`."""

    class Wrong(tg.Op):
        forward = Tanh.forward

        @staticmethod
        def vjp(node, g):
            return rule(g, node.input(0), node.output())

    return lambda x: tg.apply(Wrong, x)


rules = {
    "1 - y": lambda g, x, y: g * (1 - y),
    "(1 - y)^2": lambda g, x, y: g * (1 - y) * (1 - y),
    "y^2 - 1": lambda g, x, y: g * (y * y - 1),
    "g forgotten": lambda g, x, y: 1 - y * y,
    "1 - x^2": lambda g, x, y: g * (1 - x * x),
}
weights = tg.tensor([1.0, 2.0, 3.0, 4.0], dtype="float64")  # so that g is not simply 1
assert len(rules) == 5

# %% [markdown] question="choice" options="yes, all five | no, one passes | no, two pass" answer="1 + sum(caught[name, 0.1] is False for name in rules)"
# We check all five at inputs of about 0.1. Does gradcheck catch them all?

# %%
caught = {}
for name, rule in rules.items():
    f = tanh_with(rule)
    for scale in (0.01, 0.1, 1.0):
        values = scale * np.random.default_rng(1).standard_normal(4)
        x = tg.tensor(values, dtype="float64", requires_grad=True)
        try:
            tg.gradcheck(lambda x, f=f: (f(x) * weights).sum(), x)
            caught[name, scale] = False
        except GradcheckError:
            caught[name, scale] = True
    print(f"{name:12}", *("caught " if caught[name, scale] else "PASSES " for scale in (0.01, 0.1, 1.0)))
assert not caught["1 - x^2", 0.01] and not caught["1 - x^2", 0.1] and caught["1 - x^2", 1.0]
assert all(found for (name, _), found in caught.items() if name != "1 - x^2")

# %% [markdown]
# Near 0, tanh(x) is almost x, so *input instead of output* is almost right there. Networks are started with small
# numbers, so this mistake also trains for a while before anything looks strange. Check at the scale of 1, where
# a function shows its shape.
#
# ## What the engine does for every op
#
# Add a bias of shape (3,) to a batch of shape (2, 3): NumPy repeats it for both rows. Going back, each bias element was
# used twice, and messages add up (tutorial 01). So its gradient must have the *bias's* shape. An op need not care: its
# vjp returns a gradient of the output's shape, and the engine fits it to the parent in one place.

# %% [markdown] question="choice" options="(2, 3), the shape of the sum | (3,), the column sums | (3,), the column means" answer="2 if bias.grad.shape == (3,) and np.allclose(bias.grad.numpy(), g.numpy().sum(axis=0)) else 1"
# The bias has shape (3,), the batch (2, 3). What is the gradient of the bias?

# %%
batch = tg.tensor(np.arange(6.0).reshape(2, 3), dtype="float64")
bias = tg.tensor([0.1, 0.2, 0.3], dtype="float64", requires_grad=True)
g = tg.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]], dtype="float64")
(batch + bias).backward(g)
print("gradient of the sum:\n", g.numpy())
print("gradient of the bias:", bias.grad.numpy())
assert bias.grad.numpy().tolist() == [11, 22, 33]

# %% [markdown]
# ## A derivative is more graph
#
# A vjp is written with tensor methods (`g * (1 - y * y)`), not with NumPy. So the backward pass is itself a computation
# that can be differentiated: the second derivative of tanh comes for free, and can be checked the same way.

# %%
x = tg.tensor(0.5, dtype="float64", requires_grad=True)
(first,) = tg.grad(tg.apply(Tanh, x), [x], create_graph=True)
(second,) = tg.grad(first, [x])
by_hand = -2 * np.tanh(0.5) * (1 - np.tanh(0.5) ** 2)
print(f"second derivative {second.item():.6f}, by hand {by_hand:.6f}")
print("backward, as text:\n" + viz.listing(first))
assert abs(second.item() - by_hand) < 1e-12
assert tg.gradgradcheck(lambda x: tg.apply(Tanh, x), tg.tensor([0.3, -1.2], dtype="float64", requires_grad=True))

# %% [markdown]
# ## Through the engine's own files
#
# You can now read the real thing; each file is short.
#
# 1. `tinygrad_rnn/engine/ops/elementwise.py`: the ops, forward and vjp side by side, tanh among them.
# 2. `tinygrad_rnn/engine/graph.py`: a node remembers its op, its parents (in order, `x * x` twice) and its result.
# 3. `tinygrad_rnn/engine/autograd.py`: the walk of tutorial 01, the youngest node first.
# 4. `tinygrad_rnn/engine/tensor.py`: the handle that you hold, and its methods.
#
# How long is it? The next cell counts.

# %%
from pathlib import Path

room = Path(tg.__file__).parent / "engine"
lines = {name: len((room / name).read_text(encoding="utf-8").splitlines())
         for name in ("graph.py", "autograd.py", "tensor.py", "ops/elementwise.py")}  # fmt: skip
for name, count in lines.items():
    print(f"{count:5} lines  {name}")
assert all(count < 1000 for count in lines.values())

# %% [markdown] exercise="1" question="choice" options="g * 2 * sin(x) | g * sin(2 * x) | g * 2 * cos(x)" answer="2"
# Write an op that computes $\sin(x)^2$ with its vjp. Which of these is the vjp?

# %% [markdown] hint="1"
# The outer slope is $2 \sin x$, the inner one $\cos x$. There is a formula for $2 \sin x \cos x$.


# %% solution="1"
class SquaredSine(tg.Op):
    @staticmethod
    def forward(backend, x):
        return np.sin(x) ** 2

    @staticmethod
    def vjp(node, g):
        return g * (node.input(0) * 2).sin()


x = tg.tensor([0.3, 1.0, 2.5], dtype="float64", requires_grad=True)
print(tg.gradcheck(lambda x: tg.apply(SquaredSine, x), x))
assert tg.gradcheck(lambda x: tg.apply(SquaredSine, x), x)

# %% [markdown] exercise="2" question="choice" options="yes | no, it raises | no, and nobody notices" answer="1 if verdict else 2"
# relu has a kink at 0: slope 0 on its left, 1 on its right. Does gradcheck accept it at exactly $x = 0$?

# %% [markdown] hint="2"
# The central difference looks at both sides. What is (1e-6 - 0) / 2e-6, and which slope does the rule give?

# %% solution="2"
kink = tg.tensor([0.0], dtype="float64", requires_grad=True)
try:
    verdict = tg.gradcheck(lambda x: x.relu(), kink)
except GradcheckError as error:
    verdict = False
    print(error)
assert not verdict

# %% [markdown]
# ## In three sentences
#
# An op is a forward function and a rule that sends a gradient back; everything else the engine does for it. A rule is
# trusted when central differences in float64, at inputs of the size of 1 and with unequal incoming gradients, agree.
# Small inputs, float32, a `g` of ones and kinks each hide or feign a mistake.
#
# **What this did not show.** Gradcheck compares a derivative with its *own* forward pass. If the forward pass is wrong
# (two gates of an LSTM exchanged), the derivative of the wrong thing is right, and gradcheck is content. That takes other
# detectors; tutorial 10 has them.
