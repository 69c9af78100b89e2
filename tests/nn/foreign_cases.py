"""What onnxruntime and Keras compute, for the tests where these are not installed.

`python -m tests.nn.foreign_cases` writes `reference/onnx.safetensors` and `reference/keras.safetensors` anew. It needs
onnx, onnxruntime, and Keras with any backend; nothing else here does.
"""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tests.nn.onnx_cases import Arrays, Case, random_case

FOLDER = Path(__file__).parent / "reference"

#: What is chosen about random operators; the rest is drawn.
ONNX: dict[str, dict[str, Any]] = {
    "rnn": {"op_type": "RNN", "activations": False, "clip": False, "direction": "bidirectional", "B": True},
    "rnn_clip": {"op_type": "RNN", "activations": False, "clip": True, "direction": "reverse"},
    "gru": {"op_type": "GRU", "activations": False, "clip": False, "linear_before_reset": False, "B": True},
    "gru_linear": {"op_type": "GRU", "activations": False, "clip": False, "linear_before_reset": True, "B": True},
    "gru_lens": {"op_type": "GRU", "activations": True, "clip": True, "sequence_lens": True, "direction": "reverse"},
    "lstm": {"op_type": "LSTM", "activations": False, "clip": False, "input_forget": False, "P": False, "B": True},
    "lstm_peephole": {"op_type": "LSTM", "activations": False, "clip": False, "input_forget": False, "P": True},
    "lstm_coupled": {"op_type": "LSTM", "activations": False, "clip": True, "input_forget": True, "P": True},
    "lstm_lens": {"op_type": "LSTM", "sequence_lens": True, "direction": "bidirectional", "initial_c": True},
    "lstm_activations": {"op_type": "LSTM", "activations": True, "direction": "bidirectional"},
}

#: Layers of Keras and what they are told. The input is (B, T, I).
KERAS: dict[str, tuple[str, dict[str, Any]]] = {
    "simple_rnn": ("SimpleRNN", {}),
    "lstm": ("LSTM", {}),
    "lstm_no_bias": ("LSTM", {"use_bias": False}),
    "gru": ("GRU", {}),
    "gru_no_bias": ("GRU", {"use_bias": False}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
    "lstm_both": ("LSTM", {"bidirectional": True}),
    "gru_both": ("GRU", {"bidirectional": True}),
}
B, T, I, H = 2, 5, 3, 4  # noqa: E741


def onnx_reference(name: str) -> tuple[Case, list[np.ndarray]]:
    """Return an operator, and what onnxruntime computes of it."""
    arrays, facts = _content("onnx")
    op_type, attributes = json.loads(facts[name])
    inputs = {key.rpartition(".")[2]: value for key, value in arrays.items() if key.startswith(f"{name}/in.")}
    return Case(op_type, inputs, attributes), _numbered(arrays, f"{name}/out")


def keras_reference(name: str) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Return the weights of a layer of Keras, x, and the outputs and final states."""
    arrays, _ = _content("keras")
    return _numbered(arrays, f"{name}/weight"), arrays[f"{name}/x"], _numbered(arrays, f"{name}/out")


def _numbered(arrays: Arrays, prefix: str) -> list[np.ndarray]:
    return [arrays[f"{prefix}.{k}"] for k in range(sum(key.startswith(f"{prefix}.") for key in arrays))]


@cache
def _content(file: str) -> tuple[Arrays, dict[str, str]]:
    with safetensors.safe_open(FOLDER / f"{file}.safetensors", framework="numpy") as opened:
        return {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata()  # noqa: SIM118


# ---- making them -----------------------------------------------------------------------------------------------------


def make_onnx() -> tuple[Arrays, dict[str, str]]:
    import onnxruntime

    from tests.peers.test_onnx import by_onnxruntime

    arrays, facts = {}, {"made_with": f"onnxruntime {onnxruntime.__version__}"}
    for name, chosen in ONNX.items():
        case = random_case(np.random.default_rng(zlib.crc32(name.encode())), **chosen)
        facts[name] = json.dumps([case.op_type, case.attributes])
        arrays |= {f"{name}/in.{key}": value for key, value in case.inputs.items()}
        arrays |= {f"{name}/out.{k}": value for k, value in enumerate(by_onnxruntime(case))}
    return arrays, facts


def make_keras() -> tuple[Arrays, dict[str, str]]:
    import keras

    arrays: Arrays = {}
    for name, (kind, told) in KERAS.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        options = dict(told)
        both = options.pop("bidirectional", False)
        layer = getattr(keras.layers, kind)(H, return_sequences=True, return_state=True, **options)
        layer = keras.layers.Bidirectional(layer) if both else layer
        layer.build((B, T, I))
        weights = [rng.normal(size=weight.shape, scale=0.7).astype("float32") for weight in layer.get_weights()]
        layer.set_weights(weights)
        x = rng.normal(size=(B, T, I)).astype("float32")
        arrays[f"{name}/x"] = x
        arrays |= {f"{name}/weight.{k}": value for k, value in enumerate(weights)}
        outputs = [keras.ops.convert_to_numpy(each) for each in layer(x)]
        arrays |= {f"{name}/out.{k}": value for k, value in enumerate(outputs)}
    return arrays, {"made_with": f"Keras {keras.__version__}, {keras.backend.backend()}"}


if __name__ == "__main__":
    for file, (arrays, facts) in {"onnx": make_onnx(), "keras": make_keras()}.items():
        path = FOLDER / f"{file}.safetensors"
        safetensors.numpy.save_file({key: np.array(value, order="C") for key, value in arrays.items()}, path, facts)
        print(f"{path} ({path.stat().st_size:,} bytes)")
