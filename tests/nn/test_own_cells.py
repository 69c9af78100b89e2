"""Cells that somebody wrote: what they are told, what they must return, and that layers treat them as their own."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError, ShapeError


class Dropping(nn.Cell):
    def __init__(self, *sizes, **settings):
        super().__init__(*sizes, **settings)
        self.drop = nn.Dropout(0.5)

    def step(self, projected, state, prepared):
        return self.drop((projected + state @ prepared).tanh())


class Scaled(nn.Cell):
    @classmethod
    def shapes(cls, input_size, hidden_size, bias=True, *, factor=2.0):
        return super().shapes(input_size, hidden_size, bias)

    def step(self, projected, state, prepared):
        return (projected + state @ prepared).tanh() * self.factor


@pytest.mark.parametrize("inside", [False, True])
def test_a_cell_inside_layers_learns_whether_it_is_learning(inside):
    layers = nn.Recurrent(Dropping, 3, 4)
    module = nn.ModuleList([layers]) if inside else layers
    x = tg.randn(5, 2, 3)
    module.eval()
    assert (layers(x)[0] == layers(x)[0]).all()
    assert layers.cell().drop.training is False
    module.train()
    assert not (layers(x)[0] == layers(x)[0]).all()


def test_an_option_that_a_cell_names_has_its_default_and_can_be_chosen():
    assert Scaled(3, 4).factor == 2.0
    assert nn.Recurrent(Scaled, 3, 4, num_layers=2, factor=0.5).cell(1).factor == 0.5
    assert nn.Recurrent("lstm", 3, 4, forget_bias=3).bias_ih_l0.tolist()[4:8] == [3.0] * 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Recurrent("lstm", 3, 4, dropuot=0.5), "'dropuot=0.5' is no option of lstm"),
        (lambda: nn.Recurrent(nn.LSTMCell, 3, 4, dropuot=0.5), "LSTMCell: 'dropuot' is no option of this cell"),
        (lambda: nn.LSTMCell(3, 4, forget_bias=3), "'forget_bias' is no option of this cell, which has proj_size"),
        (lambda: nn.MGUCell(3, 4, forget_bias=3), "'forget_bias' is no option of this cell, which has none"),
        (lambda: nn.LSTMCell(3, 4, step=5), "'step' is no option"),
        (lambda: Scaled(3, 4, facto=3), "'facto' is no option of this cell, which has factor"),
    ],
)
def test_an_option_that_there_is_none_of_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda h: [h], InputError, "Own.step must return h, a tensor, not a list"),
        (lambda h: None, InputError, "Own.step must return h, a tensor, not a NoneType"),
        (lambda h: (h, h), InputError, "not 2 values"),
        (lambda h: tg.zeros(2, 7), ShapeError, r"Own.step must return h in the shape \(2, 4\), not \(2, 7\)"),
    ],
)
def test_what_a_step_returns_is_checked(returned, error, message):
    class Own(nn.Cell):
        def step(self, projected, state, prepared):
            return returned((projected + state @ prepared).tanh())

    for run in (nn.Recurrent(Own, 3, 4), nn.Recurrent(Own, 3, 4).unroll):
        with pytest.raises(error, match=message):
            run(tg.randn(5, 2, 3))


def test_a_step_that_names_nothing_has_its_states_named_at_every_step():
    outputs, _ = nn.unroll(Scaled(3, 4), tg.randn(4, 2, 3))
    assert [(h.name, h.edge[0].roles) for h in outputs] == [("h", {0: "state"})] * 4
    fast, _ = nn.Recurrent(Scaled, 3, 4)(tg.randn(4, 2, 3))
    np.testing.assert_array_less(np.abs(fast.numpy()), 2.0)
