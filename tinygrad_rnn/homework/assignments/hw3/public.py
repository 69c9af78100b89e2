"""The checks that a student sees: small numbers, computed by hand.

The states of the way back are made up, so that 1 - h**2 is 0.75 or 1: a way back takes the states as it gets them.
"""

import numpy as np

from tinygrad_rnn.homework import check, close, same

# One step: two examples, one input, three units.
X = np.array([[1.0], [2.0]])
H = np.array([[1.0, 0, -1], [0, 1, 0]])
H_NEXT = np.array([[0.5, -0.5, 0], [0, 0.5, -0.5]])
DH_NEXT = np.array([[4.0, 8, 1], [2, 4, 8]])
U1 = np.array([[1.0, 2, -1]])
W1 = np.array([[1.0, 2, 0], [0, 1, 1], [1, 0, 3]])

# A sequence: four steps, one example, three inputs, two units, five outputs.
XS = np.array([[[1.0, 0, 0]], [[0, 1, 0]], [[0, 0, 1]], [[1, 1, 0]]])
H0 = np.array([[1.0, -1]])
HS = np.array([[[0.5, 0]], [[0, -0.5]], [[-0.5, 0.5]], [[0, 0.5]]])
DHS = np.array([[[4.0, 0]], [[0, 4]], [[4, 4]], [[8, 4]]])
U = np.array([[1.0, 0], [2, 1], [0, -1]])
W = np.array([[1.0, 2], [0, -1]])
B = np.array([0.5, -0.5])
V = np.array([[1.0, 0, 0, 2, 0], [0, 1, 0, 1, 3]])
DYS = np.zeros((4, 1, 5))
DYS[1, 0, 0], DYS[3, 0, 3] = 2, 4


def untouched(hw, function, what, **arrays):
    names = list(arrays)
    written = [names[place] for place in hw.changed_by(function, *arrays.values())]
    same(written, [], f"arrays that {what} writes into", "they belong to whoever calls it: make new ones")


@check("3.1", 8)
def a_step(hw, draw):
    suspects = {
        "the state before is not used": [[0.761594156, 0.986614298, -0.905148254], [0.96402758, 0.999753211, -0.986614298]],
        "W is transposed": [[0.84828364, 0.978026115, -0.96402758], [0.986614298, 0.999850308, -0.986614298]],
        "b is missing": [[0.761594156, 0.986614298, -0.941375538], [0.96402758, 0.999593146, -0.941375538]],
        "tanh is missing": [[1, 3, -2.25], [2, 4.75, -2.25]],
        "the slope of tanh in place of tanh": [[0.419974342, 0.009866037, 0.043464919], [0.070650825, 0.000299363, 0.043464919]],
    }  # fmt: skip
    right = [[0.761594156, 0.995054754, -0.978026115], [0.96402758, 0.999850308, -0.978026115]]
    close(hw.step(X, H, U1, W1 / 4, np.array([0, 0.5, -0.5])), right, "step", suspects=suspects)


@check("3.1", 2)
def a_step_with_large_numbers(hw, draw):
    got = hw.step(1e4 * X, H, U1, W1, np.zeros(3))
    close(got, [[1.0, 1, -1], [1, 1, -1]], "step where x is in the ten thousands")


@check("3.2", 4)
def slope_of_tanh(hw, draw):
    h, after = np.array([[0.5, 0.5, 0.5]]), np.array([[0.5, -0.5, 0.0]])
    suspects = {
        "(1 - h)**2 for 1 - h**2": [[1, 18, 1]],
        "divided by 1 - h**2, not multiplied": [[16 / 3, 32 / 3, 1]],
        "the slope of tanh is missing": [[4, 8, 1]],
        "1 - h for 1 - h**2": [[2, 12, 1]],
        "the slope of tanh is taken at the state before the step": [[3, 6, 0.75]],
        "1 - x**2 in place of 1 - tanh(x)**2": [[2.793046406, 5.586092812, 1]],
        "the slope of the logistic function, h (1 - h)": [[1, -6, 0]],
    }
    got = hw.step_backward(np.array([[4.0, 8, 1]]), np.array([[1.0]]), h, after, U1, np.eye(3))
    same(len(got), 5, "how many arrays step_backward returns")
    close(got[1], [[3.0, 6, 1]], "dh where h_next is 0.5, -0.5, 0 and W has 1 on its diagonal only", suspects=suspects)


