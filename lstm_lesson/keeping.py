"""Arrays and options in a safetensors file: written whole or not at all, read with suspicion.

A safetensors file is a JSON header and raw numbers; nothing in it is ever run.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

KEY = "lstm_lesson"  # entry of the header's metadata that holds the options, as JSON


def save(path, arrays: dict[str, np.ndarray], options: dict) -> None:
    """Write arrays and JSON-able options to `path`.

    The file is first written beside its place and then moved there, so that whatever happens there
    is the old file or the new one and never a part.
    """
    path = Path(path)
    metadata = {KEY: json.dumps(options, sort_keys=True)}
    data = to_bytes({k: np.ascontiguousarray(a) for k, a in arrays.items()}, metadata)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """Return the arrays and options of a file that `save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file, is cut short, or has no options of ours in it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    try:
        options = json.loads(metadata[KEY])
    except KeyError:
        raise ValueError(f"{path}: has no {KEY!r} entry; not written by this package") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its {KEY!r} entry is no JSON ({error})") from error
    if not isinstance(options, dict):
        raise ValueError(f"{path}: its {KEY!r} entry is no JSON object")
    return arrays, options


def check_arrays(path, arrays, shapes: dict[str, tuple[int, ...]], dtype) -> None:
    """Raise ValueError unless `arrays` has the names and shapes given, all of one dtype."""
    if different := sorted(set(arrays) ^ set(shapes)):
        raise ValueError(f"{path}: expected arrays {sorted(shapes)}, differ in {different}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{path}: {name}: expected shape {shape} of {np.dtype(dtype)}, "
                f"got {array.shape} of {array.dtype}"
            )
