"""Models in files."""

import json

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim, serialization
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import TextTask
from tinygrad_rnn.train import SequenceModel, evaluate, fit, load_checkpoint, sample, save_checkpoint
from tinygrad_rnn.train.checkpoint import FORMAT


def fresh(task, kind=optim.Adam, dropout=0.4, **options):
    tg.manual_seed(1)
    sizes = task.input_size, 6, task.output_size
    model = SequenceModel("lstm", *sizes, num_layers=2, dtype="float64", dropout=dropout)
    return model, kind(model.parameters(), **{"lr": 0.02, **options})


def trained(task, updates):
    model, optimizer = fresh(task)
    return model, optimizer, list(fit(model, task, optimizer, updates, batch=4))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        (optim.RMSprop, {"alpha": 0.8, "momentum": 0.5, "eps": 1e-3}),
        (optim.Adam, {"betas": (0.7, 0.9), "eps": 1e-3}),
        (optim.AdamW, {"weight_decay": 0.2}),
    ],
)
@pytest.mark.parametrize("stop", [0, 3])
def test_a_loaded_model_continues_as_if_it_had_never_stopped(tmp_path, kind, options, stop):
    task = TextTask("the quick brown fox " * 4, steps=5)
    whole, optimizer = fresh(task, kind, **options)
    expected = list(fit(whole, task, optimizer, 6, batch=4))
    model, optimizer = fresh(task, kind, **options)
    first = list(fit(model, task, optimizer, stop, batch=4))
    save_checkpoint(tmp_path / "m.safetensors", model, optimizer, {"updates": stop, "vocabulary": "déjà\n"})
    tg.manual_seed(77)  # as in another process, which has drawn something else

    found = load_checkpoint(tmp_path / "m.safetensors")
    assert found.settings == {"updates": stop, "vocabulary": "déjà\n"}
    assert found.model.config() == model.config()
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(found.model.state_dict()[name].numpy(), value.numpy())
    again = found.resume()
    assert again.config() == optimizer.config()
    assert first + list(fit(found.model, task, again, updates=6, batch=4, first=stop)) == expected
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(found.model.state_dict()[name].numpy(), value.numpy())


@pytest.mark.parametrize("chosen", [lambda found: found[::-1], lambda found: found[2:5]])
def test_an_optimizer_of_parameters_in_another_order_or_of_some_goes_on(tmp_path, chosen):
    task = TextTask("the quick brown fox " * 4, steps=5)
    model, _ = fresh(task)
    adam = optim.Adam(chosen(list(model.parameters())), lr=0.02)
    list(fit(model, task, adam, 3, batch=4))
    save_checkpoint(tmp_path / "m", model, adam, {})
    expected = list(fit(model, task, adam, 6, batch=4, first=3))
    found = load_checkpoint(tmp_path / "m")
    assert list(fit(found.model, task, found.resume(), 6, batch=4, first=3)) == expected
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(found.model.state_dict()[name].numpy(), value.numpy())


def test_an_optimizer_that_has_parameters_of_something_else_is_refused(tmp_path):
    model, _ = fresh(TextTask("abcabc", steps=2))
    adam = optim.Adam([*model.parameters(), tg.zeros(1, requires_grad=True)])
    with pytest.raises(InputError, match="none of the model's"):
        save_checkpoint(tmp_path / "m", model, adam, {})


def test_loading_and_evaluating_cost_no_random_numbers(tmp_path):
    task = TextTask("the quick brown fox " * 4, steps=5)
    model, optimizer, _ = trained(task, updates=1)
    save_checkpoint(tmp_path / "m.safetensors", model, optimizer, {})
    before = default_generator.counter.item()
    found = load_checkpoint(tmp_path / "m.safetensors")
    assert evaluate(found.model, task, 8) == evaluate(model, task, 8)
    assert model.training
    list(sample(model, [0], 3))
    assert default_generator.counter.item() == before


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


def rewritten(path, change):
    """Write a model, then change what its file says of itself."""
    model, optimizer, _ = trained(TextTask("abcabc", steps=2), updates=1)
    save_checkpoint(path, model, optimizer, {})
    about = json.loads(serialization.load_metadata(path)[FORMAT])
    change(about)
    serialization.save(path, serialization.load(path), {FORMAT: json.dumps(about)})


