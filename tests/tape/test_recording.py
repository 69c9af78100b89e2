"""What a recording sees, and what it refuses: what a replay could not repeat is an error with its line."""

import functools
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import functional as F
from tinygrad_rnn import nn, optim, tape
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.engine.modes import modes
from tinygrad_rnn.errors import DTypeError, IndexRangeError, InputError, TapeError
from tinygrad_rnn.tape.records import name_of

X = np.ones(3, "float32")


def names(t):
    return [name_of(op) for op, *_ in t._contents.instructions]


def line_of(step, mark):
    """Return file:line of the line of a function that has the mark."""
    import inspect

    lines, first = inspect.getsourcelines(step)
    number = next(first + i for i, line in enumerate(lines) if mark in line)
    return f"{step.__code__.co_filename}:{number}"


def reads_item(x):
    return x * x.sum().item()


def reads_float(x):
    return x * float(x.sum())


def branches(x):
    return x if x.sum() > 0 else -x


def masks(x):
    return x[x > 0]


def prints(x):
    print(x)
    return x


def formats(x):
    return f"{x.sum():.2f}"


def leaves_for_numpy(x):
    return x * np.asarray(x.detach())


def makes_a_tensor(x):
    return x * tg.tensor(X)


def makes_a_tensor_of_a_list(x):
    return x * tg.tensor([1.0, 2.0, 3.0])


def shares_an_array(x):
    return x * tg.from_numpy(X)


def combines_with_an_array(x):
    return x * X


def indexes_with_an_array(x):
    return x[np.array([0, 1])]


def takes_with_an_array(x):
    return x.take(np.array([0, 1]), 0)


def moves_a_module(x):
    return nn.Linear(3, 2).to("float64")(x.cast("float64"))


def counts_classes(x):
    return F.one_hot(x.cast("int64"))


@pytest.mark.parametrize(
    ("step", "mark", "said"),
    [
        (reads_item, "item()", "reads a tensor of shape () with item()"),
        (reads_float, "* float(", "with float()"),
        (branches, "if x.sum()", "with if, and, or, not or bool()"),
        (masks, "x[x > 0]", "a boolean mask"),
        (prints, "print(x)", "reads a tensor of shape (3,) with print()"),
        (formats, ":.2f", "with a format"),
        (leaves_for_numpy, "asarray", "with NumPy"),
        (makes_a_tensor, "tg.tensor(X)", "makes a tensor from data"),
        (makes_a_tensor_of_a_list, "[1.0", "makes a tensor from data"),
        (shares_an_array, "from_numpy", "makes a tensor from data"),
        (combines_with_an_array, "x * X", "makes a tensor from data"),
        (indexes_with_an_array, "np.array", "uses an index that is of type ndarray"),
        (takes_with_an_array, "np.array", "uses an index that is of type ndarray"),
        (moves_a_module, 'to("float64")', "moves a parameter"),
        (counts_classes, "one_hot", "with one_hot()"),
    ],
)
def test_what_a_replay_could_not_follow_is_an_error_that_names_the_line(step, mark, said):
    x = tg.tensor([1.0, 2.0, 3.0])
    step(x)  # fine by itself
    with pytest.raises(TapeError, match=re.escape(said)) as error:
        tape.record(step, x)
    assert line_of(step, mark) in str(error.value)


def test_an_error_that_the_step_catches_is_raised_all_the_same():
    def step(x):
        try:
            return x * x.sum().item()
        except TapeError:
            return x

    with pytest.raises(TapeError, match="reads a tensor"):
        tape.record(step, tg.ones(3))


def test_errors_of_the_step_itself_come_through_and_leave_nothing_behind():
    with pytest.raises(ZeroDivisionError):
        tape.record(lambda x: 1 / 0, tg.ones(1))
    assert not modes.recorders


