# %% [markdown] minutes="20" seconds="2"
# # 01 A slope for every number
#
# *Why does the order in which a graph is walked back decide whether the gradient is right?*
#
# A network learns by knowing, for every number in it, how the error would change if that number changed a little:
# its **slope**, the derivative of the error (all slopes together are called the **gradient**). In this tutorial you find one slope by hand, write an engine of about
# eighty lines that finds all of them, and see three other backward walks fail: two on a graph of five numbers, one by
# sending far more messages than there are edges.
#
# You need Python and the idea of a derivative. Nothing else is assumed.

# %% [markdown]
# ## One weight, four examples
#
# A network with a single weight $W$ shall double its input: $y = W x$ for $x = 0, 1, 2, 3$, and we want $y = 2x$. The
# error is $E(W) = \sum_x (W x - 2 x)^2$. All four examples pull at the same weight, so
# $E(W) = (W-2)^2 (0 + 1 + 4 + 9) = 14\,(W-2)^2$, and its slope is $28\,(W-2)$.

# %%
import os
from collections import Counter, deque

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import viz

FAST = bool(os.environ.get("TINYGRAD_RNN_FAST"))
x = np.arange(4.0)


def error(W):
    return float(((W * x - 2 * x) ** 2).sum())


def slope(W):
    return float((2 * (W * x - 2 * x) * x).sum())


for W in (0.0, 2.0, 3.0):
    print(f"W = {W:.0f}   E = {error(W):4.0f}   slope = {slope(W):5.0f}")
assert (error(0), error(2), error(3), slope(3)) == (56, 0, 14, 28)

# %% [markdown] question="number" answer="landed" tolerance="0.01"
# We stand at $W = 3$, where the slope is 28, and take one step of gradient descent with the learning rate $1/28$. Where
# does $W$ land?

# %% [markdown] question="choice" options="at 2 as well | at 3 again | at 4" answer="('2.0', '3.0', '4.0').index(f'{added:.1f}') + 1"
# Some texts say that the correction is *added* to the weight. Where does the same step land if you forget the minus sign?

# %%
rate = 1 / 28
landed = 3 - rate * slope(3)
added = 3 + rate * slope(3)
print(f"minus the slope: 3 -> {landed:.0f}, error {error(landed):.0f}")
print(f"plus the slope:  3 -> {added:.0f}, error {error(added):.0f}")

fig, ax = plt.subplots(figsize=(6, 3.5))
curve = np.linspace(-0.5, 4.5, 200)
ax.plot(curve, [error(W) for W in curve], color="0.6")
for W, words in ((3, "start"), (landed, "minus the slope"), (added, "plus the slope")):
    ax.plot(W, error(W), "o", markersize=9)
    side = -1 if W > 3.5 else 1
    ax.annotate(f"{words}: W = {W:.0f}", (W, error(W)), (12 * side, 4), textcoords="offset points",
                ha="right" if side < 0 else "left")  # fmt: skip
ax.set(xlabel="weight W", ylabel="error E(W)", title="One step along the slope, and one against it")
viz.show(fig, name="doubling")
assert abs(landed - 2) < 1e-12 and abs(added - 4) < 1e-12

# %% [markdown]
# The slope points *uphill*: whoever adds it climbs. With the minus sign one step suffices here, and only because the
# curve is a parabola and the rate was chosen for it.
#
# ## Numbers that remember where they came from
#
# Working out $28 (W-2)$ by hand does not go far: a recurrent network has thousands of weights, each used at every step.
# The way out is to let every number **remember** what it was computed from, and the slope of that one small operation.
# For $c = a \cdot b$ the slopes are $\partial c / \partial a = b$ and $\partial c / \partial b = a$; for $c = a + b$
# both are 1. Each operation knows only itself.


# %%
class Number:
    """A number, the numbers it was computed from, and its slope with respect to each of them."""

    def __init__(self, data, parents=(), slopes=()):
        self.data = data
        self.parents = parents
        self.slopes = slopes
        self.grad = 0.0

    def __add__(self, other):
        other = other if isinstance(other, Number) else Number(other)
        return Number(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Number) else Number(other)
        return Number(self.data * other.data, (self, other), (other.data, self.data))

    def tanh(self):
        y = float(np.tanh(self.data))
        return Number(y, (self,), (1 - y * y,))

    def __sub__(self, other):
        return self + other * -1.0

    __radd__, __rmul__ = __add__, __mul__


