"""Gates: how an LSTM's backward pass has to be checked so that no slip gets through, and what makes a check blind."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.checks import text_of
from tinygrad_rnn.homework.inside import points
from tinygrad_rnn.homework.verifying import _mutants

HW4 = building.SOURCES / "hw4"
SLIPS = {name: files["gates.py"] for name, task, files in _mutants(HW4, building.source_of(HW4)[1]) if task == "4.2"}


@dataclass(frozen=True)
class Design:
    """Shapes, and what the loss looks at."""

    steps: int = 3
    batch: int = 3
    inputs: int = 2
    hidden: int = 4
    every_h: bool = True
    last_c: bool = True


def passes(source, design, seed):
    """Return whether a central difference along random directions finds nothing wrong, and no gradient was changed."""
    names = {}
    exec(source, names)
    draw = np.random.default_rng(seed)
    steps, batch, inputs, hidden = design.steps, design.batch, design.inputs, design.hidden
    shapes = [(steps, batch, inputs), (batch, hidden), (batch, hidden), (4 * hidden, inputs), (4 * hidden, hidden)]
    given = [draw.standard_normal(shape) for shape in shapes] + [draw.standard_normal(4 * hidden)]
    to_hs, to_c = draw.standard_normal((steps, batch, hidden)), draw.standard_normal((batch, hidden)) * design.last_c
    if not design.every_h:
        to_hs[:-1] = 0

    def loss(*values):
        hs, c, _ = names["lstm_forward"](*copy.deepcopy(values))
        return (hs * to_hs).sum() + (c * to_c).sum()

    before = copy.deepcopy(given)
    kept = names["lstm_forward"](*given)[2]
    sent = to_hs.copy(), to_c.copy()
    try:
        found = names["lstm_backward"](*sent, kept, *given[3:5])
    except ValueError:  # shapes that do not fit
        return False
    for place, value in enumerate(before):
        direction = draw.standard_normal(value.shape)
        ends = [loss(*before[:place], value + step * direction, *before[place + 1 :]) for step in (1e-5, -1e-5)]
        right = (ends[0] - ends[1]) / 2e-5
        slope = (found[place] * direction).sum() if np.shape(found[place]) == value.shape else np.inf
        if abs(slope - right) > 1e-5 * (1 + abs(right)):
            return False
    return all(map(np.array_equal, (*sent, *given), (to_hs, to_c, *before)))


@pytest.mark.parametrize("seed", range(5))
def test_three_steps_with_a_loss_on_every_h_and_the_last_c_see_every_slip(seed):
    assert len(SLIPS) > 40
    assert passes((HW4 / "gates.py").read_text(), Design(), seed)
    assert [name for name, source in SLIPS.items() if passes(source, Design(), seed)] == []


@pytest.mark.parametrize(
    ("design", "slip"),
    [
        (Design(steps=1), "dh of the next step never updated"),
        (Design(steps=1), "from the first step to the last"),
        (Design(batch=1), "mean over the batch, all weights"),
        (Design(hidden=1), "W_h transposed, block by block"),
        (Design(every_h=False), "only the last h counts"),
        (Design(last_c=False), "gradient of the last c ignored"),
    ],
)
def test_without_one_of_them_a_slip_gets_through(design, slip):
    assert all(passes(SLIPS[slip], design, seed) for seed in range(3))


@pytest.mark.parametrize("name", ["public.py", "hidden.py"])
def test_the_checks_work_inside_a_notebook_too(name, capsys):
    assignment, files = building.source_of(HW4)
    checks = text_of(HW4 / name)
    for task in assignment.tasks[:-1]:
        names = {}
        exec(files["gates.py"], names)
        assert points(task.id, names, checks) == task.points, capsys.readouterr().out
    names["convert"] = lambda *arguments: None
    names["lstm"] = lambda *arguments: [0.0, 0.0]
    assert points("4.1", names, checks) == 0
    assert points("4.5", names, checks) == 14
    assert "what convert raises" in capsys.readouterr().out


def test_the_coupled_cell_is_none_of_the_package():
    H = 4
    asked = [(H, H), (H,), (3 * H, H), (3 * H, H), (3 * H,)]
    cells = {name: sorted(entry.cell.shapes(H, H).values()) for name, entry in nn.CELLS.items()}
    assert cells["cifg"] == sorted([(H,), (H,), (3 * H, H), (3 * H, H), (3 * H,), (3 * H,)])
    assert not [name for name, shapes in cells.items() if shapes in (sorted(asked), sorted([*asked, (3 * H,)]))]