@check("3.2", 2, each=("dx", "dh", "dU", "dW", "db"))
def a_step_back(hw, draw, what):
    got = hw.step_backward(DH_NEXT, X, H, H_NEXT, U1, W1)
    right, suspects = {
        "dx": ([[14.0], [2]], {}),
        "dh": ([[15.0, 7, 6], [8, 9, 20]], {
            "W is not transposed": [[4, 12, 9], [8, 7, 21]],
            "W is missing": [[3, 6, 1], [2, 3, 6]],
            "a second factor 1 - h**2": [[11.25, 5.25, 6], [8, 6.75, 15]],
        }),
        "dU": ([[7.0, 12, 13]], {"mean over the batch instead of sum": [[3.5, 6, 6.5]]}),
        "dW": ([[3.0, 6, 1], [2, 3, 6], [-3, -6, -1]], {
            "transposed": [[3, 2, -3], [6, 3, -6], [1, 6, -1]],
            "the state after the step for the one before": [[1.5, 3, 0.5], [-0.5, -1.5, 2.5], [-1, -1.5, -3]],
            "mean over the batch instead of sum": [[1.5, 3, 0.5], [1, 1.5, 3], [-1.5, -3, -0.5]],
        }),
        "db": ([5.0, 9, 7], {
            "mean over the batch instead of sum": [2.5, 4.5, 3.5],
            "the examples of the batch are not summed": [[3, 6, 1], [2, 3, 6]],
        }),
    }[what]  # fmt: skip
    close(got[("dx", "dh", "dU", "dW", "db").index(what)], right, f"{what} of a step, two examples", suspects=suspects)


@check("3.2", 1)
def nothing_is_written_into(hw, draw):
    untouched(hw, hw.step_backward, "step_backward", dh_next=DH_NEXT, x=X, h=H, h_next=H_NEXT, U=U1, W=W1)


@check("3.3", 5)
def four_states(hw, draw):
    suspects = {
        "h0 is not used": [[[0.761594156, -0.462117157]], [[0.954562955, 0.758491186]], [[0.751886668, -0.400867955]], [[0.982877088, 0.740831854]]],
        "the state is not carried on: every step begins at h0": [[[0.905148254, 0.761594156]], [[0.96402758, 0.905148254]], [[0.761594156, 0.462117157]], [[0.986614298, 0.905148254]]],
    }  # fmt: skip
    right = [[[0.905148254, 0.761594156]], [[0.960519127, 0.481051274]], [[0.753178246, -0.272911106]], [[0.982899, 0.711212811]]]  # fmt: skip
    close(hw.states(XS, H0, U / 2, W / 2, B), right, "states", suspects=suspects)


#: What dW, db and dh0 become by these mistakes.
MISTAKES = {
    "what comes back from the step after is not added: each state gets its own dhs[t] only":
        ([[-1.0, 0], [-0.5, 0]], [14.0, 9], [[3.0, 0]]),
    "dhs of the last step only: a state in the middle has a loss of its own, too":
        ([[6.03125, -2.34375], [-8.28125, 4.3125]], [31.53125, 0.75], [[3.65625, 1.6875]]),
    "= for +=: a weight keeps only what it got at one step":
        ([[17.90625, -2.4375], [-17.90625, 2.4375]], [17.90625, -2.4375], [[0.0, 0]]),
    "W is not transposed on the way back":
        ([[10.25, 13.03125], [-10.25, -15.9375]], [35.75, 33.75], [[9.75, 8.4375]]),
    "a second factor 1 - h**2 on the way to the step before":
        ([[17.509765625, -2.0654296875], [-18.212890625, 2.5400390625]], [49.056640625, 4.8779296875],
         [[9.052734375, 1.6962890625]]),
    "dW has the state after the step in place of the one before it":
        ([[2.203125, -1.59375], [3.25, 0.65625]], [0.0, 0], [[0.0, 0]]),
    "h0 is taken as 0, or the loop ends before the first step": ([[3.5, -0.28125], [-2.75, 1.125]], [0.0, 0], [[0.0, 0]]),
    "at the first step hs[-1] for h0: that is the last state":
        ([[3.5, -0.28125], [6.203125, -0.09375]], [0.0, 0], [[0.0, 0]]),
}  # fmt: skip


