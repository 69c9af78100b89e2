"""A solution is judged task by task, in a process of its own, and told what is wrong."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tinygrad_rnn.homework import building, check, close, judging, raises, same
from tinygrad_rnn.homework.checks import CheckFailedError, checks_of
from tinygrad_rnn.homework.judging import forbidden, judge
from tinygrad_rnn.homework.remote import Child, StudentError, WorkerDiedError

pytestmark = pytest.mark.process


def test_a_right_solution_has_all_points_and_a_stub_none(points, tiny):
    assert points() == ([4, 6], "")
    assignment, reference = building.source_of(tiny)
    stub = {"sums.py": building.student_files(tiny)["sums.py"].decode()}
    results = judge(assignment, reference, stub, checks_of(tiny / "hidden.py"))
    assert {each.status for each in results} == {"missing"}
    assert all(each.message.startswith(f"Task {each.task}: ") and not each.earned for each in results)


def test_a_mistake_in_one_task_costs_no_other(points):
    earned, said = points(add="    return a - b")
    assert earned == [0, 6]
    assert "this is what comes of: the difference" in said
    earned, said = points(add="    return (")
    assert earned == [0, 6]
    assert "not Python" in said
    assert points(twice="    return unknown")[0] == [4, 0]


def test_lines_are_those_of_the_students_own_file(points):
    _, said = points(yours="import math\n\n\nthree = 3", add="    x = 1\n    return nobody")
    assert "NameError: name 'nobody' is not defined (line 11)" in said


def test_a_line_is_that_of_the_first_file_also_where_another_raises_the_error(tiny):
    _, reference = building.source_of(tiny)
    files = {
        "sums.py": reference["sums.py"].replace("np.add(", "__import__('other').refuse("),
        "other.py": "\n" * 40 + "def refuse(*anything):\n    raise ValueError('no sums today')\n",
    }
    line = next(number for number, each in enumerate(files["sums.py"].splitlines(), 1) if "refuse" in each)
    with Child(files) as child, pytest.raises(StudentError, match="no sums today") as caught:
        child.load("sums.py").add(1.0, 2.0)
    assert caught.value.line == line


def test_what_is_a_students_own_travels_with_every_task(points):
    assert points(yours="def plus(a, b):\n    return a + b", add="    return plus(a, b)") == ([4, 6], "")


WAIT = (
    "OS = next(c for c in object.__subclasses__() if c.__name__ == '_wrap_close').__init__.__globals__\n"
    "clock = OS['times']\n"
    "def wait(x):\n    begun = clock().elapsed\n    while clock().elapsed < begun + 3: pass\n    return x"
)


@pytest.mark.slow
def test_who_was_too_slow_gets_more_time_until_it_is_used_up(points):
    slow = "    return wait(a + b)"
    assert points(patience=2.5, yours=WAIT, add=slow)[0] == [4, 6]


@pytest.mark.slow
def test_a_check_that_trains_may_have_more_time_than_others(tiny):
    assignment, reference = building.source_of(tiny)
    text = reference["sums.py"].replace("return np.add(np.asarray(a), np.asarray(b))", "return wait(a + b)")
    text = text.replace("### BEGIN YOURS\n", f"### BEGIN YOURS\n{WAIT}\n")
    assert text.count("wait(a + b)") == 1
    for times, status in ((1.0, "late"), (4.0, "passed")):
        checks = [replace(each, times=times) for each in checks_of(tiny / "hidden.py") if each.task == "1.1"][:1]
        results = judge(assignment, reference, {"sums.py": text}, checks, patience=2.5, more=1.0)
        assert [each.status for each in results] == [status]
    assert check("1.1", 1, times=4.0)(points_of_none).checks[0].times == 4.0


def points_of_none(hw, draw):
    """A check that finds nothing wrong."""


def test_marks_that_are_gone_cost_their_own_task_only(points):
    earned, said = points(add="    return a + b\n    ### BEGIN SOLUTION 1.1")
    assert earned == [0, 6]
    assert "the marks of 1.1 are gone, or there twice" in said


def test_folders_of_a_run_are_not_in_messages(points):
    _, said = points(add="    raise ValueError(f'{add.__code__.co_filename}, line 1')")
    assert said == "ValueError: sums.py, line 1 (line 7)"


def test_addresses_are_not_in_messages(points):
    _, said = points(add="    raise KeyError(object())")
    assert said == "KeyError: <object object at 0x...> (line 7)"


def test_only_what_is_allowed_can_be_imported(points):
    earned, said = points(yours="import tinygrad_rnn")
    assert earned == [0, 0]
    assert "import tinygrad_rnn: this homework may import math, numpy" in said
    earned, said = points(add="    return np.testing.sys.modules['importlib'].import_module('tinygrad_rnn')")
    assert earned == [0, 6]
    assert forbidden("from . import x\nimport os.path\neval('1')", ["math"]) == [
        ("import .: this homework may import math", 1),
        ("import os.path: this homework may import math", 2),
        ("eval: a solution has no use for it", 3),
    ]


def test_the_same_seed_draws_the_same_numbers(tiny):
    assignment, reference = building.source_of(tiny)
    wrong = {"sums.py": reference["sums.py"].replace("np.add", "np.subtract")}

    def said(seed):
        checks = checks_of(tiny / "hidden.py")
        return [each.message for each in judge(assignment, reference, wrong, checks, seed=seed, only="1.1")]

    assert said(3) == said(3) != said(4)


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (2.0, 3.0, "^it: expected 3, got 2$"),
        (np.zeros((2, 3)), np.zeros((3, 2)), r"^it: expected shape \(3, 2\), got shape \(2, 3\)$"),
        ([[1, 2], [3, 5]], [[1, 2], [3, 4]], r"1 of 4 entries differ; the first is \[1, 1\]: expected 4, got 5"),
        ([1.0, np.nan], [1.0, 2.0], r"\[1\]: expected 2, got nan"),
        ([1.0, -1e9], [1.0, -np.inf], r"\[1\]: expected -inf, got -1e\+09"),
        (0.1935553, 0.193555, r"expected 0\.193555, got 0\.1935553$"),
        (None, 1.0, "expected numbers, got None"),
        ("1.0", 1.0, "expected numbers, got '1.0'"),
        ([[1.0], [1.0, 2.0]], 1.0, "expected numbers, got"),
        (np.array([1 + 1j]), [1.0], "expected numbers"),
    ],
)
def test_a_difference_is_said_in_full(got, expected, said):
    with pytest.raises(CheckFailedError, match=said):
        close(got, expected, "it")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AssertionError("a sum is a number"), "^a sum is a number$"),
        (AssertionError(), "^what has to hold does not hold$"),
        (OSError("no\rsuch file"), r"kind that cannot be used \(OSError: no\\rsuch file\)"),
        (StopIteration(), "kind that cannot be used"),
        (RuntimeError("x"), r"cannot be used \(RuntimeError: x\)"),
    ],
)
def test_whatever_a_check_raises_is_a_result(tiny, error, said):
    @check("1.1", 1)
    def trips(hw, draw):
        raise error

    assignment, reference = building.source_of(tiny)
    (result,) = judge(assignment, reference, reference, trips.checks)
    assert (result.status, result.earned) == ("failed", 0)
    assert re.search(said, result.message)


def test_names_of_ones_own_may_be_those_of_functions_that_are_not_needed():
    assert forbidden("def layer(input, w):\n    return input @ w\n", []) == []
    assert forbidden("compile = 3\nx = compile + 1\nfor open in range(3): open\n", []) == []
    assert forbidden("def layer(x):\n    return input(x)\n", []) == [("input: a solution has no use for it", 2)]


def test_what_a_file_has_outside_of_the_marks_keeps_its_name():
    given = "import math\nfrom calling import launch\ndef changed_by(f): pass\nSIZE = 3\n"
    given += "### BEGIN YOURS\n{}\n### END YOURS\n"
    refused = {
        "def changed_by(f): return []": "changed_by", "SIZE = 4": "SIZE", "class launch: pass": "launch",
        "if True:\n    launch = 3": "launch", "def own():\n    global changed_by\n    changed_by = print": "changed_by",
        "SIZE += 1": "SIZE", "for math in (1, 2): pass": "math",
    }  # fmt: skip
    for text, name in refused.items():
        found = forbidden(given.format(text), ["math", "calling"])
        assert [words for words, _ in found] == [f"{name}: this file has one already; give yours another name"], text
    for text in (
        "import math",
        "def own(SIZE):\n    launch = SIZE\n    return launch",
        "LARGE = SIZE",
        "own = [SIZE for launch in 'a']",
        "if 1:\n    def own(): SIZE = 3",
    ):
        assert forbidden(given.format(text), ["math", "calling"]) == [], text


def test_what_only_the_compiler_finds_is_said_as_well():
    assert forbidden("x = 1\nreturn x\n", []) == [("not Python: 'return' outside function", 2)]
    assert forbidden("x = '\\d'\n", []) == []


def test_a_stand_in_among_numbers_has_no_name_of_ours():
    @check("1.1", 1)
    def floats(hw, draw):
        float(hw.add)

    with Child({"sums.py": "def add(a, b): pass"}) as child:
        result, _ = judging._one(child.load("sums.py"), floats.checks[0], 9.0, 0, "", None)
    assert "not an object that is no number, array, list or text" in result.message
    assert "Remote" not in result.message


OWN = """
from collections import OrderedDict, defaultdict, deque, namedtuple
class Sums(list):
    def __iter__(self): raise RuntimeError
    def __getitem__(self, index): return 7
