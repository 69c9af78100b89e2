"""gradcheck catches sabotage; detect_anomaly names the op, scope and line of the first NaN or infinity."""

import inspect

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import AnomalyError, DTypeError, GradcheckError, GraphError


def double(*values, requires_grad=True):
    return tg.tensor(list(values), dtype="float64", requires_grad=requires_grad)


def product(rule):
    """A product of two inputs with a vjp of one's own."""

    class Product(tg.Op):
        @staticmethod
        def forward(backend, a, b):
            return backend.binary("mul", a, b)

        @staticmethod
        def vjp(node, g):
            return rule(g, node.input(0), node.input(1))

    return lambda a, b: tg.apply(Product, a, b)


# ---- gradcheck ----------------------------------------------------------------------------------------------------


def test_gradcheck_passes_what_is_right():
    a, b = double(1.0, -2.0), double(0.5, 3.0)
    assert tg.gradcheck(product(lambda g, a, b: (g * b, g * a)), (a, b)) is True
    assert tg.gradgradcheck(product(lambda g, a, b: (g * b, g * a)), (a, b)) is True


SABOTAGE = {
    "wrong sign": lambda g, a, b: (g * b, -g * a),
    "missing factor": lambda g, a, b: (g, g * a),
    "swapped": lambda g, a, b: (g * a, g * b),
    "missing message": lambda g, a, b: (g * b, None),
    "one percent off": lambda g, a, b: (g * b, g * a * 1.01),
    "one entry wrong": lambda g, a, b: (g * b * tg.tensor([1.0, 0.0], dtype="float64"), g * a),
    "nan": lambda g, a, b: (g * b, g * a * float("nan")),
    "infinite": lambda g, a, b: (g * b, g * a * float("inf")),
}


@pytest.mark.parametrize("rule", SABOTAGE.values(), ids=SABOTAGE)
def test_gradcheck_catches_sabotage(rule):
    with pytest.raises(GradcheckError, match=r"backward gives .*, finite differences") as caught:
        tg.gradcheck(product(rule), (double(1.0, -2.0), double(0.5, 3.0)))
    assert isinstance(caught.value, AssertionError)


def test_gradcheck_shows_the_worst_entry_and_counts_the_others():
    f = product(lambda g, a, b: (g * b * tg.tensor([1.5, 1.0, -1.0], dtype="float64"), g * a))
    message = (
        r"gradcheck: 2 of 9 entries of d\(output 0\)/d\(input 0\) disagree; "
        r"the worst is d\(element 2\)/d\(element 2\): backward gives -8, finite differences 8"
    )
    with pytest.raises(GradcheckError, match=message):
        tg.gradcheck(f, (double(1.0, 2.0, 3.0), double(2.0, 4.0, 8.0)))


def test_gradgradcheck_catches_a_first_derivative_that_is_right_and_a_second_that_is_wrong():
    def f(a, b):
        return product(lambda g, a, b: (g * b.detach(), g * a))(a, b)

    inputs = double(1.0, -2.0), double(0.5, 3.0)
    assert tg.gradcheck(f, inputs)
    with pytest.raises(GradcheckError):
        tg.gradgradcheck(f, inputs)


def test_gradcheck_catches_a_function_that_leaves_the_graph():
    with pytest.raises(GradcheckError, match="backward gives 0, finite differences 2"):
        tg.gradcheck(lambda x: (x.detach() * x.detach()).sum(), double(1.0))


def test_gradcheck_names_the_output_and_the_input():
    a, b = double(1.0), double(2.0)
    with pytest.raises(GradcheckError, match=r"d\(output 1\)/d\(input 1\)"):
        tg.gradcheck(lambda a, b: (a * b, a * b.detach()), (a, b))


def test_gradcheck_leaves_the_values_alone_also_after_a_failure():
    x = double(1.0, 2.0)
    tg.gradcheck(lambda x: x.exp(), x)
    assert x.tolist() == [1.0, 2.0]

    def explode(x):
        if x.numpy()[1] != 2.0:
            raise ZeroDivisionError
        return x * x

    with pytest.raises(ZeroDivisionError):
        tg.gradcheck(explode, x)
    assert x.tolist() == [1.0, 2.0]
    assert x.grad is None


def test_gradcheck_perturbs_in_place_so_that_f_may_read_inputs_from_elsewhere():
    x, w = double(1.0), double(2.0)
    assert tg.gradcheck(lambda _: x * w * w, w)
    assert tg.gradcheck(lambda *_: x * w, (x, w))


def test_gradcheck_of_inputs_that_are_not_checked_of_several_outputs_and_of_nothing():
    x, constant, index = double(1.0, 2.0), double(3.0, requires_grad=False), tg.tensor([1, 0])
    assert tg.gradcheck(lambda x, c, i: (x[i] * c, x.sum(), x > 0), (x, constant, index))
    assert tg.gradcheck(lambda x: x * x, tg.zeros(0, 2, dtype="float64", requires_grad=True))
    assert tg.gradcheck(lambda x, y: x * 2.0, (x, double(5.0)))
    with tg.no_grad():
        assert tg.gradcheck(lambda x: x * x, x)
        assert tg.gradgradcheck(lambda x: x * x, x)


