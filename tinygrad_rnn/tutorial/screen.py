"""What a reader of a tutorial sees: prose, code in colours, errors; line after line, so that it can be read aloud."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, ClassVar

from rich import markdown
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.containers import Lines
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.syntax import Syntax
from rich.text import Text

from tinygrad_rnn.tutorial.formulas import as_ascii, plain_formulas, with_plain_formulas
from tinygrad_rnn.tutorial.questions import Question

__all__ = ["Screen"]

#: Columns that prose fills at most: longer lines are hard to read.
WIDEST = 96
#: Colours of the terminal's own, which fit its background.
THEME = "ansi_dark"
#: What no line of Chinese begins with, and what none ends with.
_CLOSING, _OPENING = "，。、；：？！）》〉」』】〕］｝％…—～·”’,.;:?!)]}%", "（《〈「『【〔［｛“‘([{"
#: Letters between which a line may end though there is no space.
_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"
_MAY_END = re.compile(
    rf"(?:(?<=\s)|(?<=[{_WIDE}…—”’])(?<![{re.escape(_OPENING)}])|(?<![{re.escape(_OPENING)}])(?=[{_WIDE}“‘]))"
    rf"(?<!^)(?![\s{re.escape(_CLOSING)}])"
)


class Screen:
    """A terminal, or a file, that a tutorial is written to.

    Args:
        console: of rich.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def prose(self, text: str) -> None:
        """Show text in Markdown."""
        self._console.print()
        self._lines(_Prose(with_plain_formulas(text), code_theme=THEME))

    def options(self, question: Question) -> None:
        """Show what can be chosen, numbered."""
        if question.options:
            self._console.print()
        for number, option in enumerate(question.options, 1):
            self.say(f"  {number}  {plain_formulas(option)}")

    def code(self, source: str) -> None:
        """Show code."""
        syntax = Syntax(source, "python", theme=THEME, background_color="default", word_wrap=True)
        self._console.print()
        self._lines(Padding(syntax, (0, 0, 0, 2)))

    def heading(self, text: str) -> None:
        """Show where the reader is."""
        self._console.print()
        self._console.print(Text(text, style="bold cyan"))

    def say(self, text: str, style: str = "", wrap: bool = True) -> None:
        """Tell the reader something; what is to be copied in one piece is not wrapped."""
        text = as_ascii(text) if self._console.options.ascii_only else text
        self._console.print(Group(_Text(text, style=style)), soft_wrap=not wrap)  # print() alone makes it a plain Text

    def quietly(self, text: str) -> None:
        """Tell the reader something that may be overlooked."""
        self.say(text, "dim")

    def error(self, text: str) -> None:
        """Show a traceback."""
        self.say(text, "red", wrap=False)

    def _lines(self, shown: RenderableType) -> None:
        """Print something without the spaces that rich fills lines with, and with what this terminal can write."""
        options = self._console.options.update_width(min(self._console.width, WIDEST))
        for line in self._console.render_lines(shown, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
            if options.ascii_only:
                line[:] = [Segment(as_ascii(each.text), each.style) for each in line]
            self._console.print(Segments([*line, Segment.line()]), end="")

    def gap(self) -> None:
        """Leave a line empty."""
        self._console.print()


class _Text(Text):
    """Text whose lines may end between Chinese letters too, where rich sees words alone, which spaces part."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        if options.get("no_wrap") or not re.search(f"[{_WIDE}]", self.plain):
            return super().wrap(console, width, **options)
        lines = Lines()
        for line in self.split(allow_blank=True):
            for part in line.divide(_ends(line.plain, width)):
                part.rstrip()  # rich counts letters, not cells, when it takes away what hangs over
                lines.extend(Text.wrap(part, console, width, **options))  # a piece wider than the width is cut there
        return lines


def _ends(text: str, width: int) -> list[int]:
    """Return where a line of text is to be broken so that each part is at most so many cells wide."""
    ends, used = [], 0
    places = [0, *(found.start() for found in _MAY_END.finditer(text)), len(text)]
    for start, stop in pairwise(places):
        piece = text[start:stop]
        if used and used + cell_len(piece.rstrip()) > width:
            ends.append(start)
            used = 0
        used += cell_len(piece)
    return ends


class _Paragraph(markdown.Paragraph):
    def on_enter(self, context: markdown.MarkdownContext) -> None:
        super().on_enter(context)
        self.text = _Text(justify="left")


class _Heading(markdown.Heading):
    """At the left, without a box around it."""

    def on_enter(self, context: markdown.MarkdownContext) -> None:
        super().on_enter(context)
        self.text = _Text()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text


class _TableData(markdown.TableDataElement):
    def __init__(self, justify: JustifyMethod) -> None:
        super().__init__(justify)
        self.content = _Text("", justify=justify)


class _Prose(markdown.Markdown):
    elements: ClassVar = {
        **markdown.Markdown.elements,
        "paragraph_open": _Paragraph,
        "heading_open": _Heading,
        "td_open": _TableData,
        "th_open": _TableData,
    }
