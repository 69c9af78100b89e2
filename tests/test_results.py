"""tutorials/RESULTS.md is what the runs gave: a line for each of those there are, and one of them again."""

import pytest

from tests.bench import characters, results
from tests.bench.results import HEADINGS, LINES, PATH, row, rows_of, text_of
from tinygrad_rnn.train.reproduce import SETTINGS, Learner, Plan


def documented():
    return rows_of(PATH.read_text(encoding="utf-8"))


def test_every_line_is_in_the_document():
    assert list(documented()) == [plan.task for plan, _ in LINES]


def test_the_document_tells_what_was_run():
    for plan, learner in LINES:
        line = documented()[plan.task]
        assert line["cell"] == f"`{learner.cell}`"
        assert line["trained by"] == f"{learner.how}, batch {plan.batch}"
        reached = line["updates"] != "-"
        assert ("not reached" in line["seeds that met it"]) is not reached


def test_what_is_written_can_be_read_again():
    plan = Plan("first_bit", 2, every=1, batch=2, judged=2, steps=3)
    lines = [row(plan, Learner("", "rnn", 3), range(2))]
    (found,) = rows_of(text_of(lines, 2)).values()
    assert [found[heading] for heading in HEADINGS] == lines[0]
    assert found["criterion"] == "wrong at most 0.02"


def test_a_line_that_is_run_again_leaves_the_others(monkeypatch, tmp_path, capsys):
    plans = [Plan(task, 1, every=1, batch=2, judged=2, steps=3) for task in ("first_bit", "parity")]
    monkeypatch.setattr(results, "LINES", tuple((plan, Learner("", "rnn", 3)) for plan in plans))
    path = tmp_path / "RESULTS.md"
    results.main(["--write", str(path), "--seeds", "1"])
    before = rows_of(path.read_text())
    path.write_text(path.read_text().replace(f"`parity` | {before['parity']['T']}", "`parity` | 99"))
    results.main(["--write", str(path), "--seeds", "1", "--tasks", "first_bit"])
    after = rows_of(path.read_text())
    assert list(after) == ["first_bit", "parity"]
    assert after["parity"]["T"] == "99"
    assert after["first_bit"]["updates"] == before["first_bit"]["updates"]
    with pytest.raises(SystemExit):
        results.main(["--write", str(path), "--tasks", "no_such"])
    assert "no line for no_such" in capsys.readouterr().err


@pytest.mark.slow
def test_a_line_comes_out_the_same_again():
    plan, learner = LINES[0]
    found = dict(zip(HEADINGS, row(plan, learner, range(results.SEEDS)), strict=True))
    written = documented()[plan.task]
    assert {**found, "seconds": ""} == {**written, "seconds": ""}


def test_the_table_of_1997_is_beside_the_numbers_of_the_paper():
    lines = (PATH.parent / "HOCHREITER.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    rows = [row for row in rows if row[0] != "---"]
    assert {"6a", "4-linear"} <= {row[0] for row in rows}
    for (
        name,
        what,
        weights,
        theirs,
        *_,
    ) in rows:
        setting = SETTINGS[name]
        assert (what, weights, theirs) == (setting.what, str(setting.weights), str(setting.weights))
    assert all(row[7] == f"{SETTINGS[row[0]].published:,}" for row in rows)


def test_n_grams_of_every_order_are_told():
    said = (PATH.parent / "CHARACTERS.md").read_text(encoding="utf-8")
    assert all(f"| order {order} |" in said for order in characters.ORDERS)