a = Number(2.0)
y = a * a + a
print("y =", y.data, "was computed from", [parent.data for parent in y.parents], "with slopes", y.slopes)
assert y.data == 6 and y.parents[0].parents == (a, a)

# %% [markdown]
# Notice the last line of the code: `a * a` remembers `a` **twice**. It was used twice, so two messages will come back to it. Whoever
# keeps the parents in a set loses one of them.
#
# ## Walking back
#
# The chain rule along one edge: the message to a parent is *slope of the edge* times *the gradient of the child*. A number
# that was used several times receives several messages, and they **add up**. So: start with 1 at the end, hand messages
# back. That leaves one question open: in which order?
#
# Here are three walks that people write. (`sorted_backward`, which the first one uses, comes in the next cell.)


# %%
def overwriting(end):
    """Parents after all their children; each message replaces what was there."""
    for child in sorted_backward(end):
        for parent, slope in zip(child.parents, child.slopes):
            parent.grad = slope * child.grad


def breadth_first(end):
    """Nearest to the end first; messages add up."""
    waiting, seen = deque([end]), {end}
    while waiting:
        child = waiting.popleft()
        for parent, slope in zip(child.parents, child.slopes):
            parent.grad += slope * child.grad
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def pushing(end, message=1.0):
    """Each message is handed on at once, all the way to the leaves; returns how many were sent."""
    sent = 0
    for parent, slope in zip(end.parents, end.slopes):
        parent.grad += slope * message
        sent += 1 + pushing(parent, slope * message)
    return sent


tree = Number(2.0) * 3.0 + 1.0
breadth_first_tree, tree.grad = tree.parents[0].parents[0], 1.0
breadth_first(tree)
print("a tree, breadth first:", breadth_first_tree.grad)
assert breadth_first_tree.grad == 3.0

# %% [markdown]
# On a **tree**, where every number is used once, breadth first is right: whatever goes from child to parent works. That is why
# the fault goes unnoticed. The fourth walk
# waits: a number hands its gradient on only when *all* messages to it have arrived. To know when, count beforehand how
# often each number was used.


# %%
def sorted_backward(end):
    """Yield every number behind `end`, each only after all that were computed from it."""
    uses, waiting = Counter(), [end]
    while waiting:
        for parent in waiting.pop().parents:
            uses[parent] += 1
            if uses[parent] == 1:
                waiting.append(parent)
    ready = [end]
    while ready:
        child = ready.pop()
        yield child
        for parent in child.parents:
            uses[parent] -= 1
            if uses[parent] == 0:
                ready.append(parent)


def backward(end):
    """Add to .grad of every number behind `end` its slope: d end / d number."""
    end.grad = 1.0
    for child in sorted_backward(end):
        for parent, slope in zip(child.parents, child.slopes):
            parent.grad += slope * child.grad


a, b = Number(2.0), Number(-3.0)
backward(a * b + a * a)
assert (a.grad, b.grad) == (b.data + 2 * a.data, a.data)

# %% [markdown]
# No recursion anywhere: a chain of a hundred thousand steps walks back like one of three. Now the smallest graph with arms
# of *unequal* length that tells the walks apart:
#
# $$b = a \cdot a, \qquad f = (b + a) + a, \qquad d = b \cdot f, \qquad a = 2.$$
#
# Written out, $d = a^4 + 2a^3$, so the slope is $4a^3 + 6a^2 = 32 + 24 = 56$.

# %% [markdown] question="choice" options="it says 56 too | too little: b hands on before f's message has come | too much: a is counted twice" answer="1 if found['breadth first'] == 56 else 2 if found['breadth first'] < 56 else 3"
# What does the breadth-first walk say about $a$? It meets $b$ (one edge away from $d$) before $b + a$.

# %%
found = {}
walks = {"overwriting": overwriting, "breadth first": breadth_first, "pushing": pushing, "sorted": backward}
for name, walk in walks.items():
    a = Number(2.0)
    b = a * a
    d = b * ((b + a) + a)
    d.grad = 1.0
    walk(d)
    found[name] = a.grad
    print(f"{name:14} {a.grad:4.0f}   {'right' if a.grad == 56 else 'wrong'}")
assert found == {"overwriting": 8, "breadth first": 40, "pushing": 56, "sorted": 56}

