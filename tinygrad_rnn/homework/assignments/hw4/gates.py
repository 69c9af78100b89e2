"""Homework 4: gates.

An LSTM on the ops of tinygrad_rnn, which then differentiates it for you; the same LSTM in NumPy, where you do that by hand;
a cell that no library has; and a GRU in all its readings.

Letters: T steps, B examples, I inputs, H units. Weights have a row for each unit of each gate, as PyTorch's: w_ih is
(4*H, I), w_hh is (4*H, H), b is (4*H,), and the blocks of H rows are in the order i, f, g, o. All numbers are float64.

Write only between the marks: what is outside of them is not handed in.
"""

import copy

import numpy as np
import tinygrad_rnn as tg

### BEGIN YOURS
### END YOURS


# ---- 4.1 An LSTM from primitive ops


def lstm(x, h, c, w_ih, w_hh, b):
    """Return the states h of all steps, (T, B, H), and the last c, (B, H), as tensors.

    x is (T, B, I); h and c, (B, H), are the states before the first step. All are tensors of tinygrad_rnn, and the
    gradient has to find its way back to each of them: use tensor operations only. With @ the matrix product, * the
    product of entries, and the rows of the weights in the order i, f, g, o, each step computes

        i = sigmoid(W_i x + V_i h + b_i)        input gate
        f = sigmoid(W_f x + V_f h + b_f)        forget gate
        g = tanh(W_g x + V_g h + b_g)           candidate
        o = sigmoid(W_o x + V_o h + b_o)        output gate
        c' = f * c + i * g
        h' = o * tanh(c')

    W are the blocks of w_ih, V those of w_hh.
    """
    ### BEGIN SOLUTION 4.1
    raise NotImplementedError("Task 4.1: how many matrix products does one step need, if the blocks of all four gates lie below each other?")
    ### END SOLUTION 4.1


# ---- 4.2 The same in NumPy, and backward by hand


def sigmoid(a):
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def lstm_step(x, h, c, w_ih, w_hh, b):
    """Return h' and c', each (B, H), and a dict with what the backward pass will need.

    All are arrays of NumPy: x (B, I), h and c (B, H) before the step. The dict has exactly these: "x", "h" and "c", as
    they were given; "i", "f", "g", "o", the gates; "c_new", which is c'. Each of the last five is (B, H). Nothing that is
    given is changed.
    """
    ### BEGIN SOLUTION 4.2a
    raise NotImplementedError("Task 4.2: by which two ways does the gradient reach c' of a step, and what has to happen with the two?")
    ### END SOLUTION 4.2a


def lstm_step_backward(dh, dc, kept, w_ih, w_hh):
    """Return the derivatives of the loss by x, h, c, w_ih, w_hh and b of one step, in this order and of their shapes.

    dh and dc, (B, H), are what arrives at h' and at c' from everything that comes after this step. kept is the dict of
    `lstm_step`. The loss is a sum over the batch, so nothing is divided by B. Nothing that is given is changed.
    """
    ### BEGIN SOLUTION 4.2b
    raise NotImplementedError("Task 4.2: by which two ways does the gradient reach c' of a step, and what has to happen with the two?")
    ### END SOLUTION 4.2b


def lstm_backward(dhs, dc, steps, w_ih, w_hh):
    """Return the derivatives of the loss by x, h, c, w_ih, w_hh and b of a whole sequence, of their shapes.

    dhs, (T, B, H), is what the loss sends to the h' of each step directly, dc, (B, H), what it sends to the last c'.
    steps are the dicts of `lstm_step`, the first step first. x was (T, B, I); h and c are the states before the first
    step. Use `lstm_step_backward`. Nothing that is given is changed, least of all dhs.
    """
    ### BEGIN SOLUTION 4.2c
    raise NotImplementedError("Task 4.2: by which two ways does the gradient reach c' of a step, and what has to happen with the two?")
    ### END SOLUTION 4.2c


def lstm_forward(x, h, c, w_ih, w_hh, b):
    """Return the states h of all steps, the last c, and the dicts of the steps. (Nothing to write here.)"""
    hs, steps = [], []
    for t in range(len(x)):
        h, c, kept = lstm_step(x[t], h, c, w_ih, w_hh, b)
        hs.append(h)
        steps.append(kept)
    return np.stack(hs), c, steps


def changed_by(function, *arguments):
    """Return the numbers of the arguments that a call of the function changes: [] is right. (Nothing to write here.)"""
    before = copy.deepcopy(arguments)
    function(*arguments)
    return [number for number, pair in enumerate(zip(before, arguments)) if not alike(*pair)]


