"""A class is graded whatever is in it, to the same table each time, and goes on where it was stopped."""

import csv
import json
import os
import re
import shutil
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from tests.homework.test_attacks import ATTACKS
from tinygrad_rnn.cli.main import main
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import grading
from tinygrad_rnn.homework.assignment import load

pytestmark = pytest.mark.process


@pytest.fixture
def handed_in(tiny, tmp_path):
    """A folder with a right submission, a wrong one, a hostile one and one that is none."""
    folder = tmp_path / "submissions"
    folder.mkdir()
    right = (tiny / "sums.py").read_text()
    texts = {
        "ada": right,
        "bob": right.replace("np.add", "np.subtract"),
        "eve": right.replace("once = f(x)", "raise SystemExit"),
    }
    for name, text in texts.items():
        with zipfile.ZipFile(folder / f"tiny-{name}.zip", "w") as archive:
            archive.writestr("sums.py", text)
    (folder / "=cmd.zip").write_bytes(b"no archive")
    return folder


@pytest.fixture
def here(tiny, tmp_path, monkeypatch):
    """An empty folder for submissions, the table, and the words that grade the one into the other in this process."""
    monkeypatch.setattr(grading, "processes", lambda jobs: ThreadPoolExecutor(1))
    folder, out = tmp_path / "submissions", tmp_path / "grades.csv"
    folder.mkdir()
    return folder, out, ["homework", "grade", str(folder), "--homework", str(tiny), "--out", str(out)]


TABLE = """submission,1.1,1.2,1.3,total,of,note
'=cmd.zip,0,0,,0,10,the archive cannot be read (File is not a zip file)
tiny-ada.zip,4,6,,10,10,
tiny-bob.zip,0,6,,6,10,
tiny-eve.zip,4,0,,4,10,
"""


@pytest.mark.slow
def test_a_class_gets_its_table_and_the_same_again(tiny, handed_in, tmp_path, capsys, monkeypatch):
    out = tmp_path / "grades.csv"
    words = ["homework", "grade", str(handed_in), "--homework", str(tiny), "--out", str(out), "--seed", "3"]
    assert main(words) == 0
    assert out.read_text() == TABLE
    assert "4 of 4: " in capsys.readouterr().err
    kept = json.loads((tmp_path / "grades.csv.kept" / "tiny-eve.zip.json").read_text())
    assert [each["message"] for each in kept["results"] if not each["earned"]] == ["SystemExit (line 19)"]

    page = (tmp_path / "grades.csv.kept" / "tiny-bob.zip.md").read_text()
    assert "## 1.1 Add: 0 of 4" in page
    assert "drawn_functions (6 of 6): right" in page
    assert "this is what comes of: the difference" in page
    assert "## 1.3 In words: read by a person" in page

    def nobody(*arguments):
        raise AssertionError("graded again")

    monkeypatch.setattr(grading, "grade_one", nobody)  # what was graded is not graded again
    out.unlink()
    (tmp_path / "grades.csv.kept" / ".half.json").write_text("{")
    assert main(words) == 0
    assert out.read_text() == TABLE


@pytest.mark.slow
def test_a_class_among_which_every_attack_is_gets_fair_points_and_one_line_each(tiny, tmp_path):
    right = (tiny / "sums.py").read_text()
    folder, out = tmp_path / "submissions", tmp_path / "grades.csv"
    folder.mkdir()
    for name in ("ada", "bob", "zoe"):
        (folder / f"{name}.py").write_text(right)
    for name, (yours, body, _) in ATTACKS.items():
        text = right.replace("### BEGIN YOURS\n", f"### BEGIN YOURS\n{yours}\n")
        text = text.replace("    once = f(x)\n    return f(once)\n", f"    {body}\n")
        (folder / f"attack {name}.py").write_text(text)
    (folder / "bomb.zip").write_bytes(b"PK\3\4")
    words = ["homework", "grade", str(folder), "--homework", str(tiny), "--out", str(out), "--jobs", "2"]
    assert main([*words, "--patience", "3"]) == 0
    with out.open() as table:
        rows = {row["submission"]: row for row in csv.DictReader(table)}
    assert len(rows) == len(ATTACKS) + 4
    for name, row in rows.items():
        expected = ("0", "0") if name == "bomb.zip" else ("4", "0") if name.startswith("attack") else ("4", "6")
        assert (row["1.1"], row["1.2"]) == expected, name
    for name, (_, _, said) in ATTACKS.items():
        kept = json.loads((tmp_path / "grades.csv.kept" / f"attack {name}.py.json").read_text())
        (message,) = [each["message"] for each in kept["results"] if each["task"] == "1.2"]
        assert re.search(said.replace("6 s", "9 s"), message), name
        assert "\n" not in message


