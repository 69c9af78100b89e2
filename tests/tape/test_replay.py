"""A replay is the step itself: bit for bit, on new data, twenty times."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tape.steps import REPLAYS, assert_replays_are_the_step, float_batches, id_batches, numbers_of
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim, tape
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError, MutationError, ShapeError, TapeError

V, E, H, T, B = 7, 4, 5, 6, 3


class Model(nn.Module):
    def __init__(self, cell, **options):
        self.embedding = nn.Embedding(V, E)
        self.layers = nn.Recurrent(cell, E, H, 2, **options)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(self.layers.output_size, V)

    def forward(self, ids):
        return self.output(self.drop(self.layers(self.embedding(ids))[0]))


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.1),
    "momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01, momentum=0.5, weight_decay=0.01),
    "adam": lambda p: optim.Adam(p, 0.02, weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, 0.02),
}


def training(cell="lstm", optimizer="adam", clipping="norm", **options):
    """Return what makes a world that trains a language model."""

    def make():
        model = Model(cell, **options)
        made = OPTIMIZERS[optimizer](list(model.parameters()))

        def step(ids, targets):
            made.zero_grad()
            loss = F.cross_entropy(model(ids).reshape(-1, V), targets.reshape(-1))
            loss.backward()
            norm = None
            if clipping == "norm":
                norm = optim.clip_grad_norm_(model.parameters(), 0.5)
            elif clipping == "value":
                optim.clip_grad_value_(model.parameters(), 0.02)
            made.step()
            return {"loss": loss, "norm": norm}

        step.optimizer = made
        state = {f"optimizer.{name}": x for name, x in made.state_dict().items()}
        return step, dict(model.named_parameters()) | state

    return make


def change_lr(count, world):
    if count == 7:
        world[0].optimizer.lr = 0.005


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("clipping", ["norm", "value"])
def test_two_layers_with_dropout_train_alike(cell, clipping):
    make = training(cell, clipping=clipping, dropout=0.3)
    assert_replays_are_the_step(make, id_batches(V, (T, B)), between=change_lr)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_steps_alike(optimizer):
    make = training("rnn", optimizer, clipping=None)
    assert_replays_are_the_step(make, id_batches(V, (T, B)), between=change_lr)


def test_both_directions_in_float64_train_alike():
    make = training("gru", bidirectional=True, batch_first=True, dtype="float32", dropout=0.5)
    assert_replays_are_the_step(make, id_batches(V, (B, T)), between=change_lr)


def test_targets_to_ignore_may_come_later_than_in_the_recorded_batch():
    assert_replays_are_the_step(training("rnn"), id_batches(V, (T, B), ignored=-100))


def test_a_tape_recorded_after_some_steps_goes_on_as_they_would():
    assert_replays_are_the_step(training("rnn"), id_batches(V, (T, B)), warm_up=4, between=change_lr)


def test_gradients_that_nobody_forgets_are_added_up_alike():
    def make():
        tg.manual_seed(1)
        layer = nn.Linear(3, 2)

        def step(x):
            loss = (layer(x) ** 2).mean()
            loss.backward()
            return loss

        return step, dict(layer.named_parameters())

    assert_replays_are_the_step(make, float_batches((4, 3)), warm_up=1)


def test_dot_attention_with_a_mask_by_position_trains_alike():
    def make():
        tg.manual_seed(1)
        query, key, value = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(4, 6)
        parameters = [p for layer in (query, key, value) for p in layer.parameters()]
        adam = optim.Adam(parameters, 0.02)

        def step(x, y):
            adam.zero_grad()
            scores = (query(x) @ key(x).transpose(-1, -2)) / 6**0.5
            scores = scores.where(tg.ones_like(scores).tril() == 1.0, float("-inf"))
            attended = scores.softmax(-1) @ value(x)
            loss = F.mse_loss(attended, y)
            loss.backward()
            adam.step()
            return loss, attended

        return step, {str(i): p for i, p in enumerate(parameters)}

    assert_replays_are_the_step(make, float_batches((2, 5, 4), (2, 5, 6)))


def test_a_gradient_penalty_trains_alike():
    def make():
        tg.manual_seed(1)
        first, second = nn.Linear(3, 8), nn.Linear(8, 1)
        parameters = [*first.parameters(), *second.parameters()]
        sgd = optim.SGD(parameters, 0.05, momentum=0.9)

        def step(x):
            sgd.zero_grad()
            points = x.detach()
            points.requires_grad = True
            score = second(first(points).tanh()).sum()
            slope = tg.grad(score, points, create_graph=True)
            loss = ((slope.norm(axis=1) - 1.0) ** 2).mean() + score * 0.01
            loss.backward()
            sgd.step()
            return loss, slope

        return step, {str(i): p for i, p in enumerate(parameters)}

    assert_replays_are_the_step(make, float_batches((4, 3)))


def test_what_hooks_and_retained_gradients_do_is_replayed():
    def make():
        tg.manual_seed(1)
        layer = nn.Linear(3, 2)
        seen = []
        layer.weight.register_hook(lambda g: g * 0.5 + g.mean())

        def step(x):
            layer.zero_grad()
            hidden = layer(x).tanh().retain_grad()
            hidden.register_hook(seen.append)
            loss = (hidden * hidden).sum()
            loss.backward()
            layer.weight.assign_(layer.weight - 0.1 * layer.weight.grad)
            return loss, hidden.grad, seen.pop()

        return step, dict(layer.named_parameters())

    assert_replays_are_the_step(make, float_batches((4, 3)))


def test_a_state_that_is_handed_on_as_input_and_result():
    cell = nn.LSTMCell(3, 4)

    def step(x, state):
        h, c = cell(x, state)
        return h.sum(), (h.detach(), c.detach())

    xs = [x for (x,) in float_batches((2, 3))]
    start = (tg.zeros(2, 4), tg.zeros(2, 4))
    t = tape.record(step, xs[0], start)
    eager = taped = t.result[1]
    for x in xs[1:]:
        (wanted, eager), (found, taped) = step(x, eager), t.replay(x, taped)
        assert numbers_of([wanted, eager]) == numbers_of([found, taped])


def test_a_state_that_is_overwritten():
    def make():
        tg.manual_seed(1)
        cell, h = nn.GRUCell(3, 4), tg.zeros(2, 4)

        def step(x):
            h.assign_(cell(x, h).detach())
            return h, h * 2.0

        return step, {"h": h}

    assert_replays_are_the_step(make, float_batches((2, 3)))


def test_a_rate_that_the_step_itself_lowers():
    def make():
        tg.manual_seed(1)
        w = tg.randn(3, requires_grad=True)
        sgd = optim.SGD([w], 0.1)

        def step(x):
            sgd.zero_grad()
            (w * x).sum().backward()
            sgd.step()
            sgd.lr = sgd.lr * 0.9
            return w

        return step, {"w": w, "lr": sgd.lr}

    assert_replays_are_the_step(make, float_batches((3,)))


class Double(tg.Op):
    """Two outputs, one of them a view; NumPy on purpose."""

    @staticmethod
    def forward(backend, x, *, factor):
        return np.multiply(x, factor), x[:1]

    @staticmethod
    def vjp(node, g, part):
        whole = tg.zeros_like(node.input(0)) if g is None else g * node.attrs["factor"]
        return whole if part is None else whole + tg.concat([part, tg.zeros(*node.input_shape(0))[1:]])


def test_an_op_of_ones_own_is_replayed():
    def make():
        tg.manual_seed(1)
        w = tg.randn(3, requires_grad=True)

        def step(x):
            w.grad = None
            doubled, first = tg.apply(Double, w * x, factor=2.0)
            (doubled.sum() * first.sum()).backward()
            w.assign_(w - 0.1 * w.grad)
            return doubled, first

        return step, {"w": w}

    assert_replays_are_the_step(make, float_batches((3,)))


class Positive(tg.Op):
    differentiable = False

    @staticmethod
    def forward(backend, x):
        return x[x > 0]


def test_an_op_whose_shape_depends_on_its_data_is_an_error_at_replay():
    t = tape.record(lambda x: tg.apply(Positive, x), tg.tensor([1.0, -1.0, 2.0]))
    assert t.replay(tg.tensor([-1.0, 5.0, 6.0])).tolist() == [5.0, 6.0]
    with pytest.raises(TapeError, match="the shapes of a recorded step must not depend on its data"):
        t.replay(tg.tensor([1.0, 1.0, 1.0]))


def test_indices_that_are_tensors_are_followed_and_those_that_are_written_down_stay():
    def step(x, rows, columns):
        return x[rows, columns], x[[0, -1]], x.take(rows, 0), x[1:, rows]

    x = tg.arange(12.0).reshape(3, 4)
    t = tape.record(step, x, tg.tensor([0, 1]), tg.tensor([2, 3]))
    for rows, columns in ([2, -1], [0, -4]), ([-3, 1], [1, 1]):
        given = x * 2.0, tg.tensor(rows), tg.tensor(columns)
        assert numbers_of(t.replay(*given)) == numbers_of(step(*given))


# ---- what it gives back ---------------------------------------------------------------------------------------------


def test_what_is_returned_is_the_very_tensor_where_the_step_returns_one():
    w = nn.Parameter([1.0, 2.0])

    def step(x):
        w.grad = None
        (w * x).sum().backward()
        return w, x, w.grad, [w.detach(), None, 3, "text"]

    t = tape.record(step, tg.ones(2))
    given = tg.full((2,), 4.0)
    parameter, same, gradient, (view, *rest) = t.replay(given)
    assert parameter is w
    assert same is given
    assert gradient is w.grad
    assert rest == [None, 3, "text"]
    v = tg.ones(2, requires_grad=True)
    later = (v * view).sum()
    w.assign_(w * 2.0)
    assert view.tolist() == [2.0, 4.0], "it lies in the memory of the parameter"
    with pytest.raises(MutationError):
        later.backward()


def test_a_replay_is_noticed_by_graphs_that_read_what_it_overwrites():
    w = tg.tensor(2.0, requires_grad=True)
    t = tape.record(lambda x: w.assign_(w.detach() + x), tg.tensor(1.0))
    y = w * w
    t.replay(tg.tensor(1.0))
    assert w.item() == 4.0
    with pytest.raises(MutationError):
        y.backward()


def test_results_of_two_replays_share_nothing():
    t = tape.record(lambda x: x + 1.0, tg.zeros(2))
    first, second = t.replay(tg.zeros(2)), t.replay(tg.ones(2))
    assert first.tolist() == [1.0, 1.0]
    assert second.tolist() == [2.0, 2.0]


def test_what_the_step_makes_and_overwrites_starts_anew():
    def step(x):
        total, numbers = tg.zeros(2), tg.arange(2.0)
        total.assign_(total + x)
        numbers.assign_(numbers * x)
        return total, numbers

    t = tape.record(step, tg.ones(2))
    for _ in range(3):
        total, numbers = t.replay(tg.full((2,), 3.0))
        assert (total.tolist(), numbers.tolist()) == ([3.0, 3.0], [0.0, 3.0])


# ---- what must be as it was -----------------------------------------------------------------------------------------


def frozen_world():
    tg.manual_seed(0)
    model = Model("rnn")
    adam = optim.Adam(model.parameters(), 0.02)

    def step(ids, targets):
        adam.zero_grad()
        loss = F.cross_entropy(model(ids).reshape(-1, V), targets.reshape(-1))
        loss.backward()
        adam.step()
        return loss

    return model, adam, step


def test_ids_out_of_range_are_the_error_of_the_step():
    model, _, step = frozen_world()
    (batch, *_) = id_batches(V, (T, B))
    t = tape.record(step, *batch)
    wrong = tg.full((T, B), V, dtype="int64")
    for given in ((wrong, batch[1]), (batch[0], wrong)):
        with pytest.raises(IndexRangeError) as eager:
            step(*given)
        with pytest.raises(IndexRangeError) as taped:
            t.replay(*given)
        assert str(taped.value) == str(eager.value)
    assert all(p.grad is None for p in model.parameters()), "zero_grad had run, as in the step"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model, adam: model.eval(), "Model.training was True and is now False"),
        (lambda model, adam: setattr(model.drop, "p", 0.5), "Dropout.p was 0.2 and is now 0.5"),
        (lambda model, adam: setattr(model.layers, "dropout", 0.5), "Recurrent.dropout was 0.0 and is now 0.5"),
        (lambda model, adam: setattr(adam, "betas", (0.8, 0.9)), r"Adam.betas was \(0.9, 0.999\) and is now"),
        (lambda model, adam: setattr(model.output, "weight", nn.Parameter(model.output.weight)), "is now another"),
        (lambda model, adam: setattr(model.output.bias, "requires_grad", False), "bias.requires_grad was True"),
        (lambda model, adam: model.to("float64"), r"float64 of shape \(7, 4\) on cpu, but was float32"),
        (lambda model, adam: adam.load_state_dict(_uneven(adam)), "Adam._even was True and is now False"),
    ],
)
def test_a_setting_that_changed_is_an_error_and_nothing_is_changed(change, said):
    model, adam, step = frozen_world()
    (batch, *_) = id_batches(V, (T, B))
    t = tape.record(step, *batch)
    t.replay(*batch)
    change(model, adam)
    before = numbers_of([model.state_dict(), adam.state_dict(), [p.grad for p in model.parameters()]])
    with pytest.raises((TapeError, DTypeError), match=said):
        t.replay(*batch)
    assert numbers_of([model.state_dict(), adam.state_dict(), [p.grad for p in model.parameters()]]) == before


def _uneven(adam):
    state = adam.state_dict()
    steps = state["steps"].numpy().copy()
    steps[0] += 1
    return state | {"steps": tg.tensor(steps)}


def test_a_gradient_that_is_there_or_not_unlike_before_is_an_error():
    w = tg.ones(2, requires_grad=True)

    def step(x):
        (w * x).sum().backward()

    without = tape.record(step, tg.ones(2))
    with pytest.raises(TapeError, match=r"had no gradient when .* and has one now; call zero_grad\(\)"):
        without.replay(tg.ones(2))
    with_one = tape.record(step, tg.ones(2))
    with_one.replay(tg.ones(2))
    assert w.grad.tolist() == [3.0, 3.0]
    w.grad = None
    with pytest.raises(TapeError, match="had a gradient when the step was recorded and has none now"):
        with_one.replay(tg.ones(2))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ((), InputError, "the step was recorded with 2 inputs, and is replayed with 0"),
        (
            (tg.ones(3), 2),
            ShapeError,
            r"inputs\[0\] \(x\) is .* shape \(3,\) on cpu, but was .* shape \(2,\)",
        ),
        ((tg.ones(2, dtype="float64"), 2), DTypeError, r"inputs\[0\] \(x\) is float64"),
        ((tg.ones(2), 3), InputError, r"inputs\[1\] was 2 when the step was recorded, which every replay repeats"),
        (([1.0, 1.0], 2), DTypeError, r"inputs\[0\] must be a tensor"),
        ((np.ones(2), 2), DTypeError, r"inputs\[0\] must be a tensor, .* not ndarray; pass tg\.tensor\(array\)"),
    ],
)
def test_inputs_unlike_the_recorded_ones_are_named(given, error, said):
    t = tape.record(lambda x, n: x * n, tg.ones(2), 2)
    with pytest.raises(error, match=said):
        t.replay(*given)


def test_a_tape_is_not_replayed_inside_a_recording():
    t = tape.record(lambda x: x * 2.0, tg.ones(2))
    with pytest.raises(TapeError, match="call the step itself"):
        tape.record(t.replay, tg.ones(2))


def test_a_limit_of_clipping_that_is_a_tensor_can_change():
    w, limit = tg.ones(2, requires_grad=True), tg.tensor(1.0)

    def step(x):
        w.grad = None
        (w * x).sum().backward()
        optim.clip_grad_norm_([w], limit)
        optim.clip_grad_value_([w], limit)
        return w.grad

    t = tape.record(step, tg.full((2,), 4.0))
    limit.assign_(0.5)
    x = tg.tensor([3.0, 4.0])
    assert numbers_of(t.replay(x)) == numbers_of(step(x))
    assert abs(w.grad.norm().item() - 0.5) < 1e-6


def test_twenty_replays_are_what_is_promised():
    assert REPLAYS == 20


def test_recurrent_layers_that_were_used_in_between_learn_on_and_a_class_in_the_step_is_none_of_its_modules():
    lstm, x = nn.LSTM(3, 4, dtype="float64"), tg.randn(5, 2, 3, dtype="float64")

    class Other(nn.Module):
        pass

    def step(x):
        assert not isinstance(lstm, Other)
        return (lstm(x)[0] ** 2).sum()

    recorded = tape.record(step, x)
    before = recorded.replay(x).item()
    lstm.eval()
    lstm(x)
    lstm.train()
    assert recorded.replay(x).item() == before
