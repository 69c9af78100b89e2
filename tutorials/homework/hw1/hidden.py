"""The checks that decide: numbers and shapes are drawn when it is graded."""

from itertools import combinations

import numpy as np

from tinygrad_rnn.homework import check, close, same

FUNCTIONS = {
    "neg": lambda x: -x,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "reciprocal": lambda x: 1 / x,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0.0),
}


def derivative(f, x, step=1e-6):
    """Return the derivative of a function of one number, at every entry of x."""
    return (f(x + step) - f(x - step)) / (2 * step)


def gradient(f, x, step=1e-6):
    """Return the gradient of a function of an array with one number as its result."""
    found = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        found[index] = (f(up) - f(down)) / (2 * step)
    return found


def shape(draw, axes):
    """Return a shape with different lengths."""
    return tuple(int(length) for length in draw.permutation([2, 3, 4, 5])[:axes])


# ---- 1.1


@check("1.1", 1.25, each=tuple(FUNCTIONS))
def the_slope_of(hw, draw, op):
    f = FUNCTIONS[op]
    for scale in (0.1, 1.0, 3.0):
        x = scale * draw.standard_normal(shape(draw, 2))
        x = np.abs(x) + 0.05 if op in ("log", "sqrt", "reciprocal") else x + 1e-4 * np.sign(x)
        y = f(x)
        mistaken = {"tanh": 1 - x * x, "sigmoid": x * (1 - x), "exp": x}
        suspects = {"the derivative is written in y, and x was put in": mistaken[op]} if op in mistaken else None
        close(hw.slope(op, x, y), derivative(f, x), f"slope({op!r})", rtol=1e-5, atol=1e-6, suspects=suspects)
        same(hw.changed_by(hw.slope, op, x, y), [], "which arguments (op 0, x 1, y 2) slope changes")
    if op == "relu":
        close(hw.slope(op, np.zeros(2), np.zeros(2)), np.zeros(2), "slope('relu') at 0")


# ---- 1.2


def late(order):
    """Return how many tensors stand before one of their parents."""
    place = {id(each): number for number, each in enumerate(order)}
    found = 0
    for each in order:
        places = [[number for number, other in enumerate(order) if other == parent] for parent in each.parents]
        found += any(not where or where[0] > place[id(each)] for where in places)
    return found


def by_breadth(end):
    """Return the tensors as breadth first finds them, the other way round."""
    found = [end]
    for each in found:
        found += [parent for parent in dict.fromkeys(each.parents) if parent not in found]
    return found[::-1]


BREADTH = "this is the order of breadth first, which lists a tensor by its shortest way from the root"


def judge_order(hw, end, tensors, what):
    order = hw.topological(end)
    same(isinstance(order, list | tuple), True, f"topological returns a list, and not {order!r:.60}")
    few = order[: 2 * tensors]  # each is compared with all before it
    twice = sum(few[:number].count(each) for number, each in enumerate(few))
    same(twice, 0, f"tensors that are in the order of {what} more than once")
    same(len(order), tensors, f"how many tensors are in the order of {what}")
    because = BREADTH if list(order) == by_breadth(end) else ""
    same(late(order), 0, f"tensors that stand before one of their parents in the order of {what}", because)
    same(order[-1] == end, True, f"the last in the order of {what} is the root")


@check("1.2", 4)
def order_of_a_diamond(hw, draw):
    a, b = hw.Tensor(draw.standard_normal()), hw.Tensor(draw.standard_normal())
    c, d = a + b, a * b
    judge_order(hw, c * d + c, 6, "c = a + b, d = a * b, c * d + c")


@check("1.2", 6)
def order_with_unequal_arms(hw, draw):
    near = hw.Tensor(1.0).tanh()
    far, arm = near, int(draw.integers(2, 5))
    for _ in range(arm):
        far = far.tanh()
    judge_order(hw, near + far, 3 + arm, f"two arms, one of them {arm} longer, the short one first")
    near = hw.Tensor(1.0).tanh()
    far = near
    for _ in range(arm):
        far = far.tanh()
    judge_order(hw, far + near, 3 + arm, f"two arms, one of them {arm} longer, the long one first")


