"""Random numbers: Philox4x32-10 against its published vectors, streams, moments, reproducibility."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.backends import cpu, reference
from tinygrad_rnn.errors import StateError


def words(seed, counter):
    return [f"{word:08x}" for word in reference.philox(seed, counter, 1)[0]]


def test_the_published_known_answer_of_philox():
    # Random123, tests/kat_vectors: philox4x32 10, counter 0, key 0.
    assert words(0, 0) == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


def philox_in_plain_python(counter, key):
    """The algorithm of Salmon et al. 2011 (section 3.3) in Python's integers, for all 128 + 64 bits."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def test_the_plain_algorithm_agrees_with_the_other_published_vectors():
    ones = 0xFFFFFFFF
    assert philox_in_plain_python([ones] * 4, [ones] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    pi_counter, pi_key = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]
    assert philox_in_plain_python(pi_counter, pi_key) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 0x299F31D0A4093822, 2**63 - 1])
@pytest.mark.parametrize("counter", [0, 5, 2**32 - 1, 2**32 + 7, 2**63 - 2])
def test_seed_and_counter_are_both_64_bits(seed, counter):
    found = reference.philox(seed, counter, 3)
    for i in range(3):
        at = counter + i
        expected = philox_in_plain_python([at & 0xFFFFFFFF, at >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])
        assert found[i].tolist() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_numbers_come_from_the_top_bits_of_the_words(dtype):
    a, b, c, d = (int(word, 16) for word in words(7, 0))
    found = tg.rand(2, dtype=dtype, generator=tg.Generator(7)).tolist()
    if dtype == "float32":
        assert found == [(a >> 8) / 2**24, (c >> 8) / 2**24]
    else:
        assert found == [((a << 32 | b) >> 11) / 2**53, ((c << 32 | d) >> 11) / 2**53]


def test_normal_numbers_come_from_box_and_muller():
    a, b, *_ = (int(word, 16) for word in words(7, 0))
    expected = np.sqrt(-2 * np.log((a + 1) / 2**32)) * np.cos(2 * np.pi * b / 2**32)
    assert tg.randn(1, dtype="float64", generator=tg.Generator(7)).item() == pytest.approx(expected, rel=1e-12)


def test_the_largest_word_is_still_below_one():
    assert np.float32((2**32 - 1) >> 8) * np.float32(2.0**-24) < 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_and_bounds(dtype):
    generator = tg.Generator(3)
    uniform = tg.rand(200_000, dtype=dtype, generator=generator).numpy().astype("float64")
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.mean() == pytest.approx(1 / 2, abs=5e-3)
    assert uniform.var() == pytest.approx(1 / 12, abs=1e-3)
    counts = np.histogram(uniform, 20, (0, 1))[0]
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 45  # chi-square, 19 degrees of freedom: 1 in 1000 is 43.8
    normal = tg.randn(200_000, dtype=dtype, generator=generator).numpy().astype("float64")
    assert np.isfinite(normal).all()
    assert normal.mean() == pytest.approx(0, abs=0.01)
    assert normal.std() == pytest.approx(1, abs=0.01)
    assert (normal**3).mean() == pytest.approx(0, abs=0.05)
    assert (normal**4).mean() == pytest.approx(3, abs=0.1)
    assert abs(np.corrcoef(normal[::2], normal[1::2])[0, 1]) < 0.01
    assert abs(np.corrcoef(uniform[::2], uniform[1::2])[0, 1]) < 0.01


def test_streams_of_different_seeds_are_unrelated():
    drawn = [tg.randn(20_000, generator=tg.Generator(seed)).numpy() for seed in (0, 1, 2**32, -1)]
    for i, a in enumerate(drawn):
        for b in drawn[i + 1 :]:
            assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
            assert not np.isin(a[:100], b).any()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2), (0,)])
def test_draws_do_not_overlap(shape):
    generator = tg.Generator(5)
    first, second = (
        tg.rand(shape, dtype="float64", generator=generator),
        tg.rand(64, dtype="float64", generator=generator),
    )
    assert not np.isin(first.numpy(), second.numpy()).any()
    assert generator.counter.item() == (first.size + 1) // 2 + 32


