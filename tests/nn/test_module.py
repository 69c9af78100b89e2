"""Module finds, names, saves, loads, moves and shares parameters."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import DTypeError, GraphError, InputError, MutationError, StateError


class Model(nn.Module):
    def __init__(self) -> None:
        self.scale = nn.Parameter([2.0])
        self.lstm = nn.LSTM(2, 3)
        self.head = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))

    def forward(self, x):
        return self.head(self.lstm(x)[0]) * self.scale


NAMES = [
    "scale",
    "lstm.weight_ih_l0",
    "lstm.weight_hh_l0",
    "lstm.bias_ih_l0",
    "lstm.bias_hh_l0",
    "head.0.weight",
    "head.0.bias",
    "head.2.weight",
    "head.2.bias",
]


def test_parameters_come_in_the_order_they_were_assigned_and_carry_their_path_as_name() -> None:
    model = Model()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [parameter.name for parameter in model.parameters()] == NAMES
    assert list(model.state_dict()) == NAMES
    assert [name for name, _ in model.named_modules()] == ["", "lstm", "head", "head.0", "head.1", "head.2"]


def test_a_module_alone_names_its_parameters_by_their_attribute() -> None:
    assert [parameter.name for parameter in nn.LSTM(2, 3).parameters()] == [
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
    ]


def test_results_of_ops_on_parameters_are_plain_tensors() -> None:
    w = nn.Parameter([1.0])
    for result in (w + w, w * 2.0, w[0], w.detach(), w.reshape(1, 1), w @ w):
        assert type(result) is tg.Tensor


@pytest.mark.host
def test_a_parameter_copies_its_data() -> None:
    source = tg.ones(2)
    parameter = nn.Parameter(source)
    source.assign_(tg.zeros(2))
    assert parameter.tolist() == [1.0, 1.0]
    assert repr(parameter) == "Parameter([1., 1.], requires_grad=True)"


def test_a_shared_parameter_comes_once_and_is_saved_under_every_path() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            self.embedding = nn.Embedding(5, 3)
            self.output = nn.Linear(3, 5, bias=False)
            self.output.weight = self.embedding.weight

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["embedding.weight"]
    assert model.embedding.weight.name == "embedding.weight"
    assert list(model.state_dict()) == ["embedding.weight", "output.weight"]
    model.to("float64")
    assert model.output.weight is model.embedding.weight
    assert model.output.weight.dtype == "float64"


def test_a_module_used_twice_gives_its_parameters_once() -> None:
    layer = nn.Linear(2, 2)
    assert len(list(nn.Sequential(layer, nn.Tanh(), layer).parameters())) == 2


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        self.encoder = nn.Linear(2, 2)
        self.decoder = self.encoder


def test_a_module_with_two_names_is_saved_under_both_as_in_pytorch() -> None:
    layer = nn.Linear(2, 2)
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(nn.Sequential(layer, nn.Tanh(), layer).state_dict()) == names
    model = Autoencoder()
    assert [name for name, _ in model.named_parameters()] == ["encoder.weight", "encoder.bias"]
    assert list(model.state_dict()) == ["encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"]
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(2, 2)
    assert list(torch.nn.Sequential(theirs, torch.nn.Tanh(), theirs).state_dict()) == names


def test_a_module_that_refers_to_the_one_it_is_in_is_saved_once() -> None:
    model = Autoencoder()
    model.encoder.parent = model
    assert list(model.state_dict()) == ["encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"]
    assert len(list(model.modules())) == 2


def test_a_shared_parameter_is_loaded_under_any_of_its_names_and_under_several_if_they_agree() -> None:
    model, ones = Autoencoder(), {"weight": np.ones((2, 2)), "bias": np.full(2, np.nan)}
    for names in (["encoder"], ["decoder"], ["encoder", "decoder"]):
        model.encoder.weight.assign_(np.zeros((2, 2), "float32"))
        model.load_state_dict({f"{name}.{key}": value for name in names for key, value in ones.items()})
        assert model.decoder.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    state = {f"{name}.{key}": value + (name == "decoder") for name in names for key, value in ones.items()}
    with pytest.raises(StateError, match=r"encoder.weight and decoder.weight: one tensor here, but two different"):
        model.load_state_dict(state)
    assert model.decoder.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    with pytest.raises(StateError, match=r"missing: encoder.bias, decoder.bias\n"):
        model.load_state_dict({"encoder.weight": ones["weight"]})


class Thing:
    """What another library may hand over."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("call detach() first")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1j * np.ones(2), "is not numeric .*complex128"),
        ("zeros", "is not numeric"),
        (None, "is not numeric"),
        ([[1.0], [2.0, 3.0]], "is no array"),
        ([1.0, None], "is not numeric"),
        (["1", "2"], "is not numeric"),
        ({"a": 1}, "is not numeric"),
        (Thing(), "is no array .*call detach"),
        (np.zeros(2, "datetime64[s]"), "is not numeric"),
        (np.array([1.0, 1e300]), "1e[+]300 does not fit into float32"),
        (tg.tensor([1.0, -1e300], "float64"), "-1e[+]300 does not fit into float32"),
        (1.0, r"has shape \(\) in the state, \(2,\) here"),
        (np.ones((1, 2)), r"has shape \(1, 2\)"),
        (np.ones(1), r"has shape \(1,\)"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_last_value_that_cannot_be_loaded_is_named_and_nothing_is_changed(value, text: str, strict: bool) -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.numpy().copy()
    with pytest.raises(StateError, match=rf"bias: {text}"):
        layer.load_state_dict({"weight": np.zeros((2, 3)), "bias": value}, strict)
    np.testing.assert_array_equal(layer.weight.numpy(), before)


def test_what_fits_in_another_form_is_loaded() -> None:
    layer = nn.Linear(1, 2)
    for value in ([3, 4], np.array([3, 4], np.float16), np.array([3, 4], ">f8"), tg.tensor([3, 4]), (np.int8(3), 4.0)):
        layer.load_state_dict({"weight": [[0], [0]], "bias": value})
        assert layer.bias.tolist() == [3.0, 4.0]
        layer.load_state_dict({"weight": [[0], [0]], "bias": [np.inf, -np.inf]})  # as they were saved


@pytest.mark.parametrize("state", [None, [("weight", 1)], "model.safetensors", nn.Linear(1, 1)])
def test_a_state_that_is_no_mapping_is_refused(state) -> None:
    with pytest.raises(StateError, match="state"):
        nn.Linear(1, 1).load_state_dict(state)


def test_names_that_are_no_texts_are_unexpected() -> None:
    layer = nn.Linear(1, 1)
    with pytest.raises(StateError, match=r"unexpected: 5, None"):
        layer.load_state_dict({**layer.state_dict(), 5: 1, None: 2})


def test_two_parameters_can_change_places_although_a_state_shares_their_memory() -> None:
    layer = nn.Linear(2, 2)
    layer.other = nn.Parameter(np.ones((2, 2), "float32"))
    before = layer.weight.tolist()
    state = layer.state_dict()
    layer.load_state_dict({**state, "weight": state["other"], "other": state["weight"]})
    assert (layer.weight.tolist(), layer.other.tolist()) == ([[1.0, 1.0], [1.0, 1.0]], before)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GraphError])
