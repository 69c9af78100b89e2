"""Train something on every task until its criterion is met: `python -m tests.bench.results --help`.

Whether a criterion is met is measured; a line whose criterion was not reached says so.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tinygrad_rnn.flow.sentences import plural
from tinygrad_rnn.train.reproduce import Learner, Plan, Row, trial

PATH = Path("tutorials/RESULTS.md")
SEEDS = 3
HEADINGS = (
    "task", "T", "cell", "H", "parameters", "trained by", "criterion", "seeds that met it", "updates", "scores",
    "seconds",
)  # fmt: skip

#: What is tried: one line for each task, chosen to be done in about a minute.
LINES: tuple[tuple[Plan, Learner], ...] = (
    (Plan("hello", 300, 20, batch=1, judged=1), Learner("", "gru", 8)),
    (Plan("doubling", 500), Learner("", "rnn", 8)),
    (Plan("first_bit", 1000, steps=50), Learner("", "lstm:forget_bias=3", 32)),
    (Plan("marked_bit", 1500, steps=20), Learner("", "lstm:forget_bias=3", 32)),
    (Plan("asked_bit", 1500, steps=20), Learner("", "lstm:forget_bias=3", 32)),
    (Plan("parity", 3000, steps=10), Learner("", "rnn:gain=1", 32)),
    (Plan("adding", 2500, steps=30), Learner("", "lstm:forget_bias=3", 32)),
    (Plan("adding:form=1997", 2500, steps=30), Learner("", "lstm:forget_bias=3", 32)),
    (Plan("multiplication", 4000, steps=30), Learner("", "lstm:forget_bias=3", 32)),
    (Plan("temporal_order", 2000, steps=50), Learner("", "lstm:forget_bias=3", 24)),
    (Plan("temporal_order:form=6b", 2000, steps=30), Learner("", "lstm:forget_bias=3", 24)),
    (Plan("copy:length=3", 4000, steps=10), Learner("", "gru:update_bias=1", 48)),
    (Plan("two_sequences", 1500, steps=30), Learner("", "lstm:forget_bias=3", 16)),
    (Plan("noise_free:form=2a", 3000, steps=20), Learner("", "lstm:forget_bias=3", 16)),
    (Plan("noise_free:form=2b", 1500, steps=20), Learner("", "lstm:forget_bias=3", 16)),
    (Plan("embedded_reber:strings=256", 3000, batch=16, steps=50), Learner("", "peephole", 12)),
    (
        Plan("continual_reber", 3000, batch=16, judged=16, steps=30, judged_steps=1000, windows=10),
        Learner("", "lstm:forget_bias=1", 8),
    ),
    (Plan("anbncn", 2000, steps=30), Learner("", "lstm:forget_bias=1", 8)),
    (Plan("agreement", 1000), Learner("", "gru", 32)),
    (Plan("sentiment", 1000), Learner("", "gru", 32)),
    (Plan("tokens", 200, 50), Learner("", "gru", 48)),
    (Plan("dates:attention=dot", 900), Learner("", "gru", 64, learning_rate=0.005)),
    (Plan("dates:attention=general", 900), Learner("", "gru", 64, learning_rate=0.005)),
    (Plan("dates:attention=additive", 900), Learner("", "gru", 64, learning_rate=0.005)),
    (Plan("dates:attention=none", 900), Learner("", "gru", 64, learning_rate=0.005)),
    (Plan("strips:digits=2:attention=soft", 1500), Learner("", "gru", 64, learning_rate=0.005)),
    (Plan("strips:digits=2:attention=none", 1500), Learner("", "gru", 64, learning_rate=0.005)),
    (Plan("digits:by=image", 1500, judged=500), Learner("", "rnn", 48)),
    (Plan("digits:by=row", 1500, judged=500), Learner("", "gru", 48)),
    (Plan("digits:by=pixel", 1500, judged=500), Learner("", "gru", 48)),
    (Plan("series", 1000), Learner("", "gru", 16)),
    (Plan("series:of=co2:feed=difference", 1000), Learner("", "gru", 16)),
)  # fmt: skip


def row(plan: Plan, learner: Learner, seeds: Sequence[int]) -> list[str]:
    """Train with every seed and return a line of the table."""
    learned, _, criterion = plan.tasks()
    found = Row(learner, tuple(trial(learner, plan, seed) for seed in seeds))
    spread = found.spread
    shown = sorted(name for name in found.trials[0].scores if name != "loss")
    return [
        f"`{plan.task}`",
        str(learned.steps),
        f"`{learner.cell}`",
        str(learner.hidden),
        f"{found.trials[0].parameters:,}",
        f"{learner.how}, batch {plan.batch}",
        str(criterion),
        f"{found.solved} of {len(seeds)}" if found.solved else f"not reached in {plan.updates:,}",
        "-" if spread is None else f"{found.updates:,.0f} ({spread[0]:,}-{spread[1]:,})",
        "; ".join(f"{name} {found.score(name):.3g}" for name in shown) or f"loss {found.score('loss'):.3g}",
        f"{found.seconds:.0f}",
    ]


def text_of(rows: Iterable[Sequence[str]], seeds: int) -> str:
    """Return the document."""
    right = {"T", "H", "parameters", "updates", "seconds"}
    lines = [f"| {' | '.join(line)} |" for line in (HEADINGS, *rows)]
    marks = "|".join("---:" if heading in right else "---" for heading in HEADINGS)
    table = "\n".join([lines[0], f"|{marks}|", *lines[1:]])
    return f"""# The tasks, and something small that learns each

