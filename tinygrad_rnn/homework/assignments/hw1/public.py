"""The checks that a student sees: small numbers, computed by hand."""

import numpy as np

from tinygrad_rnn.homework import check, close, drawn, same


@check("1.1", 1.25, each=("neg", "exp", "log", "sqrt", "reciprocal", "tanh", "sigmoid", "relu"))
def slope_at_one_point(hw, draw, op):
    x, y, expected = {
        "neg": (2.0, -2.0, -1.0),
        "exp": (1.0, 2.718281828, 2.718281828),
        "log": (4.0, 1.386294361, 0.25),
        "sqrt": (4.0, 2.0, 0.25),
        "reciprocal": (2.0, 0.5, -0.25),
        "tanh": (1.0, 0.761594156, 0.419974342),
        "sigmoid": (1.0, 0.731058579, 0.196611933),
        "relu": (-1.0, 0.0, 0.0),
    }[op]
    suspects = {"the derivative is written in y, and x was put in": (1 - x * x) if op == "tanh" else x * (1 - x)}
    got = hw.slope(op, np.array([x]), np.array([y]))
    close(got, [expected], f"slope({op!r}) at x = {x:g}", suspects=suspects if op in ("tanh", "sigmoid") else None)


def too_early(order):
    """Return the edges whose parent stands after the tensor that was computed from it."""
    return [
        (each, position, "stands after it")
        for number, each in enumerate(order)
        for position, parent in enumerate(each.parents)
        if parent in order[number + 1 :]
    ]


def by_breadth(end):
    """Return the tensors as breadth first finds them, the other way round."""
    found = [end]
    for each in found:
        found += [parent for parent in dict.fromkeys(each.parents) if parent not in found]
    return found[::-1]


def order_of(hw, end):
    """Return what topological returns, which has to be a list."""
    order = hw.topological(end)
    same(isinstance(order, list | tuple), True, f"topological returns a list, and not {order!r:.60}")
    return list(order)


@check("1.2", 10)
def parents_come_first(hw, draw):
    a = hw.Tensor(1.0)
    b = a + a
    c = b * a
    order = order_of(hw, c)
    with drawn(c, too_early(order)):
        same(len(order), 3, "the length of topological(c) for b = a + a, c = b * a")
        names = {0: "a", 1: "b", 2: "c"}
        places = [names[[a, b, c].index(each)] for each in order]
        same(places, ["a", "b", "c"], "topological(c) for b = a + a, c = b * a")


@check("1.2", 10)
def arms_of_unequal_length(hw, draw):
    x = hw.Tensor(1.0)
    near = x * 2.0
    end = near + (near * 3.0) * 4.0
    order = order_of(hw, end)
    wrong = too_early(order)
    breadth = "this is the order of breadth first, which lists a tensor by its shortest way from the root"
    because = breadth if order == by_breadth(end) else ""
    with drawn(end, wrong):
        same(len(wrong), 0, "edges whose parent stands after its child, for near + (near * 3) * 4", because)


@check("1.3", 8)
def used_twice(hw, draw):
    x = hw.Tensor(3.0)
    y = x * x
    hw.backward(y)
    suspects = {"missing accumulation (= for +=), or the parents in a set: x*x has two edges to x": 3.0}
    lost = [(y, 1, "this message was not added")] if np.all(x.grad == 3.0) else []
    with drawn(y, lost):
        close(x.grad, 6.0, "the gradient of x * x at 3", suspects=suspects)


@check("1.3", 7)
def again_and_from_nothing(hw, draw):
    x = hw.Tensor(3.0)
    y = x * 5.0
    hw.backward(y)
    hw.backward(y)
    close(x.grad, 10.0, "the gradient after two calls", suspects={"the second call replaced the first": 5.0})
    hw.zero_grad([x])
    hw.backward(y)
    close(x.grad, 5.0, "the gradient after zero_grad and one call", suspects={"zero_grad forgot nothing": 15.0})


@check("1.4", 15)
def a_row_was_repeated(hw, draw):
    suspects = {
        "mean instead of sum": [2.5, 3.5, 4.5],
        "the sum over axis 1: along axis 0 it was repeated": [6.0, 15.0],
    }
    got = hw.unbroadcast(np.array([[1.0, 2, 3], [4, 5, 6]]), (3,))
    close(got, [5.0, 7.0, 9.0], "unbroadcast of (2, 3) to (3,)", suspects=suspects)


@check("1.5", 8)
def a_small_product(hw, draw):
    a, b = np.array([[1.0, 2, 3]]), np.array([[1.0, 0], [0, 1], [1, 1]])
    turn, grow = np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([[1.0, 3.0], [0.0, 1.0]])
    got = hw.matmul_messages(np.eye(2), turn, grow)
    same(len(got), 2, "how many messages a product sends")
    close(got[0], [[1.0, 0.0], [3.0, 1.0]], "the message to a, where g is I and b is [[1, 3], [0, 1]]",
          suspects={"b is not transposed": grow})  # fmt: skip
    close(got[1], [[0.0, 2.0], [1.0, 0.0]], "the message to b, where g is I and a is [[0, 1], [2, 0]]",
          suspects={"a is not transposed": turn})  # fmt: skip
    to_a, to_b = hw.matmul_messages(np.array([[1.0, 10.0]]), a, b)
    close(to_a, [[1.0, 10.0, 11.0]], "the message to a")
    close(to_b, [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]], "the message to b")


@check("1.5", 3)
def a_sum_of_rows(hw, draw):
    got = hw.sum_message(np.array([1.0, 2.0]), np.zeros((2, 3)), 1)
    close(got, [[1.0, 1, 1], [2, 2, 2]], "the message of a sum over axis 1")


@check("1.5", 3)
def a_maximum(hw, draw):
    got = hw.max_message(np.array([6.0]), np.array([[1.0, 5.0, 5.0]]), 1)
    close(got, [[0.0, 3.0, 3.0]], "the message of max where two are largest",
          suspects={"both got all of it": [[0.0, 6, 6]], "only the first got it": [[0.0, 6, 0]]})  # fmt: skip


@check("1.5", 3)
def log_softmax_of_equals(hw, draw):
    close(hw.log_softmax(np.array([[2.0, 2.0]])), [[-0.693147181, -0.693147181]], "log_softmax of two equals")


@check("1.5", 3)
def message_of_log_softmax(hw, draw):
    y = np.array([[-0.693147181, -0.693147181]])
    close(hw.log_softmax_message(np.array([[1.0, 0.0]]), y), [[0.5, -0.5]], "the message of log_softmax",
          suspects={"1 - softmax, which is right for one entry only": [[0.5, 0.5]]})  # fmt: skip


@check("1.6", 5)
def it_accepts(hw, draw):
    x = np.array([1.0, -2.0])
    same(hw.gradcheck(lambda x: float((x * x).sum()), x, 2 * x), True, "gradcheck of x*x with the gradient 2x")


@check("1.6", 5)
def it_refuses(hw, draw):
    x = np.array([1.0, -2.0])
    same(hw.gradcheck(lambda x: float((x * x).sum()), x, x), False, "gradcheck of x*x with the gradient x")