def test_a_failure_while_writing_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch, error) -> None:
    layer = nn.Linear(2, 2)
    before = [p.tolist() for p in layer.parameters()]
    assign = nn.Parameter.assign_

    def failing(self, value):
        assign(self, value)
        if self is layer.bias and value.tolist() == [9.0, 9.0]:
            raise error
        return self

    monkeypatch.setattr(nn.Parameter, "assign_", failing)
    with pytest.raises(StateError if error is GraphError else error):
        layer.load_state_dict({"weight": np.full((2, 2), 9.0), "bias": np.full(2, 9.0)})
    assert [p.tolist() for p in layer.parameters()] == before


@pytest.mark.host
def test_a_parameter_whose_memory_cannot_be_written_is_named() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.tolist()
    layer.bias._data.flags.writeable = False
    with pytest.raises(StateError, match=r"bias: .* cannot be written"):
        layer.load_state_dict({"weight": np.full((2, 2), 9.0), "bias": np.full(2, 9.0)})
    assert layer.weight.tolist() == before


def test_a_plain_tensor_cannot_replace_a_parameter_by_accident() -> None:
    layer = nn.Linear(1, 1)
    with pytest.raises(GraphError, match=r"assign_"):
        layer.weight = layer.weight * 2.0
    layer.weight = nn.Parameter([[3.0]])
    layer.bias = None
    assert layer(tg.ones(1)).tolist() == [3.0]


def test_state_goes_from_one_model_to_another() -> None:
    tg.manual_seed(1)
    one, other = Model(), Model()
    other.load_state_dict(one.state_dict())
    x = tg.randn(4, 1, 2)
    np.testing.assert_array_equal(one(x).numpy(), other(x).numpy())
    one.scale.assign_(tg.tensor([7.0]))
    assert other.scale.item() == 2.0