Written by `python -m tests.bench.results`, {date.today()}, on {plural(os.cpu_count() or 1, "core")} shared with other \
work, one thread,
{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}; {plural(seeds, "seed")}.

A line is one setting, not a comparison: another may do better. A criterion that no seed reached is reported as such.
Tasks without a criterion (text, code, conflict), and those that take longer than a minute or two, are not here.

{table}

- T: steps of the examples learned from. continual_reber is judged on streams of 1,000 symbols.
- criterion: that of the task, looked at every 100 updates (hello: 20, tokens: 50) on held-out examples, the same
  at every look:
  as many as it names, at least 256; 500 of digits, 16 streams of continual_reber, 1 of hello.
- updates: to the first look that met it, the median of the seeds that did (fewest-most).
- scores: at the end, on as many examples drawn anew; the median of the seeds. So a criterion met at a look may be
  missed here by an example or two. Where few are held out, as of embedded_reber and digits, looks have shown them.
- seconds: of all seeds together, by the clock; other work on the machine makes them more.
"""


def rows_of(text: str) -> dict[str, dict[str, str]]:
    """Return the lines of the table in a document, by the task, each by the headings."""
    lines = [re.split(r" *\| *", line.strip("| \n")) for line in text.splitlines() if line.startswith("| `")]
    return {line[0].strip("`"): dict(zip(HEADINGS, line, strict=True)) for line in lines}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on every task and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, default=PATH, help=f"where to (default {PATH})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of each line (default {SEEDS})")
    parser.add_argument("--tasks", nargs="*", help="which; lines of others stay as they are (default: all)")
    options = parser.parse_args(arguments)
    known = {plan.task: (plan, learner) for plan, learner in LINES}
    if unknown := set(options.tasks or ()) - set(known):
        parser.error(f"no line for {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    before = rows_of(options.write.read_text(encoding="utf-8")) if options.tasks and options.write.exists() else {}
    rows = {task: list(line.values()) for task, line in before.items()}
    with threadpool_limits(limits=1, user_api="blas"):
        for task, (plan, learner) in known.items():
            if options.tasks and task not in options.tasks:
                continue
            rows[task] = row(plan, learner, range(options.seeds))
            print(" ".join(rows[task]), flush=True)
            options.write.write_text(text_of([rows[t] for t in known if t in rows], options.seeds), encoding="utf-8")
    print(f"wrote {options.write}")


if __name__ == "__main__":
    main()
