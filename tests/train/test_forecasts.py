"""Forecasts against slower means: one step at a time from raw values, least squares by hand."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.tasks.series import series
from tinygrad_rnn.train import SequenceModel, autoregression, forecast, forecasts_of

STEPS = 4


def made(feed="level", of="sunspots", steps=60, seed=0, dtype="float64"):
    tg.manual_seed(seed)
    return SequenceModel("gru", 1, 5, 1, dtype=dtype), parse_task(f"series:of={of}:feed={feed}").make(steps)


@pytest.mark.parametrize("feed", ["level", "difference"])
@pytest.mark.parametrize("of", ["sunspots", "co2"])
def test_each_step_is_what_the_model_says_of_all_that_it_read_and_said(feed, of):
    model, task = made(feed, of)
    values = series(of)
    cut = int(0.8 * len(values))
    fed = np.diff(values[:cut]) if feed == "difference" else values[:cut]  # what is learned
    origins = np.array([cut, cut + 7])
    for origin, said in zip(origins, forecast(model, task, origins, STEPS), strict=True):
        known = list(values[:origin])
        for step in range(STEPS):
            read = np.diff(known) if feed == "difference" else np.array(known)
            window = (read[-60 - step :] - fed.mean()) / fed.std()
            out = model(tg.tensor(window[:, None, None]))[0].numpy()[-1, 0, 0] * fed.std() + fed.mean()
            known.append(known[-1] + out if feed == "difference" else out)
        np.testing.assert_allclose(said, known[origin:], rtol=1e-9)


def test_the_autoregression_is_that_of_least_squares_on_what_is_learned():
    values, cut, order = series("sunspots"), 247, 9
    rows = np.array([[1.0, *values[t - order : t][::-1]] for t in range(order, cut)])
    weights = np.linalg.lstsq(rows, values[order:cut], rcond=None)[0]
    found = autoregression(values, cut, np.array([250, 260]), 3, order)
    for origin, said in zip((250, 260), found, strict=True):
        known = list(values[:origin])
        for _ in range(3):
            known.append(weights @ [1.0, *known[-order:][::-1]])
        np.testing.assert_allclose(said, known[origin:], rtol=1e-6)


def test_forecasts_begin_at_every_place_that_is_not_learned_and_none_looks_ahead():
    learned = {"a": [made(seed=0), made(seed=1)], "b": [made("difference")]}
    found = forecasts_of(learned, steps=13)
    values = series("sunspots")
    assert found.origins[0] == 247
    assert found.origins[-1] + 13 == len(values)
    for row, origin in enumerate(found.origins):
        np.testing.assert_array_equal(found.truth[row], values[origin : origin + 13])
        assert (found.baselines["last value"][row] == values[origin - 1]).all()
        before = values[origin - 11 : origin]
        np.testing.assert_array_equal(found.baselines["a season ago"][row], [*before, *before[:2]])
    assert found.models["a"].shape == (2, len(found.origins), 13)
    np.testing.assert_allclose(
        found.rmse("a")[1, 2], np.sqrt(np.mean((found.models["a"][1, :, 2] - found.truth[:, 2]) ** 2))
    )
    assert found.rmse("last value").shape == (1, 13)


def test_what_cannot_be_forecast_is_refused():
    with pytest.raises(InputError, match="forecasts of one series go together, not of co2, sunspots"):
        forecasts_of({"a": [made()], "b": [made(of="co2")]}, 3)
    for steps in (0, 63):
        with pytest.raises(InputError, match=f"forecasts have 1 to 62 steps, not {steps}"):
            forecasts_of({"a": [made()]}, steps)
    model, task = made()
    model.output.bias.assign_(np.full(1, np.nan))
    with pytest.raises(InputError, match="not finite"):
        forecast(model, task, np.array([250]), 2)
    model.output.bias.assign_(np.full(1, 1e200))  # errors are squares
    with pytest.raises(InputError, match="not finite"):
        forecast(model, task, np.array([250]), 2)


@pytest.mark.parametrize("feed", ["level", "difference"])
def test_nothing_that_is_learned_tells_the_first_value_that_is_forecast(feed):
    task = parse_task(f"series:feed={feed}").make(60)
    learned, held_out = task.held_out()
    batches = [part.batch(200, 0, "float64") for part in (learned, held_out)]
    said = [part._in_units(batch.targets) for part, batch in zip((learned, held_out), batches, strict=True)]
    fed = np.diff(task.values) if feed == "difference" else task.values
    first = fed[task.cut - 1 if feed == "difference" else task.cut]  # what the value at the cut is told by
    assert not np.isclose(said[0], first, atol=1e-9).any()
    assert np.isclose(said[1], first, atol=1e-9).any()
