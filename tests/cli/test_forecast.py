"""`tinygrad-rnn forecast`."""

import json

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.cli import main
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.train import SequenceModel, save_checkpoint


@pytest.fixture
def made(tmp_path):
    """Write a checkpoint of an untrained model."""

    def make(task_text, seed=0, hidden=4):
        tg.manual_seed(seed)
        model = SequenceModel.for_task(parse_task(task_text).make(), "gru", hidden)
        path = tmp_path / f"{seed}-{hidden}-{task_text.replace(':', '-')}"
        sgd = optim.SGD(model.parameters(), lr=0.1)
        save_checkpoint(path, model, sgd, {"task": task_text, "steps": 60, "updates": 0})
        return str(path)

    return make


def test_models_that_differ_in_their_weights_are_one_line_with_a_band(made, capsys, tmp_path):
    models = [made("series", 0), made("series", 1), made("series:feed=difference"), made("series", 0, hidden=5)]
    out = tmp_path / "out"
    assert main(["forecast", *models, "--steps", "5", "--format", "svg", "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said["forecasts"]) == ["gru, level", "gru, difference", "gru, level, H 5, L 1, T 60"]
    assert [np.shape(each) for each in said["forecasts"].values()] == [(2, 58, 5), (1, 58, 5), (1, 58, 5)]
    assert list(said["rmse"])[3:] == ["last value", "a season ago", "AR(9)"]
    assert said["years"][0] == 1947
    assert json.loads((out / "forecast.json").read_text()) == said
    assert b"<svg" in (out / "forecast.svg").read_bytes()
    assert main(["forecast", models[2], "--format", "svg", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "11 steps" in printed
    assert "gru, difference: 1 step ahead its error is" in printed


def test_what_cannot_be_forecast_is_refused(made, refused, tmp_path):
    out = ("--out", tmp_path / "out")
    assert "forecasts have 1 to 62 steps, not 63" in refused("forecast", made("series"), "--steps", "63", *out)
    assert "forecasts of one series go together" in refused("forecast", made("series"), made("series:of=co2"), *out)
    assert "so it cannot forecast a series; train one with --task series" in refused("forecast", made("adding"), *out)