@check("3.3", 2, each=("dW", "db", "dU", "dh0", "dxs"))
def back_through_four_steps(hw, draw, what):
    got = hw.states_backward(DHS, XS, H0, HS, U, W)
    same(len(got), 5, "how many arrays states_backward returns")
    right = {
        "dxs": [[[17.90625, 33.375, 2.4375]], [[15.0, 32.4375, -2.4375]], [[13.5, 27.75, -0.75]], [[8.0, 19, -3]]],
        "dh0": [[13.03125, 2.4375]],
        "dU": [[25.90625, 0.5625], [23.0, 5.4375], [13.5, 0.75]],
        "dW": [[21.40625, -2.71875], [-20.65625, 3.5625]],
        "db": [54.40625, 3.75],
    }[what]
    place = {"dW": 0, "db": 1, "dh0": 2}.get(what)
    suspects = {} if place is None else {words: numbers[place] for words, numbers in MISTAKES.items()}
    suspects = {words: numbers for words, numbers in suspects.items() if np.any(numbers)}
    close(got[("dxs", "dh0", "dU", "dW", "db").index(what)], right, f"{what} of four steps", suspects=suspects)


@check("3.3", 2)
def nothing_of_the_callers_is_written_into(hw, draw):
    untouched(hw, hw.states_backward, "states_backward", dhs=DHS, xs=XS, h0=H0, hs=HS, U=U, W=W)


@check("3.3", 2)
def a_second_call(hw, draw):
    for call in ("the first call", "a second call"):
        db = hw.states_backward(DHS, XS, H0, HS, U, W)[4]
        suspects = {"what the first call added up was still there": [108.8125, 7.5]}
        close(db, [54.40625, 3.75], f"db of {call}", suspects=suspects)


@check("3.3", 2, each=("dhs", "dV", "dc"))
def the_readout_back(hw, draw, what):
    got = hw.readout_backward(DYS + 1, HS, V)
    same(len(got), 3, "how many arrays readout_backward returns")
    right, suspects = {
        "dhs": ([[[3.0, 5]], [[5, 5]], [[3, 5]], [[11, 9]]], {}),
        "dV": ([[0.0, 0, 0, 0, 0], [-0.5, 0.5, 0.5, 2.5, 0.5]], {
            "= for +=, or the last step only: V is used at every step": [[0, 0, 0, 0, 0], [0.5, 0.5, 0.5, 2.5, 0.5]],
        }),
        "dc": ([6.0, 4, 4, 8, 4], {
            "= for +=, or the last step only: c is used at every step": [1, 1, 1, 5, 1],
            "summed over the steps, but not over the batch": [[6, 4, 4, 8, 4]],
        }),
    }[what]  # fmt: skip
    close(got[("dhs", "dV", "dc").index(what)], right, f"{what} of the readout", suspects=suspects)


