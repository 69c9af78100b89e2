"""Archives with the same bytes for the same content: zips to hand in or to upload, and this package as a wheel."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

from tinygrad_rnn import __version__
from tinygrad_rnn.errors import InputError

__all__ = ["MADE", "wheel", "zipped"]

_PACKAGE = Path(__file__).parents[1]
#: How files end that Python and Numba make of others.
MADE = (".pyc", ".pyo", ".nbi", ".nbc")


def zipped(files: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """Return files as a zip: sorted, without times, and not compressed, which programs do differently.

    Args:
        files: the contents, by the paths that they get.
        executable: the paths of those that are programs.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def wheel() -> tuple[str, bytes]:
    """Return this package as a wheel, its file name and its bytes: what pip installs where there is no clone of it.

    Raises:
        InputError: the package was never installed, so that nobody knows what it needs.
    """
    try:
        installed = importlib.metadata.distribution("tinygrad-rnn")
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError("this package is not installed, and cannot be packed; first: pip install -e .") from error
    paths = [path for path in _PACKAGE.rglob("*") if path.is_file() and path.suffix not in MADE]
    files = {
        path.relative_to(_PACKAGE.parent).as_posix(): path.read_bytes()
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(_PACKAGE).parts)
    }
    about = f"tinygrad_rnn-{__version__}.dist-info"
    for name in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
        if (text := installed.read_text(name)) is not None:
            files[f"{about}/{name}"] = text.encode()
    tag = "py3-none-any"
    files[f"{about}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tinygrad_rnn\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    )
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in sorted(files.items())]
    files[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""]).encode()
    return f"tinygrad_rnn-{__version__}-{tag}.whl", zipped(files)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
