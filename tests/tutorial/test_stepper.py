"""Going through a tutorial: guesses, keys, errors, editing, coming back. What is typed is given to it here."""

import json
import os
import sys
import webbrowser
from dataclasses import replace

import pytest

from tests.tutorial.conftest import TINY
from tinygrad_rnn.tutorial import find, progress
from tinygrad_rnn.tutorial.session import Session
from tinygrad_rnn.tutorial.stepper import Stepper
from tinygrad_rnn.tutorial.words import command

PARTS = ("7", "", "", "2", "", "", "5", "", "", "")


def test_a_reader_who_is_right_is_told_so_and_sees_everything(through):
    shown = through(TINY, *PARTS)
    for said in (
        "-- 1 of 7 --", "How many halvings", "your guess: 7\nthe result:  7\nYou saw it coming.", "(checked)",
        "  1  it grows\n  2  it shrinks", "the result:  it shrinks", "Right: 5.", "The end: 01 Half of a half",
        "Your guesses: 3 of 3 were right.",
    ):  # fmt: skip
        assert said in shown
    assert through.printed == "sizes: [1.0, 0.5, 0.25]\n"
    assert progress.load(find(str(TINY))).done


def test_a_reader_who_is_wrong_goes_on_and_both_numbers_are_kept(through):
    shown = through(TINY, "3", "", "", "1", "", "", "4", "6", "5", "", "", "")
    assert "your guess: 3\nthe result:  7\nNot what you expected" in shown
    assert shown.count("Not yet.") == 2
    assert "Right: 5." in shown
    assert "Your guesses: 0 of 3 were right." in shown
    assert progress.load(find(str(TINY))).guesses[2] == {
        "asked": "number 0 halvings", "guess": 3.0, "result": 7.0, "fits": False
    }  # fmt: skip
    assert progress.load(find(str(TINY))).guesses[9]["solved"]


def test_nobody_has_to_guess(through):
    shown = through(TINY, *[""] * 10)
    assert shown.count("the result: 7\n") == 1
    assert not [line for line in shown.splitlines() if line.endswith(" ") and not line.endswith("> ")]
    assert "your guess:" not in shown
    assert "were right" not in shown


def test_what_is_no_answer_is_asked_again(through):
    shown = through(TINY, "many", "7", "", "", "3", "2")
    assert "write it as in 0.25, 25%, 1/4 or 1e-5" in shown
    assert "Choose one of 1 to 2." in shown


def test_hints_come_one_after_the_other_and_only_when_asked_for(through):
    assert "quarter" not in through(TINY, "7")
    shown = through(TINY, "h", "H", "h", restart=True)
    assert shown.index("Hint 1 of 2") < shown.index("leave a quarter") < shown.index("Seven is a good guess")
    assert "That was the last hint." in shown


def test_a_solution_is_hidden_until_asked_for_and_runs_in_a_copy(through):
    assert "logarithm of 100" not in through(TINY, *PARTS)
    shown = through(TINY, *PARTS[:6], "a", "", "e", "q", restart=True)
    assert "The logarithm of 100 to the base 3" in shown
    assert "thirds = math.ceil" in shown
    assert "the result: 5" in shown


def test_a_solution_that_takes_long_is_run_once_for_all_answers(script, through, tmp_path):
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('x')"
    path = script(
        "x = 1", '[markdown] exercise="1" question="number" answer="y"\n# y?', f'solution="1"\n{count}\ny = x + 1'
    )
    shown = through(path, "", "", "5", "4", "2", "b", "r", "", "2", "")
    assert shown.count("Not yet.") == 2
    assert shown.count("Right: 2.") == 2
    assert (tmp_path / "count").read_text() == "xx"


def test_names_of_a_solution_stay_out_of_the_tutorial(script, through):
    path = script('[markdown] exercise="1"\n# Do.', 'solution="1"\nx = 2\nassert x == 2', "assert 'x' not in globals()")
    assert "(checked)" in through(path, "", "a", "", "", "")
    assert "Error" not in through.shown


def test_back_run_again_skip_and_unknown_keys(script, through):
    path = script("n = globals().get('n', 0) + 1\nprint('n is', n)\nassert n", "print(n * 10)")
    shown = through(path, "", "r", "r", "x", "h", "b", "s", "s")
    assert through.printed == "n is 1\nn is 2\nn is 3\n"
    assert "'x' is no key here" in shown
    assert "h does nothing at this step." in shown
    assert "The end:" in shown
    assert "Keys, each followed by Enter" in through(path, "?")


