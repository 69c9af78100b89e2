"""Homework 3: through time by hand.

A cell reads a sequence, one step at a time, and keeps a state. At step t

    h_t = tanh(x_t U + h_{t-1} W + b)        y_t = h_t V + c

with the same U, W, b, V and c at every step. Your work is the way back: from the slopes of a loss by what came out, to its
slopes by all that went in.

    xs  (T, B, I)  what is read: steps first, then the examples of the batch, then the numbers of one example
    hs  (T, B, H)  the states: hs[t] is the one after reading xs[t]; before xs[0] there is h0 (B, H)
    ys  (T, B, O)  what is said, at every step
    U (I, H)   W (H, H)   b (H,)   V (H, O)   c (O,)

A d in front means the gradient of the loss by it, in its shape: dW is (H, H). The loss is one number for the whole batch.

Write only between the marks: what is outside of them is not handed in. All numbers are float64 arrays of NumPy. No array
that you are given may be changed.
"""

import numpy as np

### BEGIN YOURS
### END YOURS


# ---- 3.1 One step


def step(x, h, U, W, b):
    """Return the state after a step, (B, H), from what is read, x (B, I), and the state before, h (B, H).

    Also right where x is in the thousands.
    """
    ### BEGIN SOLUTION 3.1
    raise NotImplementedError("Task 3.1: x is (B, I) and the state is (B, H): on which side of them does a matrix stand so that both become (B, H)?")
    ### END SOLUTION 3.1


# ---- 3.2 One step back


def step_backward(dh_next, x, h, h_next, U, W):
    """Return dx, dh, dU, dW, db of one step h_next = step(x, h, U, W, b), where dh_next, (B, H), arrives at h_next.

    Each has the shape of what it belongs to. A weight is used by all examples of the batch, and adds up what each sends.
    """
    ### BEGIN SOLUTION 3.2
    raise NotImplementedError("Task 3.2: what arrives is the slope by h_next; what is the slope by that of which the tanh was taken?")
    ### END SOLUTION 3.2


# ---- 3.3 The whole sequence


def states(xs, h0, U, W, b):
    """Return hs, (T, B, H): the states after each step, from the state h0 on."""
    ### BEGIN SOLUTION 3.3a
    raise NotImplementedError("Task 3.3: a state is used twice, by the loss and by the step after it: what does it get from each, and what becomes of the two?")
    ### END SOLUTION 3.3a


def states_backward(dhs, xs, h0, hs, U, W):
    """Return dxs, dh0, dU, dW, db for hs = states(xs, h0, U, W, b).

    dhs, (T, B, H), is what each state gets from the loss directly: dhs[t] as if no step came after t. A state also gets
    what the step after it sends back.
    """
    ### BEGIN SOLUTION 3.3b
    raise NotImplementedError("Task 3.3: a state is used twice, by the loss and by the step after it: what does it get from each, and what becomes of the two?")
    ### END SOLUTION 3.3b


def readout(hs, V, c):
    """Return ys, (T, B, O): what is said at every step. Nothing to write here."""
    return hs @ V + c


def readout_backward(dys, hs, V):
    """Return dhs, dV, dc for ys = readout(hs, V, c), where dys, (T, B, O), arrives at ys."""
    ### BEGIN SOLUTION 3.3c
    raise NotImplementedError("Task 3.3: a state is used twice, by the loss and by the step after it: what does it get from each, and what becomes of the two?")
    ### END SOLUTION 3.3c


# ---- 3.4 Who pulls at a weight, and when


def contributions(dys, xs, h0, hs, U, W, V):
    """Return to_U (T, I, H), to_W (T, H, H) and to_V (T, H, O): what each weight gets for its use at each step.

    Imagine a copy of U, W and V for every step: to_W[t] is the gradient by the copy that made hs[t], from the losses of
    this step and of all later ones. dys, (T, B, O), arrives at ys = readout(hs, V, c). Over the steps they sum to the
    gradients.
    """
    ### BEGIN SOLUTION 3.4
    raise NotImplementedError("Task 3.4: in your loop of 3.3, what is added to dW at step t: does it come from the loss of step t alone?")
    ### END SOLUTION 3.4


# ---- 3.5 Cut short


def window_backward(dhs, xs, h0, hs, U, W, k2):
    """Return dU, dW, db as states_backward does, but go back through the last k2 steps only; k2 is 1 to T.

    The state before these steps is taken as a given number: nothing is sent to it, and what the steps before it would
    get is left out. k2 = T gives the full gradient.
    """
    ### BEGIN SOLUTION 3.5a
    raise NotImplementedError("Task 3.5: of ten steps you go back through the last three: which state do they begin with, and what is left of everything before?")
    ### END SOLUTION 3.5a


def truncated(dhs, xs, h0, U, W, b, k1, k2):
    """Return a list with (dU, dW, db) for every k1 steps of the sequence, each found by going back at most k2 steps.

    After k1 steps, after 2 k1 and so on, and at the end (the last part is shorter where k1 does not divide T), one entry:
    the gradient of the losses dhs of the steps since the entry before, through the last k2 steps, as in window_backward.
    Losses of older steps have had their turn and do not count again; where k2 < k1, those before the window teach nothing.
    The states run on through all parts, from h0, and are never set back. k2 can be smaller than k1, the same, or larger;
    near the start there are fewer steps than k2.
    """
    ### BEGIN SOLUTION 3.5b
    raise NotImplementedError("Task 3.5: of ten steps you go back through the last three: which state do they begin with, and what is left of everything before?")
    ### END SOLUTION 3.5b


# ---- 3.6 "hello"


def update(weights, reads, says, rate):
    """Return the weights after one step of gradient descent, and the loss before it.

    weights are (U, W, b, V, c). reads and says are lists of T letters, as numbers 0 .. I-1: a batch of one example, read
    from the state 0 on; at step t the letter reads[t] is read, one-hot, and says[t] is right. softmax(ys[t, 0]) are the
    probabilities of the letters. The loss is the mean over the steps of -log of the probability of the right one. Also
    right where ys is in the thousands. Every weight moves by rate times its gradient, down. Returned are new arrays.
    """
    ### BEGIN SOLUTION 3.6a
    raise NotImplementedError("Task 3.6: what is the slope of -log softmax(y)[right] by each entry of y? Try it with two letters.")
    ### END SOLUTION 3.6a


def write(weights, first, length):
    """Return a list of so many letters: the first, and then each time the most probable one, which is read next.

    The state before the first letter is 0.
    """
    ### BEGIN SOLUTION 3.6b
    raise NotImplementedError("Task 3.6: what is the slope of -log softmax(y)[right] by each entry of y? Try it with two letters.")
    ### END SOLUTION 3.6b


# ---- Nothing to write from here on


def one_hot(letters, count):
    """Return a row for each letter, with a 1 at its number and 0 elsewhere: (how many letters, count)."""
    return np.eye(count)[letters]


def changed_by(function, *given):
    """Return which of its arrays, or tuples of arrays, a function changes when it is called with them, as their places."""
    parts = [each if isinstance(each, tuple) else (each,) for each in given]
    before = [[np.copy(part) for part in each] for each in parts]
    function(*given)
    return [place for place, pair in enumerate(zip(parts, before)) if not all(map(np.array_equal, *pair))]


def start(seed, letters=4, hidden=8):
    """Return weights (U, W, b, V, c) to begin with."""
    draw = np.random.default_rng(seed)
    shapes = (letters, hidden), (hidden, hidden), (hidden,), (hidden, letters), (letters,)
    return tuple(draw.uniform(-1, 1, shape) / np.sqrt(hidden) for shape in shapes)
