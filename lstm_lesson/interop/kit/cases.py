"""The cases of the kit: what each one exercises, and the bug that it is there for.

A case is a configuration of a recurrent layer. The numbers that belong to it are drawn and computed
in `lstm_lesson.interop.kit.oracle`. No two axes of a case are of equal size unless they are 1, so
that an array with its axes exchanged can't be taken for the right one.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Case:
    """A configuration of a recurrent layer, under a name."""

    id: str
    exercises: str  # what it is about
    bug: str  # "fails if ..."
    cell: str  # LSTM, GRU or RNN
    T: int = 5  # steps
    B: int = 3  # sequences
    D: int = 4  # inputs
    H: int = 6  # units
    P: int = 0  # projected to, 0 for no projection
    layers: int = 1
    direction: str = "forward"  # or reverse, or bidirectional
    batch_first: bool = False
    biases: int = 2  # vectors per layer and direction: 0, 1 or 2
    lengths: tuple[int, ...] | None = None
    garbage: bool = False  # whether padding holds large numbers, of x and of d_output
    initial: bool = True  # whether initial states are given; else they are zero
    reset_after: bool = True  # GRU: whether r acts after the product with U
    peephole: bool = False
    coupled: bool = False  # f = 1 - i
    removed: tuple[str, ...] = ()  # letters of gates i, f, o that are 1, whatever the weights
    clip: float | None = None  # bound of the pre-activations
    cell_clip: float | None = None  # bound of the cell state
    activations: dict[str, str] = field(default_factory=dict)  # of gate, cell, hidden, or state
    scale: float = 1.0  # of the weights; with more than 1, half of the units are saturated
    large: bool = False  # whether its arrays are in a safetensors file

    @property
    def ways(self) -> tuple[str, ...]:
        """Suffixes of parameter names, one per direction."""
        return ("", "_reverse") if self.direction == "bidirectional" else ("",)

    @property
    def suffixes(self) -> list[str]:
        """Suffixes of parameter names, one per layer and direction, in the order of states."""
        return [f"_l{n}{way}" for n in range(self.layers) for way in self.ways]

    @property
    def states(self) -> tuple[str, ...]:
        """Letters of the arrays of a state."""
        return ("h", "c") if self.cell == "LSTM" else ("h",)

    def activation(self, where: str) -> str:
        """Return the name of the activation of gate, cell, hidden, or of an RNN's state."""
        return self.activations.get(where, "sigmoid" if where == "gate" else "tanh")


_RAGGED = {"lengths": (3, 5, 2), "garbage": True}
_STACK = {"B": 5, "T": 6, "D": 7, "H": 8}

