"""The first assignment: what the package brings is what its source makes, and nothing of a solution is in a wheel."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tinygrad_rnn.homework import building, desk
from tinygrad_rnn.homework.assignment import load
from tinygrad_rnn.homework.checks import checks_of
from tinygrad_rnn.homework.judging import judge
from tinygrad_rnn.homework.marks import lines_of, regions_of
from tinygrad_rnn.homework.stubs import leaks
from tinygrad_rnn.homework.verifying import verify

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "tutorials" / "homework").glob("*/assignment.toml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_package_brings_what_the_source_makes(folder):
    brought = {path.name: path.read_bytes() for path in (desk.ASSIGNMENTS / folder.name).iterdir() if path.is_file()}
    assert brought == building.student_files(folder), (
        f"python -m tinygrad_rnn homework build {folder.name} --out build/homework, and copy "
        f"build/homework/student/* to tinygrad_rnn/homework/assignments/{folder.name}/"
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_is_told_in_both_languages(folder):
    assignment = load(folder)
    assert sum(task.points for task in assignment.tasks) == 100
    for task in assignment.tasks:
        assert set(task.title) == {"en", "zh"}
        assert len(task.hints["en"]) == len(task.hints["zh"]) == (3 if task.kind == "code" else 1)
        assert all(task.id in (folder / name).read_text() for name in ("text.md", "text.zh.md"))
    assert abs(sum(task.minutes for task in assignment.tasks) / 60 - assignment.hours) < 1


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_titles_and_hints_in_chinese_have_punctuation_of_full_width(folder):
    assignment = load(folder)
    told = [
        assignment.title["zh"],
        *(words for task in assignment.tasks for words in (task.title["zh"], *task.hints["zh"])),
    ]
    found = [re.findall(r".{0,9}[一-鿿][,:;?!(]|[,:;?!)][一-鿿].{0,9}", words) for words in told]
    assert not [each for each in found if each]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_texts_say_that_public_checks_are_not_all(folder):
    words = " ".join((folder / "text.md").read_text().split())
    assert "try every sentence of the docstrings, not only what `check` shows" in words
    assert "不只是 `check` 所显示的" in (folder / "text.zh.md").read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_type_hints_and_classes_of_data_may_be_used_and_the_texts_say_so(folder):
    for module in ("dataclasses", "typing"):
        assert module in load(folder).imports
        assert all(module in (folder / name).read_text() for name in ("text.md", "text.zh.md"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_solutions_and_hidden_checks_are_not_in_what_students_get(folder):
    _, reference = building.source_of(folder)
    names = {each.function.__name__ for each in checks_of(folder / "hidden.py")}
    shown = building.student_files(folder)
    assert not leaks(reference.values(), [], shown)
    assert not [name for name in names if any(f"def {name}(".encode() in content for content in shown.values())]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_is_fair(folder):
    wrong = [f"{what}: {problem}" for what, problem in verify(folder, seed=1) if problem]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.process
def test_verify_finds_nothing_wrong_with_one_that_is_not_ours(tiny):
    assert [problem for _, problem in verify(tiny) if problem] == []


@pytest.mark.process
def test_verify_says_what_is_wrong(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "wrong")
    for name, old, new in (
        ("hidden.py", "a + b,", "a - b,"),
        ("hidden.py", '"1.2", 6', '"1.2", 5'),
        ("public.py", '"""What students see."""', "# return np.add(np.asarray(a), np.asarray(b))"),
        ("mutants.toml", 'body = "    return f(x)"', 'body = "    return f(f(x))"'),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    with (folder / "hidden.py").open("a") as file:
        file.write('\n\n@check("1.1", 1)\ndef returns(hw, draw):\n    hw.add(1.0, 2.0)\n')
    wrong = {what: problem for what, problem in verify(folder) if problem}
    assert wrong["an answer that is always None has none"] == "1.1 returns passes"
    assert "1.2 is worth 6, and its checks 5" in wrong["points of the checks"]
    assert "1.1 drawn_sums[1]" in wrong["the reference has all points"]
    assert "public.py: " in wrong["nothing leaks"]
    assert "no check sees it" in wrong["mistake of 1.2: once"]
    assert "the stub has none" not in wrong


@pytest.mark.slow
@pytest.mark.process
def test_the_pictures_are_drawn_of_a_finished_engine_only(tmp_path):
    hw1 = ROOT / "tutorials" / "homework" / "hw1"
    for name, content in building.student_files(hw1).items():
        (tmp_path / name).write_bytes(content)

    def show():
        return subprocess.run([sys.executable, "show.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert show().stderr.startswith("it takes a finished engine: Task 1.")
    shutil.copy(hw1 / "engine.py", tmp_path)
    done = show()
    assert "of size 0.5: its gradient vanishes" in done.stdout, done.stderr
    assert "of size 1.0: its gradient survives" in done.stdout
    assert (tmp_path / "square.svg").read_text().count("<title>") > 0
    assert (tmp_path / "rnn.svg").stat().st_size > 1000


@pytest.mark.slow
def test_a_wheel_brings_no_solution_and_no_hidden_check(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = [name for name in wheel.namelist() if "homework" in name]
        assert "tinygrad_rnn/homework/assignments/hw1/engine.py" in names
        assert not [name for name in names if name.endswith(("hidden.py", "rubric.md", "mutants.toml"))]
        stub = wheel.read("tinygrad_rnn/homework/assignments/hw1/engine.py").decode()
    regions = {name: region for name, region in regions_of(stub).items() if name != "YOURS"}
    assert all(region.text.strip().startswith("raise NotImplementedError(") for region in regions.values())


#: What asks for nothing, or only knows in which order it is asked: the homework, its task and regions, and a check.
GUESSES = {
    "hw1, every other is right": (
        "hw1", "1.6", {"1.6": "    calls.append(1)\n    return len(calls) % 2 == 1"}, "wrong_gradients",
    ),
    "hw1, more than can be compared": ("hw1", "1.2", {"1.2": "    return [root] * 100_000"}, "order_of_a_diamond"),
    "hw5, for ever": ("hw5", "5.1", {"5.1": "    return math.inf"}, "an_orthogonal_network"),
    "hw5, no bound": ("hw5", "5.2", {"5.2d": "    return math.inf"}, "bounds"),
    "hw6b, all is refused": (
        "hw6b", "6.3", dict.fromkeys(("6.3a", "6.3b", "6.3c"), "        raise TapeError('no')"), "what",
    ),
}  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("guess", GUESSES)
def test_who_guesses_in_the_order_of_the_checks_gets_nothing(guess):
    name, task, bodies, check = GUESSES[guess]
    folder = ROOT / "tutorials" / "homework" / name
    assignment, reference = building.source_of(folder)
    main = assignment.files[0]
    lines = lines_of(reference[main])
    for each, region in reversed(regions_of(reference[main]).items()):
        if each in bodies or each == "YOURS":
            lines[region.begin + 1 : region.end] = [bodies.get(each, "import math\ncalls = []") + "\n"]
    checks = [each for each in checks_of(folder / "hidden.py") if each.task == task and each.name.startswith(check)]
    results = judge(assignment, reference, {main: "".join(lines)}, checks, seed=1, only=task, more=1.0)
    assert sum(each.earned for each in results) == 0