def test_an_error_is_shown_with_the_line_of_its_cell_and_the_cell_can_be_run_again(script, through):
    path = script("a = 1\n\ndef half(x):\n    return x / 0\n", "print('now')\nhalf(a)\nassert True")
    shown = through(path, "", "", "", "s")
    assert 'File "<cell 3>", line 2, in <module>\n    half(a)' in shown
    assert 'File "<cell 2>", line 4, in half\n    return x / 0' in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "session.py" not in shown
    assert "Enter run again | e edit" in shown
    assert through.printed == "now\n"


@pytest.mark.parametrize("code", ["x = = 1", "raise SystemExit(3)", "assert 1 == 2, 'one is not two'"])
def test_nothing_that_a_cell_does_ends_the_stepper(script, through, code):
    shown = through(script(code), "", "s")
    assert "<cell 2>" in shown
    assert "The end:" in shown


def test_an_error_after_a_skipped_cell_says_what_was_skipped(script, through):
    shown = through(script("x = 1", "print(x)"), "s", "", "q")
    assert "NameError" in shown
    assert "(Skipped before: cell 2.)" in shown


def test_ctrl_c_in_a_cell_stops_the_cell_alone(script, through):
    shown = through(script("raise KeyboardInterrupt", "print('later')"), "", "s", "", "")
    assert "Stopped." in shown
    assert through.printed == "later\n"


def test_ctrl_c_at_a_prompt_ends_the_stepper_and_the_place_is_kept(script, through):
    path = script("x = 1", "y = 2")
    with pytest.raises(KeyboardInterrupt):
        through(path, "", "", KeyboardInterrupt())
    assert f"Your place is kept: python -m tinygrad_rnn tutorial {path} goes on here." in through.shown
    assert progress.load(find(str(path))).cell == 3


def test_who_comes_back_goes_on_where_it_was(through):
    through(TINY, "7", "", "", "q")
    shown = through(TINY, "2", "", "")
    assert "Going on at 3 of 7." in shown
    assert "How many halvings" not in shown
    assert "the result:  it shrinks" in shown
    assert "sizes:" not in through.printed


def test_a_guess_made_before_can_be_kept(through):
    through(TINY, "6", "q")
    shown = through(TINY, "b", "", "")
    assert "You guessed 6 before; Enter keeps it." in shown
    assert "your guess: 6" in shown


def test_cells_that_keep_their_result_are_not_run_again(script, through, tmp_path):
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('x')"
    path = script(
        f'keep="x w"\n{count}\nimport tinygrad_rnn as tg\nx = [1.5, (2, "a")]\nw = tg.ones(2)',
        "print(x, w.sum().item())",
    )
    through(path, "", "", "q")
    through(path, "", "q")
    assert through.printed == "[1.5, (2, 'a')] 2.0\n"
    assert (tmp_path / "count").read_text() == "x"
    path.write_text(path.read_text().replace("1.5", "2.5"))
    through(path, "", "q")
    assert through.printed == "[2.5, (2, 'a')] 2.0\n"
    assert (tmp_path / "count").read_text() == "xx"


def test_what_cannot_be_kept_is_said_and_the_tutorial_goes_on(script, through):
    shown = through(script('keep="f"\nf = print', 'keep="g"\nx = 1'), "", "", "", "")
    assert "f holds a builtin_function_or_method, which cannot be kept" in shown
    assert "there is no 'g'" in shown
    assert "The end:" in shown


def test_a_cell_before_that_fails_on_coming_back_is_where_it_goes_on(script, through):
    path = script("x = 1", "print(x)")
    through(path, "", "", "q")
    path.write_text(path.read_text().replace("x = 1", "x = 1 / 0"))
    shown = through(path, "q")
    assert "ZeroDivisionError" in shown
    assert progress.load(find(str(path))).cell == 1


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """An editor that writes what it is told to, or ends with an error."""

    def writes(text, code=0):
        program = tmp_path / "editor.py"
        program.write_text(
            f"import sys\nopen({str(tmp_path / 'seen')!r}, 'w').write(open(sys.argv[1]).read())\n"
            f"open(sys.argv[1], 'w').write({text!r})\nsys.exit({code})"
        )
        monkeypatch.setenv("VISUAL", f"{sys.executable} {program}")
        return tmp_path / "seen"

    return writes


