"""Being late costs what a table says, and the points before it stay in sight."""

import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import grading, late
from tinygrad_rnn.homework.assignment import load

NAMES = ("ada.zip", "bob.zip", "eve.zip")
TABLE = """
due = 2026-11-20T23:59:00+01:00
late = [{ hours = 24, percent = 30 }, { hours = 0, percent = 10 }]
[submitted]
"ada.zip" = 2026-11-20T22:59:00Z
"bob.zip" = 2026-11-21T23:59:01+01:00
"eve.zip" = 2026-11-20T23:59:01+01:00
"zoe.zip" = 2026-11-20T12:00:00Z
[extra_hours]
"bob.zip" = 1
"""


def read(tmp_path, text, name="late.toml"):
    (tmp_path / name).write_text(text)
    return late.deductions(tmp_path / name, NAMES)


def test_the_last_step_that_was_passed_counts_and_extra_hours_come_first(tmp_path):
    percents, notes = read(tmp_path, TABLE)
    assert percents == {"ada.zip": 0, "bob.zip": 10, "eve.zip": 10}
    assert notes == ["zoe.zip is in late.toml, but was not handed in"]
    assert read(tmp_path, TABLE.replace('"bob.zip" = 1', ""))[0]["bob.zip"] == 30


def test_a_table_of_percents_is_taken_as_it_is(tmp_path):
    percents, notes = read(tmp_path, "submission,percent,why\nada.zip,12.5,\nbob.zip,0,ill\n", "late.csv")
    assert percents == {"ada.zip": 12.5, "bob.zip": 0, "eve.zip": 0}
    assert notes == ["eve.zip is not in late.csv: it counts as in time"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("late.csv", "name,percent\nada.zip,1\n", "name the columns submission and percent"),
        ("late.csv", "", "name the columns"),
        ("late.csv", "submission,percent\nada.zip,10%\n", "ada.zip loses '10%'; write a number"),
        ("late.csv", "submission,percent\nada.zip,101\n", "ada.zip loses 101 percent; it can be 0 to 100"),
        ("late.csv", "submission,percent\nada.zip,nan\n", "it can be 0 to 100"),
        ("late.csv", "submission,percent\nada.zip,1\nada.zip,2\n", "ada.zip is there twice"),
        ("late.toml", "due = ", "not TOML"),
        ("late.toml", "grace = 1", "grace is not known"),
        ("late.toml", TABLE.replace("22:59:00Z", "22:59:00"), "with a zone or none"),
        ("late.toml", TABLE.replace("hours = 24, ", ""), "'hours'"),
        ("late.toml", TABLE.replace("due = 2026-11-20T23:59:00+01:00", "due = 2026-11-20"), "is no time"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_one_line(tmp_path, name, text, said):
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path, text, name)
    assert "\n" not in str(caught.value)


def test_the_total_stands_before_and_after(tiny, tmp_path):
    told = [{"submission": name, "note": "", "points": {"1.1": 3.0, "1.2": 4.5}} for name in NAMES]
    grading.write_table(tmp_path / "x.csv", load(tiny), told, {"ada.zip": 10.0, "bob.zip": 100.0, "eve.zip": 0.0})
    assert (tmp_path / "x.csv").read_text() == (
        "submission,1.1,1.2,1.3,total,of,late %,after,note\n"
        "ada.zip,3,4.5,,7.5,10,10,6.75,\n"
        "bob.zip,3,4.5,,7.5,10,100,0,\n"
        "eve.zip,3,4.5,,7.5,10,0,7.5,\n"
    )
    page = grading.feedback(load(tiny), told[0] | {"results": []}, 10.0)
    assert "Handed in late: 10% less in total." in page