def test_what_is_made_of_numbers_of_the_program_is_a_constant():
    def step(x):
        grid = tg.arange(3.0) + tg.linspace(0, 1, 3) + tg.full((3,), 2.0) + tg.zeros(3) + tg.ones(3)
        return x * 0.5 + grid + tg.eye(3).sum(0) + tg.tensor(1.0) + x[[0, 1, 2]] + tg.ones_like(x).tril().sum(0)

    with pytest.raises(tg.errors.ShapeError):
        tape.record(step, tg.ones(3))  # tril needs two axes: an error of the step, as it is

    def good(x):
        grid = tg.arange(3.0) + tg.linspace(0, 1, 3) + tg.full((3,), 2.0) + tg.zeros(3) + tg.ones(3)
        return x * 0.5 + grid + tg.eye(3).sum(0) + tg.tensor(1.0) + x[[0, 1, 2]] + tg.ones(3, 3).tril().sum(0)

    t = tape.record(good, tg.ones(3))
    x = tg.tensor([1.0, -2.0, 3.0])
    assert t.replay(x).tolist() == good(x).tolist()
    assert 0.5 in t._contents.constants.values()


def test_every_value_has_a_number_of_its_own_whatever_the_mode():
    def step(x):
        with tg.no_grad():
            a = x * 2.0
            b = a.detach()
        return a + b + x.detach()

    t = tape.record(step, tg.ones(2, requires_grad=True))
    outputs = [number for _, _, makes, _, _ in t._contents.instructions for number in makes]
    assert len(outputs) == len(set(outputs))
    assert names(t) == ["mul", "detach", "add", "detach", "add"]


def test_a_random_draw_reads_and_advances_the_generator():
    default_generator._state = None  # as in a fresh process: it is made in the step, and is state all the same
    tg.manual_seed(3)
    t = tape.record(lambda x: x + tg.rand(3), tg.zeros(3))
    drawn = [t.result, *(t.replay(tg.zeros(3)) for _ in range(3))]
    tg.manual_seed(3)
    assert [x.tolist() for x in drawn] == [tg.rand(3).tolist() for _ in range(4)]
    assert "random.counter" in t.state


def test_a_generator_first_used_inside_a_step_is_state():
    generator = tg.Generator(5)
    t = tape.record(lambda x: x + tg.rand(3, generator=generator), tg.zeros(3))
    drawn = [t.result.tolist(), t.replay(tg.zeros(3)).tolist()]
    again = tg.Generator(5)
    assert drawn == [tg.rand(3, generator=again).tolist() for _ in range(2)]


def test_parts_of_a_training_step_have_their_scopes():
    model = nn.Linear(2, 1)
    adam = optim.Adam(model.parameters())

    def step(x):
        adam.zero_grad()
        model.zero_grad()
        with tg.scope("loss"):
            loss = model(x).sum()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optim.clip_grad_value_(model.parameters(), 1.0)
        adam.step()

    t = tape.record(step, tg.ones(3, 2))
    scopes = [scope for *_, scope in t._contents.instructions]
    order = list(dict.fromkeys(scope[0][0] if scope else "" for scope in scopes))
    assert order == ["zero_grad", "loss", "grad", "clipping", "optimizer"]
    backward = {scope for scope in scopes if scope[:1] == (("grad", None),)}
    assert (("grad", None), ("loss", None)) in backward


def test_a_recorded_backward_pass_multiplies_as_often_as_the_step_does():
    x, w = tg.ones(50, 2, 3), tg.ones(3, 3, requires_grad=True)

    def step(x):
        h = tg.zeros(2, 3)
        for t in range(50):
            h = (x[t] + h @ w).tanh()
        h.sum().backward()

    assert names(tape.record(step, x)).count("matmul") == 50 + 49 + 1, "one product for the weight, not fifty"


def test_ids_are_checked_in_the_replay():
    table = tg.ones(3, 2)
    for step in (lambda i: F.embedding(i, table), lambda i: table[i], lambda i: F.one_hot(i, 3)):
        t = tape.record(step, tg.tensor([0, 2]))
        assert "check" in names(t)
        with pytest.raises(IndexRangeError, match="3"):
            t.replay(tg.tensor([0, 3]))


# ---- what would go stale --------------------------------------------------------------------------------------------


def test_a_variable_that_carries_a_tensor_from_step_to_step_is_an_error():
    h = tg.zeros(2)

    def step(x):
        nonlocal h
        h = (h + x).tanh()
        return h

    with pytest.raises(
        TapeError,
        match=r"the variable h was a tensor of shape \(2,\) before the step and is another after it.*h\.assign_",
    ):
        tape.record(step, tg.ones(2))


