"""A student's commands, from start to submit: what they say, and that none ends in a traceback of ours."""

import re
import zipfile
from dataclasses import replace

import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.homework.marks import regions_of, splice


def write(place, old, new):
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


STUB = 'raise NotImplementedError("Task 1.1: what is a sum?")'


@pytest.mark.process
def test_from_start_to_submit(at_desk, capsys):
    assert main(["homework", "check"]) == 1
    assert "not written yet; tinygrad-rnn homework hint 1.1" in capsys.readouterr().out

    write(at_desk / "sums.py", STUB, "print('here', a)\n    return [x - y for x, y in zip(a, b)]")
    assert main(["homework", "check", "1.1"]) == 1
    said = capsys.readouterr().out
    assert "x  1.1  Add: 0 of 4" in said
    assert "one_and_two: add([1], [2]) (shape 1): 1 of 1 entries differ; the first is [0]: expected 3, got -1" in said
    assert "here [1.0]" in said

    write(at_desk / "sums.py", "x - y", "x + y")
    assert main(["homework", "check", "1.1"]) == 0
    assert "ok 1.1  Add: 4 of 4" in capsys.readouterr().out
    assert main(["homework", "status", "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "done" in said
    assert "not started" in said

    assert main(["homework", "submit", "--name", "Ada L."]) == 0
    assert capsys.readouterr().out == "written: tiny/tiny-Ada-L.zip\n"
    with zipfile.ZipFile(at_desk / "tiny-Ada-L.zip") as archive:
        assert archive.namelist() == ["sums.py"]
    first = (at_desk / "tiny-Ada-L.zip").read_bytes()
    assert main(["homework", "submit", "--name", "Ada L."]) == 0
    assert (at_desk / "tiny-Ada-L.zip").read_bytes() == first


def test_hints_come_one_after_the_other_and_the_last_stays(at_desk, capsys):
    said = []
    for _ in range(3):
        assert main(["homework", "hint", "1.1", "--lang", "zh"]) == 0
        said.append(capsys.readouterr().out.strip())
    assert said[0].endswith("hint 1; again for the next of 2: what is a sum?")
    assert said[1] == said[2] == "1.1, hint 2: Write it with +."
    (at_desk / ".homework.json").write_text("[]")
    assert main(["homework", "hint", "1.1"]) == 0
    assert "hint 1" in capsys.readouterr().out


def test_what_will_not_count_is_noted(at_desk, capsys):
    write(at_desk / "sums.py", "import numpy as np\n", "import numpy as np\nimport math\n")
    assert main(["homework", "submit", "--name", "a"]) == 0
    assert "lines outside the marks were changed" in capsys.readouterr().err
    write(at_desk / "sums.py", "    ### END SOLUTION 1.1\n", "")
    assert main(["homework", "status"]) == 0
    assert "the region 1.1" in " ".join(capsys.readouterr().out.split())


@pytest.mark.process
def test_what_does_not_count_at_grading_does_not_count_in_a_check(at_desk, capsys):
    write(at_desk / "sums.py", "import numpy as np\n", "import numpy as np\nimport math\n\n\nthree = 3\n")
    write(at_desk / "sums.py", STUB, "return np.add(a, b) + three * 0")
    assert main(["homework", "check", "1.1"]) == 1
    said = capsys.readouterr().out
    line = next(n for n, each in enumerate((at_desk / "sums.py").read_text().splitlines(), 1) if "three *" in each)
    assert f"NameError: name 'three' is not defined (line {line})" in said
    assert "lines outside the marks were changed; only what is between the marks counts" in said
    write(at_desk / "sums.py", "three * 0", "0")
    assert main(["homework", "check", "1.1"]) == 0

    write(at_desk / "sums.py", "    ### END SOLUTION 1.2\n", "")  # then there is nothing to go by
    write(at_desk / "sums.py", "+ 0", "+ three * 0")
    assert main(["homework", "check", "1.1"]) == 0


def test_what_is_changed_between_the_marks_is_not(at_desk, capsys):
    write(at_desk / "sums.py", STUB, "return a + b")
    write(at_desk / "sums.py", 'raise NotImplementedError("Task 1.2: what is f(f(x))?")', "return f(f(x))")
    write(at_desk / "sums.py", "### BEGIN YOURS\n", "### BEGIN YOURS\nimport math\n")
    assert main(["homework", "submit", "--name", "a"]) == 0
    assert not capsys.readouterr().err


@pytest.mark.process
def test_a_file_that_is_no_python_is_said_with_its_line(at_desk, capsys):
    write(at_desk / "sums.py", STUB, "return (")
    assert main(["homework", "check"]) == 1
    said = capsys.readouterr().out
    assert "not Python: '(' was never closed (line 12)" in said


@pytest.mark.process
def test_an_assignment_says_how_long_a_check_may_take(at_desk, capsys):
    write(at_desk / "assignment.toml", "hours = 0.5", "hours = 0.5\npatience = 1")
    write(at_desk / "sums.py", STUB, "while True: pass")
    assert main(["homework", "check", "1.1"]) == 1
    assert "it took longer than 1 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "tiny"], "is there already, and stays as it is"),
        (["start", "hw9"], "there is no homework 'hw9'; there is tiny"),
        (["check", "9.9"], "tiny has no task '9.9'; it has 1.1, 1.2, 1.3"),
        (["check", "1.3"], "a person reads it"),
        (["hint", "9.9"], "has no task"),
        (["check", "--dir", "nowhere"], "no homework was started in"),
        (["submit", "--name", "///"], "is no name for a file"),
        (["verify", "nowhere"], "in a clone of the repository"),
        (["build", "tiny/solution", "--out", "x"], "no reference"),
    ],
)
def test_a_wrong_word_is_one_line(at_desk, capsys, words, said):
    assert main(["homework", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.process
def test_what_is_not_written_is_said_when_it_is_handed_in(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["homework", "start", "hw1"]) == 0
    capsys.readouterr()
    assert main(["homework", "submit", "--name", "ada"]) == 0
    said = capsys.readouterr()
    assert said.out == "written: hw1/hw1-ada.zip\n"
    assert "note: not written: 1.1, 1.2, 1.3, 1.4, 1.5, 1.6\n" in said.err
    assert "note: written.md is as it was" in said.err
    (tmp_path / "hw1" / "written.md").write_text("My answer.")
    write(tmp_path / "hw1" / "engine.py", "    ### BEGIN SOLUTION 1.4\n", "    ### BEGIN SOLUTION 1.4\n    x = 1\n")
    assert main(["homework", "submit", "--name", "ada"]) == 0
    said = capsys.readouterr().err
    assert "note: not written: 1.1, 1.2, 1.3, 1.5, 1.6\n" in said
    assert "written.md" not in said


@pytest.mark.process
def test_what_costs_everything_is_said_once(at_desk, capsys):
    write(at_desk / "sums.py", STUB, "import os\n    return a")
    assert main(["homework", "check"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("x  nothing could be tried: import os: this homework may import ")
    assert said.count("import os") == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "### BEGIN YOURS\n",
            "### BEGIN YOURS\nimport os\n",
            "NO POINTS for any task with this in sums.py, line 6: import os",
        ),
        (STUB, "from os import path\n    return a + b", "NO POINTS for 1.1 with this in sums.py, line 12: import os"),
        (STUB, "return (", "NO POINTS for 1.1 with this in sums.py, line 12: not Python: '(' was never closed"),
    ],
)
def test_what_costs_points_is_said_before_it_is_handed_in(at_desk, capsys, old, new, said):
    write(at_desk / "sums.py", old, new)
    assert main(["homework", "submit", "--name", "a"]) == 0
    assert f"note: {said}" in capsys.readouterr().err
    assert main(["homework", "status"]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.process
@pytest.mark.parametrize("said", ["", "# coding: latin-1\n"])
def test_a_file_in_another_encoding_is_tried_and_handed_in_as_python_reads_it(at_desk, capsys, said):
    write(at_desk / "sums.py", STUB, "assert len('é') == 1\n    return np.add(a, b)")
    text = said + (at_desk / "sums.py").read_text()
    (at_desk / "sums.py").write_bytes(text.encode("latin-1" if said else "utf-8-sig"))
    assert main(["homework", "check", "1.1"]) == 0
    assert main(["homework", "submit", "--name", "a"]) == 0
    with zipfile.ZipFile(at_desk / "tiny-a.zip") as archive:
        assert "len('é')" in archive.read("sums.py").decode()


@pytest.mark.process
def test_a_task_that_needs_another_says_which(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["homework", "start", "hw6b"]) == 0
    capsys.readouterr()
    assert main(["homework", "check"]) == 1
    said = capsys.readouterr().out
    assert "not written yet; needs 6.1, which is not written yet either; tinygrad-rnn homework hint 6." in said
    assert "x " not in said
    assert "a task that needs another has a right one at grading" in said


@pytest.mark.parametrize(("language", "text"), [("zh_CN.UTF-8", "text.zh.md"), ("de_DE.UTF-8", "text.md")])
def test_the_text_to_read_is_that_of_ones_language(tmp_path, monkeypatch, capsys, language, text):
    monkeypatch.setenv("LC_ALL", language)
    assert main(["homework", "start", "hw1", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"read {tmp_path / 'mine' / text}, write in ")


@pytest.mark.process
def test_what_is_written_and_cannot_be_tried_is_not_called_unwritten(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["homework", "start", "hw5"]) == 0
    place = tmp_path / "hw5" / "vanish.py"
    regions = regions_of(place.read_text())

    def lines_of_stub(name):
        return regions_of(place.read_text())[name].begin + 2

    mine = {name: replace(regions[name], text="    return 1.0\n") for name in ("5.3c", "5.2b")}
    place.write_text(splice(place.read_text(), mine))
    capsys.readouterr()
    assert main(["homework", "check"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"-  5\.1 .*: not written yet; tinygrad-rnn homework hint 5\.1\n", said)
    assert f"how_far_a_flow_reaches[0.01]: not written yet (line {lines_of_stub('5.3a')})" in said
    assert f"one_small_jacobian: not written yet (line {lines_of_stub('5.2a')})" in said
    assert main(["homework", "submit", "--name", "ada"]) == 0
    said = capsys.readouterr().err
    assert "note: not written: 5.1, 5.4, 5.5\n" in said
    left = ", ".join(str(lines_of_stub(name)) for name in regions if name[:3] == "5.2" and name != "5.2b")
    assert f"note: written in part: 5.2, but for line {left}\n" in said

    assert main(["homework", "start", "hw6b"]) == 0
    place = tmp_path / "hw6b" / "tape.py"
    regions = regions_of(place.read_text())
    mine = {name: replace(each, text="        return 1.0\n") for name, each in regions.items() if name[:3] == "6.2"}
    place.write_text(splice(place.read_text(), mine))
    capsys.readouterr()
    assert main(["homework", "check", "6.2", "--dir", "hw6b"]) == 1
    assert re.search(
        r"6\.2 .*: cannot be tried yet: it needs 6\.1, which is not written yet \(line \d+\)\n", capsys.readouterr().out
    )


@pytest.mark.process
def test_a_mistake_in_the_syntax_takes_no_points_that_were_there(at_desk, capsys):
    write(at_desk / "sums.py", STUB, "return np.add(a, b)")
    assert main(["homework", "check", "1.1"]) == 0
    write(at_desk / "sums.py", 'raise NotImplementedError("Task 1.2: what is f(f(x))?")', "return (")
    assert main(["homework", "check"]) == 1
    capsys.readouterr()
    assert main(["homework", "status"]) == 0
    assert "done" in capsys.readouterr().out
    assert main(["homework", "submit", "--name", "ada"]) == 0
    assert (
        "NO POINTS for 1.2 with this in sums.py, line 19: not Python: '(' was never closed" in capsys.readouterr().err
    )


@pytest.mark.process
def test_after_a_hang_the_checks_of_the_same_task_are_not_waited_for(at_desk, capsys):
    write(at_desk / "assignment.toml", "hours = 0.5", "hours = 0.5\npatience = 1")
    text = (at_desk / "public.py").read_text()
    again = '\n\n@check("1.1", 0.5, each=(1, 2, 3))\ndef again(hw, draw, number):\n    hw.add([number], [2])\n'
    (at_desk / "public.py").write_text(text + again)
    write(at_desk / "sums.py", STUB, "while True: pass")
    assert main(["homework", "check"]) == 1
    said = capsys.readouterr().out
    assert said.count("it took longer than 1 s") == 1
    assert "again[3]: not tried after one_and_two" in said


@pytest.mark.process
def test_a_mistake_that_every_check_of_one_task_meets_is_that_tasks(at_desk, capsys):
    text = (at_desk / "public.py").read_text()
    (at_desk / "public.py").write_text(text + '\n\n@check("1.1", 0.5)\ndef again(hw, draw):\n    hw.add([1], [2])\n')
    write(at_desk / "sums.py", STUB, "raise ValueError('no')")
    assert main(["homework", "check", "1.1"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("x  1.1  Add: 0 of 4")
    assert "again: ValueError: no (line " in said
    write(at_desk / "sums.py", "raise ValueError('no')", "raise NotImplementedError('later')")
    assert main(["homework", "check", "1.1"]) == 1
    said = capsys.readouterr().out
    assert "again: later (line " in said
    assert "needs" not in said