def test_what_was_lost_or_changed_is_graded_again(tiny, handed_in, tmp_path):
    def graded():
        paths = [handed_in / "=cmd.zip"]
        return list(grading.grade(tiny, paths, tmp_path / "kept", pool=lambda: ThreadPoolExecutor(1)))

    (first,) = graded()
    place = tmp_path / "kept" / "=cmd.zip.json"
    place.write_text(place.read_text()[:20])  # the power went
    assert graded() == [first]
    (handed_in / "=cmd.zip").write_bytes(b"something else")
    assert graded()[0][1]["keys"] != first[1]["keys"]


class Falls(ThreadPoolExecutor):
    """An executor whose processes end when they get a submission of eve's, as all of a pool's then do."""

    def submit(self, call, *arguments):
        if any("eve" in str(each) for each in arguments):
            self.fallen = True
        if getattr(self, "fallen", False):
            failed = Future()
            failed.set_exception(BrokenProcessPool("a process ended"))
            return failed
        return super().submit(lambda: {"submission": arguments[1].name, "note": "", "points": {}, "results": []})


def test_a_submission_that_brings_its_process_down_takes_nobody_with_it(tiny, tmp_path):
    paths = [tmp_path / name for name in ("ada.py", "eve.py", "zoe.py")]
    for path in paths:
        path.write_text("")
    graded = list(grading.grade(tiny, paths, tmp_path / "kept", pool=lambda: Falls(1)))
    assert {path.name: told["note"][:11] for path, told in graded} == {
        "ada.py": "", "eve.py": "the process", "zoe.py": "",
    }  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["ada.py.json", "zoe.py.json"]


def test_a_check_that_fails_in_a_way_of_its_own_stops_nobody(tiny, tmp_path):
    class Odd(ThreadPoolExecutor):
        def submit(self, call, *arguments):
            return super().submit(lambda: {} if "ada" in arguments[1].name else 1 / 0)

    paths = [tmp_path / "ada.py", tmp_path / "eve.py"]
    for path in paths:
        path.write_text("")
    graded = dict(grading.grade(tiny, paths, tmp_path / "kept", pool=lambda: Odd(1)))
    assert "ZeroDivisionError" in graded[paths[1]]["note"]
    assert len(graded) == 2


ODD_NAMES = (
    "<img src=x>.py",
    "a\r\n# 10 of 10\x1b[2J.py",
    os.fsdecode(b"\xff\xfe.py"),
    "x" * 252 + ".py",
    "y" * 84 + "é" * 84 + ".py",
)


def test_names_of_submissions_are_texts_and_may_be_long(here, tmp_path, capsys):
    folder, out, words = here
    for name in ODD_NAMES:
        (folder / name).write_bytes(b"\0")
    for _ in range(2):
        assert main(words) == 0
        assert len(out.read_text().splitlines()) == 1 + len(ODD_NAMES)
        said = capsys.readouterr().err
        assert "\x1b" not in said
        assert len(said.splitlines()) == 1 + len(ODD_NAMES)
    pages = [page.read_text() for page in (tmp_path / "grades.csv.kept").glob("*.md")]
    assert len(pages) == len(ODD_NAMES)
    assert sum("&lt;img src=x&gt;.py" in page for page in pages) == 1
    for page in pages:
        assert "<img" not in page
        assert sum(line.startswith("# ") for line in page.splitlines()) == 1
        assert "\n    sums.py is not text: it has zero bytes\n" in page


def test_other_seeds_than_before_are_said(here, capsys):
    folder, _, words = here
    (folder / "ada.py").write_text("")
    assert main([*words, "--seed", "3"]) == 0
    for seed in ("3", "4"):
        capsys.readouterr()
        assert main([*words, "--regrade", "--seed", seed]) == 0
        assert ("note: graded with seed 3 before, now with 4" in capsys.readouterr().err) == (seed == "4")


