"""Movement: values against NumPy, torch's names, views that share memory, derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.engine.strategies import broadcastable, float_arrays, leaf, shapes


def check_derivatives(f, *xs):
    assert tg.gradcheck(f, xs)
    assert tg.gradgradcheck(lambda *xs: f(*(x * x for x in xs)), xs)


# ---- reshape ------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_reshape_keeps_the_order_of_elements(data):
    array = data.draw(float_arrays(st.sampled_from([(2, 6), (3, 4), (12,), (2, 3, 2)])))
    shape = data.draw(st.sampled_from([(12,), (4, 3), (3, 1, 4), (2, 2, 3)]))
    np.testing.assert_array_equal(leaf(array).reshape(shape).numpy(), array.reshape(shape))
    check_derivatives(lambda x: x.reshape(shape), leaf(array))


@pytest.mark.parametrize(
    ("shape", "given_shape", "found"),
    [
        ((2, 6), (-1,), (12,)),
        ((2, 6), (4, -1), (4, 3)),
        ((0, 3), (-1,), (0,)),
        ((), (-1, 1), (1, 1)),
        ((0, 3), (-1, 3), (0, 3)),
    ],
)
def test_reshape_infers_one_size(shape, given_shape, found):
    x = tg.zeros(shape)
    assert x.reshape(given_shape).shape == x.reshape(*given_shape).shape == x.reshape(list(given_shape)).shape == found


@pytest.mark.parametrize("wrong", [(-1, -1), (5, -1), (-2,), (2, -6), (-1, 0)])
def test_reshape_refuses_a_negative_size_it_cannot_infer(wrong):
    with pytest.raises(tg.errors.ShapeError, match=r"reshape: shape \(2, 6\) does not determine"):
        tg.zeros(2, 6).reshape(wrong)


def test_reshape_to_another_number_of_elements_names_both_shapes():
    with pytest.raises(tg.errors.ShapeError, match=r"reshape: .*\(2, 6\).*\(5,\).*same number of elements"):
        tg.zeros(2, 6).reshape(5)


def test_a_size_that_is_no_integer_is_refused():
    for call in (lambda: tg.zeros(2.7), lambda: tg.zeros(4).reshape(2.0, 2.0), lambda: tg.zeros(1).broadcast_to(2.5)):
        with pytest.raises(TypeError):
            call()


# ---- axes ---------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_permute_and_t_agree_with_numpys_transpose(data):
    array = data.draw(float_arrays(shapes(max_dims=3)))
    order = data.draw(st.permutations(range(array.ndim)))
    x = leaf(array)
    np.testing.assert_array_equal(x.permute(*order).numpy(), array.transpose(order))
    np.testing.assert_array_equal(x.permute([a - array.ndim for a in order]).numpy(), array.transpose(order))
    np.testing.assert_array_equal(x.T.numpy(), array.T)
    check_derivatives(lambda x: x.permute(order), x)


@given(data=st.data())
def test_transpose_swaps_two_axes_as_in_torch(data):
    array = data.draw(float_arrays(shapes(min_dims=1)))
    a, b = (data.draw(st.integers(-array.ndim, array.ndim - 1)) for _ in range(2))
    np.testing.assert_array_equal(leaf(array).transpose(a, b).numpy(), np.swapaxes(array, a, b))


@pytest.mark.parametrize("wrong", [(0,), (0, 0), (0, 1, 2)])
def test_permute_refuses_what_is_no_order_of_the_axes(wrong):
    with pytest.raises(tg.errors.ShapeError, match="permute: "):
        tg.zeros(2, 3).permute(wrong)


@given(data=st.data())
def test_broadcast_to_repeats_and_its_gradient_sums(data):
    shape, target = data.draw(broadcastable(2, max_dims=3))
    wide = np.broadcast_shapes(shape, target)
    array = data.draw(float_arrays(shape))
    x = leaf(array)
    np.testing.assert_array_equal(x.broadcast_to(wide).numpy(), np.broadcast_to(array, wide))
    check_derivatives(lambda x: x.broadcast_to(*wide), x)


def test_broadcast_to_a_shape_that_does_not_fit_says_what_can_be_repeated():
    with pytest.raises(tg.errors.ShapeError, match=r"broadcast_to: .*\(3,\).*\(2,\).*size is 1, or added on the left"):
        tg.zeros(3).broadcast_to(2)


@given(data=st.data())
def test_squeeze_unsqueeze_flatten_flip_agree_with_numpy(data):
    array = data.draw(float_arrays(shapes(min_dims=1)))
    axis = data.draw(st.integers(-array.ndim, array.ndim - 1))
    x = leaf(array)
    np.testing.assert_array_equal(x.squeeze().numpy(), array.squeeze())
    np.testing.assert_array_equal(x.unsqueeze(axis).numpy(), np.expand_dims(array, axis))
    np.testing.assert_array_equal(x.unsqueeze(axis).squeeze(axis).numpy(), array)
    np.testing.assert_array_equal(x.flatten().numpy(), array.reshape(-1))
    np.testing.assert_array_equal(x.flip(axis).numpy(), np.flip(array, axis))
    np.testing.assert_array_equal(x.flip().numpy(), np.flip(array))
    np.testing.assert_array_equal(x.copy().numpy(), array)
    check_derivatives(lambda x: x.flip(axis), x)
    check_derivatives(lambda x: x.unsqueeze(axis).flatten().copy(), x)


def test_flatten_joins_the_axes_asked_for():
    x = tg.zeros(2, 3, 4, 5)
    assert x.flatten(1, 2).shape == (2, 12, 5)
    assert x.flatten(-2).shape == (2, 3, 20)
    assert tg.tensor(1.0).flatten().shape == (1,)
    with pytest.raises(tg.errors.ShapeError, match="flatten: start_dim 2 comes after end_dim 1"):
        x.flatten(2, 1)


def test_squeeze_leaves_axes_with_more_than_one_element_as_torch_does():
    assert tg.zeros(1, 2, 1).squeeze((0, 2)).shape == (2,)
    assert tg.zeros(1, 2, 1).squeeze(dim=-1).shape == (1, 2)
    assert tg.zeros(1, 2, 1).squeeze((0, 1)).shape == (2, 1)
    assert tg.zeros(1, 0, 1).squeeze(1).shape == (1, 0, 1)
    assert tg.zeros(()).squeeze(0).shape == ()
    with pytest.raises(tg.errors.ShapeError, match="squeeze: axis 3 is out of range"):
        tg.zeros(1, 2, 1).squeeze(3)


# ---- cutting and joining ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "found"),
    [(2, [2, 2, 1]), (np.int64(2), [2, 2, 1]), (5, [5]), (9, [5]), ([1, 4], [1, 4]), ((0, 2, 3), [0, 2, 3])],
)
def test_split_takes_the_size_of_a_piece_or_all_sizes_as_in_torch(sizes, found):
    array = np.arange(10.0).reshape(5, 2)
    pieces = tg.tensor(array).split(sizes)
    assert [piece.shape for piece in pieces] == [(n, 2) for n in found]
    np.testing.assert_array_equal(np.concatenate([piece.numpy() for piece in pieces]), array)
    assert [p.shape for p in tg.tensor(array.T).split(sizes, dim=-1)] == [(2, n) for n in found]


@pytest.mark.parametrize("wrong", [0, -1, [1, 1], [6, -1], []])
def test_split_refuses_sizes_that_do_not_add_up(wrong):
    with pytest.raises(tg.errors.ShapeError, match="split: "):
        tg.zeros(5).split(wrong)


def test_split_and_chunk_of_nothing():
    assert [p.shape for p in tg.zeros(0, 2).split(3)] == [(0, 2)]
    assert tg.zeros(0, 2).split([]) == ()
    assert [p.shape for p in tg.zeros(0, 2).chunk(3)] == [(0, 2)]


@pytest.mark.parametrize(
    ("size", "chunks", "found"), [(8, 4, [2] * 4), (5, 2, [3, 2]), (5, 4, [2, 2, 1]), (2, 5, [1, 1])]
)
def test_chunk_cuts_as_torch_does(size, chunks, found):
    assert [len(piece) for piece in tg.zeros(size).chunk(chunks)] == found
    assert [piece.shape[1] for piece in tg.zeros(1, size).chunk(chunks, axis=1)] == found


def test_chunk_refuses_a_number_that_is_not_positive():
    with pytest.raises(tg.errors.ShapeError, match="chunk: the number of pieces must be positive, not 0"):
        tg.zeros(2).chunk(0)


def test_pieces_that_are_not_used_send_zeros():
    x = tg.ones(6, requires_grad=True)
    a, _, c = x.split(2)
    (a * 2.0 + c * 3.0).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 0.0, 0.0, 3.0, 3.0]
    y = tg.ones(3, 2, requires_grad=True)
    rows = y.unbind()
    (rows[2] * 5.0).sum().backward()
    assert y.grad.tolist() == [[0.0, 0.0], [0.0, 0.0], [5.0, 5.0]]


@given(data=st.data())
def test_unbind_takes_an_axis_apart(data):
    array = data.draw(float_arrays(shapes(min_dims=1)))
    axis = data.draw(st.integers(-array.ndim, array.ndim - 1))
    found = leaf(array).unbind(axis)
    assert len(found) == array.shape[axis]
    for i, part in enumerate(found):
        np.testing.assert_array_equal(part.numpy(), np.take(array, i, axis))
    if found:
        check_derivatives(lambda x: x.unbind(axis)[0] * x.unbind(axis)[-1], leaf(array))


@given(data=st.data())
def test_concat_and_stack_agree_with_numpy(data):
    shape = data.draw(shapes(min_dims=1, max_dims=2))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    arrays = []
    for _ in range(data.draw(st.integers(1, 3))):
        sizes = list(shape)
        sizes[axis] = data.draw(st.integers(0, 3))
        arrays.append(data.draw(float_arrays(tuple(sizes))))
    xs = [leaf(array) for array in arrays]
    np.testing.assert_array_equal(tg.concat(xs, axis=axis).numpy(), np.concatenate(arrays, axis))
    check_derivatives(lambda *xs: tg.concat(xs, dim=axis), *xs)
    same = [data.draw(float_arrays(shape)) for _ in arrays]
    at = data.draw(st.integers(-len(shape) - 1, len(shape)))
    np.testing.assert_array_equal(tg.stack([leaf(a) for a in same], axis=at).numpy(), np.stack(same, at))
    check_derivatives(lambda *xs: tg.stack(xs, dim=at), *(leaf(a) for a in same))


def test_joining_promotes_dtypes_whatever_their_order():
    ints, floats = tg.tensor([1]), tg.tensor([1.5], dtype="float64", requires_grad=True)
    for parts in ([ints, floats], [floats, ints]):
        assert tg.concat(parts).dtype == tg.stack(parts).dtype == tg.float64
    single = tg.tensor([2.0], requires_grad=True)
    tg.concat([single, floats]).sum().backward()
    assert single.grad.dtype == tg.float32


def test_joining_what_does_not_fit_names_the_shapes():
    with pytest.raises(tg.errors.ShapeError, match=r"concat: .*\(2, 3\) and \(2,\).*must be equal"):
        tg.concat([tg.zeros(2, 3), tg.zeros(2)])
    with pytest.raises(tg.errors.ShapeError, match=r"stack: .*\(2, 3\) and \(3, 2\).*all shapes must be equal"):
        tg.stack([tg.zeros(2, 3), tg.zeros(3, 2)])
    with pytest.raises(tg.errors.ShapeError, match="concat: give at least one tensor"):
        tg.concat([])
    with pytest.raises(TypeError, match="stack: expected a tensor, not ndarray"):
        tg.stack([np.ones(2)])
    with pytest.raises(tg.errors.ShapeError, match="concat: axis 0 is out of range for a tensor with 0 axes"):
        tg.concat([tg.tensor(1.0)])


@given(data=st.data())
def test_pad_agrees_with_numpy(data):
    array = data.draw(float_arrays(shapes(max_dims=2)))
    widths = [(data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in range(array.ndim)]
    expected = np.pad(array, widths) if array.ndim else array
    np.testing.assert_array_equal(leaf(array).pad(widths).numpy(), expected)
    check_derivatives(lambda x: x.pad(widths), leaf(array))


@pytest.mark.parametrize("wrong", [[(1, 1)], [(1, 1), (-1, 0)]])
def test_pad_refuses_widths_that_do_not_fit(wrong):
    with pytest.raises(tg.errors.ShapeError, match=r"pad: give one \(before, after\) pair"):
        tg.zeros(2, 2).pad(wrong)


def test_put_slices_adds_where_parts_overlap():
    a, b = tg.tensor([1.0, 2.0]), tg.tensor([10.0, 20.0])
    put = a._put_slices([b], [(slice(0, 2),), (slice(1, 3),)], (4,))
    assert put.tolist() == [1.0, 12.0, 20.0, 0.0]


# ---- memory -------------------------------------------------------------------------------------------------------


@pytest.mark.host
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.reshape(6),
        lambda x: x.T,
        lambda x: x.transpose(0, 1),
        lambda x: x.permute(1, 0),
        lambda x: x.broadcast_to(4, 2, 3),
        lambda x: x[1:, ::-1],
        lambda x: x[0],
        lambda x: x[...],
        lambda x: x.flip(0),
        lambda x: x.unsqueeze(0),
        lambda x: x.squeeze(),
        lambda x: x.split(1)[1],
        lambda x: x.unbind()[1],
        lambda x: x.chunk(2, axis=1)[0],
        lambda x: x.detach(),
    ],
)
def test_views_share_memory(view):
    x = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert np.shares_memory(view(x).numpy(), x.numpy())


@pytest.mark.parametrize(
    "fresh",
    [
        lambda x: x.copy(),
        lambda x: x + 0.0,
        lambda x: x[[0, 1]],
        lambda x: x.take([0, 1]),
        lambda x: x.cast("float64"),
        lambda x: x.relu(),
        lambda x: tg.concat([x]),
        lambda x: tg.stack([x]),
        lambda x: x.sum(axis=()),
        lambda x: x.pad([(0, 0), (0, 0)]),
        lambda x: x.where(tg.tensor(True), 0.0),
    ],
)
def test_everything_else_gives_memory_of_its_own(fresh):
    x = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert not np.shares_memory(fresh(x).numpy(), x.numpy())
    assert np.may_share_memory(fresh(x).numpy(), x.numpy()) is False


def test_copy_makes_contiguous_memory():
    assert tg.zeros(2, 3).T.copy().numpy().flags.c_contiguous
