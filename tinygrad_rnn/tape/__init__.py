"""The tape: a whole step, forward, backward and optimizer, as a list that can be read, replayed and exported."""

from tinygrad_rnn.tape.listing import Line
from tinygrad_rnn.tape.tape import Tape, from_json, record

__all__ = ["Line", "Tape", "from_json", "record"]


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
