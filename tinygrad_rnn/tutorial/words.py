"""What the tutorials' stepper says, in the languages that it knows."""

from __future__ import annotations

import locale
import os

__all__ = ["LANGUAGES", "Words", "command", "language_of_this_user"]

LANGUAGES = ("en", "zh")

#: English, Chinese.
_TABLE = {
    "place": ("-- {at} of {all} --", "-- 第 {at} 步，共 {all} 步 --"),
    "minutes": ("about {minutes} minutes", "约 {minutes} 分钟"),
    "untranslated": ("(There is no translation yet; this is the English text.)", "（尚无中文版，以下为英文。）"),
    "unfit": ("(The translation does not fit the script: {why})", "（中文版与脚本不符，以下为英文：{why}）"),
    "takes": ("(takes about {seconds} s)", "（约需 {seconds} 秒）"),
    # The line of keys below a cell
    "run": (
        "Enter run | b back | s skip | e edit | q quit > ",
        "回车 运行 | b 返回 | s 跳过 | e 修改 | q 退出 > ",
    ),
    "next": (
        "Enter next | r run again | e edit | b back | q quit > ",
        "回车 继续 | r 再运行 | e 修改 | b 返回 | q 退出 > ",
    ),
    "next_with_picture": (
        "Enter next | o open picture | r run again | e edit | ? keys > ",
        "回车 继续 | o 打开图片 | r 再运行 | e 修改 | ? 按键 > ",
    ),
    "failed": (
        "Enter run again | e edit | s skip | b back | q quit > ",
        "回车 再运行 | e 修改 | s 跳过 | b 返回 | q 退出 > ",
    ),
    "read": ("Enter next | b back | q quit > ", "回车 继续 | b 返回 | q 退出 > "),
    "guess": ("your guess (Enter none | {hint}b back | q quit) > ", "你的猜测（回车 不猜 | {hint}b 返回 | q 退出）> "),
    "exercise": (
        "Enter next | {hint}e code | a answer | ? keys > ",
        "回车 继续 | {hint}e 代码 | a 答案 | ? 按键 > ",
    ),
    "solve": (
        "your answer (Enter next | {hint}a answer | ? keys) > ",
        "你的答案（回车 继续 | {hint}a 答案 | ? 按键）> ",
    ),
    "hint_key": ("h hint | ", "h 提示 | "),
    "keys": (
        "Keys, each followed by Enter:\n"
        "  Enter  run the cell, or go on\n"
        "  b      back to the step before\n"
        "  r      run this cell again\n"
        "  s      skip this cell; what needs it later will fail\n"
        "  e      edit the cell (or write code of your own) in $EDITOR and run it; an empty file brings back the original\n"
        "  o      open the pictures that this cell has drawn\n"
        "  h      a hint, where there is one; again for the next\n"
        "  a      the answer of an exercise\n"
        "  q      quit; your place is kept",
        "按键（之后按回车）：\n"
        "  回车  运行本格，或继续\n"
        "  b     返回上一步\n"
        "  r     再运行本格\n"
        "  s     跳过本格；之后依赖它的内容会出错\n"
        "  e     在 $EDITOR 中修改本格（或写自己的代码）并运行；清空文件则恢复原文\n"
        "  o     打开本格画出的图片\n"
        "  h     提示（若有）；再按一次看下一条\n"
        "  a     练习的答案\n"
        "  q     退出；进度会保留",
    ),
    "unknown": ("{typed!r} is no key here; ? lists the keys.", "此处没有按键 {typed!r}；按 ? 查看按键。"),
    "not_here": ("{typed} does nothing at this step.", "{typed} 在这一步没有作用。"),
    # Running
    "running": ("running ... (Ctrl-C stops it)", "运行中……（Ctrl-C 停止）"),
    "checked": ("checked", "已核对"),
    "took": ("{seconds:.1f} s", "{seconds:.1f} 秒"),
    "went_well": ("({said})", "（{said}）"),
    "and": (", ", "，"),
    "picture": ("picture: ", "图片："),
    "stopped": ("Stopped. Names that the cell was to make may be missing.", "已停止。本格应定义的名字可能缺失。"),
    "after_skipping": ("(Skipped before: cell {cells}.)", "（此前跳过：第 {cells} 格。）"),
    "skipped": ("Skipped.", "已跳过。"),
    "edited": ("(edited by you)", "（你修改过）"),
    "original": ("The original is back.", "已恢复原文。"),
    "unkept": ("(Nothing was kept: {why})", "（结果未能保存：{why}）"),
    "no_editor": (
        "No editor was found: set EDITOR, as in EDITOR=nano {command}.",
        "未找到编辑器：请设置 EDITOR，例如 EDITOR=nano {command}。",
    ),
    "opening": ("Opening {editor}; save and leave it to come back here.", "正在打开 {editor}；保存并退出后回到这里。"),
    "leaving_vi": (
        "In {editor}: i begins writing, Esc ends it. Then :wq and Enter saves and leaves, :q! and Enter drops all.",
        "在 {editor} 中：按 i 开始输入，按 Esc 结束输入；再输入 :wq 并回车则保存退出，输入 :q! 并回车则放弃修改退出。",
    ),
    "another_editor": ("EDITOR sets another, as in EDITOR=nano.", "可设置 EDITOR 换用其他编辑器，例如 EDITOR=nano。"),
    "open_vi": ("Enter open {editor} | b back > ", "回车 打开 {editor} | b 返回 > "),
    "editor_failed": ("The editor did not end well ({why}); nothing was changed.", "编辑器异常退出（{why}），未作修改。"),
    "template": ("# Your code. It runs in a copy of the tutorial's names.", "# 你的代码，在教程名字的副本中运行。"),
    "unopened": ("Nothing here can open it: {path}", "此处无法打开：{path}"),
    # Questions
    "not_a_number": (
        "That is no number; write it as in 0.25, 25%, 1/4 or 1e-5.",
        "这不是数字；可写作 0.25、25%、1/4 或 1e-5。",
    ),
    "not_an_option": ("Choose one of 1 to {last}.", "请选择 1 到 {last}。"),
    "before": ("You guessed {guess} before; Enter keeps it.", "你此前猜的是 {guess}；按回车保留。"),
    "compared": ("your guess: {guess}\nthe result:  {result}", "你的猜测：{guess}\n结果：　　{result}"),
    "unguessed": ("the result: {result}", "结果：{result}"),
    "right": ("You saw it coming.", "猜对了。"),
    "wrong": ("Not what you expected: worth a look at why.", "出乎意料：值得想想为什么。"),
    "no_result": ("(The result cannot be told: {why})", "（无法得出结果：{why}）"),
    "solved": ("Right: {result}.", "正确：{result}。"),
    "unsolved": (
        "Not yet. Try again, {hint}a for the answer, or Enter to go on.",
        "还不对。可再试一次；{hint}a 答案，回车继续。",
    ),
    "or_a_hint": ("h for a hint, ", "h 提示，"),
    "checking": ("checking ...", "核对中……"),
    "hint": ("Hint {at} of {all}", "提示 {at}/{all}"),
    "no_hint": ("There is no hint here.", "此处没有提示。"),
    "no_more_hints": ("That was the last hint.", "没有更多提示了。"),
    "solution": ("One answer", "参考答案"),
    "no_solution": ("There is no answer to show here.", "此处没有参考答案。"),
    # In notebooks
    "on_paper": (
        "Write down what you expect before you run the next cell.",
        "运行下一格之前，先写下你的猜测。",
    ),
    "one_hint": ("Hint", "提示"),
    "answer": ("the answer", "答案"),
    # Coming and going
    "going_on": ("Going on at {at} of {all}. (--restart begins again.)", "从第 {at} 步（共 {all} 步）继续。（--restart 从头开始。）"),
    "catching_up": ("Bringing back what came before, about {seconds} s ...", "正在恢复此前的结果，约 {seconds} 秒……"),
    "catching_up_soon": ("Bringing back what came before ...", "正在恢复此前的结果……"),
    "done_before": ("You were through already; here it is again.", "你已学完本篇；现在重新开始。"),
    "kept": ("Your place is kept: {command} goes on here.", "进度已保存：{command} 可从此处继续。"),
    "unkept_place": ("(Your place cannot be kept: {why}.)", "（进度无法保存：{why}。）"),
    "end": ("The end: {title}", "《{title}》到此结束。"),
    "score": ("Your guesses: {right} of {all} were right.", "你的猜测：{all} 个中猜对 {right} 个。"),
    "next_one": ("Next: {command}", "下一篇：{command}"),
    "last_one": ("There is no further one: {command} lists all.", "这是最后一篇：{command} 列出全部。"),
    # The list
    "tutorial": ("tutorial", "教程"),
    "time": ("minutes", "分钟"),
    "yours": ("you", "进度"),
    "done": ("done", "完成"),
    "at": ("{percent}%", "{percent}%"),
    "begin_with": ("Begin with: {command}", "开始：{command}"),
    "go_on_with": ("Go on with: {command}", "继续：{command}"),
    "none": ("There are no tutorials here.", "这里没有教程。"),
}  # fmt: skip


class Words:
    """The words of one language.

    >>> Words("en")("solved", result="28")
    'Right: 28.'
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, /, **values: object) -> str:
        return _TABLE[key][self._column].format(**values)


def command(lesson: str = "", language: str | None = None) -> str:
    """Return what is typed to go through a tutorial, in a language that is not this user's if one is given.

    Args:
        lesson: its number or path; the list of all without.
        language: "en" or "zh".
    """
    asked = f"--lang {language}" if language not in (None, language_of_this_user()) else ""
    return " ".join(filter(None, ("python -m tinygrad_rnn tutorial", lesson, asked)))


def language_of_this_user() -> str:
    """Return the language that the system is set to, as far as it is one of ours; English else."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    found = locale.getlocale()[0] or ""  # on Windows: "Chinese (Simplified)_China"
    return "zh" if found.lower().startswith(("zh", "chinese")) else "en"
