"""Arrays and options in a safetensors file: written whole or not at all, read with suspicion.

A safetensors file is a JSON header and raw numbers; nothing in it is ever run.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

KEY = "lstm_lesson"  # entry of the header's metadata that holds the options, as JSON
DIGEST = "sha256"  # entry that holds a digest of options and arrays: any change shows


def save(path, arrays: dict[str, np.ndarray], options: dict) -> None:
    """Write arrays and JSON-able options to `path`, with a digest of both.

    The file is first written beside its place and then moved there, so that whatever happens there
    is the old file or the new one and never a part.
    """
    path = Path(path)
    arrays = {k: np.asarray(a, a.dtype.newbyteorder("="), order="C") for k, a in arrays.items()}
    text = json.dumps(options, sort_keys=True, allow_nan=False)
    data = to_bytes(arrays, {KEY: text, DIGEST: _digest(arrays, text)})
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """Return the arrays and options of a file that `save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file, is cut short or changed, or has no options of ours in it.
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
    if metadata.get(DIGEST) != _digest(arrays, metadata[KEY]):
        raise ValueError(f"{path}: changed since it was written; its digest differs")
    try:
        options = json.loads(metadata[KEY], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its {KEY!r} entry is no JSON ({error})") from error
    if not isinstance(options, dict):
        raise ValueError(f"{path}: its {KEY!r} entry is no JSON object")
    return arrays, options


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
