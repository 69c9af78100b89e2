"""Optimizers are named by a few words, and say by which."""

from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError


def made(text: str) -> optim.Optimizer:
    return optim.parse_optimizer(text).make([tg.zeros(2, requires_grad=True)], lr=0.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sgd", "SGD(lr=0.5, momentum=0.0, nesterov=False, weight_decay=0.0)"),
        ("sgd:momentum=0.9:nesterov=yes", "SGD(lr=0.5, momentum=0.9, nesterov=True, weight_decay=0.0)"),
        ("adagrad:lr_decay=0.1", "Adagrad(lr=0.5, lr_decay=0.1, eps=1e-10, weight_decay=0.0)"),
        ("rmsprop:alpha=0.95:momentum=0.9", "RMSprop(lr=0.5, alpha=0.95, eps=1e-08, weight_decay=0.0, momentum=0.9)"),
        ("adam:beta1=0.8", "Adam(lr=0.5, betas=(0.8, 0.999), eps=1e-08, weight_decay=0.0)"),
        ("adamw:beta2=0.99", "AdamW(lr=0.5, betas=(0.9, 0.99), eps=1e-08, weight_decay=0.01)"),
        ("adamw:weight_decay=0", "AdamW(lr=0.5, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)"),
    ],
)
def test_a_text_makes_an_optimizer_that_says_the_text_again(text: str, expected: str) -> None:
    optimizer = made(text)
    assert repr(optimizer) == expected
    assert optim.optimizer_of(optimizer.config()).text == text


def test_equal_optimizers_have_one_text_whatever_was_said_of_them() -> None:
    for text in ("adam:eps=0.00000001", "adam:beta1=0.90:beta2=0.999", "adam:weight_decay=0.0"):
        assert optim.parse_optimizer(text).text == "adam"
    assert optim.parse_optimizer("sgd:nesterov=no:momentum=.5").text == "sgd:momentum=0.5"


def test_all_options_of_a_class_can_be_chosen() -> None:
    for name, entry in optim.OPTIMIZERS.items():
        options = {each for each in entry.optimizer.options if each != "betas"}
        assert options <= entry.options.keys(), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adma", "unknown optimizer 'adma'; did you mean adam"),
        ("sgd:nesterov=yes", "'sgd:nesterov=yes': nesterov needs a momentum"),
        ("sgd:momentum=-1", "'sgd:momentum=-1': momentum"),
        ("adam:beta1=2", r"'adam:beta1=2': betas\[0\]"),
        ("adam:momentum=0.9", "no option of adam, which has adam:beta1="),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_read(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        optim.parse_optimizer(text)


def test_an_optimizer_of_your_own_is_none_of_the_table() -> None:
    with pytest.raises(InputError, match="'Mine' is none of sgd, "):
        optim.optimizer_of({"kind": "Mine"})