@check("1.2", 4)
def order_with_tensors_used_twice(hw, draw):
    a = hw.Tensor(draw.standard_normal())
    b = a + a
    c = b * b
    judge_order(hw, c, 3, "b = a + a, c = b * b")
    x = hw.Tensor(draw.standard_normal())
    hw.backward(hw.doubled(x, 30))
    close(x.grad, 2.0**30, "the gradient through 2 ** 30 ways", suspects={"every way is walked on its own": 1.0})


@check("1.2", 3, each=(5_000, 100_000))
def order_of_a_chain_without_recursion(hw, draw, length):
    x = hw.Tensor(draw.standard_normal())
    hw.backward(hw.chain(x, length))
    close(x.grad, 1.0, f"the gradient through a chain of {length:,} additions")


# ---- 1.3


@check("1.3", 4)
def both_uses_of_a_tensor_count(hw, draw):
    value = draw.standard_normal(shape(draw, 2))
    x = hw.Tensor(value)
    hw.backward((x * x).sum())
    suspects = {"missing accumulation (= for +=), or the parents in a set: x*x has two edges to x": value}
    close(x.grad, 2 * value, "the gradient of x * x", suspects=suspects)


@check("1.3", 3)
def tensors_inside_add_up_too(hw, draw):
    a = hw.Tensor(draw.standard_normal())
    b = a + a
    c = b + b
    hw.backward(c)
    suspects = {"missing accumulation (= for +=)": 1.0, "accumulated at leaves only": 2.0}
    close(a.grad, 4.0, "the gradient of b = a + a, c = b + b", suspects=suspects)
    u, v = draw.standard_normal(2)
    a, b = hw.Tensor(u), hw.Tensor(v)
    c, d = a + b, a * b
    hw.backward(c * d * c)
    close(a.grad, 2 * (u + v) * u * v + (u + v) ** 2 * v, "the gradient by a of (a + b) (a b) (a + b)")


@check("1.3", 3)
def the_second_time_adds(hw, draw):
    value = draw.standard_normal(shape(draw, 1))
    x = hw.Tensor(value)
    y = (x.tanh() * 3.0).sum()
    once = 3 * (1 - np.tanh(value) ** 2)
    hw.backward(y)
    close(x.grad, once, "the gradient of 3 tanh(x)")
    hw.backward(y)
    suspects = {"the second call replaced the first": once, "what was left inside was sent once more": 3 * once}
    close(x.grad, 2 * once, "the gradient after two calls", suspects=suspects)


@check("1.3", 2)
def zeroed_is_from_nothing(hw, draw):
    x, other = hw.Tensor(draw.standard_normal()), hw.Tensor(2.0)
    y = x * other
    hw.backward(y)
    hw.zero_grad([x])
    hw.backward(y)
    close(x.grad, 2.0, "the gradient after zero_grad", suspects={"zero_grad forgot nothing": 4.0})
    close(other.grad, 2 * float(x.data), "the gradient of one that was not zeroed")


@check("1.3", 2)
def nobody_elses_array_is_changed(hw, draw):
    a, b = hw.Tensor(draw.standard_normal(3)), hw.Tensor(draw.standard_normal(3))
    y = (a + b).sum()
    hw.backward(y)
    hw.backward(a.sum())
    close(b.grad, np.ones(3), "b.grad, after another backward in which b has no part",
          suspects={"a and b share an array, and += wrote into it": 2 * np.ones(3)})  # fmt: skip
    close(a.grad, 2 * np.ones(3), "a.grad, after both")


@check("1.3", 1)
def few_tensors_many_ways(hw, draw):
    x = hw.Tensor(draw.standard_normal())
    hw.backward(hw.doubled(x, 30))
    close(x.grad, 2.0**30, "the gradient through 2 ** 30 ways")


# ---- 1.4


def of_other_axes(message, got, axes):
    """Return the sums over other axes than these, by what they are, in the shape of what came."""
    right, found = " and ".join(map(str, axes)), {}
    for count in range(message.ndim + 1):
        for other in combinations(range(message.ndim), count):
            total = message.sum(axis=other)
            if isinstance(got, np.ndarray) and got.size == total.size and other != tuple(axes):
                words = f"the sum over axis {' and '.join(map(str, other))}" if other else "nothing is added up"
                found[f"{words}; the operand was repeated along axis {right}"] = total.reshape(got.shape)
    return found


