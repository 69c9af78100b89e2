"""einsum against NumPy's, its derivatives, and what it says about equations that do not fit."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.engine.strategies import leaf
from tinygrad_rnn.errors import DTypeError, ShapeError

EQUATIONS = [
    ("i->i", (3,)),
    ("ij->ji", (2, 3)),
    ("ij", (2, 3)),
    ("ba", (2, 3)),
    ("ij->", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iji->j", (3, 2, 3)),
    ("iii->i", (2, 2, 2)),
    ("...ij->...ji", (2, 1, 3, 4)),
    ("i,i", (3,), (3,)),
    ("i,j->ij", (3,), (2,)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,kj->ki", (2, 3), (4, 3)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bhqd,bhkd->bhqk", (2, 3, 2, 4), (2, 3, 5, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("i,ij,j->", (2,), (2, 3), (3,)),
    ("ab,cd->", (2, 3), (4, 2)),
    ("...i,i->...", (2, 4, 3), (3,)),
    ("...i,...i->...i", (4, 3), (2, 1, 3)),
    ("ij,ij->ij", (1, 3), (2, 1)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(equation, shapes) for equation, *shapes in EQUATIONS])
def test_values_agree_with_numpy_and_derivatives_with_differences(equation, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    found = tg.einsum(equation, *[tg.tensor(array) for array in arrays])
    expected = np.einsum(equation, *arrays)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)
    leaves = [leaf(array) for array in arrays]
    if all(array.size for array in arrays):
        assert tg.gradcheck(lambda *xs: tg.einsum(equation, *xs), leaves)


def test_second_derivatives_dtypes_and_a_list_of_operands():
    a, b = leaf(np.array([[1.0, 2.0], [3.0, 4.0]])), leaf(np.array([0.5, -1.0]))
    assert tg.gradgradcheck(lambda a, b: tg.einsum("ij,i,j->", a, b, b), [a, b])
    assert tg.einsum("ij,j", [a, b]).tolist() == (a @ b).tolist()
    assert tg.einsum("i,i", tg.ones(3), tg.ones(3, dtype="float64")).dtype == "float64"
    assert tg.einsum("ij,j", tg.tensor([[1, 2]]), tg.tensor([3, 4])).tolist() == [11]


@pytest.mark.parametrize(
    ("equation", "shapes", "text"),
    [
        ("ij,jk", [(2, 3)], "names 2 operands, but 1 are given"),
        ("ij", [(2, 3, 4)], r"'ij' does not name the 3 axes of shape \(2, 3, 4\)"),
        ("ijk", [(2, 3)], "'ijk' does not name the 2 axes"),
        ("ij,jk", [(2, 3), (4, 5)], "'j' has size 3 and size 4"),
        ("ii", [(2, 3)], "'i' has size 2 and size 3"),
        ("ij->ik", [(2, 3)], "which 'k' is not"),
        ("ij->ii", [(2, 3)], "which 'i' is not"),
        ("i1", [(2, 3)], "may hold letters and one"),
        ("...i,...i->...", [(2, 3), (4, 3)], "an axis of '...' has size 2 and size 4"),
    ],
)
def test_an_equation_that_does_not_fit_is_explained(equation, shapes, text):
    with pytest.raises(ShapeError, match=text):
        tg.einsum(equation, *[tg.zeros(shape) for shape in shapes])


def test_an_ellipsis_left_out_on_the_right_is_summed_over_as_in_torch():
    assert tg.einsum("...i->i", tg.ones(4, 2, 3)).tolist() == [8.0] * 3


def test_operands_must_be_tensors():
    with pytest.raises(DTypeError, match="einsum: expected tensors after the equation, not ndarray"):
        tg.einsum("i", np.ones(3))