def test_manual_seed_starts_the_stream_again():
    tg.manual_seed(11)
    first = [tg.rand(3).tolist(), tg.randn(2, 2).tolist()]
    assert first != [tg.rand(3).tolist(), tg.randn(2, 2).tolist()]
    tg.manual_seed(11)
    assert [tg.rand(3).tolist(), tg.randn(2, 2).tolist()] == first
    tg.manual_seed(12)
    assert tg.rand(3).tolist() != first[0]


@pytest.mark.parametrize("seed", [0, 3, -1, -5, 2**63, 2**64 + 3])
def test_a_new_generator_and_a_reseeded_one_agree_for_any_int(seed):
    reseeded = tg.Generator()
    tg.rand(5, generator=reseeded)
    reseeded.manual_seed(seed)
    assert tg.rand(4, generator=tg.Generator(seed)).tolist() == tg.rand(4, generator=reseeded).tolist()


def test_a_generator_of_ones_own_leaves_the_default_alone():
    tg.manual_seed(1)
    expected = tg.rand(2).tolist()
    tg.manual_seed(1)
    tg.rand(7, generator=tg.Generator(1))
    assert tg.rand(2).tolist() == expected


def test_a_draw_is_a_function_of_seed_and_counter_whatever_the_shape():
    flat = tg.rand(12, generator=tg.Generator(9)).numpy()
    np.testing.assert_array_equal(tg.rand(3, 4, generator=tg.Generator(9)).numpy(), flat.reshape(3, 4))
    np.testing.assert_array_equal(tg.rand(5, generator=tg.Generator(9)).numpy(), flat[:5])


def test_random_leaves_can_require_grad_and_have_no_history():
    x = tg.randn(3, requires_grad=True)
    assert x.is_leaf
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (1001,), (0, 2)])
def test_both_backends_draw_the_same_numbers(kind, dtype, shape):
    seed, counter = np.array(2**40 + 3), np.array(2**33 + 1)
    ours = cpu.random(kind, seed, counter, shape, np.dtype(dtype))
    oracle = reference.random(kind, seed, counter, shape, np.dtype(dtype))
    assert ours.shape == oracle.shape == shape
    assert ours.dtype == oracle.dtype == dtype
    if kind == "uniform":
        np.testing.assert_array_equal(ours, oracle)
    else:
        np.testing.assert_allclose(ours, oracle, rtol=1e-6 if dtype == "float32" else 1e-13, atol=1e-15)


def test_a_generator_goes_back_to_a_state_it_gave():
    generator = tg.Generator(5)
    tg.rand(3, generator=generator)
    state = generator.state_dict()
    first = tg.rand(4, generator=generator).tolist()
    assert {name: value.item() for name, value in state.items()} == {"seed": 5, "counter": 2}  # a copy
    generator.load_state_dict(state)
    assert tg.rand(4, generator=generator).tolist() == first
    other = tg.Generator(1)
    other.load_state_dict({"seed": np.int64(5), "counter": 2})
    assert tg.rand(4, generator=other).tolist() == first


@pytest.mark.parametrize(
    "state",
    [
        None, [("seed", 1), ("counter", 0)], {}, {"seed": 1}, {"seed": 1, "counter": 0, "more": 0},
        {"seed": 1, "counter": -1}, {"seed": 1, "counter": 1.0}, {"seed": 1, "counter": True},
        {"seed": 1, "counter": np.nan}, {"seed": 1, "counter": "2"}, {"seed": 1, "counter": None},
        {"seed": 1, "counter": 2**63}, {"seed": 1, "counter": [1, 2]}, {"seed": 1, "counter": np.array([1, 2])},
        {"seed": 1, "counter": np.array(True)},
    ],
)  # fmt: skip
def test_what_is_no_state_of_a_generator_is_refused_and_changes_nothing(state):
    generator = tg.Generator(9)
    tg.rand(3, generator=generator)
    with pytest.raises(StateError, match="Generator"):
        generator.load_state_dict(state)
    assert (generator.seed.item(), generator.counter.item()) == (9, 2)
