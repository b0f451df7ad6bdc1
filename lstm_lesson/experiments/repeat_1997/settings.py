"""What the papers say of each task besides its sequences: the network, and when it has learned."""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """The circumstances under which a task is learned, and the paper's own rule for having done so.

    Where `fixed` is not 0, a network must also be right on all sequences of two sets of that size:
    the one it was trained on, and one it never saw.
    """

    window: int = 0  # so many sequences in a row ...
    allowed: int = 0  # ... may have so many wrong ones,
    mean_error: float = float("inf")  # and this mean absolute error, when a run ends as solved
    fixed: int = 0  # size of the training set; 0 for always new sequences
    tested: int = 2560  # sequences drawn to test a trained network
    bound: float = 0.1  # initial weights lie between -bound and bound
    biased: tuple[str, ...] = ("cells", "gates", "outputs")  # what has a bias in the net of 1997
    shortcut: bool = False  # whether outputs see the inputs too
    entropy: bool = False  # whether a single output is a probability


# What has a bias stands in table 10 of the paper, column 12.
SETTINGS = {
    "embedded_reber": Setting(256, fixed=256, bound=0.2, biased=("gates",)),
    "noise_free_lag": Setting(100, tested=100, bound=0.2, biased=(), shortcut=True),
    "two_sequence": Setting(256, mean_error=0.01, biased=("cells", "gates")),
    "adding_1997": Setting(2000, mean_error=0.01),
    "multiplication": Setting(2000, 139),
    "temporal_order_1997": Setting(2000, mean_error=0.1),
    "continual_reber": Setting(tested=10),
    "timed_spikes": Setting(256, entropy=True),
}
