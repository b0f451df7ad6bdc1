"""What the transfers to every library have in common."""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.recurrent import RecurrentLayer


def check_lacking(layer: RecurrentLayer, library: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError if the layer has an option, not in `allowed`, that another library lacks."""
    for name, value in layer.given().items():
        if name not in (*allowed, "dtype"):
            raise ValueError(f"{name}: {library} has no {name}, got {value!r}")


# Libraries store two biases a gate that are only ever added, but for those of a GRU's candidate
# whose reset gate stands between them: we store one, and then ``bias_hn``, (H,), beside it.


def set_biases(params: dict, suffix: str, b_ih: np.ndarray, b_hh: np.ndarray) -> None:
    """Put two biases, (gates * H,) each with the gates in our order, into a layer's parameters."""
    apart = params.get("bias_hn" + suffix, b_hh[:0])
    added = len(b_hh) - len(apart)
    apart[...] = b_hh[added:]
    params["bias" + suffix][...] = b_ih
    params["bias" + suffix][:added] += b_hh[:added]


def two_biases(params: dict, suffix: str) -> np.ndarray:
    """Return what `set_biases` makes the parameters of, (2, gates * H): the second mostly zeros."""
    both = np.stack([params["bias" + suffix], np.zeros_like(params["bias" + suffix])])
    apart = params.get("bias_hn" + suffix, both[1, :0])
    both[1, len(both[1]) - len(apart) :] = apart
    return both