def test_a_state_that_does_not_fit_is_refused_with_every_reason_and_changes_nothing() -> None:
    model = Model()
    state = model.state_dict()
    before = {name: value.numpy().copy() for name, value in state.items()}
    wrong = {name: np.zeros(value.shape) for name, value in state.items() if name != "scale"}
    wrong |= {"lstm.weight_hh_l0": np.zeros((3, 3)), "extra": np.zeros(1)}
    with pytest.raises(StateError) as caught:
        model.load_state_dict(wrong)
    text = str(caught.value)
    assert "missing: scale" in text
    assert "unexpected: extra" in text
    assert "lstm.weight_hh_l0: has shape (3, 3) in the state, (12, 3) here" in text
    assert "strict=False" in text
    with pytest.raises(StateError, match="has shape"):
        model.load_state_dict(wrong, strict=False)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_without_strict_the_keys_that_match_are_loaded() -> None:
    model = Model()
    model.load_state_dict({"scale": [5.0], "extra": [1.0]}, strict=False)
    assert model.scale.item() == 5.0


def test_a_state_is_converted_to_the_dtype_of_the_module() -> None:
    layer = nn.Linear(1, 1, dtype="float64")
    layer.load_state_dict({"weight": np.ones((1, 1), np.float32), "bias": np.ones(1, np.float32)})
    assert layer.weight.dtype == "float64"


def test_train_and_eval_reach_every_module() -> None:
    model = Model()
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())
    assert nn.Dropout().training


def test_to_changes_parameters_gradients_and_results_but_keeps_the_objects_and_names() -> None:
    model = Model()
    before = list(model.parameters())
    model(tg.zeros(2, 1, 2)).sum().backward()
    assert model.to("float64") is model
    after = list(model.parameters())
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert {parameter.dtype.name for parameter in after} == {"float64"}
    assert {parameter.grad.dtype.name for parameter in after} == {"float64"}
    assert [parameter.name for parameter in after] == NAMES
    assert model(tg.zeros(2, 1, 2, dtype="float64")).dtype == "float64"
    optim.SGD(model.parameters(), lr=0.1).step()
    assert model.to(dtype="float32", device="cpu").scale.dtype == "float32"


def test_to_refuses_dtypes_without_gradients() -> None:
    with pytest.raises(DTypeError, match="floats"):
        nn.Linear(1, 1).to("int64")


class WithLosses(nn.Module):
    def __init__(self, weight: tg.Tensor) -> None:
        self.head = nn.Linear(3, 2)
        self.losses = nn.ModuleList([nn.CrossEntropyLoss(weight), nn.NLLLoss(weight), nn.NLLLoss()])
        self.bce = nn.BCEWithLogitsLoss(weight, pos_weight=weight)


def test_the_weights_of_losses_move_with_the_module_they_are_in() -> None:
    weight = tg.tensor([1.0, 2.0])
    model = WithLosses(weight).to("float64")
    for loss in (*list(model.losses)[:2], model.bce):
        assert loss.weight.dtype == tg.float64
    assert model.bce.pos_weight.dtype == tg.float64
    assert weight.dtype == tg.float32
    logits = model.head(tg.ones(4, 3, dtype="float64"))
    for loss in model.losses:
        assert loss(logits, tg.tensor([0, 1, 1, 0])).dtype == tg.float64
    assert model.bce(logits, logits.sigmoid()).dtype == tg.float64


def test_the_weights_of_losses_are_saved_as_in_pytorch_but_not_learned() -> None:
    model, other = WithLosses(tg.tensor([1.0, 2.0])), WithLosses(tg.tensor([3.0, 4.0]))
    assert [name for name, _ in model.named_parameters()] == ["head.weight", "head.bias"]
    weights = {"losses.0.weight", "losses.1.weight", "bce.weight", "bce.pos_weight"}
    assert set(model.state_dict()) == {"head.weight", "head.bias", *weights}
    state = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    other.load_state_dict(state)
    assert other.losses[0].weight.tolist() == other.bce.pos_weight.tolist() == [1.0, 2.0]


def test_a_parameter_as_the_weight_of_a_loss_is_learned_and_stays_the_same_object() -> None:
    weight = nn.Parameter([1.0, 2.0])
    loss = nn.CrossEntropyLoss(weight).to("float64")
    assert loss.weight is weight
    assert weight.dtype == tg.float64
    assert list(loss.parameters()) == [weight]
    assert list(loss.state_dict()) == ["weight"]


