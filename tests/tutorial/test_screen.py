"""Lines of prose on terminals of several widths."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from tinygrad_rnn.tutorial import all_lessons
from tinygrad_rnn.tutorial.screen import Screen

CHINESE = (
    "为什么循环网络会忘记？先用手推出 28（W-2），再与程序给出的 `loss.backward()` 比较；两者**应当**相同。"
    "如果不同，“差”在哪里——是 0.25，还是 25%？见《梯度》……"
) * 5


def screen(width):
    return Screen(Console(file=io.StringIO(), width=width))


def lines_of(shown):
    return shown._console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 60, 33, 20])
@pytest.mark.parametrize("how", ["prose", "say", "list"])
def test_chinese_is_wrapped_between_letters_and_not_before_what_closes(width, how):
    shown = screen(width)
    getattr(shown, "prose" if how == "list" else how)("- " * (how == "list") + CHINESE)
    lines = [line.strip("• ") for line in lines_of(shown) if line.strip()]
    assert max(map(cell_len, lines)) <= width
    assert not [line for line in lines if line[0] in "，；？。、：！）》”…—％"]
    assert not [line for line in lines if line[-1] in "（《“"]
    assert min(map(cell_len, lines[:-1])) > width - 20  # none ends early: the longest piece is loss.backward()
    told = CHINESE if how == "say" else re.sub("[`*]", "", CHINESE)
    assert "".join(lines).replace(" ", "") == told.replace(" ", "")


def test_every_tutorial_in_chinese_fits_and_no_line_begins_with_what_closes():
    for width in (80, 60):
        shown = screen(width)
        for lesson in all_lessons("zh"):
            for cell in lesson.cells:
                if not cell.is_code and "|--" not in cell.source:  # cells of tables are rich's
                    shown.prose(cell.source)
        lines = [line.strip("•▌ ") for line in lines_of(shown) if line.strip("•▌ ")]
        assert max(map(cell_len, lines)) <= width
        assert not [line for line in lines if line[0] in "，；？。、：！）》”"]
        assert not [line for line in lines if line[-1] in "（《“"]


def test_what_fills_a_cell_of_a_table_to_its_end_is_whole():
    shown = screen(50)
    rows = "| 更好的优化器 | 和没有时一样 | 不及格 | |\n| tanh，正交的 W | 最多百分之几 | 通过 | 只要输入很小 |"
    shown.prose(f"| 解药 | 开始时的梯度 | 考试 | 条件 |\n|--|--|--|--|\n{rows}")
    assert "…" not in shown._console.file.getvalue()
    assert " tanh，正交的  最多百分之几" in shown._console.file.getvalue()


def test_english_is_wrapped_at_spaces_alone():
    shown = screen(20)
    shown.say("Why does it forget (so soon) after 25% of all steps?")
    assert lines_of(shown) == ["Why does it forget ", "(so soon) after 25% ", "of all steps?"]
