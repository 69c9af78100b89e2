"""A tape as text for people, and as JSON for programs."""

import base64
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tape.steps import float_batches, id_batches, numbers_of
from tests.tape.test_replay import B, Double, T, V, training
from tinygrad_rnn import nn, optim, tape
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError


def sgd_step():
    tg.manual_seed(0)
    layer = nn.Linear(2, 1)
    sgd = optim.SGD(layer.parameters(), 0.5, momentum=0.9)

    def step(x):
        sgd.zero_grad()
        with tg.scope("t", 3):
            y = layer(x).tanh().named("h", role="state")
        y.sum().backward()
        optim.clip_grad_value_(layer.parameters(), 0.25)
        sgd.step()
        return y

    return layer, step


LISTING = """\
inputs
  %0   (1, 2)        x
state, read anew at every replay
  %1   (1, 2)        weight, requires grad
  %2   (1,)          bias, requires grad
  %26  float64 (2,)  steps
  %29  float64 ()    lr
  %32  (1, 2)        velocity.weight
  %37  (1,)          velocity.bias
numbers of the program, the same at every replay
  -0.25, 0.25, 1.0, 0.9
settings, checked at every replay
  Linear: training=True, in_features=2, out_features=1
  SGD: momentum=0.9, weight_decay=0.0, nesterov=False
zero_grad
            forget_grad(%1 weight)
            forget_grad(%2 bias)
forward
  %3   t=3  transpose(%1, axes=(1, 0))                (2, 1)
  %4   t=3  matmul(%0, %3)                            (1, 1)
  %5   t=3  add(%4, %2)                               (1, 1)
  %6   t=3  tanh(%5)                                  (1, 1)        h [state]
  %7        sum(%6, axes=(0, 1), keepdims=False)      ()
backward
  %8        full(shape=(), value=1.0, dtype=float32)  ()
  %9        reshape(%8, shape=(1, 1))                 (1, 1)
  %10       broadcast_to(%9, shape=(1, 1))            (1, 1)
  %11  t=3  tanh_grad(%10, %6)                        (1, 1)
  %12  t=3  reshape(%11, shape=(1,))                  (1,)
  %13  t=3  transpose(%0, axes=(1, 0))                (2, 1)
  %14  t=3  matmul(%13, %11)                          (2, 1)
  %15  t=3  transpose(%14, axes=(1, 0))               (1, 2)
            set_grad(%1 weight, %15)
            set_grad(%2 bias, %12)
clipping
  %17       less(%15, const -0.25)                    bool (1, 2)
  %18       where(%17, const -0.25, %15)              (1, 2)
  %20       greater(%18, const 0.25)                  bool (1, 2)
  %21       where(%20, const 0.25, %18)               (1, 2)
            set_grad(%1 weight, %21)
  %22       less(%12, const -0.25)                    bool (1,)
  %23       where(%22, const -0.25, %12)              (1,)
  %24       greater(%23, const 0.25)                  bool (1,)
  %25       where(%24, const 0.25, %23)               (1,)
            set_grad(%2 bias, %25)
optimizer
  %28       add(%26, const 1.0)                       float64 (2,)
            assign_(%26 steps, %28)
  %30       cast(%29, dtype=float32)                  ()
  %33       mul(const 0.9, %32)                       (1, 2)
  %34       add(%33, %21)                             (1, 2)
            assign_(%32 velocity.weight, %34)
  %35       mul(%30, %32)                             (1, 2)
  %36       sub(%1, %35)                              (1, 2)
            assign_(%1 weight, %36)
  %38       mul(const 0.9, %37)                       (1,)
  %39       add(%38, %25)                             (1,)
            assign_(%37 velocity.bias, %39)
  %40       mul(%30, %37)                             (1,)
  %41       sub(%2, %40)                              (1,)
            assign_(%2 bias, %41)
result
  %6   (1, 1)        result"""


def test_a_listing_reads_like_the_step():
    _, step = sgd_step()
    assert tape.record(step, tg.ones(1, 2)).listing() == LISTING


def test_a_listing_shows_indices_checks_and_gradients_that_were_found():
    w = tg.ones(4, 3, requires_grad=True)

    def step(i):
        (w[i][..., 1:2] * w[0:1, None, 1:2] + tg.concat([w] * 9)[0, 0]).sum().backward()

    step(tg.tensor([1]))
    text = tape.record(step, tg.tensor([2])).listing()
    assert "index=[..., 1:2]" in text
    assert "check(%0 i, low=-4, high=4" in text
    assert "gradients found, checked at every replay" in text
    assert "getitem" in text


def world_of_json(make, batches):
    tg.manual_seed(0)
    step, tensors = make()
    return tape.record(step, *batches[0]), tensors


@pytest.mark.parametrize(
    ("make", "batches"),
    [
        (training("lstm", dropout=0.3), id_batches(V, (T, B), count=6)),
        (training("gru", "rmsprop", "value", bidirectional=True), id_batches(V, (T, B), count=6)),
    ],
)
def test_a_tape_read_from_json_goes_on_as_the_one_that_was_written(make, batches):
    t, _ = world_of_json(make, batches)
    again = tape.from_json(t.to_json())
    assert again.result is None
    assert (len(again), list(again.state)) == (len(t), list(t.state))
    for batch in batches[1:]:
        assert numbers_of(again.replay(*batch)) == numbers_of(t.replay(*batch))
    assert numbers_of(again.state) == numbers_of(t.state)
    assert again.to_json() == t.to_json()
    strip = [line for line in t.listing().splitlines() if "settings" not in line]
    assert [line for line in again.listing().splitlines() if "settings" not in line] == strip


