"""`tinygrad-rnn caption`: let a trained model write what is on a strip of digits, and see where it looks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, cast

import numpy as np
from threadpoolctl import threadpool_limits

from tinygrad_rnn.cli.attention import AttentionFiles
from tinygrad_rnn.cli.learned import learned
from tinygrad_rnn.cli.problem import check_device, say
from tinygrad_rnn.cli.writings import Written, print_or_json
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks.corpus import shown
from tinygrad_rnn.tasks.strips import END, StripsTask
from tinygrad_rnn.train import Captioner, Gaze, beam_search
from tinygrad_rnn.train.loop import SHOWN
from tinygrad_rnn.train.models.captioner import SHRINKS
from tinygrad_rnn.viz.plots.chart import require_matplotlib
from tinygrad_rnn.viz.plots.gaze import alt, gaze, sentences

SCHEMA = "tinygrad_rnn.caption/1"


def run(options: argparse.Namespace) -> int:
    """Print what a model sees on strips; see `tinygrad-rnn caption --help`."""
    check_device(options)
    found = learned(options.model, options.device, StripsTask, "describe strips of digits")
    task, model = found.task, cast(Captioner, found.checkpoint.model)
    names, known, images = _given(options.images, task) if options.images else _fresh(task, options)
    files = AttentionFiles(options, model.kind_of_attention)
    written: list[Written] = []
    looked: list[Gaze] = []
    with threadpool_limits(limits=1, user_api="blas"):
        for name, right, image in zip(names, known, images, strict=True):
            batch = task.encode([image], str(model.dtype))
            beam = beam_search(model, batch, options.beam, task.symbols.index(END))
            written.append(Written.of(name, right, beam, task.said))
            if files and beam[0].weights is not None:
                said = written[-1].answers[0][0]
                looked.append(Gaze.of(batch.inputs[0], said, beam[0].weights[: len(said)], task.input_size // SHRINKS))
    about: dict[str, Any] = {}
    if looked:
        about = {"claims": sentences(looked), "alt": alt(looked)}
    made = files.write(looked, gaze, {"model": options.model, **about})
    print_or_json(SCHEMA, "strip", written, about, made, options)
    return 0


Strips = tuple[Sequence[str], Sequence[str | None], Sequence[np.ndarray]]


def _fresh(task: StripsTask, options: argparse.Namespace) -> Strips:
    """Return strips of the digits that were held out."""
    batch = task.held_out()[1].batch(options.examples, (options.seed, SHOWN))
    known = [task.said(batch.targets[:, example]) for example in range(options.examples)]
    return [f"fresh strip {number}" for number in range(options.examples)], known, list(batch.inputs)


def _given(paths: Sequence[str], task: StripsTask) -> Strips:
    """Return the images in files."""
    images = []
    for path in paths:
        image = _read(path)
        try:
            task.encode([image])
        except InputError as error:
            raise InputError(f"{shown(path)}: {error}") from None
        images.append(image)
    return [shown(path) for path in paths], [None] * len(paths), images


def _read(path: str) -> np.ndarray:
    """Return the numbers of a .npy, or how much ink is at each pixel of a .png, bright on dark or dark on bright."""
    name, ending = shown(path), Path(path).suffix.lower()
    if ending not in (".npy", ".png"):
        raise InputError(f"{name} is no .npy and no .png; save the image as one of them")
    try:
        if ending == ".npy":
            return _npy(path)
        return _ink(_png(path), name)
    except FileNotFoundError:
        raise InputError(f"the image {name} does not exist") from None
    except (OSError, ValueError, SyntaxError, TokenError, MemoryError) as error:  # damaged: what NumPy and Pillow raise
        raise InputError(f"the image {name} cannot be read: {error}") from None


def _npy(path: str) -> np.ndarray:
    with open(path, "rb") as file:  # np.load takes zip files and pickles for images, too
        found = np.lib.format.read_array(file, allow_pickle=False)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"it holds {found.dtype}, no real numbers")
    return found.astype(np.float64)


def _png(path: str) -> np.ndarray:
    require_matplotlib()
    from matplotlib.image import imread  # noqa: PLC0415  (optional, and slow to load)

    return np.asarray(imread(path), dtype=np.float64)


def _ink(pixels: np.ndarray, name: str) -> np.ndarray:
    if pixels.ndim == 3:
        channels = pixels.shape[-1]
        grey = pixels[..., : 3 if channels > 2 else 1].mean(axis=-1)
        pixels = _on_paper(grey, pixels[..., -1]) if channels in (2, 4) else grey
    if np.median(pixels) > 0.5:
        say(f"{name}: its paper is bright, so what is dark on it is taken for ink")
        return 1 - pixels
    return pixels


def _on_paper(grey: np.ndarray, opaque: np.ndarray) -> np.ndarray:
    """Return what is drawn on nothing as it looks on paper: bright paper under dark ink, dark under bright."""
    ink = (grey * opaque).sum() / max(opaque.sum(), 1e-12)
    return grey * opaque + float(ink < 0.5) * (1 - opaque)
