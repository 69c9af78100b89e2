"""assign_: what it writes, what it refuses, and that backward notices every value that was overwritten."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, GraphError, MutationError, ShapeError


@pytest.fixture
def x():
    return tg.tensor([1.0, 2.0], requires_grad=True)


NEW = tg.tensor([5.0, 7.0])


@pytest.mark.host
def test_assign_writes_the_memory_in_place_and_returns_the_tensor(x):
    view = x.numpy()
    assert x.assign_(NEW) is x
    assert view.tolist() == [5.0, 7.0]
    assert x.is_leaf
    assert x.requires_grad
    x.assign_(np.array([1.0, 1.0], "float32"))
    assert x.tolist() == [1.0, 1.0]
    scalar = tg.tensor(3.0)
    scalar.assign_(4.0)
    assert scalar.item() == 4.0


def test_assign_copies_the_value():
    x, value = tg.zeros(2), tg.ones(2)
    x.assign_(value)
    value.assign_(tg.tensor([9.0, 9.0]))
    assert x.tolist() == [1.0, 1.0]


def test_assign_of_an_overlapping_view_of_itself():
    x = tg.tensor([1.0, 2.0, 3.0])
    x.assign_(x.flip())
    assert x.tolist() == [3.0, 2.0, 1.0]


@pytest.mark.host
def test_assign_works_through_strided_memory():
    array = np.zeros((2, 3))
    tg.from_numpy(array.T[::-1]).assign_(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(array, np.arange(6.0).reshape(3, 2)[::-1].T)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (tg.zeros(3), ShapeError, r"assign_: the value has shape \(3,\) and dtype float32, this tensor \(2,\)"),
        (tg.zeros(1), ShapeError, "make them equal"),
        (tg.zeros(2, dtype="float64"), ShapeError, "dtype float64, this tensor"),
        (1.0, ShapeError, r"shape \(\)"),
        ([1.0, 2.0], DTypeError, "list"),
    ],
)
def test_assign_refuses_another_shape_or_dtype(value, error, message, x):
    with pytest.raises(error, match=message):
        x.assign_(value)
    assert x.tolist() == [1.0, 2.0]


def test_assign_refuses_results(x):
    with (
        pytest.raises(GraphError, match=r"assign_ works on leaves only; this tensor is the result of mul \(in gate\)"),
        tg.scope("gate"),
    ):
        (x * 2.0).assign_(NEW)


@pytest.mark.host
@pytest.mark.parametrize("make", [lambda: tg.tensor([1.0]).broadcast_to(3), lambda: tg.from_numpy(np.ones(3, "f4")[:])])
def test_assign_refuses_memory_that_cannot_be_written(make):
    target = make()
    if target._data.flags.writeable:
        target._data.flags.writeable = False
    with pytest.raises(GraphError, match=r"cannot be written.*write to a copy: x.copy\(\)"):
        target.assign_(tg.zeros(3))


# ---- versions -----------------------------------------------------------------------------------------------------

# Uses of a leaf x: how it is changed before backward, and whether the backward pass needs what was there.
NEEDED = {
    "mul": lambda x: x * x,
    "mul by another": lambda x: x * tg.tensor([2.0, 3.0], requires_grad=True),
    "exp of a view": lambda x: x[:1].log(),
    "matmul": lambda x: x @ tg.ones(2, 3, requires_grad=True),
    "div": lambda x: tg.ones(2, requires_grad=True) / x,
    "pow": lambda x: x**2.0,
    "max": lambda x: x.max(),
    "maximum": lambda x: x.maximum(1.5),
    "abs": lambda x: x.abs(),
    "reshape": lambda x: x.reshape(2, 1).sin(),
    "transpose": lambda x: x.T.cos(),
    "broadcast": lambda x: x.broadcast_to(3, 2).log(),
    "split": lambda x: x.split(1)[1].log(),
    "unbind": lambda x: x.reshape(1, 2).unbind()[0].log(),
    "view of a view": lambda x: x.reshape(1, 2)[0].unsqueeze(1).abs(),
}
NOT_NEEDED = {
    "add": lambda x: x + x,
    "sub": lambda x: 3.0 - x,
    "neg": lambda x: -x,
    "mul by a number": lambda x: x * 2.0,
    "sum": lambda x: x.sum(),
    "index": lambda x: x[0] + x[[1, 1]],
    "exp": lambda x: x.exp(),  # its derivative is its output
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "relu": lambda x: x.relu(),
    "sqrt": lambda x: x.sqrt(),
    "reciprocal": lambda x: x.reciprocal(),
    "reshape": lambda x: x.reshape(2, 1),
    "concat": lambda x: tg.concat([x, x]),
    "cast": lambda x: x.cast("float64"),
    "matmul with what needs no grad": lambda x: x @ tg.ones(2, 3),
    "where": lambda x: x.where(tg.tensor([True, False]), 0.0),
    "copy": lambda x: x.copy() ** 2.0,
    "div by a number": lambda x: x / 3.0,
}
WRITES = {
    "itself": lambda x: x.assign_(NEW),
    "through detach": lambda x: x.detach().assign_(NEW),
    "through a view of detach": lambda x: x.detach()[1:].assign_(NEW[1:]),
    "through a view made without grad": lambda x: tg.no_grad()(lambda: x.reshape(1, 2).assign_(NEW.reshape(1, 2)))(),
    "through detach of a view": lambda x: x[::-1].detach().assign_(NEW),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("use", NEEDED.values(), ids=NEEDED)
def test_overwriting_a_value_that_is_needed_is_noticed(use, write, x):
    before = x.detach()
    with tg.scope("lstm"), tg.scope("t", 2):
        y = use(x)
    write(before if write is not WRITES["itself"] and write is not WRITES["through detach of a view"] else x)
    with pytest.raises(MutationError, match=r"\(in lstm/t=2\).*assign_\(\) overwrote it"):
        y.sum().backward()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("use", NOT_NEEDED.values(), ids=NOT_NEEDED)
def test_overwriting_a_value_that_is_not_needed_is_fine(use, write, x):
    reference = tg.tensor([1.0, 2.0], requires_grad=True)
    (expected,) = tg.grad(use(reference).sum(), [reference])
    y = use(x).sum()
    write(x)
    y.backward()
    assert x.tolist() != [1.0, 2.0]
    assert x.grad.tolist() == expected.tolist()


def test_overwriting_an_output_that_is_needed_is_noticed(x):
    y = x.exp()
    y.detach().assign_(NEW)
    with pytest.raises(
        MutationError, match=r"the output of exp is needed .*detach\(\) or a view.*x.detach\(\).copy\(\)"
    ):
        y.sum().backward()


def test_overwriting_before_the_use_is_fine(x):
    x.assign_(NEW)
    (x * x).sum().backward()
    assert x.grad.tolist() == [10.0, 14.0]


def test_a_use_after_the_write_does_not_hide_the_one_before(x):
    before = x * x
    x.assign_(NEW)
    after = x * x
    after.sum().backward()
    assert x.grad.tolist() == [10.0, 14.0]
    with pytest.raises(MutationError):
        before.sum().backward()


@pytest.mark.host
def test_an_index_that_was_overwritten_is_noticed(x):
    index = tg.tensor([0, 1])
    y = x.take(index)
    index.assign_(tg.tensor([1, 1]))
    with pytest.raises(MutationError):
        y.sum().backward()


def test_writing_to_an_unrelated_copy_is_fine(x):
    copied = x.detach().copy()
    y = (x * x).sum()
    copied.assign_(NEW)
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_a_training_loop_may_assign_between_backward_and_the_next_use(x):
    for _ in range(3):
        (x * x).sum().backward()
        x.assign_(x.detach() - 0.25 * x.grad)
        x.grad = None
    assert x.tolist() == [0.125, 0.25]


def test_a_second_derivative_also_checks_versions(x):
    (g,) = tg.grad((x * x * x).sum(), [x], create_graph=True)
    x.assign_(NEW)
    with pytest.raises(MutationError):
        tg.grad(g.sum(), x)
