"""What is written in Chinese keeps to the glossary, and says what the English says."""

import re
from itertools import chain
from pathlib import Path

import pytest

from tests.test_documents import commands

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "tutorials" / "zh" / "glossary.md"
WRITTEN = [
    ROOT / "README.zh.md",
    *sorted((ROOT / "tutorials" / "zh").glob("*.py")),
    *sorted((ROOT / "tutorials" / "homework").glob("*/text.zh.md")),
    *sorted((ROOT / "tutorials" / "homework").glob("*/written.md")),
]


def glossary():
    """Return the lines of the table: English, Chinese, and what is not to be written instead."""
    lines = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return [(english, chinese, [word for word in shunned.strip().split("、") if word])
            for english, chinese, shunned in lines[1:]]  # fmt: skip


def shunned_in(text):
    """Return the words that the glossary shuns, and those to write instead."""
    return {word: chinese for _, chinese, words in glossary() for word in words if word in text}


def test_every_term_of_the_glossary_has_one_name_in_each_language():
    english, chinese, shunned = zip(*glossary(), strict=True)
    assert len(english) > 50
    assert list(english) == sorted(english, key=str.lower)
    for words in (english, chinese, list(chain(*shunned))):
        assert len(words) == len(set(words))
    assert not shunned_in("".join(chinese))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: "/".join(path.parts[-2:]))
def test_chinese_texts_keep_to_the_glossary(path):
    found = shunned_in(path.read_text(encoding="utf-8"))
    assert not found, f"{path.name}: " + "; ".join(f"write {right}, not {wrong}" for wrong, right in found.items())


def test_a_word_that_the_glossary_shuns_is_noticed():
    assert shunned_in("递归神经网络的隐藏状态") == {"递归神经网络": "循环网络", "隐藏状态": "隐状态"}


def test_the_chinese_readme_has_no_command_that_the_english_one_lacks():
    assert set(commands("README.zh.md")) <= set(commands("README.md"))


def test_each_readme_leads_to_the_other():
    for name, other in (("README.md", "README.zh.md"), ("README.zh.md", "README.md")):
        assert f"]({other})" in (ROOT / name).read_text(encoding="utf-8")


def test_links_of_the_chinese_readme_lead_somewhere():
    text = (ROOT / "README.zh.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
