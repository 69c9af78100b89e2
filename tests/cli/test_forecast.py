"""`tinygrad-rnn forecast`."""

import json

import numpy as np

from tinygrad_rnn.cli import main


def test_models_that_differ_in_their_weights_are_one_line_with_a_band(untrained, capsys, tmp_path):
    models = [untrained("series", seed) for seed in (0, 1)]
    models += [untrained("series:feed=difference"), untrained("series", hidden=5)]
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


def test_what_cannot_be_forecast_is_refused(untrained, refused, tmp_path):
    sun, co2, out = untrained("series"), untrained("series:of=co2"), ("--out", tmp_path / "out")
    assert "forecasts have 1 to 62 steps, not 63" in refused("forecast", sun, "--steps", "63", *out)
    assert "forecasts of one series go together" in refused("forecast", sun, co2, *out)
    wrong = refused("forecast", untrained("adding"), *out)
    assert "so it cannot forecast a series; train one with --task series" in wrong


def test_a_model_named_twice_is_no_second_training(untrained, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = untrained("series")
    options = ["--steps", "2", "--format", "svg", "--out", str(tmp_path / "out")]
    assert main(["forecast", model, model.removeprefix(f"{tmp_path}/"), *options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert np.shape(said["forecasts"]["gru, level"])[0] == 1
    assert main(["forecast", model, *options]) == 0
    assert "lowest-highest" not in capsys.readouterr().out
    assert main(["forecast", model, untrained("series", 1), *options]) == 0
    assert "lowest-highest" in capsys.readouterr().out