@pytest.mark.parametrize("check", [tg.gradcheck, tg.gradgradcheck])
def test_gradcheck_refuses_inputs_it_cannot_check(check):
    with pytest.raises(GraphError, match=r"no .*input .*requires? grad"):
        check(lambda x: x, double(1.0, requires_grad=False))
    with pytest.raises(DTypeError, match="input 1 is float32; finite differences need dtype='float64'"):
        check(lambda x, y: x * y, (double(1.0), tg.ones(1, requires_grad=True)))
    with pytest.raises(GraphError, match="gradcheck: input 0 is the result of an op; pass leaves"):
        check(lambda x: x, double(1.0) * 2.0)


def test_gradgradcheck_refuses_a_function_without_gradient():
    with pytest.raises(GraphError, match="gradgradcheck: no output of f depends on an input"):
        tg.gradgradcheck(lambda x: x.detach(), double(1.0))


def test_tolerances_can_be_set():
    x = double(1.0)
    off = product(lambda g, a, b: (g * b * 1.01, g * a))
    assert tg.gradcheck(off, (x, double(1.0)), rtol=0.02)
    assert tg.gradcheck(off, (x, double(1.0)), atol=0.02, rtol=0.0)
    with pytest.raises(GradcheckError):
        tg.gradcheck(lambda x: x**3, x, eps=0.5)


# ---- detect_anomaly -----------------------------------------------------------------------------------------------


def line_of(text):
    """Return file:line of the only line of this file's functions that has a marker comment."""
    source = inspect.getsource(inspect.getmodule(line_of)).splitlines()
    (number,) = [i + 1 for i, line in enumerate(source) if line.endswith(f"  # {text}")]
    return f"{__file__}:{number}"


def test_the_forward_pass_names_op_scope_and_line():
    x = tg.tensor([1.0, -1.0], requires_grad=True)
    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly(), tg.scope("gru"), tg.scope("t", 5):
        (x * 2.0).log()  # forward
    message = str(caught.value)
    assert message == f"log gave NaN from finite inputs (in gru/t=5), at {line_of('forward')}"
    assert isinstance(caught.value, FloatingPointError)


def test_an_infinity_from_finite_inputs_is_named_and_one_handed_on_is_not():
    with tg.detect_anomaly():
        with pytest.raises(AnomalyError, match="div gave an infinity from finite inputs"):
            tg.ones(1) / tg.zeros(1)
        masked = tg.tensor([1.0, -float("inf")])
        assert (masked - 1.0).softmax().tolist() == [1.0, 0.0]
        with pytest.raises(AnomalyError, match="sub gave NaN from input 0, which was not finite itself"):
            masked - masked


def test_the_backward_pass_names_the_op_and_the_line_of_its_forward():
    x = tg.tensor([0.0, 4.0], requires_grad=True)

    def train():
        with tg.scope("cell"):
            y = x.sqrt()  # made here
        loss = (y * 3.0).sum()
        loss.backward()  # called here

    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly():
        train()
    message = str(caught.value)
    assert "div gave an infinity from finite inputs (in grad/cell)" in message
    assert f"at {line_of('called here')}" in message
    assert message.endswith(f"this is the backward pass of sqrt (in cell), made at {line_of('made here')}")


def test_the_backward_pass_of_a_graph_made_before_is_watched_too():
    x = tg.tensor([0.0], requires_grad=True)
    y = x.sqrt().sum()
    with pytest.raises(AnomalyError, match=r"this is the backward pass of sqrt$"), tg.detect_anomaly():
        y.backward()


def test_an_overflow_in_the_sum_of_messages_is_found():
    x = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(AnomalyError, match=r"add gave an infinity .* backward pass of add"), tg.detect_anomaly():
        (x + x).backward(tg.tensor([3e38]))


def test_watching_ends_with_the_block_also_after_an_error():
    with pytest.raises(AnomalyError), tg.detect_anomaly():
        tg.tensor(0.0).log()
    assert tg.tensor(0.0).log().item() == -float("inf")

    @tg.detect_anomaly()
    def watched():
        return tg.tensor(-1.0).sqrt()

    for _ in range(2):
        with pytest.raises(AnomalyError):
            watched()


def test_integers_are_no_anomaly_and_gradients_stay_right_while_watching():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with tg.detect_anomaly():
        ((x * x)[tg.tensor([1, 0])] + x + x + x).sum().backward()
        x.assign_(tg.zeros(2))
    np.testing.assert_array_equal(x.grad.numpy(), [5.0, 7.0])