def test_archives_of_other_kinds_are_submissions_that_cannot_be_read(tiny, tmp_path):
    for name in ("a.ZIP", "b.tar.gz", "c.rar", "grades.csv", "e.7z"):
        (tmp_path / name).write_bytes(b"")
    found = grading.submissions_of(tmp_path)
    assert [path.name for path in found] == ["a.ZIP", "b.tar.gz", "c.rar", "e.7z"]
    for path in found:
        assert "the archive cannot be read" in grading.grade_one(tiny, path, 0)["note"]


def test_a_submission_that_cannot_be_read_is_noted_and_stops_nobody(tiny, tmp_path, monkeypatch):
    folder = tmp_path / "submissions"
    (folder / "ada").mkdir(parents=True)
    (folder / "ada" / "sums.py").write_text("")
    (folder / "eve").mkdir()
    (folder / "eve" / "sums.py").symlink_to("sums.py")  # to itself
    (folder / "mal").mkdir()
    (folder / "mal" / "sums.py").write_text("")
    opened = Path.open

    def refuse(path, *arguments, **named):
        if path.parent.name == "mal":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    paths = grading.submissions_of(folder)
    graded = dict(grading.grade(tiny, paths, tmp_path / "kept", pool=lambda: ThreadPoolExecutor(1)))
    notes = {path.name: told["note"] for path, told in graded.items()}
    assert notes["mal"] == "not graded, it cannot be read ([Errno 13] Permission denied)"
    assert set(notes) == {"ada", "eve", "mal"}


def memory_of_a_grader():
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0]


def test_a_process_that_grades_has_bounded_memory():
    with grading.processes(1) as pool:
        assert pool.submit(memory_of_a_grader).result() <= 1 << 33


def test_a_table_that_a_spreadsheet_saved_can_be_compared_with(here, capsys):
    folder, out, words = here
    (folder / "ada.py").write_text("")
    assert main(words) == 0
    out.write_bytes(b"\xef\xbb\xbf" + out.read_bytes().replace(b",0,0,", b',"1\n",0,').replace(b"\n", b"\r\n"))
    capsys.readouterr()
    assert main([*words, "--regrade"]) == 0
    assert "changed: 1 of 1" in capsys.readouterr().out
    out.write_text("name;points\n")
    assert main([*words, "--regrade"]) == 2
    assert "has no column named submission" in capsys.readouterr().err


def test_a_file_without_marks_is_noted(tiny, tmp_path):
    (tmp_path / "ada.py").write_text("def add(a, b): return a + b\n")
    told = grading.grade_one(tiny, tmp_path / "ada.py", 0)
    assert told["note"] == "no mark of a task is left in sums.py: nothing could be judged"
    assert {each["message"] for each in told["results"]} >= {"the marks of 1.1 are gone, or there twice"}
    assert sum(told["points"].values()) == 0


