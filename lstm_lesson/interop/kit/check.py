"""Judge the results of a port: errors relative to each array, against measured tolerances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.interop.kit import files as kit_files
from lstm_lesson.interop.kit import oracle
from lstm_lesson.interop.kit.cases import CASES
from lstm_lesson.interop.kit.files import KitError

# Of the largest error of an array, relative to its largest number. Right implementations stay below
# a quarter of it on every case, and weights rounded to float16 go beyond (tests/interop/test_kit).
TOLERANCES = {"float64": 1e-12, "float32": 2e-5}


class Result(NamedTuple):
    """What was found in the results for one case."""

    id: str
    verdict: str  # PASS, FAIL or UNUSABLE
    dtype: str
    errors: dict[str, float]  # of each array that is there, relative
    wrong: list[str]  # names of arrays beyond the tolerance, or missing
    reason: str  # in words, if not PASS
    found: dict[str, np.ndarray]  # the arrays, in the shapes of the case

    @property
    def largest(self) -> float:
        """The largest error; nan if one is, or if there is none."""
        return float(np.max([*self.errors.values()] or np.nan))


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference over the largest number expected, or over 1 if all are 0."""
    size = float(np.abs(expected).max(initial=0.0)) or 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.abs(found - expected).max(initial=0.0) / size)


def compare(id: str, found, expected, needed, dtype: str) -> Result:
    """Judge flat or shaped arrays by name against those expected.

    Every name in `needed` has to be there and right; the others that are there have to be right.
    """
    tolerance = TOLERANCES[dtype]
    missing = [name for name in needed if name not in found]
    shaped, errors, form = {}, {}, []
    for name, right in expected.items():
        if name in found and found[name].size != right.size:
            form.append(f"{name}: {found[name].size} numbers, not {right.size}")
        elif name in found:
            shaped[name] = found[name].reshape(right.shape)
            errors[name] = relative_error(shaped[name], right)
    beyond = [name for name, error in errors.items() if not error <= tolerance]
    words = [*form]
    if missing:
        words.append(f"missing: {', '.join(missing)}")
    if beyond:
        worst = max(beyond, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
        words.append(f"{len(beyond)} of {len(errors)} arrays wrong, {worst} {errors[worst]:.1e}")
    verdict = "FAIL" if words else "PASS"
    return Result(id, verdict, dtype, errors, beyond + missing, "; ".join(words), shaped)


def check(folder, results, *, dtype: str | None = None, forward: bool = False) -> list[Result]:
    """Judge a folder of results against the kit in another folder, case by case.

    Parameters
    ----------
    folder : the kit, as `lstm-lesson kit write` makes it.
    results : a folder of ``ID.json`` or ``ID.safetensors``, see `files.read_results`.
    dtype : float64 or float32, whose tolerance holds; by default what each file names, or float64.
    forward : whether to ask for output and final states only.

    Raises `KitError` if the kit can't be used, or if there is no result at all.
    """
    kit = kit_files.in_folder(folder)
    judged, any_there = [], False
    for id in kit_files.ids(kit):
        if id not in CASES:
            raise KitError(f"{folder}: {id} is a case of another release of the kit")
        _, given, expected = kit_files.arrays_of(kit, id)
        try:
            read = kit_files.read_results(results, id)
        except KitError as error:
            any_there = True
            judged.append(_unusable(id, dtype, str(error)))
            continue
        if read is None:
            judged.append(_unusable(id, dtype, "no results"))
            continue
        any_there = True
        found, named = read
        needed = oracle.required(CASES[id], given, forward)
        judged.append(compare(id, found, expected, needed, dtype or named or "float64"))
    if not any_there:
        raise KitError(f"{results}: no results in it, expected {judged[0].id}.json and so on")
    return judged


def _unusable(id, dtype, reason):
    return Result(id, "UNUSABLE", dtype or "float64", {}, [], reason, {})
