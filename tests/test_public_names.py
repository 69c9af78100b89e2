"""What the package shows: the rooms at its door, and in each of them its own names only."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import tinygrad_rnn as tg

ROOMS = {name: name for name in ["flow", "functional", "nn", "optim", "tape", "tasks", "train", "viz"]}
ROOMS["F"] = "functional"

#: Rooms that people import from: of these modules all that is public is in __all__, and TAB shows nothing else.
PUBLIC = ["tinygrad_rnn", "tinygrad_rnn.nn.init", "tinygrad_rnn.serialization"] + [
    f"tinygrad_rnn.{name}" for name in sorted(set(ROOMS.values()))
]

#: Modules that say what is public in them: all but those that only the package itself imports from.
NAMED = [
    f"tinygrad_rnn.{found.name}"
    for found in pkgutil.iter_modules(tg.__path__)
    if found.name not in ("__main__", "backends", "engine")
] + [found.name for found in pkgutil.walk_packages(tg.nn.__path__, "tinygrad_rnn.nn.")]


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_is_an_attribute_of_the_package(name: str) -> None:
    assert getattr(tg, name) is importlib.import_module(f"tinygrad_rnn.{ROOMS[name]}")
    assert name in dir(tg)


def test_rooms_are_imported_when_they_are_first_asked_for() -> None:
    program = f"""
import sys
import tinygrad_rnn as tg
assert set(dir(tg)) > {set(ROOMS)}, dir(tg)
loaded = [name for name in {sorted(set(ROOMS.values()))} if "tinygrad_rnn." + name in sys.modules]
tg.nn.Linear(1, 1), tg.F.relu
try:
    tg.nothing
except AttributeError as error:
    print(loaded, "tinygrad_rnn.viz" in sys.modules, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().startswith("[] False "), done.stdout
    assert "nothing" in done.stdout


@pytest.mark.parametrize("name", NAMED)
def test_all_names_that_exist_once(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for each in module.__all__:
        assert getattr(module, each) is not None or each in vars(module)


@pytest.mark.parametrize("name", NAMED)
def test_all_has_every_function_and_class_of_the_module(name: str) -> None:
    module = importlib.import_module(name)
    own = {
        each
        for each, value in vars(module).items()
        if not each.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }
    assert own <= set(module.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_tab_shows_what_is_meant_to_be_used(name: str) -> None:
    module = importlib.import_module(name)
    shown = [each for each in dir(module) if not each.startswith("_")]
    assert set(shown) >= set(module.__all__)
    for each in shown:
        value = getattr(module, each)
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "tinygrad_rnn")
        assert (home or "tinygrad_rnn").startswith(("tinygrad_rnn", "numpy")), each  # the dtypes are NumPy's
        if isinstance(value, ModuleType):
            assert each in ROOMS or each in ("errors", "init")


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (lambda tg: tg.device, r"a device is a text: tg\.zeros\(2, device='cuda'\)"),
        (lambda tg: tg.nn.functional, "write from tinygrad_rnn import functional as F"),
        (lambda tg: tg.nn.Linaer, "did you mean Linear"),
        (lambda tg: tg.optim.lr_scheduler, r"schedules are in optim itself, optim\.StepLR"),
        (lambda tg: tg.nn.Linear(1, 1).cuda, r'write module\.to\("cuda"\)'),
        (lambda tg: tg.nn.Linear(1, 1).register_buffer, "buffer_names"),
    ],
)
def test_names_that_are_somewhere_else_say_where(reach, said) -> None:
    with pytest.raises(AttributeError, match=said):
        reach(importlib.import_module("tinygrad_rnn"))