# Name: what differs from the default, what it exercises, when it fails. For every kind of cell.
_COMMON = {
    "plain": ({}, "one layer with random states and two biases", "gates are in another order"),
    "one-step": ({"T": 1}, "a single step", "a single step is treated as none"),
    "one-sequence": ({"B": 1}, "a batch of one", "an axis of size 1 is dropped"),
    "one-input": ({"D": 1}, "a single input feature", "the input's axis is dropped"),
    "one-unit": ({"H": 1}, "a single unit", "the units' axis is dropped"),
    "all-one": ({"T": 1, "B": 1, "D": 1, "H": 1}, "scalars", "axes of size 1 are dropped"),
    "no-bias": ({"biases": 0}, "no bias", "a bias is needed or left from the last call"),
    "one-bias": ({"biases": 1}, "one bias per gate", "one bias is added twice"),
    "zero-state": ({"initial": False}, "no initial state", "the state is not zero at the start"),
    "batch-first": ({"batch_first": True}, "(B, T, D)", "memory is reshaped, not transposed"),
    "reverse": ({"direction": "reverse"}, "from last step to first", "time runs forward"),
    "bidirectional": (
        {"direction": "bidirectional", "T": 7, "B": 3, "D": 5, "H": 4},
        "both directions", "the halves of the output are exchanged",
    ),
    "two-layers": ({"layers": 2}, "two layers", "both layers start from the first one's state"),
    "two-layers-bidirectional": (
        {"layers": 2, "direction": "bidirectional", **_STACK},
        "two layers in both directions", "states are ordered by direction, then layer",
    ),
    "lengths": ({"lengths": (3, 5, 2)}, "sequences of different length", "padding is run"),
    "garbage": (_RAGGED, "large numbers in the padding", "padding of x or d_output is read"),
    "reverse-lengths": (
        {"direction": "reverse", **_RAGGED}, "lengths, backwards", "the way back starts in padding",
    ),
    "bidirectional-lengths": (
        {"direction": "bidirectional", **_RAGGED, "T": 7, "B": 3, "D": 5, "H": 4},
        "lengths in both directions", "the final state is read at the last row",
    ),
    "empty": (
        {"lengths": (3, 0, 5), "garbage": True, "initial": False}, "a sequence of no steps",
        "it is run, or has a state",
    ),
    "saturated": ({"scale": 30.0}, "gates at 0 and 1", "the sigmoid overflows"),
    "tiny": ({"scale": 2.0**-7}, "weights near zero", "an approximate sigmoid is used"),
    "long": ({"T": 60, "B": 2, "D": 3, "H": 4}, "60 steps", "gradients are cut off in time"),
}  # fmt: skip

