"""A specification that is nearly right is refused with the one that was meant."""

import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn import parse_cell
from tinygrad_rnn.tasks import parse_task


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dates:dot", "'dot' is no option of dates, which has dates:attention=...; did you mean dates:attention=dot?"),
        ("series:co2", "did you mean series:of=co2?"),
        ("copy:4", "did you mean copy:symbols=4 or copy:length=4?"),
        ("dates:atention=dot", "did you mean dates:attention=dot?"),
        ("dates:attention=dott", "'dott' is none of none, dot, general, additive; did you mean dot?"),
    ],
)
def test_a_task_with_a_slip(text, message):
    with pytest.raises(InputError) as raised:
        parse_task(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["dates:attention", "hello:3", "series:mars", "dates:"])
def test_where_nothing_is_near_nothing_is_suggested(text):
    with pytest.raises(InputError) as raised:
        parse_task(text)
    assert "did you mean" not in str(raised.value)


def test_a_cell_with_a_slip():
    with pytest.raises(InputError, match="did you mean lstm:forget_bias=3"):
        parse_cell("lstm:3")
