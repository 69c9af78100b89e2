"""Counts as a model of characters."""

import math

import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.ngrams import NGrams

TEXT = "the cat sat on the mat and the rat sat on the cat "


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("context", ["", "t", "the ", "zzz", "sat o"])
def test_probabilities_add_up_to_1(order, context):
    model = NGrams(TEXT, order)
    assert sum(model.probability(context, each) for each in set(TEXT)) == pytest.approx(1)


def test_by_hand():
    """After "b" in "abac": once "a" and nothing else; without context a 2, b 1, c 1 of 4, and 3 different ones."""
    model = NGrams("abac", 1)
    shorter = (2 + 3 / 3) / (4 + 3)
    assert model.probability("", "a") == pytest.approx(shorter)
    assert model.probability("b", "a") == pytest.approx((1 + 1 * shorter) / (1 + 1))


def test_only_the_last_characters_of_a_context_count():
    assert NGrams(TEXT, 2).probability("xyth", "e") == NGrams(TEXT, 2).probability("th", "e")


def test_bits_are_of_the_whole_text_and_more_order_helps_on_what_was_counted():
    model = NGrams(TEXT, 2)
    logs = [-math.log2(model.probability(TEXT[max(0, at - 2) : at], TEXT[at])) for at in range(len(TEXT))]
    assert model.bits(TEXT) == pytest.approx(sum(logs) / len(TEXT))
    assert (
        NGrams(TEXT, 3).bits(TEXT) < NGrams(TEXT, 1).bits(TEXT) < NGrams(TEXT, 0).bits(TEXT) < math.log2(len(set(TEXT)))
    )


def test_characters_that_were_not_counted_are_unlikely_and_not_impossible():
    model = NGrams("aab", 1, characters=3)
    assert 0 < model.probability("a", "z") < model.probability("a", "b")


@pytest.mark.parametrize(("text", "order"), [("", 1), ("a", -1)])
def test_nothing_to_count_is_refused(text, order):
    with pytest.raises(InputError, match="take 0 or more of some text"):
        NGrams(text, order)
