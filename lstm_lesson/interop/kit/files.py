"""The kit as files: a JSON file per case, safetensors for large ones, a manifest, one zip.

The folder that `write` makes:

    README.md             how to use it, what a case holds, the equations
    check.c               judges results, without Python
    manifest.json         of each case: id, what it exercises, the bug, its files, their SHA-256
    cases/ID.json         the configuration, "inputs" and "expected": {name: {shape, data}}
    cases/ID.safetensors  inputs and expected of a large case, whose JSON names this file
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from lstm_lesson.engine.files import naming
from lstm_lesson.interop.common import unique
from lstm_lesson.interop.kit import oracle
from lstm_lesson.interop.kit.cases import CASES, Case

HERE = resources.files("lstm_lesson.interop.kit")
BESIDE = ("README.md", "check.c")  # what the folder holds beside the cases
VERSION = 1  # of the kit's format and numbers
MANIFEST = "manifest.json"
KIT, CHECKSUM = HERE / "kit.zip", HERE / "kit.sha256.txt"
_PLACES = {"LSTM": ("gate", "cell", "hidden"), "GRU": ("gate", "state"), "RNN": ("state",)}
MAX_BYTES = 64 * 2**20  # of a file of results


class KitError(ValueError):
    """Why a kit, or a file of results, can't be used."""


def make(cases=None) -> dict[str, bytes]:
    """Compute the kit anew and return its files, name to content."""
    cases = CASES if cases is None else cases
    made, entries = {}, []
    for case in cases.values():
        own = _case_files(case)
        made |= own
        entries.append(
            {
                "id": case.id,
                "exercises": case.exercises,
                "bug": case.bug,
                "files": {name: _sha256(data) for name, data in own.items()},
            }
        )
    manifest = {"kit": VERSION, "cases": entries}
    beside = {name: (HERE / name).read_bytes() for name in BESIDE}
    return {**beside, MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode(), **made}


def _case_files(case: Case) -> dict[str, bytes]:
    given = oracle.draw(case)
    expected = oracle.solve(case, given)
    about = {"kit": VERSION, **asdict(case)}
    for name in ("scale", "garbage", "initial", "large"):  # what only drawing needs
        del about[name]
    about["activations"] = {place: case.activation(place) for place in _PLACES[case.cell]}
    name = f"cases/{case.id}"
    if case.large:
        about["arrays"] = f"{case.id}.safetensors"
        arrays = {f"inputs.{k}": a for k, a in given.items()}
        arrays |= {f"expected.{k}": a for k, a in expected.items()}
        return {f"{name}.json": _json(about), f"{name}.safetensors": to_bytes(arrays)}
    about["inputs"] = {k: _listed(a) for k, a in given.items()}
    about["expected"] = {k: _listed(a) for k, a in expected.items()}
    return {f"{name}.json": _json(about)}


def _listed(array):
    return {"shape": list(array.shape), "data": (array + 0.0).ravel().tolist()}


