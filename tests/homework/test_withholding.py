"""The package without what is asked for: it works, and what is left out is not to be had in a student's process."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import sandbox
from tinygrad_rnn.homework.assignment import load_text
from tinygrad_rnn.homework.checks import CheckFailedError, close
from tinygrad_rnn.homework.judging import forbidden
from tinygrad_rnn.homework.remote import Child, StudentError
from tinygrad_rnn.homework.withholding import is_withheld, package_without

WITHOUT = ("tinygrad_rnn.nn.cells", "tinygrad_rnn.nn.recurrent")
ROOT = Path(tinygrad_rnn.__file__).parent
#: What can be done without an import statement.
BUILTINS = "import sys\nB = sys.modules['builtins']\nload = B.__import__('importlib').import_module\n"


@pytest.fixture(scope="module")
def student():
    """Return a function: the module that a text makes, in a process with the package without cells."""
    children = []

    def load(text):
        children.append(Child({"mine.py": text}, ("numpy", "tinygrad_rnn"), 20.0, WITHOUT))
        return children[-1].load("mine.py")

    yield load
    for child in children:
        child.close()


@pytest.mark.process
def test_what_is_left_works(student):
    hw = student(
        "import sys\nimport tinygrad_rnn as tg\nfrom tinygrad_rnn import functional as F, nn, optim\n"
        "from tinygrad_rnn.nn import *\n"
        "def f(x):\n    x = tg.tensor(x, requires_grad=True)\n    layer = nn.Linear(3, 2, dtype='float64')\n"
        "    (layer(x).tanh() ** 2).sum().backward()\n    optim.SGD(layer.parameters(), lr=0.1).step()\n"
        "    return x.grad, [x, layer.weight], Linear is nn.Linear\n"
        "def loaded():\n    return [name for name in sys.modules if name.split('.')[0] in ('tinygrad_rnn', 'numba')]\n"
    )
    x = np.random.default_rng(0).standard_normal((4, 3))
    gradient, both, same = hw.f(x)
    assert same is True
    close(both[0], x)  # a tensor that came back is a stand-in with numbers
    assert gradient.sum().item() == pytest.approx(gradient.numpy().sum())
    loaded = hw.loaded()
    assert "tinygrad_rnn.backends.reference" in loaded
    assert not [name for name in loaded if "numba" in name or "cells" in name or "homework" in name]


@pytest.mark.process
@pytest.mark.parametrize(
    "name",
    [
        "tinygrad_rnn.nn.cells", "tinygrad_rnn.nn.cells.lstm", "tinygrad_rnn.nn.recurrent", "tinygrad_rnn.nn.rnn",
        "tinygrad_rnn.nn.keras", "tinygrad_rnn.train.models.sequence", "tinygrad_rnn.homework",
        "tinygrad_rnn.homework.checks", "tinygrad_rnn.cli", "tinygrad_rnn.tutorial", "tinygrad_rnn.__main__",
    ],
)  # fmt: skip
def test_what_is_left_out_cannot_be_imported(student, name):
    hw = student(BUILTINS)
    with pytest.raises(StudentError, match=r"^(ImportError: .* is done without it|ModuleNotFoundError: .*)$"):
        hw.load(name)
    assert forbidden(f"import {name}", ["tinygrad_rnn"], WITHOUT) == [
        (f"import {name}: this homework is done without it", 1)
    ]


@pytest.mark.process
def test_its_names_are_not_handed_on_and_nothing_else_leads_to_it(student):
    hw = student(
        BUILTINS + "from tinygrad_rnn import nn, train, viz\nimport tinygrad_rnn.functional\n"
        "def classes():\n    found, waiting = [], [object]\n    while waiting:\n        each = waiting.pop()\n"
        "        waiting += [c for c in type.__subclasses__(each) if c not in found]\n        found.append(each)\n"
        "    return [c.__module__ + '.' + c.__name__ for c in found if c.__module__.startswith('tinygrad_rnn')]\n"
    )
    for module, name in (("nn", "LSTM"), ("nn", "GRUCell"), ("nn", "cells"), ("train", "SequenceModel")):
        with pytest.raises(StudentError, match=rf"AttributeError: tinygrad_rnn\.{module}\.{name}: this homework is"):
            getattr(getattr(hw, module), name)
        line = f"import tinygrad_rnn.{module}.{name}: this homework is done without it"
        assert forbidden(f"from tinygrad_rnn.{module} import {name}", ["tinygrad_rnn"], WITHOUT) == [(line, 1)]
    with pytest.raises(StudentError, match=r"AttributeError: .*no attribute 'LSTMM'"):
        hw.nn.LSTMM  # noqa: B018
    classes = hw.classes()
    assert "tinygrad_rnn.nn.layers.Linear" in classes
    assert not [name for name in classes if re.search("Cell|LSTM|GRU|Recurrent|Check", name)]


@pytest.mark.process
def test_neither_source_nor_bytecode_of_it_can_be_read(student):
    hw = student(
        BUILTINS + "import tinygrad_rnn\nos, inspect = load('os'), load('inspect')\n"
        "def texts():\n    found = {}\n    for place in sys.path:\n"
        "        for folder, _, files in os.walk(os.path.join(place, 'tinygrad_rnn')):\n"
        "            for name in files:\n"
        "                with B.open(os.path.join(folder, name), 'rb') as file:\n"
        "                    found[os.path.relpath(os.path.join(folder, name), place)] = file.read().decode()\n"
        "    return found\n"
        "def read(path):\n    with B.open(path, 'rb') as file:\n        return len(file.read())\n"
        "def source(name):\n    return inspect.getsource(load(name))\n"
    )
    texts = hw.texts()
    assert texts == dict(package_without(WITHOUT))
    assert not [name for name in texts if not name.endswith(".py")]
    assert not [name for name, text in texts.items() if re.search(r"class \w*(LSTM|GRU|Cell)|def from_keras", text)]
    assert "class Linear" in hw.source("tinygrad_rnn.nn.layers")
    with pytest.raises(StudentError, match="ImportError"):
        hw.source("tinygrad_rnn.nn.cells.lstm")
    with Child({"mine.py": ""}) as child:
        if not child.files_cut:
            assert "all files of this user" in sandbox.told(child.files_cut)
            return
    for path in (ROOT / "nn" / "cells" / "lstm.py", ROOT / "homework" / "checks.py", ROOT / "nn" / "__init__.py"):
        assert path.is_file()
        with pytest.raises(StudentError, match="PermissionError"):
            hw.read(str(path))


@pytest.mark.process
def test_all_that_is_left_can_be_imported(student):
    hw = student(BUILTINS)
    left = [name for name, text in package_without(WITHOUT).items() if not text.startswith("raise ImportError")]
    assert len(left) > 100
    for path in left:
        if path.startswith("tinygrad_rnn/backends/c"):  # these need Numba
            continue
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        try:
            hw.load(name)
        except StudentError as error:  # a package that students do not have, such as Graphviz
            assert error.kind == "ModuleNotFoundError", f"{name}: {error}"  # noqa: PT017
            assert "tinygrad_rnn" not in error.words  # noqa: PT017


@pytest.mark.process
def test_a_class_that_calls_itself_tensor_is_no_number(student):
    hw = student("class Tensor:\n    def detach(self): return self\n    numpy = detach\ndef f(): return [Tensor()]")
    with pytest.raises(CheckFailedError, match="expected numbers, got"):
        close(hw.f(), [1.0])


def test_modules_that_only_need_what_is_left_out_for_types_stay():
    assert is_withheld("tinygrad_rnn.train.trainer", WITHOUT)
    assert not is_withheld("tinygrad_rnn.engine.graph", WITHOUT)
    assert not is_withheld("tinygrad_rnn.nn.Linear", WITHOUT)
    assert not is_withheld("numpy", WITHOUT)
    assert is_withheld("tinygrad_rnn.homework", ())
    assert not is_withheld("tinygrad_rnn.nn.LSTM", ())


def told(without, imports='["numpy", "tinygrad_rnn"]'):
    text = (Path(__file__).parent / "tiny" / "assignment.toml").read_text()
    return load_text(text.replace('imports = ["math", "numpy"]', f"imports = {imports}\nwithout = {without}"))


def test_an_assignment_says_what_it_is_done_without():
    assert told('["tinygrad_rnn.nn.cells"]').without == ("tinygrad_rnn.nn.cells",)
    for without, imports, said in (
        ('["tinygrad_rnn.nn.cell"]', '["tinygrad_rnn"]', "'tinygrad_rnn.nn.cell', which is no module"),
        ('["tinygrad_rnn"]', '["tinygrad_rnn"]', "'tinygrad_rnn', which is no module"),
        ("[3]", '["tinygrad_rnn"]', "3, which is no module"),
        ('"tinygrad_rnn.nn"', '["tinygrad_rnn"]', "of the wrong kind"),
        ('["tinygrad_rnn.nn"]', '["numpy"]', "not among the imports"),
    ):
        with pytest.raises(InputError, match=said):
            told(without, imports)
    with pytest.raises(InputError, match="no module"):
        package_without(("tinygrad_rnn.nn.cell",))
