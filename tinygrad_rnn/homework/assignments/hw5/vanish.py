"""Homework 5: where does it vanish?

You look for the place at which a gradient is lost: by a formula, by the product of Jacobians, by reading what the
package has measured, and in a memory that loses nothing and still fails. In the end you mend a model that does not learn.

Write only between the marks: what is outside of them is not handed in. Arrays are float64 of NumPy, and no function may
change those that it is given. The network of 5.1 and
5.2 is h_t = phi(x_t U + h_{t-1} W.T), with T steps, B examples and H units: W is (H, H), and `states`, (T, B, H), holds
h_1 to h_T.
"""

import math

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import tasks
from tinygrad_rnn.train import SequenceModel

### BEGIN YOURS
### END YOURS


# ---- 5.1 How far back, without going back


def predicted_horizon(W, states, unit):
    """Return after how many steps back less than 1% of the gradient is left, told from W and the states alone.

    The loss reads h_T. phi is tanh if unit is "tanh", and 1 / (1 + exp(-a)) if it is "logistic". Where you expect that
    the gradient does not shrink, return math.inf. What is within a quarter of the measured number is right, and eight of
    ten networks have to be right; the number need not be whole.
    """
    ### BEGIN SOLUTION 5.1
    raise NotImplementedError("Task 5.1: each step back multiplies the gradient by a slope and by W: by how much does W stretch a vector that points nowhere in particular?")
    ### END SOLUTION 5.1


# ---- 5.2 The product of Jacobians (here phi is tanh)


def jacobian(W, h):
    """Return dh_t / dh_{t-1} of each example, (B, H, H): entry [b, j, k] is that of unit j of h_t by unit k of h_{t-1}.

    h, (B, H), is h_t: the state after the step.
    """
    ### BEGIN SOLUTION 5.2a
    raise NotImplementedError("Task 5.2: if unit k of the old state moves a little, by how much does the sum in unit j move, and by how much unit j itself?")
    ### END SOLUTION 5.2a


def product(W, states, lag):
    """Return dh_T / dh_{T-lag} of each example, (B, H, H), for a lag from 0 to T - 1."""
    ### BEGIN SOLUTION 5.2b
    raise NotImplementedError("Task 5.2: if unit k of the old state moves a little, by how much does the sum in unit j move, and by how much unit j itself?")
    ### END SOLUTION 5.2b


def singular_values(J, precision):
    """Return the singular values of each matrix of J, (B, H, H), as (B, H): the largest of each example first.

    Those below `precision` times the largest of their example are rounding and nothing else: np.nan stands for them.
    """
    ### BEGIN SOLUTION 5.2c
    raise NotImplementedError("Task 5.2: if unit k of the old state moves a little, by how much does the sum in unit j move, and by how much unit j itself?")
    ### END SOLUTION 5.2c


def bound(W, lag):
    """Return a number, made of W and the lag alone, that no singular value of dh_T / dh_{T-lag} can exceed.

    It holds whatever the states are. Where W is orthogonal times a gain and all states are 0, the largest singular value
    comes up to it: there the two are equal.
    """
    ### BEGIN SOLUTION 5.2d
    raise NotImplementedError("Task 5.2: if unit k of the old state moves a little, by how much does the sum in unit j move, and by how much unit j itself?")
    ### END SOLUTION 5.2d


# ---- 5.3 Reading a flow.json: `python show.py` writes one to look at
#
# `flow` is the dict that json.load returns. It is about a network of one layer, whose loss should read the last step only.


def reach(flow, threshold):
    """Return which kind of state carries the gradient furthest, and how far: ("c", 31).

    How far is the smallest lag at which less than `threshold` of the gradient at the last step is left, and None if that
    never happens, which counts as furthest. flow["states"] has the sizes of the gradient by kind, one for each step, the
    first step first. Two kinds are never equally far here. If the verdict of the flow is "withheld", its sizes do not say
    how far a gradient comes: return None.
    """
    ### BEGIN SOLUTION 5.3a
    raise NotImplementedError("Task 5.3: lag 0 is the last step: at which end of the list does it stand?")
    ### END SOLUTION 5.3a