class Refused(ValueError): pass
def several():
    made = defaultdict(float)
    made['a'] += 1.5
    return [namedtuple('Pair', 'x y')(1, 2), OrderedDict(b=2), made, deque([3, 4]), Sums([5, 6])]
def refuse(): raise Refused('no')
def stop(): raise StopIteration
def unwritten(): raise NotImplementedError('Task 1.1: later')
"""


def test_what_is_derived_from_lists_and_dicts_arrives_as_these():
    with Child({"sums.py": OWN}) as child:
        assert child.load("sums.py").several() == [(1, 2), {"b": 2}, {"a": 1.5}, [3, 4], [5, 6]]


def test_an_error_derived_from_the_one_that_is_asked_for_is_one():
    with Child({"sums.py": OWN}) as child:
        hw = child.load("sums.py")
        names = {}
        exec(OWN, names)
        for refuse, stop, unwritten in (
            (hw.refuse, hw.stop, hw.unwritten),
            [names[each] for each in ("refuse", "stop", "unwritten")],
        ):
            raises("ValueError", "what refuse raises", refuse)
            raises("Refused", "what refuse raises", refuse)
            with pytest.raises(
                CheckFailedError, match="what stop raises: expected 'ValueError', got 'StopIteration'; so"
            ):
                raises("ValueError", "what stop raises", stop, because="so")
            with pytest.raises((StudentError, NotImplementedError), match=r"Task 1\.1"):
                raises("ValueError", "what unwritten raises", unwritten)
    with pytest.raises(CheckFailedError, match="expected 'ValueError', got 'nothing'"):
        raises("ValueError", "what list raises", list)
    with pytest.raises(WorkerDiedError), Child({"sums.py": "import os"}) as child:
        raises("ValueError", "what exit raises", child.load("sums.py").os._exit, 0)


def test_where_nothing_came_back_a_return_may_be_missing(points):
    with pytest.raises(CheckFailedError, match=r"expected numbers, got None \(is a return missing\?\)"):
        close(None, 1.0)
    with pytest.raises(CheckFailedError, match=r"expected True, got None \(is a return missing\?\)"):
        same(None, True)

    @check("1.1", 1)
    def two(hw, draw):
        _, _ = None

    assert "NoneType object); is a return missing?" in judging._one(None, two.checks[0], 9.0, 0, "", None)[0].message


def test_true_is_not_one():
    same(np.bool_(True), True)
    with pytest.raises(CheckFailedError, match=r"expected True, got 1; it is a question"):
        same(1, True, because="it is a question")


def test_a_mistake_told_as_one_number_is_named_where_one_entry_came():
    with pytest.raises(CheckFailedError, match="this is what comes of: x for y"):
        close(np.array([0.3]), [0.42], suspects={"x for y": 0.3})
    with pytest.raises(CheckFailedError) as caught:
        close(np.array([0.3, 0.5]), [0.42, 0.5], suspects={"x for y": 0.3})
    assert "this is what" not in str(caught.value)
