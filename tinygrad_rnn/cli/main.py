"""Read the command line, run the command, turn every error a user can cause into one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from tinygrad_rnn.cli.interrupts import no_interrupt_is_lost
from tinygrad_rnn.cli.parser import make_parser
from tinygrad_rnn.cli.streams import silence, usable_streams
from tinygrad_rnn.errors import DeviceError, InputError, MissingToolError, StateError
from tinygrad_rnn.starting import INTERRUPTED as WHOLE
from tinygrad_rnn.starting import interrupts_as_usual
from tinygrad_rnn.tasks.corpus import shown

OK, CHECK_FAILED, BAD_INPUT, TOOL_MISSING, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 ok, 1 a check failed, 2 wrong usage or bad input, 3 a needed tool is missing, 130 interrupted.

    Args:
        arguments: the words after the program's name; those of this process unless given.
    """
    with usable_streams(), no_interrupt_is_lost():
        code = _run(arguments)
        try:
            sys.stdout.flush()
        except OSError as error:
            silence(sys.stdout)
            if not isinstance(error, BrokenPipeError):
                return _stop(f"error: cannot write the output: {error.strerror or error}", BAD_INPUT)
        return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        interrupts_as_usual()
        options = make_parser().read(arguments)
        # A command's module is imported when it runs: --help answers at once.
        command = importlib.import_module(f"tinygrad_rnn.cli.{options.command}")
        code: int = command.run(options)
        return code
    except SystemExit as done:  # argparse has said what is wrong, or printed the help asked for
        return done.code if isinstance(done.code, int) else BAD_INPUT
    except KeyboardInterrupt:
        return _stop(WHOLE, INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as in `tinygrad-rnn graph | head -1`
        silence(sys.stdout)
        return OK
    except (InputError, StateError, DeviceError) as error:
        return _stop(f"error: {error}", BAD_INPUT)
    except MissingToolError as error:
        return _stop(f"error: {error}", TOOL_MISSING)
    except MemoryError:
        return _stop("error: not enough memory; take smaller --hidden, --batch or --steps", BAD_INPUT)
    except OSError as error:  # a full disk, a folder that vanished
        where = f" ({shown(error.filename)})" if error.filename else ""
        return _stop(f"error: {error.strerror or error}{where}", BAD_INPUT)


def _stop(message: str, code: int) -> int:
    print(f"tinygrad-rnn: {' '.join(message.split())}", file=sys.stderr)
    return code
