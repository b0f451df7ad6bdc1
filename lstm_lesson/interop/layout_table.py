"""How further libraries store the weights of a layer: a row each.

`chapters/conventions.md` shows them with what else a porter meets, and says which were run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

GATES = {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h"}  # in our order
_ACTIVATED = ("gate_activation", "cell_activation", "hidden_activation")


class Layout(NamedTuple):
    """How a library stores one layer; names with ``{}`` are of one gate each, others of all."""

    order: str  # of the gates, in our letters
    inputs: str  # name of the input weights
    recurrent: str | None  # of the recurrent ones; None where they are the rows below the inputs'
    biases: tuple[str, ...]  # one, or two that are added
    transposed: bool = True  # whether a matrix is (D, gates * H), ours (gates * H, D)
    state: str = "hc"  # the order of an LSTM's states
    forget_bias: float | None = 0.0  # what the library's code adds to the stored; None: an argument
    gates: Mapping[str, str] = {}  # our letter of a gate to what stands in the names
    bias_hn: str | None = None  # where a GRU has one second bias alone, the candidate's
    peepholes: tuple[str, ...] = ()  # of i, f, o; or one name, whose blocks are `seen`
    seen: str = "ifo"
    projection: str | None = None
    directions: bool = False  # whether an axis of directions may stand in front
    allows: tuple[str, ...] = ()  # our options that the library has an argument for


LAYOUTS: dict[str, dict[str, Layout]] = {
    "burn": {
        "LSTM": Layout(
            "ifgo", "{}_gate/input_transform/weight", "{}_gate/hidden_transform/weight",
            ("{}_gate/input_transform/bias", "{}_gate/hidden_transform/bias"), state="ch",
            gates={"i": "input", "f": "forget", "g": "cell", "o": "output"},
            allows=("cell_clip", "couple_input_forget", *_ACTIVATED),
        ),
    },
    "coreml": {
        "LSTM": Layout(
            "ifog", "weight_ih", "weight_hh", ("bias",), transposed=False, peepholes=("peephole",),
            allows=_ACTIVATED,
        ),
    },
    "equinox": {
        "LSTM": Layout("ifgo", "weight_ih", "weight_hh", ("bias",), transposed=False),
        "GRU": Layout(
            "rzn", "weight_ih", "weight_hh", ("bias",), transposed=False, bias_hn="bias_n"
        ),
    },
    "flax": {
        "LSTM": Layout("ifgo", "i{}/kernel", "h{}/kernel", ("h{}/bias",), state="ch"),
        "GRU": Layout("rzn", "i{}/kernel", "h{}/kernel", ("i{}/bias",), bias_hn="hn/bias"),
        "RNN": Layout("h", "i/kernel", "h/kernel", ("i/bias",)),
    },
    "mxnet": {
        "LSTM": Layout("ifgo", "i2h_weight", "h2h_weight", ("i2h_bias", "h2h_bias"), False),
        "GRU": Layout("rzn", "i2h_weight", "h2h_weight", ("i2h_bias", "h2h_bias"), False),
        "RNN": Layout("h", "i2h_weight", "h2h_weight", ("i2h_bias", "h2h_bias"), False),
    },
    "openvino": {
        "LSTM": Layout(
            "figo", "W", "R", ("B",), transposed=False, directions=True,
            allows=("clip", *_ACTIVATED),
        ),
    },
    "tensorflow1": {
        "LSTM": Layout(
            "igfo", "kernel", None, ("bias",), state="ch", forget_bias=1.0,
            peepholes=("w_i_diag", "w_f_diag", "w_o_diag"), projection="projection/kernel",
            allows=("cell_clip", "cell_activation", "hidden_activation"),
        ),
        "RNN": Layout("h", "kernel", None, ("bias",), allows=("nonlinearity",)),
    },
    "tensorflow_block": {  # LSTMBlockCell and BlockLSTM
        "LSTM": Layout(
            "igfo", "w", None, ("b",), state="ch", forget_bias=1.0,
            peepholes=("wci", "wcf", "wco"), allows=("cell_clip",),
        ),
    },
    "tensorflow_block_v2": {  # BlockLSTMV2
        "LSTM": Layout(
            "ifgo", "w", None, ("b",), state="ch", peepholes=("wci", "wcf", "wco"),
            allows=("cell_clip",),
        ),
    },
    "tfjs": {
        "LSTM": Layout("igfo", "lstmKernel", None, ("lstmBias",), state="ch", forget_bias=None),
    },
    "webnn": {  # with its default layout; "ifgo" is PyTorch's order
        "LSTM": Layout(
            "iofg", "weight", "recurrentWeight", ("bias", "recurrentBias"), transposed=False,
            peepholes=("peepholeWeight",), seen="iof", directions=True, allows=_ACTIVATED,
        ),
    },
}  # fmt: skip