@check("1.4", 3, each=("(3,) of (2, 3)", "(3, 1) and (1, 4)", "(2, 1) of (3, 2, 2)", "drawn", "nothing to do"))
def the_operands_shape(hw, draw, case):
    pairs = {
        "(3,) of (2, 3)": [((2, 3), (3,))],
        "(3, 1) and (1, 4)": [((3, 4), (3, 1)), ((3, 4), (1, 4))],
        "(2, 1) of (3, 2, 2)": [((3, 2, 2), (2, 1)), ((3, 2, 2), ())],
        "nothing to do": [((2, 3), (2, 3)), ((1, 3), (1, 3)), ((), ()), ((2, 3), (3,))],
    }
    if case == "drawn":
        large = shape(draw, 3)
        small = tuple(1 if draw.random() < 0.5 else length for length in large[int(draw.integers(0, 3)) :])
        pairs[case] = [(large, small), (large, (1, *large[1:])), (large, (large[1], 1))]
    for large, small in pairs[case]:
        message = draw.standard_normal(large)
        lead = len(large) - len(small)
        stretched = [axis + lead for axis, length in enumerate(small) if length == 1]
        axes = (*range(lead), *stretched)
        right = message.sum(axis=axes).reshape(small)
        count = message.size / max(right.size, 1)
        got = hw.unbroadcast(message, small)
        suspects = {"mean instead of sum": right / count} | of_other_axes(message, got, axes) if count > 1 else None
        close(got, right, f"unbroadcast of {large} to {small}", suspects=suspects)


# ---- 1.5


@check("1.5", 2, each=("a", "b"))
def product(hw, draw, operand):
    a, b, g = draw.standard_normal((3, 4, 4))
    got = hw.matmul_messages(g, a, b)
    same(len(got), 2, "how many messages a product sends")
    mine, slips = {
        "a": (g @ b.T, {"b is not transposed": g @ b, "b comes first": b.T @ g, "b @ g": b @ g}),
        "b": (a.T @ g, {"a is not transposed": a @ g, "g comes first": g @ a.T, "g @ a": g @ a}),
    }[operand]
    place = 0 if operand == "a" else 1
    close(
        got[place], mine, f"the message to {operand} of a @ b, all of them (4, 4)", suspects=slips, rtol=1e-5, atol=1e-6
    )
    m, k, n = shape(draw, 3)
    a, b, g = draw.standard_normal((m, k)), draw.standard_normal((k, n)), draw.standard_normal((m, n))
    got = hw.matmul_messages(g, a, b)
    right = gradient(lambda a: (g * (a @ b)).sum(), a) if operand == "a" else gradient(lambda b: (g * (a @ b)).sum(), b)
    close(got[place], right, f"the message to {operand} of a @ b", rtol=1e-5, atol=1e-6)


@check("1.5", 2, each=(0, 1, None))
def sums(hw, draw, axis):
    x = draw.standard_normal(shape(draw, 2))
    g = draw.standard_normal(np.shape(x.sum(axis)))
    right = gradient(lambda x: (g * x.sum(axis)).sum(), x)
    close(hw.sum_message(g, x, axis), right, f"the message of sum(axis={axis})", rtol=1e-5, atol=1e-6)


@check("1.5", 2, each=("apart", "tied"))
def maxima(hw, draw, case):
    x = draw.permutation(30).reshape(5, 6).astype(float)
    axis = int(draw.integers(0, 2))
    if case == "tied":
        x = np.floor(x / 10)
    largest = x == x.max(axis=axis, keepdims=True)
    g = draw.standard_normal(x.max(axis).shape)
    all_of_it = np.expand_dims(g, axis) * largest
    right = all_of_it / largest.sum(axis=axis, keepdims=True)
    suspects = {"each of those that are equal got all of it": all_of_it} if case == "tied" else None
    close(hw.max_message(g, x, axis), right, f"the message of max(axis={axis}), {case}", suspects=suspects)


