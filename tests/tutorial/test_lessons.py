"""Which tutorials there are, in which language, and copies of them."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tutorial.conftest import LESSONS, TINY
from tinygrad_rnn import tutorial
from tinygrad_rnn.cli import main
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tutorial import lessons as room


@pytest.fixture
def these(monkeypatch):
    """The small tutorial is the only one."""
    monkeypatch.setattr(room, "folder", lambda: LESSONS)


@pytest.mark.parametrize("word", ["1", "01", "01_tiny", "01_t"])
def test_a_tutorial_is_found_by_its_number_or_name(these, word):
    found = tutorial.find(word)
    assert (found.title, found.minutes) == ("01 Half of a half", 3)


def test_a_tutorial_that_is_not_there_is_an_error_that_lists_those_that_are(these):
    with pytest.raises(InputError, match="no tutorial '2'; there are: 01_tiny"):
        tutorial.find("2")


def test_a_translation_brings_prose_and_options_and_the_code_stays():
    english, chinese = (tutorial.find(str(TINY), language) for language in ("en", "zh"))
    assert chinese.title == "01 一半的一半"
    assert chinese.cells[6].question.options == ("变大", "变小")
    assert [c.source for c in chinese.cells if c.is_code] == [c.source for c in english.cells if c.is_code]
    assert chinese.missing is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("# %%\n\n", "", 1), "14 cells"),
        (lambda text: text.replace("# %%\n\n", "# %%\nx = 1\n\n", 1), "is code"),
        (lambda text: text.replace('tolerance="0.1"', 'tolerance="0.5"'), "the header of cell 2"),
        (lambda text: text.replace("变大 | 变小", "变大 | 变小 | 不变"), "the header of cell 7"),
        (lambda text: None, "untranslated"),
    ],
)
def test_a_translation_that_does_not_fit_is_left_out_and_that_is_said(tmp_path, change, said):
    (tmp_path / "zh").mkdir()
    (tmp_path / TINY.name).write_bytes(TINY.read_bytes())
    text = change((LESSONS / "zh" / TINY.name).read_text(encoding="utf-8"))
    if text is not None:
        (tmp_path / "zh" / TINY.name).write_text(text, encoding="utf-8")
    found = tutorial.find(str(tmp_path / TINY.name), "zh")
    assert said in found.missing
    assert found.title == "01 Half of a half"


def test_a_wrong_name_is_one_line(these, capsys):
    assert main(["tutorial", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("tinygrad-rnn: error: there is no tutorial 'nothing'; there are: 01_tiny")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--restart"], "say which"),
        (["01", "--copy", "mine"], "--copy is about all tutorials; leave out '01'"),
        (["01", "--json"], "--json is about all tutorials"),
        (["--copy", "mine", "--notebooks", "mine"], "not allowed with"),
    ],
)
def test_options_that_would_do_nothing_are_refused(these, capsys, words, said):
    assert main(["tutorial", *words]) == 2
    assert said in capsys.readouterr().err


def test_copying_writes_all_and_replaces_nothing(these, tmp_path, capsys):
    assert main(["tutorial", "--copy", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out.count("written: ") == 2
    assert (tmp_path / "mine" / "zh" / TINY.name).read_bytes() == (LESSONS / "zh" / TINY.name).read_bytes()
    (tmp_path / "mine" / TINY.name).write_text("changed")
    assert main(["tutorial", "--copy", str(tmp_path / "mine")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "mine" / TINY.name).read_text() == "changed"


def test_the_list_as_json(these, capsys):
    assert main(["tutorial", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["tutorials"][0] | {"path": ""} == {
        "name": "01_tiny", "title": "01 Half of a half", "minutes": 3.0, "path": "", "cell": 0, "done": False
    }  # fmt: skip


def test_the_list_shows_minutes_and_progress(these, through, capsys):
    assert main(["tutorial", "--lang", "en"]) == 0
    assert "01 Half of a half" in (listed := capsys.readouterr().out)
    assert "3     -" in listed
    assert "Begin with: python -m tinygrad_rnn tutorial 01" in listed
    through(TINY, "7", "", "", "")
    assert main(["tutorial", "--lang", "en"]) == 0
    assert "46%" in (listed := capsys.readouterr().out)
    assert "Go on with: python -m tinygrad_rnn tutorial 01" in listed
    through(TINY, "", "", "", "", "", "", "", "")
    assert main(["tutorial", "--lang", "en"]) == 0
    assert "done" in (listed := capsys.readouterr().out)
    assert "with: " not in listed


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_TW"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANGUAGE": "", "LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_is_that_of_the_system(monkeypatch, environment, language):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tutorial.language_of_this_user() == language


def test_every_word_is_there_in_both_languages():
    from tinygrad_rnn.tutorial.words import _TABLE

    for key, (english, chinese) in _TABLE.items():
        fields = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (english, chinese)]
        assert fields[0] == fields[1], key


@pytest.mark.slow
@pytest.mark.process
def test_the_wheel_brings_the_tutorials_along(tmp_path):
    root = Path(__file__).parents[2]
    words = ["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(root)]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if "/scripts/" in name}
    beside = [path.relative_to(root / "tutorials") for path in (root / "tutorials").rglob("[0-9][0-9]_*.py")]
    assert inside == {f"tinygrad_rnn/tutorial/scripts/{path.as_posix()}" for path in beside}
