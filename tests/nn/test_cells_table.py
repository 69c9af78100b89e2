"""The table of cells beside them is that of `CELLS`, and its numbers are measured."""

from pathlib import Path

import pytest

from tests.bench import cells_table
from tinygrad_rnn.nn import CELLS, Recurrent, parse_cell

TEXT = (Path(__file__).parents[2] / cells_table.PATH).read_text(encoding="utf-8")
ROWS = cells_table.rows_of(TEXT)


def test_it_has_a_line_for_every_cell_and_the_words_of_its_script():
    assert list(ROWS) == list(CELLS), "run make cells-table"
    assert all(len(row) == len(cells_table.HEADINGS) for row in ROWS.values())
    assert cells_table.text_of(ROWS.values()) == TEXT, "run make cells-table"
    assert (
        "`tinygrad-rnn flow --cells NAME --hidden H --seeds 3 --train 0`" in TEXT
    )  # H of its line: one has 66


@pytest.mark.parametrize("name", CELLS)
def test_its_links_and_sizes_are_right(name):
    row = dict(zip(cells_table.HEADINGS, ROWS[name], strict=True))
    word, _, file = row["class"].strip("[)").partition("](")
    assert word == CELLS[name].cell.__name__
    assert f"class {word}(" in (Path(__file__).parents[2] / cells_table.PATH.parent / file).read_text(encoding="utf-8")
    spec, hidden, inputs = parse_cell(name), int(row["H"]), int(ROWS["gates_from_input"][2])
    layer = Recurrent(spec.cell_class, inputs, hidden, **spec.cell_options)
    assert row["parameters"] == f"{sum(parameter.size for parameter in layer.parameters()):,}"
    assert set(row["state"].split(", ")) <= set(CELLS[name].cell.state_names)
    vanishes = "vanishes" in row["verdict"]
    assert vanishes is not any(">" in each for each in row["horizon"].split(", "))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnn", "gates_from_input", "lstm97", "gru", "layernorm_lstm"])
def test_a_line_is_what_is_measured(name):
    assert cells_table.row(name) == ROWS[name], "run make cells-table"