@check("1.5", 1, each=("small", "thousands"))
def log_softmax_itself(hw, draw, case):
    x = draw.standard_normal(shape(draw, 2))
    right = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    close(hw.log_softmax(x + (1e3 if case == "thousands" else 0.0)), right, f"log_softmax, {case}")


@check("1.5", 2, each=("one entry", "all entries"))
def log_softmax_sends(hw, draw, case):
    x = draw.standard_normal(shape(draw, 2))
    g = draw.standard_normal(x.shape)
    if case == "one entry":
        g = np.eye(x.shape[1])[draw.integers(0, x.shape[1], x.shape[0])]

    def forward(x):
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

    right, y = gradient(lambda x: (g * forward(x)).sum(), x), forward(x)
    suspects = {"1 - softmax, which is right for one entry only": g * (1 - np.exp(y)), "that of softmax": 1 - np.exp(y)}
    got = hw.log_softmax_message(g, y)
    close(got, right, f"the message of log_softmax, {case}", rtol=1e-5, atol=1e-6, suspects=suspects)


# ---- 1.6


def examples(draw):
    """Return functions of an array with their right gradients."""
    w, v = draw.standard_normal((3, 2)), draw.standard_normal((2, 3))
    return {
        "w * x": (lambda x: float((w * x).sum()), lambda x: w),
        "x * x": (lambda x: float((x * x).sum()), lambda x: 2 * x),
        "tanh": (lambda x: float((w * np.tanh(x)).sum()), lambda x: w * (1 - np.tanh(x) ** 2)),
        "exp": (lambda x: float((w * np.exp(x)).sum()), lambda x: w * np.exp(x)),
        "(x @ v) ** 2": (lambda x: float(((x @ v) ** 2).sum()), lambda x: 2 * (x @ v) @ v.T),
    }


@check("1.6", 1)
def right_gradients_are_accepted(hw, draw):
    x = draw.standard_normal((3, 2))
    for name, (f, slope) in examples(draw).items():
        same(hw.gradcheck(f, x, slope(x)), True, f"gradcheck of a right gradient, that of {name}")
        same(hw.gradcheck(f, x, slope(x) + 1.0), False, f"gradcheck of a gradient with 1 added, that of {name}")
    same(hw.changed_by(hw.gradcheck, f, x, slope(x)), [], "which arguments (f 0, x 1, gradient 2) gradcheck changes")


@check("1.6", 1)
def a_kink_has_many_slopes(hw, draw):
    x = draw.standard_normal(4)
    x[1] = 0.0
    for at_kink in (0.0, 0.5, 1.0):
        slope = (x > 0).astype(float)
        slope[1] = at_kink
        got = hw.gradcheck(lambda x: float(np.maximum(x, 0).sum()), x, slope)
        same(
            got, True, f"gradcheck of relu with {at_kink} at its kink", "between the slopes to both sides all is right"
        )
        got = hw.gradcheck(lambda x: float(np.maximum(x, 0).sum()), x, slope + 10.0)
        same(got, False, "gradcheck of relu with 10 added to its slopes")


@check(
    "1.6", 1,
    each=("wrong sign", "half of it", "last entry", "transposed", "x for y", "mean", "NaN", "beyond the kink"),
)  # fmt: skip
def wrong_gradients_are_refused(hw, draw, case):
    x = draw.standard_normal((3, 3))
    f, right = (lambda x: float(np.sinh(x).sum())), np.cosh(x)
    last = right.copy()
    last[2, 2] *= 1.01
    nan = right.copy()
    nan[0, 1] = np.nan
    wrong = {"wrong sign": -right, "half of it": right / 2, "last entry": last, "transposed": right.T, "x for y": x,
             "mean": right / x.size, "NaN": nan}  # fmt: skip
    if case == "beyond the kink":
        x = np.array([0.5, 0.0, -0.5])
        f, wrong[case] = (lambda x: float(np.maximum(x, 0).sum())), np.array([1.0, 1.5, 0.0])
        right = np.array([1.0, 0.5, 0.0])
    for number in draw.permutation(6):  # nobody knows which comes next
        if number % 2:
            same(hw.gradcheck(f, x, right), True, "gradcheck of the right gradient")
        else:
            same(hw.gradcheck(f, x, wrong[case]), False, f"gradcheck of a wrong gradient ({case})")
