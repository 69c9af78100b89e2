"""Making tensors from data and from shapes."""

import sys
import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import backends
from tinygrad_rnn.backends import cpu, reference
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError


@pytest.mark.host
@pytest.mark.parametrize(
    ("data", "dtype", "values"),
    [
        (1, "int64", 1),
        (1.5, "float32", 1.5),
        (True, "bool", True),
        ([1, 2], "int64", [1, 2]),
        ([1, 2.5], "float32", [1.0, 2.5]),
        ([True, False], "bool", [True, False]),
        ([], "float32", []),
        ([[], []], "float32", [[], []]),
        (((1, 2), [3, 4]), "int64", [[1, 2], [3, 4]]),
        (np.array([1.0]), "float64", [1.0]),
        (np.float64(1.0), "float64", 1.0),
        (np.float32(1.0), "float32", 1.0),
        (np.array([1, 2], "int32"), "int64", [1, 2]),
        (np.array([1, 2], "uint8"), "int64", [1, 2]),
        (range(3), "int64", [0, 1, 2]),
    ],
)
def test_data_finds_its_dtype(data, dtype, values):
    x = tg.tensor(data)
    assert x.dtype == dtype
    assert x.tolist() == values
    assert x.is_leaf
    assert not x.requires_grad
    assert x.device == "cpu"


def test_a_dtype_that_is_given_wins():
    assert tg.tensor([1, 2], dtype="float64").dtype == tg.float64
    assert tg.tensor([1.7, 0.0], dtype="int64").tolist() == [1, 0]
    assert tg.tensor(np.ones(2), "float32").dtype == tg.float32
    assert tg.tensor([0, 3], dtype=bool).tolist() == [False, True]


def test_lists_may_hold_tensors():
    x = tg.tensor([[tg.tensor(1.0, requires_grad=True), 2.0], [tg.tensor(3), 4]])
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert not x.requires_grad
    assert tg.tensor(tg.tensor([1.5], dtype="float64")).dtype == tg.float64


@pytest.mark.host
def test_tensor_copies_and_from_numpy_shares():
    array = np.ones(3)
    copied, shared = tg.tensor(array), tg.from_numpy(array)
    array[0] = 7.0
    assert copied.tolist() == [1.0, 1.0, 1.0]
    assert shared.tolist() == [7.0, 1.0, 1.0]
    assert np.shares_memory(shared.numpy(), array)
    again = tg.tensor(shared)
    array[1] = 8.0
    assert again.tolist() == [7.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", ["int32", "uint8", ">i8"])
def test_from_numpy_refuses_what_it_would_have_to_convert(dtype):
    with pytest.raises(TypeError, match="shares memory and cannot convert"):
        tg.from_numpy(np.zeros(2, dtype))


@pytest.mark.parametrize("dtype", ["float16", "complex64", "U3", object])
def test_arrays_of_other_dtypes_are_refused_with_a_way_out(dtype):
    with pytest.raises(tg.errors.DTypeError, match=r"convert it first, for example array.astype\('float32'\)"):
        tg.tensor(np.zeros(2, dtype))


@pytest.mark.parametrize("data", ["abc", None, 1j, {"a": 1}, object()])
def test_data_that_is_not_numeric_is_refused(data):
    with pytest.raises(tg.errors.DTypeError):
        tg.tensor(data)
    with pytest.raises(tg.errors.DTypeError, match="is not numeric"):
        tg.tensor(data, dtype="float32")


def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match="tensor: the nested lists do not form a rectangular array"):
        tg.tensor([[1, 2], [3]])


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_only_floats_can_require_grad(dtype):
    with pytest.raises(TypeError, match=f"only floats can require grad, not {dtype}"):
        tg.tensor([1, 0], dtype=dtype, requires_grad=True)
    with pytest.raises(TypeError, match="only floats can require grad"):
        tg.zeros(2, dtype=dtype).requires_grad = True


@pytest.mark.parametrize("make", [tg.zeros, tg.ones, tg.rand, tg.randn])
def test_a_shape_may_be_given_in_one_piece_or_many(make):
    assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == (2, 3)
    assert make().shape == make(()).shape == ()
    assert make(0, 2).shape == (0, 2)
    assert make(np.int64(2)).shape == (2,)
    assert make(2).dtype == tg.float32
    assert make(2, dtype="float64", requires_grad=True).requires_grad