def test_no_submission_is_said(tmp_path):
    with pytest.raises(InputError, match="no submission in"):
        grading.submissions_of(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        grading.submissions_of(tmp_path / "nowhere")


def test_without_a_sandbox_it_can_be_refused(tiny, handed_in, capsys, monkeypatch):
    from tinygrad_rnn.homework import sandbox

    monkeypatch.setattr(sandbox, "prefix", lambda: ())
    assert main(["homework", "grade", str(handed_in), "--homework", str(tiny), "--require-sandbox"]) == 2
    said = capsys.readouterr().err
    assert "the network and other processes of this user" in said
    assert "Traceback" not in said


def test_points_of_a_person_are_left_empty(tiny, tmp_path):
    told = {"submission": "a.zip", "note": "", "points": {"1.1": 1.25, "1.2": 0.0}}
    grading.write_table(tmp_path / "x.csv", load(tiny), [told])
    assert (tmp_path / "x.csv").read_text().splitlines()[1] == "a.zip,1.25,0,,1.25,10,"


@pytest.mark.slow
def test_only_the_task_of_a_mended_check_is_judged_again_and_who_changed_is_listed(
    tiny, handed_in, tmp_path, capsys, monkeypatch
):
    folder = shutil.copytree(tiny, tmp_path / "mine")
    out = tmp_path / "grades.csv"
    words = ["homework", "grade", str(handed_in), "--homework", str(folder), "--out", str(out)]
    assert main([*words, "--regrade"]) == 2
    assert "grade without --regrade first" in capsys.readouterr().err
    assert main(words) == 0

    judged = []
    monkeypatch.setattr(grading, "processes", lambda jobs: ThreadPoolExecutor(1))
    judge = grading.judge
    monkeypatch.setattr(grading, "judge", lambda *a, **k: judged.append(k["only"]) or judge(*a, **k))
    text = (folder / "hidden.py").read_text()
    (folder / "hidden.py").write_text(text.replace("a + b,", "a - b,"))  # now bob is right, and all others are wrong
    (tmp_path / "late.csv").write_text("submission,percent\ntiny-bob.zip,50\n")
    capsys.readouterr()
    assert main([*words, "--regrade", "--late", str(tmp_path / "late.csv")]) == 0
    assert judged == ["1.1"] * 3
    said = capsys.readouterr().out
    assert "    tiny-bob.zip: 1.1 0 -> 4, total 6 -> 10\n" in said
    assert "    tiny-eve.zip: 1.1 4 -> 0, total 4 -> 0\n" in said
    assert out.read_text().splitlines()[3] == "tiny-bob.zip,4,6,,10,10,50,5,"
    page = (tmp_path / "grades.csv.kept" / "tiny-bob.zip.md").read_text()
    assert page.index("drawn_sums") < page.index("drawn_functions (6 of 6): right")
    judged.clear()
    assert main([*words, "--regrade", "--late", str(tmp_path / "late.csv")]) == 0
    assert judged == []
    assert "changed: 0 of 4" in capsys.readouterr().out


def test_who_changed_is_told_with_columns_and_who_came_or_left():
    before = "submission,1.1,total,of,note\na,1,1,4,\nb,2,2,4,\nc,3,3,4,\n"
    after = "submission,1.1,total,of,note\na,1,1,4,other\nb,4,4,4,\nd,0,0,4,\n"
    assert grading.changes(before, after) == [
        "b: 1.1 2 -> 4, total 2 -> 4", "d: 1.1 - -> 0, total - -> 0", "c: no longer there",
    ]  # fmt: skip


class Client:
    """What some libraries give: an object that makes the executor."""

    def __init__(self, jobs):
        self.jobs = jobs

    def get_executor(self):
        return ThreadPoolExecutor(self.jobs)


def test_any_executor_can_grade(tiny, handed_in, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        grading, "grade_one", lambda *a: {"submission": a[1].name, "note": "", "points": {}, "results": []}
    )
    assert isinstance(grading.executor_of(f"{__name__}:Client", 2), ThreadPoolExecutor)
    words = ["homework", "grade", str(handed_in), "--homework", str(tiny), "--out", str(tmp_path / "x.csv")]
    assert main([*words, "--executor", "concurrent.futures:ThreadPoolExecutor"]) == 0
    assert "4 of 4: " in capsys.readouterr().err
    for name, said in (("nowhere:Pool", "No module named"), ("json:Pool", "has no attribute"), ("json", "cannot make"),
                       ("builtins:str", "which is no executor")):  # fmt: skip
        with pytest.raises(InputError, match=said):
            grading.executor_of(name, 1)


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("### BEGIN YOURS\n", "### BEGIN YOURS\nimport os\n", "nothing could be judged: import os: this homework may"),
        ("once = f(x)", "np.ctypeslib.ctypes.string_at(0)", "ended its own process in "),
        ("once = f(x)", "while True: pass", "did not come to an end in "),
        ("once = f(x)", "once = x", ""),
    ],
)
def test_what_a_person_should_look_at_is_noted(tiny, tmp_path, old, new, note):
    text = (tiny / "sums.py").read_text()
    assert old in text
    (tmp_path / "ada.py").write_text(text.replace(old, new))
    told = grading.grade_one(tiny, tmp_path / "ada.py", seed=0, patience=1.0)
    assert told["note"].startswith(note)
    assert bool(told["note"]) == bool(note)
