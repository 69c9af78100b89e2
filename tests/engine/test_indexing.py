"""Indexing against NumPy: basic, integer arrays, masks, and the cost of reading a sequence step by step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_rnn as tg
from tests.engine.strategies import float_arrays, leaf, shapes
from tests.recording import Recording
from tinygrad_rnn.engine import ops
from tinygrad_rnn.errors import IndexRangeError

SHAPE = (3, 4, 2)


def check(array, index, ours=None):
    """Compare x[index] with NumPy, value and gradient (a sum of the cotangents at every position read)."""
    x = leaf(array)
    found = x[index if ours is None else ours]
    expected = array[index]
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.numpy(), expected)
    weights = np.arange(1.0, expected.size + 1).reshape(expected.shape)
    (gradient,) = tg.grad(found, [x], [tg.tensor(weights)])
    scattered = np.zeros(array.shape)
    np.add.at(scattered, index, weights)
    np.testing.assert_array_equal(gradient.numpy(), scattered)


# ---- basic --------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(data=st.data())
def test_basic_indices_agree_with_numpy(data):
    array = data.draw(float_arrays(shapes()))
    check(array, data.draw(hnp.basic_indices(array.shape, allow_newaxis=True, max_dims=5)))


@given(data=st.data())
def test_basic_indices_have_right_derivatives(data):
    array = data.draw(float_arrays(shapes()))
    index = data.draw(hnp.basic_indices(array.shape, allow_newaxis=True, max_dims=5))
    x = leaf(array)
    assert tg.gradcheck(lambda x: x[index], x)
    assert tg.gradgradcheck(lambda x: (x * x)[index], x)


@pytest.mark.host
def test_basic_indices_give_views_and_integer_arrays_do_not():
    x = tg.zeros(SHAPE)
    for index in (0, -1, np.int64(1), slice(1, 3), (Ellipsis, 0), (None, 1), (slice(None, None, -1), np.int32(2))):
        assert np.shares_memory(x[index].numpy(), x.numpy()), index
    for index in ([0, 1], np.array([1]), x[:, 0, 0] == 0, (slice(None), [0]), tg.tensor([1])):
        assert not np.shares_memory(x[index].numpy(), x.numpy()), index


def test_an_index_out_of_range_is_named_with_the_shape():
    with pytest.raises(IndexError, match=r"getitem: cannot work on shape \(3, 4, 2\) with index=\(5,\).*out of bounds"):
        tg.zeros(SHAPE)[5]
    with pytest.raises(tg.errors.IndexRangeError, match=r"position -4 is out of range for axis 0 of shape \(3, 4, 2\)"):
        tg.zeros(SHAPE)[[0, -4]]
    with pytest.raises(tg.errors.IndexRangeError, match="position 4 is out of range for axis 1"):
        tg.zeros(SHAPE)[:, np.array([4])]
    with pytest.raises(tg.errors.IndexRangeError, match="4 indices are too many for a tensor with 3 axes"):
        tg.zeros(SHAPE)[0, 0, 0, [0]]


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (1.5, tg.errors.DTypeError, "not float64"),
        ("a", tg.errors.DTypeError, "an index must be an int, slice, None, or integers or bools"),
        ((0, [0.5]), tg.errors.DTypeError, "not float64"),
        (tg.tensor([0.5]), tg.errors.DTypeError, "not float32"),
        (True, tg.errors.IndexRangeError, "a single bool is no index"),
        (np.True_, tg.errors.IndexRangeError, "a single bool is no index"),
        (tg.tensor(True), tg.errors.IndexRangeError, "a single bool is no index"),
        ((Ellipsis, [0], Ellipsis), tg.errors.IndexRangeError, "a single ellipsis"),
        (np.array([True, False]), tg.errors.IndexRangeError, r"mask of shape \(2,\) does not fit .*\(3,\)"),
        ((Ellipsis, np.array([True])), tg.errors.IndexRangeError, r"mask of shape \(1,\) does not fit .*\(2,\)"),
        (([0, 1], [0, 1, 2]), tg.errors.IndexRangeError, r"\(2,\) and \(3,\) do not broadcast"),
    ],
)
def test_what_is_no_index_is_refused(index, error, message):
    with pytest.raises(error, match=message):
        tg.zeros(SHAPE)[index]


# ---- integer arrays -----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(data=st.data())
def test_integer_arrays_agree_with_numpy(data):
    array = data.draw(float_arrays(shapes(min_dims=1, min_side=1)))
    index = data.draw(hnp.integer_array_indices(array.shape, result_shape=shapes(max_dims=2)))
    check(array, index)
    check(array, index, tuple(tg.tensor(part) for part in index))


@st.composite
def mixed_indices(draw, shape):
    """Integer arrays, ints, slices, None and one ellipsis, in any arrangement that fits the shape."""
    common = draw(shapes(max_dims=2, min_side=1))
    parts = []
    for size in shape:
        kind = draw(st.sampled_from(["array", "array", "int", "slice"]))
        if kind == "slice":
            parts.append(draw(st.slices(size)))
        elif kind == "int":
            parts.append(draw(st.integers(-size, size - 1)))
        else:
            parts.append(draw(hnp.arrays(np.int64, common, elements=st.integers(-size, size - 1))))
    used = draw(st.integers(0, len(shape)))
    parts = parts[:used]
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(Ellipsis)
    elif used == len(shape) and draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), Ellipsis)
    return tuple(parts)


@settings(max_examples=150)
@given(data=st.data())
def test_mixed_indices_agree_with_numpy(data):
    rng = np.random.default_rng(0)
    check(rng.normal(size=SHAPE), data.draw(mixed_indices(SHAPE)))


@pytest.mark.parametrize(
    "index",
    [
        ([0, 2], slice(None), [1, 1]),  # apart: the new axis comes first
        (slice(None), [3, 0], [1, 1]),  # side by side: it takes their place
        (0, slice(None), [1, 1]),  # an int beside an array counts as an array
        (slice(None), 0, [1, 1]),
        (None, [0, 1], Ellipsis, [1, 0]),
        (slice(None), [[0], [3]], [[0, 1]]),
        (slice(None, None, -1), [1, 1, 1]),
        (Ellipsis, []),
        ([],),
        (slice(0, 0), [0, 1]),
        (np.array(1), slice(None), np.array(0)),
    ],
)
def test_the_new_axes_go_where_numpy_puts_them(index):
    array = np.arange(24.0).reshape(SHAPE)
    np_index = tuple(np.array(p, dtype=int) if isinstance(p, list) else p for p in index)
    check(array, np_index, index)


@given(data=st.data())
def test_integer_arrays_have_right_derivatives_also_where_positions_repeat(data):
    x = leaf(data.draw(float_arrays((3, 2))))
    rows = data.draw(hnp.arrays(np.int64, (4,), elements=st.integers(-3, 2)))
    columns = data.draw(hnp.arrays(np.int64, (2, 4), elements=st.integers(-2, 1)))
    assert tg.gradcheck(lambda x: x[rows, columns], x)
    assert tg.gradcheck(lambda x: x.T[columns], x)
    assert tg.gradgradcheck(lambda x: (x * x)[rows], x)


def test_the_most_negative_position_is_the_first():
    x = tg.tensor([1.0, 2.0, 3.0])
    assert x[[-3, -1]].tolist() == [1.0, 3.0]
    assert x.take(-3).item() == 1.0
    assert x[-3].item() == 1.0


def test_repeated_rows_add_their_gradients():
    table = tg.zeros(4, 2, requires_grad=True)
    table[[1, 1, 3, 1]].backward(tg.tensor([[1.0, 2.0], [10.0, 20.0], [5.0, 5.0], [100.0, 200.0]]))
    assert table.grad.tolist() == [[0.0, 0.0], [111.0, 222.0], [0.0, 0.0], [5.0, 5.0]]


@given(data=st.data())
def test_take_agrees_with_numpy(data):
    array = data.draw(float_arrays(shapes(min_dims=1, min_side=1)))
    axis = data.draw(st.integers(-array.ndim, array.ndim - 1))
    size = array.shape[axis]
    index = data.draw(hnp.arrays(np.int64, shapes(max_dims=2), elements=st.integers(-size, size - 1)))
    x = leaf(array)
    for given_index in (index, tg.tensor(index), index.tolist() if index.size else index):
        np.testing.assert_array_equal(x.take(given_index, axis).numpy(), np.take(array, index, axis))
    assert tg.gradcheck(lambda x: x.take(index, axis=axis), x)
    assert tg.gradgradcheck(lambda x: (x * x).take(index, dim=axis), x)


def test_take_refuses_positions_that_are_no_integers_or_out_of_range():
    with pytest.raises(tg.errors.DTypeError, match=r"positions must be integers, not float32; use .cast"):
        tg.zeros(3).take(tg.tensor([1.0]))
    with pytest.raises(tg.errors.DTypeError, match="positions must be integers, not bool"):
        tg.zeros(3).take(np.array([True]))
    with pytest.raises(IndexError, match="position 3 is out of range for axis 0"):
        tg.zeros(3).take([0, 3])
    assert tg.zeros(3).take([]).shape == (0,)


# ---- masks --------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(data=st.data())
def test_masks_agree_with_numpy(data):
    array = data.draw(float_arrays(shapes(min_dims=1)))
    ndim = data.draw(st.integers(1, array.ndim))
    first = data.draw(st.integers(0, array.ndim - ndim))
    mask = data.draw(hnp.arrays(bool, array.shape[first : first + ndim]))
    index = (slice(None),) * first + (mask,)
    check(array, index)
    check(array, index, (*index[:-1], tg.tensor(mask)))
    trailing = data.draw(hnp.arrays(bool, array.shape[-1:]))
    check(array, (Ellipsis, trailing))


def test_a_mask_combines_with_integers_and_slices():
    array = np.arange(24.0).reshape(SHAPE)
    mask = np.array([True, False, True, True])
    check(array, (slice(None), mask, [1, 0, 1]))
    check(array, ([0, 2, 1], mask))
    check(array, (0, mask))
    check(array, (None, [0, 2, 1], mask, slice(None)))


def test_a_comparison_selects_elements():
    x = tg.tensor([3.0, -1.0, 2.0, -5.0], requires_grad=True)
    kept = x[x > 0]
    assert kept.tolist() == [3.0, 2.0]
    kept.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0, 0.0]


# ---- the cost of reading a sequence -------------------------------------------------------------------------------


@pytest.mark.many_launches
@pytest.mark.parametrize("number", [int, np.int64])
@pytest.mark.parametrize("steps", [5, 50])
def test_reading_every_step_of_a_sequence_costs_one_joining_op(steps, number):
    x = tg.zeros(steps, 2, requires_grad=True)
    h = tg.zeros(2)
    for t in range(steps):
        h = h + x[number(t)]
    with Recording() as recording:
        h.sum().backward()
    assert recording.seen.count(ops.PutSlices) == 1
    assert ops.Add not in recording.seen
    assert len(recording.seen) < 6
    assert x.grad.tolist() == [[1.0, 1.0]] * steps


def test_overlapping_slices_and_whole_uses_add_up():
    rng = np.random.default_rng(0)
    x = leaf(rng.normal(size=(4, 3)))

    def f(x):
        y = x * 2.0
        return y[1:3] * y[:2] + y[2] * x[0].exp() + (y * x).sum() + y[:, ::-1][1]

    assert tg.gradcheck(f, x)
    assert tg.gradgradcheck(f, x)


def test_a_slice_of_a_slice_of_a_slice():
    x = leaf(np.arange(24.0).reshape(SHAPE))
    y = x[1:][::-1][0][1:, 0]
    assert y.tolist() == [18.0, 20.0, 22.0]
    y.sum().backward()
    expected = np.zeros(SHAPE)
    expected[2, 1:, 0] = 1
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_take_without_an_axis_takes_from_the_flattened_tensor() -> None:
    array = np.arange(6.0).reshape(2, 3)
    x = tg.tensor(array, requires_grad=True)
    index = np.array([[5, -6], [2, 2]])
    np.testing.assert_array_equal(x.take(index).numpy(), np.take(array, index))
    x.take(index).sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]]
    assert tg.tensor(3.0).take([0, 0]).tolist() == [3.0, 3.0]
    with pytest.raises(IndexRangeError, match="position 6"):
        x.take([6])