@pytest.mark.parametrize("make", [tg.zeros, tg.ones, tg.rand, tg.randn, lambda n: tg.full(n, 1.0)])
def test_a_negative_size_is_refused(make):
    with pytest.raises(tg.errors.ShapeError, match="negative"):
        make(-1)


def test_zeros_and_ones_take_none_for_the_default_dtype():
    assert tg.zeros(2, dtype=None).dtype == tg.ones(2, dtype=None).dtype == tg.float32
    assert tg.zeros(2).tolist() == [0.0, 0.0]
    assert tg.ones(2, dtype="bool").tolist() == [True, True]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(2, "int64"), (2.0, "float32"), (True, "bool"), (np.int32(2), "int64"), (np.float64(2), "float32")],
)
def test_full_follows_the_number(value, dtype):
    x = tg.full((2, 1), value)
    assert x.dtype == dtype
    assert x.tolist() == [[value], [value]]
    assert tg.full(3, value, dtype="float64").dtype == tg.float64
    assert tg.full(3, 1.0, requires_grad=True).requires_grad


def test_likes_copy_shape_and_dtype_but_not_the_wish_for_gradients():
    x = tg.zeros(2, 3, dtype="float64", requires_grad=True)
    for made, value in ((tg.zeros_like(x), 0.0), (tg.ones_like(x), 1.0)):
        assert made.shape == x.shape
        assert made.dtype == tg.float64
        assert not made.requires_grad
        assert made.numpy().tolist() == [[value] * 3] * 2


def test_arange_and_eye():
    assert tg.arange(3).tolist() == [0, 1, 2]
    assert tg.arange(3).dtype == tg.int64
    assert tg.arange(1, 2, 0.25).tolist() == [1.0, 1.25, 1.5, 1.75]
    assert tg.arange(1, 2, 0.25).dtype == tg.float32
    assert tg.arange(3, 0, -1).tolist() == [3, 2, 1]
    assert tg.arange(2, dtype="float64").dtype == tg.float64
    assert tg.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert tg.eye(1, 3, dtype="int64").tolist() == [[1, 0, 0]]


@pytest.mark.host
@pytest.mark.parametrize("make", [lambda d: tg.tensor(1.0, device=d), lambda d: tg.zeros(2, device=d)])
@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_an_unknown_device_is_named(make, device):
    with pytest.raises(RuntimeError, match=f"device.*{device}|{device}.*device") as caught:
        make(device)
    assert isinstance(caught.value, tg.errors.DeviceError)


@pytest.mark.parametrize("data", [2**63, np.array([2**63], "uint64"), [np.nan], [np.inf], [1e19]])
def test_what_int64_cannot_hold_is_refused(data):
    with pytest.raises(tg.errors.DTypeError, match="int64"):
        tg.tensor(data, dtype="int64")


def test_two_threads_never_draw_the_same_numbers():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        drawn: list[float] = []
        workers = [
            threading.Thread(target=lambda: drawn.extend(tg.rand(1, dtype="float64").item() for _ in range(1000)))
            for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    assert len(set(drawn)) == 2000


# ---- what makes no sense -------------------------------------------------------------------------------------------

CREATORS = {
    "zeros": lambda dtype: tg.zeros(2, dtype=dtype),
    "ones": lambda dtype: tg.ones(2, dtype=dtype),
    "full": lambda dtype: tg.full((2,), 1, dtype=dtype),
    "eye": lambda dtype: tg.eye(2, dtype=dtype),
    "arange": lambda dtype: tg.arange(2, dtype=dtype),
    "tensor": lambda dtype: tg.tensor([1, 0], dtype=dtype),
    "rand": lambda dtype: tg.rand(2, dtype=dtype),
    "randn": lambda dtype: tg.randn(2, dtype=dtype),
}


@pytest.mark.parametrize("dtype", ["int32", "float16", "complex64", "object", "nonsense", 3, np.void])
@pytest.mark.parametrize("create", CREATORS.values(), ids=CREATORS)
def test_a_dtype_the_engine_does_not_have_is_named(create, dtype):
    with pytest.raises(DTypeError, match=r"dtype .* is not supported; use one of float32"):
        create(dtype)


@pytest.mark.parametrize("backend", [reference, cpu])
@pytest.mark.parametrize("dtype", ["int64", "bool", int, bool, np.int64])
def test_random_numbers_are_floats_on_every_backend(dtype, backend, monkeypatch):
    monkeypatch.setitem(backends._loaded, "cpu", backend)
    for create in (tg.rand, tg.randn):
        with pytest.raises(DTypeError, match=r"random numbers are floats, not (int64|bool); draw .*floor\(\).cast"):
            create(3, dtype=dtype, generator=tg.Generator(0))


def test_a_kind_of_random_numbers_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no random numbers of kind 'poisson'"):
        tg.Generator(0).draw("poisson", (2,), "float32")


@pytest.mark.parametrize("seed", [1.5, "7", None, np.float64(2.0)])
def test_a_seed_is_a_whole_number(seed):
    for use in (tg.manual_seed, tg.Generator):
        with pytest.raises(DTypeError, match="a seed must be a whole number"):
            use(seed)


@pytest.mark.parametrize("value", ["a", None, 1j, [1, 2], np.ones(2)])
def test_full_takes_a_number(value):
    with pytest.raises(DTypeError, match="full: the value must be a number"):
        tg.full((2,), value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30, 2**64])
