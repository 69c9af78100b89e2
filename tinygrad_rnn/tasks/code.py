"""Python source: written character by character, and told apart character by character."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.answers import EveryClassTask
from tinygrad_rnn.tasks.corpus import Corpus
from tinygrad_rnn.tasks.symbols import one_hot
from tinygrad_rnn.tasks.task import Batch, Criterion, enough_steps
from tinygrad_rnn.tasks.text import TextTask, split
from tinygrad_rnn.tasks.vocabulary import Vocabulary

#: What a character of Python can be a part of.
CLASSES = ("space", "name", "keyword", "number", "string", "comment", "operator")
_OF_TOKEN = {
    tokenize.NAME: "name",
    tokenize.NUMBER: "number",
    tokenize.STRING: "string",
    tokenize.COMMENT: "comment",
    tokenize.OP: "operator",
}


def own_source() -> Corpus:
    """Return the source of this library, which is there wherever it is: what code tasks learn unless told otherwise."""
    root = Path(__file__).parents[1]
    files = sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix())
    return Corpus("\n".join(path.read_text(encoding="utf-8") for path in files), "the source of tinygrad_rnn")


class CodeTask(TextTask):
    """Predict the next character of Python source, at every step: `TextTask` on code (Karpathy 2015 learned C)."""

    name = "code"
    begins = ("def ", "\n", " ")


class TokensTask(EveryClassTask):
    """What is each character of Python source a part of: a name, a keyword, a string, a comment ...?

    Many to many, aligned. A window may begin inside a string or a comment, which nobody can know: some error stays.

    Args:
        text: Python source that `tokenize` understands; longer than `steps`.
        steps: T, the characters in a window.
        vocabulary: the characters to tell apart; those of the text unless given.

    Raises:
        InputError: the text is no Python, or has fewer than T characters.

    >>> task = TokensTask("if x:  # why\\n    y = 'no'\\n", steps=6)
    >>> [task.classes[number] for number in task.classes_of[:4]]
    ['keyword', 'keyword', 'space', 'name']
    """

    name = "tokens"
    classes = CLASSES
    output_size = len(CLASSES)
    criterion = Criterion("wrong", below="each alone")

    def __init__(self, text: str, steps: int, vocabulary: Vocabulary | None = None) -> None:
        steps = enough_steps(steps, 1, "at least one character is read")
        if len(text) < steps:
            raise InputError(f"the source has {len(text)} characters; take a longer one, or fewer --steps than {steps}")
        self.steps, self.text = steps, text
        self.vocabulary = vocabulary or Vocabulary.of(text)
        self.input_size = len(self.vocabulary)
        self.classes_of = classes_of(text)
        self._numbers = self.vocabulary.encode(text)
        counts = np.zeros((self.input_size, self.output_size))
        np.add.at(counts, (self._numbers, self.classes_of), 1.0)
        self._guess = counts.argmax(axis=-1)

    @property
    def data_size(self) -> int:
        """How many windows cover the source once."""
        return -(-len(self.text) // self.steps)

    def batch(self, size: int, seed: int | Sequence[int], dtype: Any = "float32") -> Batch:
        """Return windows at random places, one-hot (T, B, V), and the classes (T, B) of their characters."""
        last = len(self._numbers) - self.steps
        starts = np.random.default_rng(seed).integers(0, last, size=size, endpoint=True)
        places = np.arange(self.steps)[:, None] + starts
        return Batch(one_hot(self._numbers[places], self.input_size, dtype), self.classes_of[places])

    def scores(self, outputs: Tensor, batch: Batch) -> dict[str, np.ndarray]:
        """Return the share of the characters told wrongly, and that of whoever sees each character alone.

        The latter says for every character the class that it has most often in the whole source.
        """
        read = batch.inputs.numpy() if isinstance(batch.inputs, Tensor) else batch.inputs
        alone = (self._guess[read.argmax(axis=-1)] != batch.targets).mean(axis=0)
        wrong = (outputs.numpy().argmax(axis=-1) != np.asarray(batch.targets)).mean(axis=0)
        return {"wrong": wrong, "each alone": alone}

    def held_out(self) -> tuple[TokensTask, TokensTask]:
        """Return the task on the beginning of the source and on its end; twice itself if it is too short to cut."""
        parts = split(self.text, self.steps)
        if parts is None:
            return self, self
        cut = len(parts[0])
        return self._part(slice(cut)), self._part(slice(cut, None))

    def _part(self, where: slice) -> TokensTask:
        """Return the task on a part; its classes are those it has in the whole."""
        part = object.__new__(TokensTask)
        vars(part).update(vars(self), text=self.text[where])
        part.classes_of, part._numbers = self.classes_of[where], self._numbers[where]
        return part

    def input_labels(self, x: np.ndarray) -> list[str]:
        """Return the characters that one example (T, V) reads."""
        return list(self.vocabulary.decode(x.argmax(axis=-1)))


def classes_of(text: str) -> np.ndarray:
    """Return what each character of Python source is a part of, numbers of `CLASSES`, int64.

    Raises:
        InputError: it is no Python.
    """
    found = np.zeros(len(text), dtype=np.int64)
    lines = text.splitlines(keepends=True)
    begins = np.concatenate([[0], np.cumsum([len(line) for line in lines])])
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = _OF_TOKEN.get(token.type)
            if token.type == tokenize.NAME and keyword.iskeyword(token.string):
                kind = "keyword"
            if tokenize.tok_name[token.type].startswith("FSTRING"):  # from Python 3.12 on in parts
                kind = "string"
            if kind is None:
                continue
            first, last = (begins[row - 1] + column for row, column in (token.start, token.end))
            found[first:last] = CLASSES.index(kind)
    except (tokenize.TokenError, SyntaxError, IndentationError) as error:
        raise InputError(f"the text is no Python source: {error}; give a .py file that runs") from None
    return found