@check("3.4", 5, each=("to_W", "to_U", "to_V"))
def each_step_has_its_part(hw, draw, what):
    got = hw.contributions(DYS, XS, H0, HS, U, W, V)
    same(len(got), 3, "how many arrays contributions returns")
    to_V = np.zeros((4, 2, 5))
    to_V[1, 1, 0], to_V[3, 1, 3] = -1, 2
    right, suspects = {
        "to_U": ([[[8.53125, -1.6875], [0, 0], [0, 0]], [[0, 0], [8, 1.6875], [0, 0]], [[0, 0], [0, 0], [10.5, -2.25]],
                  [[8, 3], [8, 3], [0, 0]]], {}),
        "to_W": ([[[8.53125, -1.6875], [-8.53125, 1.6875]], [[4, 0.84375], [0, 0]], [[0, 0], [-5.25, 1.125]],
                  [[-4, -1.5], [4, 1.5]]], {
            "parted by the step of the loss, not by the step at which W is used":
                [[[0, 0], [0, 0]], [[2.5, 0], [-1.5, 0]], [[0, 0], [0, 0]], [[6.03125, -2.34375], [-8.28125, 4.3125]]],
            "only the loss of the same step: what comes back from later ones is missing":
                [[[0, 0], [0, 0]], [[1, 0], [0, 0]], [[0, 0], [0, 0]], [[-4, -1.5], [4, 1.5]]],
            "the last step comes first": [[[-4, -1.5], [4, 1.5]], [[0, 0], [-5.25, 1.125]], [[4, 0.84375], [0, 0]],
                                          [[8.53125, -1.6875], [-8.53125, 1.6875]]],
            "the product of the slopes begins at k, not at k + 1":
                [[[3.8671875, 1.6875], [-3.8671875, -1.6875]], [[5.6875, -0.6328125], [0, 0]],
                 [[0, 0], [-2.25, -0.84375]], [[-7, 1.125], [7, -1.125]]],
            "running sums from the end: each step should have its own part":
                [[[8.53125, -2.34375], [-9.78125, 4.3125]], [[0, -0.65625], [-1.25, 2.625]],
                 [[-4, -1.5], [-1.25, 2.625]], [[-4, -1.5], [4, 1.5]]],
        }),
        "to_V": (to_V, {}),
    }[what]  # fmt: skip
    close(got[("to_U", "to_W", "to_V").index(what)], right, f"{what}, losses at the steps 1 and 3", suspects=suspects)


@check("3.5", 3, each=(1, 2, 4))
def the_window(hw, draw, k2):
    got = hw.window_backward(DHS, XS, H0, HS, U, W, k2)
    same(len(got), 3, "how many arrays window_backward returns")
    sums = {1: [8, 3], 2: [21.5, 3.75], 3: [36.5, 6.1875], 4: [54.40625, 3.75]}
    suspects = {
        "one step too few": sums.get(k2 - 1),
        "the gradient runs through all steps: it is not cut at the window": sums[4] if k2 < 4 else None,
        "one step too many": sums.get(k2 + 1),
        "only the losses are cut, and the gradient runs on to the first step": {
            1: [31.53125, 0.75],
            2: [46.90625, 3.75],
        }.get(k2),
    }
    suspects = {words: numbers for words, numbers in suspects.items() if numbers}
    close(got[2], sums[k2], f"db through the last {k2} of four steps", suspects=suspects)
    right, suspects = {
        1: ([[-4, -1.5], [4, 1.5]], {
            "the state before the window is set to 0": [[0, 0], [0, 0]],
            "the window begins at h0, not at the state before it": [[8, 3], [-8, -3]],
        }),
        2: ([[-4, -1.5], [-2.75, 1.125]], {
            "the state before the window is set to 0": [[-4, -1.5], [4, 1.5]],
            "the window begins at h0, not at the state before it": [[9.5, -0.75], [-9.5, 0.75]],
        }),
        4: ([[21.40625, -2.71875], [-20.65625, 3.5625]], {
            "h0 is taken as 0, or the loop ends before the first step": [[3.5, -0.28125], [-2.75, 1.125]],
            "where the window begins at step 0, hs[-1] for h0: that is the last state":
                [[3.5, -0.28125], [6.203125, -0.09375]],
        }),
    }[k2]  # fmt: skip
    close(got[1], right, f"dW through the last {k2} of four steps", suspects=suspects)


