"""Run layers of Keras 2, and write what went in and what came out into ``keras2.json``.

    pip install tensorflow-cpu tf_keras
    python tests/data/make_keras2.py

Keras 2 can't be installed beside Keras 3 under one name, and brings TensorFlow: so its results are
kept. Its hard sigmoid isn't that of Keras 3.
"""

import json
import os
from pathlib import Path

import numpy as np
from make_layouts import B, D, H, T, drawing, shortened

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tf_keras

LAYERS, TOLD = tf_keras.layers, {"return_sequences": True}
HARD = {"recurrent_activation": "hard_sigmoid"}
ASIDE = ("initializer", "regularizer", "constraint", "name", "build_config", "module")


def trimmed(config):
    """Return a configuration without what only matters before or while a layer is trained."""
    kept = {k: v for k, v in config.items() if not k.endswith(ASIDE) or k == "class_name"}
    return {k: trimmed(v) if isinstance(v, dict) else v for k, v in kept.items()}


def cases():
    for name, layer in {
        "hard": LAYERS.LSTM(H, **HARD, **TOLD),
        "both ways": LAYERS.Bidirectional(LAYERS.LSTM(H, activation="elu", **HARD, **TOLD)),
        "GRU": LAYERS.GRU(H, **HARD, **TOLD),
        "GRU before": LAYERS.GRU(H, reset_after=False, **TOLD),
        "backwards": LAYERS.LSTM(H, go_backwards=True, **TOLD),
        "RNN": LAYERS.SimpleRNN(H, activation="softsign", use_bias=False, **TOLD),
    }.items():
        draw = drawing(f"Keras 2 {name}")
        x = draw(B, T, D)
        layer.build(x.shape)
        weights = [draw(*w.shape) for w in layer.get_weights()]
        layer.set_weights(weights)
        yield {
            "name": name, "kind": type(layer).__name__, "version": tf_keras.__version__,
            "config": trimmed(layer.get_config()), "weights": weights, "x": x,
            "output": np.asarray(layer(x)),
        }  # fmt: skip


if __name__ == "__main__":
    lines = [json.dumps(each, default=shortened, separators=(",", ":")) for each in cases()]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    Path(__file__).with_name("keras2.json").write_text(text)