# %% [markdown]
# Breadth first, $b$ passes on the 8 it got from $d$ and has no second turn when 4 more arrive through the middle.
# Here is the same graph with the gradients of the real engine: follow the messages from right to left.

# %%
A = tg.tensor(2.0, dtype="float64", requires_grad=True).named("a")
B = (A * A).named("b")
D = (B * ((B + A) + A).named("f")).named("d")
viz.show(viz.draw(viz.gradient_flow(D, edges=True), title="d = b * f: value and gradient of each number"), name="five")
D.backward()
print("the engine says", A.grad.item())
assert A.grad.item() == found["sorted"] == 56

# %% [markdown] question="number" answer="sent" tolerance="0.95"
# *Pushing* was right. What is wrong with it? Ten times in a row we compute $x \leftarrow (x + x) + x$: that makes 40 edges.
# How many messages does it send? (A rough guess will do: 40, 400, ... ?)

# %%
end = Number(1.0)
for _ in range(10):
    end = (end + end) + end
edges = sum(len(child.parents) for child in sorted_backward(end))
sent = pushing(end)
print(f"{edges} edges, {sent:,} messages; the sorted walk sends {edges}")
years = 2 * (3**50 - 1) / 1e9 / (365 * 24 * 3600)
print(f"fifty times in a row, at a billion messages a second: {years / 1e6:.0f} million years")
assert (edges, sent) == (40, 118_096) and sent == 2 * (3**10 - 1)
assert years > 4e7

# %% [markdown]
# Every path is walked alone: four messages at the last level, three times as many at the one before, and so on,
# $4\,(1 + 3 + \ldots + 3^9) = 2\,(3^{10} - 1)$. Fifty such steps would take
# more than forty million years. Waiting for all messages turns the sum over *paths* into a sum over *edges*. That is all of
# reverse-mode differentiation.
#
# ## Learning with it
#
# The doubling network once more, its slope found by our engine instead of by hand.

# %%
W, rate, steps = Number(3.0), 0.01, 0
while True:
    total = Number(0.0)
    for value in x:
        miss = W * value - 2 * value
        total = total + miss * miss
    W.grad = 0.0  # gradients add up: without this line each step would also take all steps before it
    backward(total)
    if total.data < 1e-5:
        break
    assert abs(W.grad - slope(W.data)) < 1e-9
    W.data -= rate * W.grad
    steps += 1
print(f"W = {W.data:.4f} after {steps} steps")
assert abs(W.data - 2) < 1e-3 and steps == 22

# %% [markdown] exercise="1" question="number" answer="1 / factor" tolerance="0.01"
# Suppose the inputs are 0, 1, 2, 3, 4 instead of 0 to 3. Which learning rate reaches $W = 2$ in one step?

# %% [markdown] hint="1"
# For 0 to 3 it was one over the factor in the slope $28 (W - 2)$. Where did 28 come from?

# %% solution="1"
five = np.arange(5.0)
factor = 2 * (five**2).sum()
print(f"E = {factor / 2:.0f} (W - 2)^2, slope = {factor:.0f} (W - 2), so the rate is 1/{factor:.0f}")
assert factor == 60 and 3 - (1 / factor) * 2 * ((3 * five - 2 * five) * five).sum() == 2

# %% [markdown] exercise="2" question="number" answer="a.grad" tolerance="0.01"
# $a = 1$, $b = a + a$, $c = b + b$. The slope of $c$ with respect to $a$ is 4. What does the walk that *overwrites* say?

# %% [markdown] hint="2"
# Each of the two messages to b is 1. What is left in b after the second one?

# %% solution="2"
a = Number(1.0)
b = a + a
c = b + b
c.grad = 1.0
overwriting(c)
print("overwriting says", a.grad, "instead of 4")
assert a.grad == 1.0

# %% [markdown]
# ## In three sentences
#
# Each operation knows its own slope, and a number that was used several times adds up the messages it receives. A number
# may hand its gradient on only after all its messages have come, or the result is wrong (or takes far too long). The same
# walk finds every slope in one pass, however many numbers there are.
#
# **What this did not show.** Our numbers are scalars: a matrix product of 100 by 100 would make two million of them.
# The next tutorial puts arrays in their place, and asks how you would ever notice that one of the slopes is wrong. The
# engine's own walk is `walk` in `tinygrad_rnn/engine/autograd.py`; it finds the order more simply, since every number
# carries the count of those made before it: the youngest goes first.