HUGE = 10**9


@pytest.mark.parametrize(
    "said",
    [
        {"hidden_size": HUGE}, {"num_layers": HUGE}, {"num_layers": 10**6}, {"num_layers": 3}, {"num_layers": 1},
        {"input_size": HUGE}, {"output_size": HUGE}, {"hidden_size": 10**400}, {"hidden_size": "6"},
        {"hidden_size": -6}, {"hidden_size": 0}, {"hidden_size": 6.0}, {"num_layers": True}, {"num_layers": None},
        {"cell": "elman"}, {"cell": 3}, {"cell": "gru"}, {"cell": ["lstm"]}, {"dtype": "float32"}, {"dtype": "int64"},
        {"dtype": None}, {"dropout": 2.0}, {"dropout": "much"}, {"dropout": float("nan")}, {"more": 1},
        {"cell": "lstm:forget_bias=1e400"},
    ],
)  # fmt: skip
def test_what_a_file_says_of_its_model_is_checked_before_a_model_is_made(tmp_path, monkeypatch, said):
    path = tmp_path / "m.safetensors"
    rewritten(path, lambda about: about["model"].update(said))
    if "dropout" not in said:
        monkeypatch.setattr(SequenceModel, "restored", lambda *_: pytest.fail("it began to make the model"))
    with pytest.raises(InputError, match="is damaged") as raised:
        load_checkpoint(path)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("name", ["cell", "input_size", "hidden_size", "output_size", "num_layers", "dtype"])
def test_a_file_that_does_not_say_all_of_its_model_is_refused(tmp_path, name):
    rewritten(tmp_path / "m", lambda about: about["model"].pop(name))
    with pytest.raises(InputError, match=f"missing or unknown: {name}"):
        load_checkpoint(tmp_path / "m")


@pytest.mark.parametrize(
    "training",
    [
        {}, {"optimizer": None}, {"optimizer": {"kind": "Optimizer"}}, {"optimizer": {"kind": ["Adam"]}},
        {"optimizer": {"kind": "Adam", "betas": [2, 3]}}, {"optimizer": {"kind": "Adam", "betas": 3}},
        {"optimizer": {"kind": "Adam", "lr": 3}}, {"optimizer": {"kind": "SGD"}}, {"random": None},
        {"random": {"seed": -1, "counter": 0}}, {"random": {"seed": 1, "counter": 2**70}}, {"random": {"seed": 1}},
    ],
)  # fmt: skip
def test_a_training_that_cannot_be_resumed_changes_nothing(tmp_path, training):
    rewritten(tmp_path / "m", lambda about: about.update(training=about["training"] | training if training else {}))
    found = load_checkpoint(tmp_path / "m")
    stood = default_generator.counter.item()
    with pytest.raises(InputError, match="lacks what is needed to continue"):
        found.resume()
    assert default_generator.counter.item() == stood


def test_numbers_of_numpy_are_kept_and_what_json_cannot_hold_is_refused_before_a_file_is_written(tmp_path):
    model = SequenceModel("gru", 2, 3, 1, num_layers=2, dropout=np.float32(0.5))
    optimizer = optim.Adam(model.parameters())
    save_checkpoint(tmp_path / "m", model, optimizer, {"updates": np.int64(3), "clip": np.float64(0.5)})
    found = load_checkpoint(tmp_path / "m")
    assert found.settings == {"updates": 3, "clip": 0.5}
    assert found.model.config() == model.config()
    with pytest.raises(InputError, match="nothing that JSON can hold"):
        save_checkpoint(tmp_path / "other", model, optimizer, {"task": object()})
    assert not (tmp_path / "other").exists()


def test_a_file_nested_deeper_than_any_reader_goes_is_refused(tmp_path):
    rewritten(tmp_path / "m", lambda about: None)
    tensors = serialization.load(tmp_path / "m")
    serialization.save(tmp_path / "m", tensors, {FORMAT: "[" * 200_000})
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(tmp_path / "m")
