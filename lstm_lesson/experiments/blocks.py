"""What came after the LSTM as layers of an experiment: bare, or in residual blocks.

Each is made like an `LSTM`, from ``(input_size, hidden_size, *, dtype, rng, **options)``.
"""

from __future__ import annotations

import functools

import numpy as np

from lstm_lesson.engine.arguments import check_rng, check_size
from lstm_lesson.engine.attention import SelfAttention
from lstm_lesson.engine.layers import LSTM
from lstm_lesson.engine.minimal import MinGRU, MinLSTM
from lstm_lesson.engine.relational import RelationalMemory
from lstm_lesson.engine.residual import Residual
from lstm_lesson.engine.state_space import StateSpace
from lstm_lesson.engine.xlstm import MLSTM, SLSTM


def in_blocks(
    kind, input_size, hidden_size, *, blocks=2, dtype=np.float32, rng=0, **options
) -> Residual:
    """Return so many layers of a kind in residual blocks; they share the `options`."""
    rng = check_rng(rng)
    layers = [
        kind(hidden_size, hidden_size, dtype=dtype, rng=rng, **options)
        for _ in range(check_size("blocks", blocks))
    ]
    return Residual(input_size, layers, rng=rng)


BARE = {"SLSTM": SLSTM, "RelationalMemory": RelationalMemory}
AFTER = BARE | {
    f"{kind.__name__} in blocks": functools.partial(in_blocks, kind)
    for kind in (LSTM, MinGRU, MinLSTM, MLSTM, StateSpace, SelfAttention)
}