def path(flow):
    """Return by which way most of the gradient comes back to the state that reaches furthest, and its share: ("c", 0.94).

    That state is the one of reach(flow, 0.01). flow["layers"][0]["why"]["states"] has, by kind of state, under "shares"
    what each part of the next step sends to it: 1 in all, and less than 0 where a part points against the sum. This and
    `carrier` are asked only for flows that are not withheld.
    """
    ### BEGIN SOLUTION 5.3b
    raise NotImplementedError("Task 5.3: lag 0 is the last step: at which end of the list does it stand?")
    ### END SOLUTION 5.3b


def carrier(flow):
    """Return which unit carries the gradient, how many effectively do, and how much is left: (7, 1.02, 0.21).

    This is about the state of `path`, which has a gate where this is asked, and about that gate alone.
    flow["layers"][0]["why"]["states"] has, by kind of state, "gate_units", what the gate of each unit lets through per
    step, and "lag". Let the gradient be equally large in all units at the last step; each step back, that of a unit is
    multiplied by the unit's own number. Let e_k be the square of what unit k has left after `lag` steps, as a share of
    what it began with. Return the k with the largest e_k, the effective number (sum of e_k)^2 / sum of (e_k^2), and the
    root of the mean of e_k.
    """
    ### BEGIN SOLUTION 5.3c
    raise NotImplementedError("Task 5.3: lag 0 is the last step: at which end of the list does it stand?")
    ### END SOLUTION 5.3c


# ---- 5.4 One weight, two masters
#
# A memory that loses nothing: s_t = s_{t-1} + u x_t from s_0 = 0, one number for each example. After the last step the
# answer is v s_T, and the error is the mean over the examples of (answer - y)^2. x is (T, B), y is (B,).


def pulls(u, v, x, y):
    """Return what each step contributes to the derivative of the error by u, with its sign: (T,).

    As if every step t had a weight u_t of its own, and all of them were u.
    """
    ### BEGIN SOLUTION 5.4a
    raise NotImplementedError("Task 5.4: write the answer with a weight of its own for each step: v (u_1 x_1 + ... + u_T x_T). What is the derivative by u_3?")
    ### END SOLUTION 5.4a


def settle(x, y, u, v):
    """Return u and v where the error is least, starting from u and v, neither of which is 0.

    Their product is judged, to 2%. T is at most 40, and entries of x and y have a size of about 1.
    """
    ### BEGIN SOLUTION 5.4b
    raise NotImplementedError("Task 5.4: write the answer with a weight of its own for each step: v (u_1 x_1 + ... + u_T x_T). What is the derivative by u_3?")
    ### END SOLUTION 5.4b


# ---- 5.5 Mend a model that does not learn

#: The first of 50 steps brings a bit, all steps bring noise, and after the last the bit is asked.
TASK = tasks.FirstBitTask(steps=50)
HIDDEN = 32
UPDATES, BATCH = 500, 32


def failing(seed):
    """Return an untrained model, and how it is to be trained. After 500 updates it still guesses."""
    tg.manual_seed(seed)
    return SequenceModel.for_task(TASK, "lstm", HIDDEN), {"optimizer": "Adam", "lr": 5e-3}


def mended(seed):
    """Return a model that learns TASK, and how it is to be trained, in the form in which `failing` does.

    It is new for each seed and untrained: a SequenceModel with one layer of HIDDEN units. Cell, first weights
    (`model.parameters()`, `assign_`) and optimizer ("SGD", "RMSprop", "Adam" or "AdamW", and what its constructor takes,
    such as "lr" and "momentum") are up to you. The rest is not: at most 500 updates, on batches of 32 that are drawn when it
    is judged, with gradients clipped at a norm of 1. Then it has to be right on 99% of new sequences.
    """
    ### BEGIN SOLUTION 5.5
    raise NotImplementedError("Task 5.5: how much of the gradient arrives at the first step before any training: measured, not guessed? python show.py tells for both models.")
    ### END SOLUTION 5.5


def changed_by(function, *arguments):
    """Return the numbers of the arrays that a call of the function changes: [] is right. (Nothing to write here.)"""
    before = [np.array(each) for each in arguments]
    function(*arguments)
    return [number for number, each in enumerate(arguments) if not np.array_equal(each, before[number])]
