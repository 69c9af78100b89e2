"""matmul: every pair of ranks, layouts, empty sizes, dtypes; derivatives; the cost of its gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.engine.strategies import DTYPES, float_arrays, leaf
from tests.recording import Recording
from tinygrad_rnn.engine import autograd, ops
from tinygrad_rnn.errors import DTypeError

SHAPES = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((2, 4, 3), (3, 2)),
    ((4, 3), (2, 3, 2)),
    ((2, 4, 3), (2, 3, 2)),
    ((1, 4, 3), (2, 3, 2)),
    ((2, 4, 3), (1, 3, 2)),
    ((2, 1, 4, 3), (5, 3, 2)),
    ((3,), (2, 2, 3, 1)),
    ((2, 2, 1, 3), (3,)),
    ((2, 2, 1, 3), (3, 2)),
    ((1, 1), (1, 1)),
    # sizes of 0: a row, a column, the inner axis, the batch
    ((0,), (0,)),
    ((0,), (0, 3)),
    ((3,), (3, 0)),
    ((0, 3), (3, 2)),
    ((2, 3), (3, 0)),
    ((2, 0), (0, 3)),
    ((2, 2, 0), (0, 3)),
    ((2, 0, 3), (3, 2)),
    ((0, 2, 3), (3,)),
    ((0, 2, 3), (0, 3, 2)),
    ((2, 2, 0), (2, 0, 3)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES)
@given(data=st.data(), dtype=DTYPES)
def test_values_agree_with_numpy(left, right, data, dtype):
    a, b = data.draw(float_arrays(left, dtype=dtype)), data.draw(float_arrays(right, dtype=dtype))
    found = leaf(a) @ leaf(b)
    assert found.dtype == dtype
    expected = np.matmul(a.astype("float64"), b.astype("float64"))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_derivatives_agree_with_differences(left, right):
    rng = np.random.default_rng(0)
    a, b = leaf(rng.uniform(-1, 1, left)), leaf(rng.uniform(-1, 1, right))
    assert tg.gradcheck(lambda a, b: a @ b, (a, b))
    if a.size * b.size <= 60:
        assert tg.gradgradcheck(lambda a, b: a @ b, (a, b))
    (a @ b).sum().backward()
    assert (a.grad.shape, b.grad.shape) == (left, right)


@given(data=st.data())
def test_derivatives_of_transposed_and_reversed_operands(data):
    a, b = leaf(data.draw(float_arrays((2, 3)))), leaf(data.draw(float_arrays((2, 3))))
    assert tg.gradcheck(lambda a, b: a @ b.T, (a, b))
    assert tg.gradgradcheck(lambda a, b: a.T @ b.flip(0), (a, b))
    assert tg.gradcheck(lambda a: a @ a.T, a)


@pytest.mark.many_launches
def test_one_matrix_used_many_times_gets_the_sum_of_its_gradients():
    rng = np.random.default_rng(1)
    w = leaf(rng.uniform(-0.5, 0.5, (3, 3)))
    xs = [leaf(rng.uniform(-1, 1, (2, 3)), requires_grad=False) for _ in range(70)]

    def through_time(w):
        h = xs[0]
        for x in xs:
            h = (h @ w + x).tanh()
        return h + xs[1] @ w

    assert tg.gradcheck(through_time, w)
    assert tg.gradgradcheck(lambda w: ((xs[0] @ w).tanh() @ w) @ w + xs[1] @ w, w)


@pytest.mark.many_launches
def test_messages_to_one_matrix_are_multiplied_together_but_never_too_many_at_once(monkeypatch):
    calls, multiplied = [], autograd._multiplied

    def spy(products):
        calls.append(len(products))
        return multiplied(products)

    monkeypatch.setattr(autograd, "_multiplied", spy)
    monkeypatch.setattr(autograd, "_MOST_ROWS", 64)
    w = tg.eye(2)
    w.requires_grad = True
    h = tg.ones(2, 2)
    for _ in range(150):
        h = h @ w
    h.sum().backward()
    assert calls == [32, 32, 32, 32, 22]
    assert w.grad.tolist() == [[300.0, 300.0]] * 2


def test_dtypes_are_promoted():
    both = tg.ones(2, 2, requires_grad=True), tg.ones(2, 2, dtype="float64", requires_grad=True)
    product = both[0] @ both[1]
    assert product.dtype == tg.float64
    product.sum().backward()
    assert [x.grad.dtype for x in both] == ["float32", "float64"]
    assert (tg.ones(2, 2) @ tg.ones(2, 2, dtype="int64")).dtype == tg.float32
    assert (tg.tensor([1, 2]) @ tg.tensor([3, 4])).item() == 11
    assert (np.ones((1, 2)) @ tg.tensor([3.0, 4.0])).tolist() == [7.0]
    assert tg.tensor([3.0, 4.0]).matmul(np.ones(2, "float32")).dtype == tg.float32


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (2, 3)), ((3,), (2,)), ((3,), (2, 2, 3)), ((2, 2, 3), (4, 3)), ((2, 4, 3), (3, 3, 2))]
)
def test_operands_that_do_not_fit_are_named(left, right):
    with pytest.raises(tg.errors.ShapeError) as caught, tg.scope("gate"):
        tg.zeros(left) @ tg.zeros(right)
    message = str(caught.value)
    assert message.startswith("matmul: ")
    assert str(left) in message
    assert str(right) in message
    assert "(in gate)" in message


def test_a_0d_operand_is_refused():
    with pytest.raises(tg.errors.ShapeError, match="matmul"):
        tg.ones(2) @ tg.tensor(1.0)


def test_a_sequence_times_a_matrix_is_one_product_of_all_its_rows(monkeypatch):
    x, w = tg.ones(50, 4, 3), tg.ones(3, 2)
    backend, shapes = x._node.backend, []
    matmul = backend.matmul
    monkeypatch.setattr(backend, "matmul", lambda a, b: (shapes.append((a.shape, b.shape)), matmul(a, b))[1])
    assert (x @ w).shape == (50, 4, 2)
    assert shapes == [((200, 3), (3, 2))]


def test_the_gradient_of_the_matrix_of_a_sequence_is_one_product_not_one_per_step():
    x, w = tg.ones(50, 4, 3), tg.ones(3, 2, requires_grad=True)
    y = (x @ w).sum()
    with Recording() as recording:
        y.backward()
    assert recording.seen.count(ops.MatMul) == 1
    assert recording.seen.count(ops.Sum) == 0


def test_what_knows_how_to_be_multiplied_from_the_left_is_asked() -> None:
    class Twice:
        def __rmatmul__(self, x: tg.Tensor) -> tg.Tensor:
            return x * 2

    np.testing.assert_array_equal((tg.ones(3) @ Twice()).numpy(), [2, 2, 2])
    with pytest.raises(DTypeError):
        tg.ones(3) @ "text"
