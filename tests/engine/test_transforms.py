"""vjp, jvp, jacobian and hessian: against formulas, against each other, nested, and against torch where installed."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.recording import Recording
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 3))
X = RNG.normal(size=3)
V = RNG.normal(size=3)


def f(x):
    """A map from R^3 to R^3 with a known Jacobian: tanh(A x) * x."""
    return (tg.tensor(A) @ x).tanh() * x


def jacobian_of_f(x):
    z = np.tanh(A @ x)
    return np.diag(x * (1 - z * z)) @ A + np.diag(z)


def g(x):
    """A function of one value with a known Hessian: sum(exp(x)) + (x' A x)."""
    return x.exp().sum() + x @ tg.tensor(A) @ x


def test_vjp_gives_value_and_pullback():
    out, pullback = tg.vjp(f, tg.tensor(X))
    np.testing.assert_allclose(out.numpy(), np.tanh(A @ X) * X)
    for cotangent in (V, 2 * V):  # as often as one likes
        (found,) = pullback(tg.tensor(cotangent))
        np.testing.assert_allclose(found.numpy(), cotangent @ jacobian_of_f(X))
        assert not found.requires_grad


def test_vjp_of_several_inputs_and_outputs():
    out, pullback = tg.vjp(lambda a, b, c: (a * b, b.sum()), tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]), tg.ones(2))
    assert [y.tolist() for y in out] == [[3.0, 8.0], 7.0]
    by_a, by_b, by_c = pullback(tg.ones(2), tg.tensor(10.0))
    assert by_a.tolist() == [3.0, 4.0]
    assert by_b.tolist() == [11.0, 12.0]
    assert by_c.tolist() == [0.0, 0.0]  # unused: zeros of its shape
    with pytest.raises(ShapeError, match="pullback: 2 outputs need 2 cotangents, not 1"):
        pullback(tg.ones(2))


def test_vjp_gives_none_for_inputs_that_are_no_floats():
    _, pullback = tg.vjp(lambda x, i: x[i], tg.tensor([1.0, 2.0, 3.0]), tg.tensor([2, 2]))
    by_x, by_i = pullback(tg.tensor([1.0, 10.0]))
    assert by_x.tolist() == [0.0, 0.0, 11.0]
    assert by_i is None


def test_vjp_of_a_constant_and_of_an_integer_function():
    _, pullback = tg.vjp(lambda x: (tg.ones(2), x * 2.0), tg.tensor(1.0))
    assert pullback(tg.ones(2), tg.tensor(1.0))[0].item() == 2.0
    _, pullback = tg.vjp(lambda x: x > 0, tg.tensor(1.0))
    assert pullback(tg.tensor(1.0))[0].item() == 0.0


def test_jvp_is_the_product_with_the_jacobian():
    out, tangent = tg.jvp(f, tg.tensor(X), tg.tensor(V))
    np.testing.assert_allclose(out.numpy(), np.tanh(A @ X) * X)
    np.testing.assert_allclose(tangent.numpy(), jacobian_of_f(X) @ V)
    assert not tangent.requires_grad


def test_jvp_of_several_inputs_and_outputs():
    out, tangents = tg.jvp(
        lambda a, b: (a * b, a.sum(), tg.ones(1)),
        (tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])),
        (tg.ones(2), tg.tensor([0.0, 1.0])),
    )
    assert [y.tolist() for y in out] == [[3.0, 8.0], 3.0, [1.0]]
    assert [t.tolist() for t in tangents] == [[3.0, 6.0], 2.0, [0.0]]