def test_a_module_that_carries_a_tensor_from_step_to_step_is_an_error():
    class Stateful(nn.Module):
        def __init__(self):
            self.cell, self.h = nn.RNNCell(2, 2), tg.zeros(2)

        def forward(self, x):
            self.h = self.cell(x, self.h).detach()
            return self.h

    with pytest.raises(TapeError, match=r"Stateful\.h was a tensor of shape \(2,\) before the step and is another"):
        tape.record(Stateful(), tg.ones(2))


def test_a_method_whose_object_carries_a_tensor_is_an_error():
    class Loop:
        def __init__(self):
            self.h = tg.zeros(2)

        def step(self, x):
            self.h = self.h + x
            return self.h

    with pytest.raises(TapeError, match=r"Loop\.h was a tensor .* and is another"):
        tape.record(Loop().step, tg.ones(2))


def keeps_in_an_attribute(x, place):
    place.state = x * 2.0


def keeps_in_a_tuple(x, place):
    place.state = (x * 2.0, x)


def keeps_in_a_list(x, place):
    place.list.append(x * 2.0)


def keeps_in_a_dict(x, place):
    place.dict["h"] = (x * 2.0).tanh()


def keeps_a_leaf(x, place):
    place.state = tg.zeros(3)


def keeps_what_lies_behind(x, place):
    place.state = (x * 2.0).sum()


@pytest.mark.parametrize(
    ("keep", "what", "who"),
    [
        (keeps_in_an_attribute, "mul", ", by Place.state"),
        (keeps_in_a_tuple, "mul", ""),
        (keeps_in_a_list, "mul", ", in a list"),
        (keeps_in_a_dict, "tanh", ", under 'h'"),
        (keeps_a_leaf, "full", ", by Place.state"),
        (keeps_what_lies_behind, "sum", ", by Place.state"),
    ],
)
@pytest.mark.parametrize("learns", [False, True])
def test_a_tensor_that_is_kept_anywhere_else_than_in_the_result_is_an_error(keep, what, who, learns):
    class Place:
        list, dict = [], {}

    place = Place()

    def step(x):
        keep(x, place)
        return x

    with pytest.raises(TapeError, match=rf"a tensor that the step made, {what}.* is still held after the step{who}"):
        tape.record(step, tg.ones(3, requires_grad=learns))


def test_a_tensor_that_is_returned_and_kept_as_well_is_an_error():
    class Trainer:
        def __init__(self):
            self.h = tg.zeros(2)

        def step(self, x):
            self.h = (self.h + x).tanh()
            return self.h

    trainer, h, kept = Trainer(), tg.zeros(2), [None] * 100

    def helper(x):
        nonlocal h
        h = h + x
        return h

    def cached(x, cache={}):  # noqa: B006  (what is shown)
        cache["h"] = cache.get("h", tg.zeros(2)) + x
        return cache["h"]

    def keeps(x):
        kept.append(x * 2.0)
        return {"a": (kept[-1], None)}

    for step, holder in (
        (lambda x: trainer.step(x), r"by Trainer\.h"),  # noqa: PLW0108  (a bound method has its object)
        (lambda x: helper(x), "in a variable of a function"),  # noqa: PLW0108  (a helper, not the step)
        (cached, "under 'h'"),
        (keeps, "in a list"),
    ):
        with pytest.raises(TapeError, match=f"is still held after the step, {holder}"):
            tape.record(step, tg.ones(2))


def test_a_tensor_may_be_returned_twice_and_be_a_gradient():
    w = tg.ones(2, requires_grad=True)

    def step(x):
        w.grad = None
        hidden = (w * x).retain_grad()
        hidden.sum().backward()
        return w.grad, hidden.grad, [w.grad, hidden], hidden

    t = tape.record(step, tg.ones(2))
    assert t.replay(tg.full((2,), 3.0))[0].tolist() == [3.0, 3.0]


def test_what_a_circle_holds_and_what_a_replay_leaves_too_is_no_error():
    w = tg.ones(3, requires_grad=True)

    def step(x):
        y = (w * x).tanh()
        y.register_hook(lambda g: g * y.detach())  # y holds the hook, and the hook y
        z = (w * x).retain_grad()
        y.sum().backward()
        z.sum().backward(create_graph=True)
        return z

    w.grad = tg.zeros(3)
    tape.record(step, tg.ones(3)).replay(tg.ones(3))


def test_numbers_that_the_step_changes_are_an_error():
    count = 0

    def step(x):
        nonlocal count
        count += 1
        return x * count

    with pytest.raises(TapeError, match="the variable count was 0 before the step and is 1 after it"):
        tape.record(step, tg.ones(1))