def test_whole_numbers_a_module_keeps_stay_whole_when_it_becomes_float64() -> None:
    class Counting(nn.Module):
        buffer_names = ("seen",)

        def __init__(self) -> None:
            self.seen = tg.tensor([0, 0])

    assert Counting().to("float64").seen.dtype == tg.int64


def test_frozen_parameters_stay_frozen_when_moved() -> None:
    layer = nn.Linear(1, 1)
    layer.weight.requires_grad = False
    assert not layer.to("float64").weight.requires_grad


def test_a_graph_made_before_a_move_gives_its_gradient_in_the_new_dtype_to_the_hooks_as_well() -> None:
    layer = nn.Linear(2, 1)
    seen = []
    layer.weight.register_hook(lambda g: seen.append(g.dtype.name))
    y = layer(tg.tensor([3.0, 4.0]))
    layer.to("float64")
    y.backward()
    assert layer.weight.grad.dtype == "float64"
    assert layer.weight.grad.tolist() == [[3.0, 4.0]]
    layer(tg.tensor([3.0, 4.0], dtype="float64")).sum().backward()
    assert layer.weight.grad.tolist() == [[6.0, 8.0]]
    assert seen == ["float64", "float64"]


def test_a_graph_that_needs_the_value_from_before_a_move_says_so() -> None:
    w, x = nn.Parameter([3.0]), tg.tensor([2.0], requires_grad=True)
    layer = nn.Module()
    layer.w = w
    view, kept = w.reshape(1, 1), w.detach()
    product, of_view = w * x, view * x
    layer.to("float64")
    with pytest.raises(MutationError):
        product.sum().backward()
    of_view.sum().backward()  # a view of the old memory still has the old value
    assert (x.grad.item(), w.grad.item(), kept.dtype) == (3.0, 2.0, "float32")
    w.assign_(tg.tensor([7.0], dtype="float64"))
    assert kept.item() == 3.0
    (w * x).sum().backward()
    assert x.grad.item() == 10.0


def test_zero_grad_forgets_the_gradients() -> None:
    model = Model()
    model(tg.zeros(2, 1, 2)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_copies_of_a_model_are_independent_and_keep_sharing_inside() -> None:
    model = Model()
    model.again = model.head
    for clone in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [name for name, _ in clone.named_parameters()] == NAMES
        assert isinstance(clone.scale, nn.Parameter)
        assert clone.again[0].weight is clone.head[0].weight
        clone.scale.assign_(tg.tensor([9.0]))
        assert model.scale.item() == 2.0


def test_a_deep_copy_has_a_gradient_of_its_own() -> None:
    model = Model()
    model(tg.zeros(2, 1, 2)).sum().backward()
    clone = copy.deepcopy(model)
    for ours, theirs in zip(model.parameters(), clone.parameters(), strict=True):
        np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())
        assert not np.shares_memory(ours.grad.numpy(), theirs.grad.numpy())
    model.zero_grad()
    assert clone.scale.grad is not None
    assert copy.deepcopy(model).scale.grad is None


def test_naming_takes_one_pass_over_a_long_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [nn.Linear(1, 1) for _ in range(50)]
    named = []
    monkeypatch.setattr(nn.Parameter, "named", lambda self, name: named.append(name) or self)
    nn.Sequential(*layers)
    assert named == [f"{i}.{name}" for i in range(50) for name in ("weight", "bias")]


@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.Tanh(), abs), lambda: nn.ModuleList().append(None)])
def test_what_is_no_module_cannot_be_among_modules(make) -> None:
    with pytest.raises(InputError, match="is no module"):
        make()


def test_a_module_list_holds_modules_in_order() -> None:
    layers = nn.ModuleList([nn.Linear(1, 2)]).append(nn.Linear(2, 3))
    assert len(layers) == 2
    assert layers[-1].out_features == 3
    assert [name for name, _ in layers.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_repr_shows_the_modules_inside() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3, bias=False), nn.Sequential(nn.Dropout(0.1)))) == (
        "Sequential(\n  (0): Linear(2, 3, bias=False)\n  (1): Sequential(\n    (0): Dropout(p=0.1)\n  )\n)"
    )


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match="define one"):
        nn.Module()(1)


# ---- what is easily forgotten -------------------------------------------------------------------------------------


class Stack(nn.Module):
    def __init__(self, layers) -> None:
        self.first = nn.Linear(1, 1)
        self.layers = layers


