"""Text: where it comes from, characters as numbers, windows with the next character as the target."""

import hashlib
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.tasks import TextTask, Vocabulary, default_corpus, read_corpus
from tinygrad_rnn.tasks.vocabulary import REPLACEMENT


def test_a_target_is_the_character_after_its_input():
    task = TextTask("the quick brown fox jumps over the lazy dog", steps=7)
    inputs, targets = task.batch(5, seed=3, dtype="float64")
    assert inputs.shape == (7, 5, task.input_size)
    assert inputs.dtype == np.float64
    assert (inputs.sum(axis=-1) == 1).all()
    read = inputs.argmax(axis=-1)
    assert (read[1:] == targets[:-1]).all()
    for example in range(5):
        window = task.vocabulary.decode([*read[:, example], targets[-1, example]])
        assert window in "the quick brown fox jumps over the lazy dog"


def test_windows_reach_both_ends_of_the_text():
    task = TextTask("abcdefgh", steps=3)
    inputs, targets = task.batch(300, seed=0)
    assert {0, 4} <= set(inputs[0].argmax(axis=-1))
    assert targets[-1].max() == 7


def test_a_batch_is_a_function_of_its_seed():
    task = TextTask("abcdefghijklmnopqrstuvwxyz" * 4, steps=5)
    first, again, other = (task.batch(8, seed).inputs for seed in ((1, 0, 7), (1, 0, 7), (1, 0, 8)))
    assert (first == again).all()
    assert (first != other).any()


def test_a_text_of_exactly_steps_plus_one_characters_is_enough():
    _, targets = TextTask("abcd", steps=3).batch(2, seed=0)
    assert targets[:, 0].tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="4 characters; 4 steps need at least 5"):
        TextTask("abcd", steps=4)


def test_what_is_held_out_begins_where_what_is_learned_ends():
    text = "".join(chr(0x4E00 + place) for place in range(400))  # no character twice
    learned, held_out = TextTask(text, steps=7).held_out()
    assert learned.text + held_out.text == text
    assert len(held_out.text) == 40
    read, said = (task.batch(500, seed=0).inputs.any(axis=(0, 1)) for task in (learned, held_out))
    assert not (read & said).any()


def test_losses_are_cross_entropies_in_nats():
    task = TextTask("abca" * 3, steps=2)
    outputs = np.random.default_rng(0).normal(size=(2, 4, 3))
    batch = task.batch(4, seed=0)
    expected = np.log(np.exp(outputs).sum(-1)) - np.take_along_axis(outputs, batch.targets[..., None], -1)[..., 0]
    np.testing.assert_allclose(task.loss(tg.tensor(outputs), batch).item(), expected.mean(), rtol=1e-12)
    last = task.last_losses(tg.tensor(outputs[-1]), batch).numpy()
    np.testing.assert_allclose(last, expected[-1], rtol=1e-12)


def test_a_vocabulary_encodes_and_decodes():
    vocabulary = Vocabulary.of("déjà vu\n")
    assert vocabulary.decode(vocabulary.encode("vu déjà")) == "vu déjà"
    with pytest.raises(InputError, match="without 'X', '€'"):
        vocabulary.encode("X€")
    with pytest.raises(InputError):
        Vocabulary("aa")


def test_a_text_with_too_many_characters_keeps_the_frequent_ones():
    text = "".join(chr(0x4E00 + i) * (i + 1) for i in range(20))
    vocabulary = Vocabulary.of(text, largest=8)
    assert len(vocabulary) == 8
    assert chr(0x4E00 + 19) in vocabulary.characters
    assert vocabulary.decode(vocabulary.encode(chr(0x4E00) + chr(0x4E00 + 19))) == REPLACEMENT + chr(0x4E00 + 19)


def test_the_default_text_is_the_same_with_every_python_and_on_every_machine():
    found = default_corpus()
    assert "tinygrad_rnn.tasks.grammar" in found.source
    assert found.sha256 == "8a061d2cc5c5c09f95ef12f8b5e555c4f2a499c7de640dcca39833245a1b6675"
    assert found.sha256 == hashlib.sha256(found.text.encode("utf-8")).hexdigest()
    assert found.text.isascii()


