"""Strips of digits: what is on them, which of it counts, and that it can be read."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.tasks.digits import images


def test_the_digits_of_a_strip_are_images_side_by_side_and_are_what_is_to_be_written():
    pixels, classes = images()
    known = {image.tobytes(): label for image, label in zip(pixels, classes, strict=True)}
    task = parse_task("strips").make()
    batch = task.batch(60, seed=1, dtype="float64")
    counts = batch.mask.sum(axis=0).astype(int) - 1
    assert set(counts) == {1, 2, 3, 4}
    lefts = []
    for strip, target, count in zip(batch.inputs, batch.targets.T, counts, strict=True):
        found, left = "", 0
        while left <= strip.shape[1] - 8:
            label = known.get(np.ascontiguousarray(strip[:, left : left + 8]).tobytes())
            found += "" if label is None else str(label)
            lefts += [] if label is None else [left]
            left += 1 if label is None else 8
        assert found == task.said(target)
        assert len(found) == count
    assert len(set(lefts)) > 30  # jittered
    np.testing.assert_array_equal(batch.replies[1:].argmax(axis=-1), batch.targets[:-1])
    assert not batch.replies[0].any()


def test_what_lies_behind_the_end_counts_for_nothing():
    task = parse_task("strips:digits=3").make()
    batch = task.batch(20, seed=0, dtype="float64")
    right = 9.0 * np.eye(11)[batch.targets]
    other = np.where(batch.mask[..., None] > 0, right, -right)
    assert (batch.mask == 0).any()
    assert task.loss(tg.tensor(other), batch).item() == task.loss(tg.tensor(right), batch).item()
    assert not task.scores(tg.tensor(other), batch)["wrong"].any()
    assert task.scores(tg.tensor(-right), batch)["wrong"].all()
    flat = np.log(np.exp(right).sum(axis=-1)) - 9.0
    assert task.loss(tg.tensor(right), batch).item() == pytest.approx(flat[batch.mask > 0].mean())


def test_held_out_strips_are_made_of_other_images():
    learned, held_out = parse_task("strips:digits=1").make().held_out()
    shown = [{strip.sum().round(6) for strip in part.batch(400, 0, "float64").inputs} for part in (learned, held_out)]
    sums = [set(part._images.sum(axis=(1, 2)).round(6)) for part in (learned, held_out)]
    assert shown[0] <= sums[0]
    assert shown[1] <= sums[1]
    assert (len(learned._images), len(held_out._images)) == (1437, 360)
    assert not {image.tobytes() for image in learned._images} & {image.tobytes() for image in held_out._images}


@pytest.mark.parametrize(("text", "said"), [("attention=dot", "none of none, soft"), ("digits=0", "no whole")])
def test_what_there_is_not_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        parse_task(f"strips:{text}")
