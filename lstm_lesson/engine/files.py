"""Arrays and options in a safetensors file: written whole or not at all, read with suspicion.

A safetensors file is a JSON header and raw numbers; nothing in it is ever run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

KEY = "lstm_lesson"  # entry of the header's metadata that holds the options, as JSON
ABOUT = "lstm_lesson_file"  # entry that says, as JSON, the format and the release that wrote it
DIGEST = "sha256"  # entry that holds a digest of options, format and arrays: any change shows
FORMAT = 1  # raised when a file can't be read by an older release; the first edition wrote none


class Kept(NamedTuple):
    """What a file holds, and where it comes from."""

    path: object
    arrays: dict[str, np.ndarray]
    options: dict
    format: int  # 0 for the first edition
    release: str  # of this package, that wrote it


def save(path, arrays: dict[str, np.ndarray], options: dict) -> None:
    """Write arrays and JSON-able options to `path`, whole or not at all, with a digest of both.

    Raises OSError that names `path`, as `write_whole` does.
    """
    from lstm_lesson import __version__

    arrays = {k: np.asarray(a, a.dtype.newbyteorder("="), order="C") for k, a in arrays.items()}
    text = json.dumps(options, sort_keys=True, allow_nan=False)
    about = json.dumps({"format": FORMAT, "release": __version__})
    data = to_bytes(arrays, {KEY: text, ABOUT: about, DIGEST: _digest(arrays, text + about)})
    write_whole(path, data)


@contextlib.contextmanager
def naming(path) -> Iterator[None]:
    """Let an OSError in the block name `path`, which that of a full disk doesn't by itself."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_whole(path, data: bytes) -> None:
    """Write bytes to `path`, so that whatever happens there is the old file or the new one.

    They are first written into a file beside it, which is then moved there. A symbolic link stays
    one, and a file that is replaced keeps its rights. Raises OSError that names `path` if it can't
    be written, or if it is something else than a file: moving onto a device would replace that.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        why = "No such file or directory; there is no folder"
        raise FileNotFoundError(f"{path}: {why} {Path(path).parent}")
    device = os.path.abspath(path).startswith(("/dev/", "/proc/"))  # whatever it leads to
    if device or (target.exists() and not target.is_file()):
        raise OSError(f"{path}: not a regular file")
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")  # short, whatever the name is
    try:
        with naming(path):
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """Return the arrays and options of a file that `save` wrote; raises as `read` does."""
    kept = read(path)
    return kept.arrays, kept.options


def read(path) -> Kept:
    """Return what is in a file that `save` wrote, of this release or an earlier one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file, is cut short or changed, has no options of ours in it, or is
        of a format that only a later release can read.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not Path(path).is_file():
        raise ValueError(f"{path}: not a file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    if KEY not in metadata:
        raise ValueError(f"{path}: has no {KEY!r} entry; not written by this package")
    if metadata.get(DIGEST) != _digest(arrays, metadata[KEY] + metadata.get(ABOUT, "")):
        raise ValueError(f"{path}: changed since it was written; its digest differs")
    about = {"format": 0, "release": "0.1"}
    if ABOUT in metadata:
        about = _object(path, ABOUT, metadata[ABOUT])
    number, release = about.get("format"), str(about.get("release"))
    if type(number) is not int or number < 0:
        raise ValueError(f"{path}: its format is no whole number: {number!r}")
    if number > FORMAT:
        raise ValueError(
            f"{path}: written by lstm_lesson {release} in format {number}, and this release reads "
            f"up to format {FORMAT}; install lstm_lesson {release} or a later one"
        )
    return Kept(path, arrays, _object(path, KEY, metadata[KEY]), number, release)


def complete(kept: Kept, needed: Sequence[str], defaults: dict[str, object]) -> dict[str, object]:
    """Return the options in a file, with the defaults of those that its release didn't have yet.

    What the first edition called ``cell_clip`` is ``clip`` today, where there is such an option.
    Raises ValueError that names the release for an option that isn't known, or is needed and not
    there.
    """
    options = dict(kept.options)
    if not kept.format and "clip" in defaults and "cell_clip" in options:
        options["clip"] = options.pop("cell_clip")
    written = f"{kept.path}: written by lstm_lesson {kept.release}"
    if unknown := sorted(options.keys() - {*needed, *defaults}):
        raise ValueError(f"{written}, has options that this release doesn't know: {unknown}; "
                         f"load it there, or with a later release")  # fmt: skip
    if missing := sorted(set(needed) - options.keys()):
        raise ValueError(f"{written}, lacks the options {missing}")
    return defaults | options


def _object(path, entry: str, text: str) -> dict:
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its {entry!r} entry is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: its {entry!r} entry is no JSON object")
    return found


def _digest(arrays: dict[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, a in sorted(arrays.items()):
        digest.update(repr((name, a.dtype.str, a.shape)).encode())
        digest.update(a.tobytes())
    return digest.hexdigest()


def _no_constant(name: str):
    raise ValueError(f"{name} is no number")


def check_arrays(path, arrays, shapes: dict[str, tuple[int, ...]], dtype) -> None:
    """Raise ValueError unless `arrays` has the names and shapes given, of a dtype or one a name."""
    if different := sorted(set(arrays) ^ set(shapes)):
        raise ValueError(f"{path}: expected arrays {sorted(shapes)}, differ in {different}")
    for name, shape in shapes.items():
        array, kind = arrays[name], dtype[name] if isinstance(dtype, dict) else dtype
        if array.shape != shape or array.dtype != kind:
            raise ValueError(
                f"{path}: {name}: expected shape {shape} of {np.dtype(kind)}, "
                f"got {array.shape} of {array.dtype}"
            )