def test_full_of_int64_refuses_what_does_not_fit(value):
    with pytest.raises(DTypeError, match=r"full: .* does not fit into int64"):
        tg.full((2,), value, dtype="int64")
    assert tg.full((2,), tg.tensor(3), dtype="int64").tolist() == [3, 3]


def test_arange_and_eye_refuse_what_has_no_end_or_no_size():
    for wrong in [(0, 5, 0), (0.0, float("inf")), (float("nan"),), (0.0, 1.0, float("nan"))]:
        with pytest.raises(InputError, match="never ends"):
            tg.arange(*wrong)
    with pytest.raises(DTypeError, match="must be numbers, not str"):
        tg.arange("a")
    with pytest.raises(ShapeError, match="negative"):
        tg.eye(-1)
    with pytest.raises(DTypeError, match="whole numbers"):
        tg.eye(2.5)
    assert tg.arange(tg.tensor(3)).tolist() == [0, 1, 2]


def test_what_is_no_tensor_is_named_where_one_is_needed():
    for call in (lambda: tg.zeros_like(np.ones(2)), lambda: tg.ones_like(3.0), lambda: tg.maximum(1, 2),
                 lambda: tg.minimum(np.ones(2), 1.0), lambda: tg.stack([np.ones(2)])):  # fmt: skip
        with pytest.raises(DTypeError, match=r"expected a tensor, not .*; use tg.tensor"):
            call()


def test_a_generator_makes_its_state_once():
    generator = tg.Generator(3)
    assert generator.seed is generator.seed
    assert generator.counter is generator.counter
    assert (generator.seed.item(), generator.counter.item()) == (3, 0)


def test_zeros_and_ones_like_take_another_dtype_and_device(fake_cuda) -> None:
    x = tg.zeros(2, 3, dtype="float64")
    assert tg.zeros_like(x).dtype == "float64"
    assert tg.ones_like(x, dtype="int64").tolist() == [[1, 1, 1], [1, 1, 1]]
    there = tg.ones_like(x, device="cuda")
    assert (there.device, there.dtype) == ("cuda", "float64")
    assert tg.zeros_like(there).device == "cuda"
    assert tg.zeros_like(x, requires_grad=True).requires_grad


def test_arange_understands_torchs_name_of_the_stop() -> None:
    assert tg.arange(1, end=4).tolist() == tg.arange(1, 4).tolist() == [1, 2, 3]
    assert tg.arange(3, -2).shape == (0,)


def test_linspace_needs_numbers_and_a_whole_number_of_steps() -> None:
    for wrong in [(0, 3, 1.5), (tg.zeros(2), 1, 3), (0, "a", 3)]:
        with pytest.raises(InputError, match="two numbers and a whole number of steps"):
            tg.linspace(*wrong)


def test_linspace_keeps_the_digits_of_the_dtype_asked_for() -> None:
    found = tg.linspace(tg.tensor(-3.0), tg.tensor(4.0), 50, dtype="float64")
    np.testing.assert_array_equal(found.numpy(), np.linspace(-3, 4, 50))


@pytest.mark.parametrize("value", [2.0**63, -(2.0**63) * 1.5])
def test_the_first_float_beyond_int64_is_refused(value):
    with pytest.raises(DTypeError, match="do not fit into int64"):
        tg.tensor(np.array([value]), dtype="int64")
