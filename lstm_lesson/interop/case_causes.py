"""Where the numbers of a JSON test case go wrong, and which known mistake of a port gives them."""

from __future__ import annotations

import re

import numpy as np

from lstm_lesson.interop.kit import diagnosis
from lstm_lesson.interop.kit.cases import Case
from lstm_lesson.interop.kit.check import TOLERANCES, relative_error

# What the kit calls the arrays of a case, in one layer and direction.
_NAMES = {"input": "x", "initial_h": "h_0", "initial_c": "c_0"}
_NAMES |= {name: f"{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
_FOUND = {"expected_out": "output", "expected_h": "h_n", "expected_c": "c_n"}
_FOUND |= {f"grad_{name}": f"grad_{kits}" for name, kits in _NAMES.items()}
_STATES = ("h_0", "c_0", "h_n", "c_n")
MOST = 2_000_000  # products of numbers in the case, beyond which trying all mistakes takes long
NAMED = 3  # mistakes; more give the same numbers where a case is too small to tell them apart


def explain(arrays: dict[str, np.ndarray], loss: str | None, ours: dict[str, np.ndarray]) -> str:
    """Return in words what is wrong with a case that failed; empty if nothing can be said.

    Parameters
    ----------
    arrays : what the file holds, by the names of its format.
    loss : of which its ``grad_`` arrays are the gradients, None if it has none.
    ours : what is right, by the same names.
    """
    T, B, D = arrays["input"].shape
    H = arrays["initial_h"].shape[1]
    case = Case(id="", exercises="", bug="", cell="LSTM", T=T, B=B, D=D, H=H)
    found = _kits({name: arrays[name] for name in ours if name in arrays})
    expected = _kits(ours)
    tolerance = TOLERANCES["float32"]
    if all(relative_error(found[name], expected[name]) <= tolerance for name in found):
        return (
            f"but relative to the largest number of each array all are within {tolerance:g}, as "
            f"the rounding of float32 is"
        )
    lines = diagnosis.where(case, found, expected, tolerance)
    backwards = {kits: name for name, kits in _FOUND.items()}
    where = re.sub(r"\w+", lambda word: backwards.get(word[0], word[0]), "; ".join(lines))
    if T * B * H * (D + H) > MOST:
        return f"{where}; too large a case to try known mistakes on"
    given = {kits: arrays[name] for name, kits in _NAMES.items()}
    given |= {name: given[name][None] for name in ("h_0", "c_0")}
    given |= {f"d_{name}": np.zeros((1, B, H)) for name in ("h_n", "c_n")}
    given["d_output"] = np.zeros((T, B, H))
    if loss == "last":
        given |= {f"d_{name}": np.ones((1, B, H)) for name in ("h_n", "c_n")}
    elif loss is not None:  # the port took its own output's squares
        mine = found.get("output", expected["output"])
        given["d_output"] = mine if loss == "squares" else np.ones((T, B, H))
    causes = diagnosis.causes(case, given, expected, found, tolerance)
    if not causes:
        return where
    more = f" | {len(causes) - NAMED} more" if len(causes) > NAMED else ""
    return f"{where}; the numbers are those of: {' | '.join(causes[:NAMED])}{more}"


def _kits(arrays):
    """Return arrays by the names of the kit, states with its axis for layers and directions."""
    named = {_FOUND[name]: a for name, a in arrays.items()}
    return named | {k: a[None] for k, a in named.items() if k.removeprefix("grad_") in _STATES}
