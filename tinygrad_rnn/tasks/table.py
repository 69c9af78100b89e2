"""The tasks there are, and which one is meant by a few words: "adding", "copy:symbols=4".

A new task is a class in a file beside this one, and a line in `TASKS`: commands, documents and tests read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinygrad_rnn import specs
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.attention import SCORES
from tinygrad_rnn.tasks.adding import MultiplicationTask, adding_task
from tinygrad_rnn.tasks.agreement import AgreementTask
from tinygrad_rnn.tasks.bits import AskedBitTask, FirstBitTask, MarkedBitTask, ParityTask
from tinygrad_rnn.tasks.code import CodeTask, TokensTask, own_source
from tinygrad_rnn.tasks.conflict import KINDS, ConflictTask
from tinygrad_rnn.tasks.copying import CopyTask
from tinygrad_rnn.tasks.corpus import Corpus, default_corpus
from tinygrad_rnn.tasks.counting import CountingTask
from tinygrad_rnn.tasks.dates import DatesTask
from tinygrad_rnn.tasks.digits import READINGS, DigitsTask
from tinygrad_rnn.tasks.doubling import DoublingTask
from tinygrad_rnn.tasks.hello import HelloTask
from tinygrad_rnn.tasks.noise_free import noise_free_task
from tinygrad_rnn.tasks.reber import ContinualReberTask, EmbeddedReberTask
from tinygrad_rnn.tasks.sentiment import SentimentTask
from tinygrad_rnn.tasks.series import SEASONS, SeriesTask
from tinygrad_rnn.tasks.strips import LOOKS, StripsTask
from tinygrad_rnn.tasks.task import Task
from tinygrad_rnn.tasks.temporal_order import TemporalOrderTask
from tinygrad_rnn.tasks.text import TextTask
from tinygrad_rnn.tasks.two_sequences import TwoSequencesTask

__all__ = ["TASKS", "TaskEntry", "TaskSpec", "parse_task"]


@dataclass(frozen=True)
class TaskEntry:
    """A line of the table of tasks.

    Attributes:
        task: the class, or a function that returns one of several. It is called with the options by name, `steps=T`
            unless its length is fixed, and, if it reads a text, with that text first.
        summary: what it is, in one line.
        reference: where it comes from: authors, year, and where there.
        options: what can be chosen about it, and how a value is read, as in `nn.CELLS`.
        steps: T unless another is asked for; None if nobody can choose it.
        reads: what gives the text that it learns from unless a user brings one; None if it reads no text.
    """

    task: Callable[..., Task]
    summary: str
    reference: str
    options: Mapping[str, Callable[[str], specs.Value]] = field(default_factory=dict)
    steps: int | None = 50
    reads: Callable[[], Corpus] | None = None


#: By the name that texts and commands use.
TASKS: dict[str, TaskEntry] = {
    "text": TaskEntry(
        TextTask, "predict the next character of a text, at every step", "Graves 2013, section 3",
        {"stateful": specs.flag}, reads=default_corpus,
    ),
    "code": TaskEntry(
        CodeTask, "predict the next character of Python source, at every step", "Karpathy 2015",
        {"stateful": specs.flag}, reads=own_source,
    ),
    "hello": TaskEntry(
        HelloTask, "read h, e, l, l and say e, l, l, o", "Karpathy 2015", steps=None
    ),
    "doubling": TaskEntry(
        DoublingTask, "twice a number: one step, one weight would do", "a first example of many courses", steps=None
    ),
    "adding": TaskEntry(
        adding_task, "the sum of the two numbers that are marked among T",
        "Hochreiter & Schmidhuber 1997, section 5.4; Le, Jaitly & Hinton 2015, section 4.1",
        {"form": specs.word("2015", "1997")},
    ),
    "multiplication": TaskEntry(
        MultiplicationTask, "the product of the two numbers that are marked among T",
        "Hochreiter & Schmidhuber 1997, section 5.5",
    ),
    "temporal_order": TaskEntry(
        TemporalOrderTask, "in which order two or three symbols came, far apart among T",
        "Hochreiter & Schmidhuber 1997, section 5.6", {"form": specs.word("6a", "6b")},
    ),
    "copy": TaskEntry(
        CopyTask, "ten symbols, to be said again after a pause of T", "Arjovsky, Shah & Bengio 2016, section 4.1",
        {"symbols": specs.whole, "length": specs.whole},
    ),
    "two_sequences": TaskEntry(
        TwoSequencesTask, "whether the first numbers of T were 1 or -1, with noise on the same channel",
        "Hochreiter & Schmidhuber 1997, section 5.3; Bengio, Simard & Frasconi 1994",
        {"form": specs.word("3a", "3b", "3c"), "informative": specs.whole},
    ),
    "noise_free": TaskEntry(
        noise_free_task, "predict symbols, the last of which is the first again, T earlier",
        "Hochreiter & Schmidhuber 1997, section 5.2", {"form": specs.word("2a", "2b", "2c"), "symbols": specs.whole},
    ),
    "embedded_reber": TaskEntry(
        EmbeddedReberTask, "predict symbols of a grammar, the last but one of which is the second again",
        "Hochreiter & Schmidhuber 1997, section 5.1; Cleeremans, Servan-Schreiber & McClelland 1989",
        {"strings": specs.whole},
    ),
    "continual_reber": TaskEntry(
        ContinualReberTask, "the same for string after string, with no mark where one ends",
        "Gers, Schmidhuber & Cummins 2000",
    ),
    "anbncn": TaskEntry(
        CountingTask, "which symbols may come next in a string of n times a, b and c each", "Gers & Schmidhuber 2001"
    ),
    "first_bit": TaskEntry(
        FirstBitTask, "the bit that was read first, T steps ago", "Bengio, Simard & Frasconi 1994, section II"
    ),
    "marked_bit": TaskEntry(
        MarkedBitTask, "the bit that was marked, one of the first of T", "Hochreiter & Schmidhuber 1997, section 3.2",
        {"span": specs.whole},
    ),
    "asked_bit": TaskEntry(
        AskedBitTask, "the first bit, at the step that asks for it, and nothing at the others",
        "Hochreiter & Schmidhuber 1997, section 3.2",
    ),
    "parity": TaskEntry(
        ParityTask, "whether +1 came an odd number of times in T steps", "Bengio, Simard & Frasconi 1994, section IV"
    ),
    "conflict": TaskEntry(
        ConflictTask, "the first of T bits, while the others must not be stored, or nothing be said before the end",
        "after Hochreiter & Schmidhuber 1997, section 3.2", {"kind": specs.word(*KINDS)}, steps=10,
    ),
    "agreement": TaskEntry(
        AgreementTask, "is the next verb singular or plural? other nouns stand between it and its subject",
        "after Linzen, Dupoux & Goldberg 2016", steps=12,
    ),
    "sentiment": TaskEntry(
        SentimentTask, "is a sentence kind? negations at a distance turn its adjective round", "a grammar of our own",
        steps=16,
    ),
    "dates": TaskEntry(
        DatesTask, "write a date that is read in one of eight forms as YYYY-MM-DD; two sequences",
        "after Bahdanau, Cho & Bengio 2015", {"attention": specs.word("none", *SCORES)}, steps=None,
    ),
    "tokens": TaskEntry(
        TokensTask, "is each character of Python source in a name, a keyword, a string, a comment ...?",
        "Python's tokenize", reads=own_source,
    ),
    "digits": TaskEntry(
        DigitsTask, "which handwritten digit is it? seen as a whole (one step), row by row or pixel by pixel",
        "Alpaydin & Kaynak 1998; Le, Jaitly & Hinton 2015, section 4.2", {"by": specs.word(*READINGS)}, steps=None,
    ),
    "strips": TaskEntry(
        StripsTask, "write the digits that are on a strip, from left to right: an image and a caption",
        "after Xu et al. 2015; the digits of Alpaydin & Kaynak 1998",
        {"attention": specs.word(*LOOKS), "digits": specs.whole}, steps=None,
    ),
    "series": TaskEntry(
        SeriesTask, "the next value of a series: spots of the sun by year, CO2 by week; as values or as changes",
        "SIDC, Brussels; Keeling et al., Scripps",
        {"of": specs.word(*SEASONS), "feed": specs.word("level", "difference")}, steps=60,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class TaskSpec(specs.Spec):
    """A task of the table and what was chosen about it."""

    @property
    def entry(self) -> TaskEntry:
        """Its line of the table."""
        return TASKS[self.name]

    def make(self, steps: int | None = None, text: str | None = None, **more: Any) -> Task:
        """Return the task.

        Args:
            steps: T; that of the table unless given.
            text: what it reads, if it reads a text.
            more: what else its class takes, such as the vocabulary that a model knows.

        Raises:
            InputError: an option or a length that the task cannot have, or a text for a task that reads none.
        """
        entry = self.entry
        if entry.steps is None and steps is not None:
            raise InputError(f"the length of {self.name} is fixed; leave the number of steps out")
        if (entry.reads is None) is not (text is None):
            raise InputError(f"{self.name} reads {'a text: give it one' if entry.reads else 'no text'}")
        length = {} if entry.steps is None else {"steps": entry.steps if steps is None else steps}
        made = entry.task(*([] if text is None else [text]), **length, **dict(self.options), **more)
        made.chosen = self.text
        return made


def parse_task(text: str) -> TaskSpec:
    """Read a specification: a task's name, then `:option=value` as often as needed.

    Raises:
        InputError: an unknown task or option, a value that is none, or an option given twice.

    >>> from tinygrad_rnn.tasks import parse_task
    >>> parse_task("adding").make(steps=7).batch(2, seed=0).inputs.shape
    (7, 2, 2)
    """
    return TaskSpec(*specs.read("task", text, TASKS))
