"""What a Keras layer tells of itself beyond its weights, read from it or from its configuration."""

from __future__ import annotations

import sys
from typing import NamedTuple

_CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")
_LAYERS = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN", *_CELLS)


class Settings(NamedTuple):
    """The arguments of a Keras layer that its weights don't show, or not always."""

    activation: str | None = "tanh"
    recurrent_activation: str | None = "sigmoid"
    reset_after: bool | None = None  # of a GRU; None where it isn't known
    bidirectional: bool | None = None
    go_backwards: bool = False


def check_class(name: str) -> None:
    """Raise TypeError or ValueError if a layer of this class isn't one that can be read."""
    if name.startswith("CuDNN"):
        raise ValueError(
            f"weights: a {name} has two biases and kernels laid out otherwise; load its weights "
            f"into Keras 2's {name[5:]}, which converts them, and pass that"
        )
    if name not in _LAYERS:
        raise TypeError(f"weights: expected an LSTM, GRU, SimpleRNN or Bidirectional, got {name}")


def version_of(layer) -> int | None:
    """Return 2 or 3, the version of the Keras that a layer is of; None if it shows none."""
    for base in type(layer).mro():
        root = base.__module__.partition(".")[0]
        if root in ("keras", "tf_keras", "tensorflow"):  # the last two have Keras 2
            number = getattr(sys.modules[root], "__version__", "2")
            return 3 if root == "keras" and int(number.partition(".")[0]) >= 3 else 2
    return None


def read(config: dict) -> Settings:
    """Return the settings in what ``get_config()`` of a layer returned."""
    if "layer" in config:
        if (mode := config.get("merge_mode", "concat")) != "concat":
            raise ValueError(f"merge_mode: expected 'concat', which is the layer's, got {mode!r}")
        both = [config["layer"], config.get("backward_layer") or config["layer"]]
        for each in both:
            check_class(each["class_name"])
        forward, backward = (read(each["config"]) for each in both)
        mirrored = backward._replace(go_backwards=False)
        if forward.go_backwards or forward != mirrored:
            raise ValueError("config: expected two directions that differ in go_backwards alone")
        return forward._replace(bidirectional=True)
    if config.get("time_major"):
        raise ValueError("time_major: expected a layer that is batch first, got time_major=True")
    cell = config
    if "cell" in config:
        if (name := config["cell"]["class_name"]) not in _CELLS:
            raise ValueError(f"cell: expected one of {_CELLS}, got {name}")
        cell = config["cell"]["config"]
    if "activation" not in cell:
        raise ValueError(f"config: expected that of a recurrent layer, got one of {sorted(cell)}")
    told = {name: cell[name] for name in Settings._fields[:3] if name in cell}
    return Settings(**told, bidirectional=False, go_backwards=config.get("go_backwards", False))
