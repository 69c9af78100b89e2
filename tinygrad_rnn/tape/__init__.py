"""The tape: a whole step, forward, backward and optimizer, as a list that can be read, replayed and exported."""

from tinygrad_rnn.tape.tape import Tape, from_json, record

__all__ = ["Tape", "from_json", "record"]