def test_variables_that_change_between_replays_are_an_error():
    scale, batch, numbers = 2.0, tg.ones(2), [1, 2]
    w = tg.ones(2, requires_grad=True)
    sgd = optim.SGD([w], 0.1)

    def step(x):
        sgd.zero_grad()
        (w * x * batch).sum().backward()
        sgd.step()
        return w * scale * numbers[0]

    t = tape.record(step, tg.full((2,), 3.0))
    t.replay(tg.full((2,), 4.0))
    scale = 3.0
    with pytest.raises(TapeError, match=r"the variable scale was 2\.0 and is now 3\.0; record the step once more"):
        t.replay(tg.ones(2))
    scale, batch = 2.0, tg.ones(2)
    with pytest.raises(TapeError, match=r"the variable batch was a tensor of shape \(2,\) and is now another"):
        t.replay(tg.ones(2))
    t = tape.record(step, tg.ones(2))
    numbers[0] = 5
    with pytest.raises(TapeError, match=r"the variable numbers was \(1, 2\) and is now \(5, 2\)"):
        t.replay(tg.ones(2))
    t = tape.record(step, tg.ones(2))
    sgd = optim.SGD([w], 0.1)
    with pytest.raises(TapeError, match="the variable sgd was a SGD and is now something else"):
        t.replay(tg.ones(2))


def test_an_input_that_the_step_reads_from_outside_as_well_is_an_error():
    w = tg.ones(2)
    with pytest.raises(TapeError, match=r"one of the inputs is the variable w, too.*x\.copy\(\)"):
        tape.record(lambda x: x * w, w)
    layer = nn.Linear(2, 2)
    with pytest.raises(TapeError, match=r"one of the inputs is Linear\.bias"):
        tape.record(lambda x: layer(x), layer.bias)  # noqa: PLW0108  (a module by itself is no variable)


def test_results_from_before_that_require_grad_are_an_error():
    w = tg.ones(2, requires_grad=True)
    doubled = w * 2.0
    with pytest.raises(TapeError, match="reads the result of mul, which was computed before it"):
        tape.record(lambda x: x * doubled, tg.ones(2))
    with pytest.raises(TapeError, match=r"an input is the result of mul and requires grad.*detach\(\)"):
        tape.record(lambda x: x * 2.0, doubled)
    assert tape.record(lambda x: x * doubled.detach(), tg.ones(2)).replay(tg.ones(2)).tolist() == [2.0, 2.0]


def test_one_tensor_for_two_inputs_is_an_error():
    x = tg.ones(2)
    with pytest.raises(TapeError, match=r"comes twice among the inputs; pass x.copy\(\)"):
        tape.record(lambda a, b: a * b, x, x)


def test_what_is_no_step_and_what_is_no_input_or_result_is_named():
    with pytest.raises(DTypeError, match="pass the function that is one step"):
        tape.record(tg.ones(2))
    with pytest.raises(DTypeError, match=r"record: inputs\[0\] is a NumPy ndarray: .*; pass tg.tensor\(array\)"):
        tape.record(lambda x: x, X)
    with pytest.raises(DTypeError, match=r"record: the result\[1\] is of type object"):
        tape.record(lambda x: (x, object()), tg.ones(1))


def test_steps_of_all_kinds_can_be_recorded():
    layer = nn.Linear(2, 2)
    x = tg.ones(2)
    for step in (
        layer,
        functools.partial(F.linear, weight=layer.weight),
        tg.no_grad(layer),
        layer.forward,
    ):
        assert tape.record(step, x).replay(x).tolist() == step(x).tolist()


def test_plain_values_and_structures_pass_through():
    def step(x, options):
        return {"a": [x * options["factor"], None], "b": (options["name"], True)}

    t = tape.record(step, tg.ones(1), {"factor": 3.0, "name": "n"})
    assert str(t.replay(tg.ones(1), {"factor": 3.0, "name": "n"})) == str(t.result)
    with pytest.raises(InputError, match=r"inputs\[1\]\['factor'\] was 3.0"):
        t.replay(tg.ones(1), {"factor": 2.0, "name": "n"})
    with pytest.raises(InputError, match="must have the keys"):
        t.replay(tg.ones(1), {"factor": 3.0, "label": "n"})
