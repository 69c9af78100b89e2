"""Ops of one's own: what apply accepts, what forward and vjp may return, and whose memory it is."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.graph import Product, Slice
from tinygrad_rnn.errors import DeviceError, DTypeError, GraphError, MutationError, ShapeError


def an_op(forward, vjp=lambda node, *grads: grads):
    """Return an op called `mine` with these rules."""
    return type("Mine", (tg.Op,), {"forward": staticmethod(forward), "vjp": staticmethod(vjp), "__module__": __name__})


@pytest.fixture
def x():
    return tg.tensor([1.0, 2.0, 3.0], requires_grad=True)


copied = an_op(lambda backend, x: backend.copy(x))


# ---- what it is applied to ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [3.0, None, [1.0], np.ones(3), "x", copied])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_an_input_that_is_no_tensor_is_named(wrong, others, x):
    given = (x,) * others + (wrong,)
    with pytest.raises(DTypeError, match=rf"mine: input {others} must be a tensor, not {type(wrong).__name__}"):
        tg.apply(copied, *given)


def test_without_inputs_there_is_nothing_to_apply_an_op_to():
    with pytest.raises(DTypeError, match="mine: apply it to at least one tensor"):
        tg.apply(copied)


@pytest.mark.parametrize("wrong", [np.exp, None, 3.0, lambda x: x, int, "exp"])
def test_what_is_no_op_is_named(wrong, x):
    with pytest.raises(DTypeError, match=r"apply: the first argument is a subclass of tg\.Op, not"):
        tg.apply(wrong, x)
    with pytest.raises(DTypeError, match=r"apply: the first argument is a subclass of tg.Op, not a Tensor"):
        tg.apply(x, copied)


def test_an_attribute_error_of_forward_stays_what_it_is(x):
    with pytest.raises(AttributeError, match="no_such"):
        tg.apply(an_op(lambda backend, x: backend.no_such(x)), x)


# ---- what forward returns -----------------------------------------------------------------------------------------


@pytest.mark.host
@pytest.mark.parametrize(
    ("result", "what"),
    [
        (None, r"None \(is its `return` missing\?\)"),
        (3.0, "a float"),
        ([1.0, 2.0], "a list"),
        ((), "a tuple"),
        ("text", "a str"),
        (tg.ones(2), "a Tensor"),
        (np.ma.masked_array([1.0, 2.0]), "a MaskedArray"),
        (np.ones(2, "int32"), "an array of dtype int32"),
        (np.ones(2, "float16"), "an array of dtype float16"),
        (np.ones(2, "complex64"), "an array of dtype complex64"),
        (np.ones(2, ">f4"), "an array of dtype >f4"),
        (np.array(["a"]), "an array of dtype <U1"),
        (np.array([None]), "an array of dtype object"),
        (np.float16(1.0), "an array of dtype float16"),
    ],
)
@pytest.mark.parametrize("place", ["alone", "second"])
def test_a_result_that_is_no_array_of_the_engine_is_named(result, what, place, x):
    returned = result if place == "alone" else (np.ones(2), result)
    with tg.no_grad(), tg.scope("t", 3), pytest.raises(DTypeError, match=rf"mine: forward \(in t=3\) returned {what}"):
        tg.apply(an_op(lambda backend, x: returned), x)


@pytest.mark.host
def test_an_array_in_any_order_of_memory_is_a_result(x):
    table = np.arange(12.0).reshape(3, 4)
    for array in (np.asfortranarray(table), table[::-1, ::2], table.T):
        y = tg.apply(an_op(lambda backend, x, array=array: array, lambda node, g: g.sum(1)), x)
        assert y.tolist() == array.tolist()
        np.testing.assert_allclose((y * 2.0).exp().numpy(), np.exp(array * 2.0))


def test_an_array_of_another_device_is_named(fake_cuda):
    x = tg.ones(2, device="cuda")
    with pytest.raises(DTypeError, match=r"returned a ndarray; return an array of device 'cuda'.*backend.from_numpy"):
        tg.apply(an_op(lambda backend, x: np.ones(2)), x)


def test_a_result_of_integers_requires_no_grad(x):
    whole = an_op(lambda backend, x: backend.cast(x, tg.int64))
    assert not tg.apply(whole, x).requires_grad


# ---- whose memory a result is -------------------------------------------------------------------------------------


def through(x, forward, *others):
    return tg.apply(an_op(forward, lambda node, *grads: tuple(grads[0] for _ in node.parents)), x, *others)


@pytest.mark.parametrize(
    "forward",
    [
        lambda backend, x: x,
        lambda backend, x: backend.reshape(x, (1, 3)),
        lambda backend, x: backend.getitem(x, (slice(None, None, -1),)),
        lambda backend, x: backend.broadcast_to(x, (2, 3)),
        lambda backend, x: (backend.copy(x), backend.getitem(x, (slice(1, None),))),
    ],
)
def test_an_op_that_returns_its_input_or_a_view_of_it_shares_it(forward):
    leaf = tg.tensor([1.0, 2.0, 3.0])
    with tg.no_grad():
        shared = through(leaf, forward)
    shared = shared[-1] if isinstance(shared, tuple) else shared
    y = tg.ones(1, requires_grad=True) * leaf
    shared.copy().detach()
    if shared.shape == (2, 3):
        leaf.assign_(tg.zeros(3))
    else:
        shared.assign_(shared.copy() * 0.0)
    with pytest.raises(MutationError):
        y.sum().backward()


def test_an_op_that_copies_shares_nothing():
    leaf = tg.tensor([1.0, 2.0, 3.0])
    copy = through(leaf, lambda backend, x: backend.copy(x))
    y = tg.ones(1, requires_grad=True) * leaf
    copy.assign_(tg.zeros(3))
    y.sum().backward()


def test_outputs_in_the_memory_of_two_inputs_do_not_both_stay_there():
    a, b = tg.tensor([1.0]), tg.tensor([2.0])
    first, second = through(a, lambda backend, a, b: (a, b), b)
    by_a, by_b = tg.ones(1, requires_grad=True) * a, tg.ones(1, requires_grad=True) * b
    second.assign_(tg.tensor([7.0]))
    first.assign_(tg.tensor([7.0]))
    assert (a.tolist(), b.tolist()) == ([7.0], [2.0])
    by_b.backward()
    with pytest.raises(MutationError):
        by_a.backward()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_reshape_that_copied_shares_nothing_and_one_that_did_not_does(device, fake_cuda):
    w = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], device=device, requires_grad=True)
    copy, view = w.T.reshape(6), w.reshape(6)
    of_copy, of_view = (copy * copy).sum(), (view * view).sum()
    w.assign_(w.detach() * 2.0)
    of_copy.backward()
    assert w.grad.tolist() == [[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]
    with pytest.raises(MutationError):
        of_view.backward()


# ---- what vjp returns ---------------------------------------------------------------------------------------------


def test_a_vjp_without_return_is_named_and_a_tuple_of_none_is_not(x):
    y = tg.apply(an_op(lambda backend, x: backend.copy(x), lambda node, g: None), x)
    with pytest.raises(GraphError, match=r"the vjp of mine returned None \(is its `return` missing\?\)"):
        y.sum().backward()
    (tg.apply(an_op(lambda backend, x: backend.copy(x), lambda node, g: (None,)), x) + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.host
def test_a_message_on_another_device_is_named(fake_cuda, x):
    y = tg.apply(an_op(lambda backend, x: backend.copy(x), lambda node, g: g.to("cuda")), x)
    with pytest.raises(DeviceError, match="the vjp of mine returned a message on cuda for input 0, which is on cpu"):
        y.sum().backward()


def test_a_slice_and_a_product_of_ones_own_are_checked_too(x):
    part = (slice(0, 2),)
    for message, expected in [(lambda g: g[:2], [1.0, 1.0, 0.0]), (lambda g: g[:2].cast("float64"), [1.0, 1.0, 0.0])]:
        x.grad = None
        tg.apply(copied_with(lambda node, g, message=message: Slice(part, message(g))), x).sum().backward()
        assert x.grad.tolist() == expected
        assert x.grad.dtype == tg.float32
    for wrong, error in [(Slice(part, tg.ones(5)), ShapeError), (Slice(part, 1.0), GraphError)]:
        with pytest.raises(error, match="the vjp of mine returned a"):
            tg.apply(copied_with(lambda node, g, wrong=wrong: wrong), x).sum().backward()
    with pytest.raises(ShapeError, match="the vjp of mine returned a message of shape"):
        tg.apply(copied_with(lambda node, g: Product(tg.ones(1, 5), tg.ones(1, 4))), x).sum().backward()


def copied_with(vjp):
    return an_op(lambda backend, x: backend.copy(x), vjp)


CONSTANT = tg.tensor([5.0, 6.0, 7.0])


@pytest.mark.parametrize(
    "message", [lambda node, g: CONSTANT, lambda node, g: node.input(0), lambda node, g: CONSTANT.reshape(3)]
)
def test_a_gradient_shares_no_memory_with_what_a_vjp_returned(message, x):
    before = [CONSTANT.tolist(), x.tolist()]
    tg.apply(copied_with(message), x).sum().backward()
    x.grad.assign_(tg.zeros(3))
    (by_grad,) = tg.grad(tg.apply(copied_with(message), x).sum(), [x])
    by_grad.assign_(tg.zeros(3))
    assert [CONSTANT.tolist(), x.tolist()] == before
