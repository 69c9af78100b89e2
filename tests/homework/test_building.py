"""What students get: stubs that name their task, and nothing of a solution."""

import shutil

import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.assignment import load, load_text
from tinygrad_rnn.homework.checks import checks_in, checks_of, text_of
from tinygrad_rnn.homework.judging import judge
from tinygrad_rnn.homework.leaking import hidden_lines
from tinygrad_rnn.homework.stubs import leaks, make_stub


def test_a_stub_keeps_signature_docstring_and_marks(tiny):
    stub = building.student_files(tiny)["sums.py"].decode()
    assert stub.count('raise NotImplementedError("Task 1.') == 2
    assert '    raise NotImplementedError("Task 1.1: what is a sum?")\n    ### END SOLUTION 1.1\n' in stub
    assert '"""Return the sum of two arrays."""' in stub
    assert "np.add" not in stub
    assert compile(stub, "sums.py", "exec")


def test_the_same_source_gives_the_same_bytes(tiny, tmp_path):
    building.build(tiny, tmp_path / "a")
    building.build(tiny, tmp_path / "b")
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert [str(file) for file in files] == [
        "solution/hidden.py", "solution/sums.py", "student/assignment.toml", "student/public.py", "student/sums.py",
    ]  # fmt: skip
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_region_without_a_task_and_a_solution_that_is_no_body_are_refused(tiny):
    assignment = load(tiny)
    with pytest.raises(InputError, match=r"no task '7\.1'"):
        make_stub("### BEGIN SOLUTION 7.1\n### END SOLUTION 7.1\n", assignment)
    with pytest.raises(InputError, match="not Python"):
        make_stub("if True:\n### BEGIN SOLUTION 1.1\n    pass\n### END SOLUTION 1.1\n", assignment)


def test_leaks_are_found_also_where_they_were_moved_or_respaced(tiny):
    reference = (tiny / "sums.py").read_text()
    assert not leaks([reference], [], {"sums.py": b"once = 2\n"})
    found = leaks([reference], ["close(everything, that_is, hidden)"], {
        "a.py": b"\t  return np.add( np.asarray(a), np.asarray(b) )  # mine\n",
        "b.md": b"close(everything,  that_is, hidden)",
        "c.pyc": b"",
    })  # fmt: skip
    assert [line.split(":")[0] for line in found] == ["a.py", "b.md", "c.pyc"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("points = 4", "points = 0"), "task 1.1: points are 0"),
        (('kind = "written"', 'kind = "oral"'), "task 1.3: kind is 'oral'"),
        (("minutes = 5", 'minutes = "5"'), "minutes = '5' is of the wrong kind"),
        (('id = "1.2"', 'id = "1.1"'), "task 1.1 is there twice"),
        (("hours = 0.5", ""), "hours is missing"),
        (("hours = 0.5", "hours = 1\nhour = 1"), "hour is not known"),
        (("[[task]]", "[task"), "not TOML"),
        (("sums.py", "../sums.py"), "names without folders"),
        (("hours = 0.5", "hours = 1\nthreads = '4'"), "threads = '4' is of the wrong kind"),
        (("hours = 0.5", "hours = 1\npatience = 0"), "patience is 0; it is more than 0 seconds"),
        (("hours = 0.5", "hours = 1\nthreads = 9999"), "threads are 9999; a solution may start up to 64"),
    ],
)
def test_what_is_wrong_with_an_assignment_is_said(tiny, change, said):
    text = (tiny / "assignment.toml").read_text().replace(*change, 1)
    with pytest.raises(InputError, match=said):
        load_text(text)


@pytest.mark.process
def test_hidden_checks_share_what_the_public_ones_have(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "shares")
    public, hidden = folder / "public.py", folder / "hidden.py"
    public.write_text(
        public.read_text() + "\n\nWORDS = 'the sum'\n\n\ndef judge_sum(got, a, b):\n    close(got, a + b, WORDS)\n"
    )
    text = hidden.read_text()
    call = 'close(hw.add(a, b), a + b, "the sum", suspects={"the difference": a - b})'
    assert call in text
    hidden.write_text("from public import (\n    judge_sum,\n)\n" + text.replace(call, "judge_sum(hw.add(a, b), a, b)"))

    assignment, reference = building.source_of(folder)
    own = [each.name for each in checks_of(tiny / "hidden.py")]
    for checks in (checks_of(hidden), checks_in(text_of(hidden))):
        assert [each.name for each in checks] == own
        assert sum(each.earned for each in judge(assignment, reference, reference, checks)) == 10
        wrong = {"sums.py": reference["sums.py"].replace("np.add", "np.subtract")}
        assert "the sum" in judge(assignment, reference, wrong, checks)[0].message
    assert text_of(hidden).count("judge_sum") == 2
    building.build(folder, tmp_path / "out")
    assert [each.name for each in checks_of(tmp_path / "out" / "solution" / "hidden.py")] == own
    assert "def judge_sum" not in hidden_lines(folder)
    assert "drawn_sums" in hidden_lines(folder)

    public.unlink()
    with pytest.raises(InputError, match=r"cannot take the checks from .*public\.py"):
        checks_of(hidden)