@pytest.mark.parametrize(
    ("layers", "container"),
    [
        ([nn.Linear(1, 1)], "nn.ModuleList"),
        ((nn.Tanh(), nn.Linear(1, 1)), "nn.ModuleList"),
        ({"a": nn.Linear(1, 1)}, "nn.ModuleDict"),
        ([[nn.Linear(1, 1)]], "nn.ModuleList"),
        ({"a": (nn.Linear(1, 1), 3)}, "nn.ModuleDict"),
    ],
)
@pytest.mark.parametrize("use", [lambda m: list(m.parameters()), lambda m: m.state_dict(), lambda m: m.to("float64")])
def test_modules_in_a_plain_container_are_warned_of_once(layers, container: str, use) -> None:
    outer = nn.Sequential(Stack(layers))
    with pytest.warns(UserWarning, match=rf"Stack.layers is a plain .* self.layers = {container}"):
        use(outer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use(outer)


def test_a_list_filled_after_it_was_assigned_is_warned_of_too() -> None:
    model = Stack([])
    list(model.parameters())
    model.layers.append(nn.Linear(1, 1))
    with pytest.warns(UserWarning, match="Stack.layers"):
        list(model.parameters())


@pytest.mark.parametrize("layers", [[], [1.0] * 20, {"a": 1}, "text", nn.ModuleList([nn.Linear(1, 1)]), [nn.Parameter]])
def test_other_containers_are_not_warned_of(layers) -> None:
    model = Stack(layers)
    model.shown = [model.first, [model.first]]  # which is an attribute, too
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(model.parameters())
        model.state_dict()


def test_a_module_dict_holds_modules_by_name() -> None:
    heads = nn.ModuleDict({"mean": nn.Linear(1, 2)})
    heads["spread"] = nn.Tanh()
    assert (len(heads), list(heads), "mean" in heads, "other" in heads) == (2, ["mean", "spread"], True, False)
    assert heads["mean"] is heads.mean
    assert heads.values() == [heads.mean, heads.spread]
    assert heads.items() == list(zip(heads.keys(), heads.values(), strict=True))
    assert [name for name, _ in heads.named_parameters()] == ["mean.weight", "mean.bias"]
    assert len(nn.ModuleDict([("a", nn.Tanh())])) == 1
    with pytest.raises(KeyError):
        heads["other"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"a": abs}, "is no module"), ({1: nn.Tanh()}, "cannot be the name"),
        ({"a.b": nn.Tanh()}, "cannot be the name"), ({"": nn.Tanh()}, "cannot be the name"),
        ({"keys": nn.Tanh()}, "cannot be the name"),
        ({"training": nn.Tanh()}, "cannot be the name"), ([nn.Tanh()], "needs a dict"), (3, "needs a dict"),
    ],
)  # fmt: skip
def test_what_cannot_be_in_a_module_dict_is_refused(given, text: str) -> None:
    with pytest.raises(InputError, match=text):
        nn.ModuleDict(given)


class Own:
    """Subclasses that forget super().__init__()."""

    class Cell(nn.RNNCell):
        def __init__(self) -> None:
            self.mine = nn.Parameter([1.0])

    class Plain(nn.Cell):
        def __init__(self) -> None:
            pass

        def step(self, projected, state, prepared):
            return projected

    class Layer(nn.Linear):
        def __init__(self) -> None:
            pass

    class Network(nn.LSTM):
        def __init__(self) -> None:
            pass

    class Child(Model):
        def __init__(self) -> None:
            self.more = 1


@pytest.mark.parametrize("kind", [Own.Cell, Own.Plain, Own.Layer, Own.Network, Own.Child])
def test_a_subclass_that_does_not_call_super_init_is_told_so(kind: type[nn.Module]) -> None:
    with pytest.raises(AttributeError, match=rf"call super\(\).__init__\(...\) in {kind.__name__}.__init__ first"):
        kind()(tg.ones(1, 1))


def test_an_attribute_that_is_not_there_is_all_that_is_said_of_a_module_that_is_complete() -> None:
    class Deep(nn.Linear):
        def __init__(self) -> None:
            super().__init__(1, 1)

        @property
        def broken(self):
            return self.weight.wrong

    for module in (nn.Linear(1, 1), Deep(), nn.ModuleList(), nn.Tanh(), Model(), nn.LSTM(1, 1)):
        with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
            module.nothing()
    with pytest.raises(AttributeError, match="'wrong'"):
        print(Deep().broken)
    assert not hasattr(Deep(), "nothing")
