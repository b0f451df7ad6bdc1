"""Known mistakes of ports: by name, what a port that has one of them computes for a case."""

from __future__ import annotations

import numpy as np

from lstm_lesson.interop.kit import backward_mistakes, cell_mistakes, layout_mistakes
from lstm_lesson.interop.kit.cases import Case
from lstm_lesson.interop.kit.mutation import Mistake, mutate

# Name, as a reader is told it, to the mistake.
MISTAKES: dict[str, Mistake] = {
    **layout_mistakes.LAYOUT,
    **layout_mistakes.STATES,
    **layout_mistakes.TIME,
    **cell_mistakes.FORWARD,
    **backward_mistakes.BACKWARD,
}


def solve(name: str, case: Case, given: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Return what a port with a mistake computes for a case, under the names of the kit.

    None where the mistake can't be made in the case: in another cell, or where shapes forbid it.
    """
    mistake = MISTAKES[name]
    if case.cell[0] not in mistake.cells:
        return None
    with np.errstate(all="ignore"):
        try:
            return mutate(mistake)(case, given)
        except ValueError:  # shapes don't fit: such a port stops with an error
            return None
