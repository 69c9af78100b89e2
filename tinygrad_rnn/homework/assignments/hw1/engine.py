"""Homework 1: an engine that adds up.

A tensor remembers what it was computed from (`parents`) and how a gradient that arrives at it is sent on (`vjp`).
That makes a graph; your work is everything that happens when a gradient travels backward through it.

Write only between the marks: what is outside of them is not handed in. All numbers are float64 arrays of NumPy.
No function may change an array that it is given.
"""

import numpy as np

### BEGIN YOURS
### END YOURS


# ---- 1.1 The slopes of eight functions


def slope(op, x, y):
    """Return the derivative of y = op(x) by x, elementwise.

    op is one of "neg", "exp", "log", "sqrt", "reciprocal", "tanh", "sigmoid", "relu"; x is an array, y = op(x).
    The slope of relu at 0 is 0. Some slopes are simpler in x and some in y.
    """
    ### BEGIN SOLUTION 1.1
    raise NotImplementedError("Task 1.1: for which of the eight is the slope easier to say from y than from x?")
    ### END SOLUTION 1.1


# ---- 1.2 In which order


def topological(root):
    """Return a list of all tensors that root was computed from, and root itself, each after its parents.

    Each tensor is in the list once, and root is the last. `tensor.parents` is a tuple. A chain of 100,000 tensors
    works: no recursion.
    """
    ### BEGIN SOLUTION 1.2
    raise NotImplementedError("Task 1.2: a tensor may send its gradient on when all of it has arrived: who has to come before whom?")
    ### END SOLUTION 1.2


# ---- 1.3 Adding up


def backward(root):
    """Add the derivative of root (one number) by every leaf to that leaf's `grad`, an array of its shape.

    A leaf is a tensor without parents; before the first time its grad is None. A second call adds the derivative once
    more. `tensor.vjp(g)` returns what a tensor sends to its parents: a tuple of arrays, one for each of `tensor.parents`,
    where the same parent can stand more than once. Use `topological`, and call each vjp at most once. No array that you
    are given, such as a message, may be changed.
    """
    ### BEGIN SOLUTION 1.3a
    raise NotImplementedError("Task 1.3: in x * x the tensor x is a parent twice: how many messages does it get, and what becomes of them?")
    ### END SOLUTION 1.3a


def zero_grad(leaves):
    """Forget the gradients of some tensors: the next backward starts from nothing."""
    ### BEGIN SOLUTION 1.3b
    raise NotImplementedError("Task 1.3: in x * x the tensor x is a parent twice: how many messages does it get, and what becomes of them?")
    ### END SOLUTION 1.3b


# ---- 1.4 Back to the shape that it came from


def unbroadcast(message, shape):
    """Return the message, which has the shape of the result, in the shape of the operand.

    In a + b NumPy repeats an operand along axes that it lacks, and along those where its length is 1. A number that was
    used many times gets the sum of what arrives for each use.
    """
    ### BEGIN SOLUTION 1.4
    raise NotImplementedError("Task 1.4: in (2, 3) + (3,), how often was each of the three numbers used?")
    ### END SOLUTION 1.4


# ---- 1.5 Where many numbers meet


def matmul_messages(g, a, b):
    """Return what a and b get for y = a @ b, where g, of the shape of y, arrives at y; a is (m, k), b is (k, n)."""
    ### BEGIN SOLUTION 1.5a
    raise NotImplementedError("Task 1.5: what shape does each message need to have, and which product of g with the other operand has it?")
    ### END SOLUTION 1.5a


def sum_message(g, x, axis):
    """Return what x gets for y = x.sum(axis), where g, of the shape of y, arrives; axis is a number, or None for all."""
    ### BEGIN SOLUTION 1.5b
    raise NotImplementedError("Task 1.5: what shape does each message need to have, and which product of g with the other operand has it?")
    ### END SOLUTION 1.5b


def max_message(g, x, axis):
    """Return what x gets for y = x.max(axis), axis a number. Entries that are equally large share what arrives."""
    ### BEGIN SOLUTION 1.5c
    raise NotImplementedError("Task 1.5: what shape does each message need to have, and which product of g with the other operand has it?")
    ### END SOLUTION 1.5c


