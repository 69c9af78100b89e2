"""The script that makes the reference values needs PyTorch; the tests that compare with them do not."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["make_reference.py"]