def test_jvp_refuses_tangents_of_other_shapes():
    with pytest.raises(ShapeError, match=r"jvp: tangents of shapes \[\(2,\)\] do not fit inputs of \[\(3,\)\]"):
        tg.jvp(f, tg.tensor(X), tg.ones(2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_jacobian_against_its_formula(dtype):
    found = tg.jacobian(lambda x: f(x).cast(dtype), tg.tensor(X, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), jacobian_of_f(X), rtol=1e-5)
    assert not found.requires_grad


@pytest.mark.parametrize(
    ("shape_in", "shape_out"), [((), ()), ((2,), ()), ((), (3,)), ((2, 1), (3, 2)), ((0,), (2,)), ((2,), (0,))]
)
def test_jacobian_has_the_shape_of_output_and_input(shape_in, shape_out):
    found = tg.jacobian(lambda x: x.sum() * tg.ones(shape_out, dtype="float64"), tg.ones(shape_in, dtype="float64"))
    assert found.shape == shape_out + shape_in
    np.testing.assert_array_equal(found.numpy(), np.ones(shape_out + shape_in))


def test_jacobian_of_what_does_not_depend_on_x_is_zero():
    assert tg.jacobian(lambda x: tg.ones(2), tg.ones(3)).tolist() == [[0.0] * 3] * 2
    assert tg.jacobian(lambda x: x, tg.ones(2)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_jacobian_refuses_several_outputs_and_integers():
    with pytest.raises(GraphError, match="jacobian: f must return one tensor"):
        tg.jacobian(lambda x: (x, x), tg.ones(2))
    with pytest.raises(GraphError, match="jacobian: only floats can be differentiated, x is int64"):
        tg.jacobian(lambda x: x * 2.0, tg.tensor([1, 2]))


def test_hessian_against_its_formula():
    found = tg.hessian(g, tg.tensor(X))
    np.testing.assert_allclose(found.numpy(), np.diag(np.exp(X)) + A + A.T)
    assert not found.requires_grad


def test_hessian_of_what_depends_on_something_else_is_zero():
    w = tg.ones(2, requires_grad=True)
    assert tg.hessian(lambda x: w.sum(), tg.ones(1)).tolist() == [[0.0]]
    assert tg.jacobian(lambda x: w * 2.0, tg.ones(1)).tolist() == [[0.0], [0.0]]


def test_hessian_of_linear_constant_and_matrix_functions():
    assert tg.hessian(lambda x: x.sum(), tg.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert tg.hessian(lambda x: tg.tensor(1.0), tg.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    cubes = tg.hessian(lambda x: (x**3).sum(), tg.tensor([[1.0, 2.0]]))
    assert cubes.shape == (1, 2, 1, 2)
    assert cubes.numpy().reshape(2, 2).tolist() == [[6.0, 0.0], [0.0, 12.0]]


def test_jvp_vjp_and_jacobian_tell_the_same():
    x, v = tg.tensor(X), tg.tensor(V)
    _, pullback = tg.vjp(f, x)
    _, tangent = tg.jvp(f, x, v)
    u = tg.tensor(RNG.normal(size=3))
    assert (pullback(u)[0] @ v).item() == pytest.approx((u @ tangent).item())


# ---- the graph around a transform ---------------------------------------------------------------------------------


def test_transforms_work_inside_no_grad_and_leave_inputs_alone():
    x = tg.tensor(X, requires_grad=True)
    w = tg.tensor(2.0, dtype="float64", requires_grad=True)
    with tg.no_grad():
        found = [
            tg.vjp(lambda y: f(y) * w, x)[1](tg.tensor(V))[0],
            tg.jvp(lambda y: f(y) * w, x, tg.tensor(V))[1],
            tg.jacobian(lambda y: f(y) * w, x),
        ]
        curvature = tg.hessian(lambda y: g(y) * w, x)
    np.testing.assert_allclose(found[0].numpy(), 2 * V @ jacobian_of_f(X))
    np.testing.assert_allclose(found[1].numpy(), 2 * jacobian_of_f(X) @ V)
    np.testing.assert_allclose(found[2].numpy(), 2 * jacobian_of_f(X))
    np.testing.assert_allclose(curvature.numpy(), 2 * (np.diag(np.exp(X)) + A + A.T))
    assert not any(t.requires_grad for t in (*found, curvature))
    assert x.grad is None
    assert w.grad is None


def derivative_by_grad(h, x):
    if not x.requires_grad:
        x = x.detach()
        x.requires_grad = True
    return tg.grad(h(x), x, create_graph=True)


def derivative_by_vjp(h, x):
    (found,) = tg.vjp(h, x)[1](tg.tensor(1.0, dtype="float64"))
    return found


def derivative_by_jvp(h, x):
    return tg.jvp(h, x, tg.tensor(1.0, dtype="float64"))[1]


@pytest.mark.parametrize("inner", [derivative_by_grad, derivative_by_vjp, derivative_by_jvp, tg.jacobian])
@pytest.mark.parametrize("outer", [derivative_by_grad, derivative_by_vjp, derivative_by_jvp, tg.jacobian])
def test_transforms_nest_also_over_variables_that_the_inner_one_only_closes_over(inner, outer):
    at = tg.tensor(0.5, dtype="float64")
    # d/dp of d/dq (p^2 sin q) = 2 p cos q
    mixed = outer(lambda p: inner(lambda q: p * p * q.sin(), at), tg.tensor(3.0, dtype="float64"))
    assert mixed.item() == pytest.approx(6 * np.cos(0.5))
    # d/dp of d/dp (sin p * p)
    twice = outer(lambda p: inner(lambda q: q.sin() * q, p), tg.tensor(0.7, dtype="float64"))
    assert twice.item() == pytest.approx(2 * np.cos(0.7) - 0.7 * np.sin(0.7))


def test_the_result_can_be_differentiated_by_parameters_that_f_reads():
    w = tg.tensor(A, requires_grad=True)
    for transform in (
        lambda: tg.jacobian(lambda x: (w @ x).tanh(), tg.tensor(X)),
        lambda: tg.jvp(lambda x: (w @ x).tanh(), tg.tensor(X), tg.tensor(V))[1],
        lambda: tg.hessian(lambda x: (w @ x).tanh().sum(), tg.tensor(X)),
    ):
        assert tg.gradcheck(lambda w, transform=transform: (transform() * transform()).sum(), w)


def test_the_tangent_can_be_differentiated_too():
    v = tg.tensor(V, requires_grad=True)
    _, tangent = tg.jvp(f, tg.tensor(X), v)
    (by_v,) = tg.grad(tangent.sum(), [v])
    np.testing.assert_allclose(by_v.numpy(), jacobian_of_f(X).sum(axis=0))


def test_a_third_derivative_by_nesting():
    third = tg.jacobian(
        lambda a: tg.hessian(lambda x: (x**4).sum() * x.sum(), a), tg.tensor([1.0, 2.0], dtype="float64")
    )
    x, y = 1.0, 2.0
    # s = (x^4 + y^4)(x + y): s_xxx = 24 x (x + y) + 36 x^2, s_xxy = 12 x^2, s_xyy = 12 y^2
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[1, 1, 1] = 24 * x * (x + y) + 36 * x * x, 24 * y * (x + y) + 36 * y * y
    for index in ((0, 0, 1), (0, 1, 0), (1, 0, 0)):
        expected[index] = 12 * x * x
        expected[tuple(1 - i for i in index)] = 12 * y * y
    np.testing.assert_allclose(third.numpy(), expected)


def test_a_transform_without_anything_outside_records_no_second_graph():
    x = tg.tensor(X)
    _, pullback = tg.vjp(f, x)
    with Recording() as recording:
        (found,) = pullback(tg.tensor(V))
    assert found.is_leaf
    assert recording.seen


@pytest.mark.parametrize("name", ["jacobian", "hessian", "jvp", "vjp"])
def test_transforms_agree_with_torch(name):
    torch = pytest.importorskip("torch")
    functional = torch.autograd.functional
    x, v, a = torch.tensor(X), torch.tensor(V), torch.tensor(A)

    def torch_f(x):
        return torch.tanh(a @ x) * torch.softmax(x, 0) + x.max() - x.std() * x[[0, 0, 2]]

    def our_f(x):
        return (tg.tensor(A) @ x).tanh() * x.softmax(0) + x.max() - x.std() * x[[0, 0, 2]]

    if name == "jacobian":
        theirs, ours = functional.jacobian(torch_f, x), tg.jacobian(our_f, tg.tensor(X))
    elif name == "hessian":
        theirs = functional.hessian(lambda x: torch_f(x).sum(), x)
        ours = tg.hessian(lambda x: our_f(x).sum(), tg.tensor(X))
    elif name == "jvp":
        theirs, ours = functional.jvp(torch_f, x, v)[1], tg.jvp(our_f, tg.tensor(X), tg.tensor(V))[1]
    else:
        theirs, ours = functional.vjp(torch_f, x, v)[1], tg.vjp(our_f, tg.tensor(X))[1](tg.tensor(V))[0]
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("wrong", [3.0, None, np.ones(2), [1.0]])
def test_what_is_no_tensor_is_named_where_functions_take_or_return_it(wrong):
    x = tg.ones(2, dtype="float64", requires_grad=True)
    takes = [
        lambda: tg.grad(wrong, x), lambda: tg.grad(x.sum(), wrong), lambda: tg.vjp(lambda a: a, wrong),
        lambda: tg.jvp(lambda a: a, wrong, x), lambda: tg.jvp(lambda a: a, x, wrong),
        lambda: tg.jacobian(lambda a: a, wrong), lambda: tg.gradcheck(lambda a: a, wrong),
    ]  # fmt: skip
    returns = [
        lambda f: tg.vjp(f, x), lambda f: tg.jvp(f, x, x), lambda f: tg.jacobian(f, x), lambda f: tg.hessian(f, x),
        lambda f: tg.gradcheck(f, x), lambda f: tg.gradgradcheck(f, x),
    ]  # fmt: skip
    for call in takes:
        with pytest.raises(DTypeError, match="must take a tensor or a sequence of tensors; here is"):
            call()
    for call in returns:
        with pytest.raises(DTypeError, match="f must return a tensor or a sequence of tensors; here is"):
            call(lambda *args: wrong)


def test_a_pullback_takes_arrays_too():
    with tg.no_grad():
        _, pullback = tg.vjp(lambda a: a * 2.0, tg.ones(2))
        (g,) = pullback(np.array([1.0, 3.0]))
    assert g.tolist() == [2.0, 6.0]
