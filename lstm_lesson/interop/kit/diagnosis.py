"""What is wrong with the results of a port: where it starts, and which mistake gives the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.interop.kit import check, mistakes, oracle
from lstm_lesson.interop.kit import files as kit_files
from lstm_lesson.interop.kit.cases import CASES, Case
from lstm_lesson.interop.kit.check import TOLERANCES, Result, relative_error

Arrays = dict[str, np.ndarray]
_LETTERS = {"LSTM": "ifgoch", "GRU": "rznh", "RNN": "h"}


class Diagnosis(NamedTuple):
    """What can be said of one failure."""

    where: list[str]  # lines: the first wrong step, sequence, unit, and what is wrong there
    causes: list[str]  # mistakes that give the same numbers


def judge(
    folder, results, *, dtype: str | None = None, forward: bool = False
) -> tuple[list[Result], dict[str, Diagnosis]]:
    """Judge a folder of results as `check.check` does, and diagnose what fails.

    Returns the result of each case, and the diagnosis of each that failed by its id. Raises
    `KitError` as `check.check` does.
    """
    judged = check.check(folder, results, dtype=dtype, forward=forward)
    kit = kit_files.in_folder(folder)
    return judged, {
        result.id: diagnose(result, *kit_files.arrays_of(kit, result.id)[1:], forward)
        for result in judged
        if result.verdict == "FAIL"
    }


def diagnose(result: Result, given: Arrays, expected: Arrays, forward: bool = False) -> Diagnosis:
    """Return where a failed case goes wrong, and the known mistakes that give its numbers.

    `given` and `expected` are the arrays of the case. With `forward` only output and final states
    are looked at.
    """
    case = CASES[result.id]
    needed = oracle.required(case, given, forward)
    found = {name: result.found[name] for name in needed if name in result.found}
    tolerance = TOLERANCES[result.dtype]
    lines = where(case, result.found, expected, tolerance, forward)
    return Diagnosis(lines, causes(case, given, expected, found, tolerance))


def where(
    case: Case, found: Arrays, expected: Arrays, tolerance: float, forward=False
) -> list[str]:
    """Return lines on the first wrong step, sequence and unit; on gradients if forward is right."""
    lines = _where_forward(case, found, expected, tolerance)
    return lines or ([] if forward else _where_backward(case, found, expected, tolerance))


def likely(results: list[Result], diagnoses: dict[str, Diagnosis]) -> list[str]:
    """Return the mistakes that explain the failures of a whole kit, most of them first.

    A line per mistake, or per group of mistakes that explain the same failures. A mistake that
    would have shown in a case that passes is left out.
    """
    failed = {r.id for r in results if r.verdict == "FAIL"}
    passed = {r.id: r for r in results if r.verdict == "PASS"}
    explained: dict[str, set[str]] = {}
    for id in failed:
        for cause in diagnoses[id].causes if id in diagnoses else ():
            explained.setdefault(cause, set()).add(id)
    names = [name for name in explained if not any(shows(name, r) for r in passed.values())]
    lines, left = [], set(failed)
    while left and len(lines) < 3:
        most = max((len(explained[name] & left) for name in names), default=0)
        if not most:
            break
        best = [name for name in names if len(explained[name] & left) == most]
        of = f"{most} of {len(left)} failures" if len(lines) == 0 else f"{most} more"
        lines.append(f"{' | '.join(best)}: explains {of}")
        left -= set().union(*(explained[name] for name in best))
    return lines


def shows(name: str, result: Result) -> bool:
    """Whether a port with a mistake would have failed where this one passed."""
    case = CASES[result.id]
    given = oracle.draw(case)
    wrong = mistakes.solve(name, case, given)
    if wrong is None:
        return False
    names = [n for n in oracle.required(case, given) if n in result.found]
    return not _close(result.found, wrong, names, 10 * TOLERANCES[result.dtype])


def causes(
    case: Case, given: Arrays, expected: Arrays, found: Arrays, tolerance: float
) -> list[str]:
    """Return the mistakes that give all numbers found or, where none does, those forward.

    An error is relative to the largest number of an array, as in `check.relative_error`.
    """
    ahead = [name for name in found if not name.startswith("grad_")]
    ahead_is_right = _close(found, expected, ahead, tolerance)
    whole, forward = [], []
    for name in mistakes.MISTAKES:
        wrong = mistakes.solve(name, case, given)
        if wrong is None or not _close(found, wrong, ahead, tolerance):
            continue
        if _close(found, wrong, list(found), tolerance):
            if not _close(wrong, expected, list(found), tolerance):
                whole.append(name)
        elif not ahead_is_right:
            forward.append(name)
    return whole or forward


def _close(found, right, names, tolerance) -> bool:
    return all(relative_error(found[name], right[name]) <= tolerance for name in names)


def _wrong(found, expected, tolerance) -> np.ndarray:
    """Return where an array is beyond the tolerance, or no number."""
    size = float(np.abs(expected).max(initial=0.0)) or 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        return ~(np.abs(found - expected) <= tolerance * size)


def _where_forward(case: Case, found: Arrays, expected: Arrays, tolerance: float) -> list[str]:
    order = _LETTERS[case.cell]
    for n, suffix in enumerate(case.suffixes):  # as they are run
        shown = [f"{z}{k}" for k in order for z in ("z_", "")]
        wrong = {
            name: _wrong(found[name + suffix], expected[name + suffix], tolerance)
            for name in shown
            if name + suffix in found and name + suffix in expected
        }
        if any(mask.any() for mask in wrong.values()):
            return [_first(case, n, suffix, wrong, found, expected, last_first=False)]
    lines = []
    if "output" in found and (mask := _wrong(found["output"], expected["output"], tolerance)).any():
        masks = {"output": mask.swapaxes(0, 1) if case.batch_first else mask}
        arrays = [
            {"output": a["output"].swapaxes(0, 1)} if case.batch_first else a
            for a in (found, expected)
        ]
        lines.append(_first(case, 0, "", masks, *arrays, last_first=False))
    for name in (f"{letter}_n" for letter in case.states):
        if name in found and (mask := _wrong(found[name], expected[name], tolerance)).any():
            n, b, unit = (int(k) for k in np.argwhere(mask)[0])
            lines.append(
                f"{name} wrong, first in {_run(case, n)}, sequence {b}, unit {unit}: "
                f"{_values(found[name], expected[name], (n, b, unit))}"
            )
    return lines


def _where_backward(case: Case, found: Arrays, expected: Arrays, tolerance: float) -> list[str]:
    lines = []
    for n, suffix in reversed(list(enumerate(case.suffixes))):
        names = [f"grad_z_{k}" for k in oracle.GATES[case.cell]]
        wrong = {
            name: _wrong(found[name + suffix], expected[name + suffix], tolerance)
            for name in names
            if name + suffix in found and name + suffix in expected
        }
        if any(mask.any() for mask in wrong.values()):
            lines.append(_first(case, n, suffix, wrong, found, expected, last_first=True))
            break
    right, bad = [], []
    for name in (k for k in expected if k.startswith("grad_") and not k.startswith("grad_z_")):
        if name in found:
            mask = _wrong(found[name], expected[name], tolerance)
            (bad if mask.any() else right).append(name + _rows(case, name, mask))
    if bad:
        lines.append(f"gradients wrong: {', '.join(bad)}; right: {', '.join(right) or 'none'}")
    return lines


def _rows(case, name, mask) -> str:
    """Return the gates in whose rows an array of stacked gates is wrong, if not in all."""
    letters = oracle.GATES[case.cell]
    if not name.startswith(("grad_weight_ih", "grad_weight_hh", "grad_bias_ih", "grad_bias_hh")):
        return ""
    bad = [k for k, m in zip(letters, np.split(mask, len(letters)), strict=True) if m.any()]
    return f" ({', '.join(bad)})" if 0 < len(bad) < len(letters) else ""


def _first(case, n, suffix, wrong, found, expected, last_first) -> str:
    """Return a line about the first step, as it was run, at which one of some arrays is wrong."""
    any_wrong = np.any([mask.any(axis=-1) for mask in wrong.values()], axis=0)  # (T, B)
    T, B = any_wrong.shape
    lengths = np.array(case.lengths or [T] * B)
    step = np.arange(T)[:, None] + np.zeros(B, int)
    reverse = suffix.endswith("_reverse") or case.direction == "reverse"
    if reverse != last_first:  # the last step of each sequence came first, its padding never
        step = np.where(step < lengths, lengths - 1 - step, step)
    step = np.where(any_wrong, step, T)
    t, b = (int(k) for k in np.unravel_index(np.argmin(step), step.shape))
    here = {name: mask[t, b] for name, mask in wrong.items()}
    bad = [name for name, mask in here.items() if mask.any()]
    right = [name for name, mask in here.items() if not mask.any()]
    unit = int(np.argmax(here[bad[0]]))
    what = f"{', '.join(bad)} wrong" + (f", {', '.join(right)} right" if right else "")
    padding = " (padding)" if t >= lengths[b] else ""
    values = _values(found[bad[0] + suffix], expected[bad[0] + suffix], (t, b, unit))
    run = f"{_run(case, n)}: " if suffix and len(case.suffixes) > 1 else ""
    return f"{run}{what} from step {t}{padding}, sequence {b}, unit {unit}: {bad[0]} {values}"


def _run(case: Case, n: int) -> str:
    layer, way = divmod(n, len(case.ways))
    return f"layer {layer}" + (" backwards" if way else "")


def _values(found, expected, at) -> str:
    return f"is {found[at]:.6g}, expected {expected[at]:.6g}"