def log_softmax(x):
    """Return the logarithm of the softmax of each row of x, (n, k); right also where x is in the thousands."""
    ### BEGIN SOLUTION 1.5d
    raise NotImplementedError("Task 1.5: what shape does each message need to have, and which product of g with the other operand has it?")
    ### END SOLUTION 1.5d


def log_softmax_message(g, y):
    """Return what x gets for y = log_softmax(x), (n, k), where g, of the shape of y, arrives at y."""
    ### BEGIN SOLUTION 1.5e
    raise NotImplementedError("Task 1.5: what shape does each message need to have, and which product of g with the other operand has it?")
    ### END SOLUTION 1.5e


# ---- 1.6 Trust nobody


def gradcheck(f, x, gradient):
    """Return True if `gradient` is the derivative of f at x, else False.

    f takes an array of the shape of x and returns one number. Compare with what f does when a single entry of x moves a
    little (1e-6) to either side. At a kink, where the slopes to the left and to the right differ, anything between the
    two is right. Numbers are rounded: a gradient that differs from the slope by 1e-4 of it is right, one that differs by
    1e-2 of it is wrong. So is one of another shape, or with a NaN. x is as before when you return.
    """
    ### BEGIN SOLUTION 1.6
    raise NotImplementedError("Task 1.6: what would your check say of a gradient that is right in all entries but the last? And of NaN?")
    ### END SOLUTION 1.6


# ---- The tensor: nothing to write from here on, but to read


class Tensor:
    """An array that remembers what it was computed from."""

    def __init__(self, data, parents=(), vjp=None, op=None):
        self.data = np.asarray(data, dtype=np.float64)
        self.parents, self.vjp, self.op, self.grad = tuple(parents), vjp, op, None

    def __add__(self, other):
        other = as_tensor(other)
        a, b = self.data, other.data
        return Tensor(a + b, (self, other), lambda g: (fitted(g, a.shape), fitted(g, b.shape)), "add")

    def __mul__(self, other):
        other = as_tensor(other)
        a, b = self.data, other.data
        return Tensor(a * b, (self, other), lambda g: (fitted(g * b, a.shape), fitted(g * a, b.shape)), "mul")

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, (self, other), lambda g: matmul_messages(g, a, b), "matmul")

    def __sub__(self, other):
        return self + -as_tensor(other)

    def __truediv__(self, other):
        return self * as_tensor(other).apply("reciprocal")

    def __neg__(self):
        return self.apply("neg")

    def apply(self, op):
        """Return op(self) for one of the eight functions."""
        x, y = self.data, FUNCTIONS[op](self.data)
        return Tensor(y, (self,), lambda g: (g * slope(op, x, y),), op)

    def tanh(self):
        return self.apply("tanh")

    def sum(self, axis=None):
        x = self.data
        return Tensor(x.sum(axis), (self,), lambda g: (sum_message(g, x, axis),), "sum")

    def max(self, axis):
        x = self.data
        return Tensor(x.max(axis), (self,), lambda g: (max_message(g, x, axis),), "max")

    def log_softmax(self):
        y = log_softmax(self.data)
        return Tensor(y, (self,), lambda g: (log_softmax_message(g, y),), "log_softmax")

    def backward(self):
        backward(self)


FUNCTIONS = {
    "neg": lambda x: -x,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "reciprocal": lambda x: 1 / x,
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(0.5 * x),
    "relu": lambda x: np.maximum(x, 0),
}


def fitted(message, shape):
    """Return the message in the shape of the operand; it is the message itself where that is its shape already."""
    return message if message.shape == shape else unbroadcast(message, shape)


def as_tensor(x):
    return x if isinstance(x, Tensor) else Tensor(x)


# ---- Two graphs to try


def chain(x, length):
    """Return x + 0 + 0 + ..., with so many additions."""
    zero = Tensor(0.0)
    for _ in range(length):
        x = x + zero
    return x


def doubled(x, times):
    """Return x + x, added to itself again, so many times: few tensors, but 2 ** times ways from the end to x."""
    for _ in range(times):
        x = x + x
    return x


def changed_by(function, *arguments):
    """Return the numbers of the arrays that a call of the function changes: [] is right. (Nothing to write here.)"""
    before = [each.copy() if isinstance(each, np.ndarray) else each for each in arguments]
    function(*arguments)
    arrays = [number for number, each in enumerate(arguments) if isinstance(each, np.ndarray)]
    return [number for number in arrays if not np.array_equal(arguments[number], before[number])]
