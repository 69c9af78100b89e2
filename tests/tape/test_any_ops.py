"""Programs of any ops, forward and backward, replayed on other data: the bits are those of the program itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.engine.op_cases import CASES
from tests.tape.steps import numbers_of
from tinygrad_rnn import tape


def other_than(x, scale):
    """Return an array of the same signs with other numbers."""
    return x * np.linspace(scale, 1.0, x.size).reshape(x.shape) if x.dtype.kind == "f" else x


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.op.__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_op_with_its_first_and_second_derivative(case, dtype):
    def step(*xs):
        points = []
        for x in xs:
            point = x.detach()
            point.requires_grad = True
            points.append(point)
        made = case.call(*points)
        made = made if isinstance(made, tuple) else (made,)
        floats = [y for y in made if y.requires_grad]
        if not floats:
            return made
        total = sum(((y * y).sum() for y in floats), tg.tensor(0.0, dtype))
        first = tg.grad(total, points, create_graph=True, allow_unused=True)
        second = [g for g in first if g is not None and g.requires_grad]
        if second:
            sum(((g * g).sum() for g in second), tg.tensor(0.0, dtype)).backward()
        return made, first, [point.grad for point in points]

    t = tape.record(step, *case.tensors(dtype, requires_grad=False))
    for scale in (0.8, 1.1):
        inputs = [tg.tensor(other_than(x, scale), dtype) for x in case.inputs]
        assert numbers_of(t.replay(*inputs)) == numbers_of(step(*inputs))
        again = tape.from_json(t.to_json())
        assert numbers_of(again.replay(*inputs)) == numbers_of(step(*inputs))


#: What a program does next with values it has, all of shape (3, 4): with two of them, and with one.
TWO = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - b * 0.5,
    lambda a, b: a.maximum(b),
    lambda a, b: (a @ b.T) @ a / 10.0,
    lambda a, b: a.where(b > 0.0, -b),
    lambda a, b: tg.concat([a[:1], b[1:]]),
    lambda a, b: tg.stack([a, b]).mean(0),
    lambda a, b: a / (b * b + 1.0),
]
ONE = [
    lambda a: a.tanh(),
    lambda a: a.sigmoid() * 2.0,
    lambda a: a.softmax(-1),
    lambda a: a - a.mean(0, keepdims=True),
    lambda a: a.sum(1, keepdims=True).broadcast_to(3, 4) / 4.0,
    lambda a: a[::-1].flip(1),
    lambda a: a.T.reshape(3, 4),
    lambda a: a.detach() * 0.5 + a,
    lambda a: tg.concat(a.split([1, 3], axis=1), axis=1),
    lambda a: a.take([2, 0, 0], 0),
    lambda a: a.cumsum(1).clip(-2.0, 2.0),
    lambda a: a + tg.rand(3, 4),
    lambda a: a.cast("float64").exp().clip(max=9.0).cast("float32"),
    lambda a: a.norm() * a / 4.0,
    lambda a: a.named("it") + tg.arange(4.0),
]
STEPS = st.lists(
    st.tuples(st.integers(0, len(TWO) + len(ONE) - 1), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12
)


@given(STEPS, st.lists(st.sampled_from(["assign", "grad", "zero", "clip"]), max_size=4), st.booleans())
def test_random_programs_with_effects(program, effects, accumulate):
    def world():
        tg.manual_seed(5)
        w = tg.randn(3, 4, requires_grad=True)

        def step(x):
            values = [x, w]
            for op, i, j in program:
                a, b = values[i % len(values)], values[j % len(values)]
                values.append(TWO[op](a, b) if op < len(TWO) else ONE[op - len(TWO)](a))
            if not accumulate:
                w.grad = None
            loss = (values[-1] * w).sum() + values[len(values) // 2].mean()
            loss.backward()
            for effect in effects:
                if effect == "assign":
                    w.assign_(w - 0.01 * (w if w.grad is None else w.grad))
                elif effect == "grad" and w.grad is not None:
                    w.grad = w.grad * 0.5
                elif effect == "zero" and not accumulate:
                    w.grad = None
                elif effect == "clip":
                    tg.optim.clip_grad_norm_([w], 1.0)
            return loss, values[-1], w.grad

        return w, step

    xs = [tg.tensor(np.random.default_rng(i).normal(size=(3, 4)), "float32") for i in range(4)]
    w, step = world()
    eager = [numbers_of([step(x), w]) for x in xs]
    w, step = world()
    taped = [numbers_of([step(xs[0]), w])]  # from here there is a gradient, if it stays
    t = tape.record(step, xs[1])
    taped.append(numbers_of([t.result, w]))
    taped += [numbers_of([t.replay(x), w]) for x in xs[2:]]
    assert taped == eager
