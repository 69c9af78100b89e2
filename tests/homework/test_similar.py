"""Copies are found whatever was renamed, respaced or commented; who solved a task in another way is not."""

import re
from pathlib import Path

import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.errors import MissingToolError
from tinygrad_rnn.homework import building, similar

HW1 = Path(__file__).parents[2] / "tutorials" / "homework" / "hw1"


def disguised(text):
    """Return the reference with other names, comments, spaces and texts."""
    renames = {"order": "result", "seen": "known", "stack": "todo", "arrived": "grads", "parent": "p", "message": "m"}
    for old, new in renames.items():
        text = re.sub(rf"\b{old}\b(?!\w)", new, text)
    return text.replace(" = ", "  =  ").replace("        return", "        # mine\n        return")


@pytest.fixture
def handed_in(tmp_path):
    pytest.importorskip("rapidfuzz")
    reference = (HW1 / "engine.py").read_text()
    other = (HW1 / "alternatives" / "looped" / "engine.py").read_text()
    texts = {
        "ada": other,
        "bob": disguised(other),
        "cat": reference.replace("1 - y * y", "1 - y ** 2"),
        "stub": building.student_files(HW1)["engine.py"].decode(),
        "stub2": building.student_files(HW1)["engine.py"].decode(),
        "broken": other.replace("### END SOLUTION", "### end"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "none.zip").write_bytes(b"no archive")
    return sorted(tmp_path.iterdir())


def test_disguised_copies_are_found_and_other_solutions_and_stubs_are_not(handed_in):
    found = {(pair.first, pair.second): pair for pair in similar.pairs(HW1, handed_in, above=0.9)}
    assert found.keys() == {("(the reference)", "cat.py"), ("ada.py", "bob.py")}
    assert found["ada.py", "bob.py"].alike > 0.97
    assert {"1.2", "1.3a"} <= set(found["ada.py", "bob.py"].same)
    assert "1.1" not in found["(the reference)", "cat.py"].same
    everything = similar.pairs(HW1, handed_in, above=0.01)
    assert not any("stub" in pair.first + pair.second for pair in everything)
    shares = [pair.alike for pair in everything]
    assert shares == sorted(shares, reverse=True)
    apart = next(pair.alike for pair in everything if {pair.first, pair.second} == {"(the reference)", "ada.py"})
    assert apart < 0.6


def test_what_is_found_is_listed(handed_in, capsys):
    words = ["homework", "similar", str(handed_in[0].parent), "--homework", str(HW1)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert re.search(r"9\d% +ada\.py +bob\.py", said)
    assert "2 pairs of 7 submissions are at least 90% alike" in said


def test_without_what_compares_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "rapidfuzz.distance", None)
    with pytest.raises(MissingToolError, match=r"tinygrad-rnn\[similar\]"):
        similar.pairs(HW1, [])