def test_the_sentences_of_the_default_text_close_what_they_open_and_hardly_repeat():
    text = default_corpus().text
    sentences = re.findall(r"[^.!?]+[.!?]", text)
    assert all(said.count('"') % 2 == 0 and said.count("(") == said.count(")") for said in sentences)
    assert len(set(sentences)) > 0.95 * len(sentences)


def test_a_verb_of_the_default_text_agrees_with_its_subject():
    text = default_corpus().text
    of_three = re.findall(r"^\W*The (\w+) (\w+)[.!?]$", text, re.MULTILINE)
    plural = [noun.endswith("s") or noun == "wolves" for noun, _ in of_three]
    assert 20 < sum(plural) < len(plural) - 20
    assert [verb.endswith("s") for _, verb in of_three] == [not many for many in plural]


def test_a_file_is_read_as_utf8_with_one_kind_of_line_end(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffça va\r\nbien\n".encode())
    assert read_corpus(path).text == "ça va\nbien\n"
    assert read_corpus(path).source == str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        ("\ufeff".encode(), "is empty"),
        ("\u3000 \u00a0\n".encode(), "is empty"),
        (b"caf\xe9", "not UTF-8 text .byte 3 is 0xe9"),
        (b"a\0b", "binary"),
        (bytes(100), "binary"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_corpus(path)


CHINESE = "今天天气很好。我们一起去公园散步。孩子们在草地上玩耍。老人坐在长椅上聊天。\n"
TAIWANESE = "今天天氣很好。我們一起去公園散步。孩子們在草地上玩耍。老人坐在長椅上聊天。\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
KOREAN = "오늘은 날씨가 매우 좋아서 우리는 함께 공원에 산책하러 갔다.\n"
RUSSIAN = "Сегодня хорошая погода, и мы вместе пошли гулять в парк. Дети играли на траве.\n"
FRENCH = "Les élèves étaient très heureux d'être arrivés à l'école. Ça va bien, à bientôt.\n"
GERMAN = "Die Bäume blühen, die Straße ist naß; „schön“ sagte er – und ging über die Brücke.\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gbk", CHINESE), ("gb18030", CHINESE), ("big5", TAIWANESE), ("shift_jis", JAPANESE), ("euc_jp", JAPANESE),
        ("euc_kr", KOREAN), ("koi8_r", RUSSIAN), ("cp1251", RUSSIAN), ("latin1", FRENCH), ("cp1252", GERMAN),
        ("utf-16-le", CHINESE), ("utf-16-be", CHINESE), ("utf-16", JAPANESE), ("utf-16-le", FRENCH),
        ("utf-16-be", GERMAN), ("utf-32", FRENCH), ("utf-32-le", FRENCH), ("utf-32-be", CHINESE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("times", [3, 40])
def test_a_text_in_another_encoding_is_refused_with_a_command_that_converts_it(tmp_path, encoding, text, times):
    if encoding not in ("latin1", "cp1252"):
        pytest.importorskip("charset_normalizer", reason="charset-normalizer is not installed")
    path = tmp_path / "it's a text.txt"
    path.write_bytes((text * times).encode(encoding))
    with pytest.raises(InputError, match=r"save it as UTF-8, or convert it: iconv -f ") as raised:
        read_corpus(path)
    message = str(raised.value)
    assert repr(text[:30].strip())[1:-1] in message.replace("\\'", "'")
    if shutil.which("iconv") is None:
        pytest.skip("iconv is not installed")
    subprocess.run(message.partition("convert it: ")[2], shell=True, check=True, cwd=tmp_path)
    assert read_corpus(tmp_path / "converted.txt").text == text * times


def test_bytes_that_read_like_no_language_are_refused(tmp_path):
    path = tmp_path / "junk"
    path.write_bytes(bytes(np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8)))
    with pytest.raises(InputError, match=r"is not UTF-8 text .* looks like a binary file"):
        read_corpus(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other devices")
def test_a_device_that_never_ends_is_refused():
    with pytest.raises(InputError, match="/dev/zero is a device"):
        read_corpus("/dev/zero")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_recognised_with_or_without_a_mark(tmp_path, encoding):
    path = tmp_path / "text.txt"
    path.write_bytes("What Notepad's “Unicode” and PowerShell's > write\r\n".encode(encoding))
    with pytest.raises(InputError, match=r"looks like UTF-16 .* save it as UTF-8.* iconv -f utf-16"):
        read_corpus(path)


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_corpus(tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_corpus(tmp_path)