@pytest.mark.skipif(os.name == "nt", reason="the path of the editor is quoted otherwise")
def test_a_cell_can_be_changed_and_the_change_is_there_on_coming_back(script, through, editor):
    path = script("x = 1\nprint(x)", "print('then', x)")
    seen = editor("x = 5\nprint(x)\n")
    shown = through(path, "e", "", "q")
    assert seen.read_text() == "x = 1\nprint(x)\n"
    assert through.printed == "5\n"
    assert "(edited by you)" in shown
    through(path, "", "b", "q")
    assert through.printed == "then 5\n"
    editor("")
    assert "The original is back." in through(path, "e", "q")
    assert through.printed == "1\n"
    editor("nonsense", code=1)
    assert "exit status 1" in through(path, "e", "q")
    assert progress.load(find(str(path))).edited == {}


@pytest.mark.skipif(os.name == "nt", reason="the path of the editor is quoted otherwise")
def test_own_code_of_an_exercise_runs_in_a_copy(script, through, editor):
    editor("y = x + 1\nprint('mine', y)")
    path = script("x = 1", '[markdown] exercise="1"\n# Do.', "assert 'y' not in globals()")
    through(path, "", "", "e", "", "", "")
    assert through.printed == "mine 2\n"
    assert "Error" not in through.shown


def test_without_an_editor_it_says_what_to_set(script, through, monkeypatch):
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    assert "set EDITOR" in through(script("x = 1"), "e")


def test_progress_that_cannot_be_read_is_a_beginning(through, data):
    through(TINY, "7")
    (file,) = (data / "tutorials").glob("*.json")
    for content in (
        "",
        "[]",
        "{}",
        json.dumps({"schema": "tinygrad_rnn.tutorial/1", "cell": "x", "guesses": {}, "edited": {}}),
    ):
        file.write_text(content)
        assert progress.load(find(str(TINY))) == progress.Progress()
    assert "How many halvings" in through(TINY)


def test_chinese_throughout(through):
    shown = through(TINY, *PARTS, language="zh")
    assert "需要减半多少次" in shown
    assert "猜对了" in shown
    assert "《01 一半的一半》到此结束" in shown
    assert "Enter" not in shown


def test_a_picture_of_a_cell_is_a_file_for_this_tutorial_and_can_be_opened(script, through, data, monkeypatch):
    pytest.importorskip("matplotlib")
    path = script(
        "from matplotlib.figure import Figure\nfrom tinygrad_rnn import viz\nviz.show(Figure(), name='empty')"
    )
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or len(opened) == 1)
    shown = through(path, "o", "", "o", "o", "")
    picture = data / "pictures" / "09_own" / "empty.svg"
    assert through.printed == f"picture: {picture}\n"
    assert b"<svg" in picture.read_bytes()
    assert "o open picture" in shown
    assert "o does nothing at this step." in shown
    assert opened == [picture.as_uri()] * 2
    assert shown.count(f"Nothing here can open it: {picture}") == 1


def test_the_stepper_asks_with_input_unless_told_otherwise(monkeypatch):
    assert Stepper.__init__.__defaults__[0] is input


def test_what_was_about_other_code_is_left_out(script, through, editor):
    editor("x = 5")
    path = script("x = 1", '[markdown] question="number" answer="x"\n# What is x?', "y = x")
    through(path, "e", "", "7", "q")
    assert progress.load(find(str(path))).guesses[3]["guess"] == 7
    path.write_text(
        path.read_text().replace('question="number" answer="x"', 'question="choice" options="a | b" answer="x"')
    )
    assert progress.load(find(str(path))).edited == {2: "x = 5"}
    assert "You guessed" not in through(path, "b", "q")
    path.write_text(path.read_text().replace("x = 1", "x = 2"))
    assert progress.load(find(str(path))).edited == {}


def test_scripts_of_the_same_name_do_not_share_a_place(through, tmp_path):
    copy = tmp_path / "copy" / TINY.name
    copy.parent.mkdir()
    copy.write_bytes(TINY.read_bytes())
    through(TINY, "7", "", "")
    assert "How many halvings" in through(copy)


def test_who_cannot_keep_the_place_can_read_all_the_same(through, data):
    data.write_text("not a folder")
    shown = through(TINY, *PARTS)
    assert shown.count("Your place cannot be kept") == 1
    assert "(Nothing was kept:" in shown
    assert "The end:" in shown