def alike(a, b):
    """Return whether two arrays, or dicts or lists of them, hold the same. (Nothing to write here.)"""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
    return all(map(alike, a, b)) if isinstance(a, list) else np.array_equal(a, b)


# ---- 4.3 How it starts


def initial(input_size, hidden_size, forget_bias, seed):
    """Return w_ih, w_hh and b, arrays, before the first update.

    The weights are uniform between -1/sqrt(H) and 1/sqrt(H), H being hidden_size, and drawn from one
    np.random.default_rng(seed), w_ih first. The bias of each forget gate is forget_bias, all others are 0.
    """
    ### BEGIN SOLUTION 4.3a
    raise NotImplementedError("Task 4.3: with a forget bias of 0 the gate is 1/2: what is left of c after ten steps?")
    ### END SOLUTION 4.3a


def forget_bias_for(steps, left):
    """Return the bias of a forget gate that leaves this part of c after so many steps, where nothing else speaks.

    The gate sees no input and no state: f = sigmoid(bias) in each step, and left is between 0 and 1. Right to six digits
    also where steps are many, when f is nearly 1.
    """
    ### BEGIN SOLUTION 4.3b
    raise NotImplementedError("Task 4.3: with a forget bias of 0 the gate is 1/2: what is left of c after ten steps?")
    ### END SOLUTION 4.3b


# ---- 4.4 A cell that you find nowhere


def coupled(x, h, c, w_ih, w_hh, b, u_f, p_o):
    """Return the states h of all steps, (T, B, H), and the last c, (B, H), as tensors.

    There are three blocks of H rows, in the order f, g, o: w_ih is (3*H, I), w_hh is (3*H, H), b is (3*H,). u_f, (H, H),
    shows the forget gate all cells as they were before the step: U c has in row k the sum of U[k, j] c[j]. p_o, (H,),
    shows each output gate its own cell as it is after the step. What is forgotten makes room: the input gate is 1 - f.

        f = sigmoid(W_f x + V_f h + b_f + U_f c)
        g = tanh(W_g x + V_g h + b_g)
        c' = f * c + (1 - f) * g
        o = sigmoid(W_o x + V_o h + b_o + p_o * c')
        h' = o * tanh(c')

    Tensors, as in `lstm`.
    """
    ### BEGIN SOLUTION 4.4
    raise NotImplementedError("Task 4.4: which of the two gates has to wait until the new c is there?")
    ### END SOLUTION 4.4


# ---- 4.5 One name, four cells


def gru(x, h, w_ih, w_hh, b_ih, b_hh, reset, update):
    """Return the states h of all steps, (T, B, H), as a tensor.

    All but the last two are tensors: x (T, B, I), h (B, H), w_ih (3*H, I), w_hh (3*H, H), b_ih and b_hh (3*H,), with
    blocks of H rows in the order r, z, n. There are two biases: b those of b_ih, d those of b_hh.

        r = sigmoid(W_r x + b_r + V_r h + d_r)                    reset gate
        z = sigmoid(W_z x + b_z + V_z h + d_z)                    update gate
        n = tanh(W_n x + b_n + r * (V_n h + d_n))                 for reset = "after"
        n = tanh(W_n x + b_n + V_n (r * h) + d_n)                 for reset = "before"
        h' = (1 - z) * n + z * h                                  for update = "keep"
        h' = (1 - z) * h + z * n                                  for update = "renew"
    """
    ### BEGIN SOLUTION 4.5a
    raise NotImplementedError("Task 4.5: if your z is the 1 - z of somebody else, what is the net of your z? And what does r scale in each of the two places: rows of V_n, or its columns?")
    ### END SOLUTION 4.5a


def convert(weights, source, target):
    """Return the weights of a GRU of convention `target` that computes what `weights` do in convention `source`.

    weights is a dict of arrays of NumPy: "w_ih", "w_hh", "b_ih", "b_hh", as in `gru`; it is not changed. What you
    return has the same form. A convention is a dict: "order" of the blocks of rows, a text such as "rzn" or "nrz"; "reset", "after" or
    "before"; "update", "keep" or "renew". From one "reset" to the other raise a ValueError that says
    why, also for the few weights for which it would work.
    """
    ### BEGIN SOLUTION 4.5b
    raise NotImplementedError("Task 4.5: if your z is the 1 - z of somebody else, what is the net of your z? And what does r scale in each of the two places: rows of V_n, or its columns?")
    ### END SOLUTION 4.5b
