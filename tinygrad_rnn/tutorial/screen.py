"""What a reader of a tutorial sees: prose, code in colours, errors; line after line, so that it can be read aloud."""

from __future__ import annotations

from typing import ClassVar

from rich import markdown
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
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
        self._console.print(Text(text, style=style), soft_wrap=not wrap)

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


class _Heading(markdown.Heading):
    """At the left, without a box around it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text


class _Prose(markdown.Markdown):
    elements: ClassVar = {**markdown.Markdown.elements, "heading_open": _Heading}