def test_gradients_that_the_step_starts_from_are_in_the_text():
    w = tg.ones(2, requires_grad=True)

    def step(x):
        (w * x).sum().backward()
        return w.grad

    step(tg.ones(2))
    t = tape.record(step, tg.ones(2))
    again = tape.from_json(t.to_json())
    assert again.replay(tg.ones(2)).tolist() == t.replay(tg.ones(2)).tolist() == [3.0, 3.0]


def test_numbers_that_json_does_not_have_and_ops_of_ones_own():
    def step(x):
        return tg.apply(Double, x, factor=float("nan")), x.where(x > 0, float("-inf")), x.max(), tg.full((2,), np.inf)

    x = tg.tensor([1.0, -1.0])
    t = tape.record(step, x)
    text = t.to_json()
    assert numbers_of(tape.from_json(text, ops=[Double]).replay(x)) == numbers_of(step(x))
    with pytest.raises(InputError, match=r"the op 'tests.tape.test_replay.Double', .*from_json\(text, ops=\[MyOp\]\)"):
        tape.from_json(text)
    with pytest.raises(DTypeError, match="ops are classes of ops"):
        tape.from_json(text, ops=["Double"])


def test_an_attribute_that_json_cannot_hold_is_named():
    class With(tg.Op):
        @staticmethod
        def forward(backend, x, *, function):
            return function(x)

    t = tape.record(lambda x: tg.apply(With, x, function=np.negative), tg.ones(2))
    with pytest.raises(DTypeError, match="with: the attribute function is a ufunc, which JSON cannot hold"):
        t.to_json()


def test_the_format_can_be_read_without_this_library():
    layer, step = sgd_step()
    data = json.loads(tape.record(step, tg.ones(1, 2)).to_json())
    assert (data["format"], data["version"]) == ("tinygrad_rnn tape", 1)
    weight = next(each for each in data["state"] if data["names"][str(each["value"])][0] == "weight")
    dtype, shape, device = data["kinds"][data["values"][weight["value"]]]
    values = np.frombuffer(base64.b64decode(weight["data"]), "<f4").reshape(data["shapes"][shape])
    assert (dtype, device, weight["requires_grad"]) == ("float32", "cpu", True)
    assert values.tolist() == layer.weight.tolist()
    name, inputs, outputs, attrs, scope = data["instructions"][2]
    assert (name, attrs, data["scopes"][scope]) == ("transpose", {"axes": [1, 0]}, [["t", 3]])
    assert inputs == [weight["value"]]
    assert data["result"] == {"$value": 6}
    assert data["names"]["6"] == ["h", "state"]
    assert outputs == [3]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: "no json", "the text is no JSON"),
        (lambda d: json.dumps({"a": 1}), "the text is no tape"),
        (lambda d: json.dumps([1]), "the text is no tape"),
        (lambda d: json.dumps(d | {"version": 99}), "of version 99, and this library reads 1"),
        (lambda d: json.dumps({k: v for k, v in d.items() if k != "state"}), "the tape is damaged"),
        (lambda d: json.dumps(d | {"values": [99, *d["values"][1:]]}), "the tape is damaged"),
        (lambda d: json.dumps(d | {"values": [-1, *d["values"][1:]]}), "-1 is no position in a table"),
        (lambda d: json.dumps(d | {"instructions": [["what", [], [], {}, 0]]}), "the op 'what'"),
        (lambda d: json.dumps(d | {"instructions": [["neg", [3], [4], {}, 0]]}), "reads a value before it is made"),
        (lambda d: json.dumps(d | {"instructions": [["neg", [0], [0], {}, 0]]}), "that is there already"),
        (lambda d: json.dumps(d | {"instructions": [["neg", [999], [3], {}, 0]]}), "there is no value 999"),
        (lambda d: json.dumps(d | {"instructions": []}), "the result has values that nothing makes"),
        (lambda d: json.dumps(d | {"state": [d["state"][0] | {"data": "AAAA"}]}), "the tape is damaged"),
        (lambda d: json.dumps(d | {"state": [d["state"][0] | {"data": "?"}]}), "the tape is damaged"),
        (lambda d: json.dumps(d | {"state": [*d["state"], d["state"][0]]}), "is given twice"),
        (lambda d: json.dumps(d | {"arguments": {"$who": 1}}), "'\\$who' is unknown"),
    ],
)
def test_a_text_that_is_damaged_says_how(damage, said):
    _, step = sgd_step()
    data = json.loads(tape.record(step, tg.ones(1, 2)).to_json())
    with pytest.raises(InputError, match=said):
        tape.from_json(damage(data))


def test_what_is_no_text_is_refused_and_inputs_are_checked_as_ever():
    with pytest.raises(InputError, match="pass the text that to_json returned, not NoneType"):
        tape.from_json(None)
    again = tape.from_json(tape.record(lambda x: x * 2.0, tg.ones(2)).to_json())
    with pytest.raises(ShapeError, match=r"inputs\[0\]"):
        again.replay(tg.ones(3))


@pytest.mark.process
def test_a_tape_goes_to_another_process_and_to_another_backend():
    (x,) = float_batches((4, 3), count=1)[0]
    tg.manual_seed(0)
    layer = nn.Linear(3, 2)

    def step(x):
        layer.zero_grad()
        (layer(x).tanh() ** 2).sum().backward()
        return layer.weight.grad

    text = tape.record(step, x).to_json()
    code = (
        "import sys, tinygrad_rnn as tg; from tinygrad_rnn import tape; t = tape.from_json(sys.stdin.read());"
        "print(t.replay(tg.arange(12.0).reshape(4, 3) / 10.0).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TINYGRAD_RNN_BACKEND": "reference"},
    )
    wanted = step(tg.arange(12.0).reshape(4, 3) / 10.0).numpy()
    np.testing.assert_allclose(json.loads(run.stdout), wanted, rtol=1e-5)
