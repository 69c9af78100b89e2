"""Models in files."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim, serialization
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import TextTask
from tinygrad_rnn.train import SequenceModel, fit, load_checkpoint, save_checkpoint
from tinygrad_rnn.train.checkpoint import FORMAT


def trained(task, updates):
    tg.manual_seed(1)
    model = SequenceModel("lstm", task.input_size, 6, task.output_size, num_layers=2, dtype="float64")
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    losses = list(fit(model, task, optimizer, updates, batch=4))
    return model, optimizer, losses


def test_a_loaded_model_continues_as_if_it_had_never_stopped(tmp_path):
    task = TextTask("the quick brown fox " * 4, steps=5)
    _, _, whole = trained(task, updates=6)
    model, optimizer, first = trained(task, updates=3)
    save_checkpoint(tmp_path / "m.safetensors", model, optimizer, {"updates": 3, "vocabulary": "déjà\n"})

    found = load_checkpoint(tmp_path / "m.safetensors")
    assert found.settings == {"updates": 3, "vocabulary": "déjà\n"}
    assert found.model.dtype == "float64"
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(found.model.state_dict()[name].numpy(), value.numpy())
    again = optim.Adam(found.model.parameters())
    again.load_state_dict(found.optimizer_state)
    assert first + list(fit(found.model, task, again, updates=6, batch=4, first=3)) == whole


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_checkpoint(tmp_path / "nowhere.safetensors")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(InputError, match="not a safetensors file"):
        load_checkpoint(tmp_path / "text")
    serialization.save(tmp_path / "other.safetensors", {"x": np.zeros(2)})
    with pytest.raises(InputError, match="not a model written by"):
        load_checkpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("broken", ["not json", "[]", "{}", '{"model": {"cell": "x"}}', '{"model": {}, "settings": 3}'])
def test_a_damaged_model_is_refused_in_one_line(tmp_path, broken):
    path = tmp_path / "m.safetensors"
    model, optimizer, _ = trained(TextTask("abcabc", steps=2), updates=1)
    save_checkpoint(path, model, optimizer, {})
    serialization.save(path, serialization.load(path), {FORMAT: broken})
    with pytest.raises(InputError, match="is damaged") as raised:
        load_checkpoint(path)
    assert "\n" not in str(raised.value)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    model, optimizer, _ = trained(TextTask("abcabc", steps=2), updates=1)
    save_checkpoint(path, model, optimizer, {})
    state = serialization.load(path) | {"model.output.bias": tg.zeros(7)}
    serialization.save(path, state, serialization.load_metadata(path))
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(path)