def _json(about) -> bytes:
    """Return a case as JSON, an array per line."""
    lines = []
    for key, value in about.items():
        if key in ("inputs", "expected"):
            inner = (f"  {json.dumps(k)}: {json.dumps(a)}" for k, a in value.items())
            lines.append(f"{json.dumps(key)}: {{\n" + ",\n".join(inner) + "\n}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def zipped(files: dict[str, bytes]) -> bytes:
    """Return files as a zip, the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)  # of 1980, whatever the clock says
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            out.writestr(info, data)
    return packed.getvalue()


def checksum(data: bytes) -> str:
    """Return the line that `sha256sum` prints of the zip."""
    return f"{_sha256(data)}  kit.zip\n"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def committed() -> dict[str, bytes]:
    """Return the files of the kit that comes with the package; raise KitError if changed."""
    data = KIT.read_bytes()
    if checksum(data) != CHECKSUM.read_text():
        raise KitError(f"{KIT}: its SHA-256 is not that of kit.sha256.txt")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def write(folder, files: dict[str, bytes]) -> None:
    """Write files into a folder that is new or empty; raise KitError if it holds anything."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KitError(f"{folder}: expected a new or empty folder")
    for name, data in files.items():
        path = folder / name
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def in_folder(folder) -> dict[str, bytes]:
    """Return the files of a kit in a folder, checked against the manifest; raise KitError.

    A case whose JSON file was deleted is left out: whoever has no peepholes deletes those cases.
    """
    folder = Path(folder)
    try:
        manifest = (folder / MANIFEST).read_bytes()
        entries = json.loads(manifest)["cases"]
        left = [e for e in entries if (folder / "cases" / f"{e['id']}.json").exists()]
        sums = {name: s for entry in left for name, s in entry["files"].items()}
    except OSError as error:
        raise KitError(f"{folder / MANIFEST}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KitError(f"{folder / MANIFEST}: not the manifest of a kit") from error
    if not sums:
        raise KitError(f"{folder}: no cases in it")
    files = {MANIFEST: manifest}
    for name, expected in sums.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise KitError(f"{folder / name}: {error.strerror}") from error
        if _sha256(files[name]) != expected:
            raise KitError(f"{folder / name}: changed since the kit was made")
    return files


def arrays_of(files: dict[str, bytes], id: str) -> tuple[dict, dict[str, np.ndarray], dict]:
    """Return what one case's files hold: configuration, inputs, expected arrays."""
    about = json.loads(files[f"cases/{id}.json"])
    if "arrays" not in about:
        given, expected = (
            {k: np.array(a["data"], float).reshape(a["shape"]) for k, a in about.pop(part).items()}
            for part in ("inputs", "expected")
        )
        return about, given, expected
    arrays = from_bytes(files[f"cases/{about['arrays']}"])
    given, expected = (
        {k.removeprefix(part): a for k, a in arrays.items() if k.startswith(part)}
        for part in ("inputs.", "expected.")
    )
    return about, given, expected


def ids(files: dict[str, bytes]) -> list[str]:
    """Return the ids of the cases of a kit that are there, in its order."""
    every = [entry["id"] for entry in json.loads(files[MANIFEST])["cases"]]
    return [id for id in every if f"cases/{id}.json" in files]


def read_results(folder, id: str) -> tuple[dict[str, np.ndarray], str | None] | None:
    """Return the arrays that a port wrote for a case, flat, and the dtype that it names.

    ``ID.json`` holds ``{"dtype": "float32", "results": {name: numbers}}``, numbers nested or flat,
    last index fastest; ``ID.safetensors`` holds the arrays alone. None if there is neither. Raises
    KitError with the reason if it can't be read.
    """
    for path in (Path(folder, f"{id}.json"), Path(folder, f"{id}.safetensors")):
        if not path.is_file():
            continue
        if path.stat().st_size > MAX_BYTES:
            raise KitError(f"{path.name}: more than {MAX_BYTES:,} bytes")
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            return _tensors(path, data)
        return _numbers(path, id, data)
    return None


def _tensors(path, data):
    try:
        arrays = from_bytes(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise KitError(f"{path.name}: not a safetensors file: {error}") from error
    dtypes = {a.dtype.name for a in arrays.values()}
    flat = {name: a.astype(float).ravel() for name, a in arrays.items() if a.dtype.kind in "fiu"}
    return flat, "float32" if "float32" in dtypes else None


def _numbers(path, id, data):
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise KitError(f"{path.name}: not JSON in UTF-8: {error}") from error
    except ValueError as error:  # of a name that is given twice
        raise KitError(f"{path.name}: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("results"), dict):
        raise KitError(f'{path.name}: expected {{"results": {{name: numbers}}}}')
    if found.get("id", id) != id:
        raise KitError(f"{path.name}: results of case {found['id']!r:.80}")
    dtype = found.get("dtype")
    if dtype not in (None, "float32", "float64"):
        raise KitError(f"{path.name}: dtype: expected float32 or float64, got {dtype!r:.80}")
    return {name: _flat(path, name, value) for name, value in found["results"].items()}, dtype


def _flat(path, name, value) -> np.ndarray:
    """Return nested lists of numbers as one flat array; null and strings of no number are nan."""
    try:
        if isinstance(value, dict):  # as a case holds its arrays
            value = value["data"]
        array = np.array(value, float).ravel()
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise KitError(f"{path.name}: {name}: not an array of numbers") from error
    return array