_LSTM = {
    "three-layers": ({"layers": 3, **_STACK}, "three layers", "a layer is left out"),
    "batch-first-lengths": (
        {"batch_first": True, **_RAGGED}, "(B, T, D) with lengths", "lengths cut the wrong axis",
    ),
    "two-layers-bidirectional-lengths": (
        {"layers": 2, "direction": "bidirectional", **_STACK, "lengths": (4, 6, 1, 2, 6),
         "garbage": True},
        "everything about time at once", "the upper layer reads the lower one's padding",
    ),
    "empty-bidirectional": (
        {"direction": "bidirectional", "lengths": (0, 7, 2), "garbage": True, "initial": False,
         "T": 7, "B": 3, "D": 5, "H": 4},
        "no steps, both ways", "the way back starts at step -1",
    ),
    "projection": ({"P": 2}, "projected hidden state", "h is fed back unprojected"),
    "projection-one": ({"P": 1}, "projected to one number", "the projected axis is dropped"),
    "projection-bidirectional": (
        {"P": 4, "direction": "bidirectional", "T": 7, "D": 5}, "both directions projected",
        "the halves are H wide",
    ),
    "projection-two-layers": (
        {"P": 3, "layers": 2, **_STACK}, "two projected layers", "the upper input is H wide",
    ),
    "projection-lengths": ({"P": 2, **_RAGGED, "T": 7}, "projection, lengths", "padding is run"),
    "peephole": ({"peephole": True}, "gates see the cell", "o sees the cell before the step"),
    "peephole-one-step": ({"peephole": True, "T": 1}, "one step with peepholes", "o's is lost"),
    "peephole-bidirectional": (
        {"peephole": True, "direction": "bidirectional", "T": 7, "D": 5},
        "peepholes both ways", "both directions share one peephole",
    ),
    "peephole-lengths": ({"peephole": True, **_RAGGED}, "peepholes, lengths", "padding is run"),
    "coupled": ({"coupled": True}, "f = 1 - i", "the coupling is the other way round"),
    "coupled-reverse": (
        {"coupled": True, "direction": "reverse"}, "f = 1 - i, backwards", "d_i lacks f's part",
    ),
    "coupled-peephole": (
        {"coupled": True, "peephole": True}, "coupled, peepholes", "f's peephole is used",
    ),
    "no-input-gate": ({"removed": ("i",)}, "i = 1", "the gate is computed, or 0"),
    "no-forget-gate": ({"removed": ("f",)}, "f = 1", "the gate is computed, or 0"),
    "no-output-gate": ({"removed": ("o",)}, "o = 1", "the gate is computed, or 0"),
    "no-gates": (
        {"removed": ("i", "f", "o"), **_RAGGED}, "c sums up g", "f is 1 in the padding alone",
    ),
    "no-output-gate-peephole": (
        {"removed": ("o",), "peephole": True}, "o = 1, peepholes", "o's peephole is used",
    ),
    "clip": ({"clip": 0.5}, "bounded pre-activations", "gates are bounded, or the cell"),
    "clip-peephole": (
        {"clip": 0.5, "peephole": True}, "bounded after the peephole", "bounded before it",
    ),
    "clip-coupled": ({"clip": 0.5, "coupled": True}, "bounded and coupled", "o isn't bounded"),
    "cell-clip": ({"cell_clip": 0.375}, "bounded cell state", "pre-activations are bounded"),
    "cell-clip-peephole": (
        {"cell_clip": 0.375, "peephole": True}, "o sees the bounded cell", "o sees the cell before",
    ),
    "cell-clip-projection": (
        {"cell_clip": 0.375, "P": 2}, "as Sak et al.", "the unbounded cell is carried",
    ),
    "both-clips": ({"clip": 0.75, "cell_clip": 0.375}, "both bounds", "one bound is used for both"),
    "hard-sigmoid": (
        {"activations": {"gate": "hard_sigmoid"}}, "0.2 z + 0.5, ONNX's", "the slope is 1/6",
    ),
    "hard-sigmoid-6": (
        {"activations": {"gate": "hard_sigmoid_6"}}, "z / 6 + 0.5, Keras 3's", "the slope is 0.2",
    ),
    "relu": (
        {"activations": {"cell": "relu", "hidden": "relu"}}, "Keras's activation='relu'",
        "tanh is used for c or for g",
    ),
    "softsign-candidate": (
        {"activations": {"cell": "softsign"}}, "the candidate's activation alone",
        "it is used on the way out, too",
    ),
    "identity-out": (
        {"activations": {"hidden": "identity"}}, "h = o * c", "tanh is used on the way out",
    ),
    "every-option": (
        {"peephole": True, "clip": 0.75, "cell_clip": 0.5, "P": 2, "direction": "reverse",
         "activations": {"gate": "hard_sigmoid", "cell": "softsign", "hidden": "softsign"},
         **_RAGGED, "batch_first": True, "T": 7},
        "all options at once", "two options are applied in the wrong order",
    ),
    "large": (
        {"T": 40, "B": 3, "D": 12, "H": 24, "large": True}, "many steps and units",
        "sums are not accurate, or buffers too small",
    ),
}  # fmt: skip

_RNN = {
    "three-layers": _LSTM["three-layers"],
    "relu": ({"activations": {"state": "relu"}}, "relu for tanh", "tanh is used"),
    "relu-lengths": (
        {"activations": {"state": "relu"}, **_RAGGED}, "relu and padding", "padding grows",
    ),
    "softsign": ({"activations": {"state": "softsign"}}, "softsign for tanh", "tanh is used"),
    "identity": ({"activations": {"state": "identity"}}, "a linear cell", "tanh is used"),
}  # fmt: skip


def _cases():
    families = {
        "lstm": ({"cell": "LSTM"}, _COMMON | _LSTM),
        "gru": ({"cell": "GRU"}, _COMMON | {"large": _LSTM["large"]}),
        "gru-before": ({"cell": "GRU", "reset_after": False}, _COMMON),
        "rnn": ({"cell": "RNN"}, _COMMON | _RNN),
    }
    for family, (common, table) in families.items():
        for name, (options, exercises, bug) in table.items():
            yield Case(id=f"{family}-{name}", exercises=exercises, bug=f"fails if {bug}",
                       **common, **options)  # fmt: skip


CASES = {case.id: case for case in _cases()}
