"""Names that people know from PyTorch and NumPy: the same results, and an answer for what is left out."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine import functions, names
from tinygrad_rnn.errors import InputError


@pytest.fixture
def x():
    return tg.tensor([[1.0, -2.0, 3.0], [4.0, 0.5, -6.0]], requires_grad=True)


SAME_AS_TORCH = {
    "view": lambda x: x.view(3, -1),
    "ravel": lambda x: x.ravel(),
    "swapaxes": lambda x: x.swapaxes(0, -1),
    "t": lambda x: x.t(),
    "t of a vector": lambda x: x[0].t(),
    "expand": lambda x: x.expand(2, -1, -1),
    "expand, a size of 1": lambda x: x[:, :1].expand(2, 5),
    "repeat": lambda x: x.repeat(2, 1, 3),
    "repeat, none": lambda x: x.repeat(0, 2),
    "masked_fill": lambda x: x.masked_fill(x > 0, -1.0),
    "double": lambda x: x.double(),
    "long": lambda x: x.long(),
    "bool": lambda x: x.bool(),
    "clone": lambda x: x.clone(),
    "pow": lambda x: x.pow(2),
    "clamp": lambda x: x.clamp(-1, max=2),
    "prod": lambda x: x.prod(),
    "prod, one axis": lambda x: x.prod(dim=1, keepdim=True),
    "cumsum": lambda x: x.cumsum(dim=0),
    "argmin": lambda x: x.argmin(dim=1),
    "argmax, all axes kept": lambda x: x.argmax(keepdim=True),
    "argmin, all axes kept": lambda x: x.argmin(keepdim=True),
    "norm": lambda x: x.norm(),
    "norm, order and axis": lambda x: x.norm(2, dim=1),
    "norm, order 1": lambda x: x.norm(1, 0),
    "norm, infinite order": lambda x: x.norm(float("inf"), 0, True),
    "all": lambda x: (x > -7).all(),
    "any, one axis": lambda x: (x > 3.5).any(dim=1),
    "isnan": lambda x: (x / 0 * 0).isnan(),
    "isfinite": lambda x: (1 / (x - 3)).isfinite(),
    "flip, axes one by one": lambda x: x.flip(0, 1),
    "flip, dims": lambda x: x.flip(dims=[1]),
    "var, biased": lambda x: x.var(unbiased=False),
    "var, biased by position": lambda x: x.var(False),
    "std, axis and bias by position": lambda x: x.std(1, False, True),
    "std, dim and bias": lambda x: x.std(dim=0, unbiased=False),
    "squeeze of an axis that is longer": lambda x: x.squeeze(0),
    "tril": lambda x: x.tril(-1),
    "triu": lambda x: x.triu(diagonal=1),
}


@pytest.mark.parametrize("name", SAME_AS_TORCH)
def test_methods_give_what_torch_gives(name, x):
    torch = pytest.importorskip("torch")
    call = SAME_AS_TORCH[name]
    theirs = torch.tensor(x.numpy().copy(), requires_grad=True)
    found, expected = call(x), call(theirs)
    assert found.shape == tuple(expected.shape)
    assert str(expected.dtype) == f"torch.{found.dtype}"
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-6)
    if expected.requires_grad:
        found.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_size_is_a_number_and_torchs_method(x):
    assert x.size == 6
    assert x.size + 1 == 7
    assert x.size() == (2, 3)
    assert x.size(1) == x.size(dim=-1) == 3
    assert x.dim() == 2
    assert type(x.numel()) is type(pickle.loads(pickle.dumps(x.size))) is int
    with pytest.raises(tg.errors.ShapeError, match="size: axis 2 is out of range"):
        x.size(2)


def test_casts_by_name():
    x = tg.tensor([1.7, 0.0])
    assert x.int().tolist() == x.type("int64").tolist() == x.astype(np.int64).tolist() == [1, 0]
    assert x.double().float().dtype == tg.float32
    assert tg.zeros(2).requires_grad_().requires_grad
    assert not tg.zeros(2, requires_grad=True).requires_grad_(False).requires_grad


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: tg.zeros(2, 3, 4).t(), "t: shape"),
        (lambda: tg.zeros(2, 3).expand(3), "expand: shape"),
        (lambda: tg.zeros(3).expand(-1, 3), "expand: shape"),
        (lambda: tg.zeros(2, 3).repeat(2), "repeat: give a number of copies"),
        (lambda: tg.zeros(3).tril(), "tril: needs at least two axes"),
        (lambda: tg.zeros(3).norm(3), "norm: the order p can be 2, 1 or infinity, not 3"),
    ],
)
def test_what_does_not_fit_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


# ---- what is left out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names.INSTEAD)
def test_a_name_left_out_tells_what_to_write(name, x):
    assert not hasattr(x, name)
    assert getattr(x, name, None) is None
    assert name not in dir(x)
    with pytest.raises(AttributeError, match=f"a Tensor has no '{name}': .+"):
        getattr(x, name)
    with pytest.raises(AttributeError, match=f"a Tensor has no '{name}': .+"):
        setattr(x, name, 1)


def test_probing_a_tensor_finds_what_it_found_before(x):
    for name in ("_repr_html_", "__array_interface__", "__array_struct__", "_ipython_display_", "nonsense"):
        assert not hasattr(x, name)
    assert copy.copy(tg.zeros(2)).tolist() == copy.deepcopy(tg.zeros(2)).tolist() == [0.0, 0.0]
    assert pickle.loads(pickle.dumps(x)).tolist() == x.tolist()
    assert {"view", "exp", "size"} <= set(dir(x))


def test_no_getattr_slows_every_attribute_of_every_tensor():
    assert not any("__getattr__" in vars(kind) for kind in tg.Tensor.__mro__)


def test_a_name_the_package_lacks_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match=r"'tinygrad_rnn' has no attribute 'cumsun'; did you mean cumsum"):
        tg.cumsun  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'qqqqqq'$"):
        tg.qqqqqq  # noqa: B018


# ---- functions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", functions.__all__)
def test_a_function_is_the_method_of_its_name(name, x):
    function, method = getattr(tg, name), getattr(tg.Tensor, name)
    arguments = {
        "broadcast_to": [(2, 2, 3)], "chunk": [2], "clamp": [0, 1], "clip": [0, 1], "cumsum": [1],
        "masked_fill": [np.array([True, False, True]), 9.0], "matmul": [np.ones((3, 2), "float32")],
        "permute": [(1, 0)], "pow": [2], "reshape": [(3, 2)], "split": [1], "take": [[0, 1]], "transpose": [0, 1],
        "unsqueeze": [0],
    }.get(name, [])  # fmt: skip
    found, expected = function(x, *arguments), method(x, *arguments)
    for a, b in zip(*[y if isinstance(y, tuple) else (y,) for y in (found, expected)], strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert inspect.getdoc(function)
    with pytest.raises((tg.errors.DTypeError, AttributeError), match=f"{name}: expected a tensor, not list"):
        function([1.0], *arguments)


def test_max_and_min_of_two_tensors_are_elementwise(x):
    assert tg.max(x, x * 0).tolist() == x.relu().tolist()
    assert tg.min(x, x * 0).tolist() == x.minimum(0).tolist()
    assert tg.max(x, dim=1).tolist() == [3.0, 4.0]


def test_linspace_and_cat():
    np.testing.assert_array_equal(tg.linspace(-1, 2, 7).numpy(), np.linspace(-1, 2, 7, dtype="float32"))
    assert tg.linspace(0, 1).shape == (50,)
    assert tg.linspace(0, 1, np.int64(1)).tolist() == [0.0]
    with pytest.raises(tg.errors.ShapeError, match="linspace"):
        tg.linspace(0, 1, -1)
    assert tg.cat([tg.zeros(1, 2), tg.ones(1, 2)], dim=1).tolist() == [[0.0, 0.0, 1.0, 1.0]]


AS_IN_NUMPY = {
    "view": (lambda x: x.view(3, -1), lambda a: a.reshape(3, -1)),
    "ravel": (lambda x: x.ravel(), lambda a: a.ravel()),
    "swapaxes": (lambda x: x.swapaxes(0, -1), lambda a: a.swapaxes(0, -1)),
    "t": (lambda x: x.t(), lambda a: a.T),
    "expand": (lambda x: x.expand(2, -1, 3), lambda a: np.broadcast_to(a, (2, 2, 3))),
    "repeat": (lambda x: x.repeat(2, 1, 3), lambda a: np.tile(a, (2, 1, 3))),
    "bool": (lambda x: x.bool(), lambda a: a != 0),
    "clone": (lambda x: x.clone(), lambda a: a),
    "norm, order 1": (lambda x: x.norm(1, 0), lambda a: np.abs(a).sum(0)),
    "norm, infinite order": (lambda x: x.norm(float("inf"), 0), lambda a: np.abs(a).max(0)),
    "array @ tensor": (lambda x: np.ones((4, 2), "float32") @ x, lambda a: np.ones((4, 2)) @ a),
}


@pytest.mark.parametrize("name", AS_IN_NUMPY)
def test_names_give_what_numpy_gives(name, x):
    ours, theirs = AS_IN_NUMPY[name]
    found, expected = ours(x), theirs(x.numpy())
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert found.requires_grad == (found.dtype == "float32")


def test_a_role_that_there_is_none_of_is_refused(x):
    with pytest.raises(InputError, match="a role is one of state, gate, or None, not 'gates'"):
        (x * 2).named("f", role="gates")