@check("3.5", 9)
def entries_of_two_steps(hw, draw):
    for k2 in (1, 3):
        got = hw.truncated(DHS, XS, H0, U / 2, W / 2, B, 2, k2)
        same(len(got), 2, f"how many entries there are for T = 4, k1 = 2, k2 = {k2}")
        right = {
            1: [[[0.0, 2.782750396], [0.0, 2.341413608]], [[0.204319519, 1.488811468], [-0.074034355, -0.539464843]]],
            3: [[[1.278383581, 2.137174513], [-1.278383581, 2.986989491]],
                [[3.032781809, 3.196544943], [1.440593762, -0.014401159]]],
        }[k2]  # fmt: skip
        suspects = {
            "the gradient runs through all steps: it is not cut at the window": [[2.8679586, 3.4214747], [1.605417, -0.239331]],
            "losses of older steps count again": [[3.0327818, 5.9792953], [1.4405938, 2.3270124]],
            "the state is set to 0 at each part": [[0.1667496, 0.9751607], [-0.2748124, -1.6071178]],
            "cut at the beginning of this part, whatever k2 is": [[2.7448434, 4.1661033], [1.1983216, 0.8013879]],
            "the state before the window is set to 0": [[0, 0], [0, 0]],
        }  # fmt: skip
        first = {
            "the gradient runs through all steps: it is not cut at the window":
                [[1.278383581, 2.137174513], [-1.278383581, 2.986989491]],
            "the state before the window is set to 0": [[0, 0], [0, 0]],
        } if k2 == 1 else None  # fmt: skip
        for number in (0, 1):
            same(len(got[number]), 3, "how many arrays an entry has")
            what = f"dW of entry {number}, T = 4, k1 = 2, k2 = {k2}"
            close(got[number][1], right[number], what, suspects=suspects if number else first)


@check("3.5", 2)
def the_last_entry_is_shorter(hw, draw):
    got = hw.truncated(DHS, XS, H0, U / 2, W / 2, B, 3, 2)
    same(len(got), 2, "how many entries there are for T = 4, k1 = 3, k2 = 2: the second is about step 3 alone")
    close(got[1][2], [1.185335104, 1.061965649], "db of entry 1, T = 4, k1 = 3, k2 = 2")


@check("3.6", 1)
def an_update_of_nothing(hw, draw):
    weights = tuple(np.zeros(shape) for shape in ((4, 3), (3, 3), 3, (3, 4), 4))
    moved, loss = hw.update(weights, [0, 1, 2, 2], [1, 2, 2, 3], 1.0)
    same(len(moved), 5, "how many weights update returns")
    close(loss, 1.386294361, "the loss of weights of 0: all four letters have probability 1/4",
          suspects={"the sum over the steps in place of the mean": 5.545177444})  # fmt: skip
    suspects = {
        "uphill: the gradient is added": [0.25, 0, -0.25, 0],
        "the sum over the steps in place of the mean": [-1, 0, 1, 0],
        "1 is not subtracted at the right letter": [-0.25, -0.25, -0.25, -0.25],
        "the letter that is read counts as right": [0, 0, 0.25, -0.25],
    }
    close(moved[4], [-0.25, 0, 0.25, 0], 'c after an update on "ello"', suspects=suspects)


@check("3.6", 0.5)
def an_update_of_thousands(hw, draw):
    weights = tuple(np.zeros(shape) for shape in ((4, 3), (3, 3), 3, (3, 4)))
    moved, loss = hw.update((*weights, np.array([3000.0, 0, 0, 0])), [0, 1, 2, 2], [1, 2, 2, 3], 1.0)
    close(loss, 3000.0, "the loss where a wrong letter has 3000 in ys, and the right ones 0")
    close(moved[4], [2999, 0.25, 0.5, 0.25], "c after an update of that")


@check("3.6", 0.5)
def the_same_update_twice(hw, draw):
    weights = hw.start(0)
    for call in ("an update", "the same update once more"):
        _, loss = hw.update(weights, [0, 1, 2, 2], [1, 2, 2, 3], 1.0)
        suspects = {"the loss of the last letter only": 1.73768013}
        close(loss, 1.394127263, f"the loss before {call}, from start(0)", suspects=suspects)


@check("3.6", 1, each=(0, 1, 2))
def it_writes_hello(hw, draw, seed):
    weights, losses = hw.start(seed), []
    for _ in range(100):
        weights, loss = hw.update(weights, [0, 1, 2, 2], [1, 2, 2, 3], 1.0)
        losses.append(float(loss))
    what = (
        f"what it writes after 100 updates, with start({seed}); the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
    )
    letters = dict(enumerate("helo"))
    same("".join(letters.get(each, "?") for each in hw.write(weights, 0, 5)), "hello", what)
