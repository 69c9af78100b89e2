"""NumPy's functions on tensors: the tensor's own methods where there are some, elsewhere an error that tells."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine import numpy_calls
from tinygrad_rnn.errors import DTypeError, GraphError


@pytest.fixture
def x():
    return tg.tensor([0.5, 2.0, 3.0], dtype="float64", requires_grad=True)


def there_is(function):
    return function in numpy_calls._OPERATORS or hasattr(tg.Tensor, function.__name__)


UNARY = [f for f in (np.exp, np.log, np.sqrt, np.tanh, np.sin, np.cos, np.square, np.negative, np.absolute, np.sign,
                     np.reciprocal, np.expm1, np.log1p, np.floor, np.positive) if there_is(f)]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.minimum, np.less, np.greater_equal,
          np.equal, np.not_equal]  # fmt: skip


@pytest.mark.parametrize("function", UNARY)
def test_a_function_of_one_argument_stays_in_the_graph(function, x):
    y = function(x)
    assert type(y) is tg.Tensor
    np.testing.assert_allclose(y.numpy(), function(x.numpy()), rtol=1e-14)
    assert y.requires_grad == (function not in (np.sign, np.floor))


@pytest.mark.parametrize("function", BINARY)
def test_a_function_of_two_arguments_stays_in_the_graph_whoever_comes_first(function, x):
    values, array = x.numpy(), np.array([3.0, 2.0, 1.0])
    for a, b in [(x, x), (x, 2.0), (2.0, x), (array, x), (x, array), (np.float64(2), x)]:
        y = function(a, b)
        assert type(y) is tg.Tensor
        plain = [values if part is x else part for part in (a, b)]
        np.testing.assert_allclose(y.numpy(), function(*plain), rtol=1e-14)
        assert y.requires_grad == (y.dtype != tg.bool_)


def test_gradients_flow_through_numpys_names(x):
    np.sum(np.exp(x) * np.ones(3) @ np.eye(3)).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(x.numpy()), rtol=1e-14)


@pytest.mark.parametrize("function", [np.sum, np.mean, np.max, np.min, np.argmax])
def test_reductions_are_the_tensors_own(function):
    x = tg.tensor([[1.0, 5.0], [3.0, 2.0]], requires_grad=True)
    for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
        y = function(x, **options)
        assert type(y) is tg.Tensor
        assert y.tolist() == function(x.numpy(), **options).tolist()
    assert function(x, 1).tolist() == function(x.numpy(), 1).tolist()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda x: np.exp(x, out=np.empty(3)), r"np.exp\(tensor, out=...\)"),
        (lambda x: np.exp(x, where=np.array([True, False, True])), r"np.exp\(tensor, where=...\)"),
        (np.add.reduce, r"np.add.reduce\(tensor.*\)"),
        (lambda x: np.add.outer(x, x), r"np.add.outer\(tensor\)"),
        (lambda x: np.add(np.ones(3), x, dtype="float32"), r"np.add\(tensor, dtype=...\)"),
        (lambda x: np.arctan2(x, x), r"np.arctan2\(tensor\)"),
        (np.isnan, r"np.isnan\(tensor\)"),
        (lambda x: np.ones(3).__iadd__(x), r"np.add\(tensor, out=...\)"),
    ],
)
def test_what_has_no_counterpart_says_what_to_write(call, what, x):
    with pytest.raises(DTypeError, match=what + r" has no counterpart among tensors; use .*x.numpy\(\)"):
        call(x)


def test_other_functions_get_values_unless_grad_is_required(x):
    plain = tg.tensor([1.0, 2.0])
    assert np.concatenate([plain, plain]).tolist() == [1.0, 2.0, 1.0, 2.0]
    assert np.allclose(plain, np.array([1.0, 2.0]))
    assert np.var(plain) == 0.25  # NumPy's own meaning
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((3,), 1, 3)
    for call in (np.std, np.median, lambda t: np.concatenate([t, t]), lambda t: np.sum(t, initial=1.0)):
        with pytest.raises(GraphError, match=r"call .numpy\(\) or .detach\(\)"):
            call(x)


def test_positions_in_numpy_s_reductions_are_numpy_s():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    total = np.sum(x, 0, np.float64)
    assert (total.shape, total.dtype, total.requires_grad) == ((2,), "float64", True)
    assert np.sum(x, 1, None, None).tolist() == [3.0, 7.0]
    assert np.mean(x, axis=0, keepdims=True).shape == (1, 2)
    assert np.cumsum(x).tolist() == [1.0, 3.0, 6.0, 10.0]
    assert np.max(x, 1).tolist() == [2.0, 4.0]