def test_ctrl_c_while_what_came_before_is_brought_back_keeps_the_place(script, through, tmp_path):
    again = str(tmp_path / "again")
    path = script(
        f"import os\nif os.path.exists({again!r}):\n    raise KeyboardInterrupt\nopen({again!r}, 'w').close()", "y = 2"
    )
    through(path, "", "", "q")
    with pytest.raises(KeyboardInterrupt):
        through(path)
    assert "Your place is kept" in through.shown
    assert progress.load(find(str(path))).cell == 3


def test_a_hint_is_offered_where_there_is_one(script, through):
    asked = 'question="number" answer="x"\n# x?'
    path = script(f"[markdown] {asked}", "x = 1", f'[markdown] exercise="1" {asked}', 'solution="1"\ny = 1')
    shown = through(path, "", "", "", "5", "")
    assert "Not yet. Try again, a for the answer" in shown
    assert "hint" not in shown
    shown = through(TINY, *PARTS[:6], "4", "5", "", "")
    assert "Try again, h for a hint, a" in shown
    assert "(Enter none | h hint | b back" in shown
    assert "Enter next | e code | a answer" in shown
    shown = through(TINY, *PARTS, language="zh", restart=True)
    assert "（回车 不猜 | h 提示 | b 返回" in shown
    assert "回车 继续 | e 代码 | a 答案" in shown


def test_what_a_cell_did_is_told_in_chinese(script, through, monkeypatch, data):
    monkeypatch.setattr("tinygrad_rnn.tutorial.telling.LONG", 0.0)
    assert "（已核对，0.0 秒）" in through(TINY, "7", "", language="zh")
    path = script("from tinygrad_rnn.viz.pictures import write_picture\nwrite_picture('a', 'svg', b'')")
    session = Session(replace(find(str(path)), language="zh"))
    picture = data / "pictures" / "09_own" / "a.svg"
    assert session.run(session.lesson.cells[1], quiet=True).output == f"图片：{picture}\n"


@pytest.mark.parametrize(("language", "more"), [("en", ""), ("zh", " --lang zh")])
def test_the_command_that_goes_on_is_whole(through, language, more):
    shown = through("01", "q", language=language, restart=True)
    assert f"python -m tinygrad_rnn tutorial 01{more}" in shown
    assert command("10", "en") == "python -m tinygrad_rnn tutorial 10"
    assert command() == "python -m tinygrad_rnn tutorial"


def test_the_command_names_no_language_that_is_the_systems(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert command("10", "zh") == "python -m tinygrad_rnn tutorial 10"
    assert command("10", "en") == "python -m tinygrad_rnn tutorial 10 --lang en"


@pytest.mark.parametrize("leave", ["q", None])
def test_who_has_seen_the_last_page_is_done(through, leave):
    through(TINY, *PARTS[:9], *([leave] if leave else []))
    found = progress.load(find(str(TINY)))
    assert (found.done, found.at_its_end) == (True, True)
    assert "Going on at 7 of 7." in through(TINY, "b", "q")
    assert not progress.load(find(str(TINY))).at_its_end


def test_code_at_the_end_counts_once_it_has_run(script, through):
    path = script("x = 1")
    through(path, "q")
    assert not progress.load(find(str(path))).done
    through(path, "", "q")
    assert progress.load(find(str(path))).at_its_end


@pytest.mark.skipif(os.name == "nt", reason="a script is no program there")
@pytest.mark.parametrize("own", [False, True])
def test_it_is_said_which_editor_opens_and_how_vi_is_left(script, through, monkeypatch, tmp_path, own):
    vi = tmp_path / "vi"
    vi.write_text("#!/bin/sh\necho 'x = 5' > \"$1\"\n")
    vi.chmod(0o755)
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(*("EDITOR", str(vi)) if own else ("PATH", str(tmp_path)))
    path = script("x = 1\nprint(x)")
    shown = through(path, "e", *["b"] * (not own), "q")
    assert f"Opening{vi if own else 'vi'};" in "".join(shown.split())  # a long path is wrapped
    assert ":q! and Enter" in " ".join(shown.split())
    assert ("Enter open vi | b back" in shown) != own
    assert progress.load(find(str(path))).edited == ({2: "x = 5"} if own else {})
    if not own:
        through(path, "e", "", "q")
        assert progress.load(find(str(path))).edited == {2: "x = 5"}
