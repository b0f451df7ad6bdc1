"""Residual blocks around any recurrent layer, the frame of modern cells; chapter 24.

A layer only adds to what passes beside it, ``u + layer(norm(u))``, so that the gradient has a
straight way past every layer, as it has a straight way through time in an LSTM's cell. The norm in
front is that of Ba et al. (2016); a frame of this form, with a small network behind each layer, is
that of the Transformer with the norm put first (Xiong et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import relu, relu_derivative
from lstm_lesson.engine.arguments import check_size
from lstm_lesson.engine.initializers import xavier_uniform
from lstm_lesson.engine.layer import Layer, LayerOverTime, option
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.engine.sequence import SequenceLayer, SequenceOptions, affine, affine_back

SMALL = 1e-5  # added to a variance, so that it can be divided by


def layer_norm(x: np.ndarray, gain: np.ndarray, offset: np.ndarray):
    """Return `x` with mean 0 and variance 1 along its last axis, times gain, plus offset.

    Parameters
    ----------
    x : (..., H).
    gain, offset : (H,).

    Returns
    -------
    y (..., H), and a cache for `layer_norm_back` (Ba et al. 2016, equation 4).
    """
    normal, kept = standardise(x)
    return gain * normal + offset, (kept, gain.copy())


def layer_norm_back(d_y: np.ndarray, cache):
    """Return the gradients of x, gain and offset from that of `layer_norm`'s y."""
    kept, gain = cache
    axes = tuple(range(d_y.ndim - 1))
    d_x = standardise_back(d_y * gain, kept)
    return d_x, (d_y * kept[0]).sum(axis=axes), d_y.sum(axis=axes)


def standardise(x: np.ndarray, axis: int = -1):
    """Return `x` with mean 0 and variance 1 along an axis, and a cache for `standardise_back`."""
    centred = x - x.mean(axis=axis, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=axis, keepdims=True) + x.dtype.type(SMALL))
    normal = centred / spread
    return normal, (normal, spread, axis)


def standardise_back(d: np.ndarray, cache):
    """Return the gradient of x from that of what `standardise` returned."""
    normal, spread, axis = cache
    # Moving all of x, or stretching it, changes nothing: those two parts of d are taken out.
    d_x = d - d.mean(axis=axis, keepdims=True)
    return (d_x - normal * (d * normal).mean(axis=axis, keepdims=True)) / spread


def _layers(name: str, value) -> tuple[Layer, ...]:
    """Return layers, some perhaps as a file keeps them, if they fit on top of each other."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"{name}: expected a list of at least one layer, got {value!r}")
    layers = tuple(_made(name, each) if isinstance(each, dict) else each for each in value)
    for layer in layers:
        if not isinstance(layer, LayerOverTime):
            kind = type(layer).__name__
            raise TypeError(f"{name}: expected recurrent layers, got {kind}")
        size = layer._state_sizes()[0] * (2 if layer.bidirectional else 1)
        if layer.input_size != size or layer.bidirectional or layer.batch_first:
            raise ValueError(
                f"{name}: expected as many features out as in, one direction and time first, "
                f"got {layer}"
            )
        if (size, layer.dtype) != (layers[0].input_size, layers[0].dtype):
            raise ValueError(
                f"{name}: expected all of one size and dtype, got {layers[0]}, {layer}"
            )
    if len({id(layer) for layer in layers}) < len(layers):
        raise ValueError(f"{name}: expected each layer once; to share weights is not supported")
    return layers


def _made(name: str, options: dict) -> Layer:
    """Return a layer without parameters, from what `Layer._options` gave and its class's name."""
    known, todo = {}, [RecurrentLayer, SequenceLayer]
    while todo:
        subclasses = todo.pop().__subclasses__()
        known |= {kind.__name__: kind for kind in subclasses if not kind.__name__.startswith("_")}
        todo += subclasses
    options = dict(options)
    if not isinstance(kind := options.pop("layer", None), str) or kind not in known:
        raise ValueError(f"{name}: {kind!r} is no layer that has been imported")
    layer = known[kind].__new__(known[kind])
    layer._build(options)
    layer._params = {}  # until those of the file are there
    return layer


@dataclass(frozen=True, kw_only=True)
class ResidualOptions(SequenceOptions):
    """What a `Residual` is built from."""

    layers: tuple[Layer, ...] = option((), _layers, "the layers, each from H features to H")
    expand: int = option(
        2,
        lambda name, value: check_size(name, value, least=0),
        "width of the small network behind each layer, in multiples of H; 0 for none",
    )


class ResidualState(NamedTuple):
    """What a `Residual` hands on."""

    h: np.ndarray  # (1, B, H), the last output, which the next step doesn't need
    inner: np.ndarray  # (1, B, K), the states of all its layers side by side


class Residual(SequenceLayer):
    """Layers in residual blocks, each with a layer norm in front and a small network behind.

    Parameters
    ----------
    OPTIONS
    rng : a `numpy.random.Generator` or an integer seed, for what is not inside of the layers.

    ``u = W_in x + b_in``; for each layer ``u += layer(norm(u))`` and, unless `expand` is 0,
    ``u += W_2 relu(W_1 norm(u) + b_1) + b_2``; the output is ``norm(u)``. Every norm has a gain and
    an offset of its own. `hidden_size` and `dtype` are those of the layers, which stay the
    caller's own arrays: ``Residual(3, [LSTM(48, 48, rng=0), LSTM(48, 48, rng=1)])``. A layer's
    parameters are called ``layers.0.weight_ih_l0`` and so on. The state is a `ResidualState`.
    """

    OPTIONS = ResidualOptions
    SIZES = ("input_size",)
    STATE = ResidualState

    def __init__(self, input_size: int, layers, *, rng=0, **options):
        layers = _layers("layers", layers)
        inside = {"dtype": layers[0].dtype, "layers": layers}
        super().__init__(input_size, layers[0].input_size, rng=rng, **inside, **options)

    @property
    def num_layers(self) -> int:
        """How many layers stand on top of each other, those inside of layers counted."""
        return sum(getattr(layer, "num_layers", 1) for layer in self.layers)

    def _options(self):
        plain = {
            n: getattr(self, n) for n in ("input_size", "hidden_size", "batch_first", "expand")
        }
        layers = [{"layer": type(each).__name__, **each._options()} for each in self.layers]
        return plain | {"layers": layers, "dtype": self.dtype.name}

    def _own_shapes(self):
        H, D, K = self.hidden_size, self.input_size, self.expand * self.hidden_size
        shapes = {"weight_in": (H, D), "bias_in": (H,), "gain": (H,), "offset": (H,)}
        for n in range(len(self.layers)):
            shapes |= {f"gain_{n}": (H,), f"offset_{n}": (H,)}
            if K:
                shapes |= {f"mlp_gain_{n}": (H,), f"mlp_offset_{n}": (H,)}
                shapes |= {f"weight_1_{n}": (K, H), f"bias_1_{n}": (K,)}
                shapes |= {f"weight_2_{n}": (H, K), f"bias_2_{n}": (H,)}
        return shapes

    def _shapes(self):
        inside = {
            f"layers.{n}.{name}": shape
            for n, layer in enumerate(self.layers)
            for name, shape in layer._shapes().items()
        }
        return self._own_shapes() | inside

    def _draw(self, rng):
        drawn = {}
        for name, shape in self._own_shapes().items():
            first = 1 if "gain" in name else 0
            matrix = name.startswith("weight")
            drawn[name] = np.full(shape, first, self.dtype)
            if matrix:
                drawn[name] = xavier_uniform(shape, rng, self.dtype)
        inside = (layer.parameters().items() for layer in self.layers)
        return drawn | {f"layers.{n}.{k}": p for n, each in enumerate(inside) for k, p in each}

    @property
    def _params(self):
        """The parameters of all; those of a layer are its own arrays."""
        return vars(self)["all_params"]

    @_params.setter
    def _params(self, params):
        vars(self)["all_params"] = params
        for n, layer in enumerate(self.layers):
            layer._params = {name: params[f"layers.{n}.{name}"] for name in layer._shapes()}

    def _inner_shapes(self):
        """Return, for each layer, the shapes of the parts of its state without B."""
        count = [getattr(layer, "num_layers", 1) for layer in self.layers]
        return [
            [(n, size) for size in layer._state_sizes()]
            for n, layer in zip(count, self.layers, strict=True)
        ]

    def _state_sizes(self):
        return (self.hidden_size, sum(n * k for parts in self._inner_shapes() for n, k in parts))

    def _split(self, inner):
        """Return the state of each layer from all side by side, (B, K)."""
        states, start = [], 0
        for layer, shapes in zip(self.layers, self._inner_shapes(), strict=True):
            parts = []
            for n, k in shapes:
                part = inner[:, start : start + n * k].reshape(-1, n, k)
                parts.append(np.ascontiguousarray(part.swapaxes(0, 1)))
                start += n * k
            states.append(layer._pack_state(tuple(parts)))
        return states

    def _join(self, states):
        """Return the states of all layers side by side: what `_split` takes apart."""
        parts = []
        for layer, state in zip(self.layers, states, strict=True):
            for part in layer._unpack_state("state", state).values():
                parts.append(part.swapaxes(0, 1).reshape(part.shape[1], -1))
        return np.concatenate(parts, axis=1)

    def _forward(self, x, state, inside, rng):
        p = {name: self._params[name].copy() for name in self._own_shapes()}
        lengths = None if inside is None else inside[..., 0].sum(axis=0)
        u, lasts, kept = affine(x, p["weight_in"], p["bias_in"]), [], []
        for n, (layer, first) in enumerate(zip(self.layers, self._split(state[1]), strict=True)):
            normal, norm = layer_norm(u, p[f"gain_{n}"], p[f"offset_{n}"])
            more, last, cache = layer.forward(normal, first, lengths, rng=rng)
            u = u + more
            lasts.append(last)
            mlp = None
            if self.expand:
                normal, norm_2 = layer_norm(u, p[f"mlp_gain_{n}"], p[f"mlp_offset_{n}"])
                hidden = relu(affine(normal, p[f"weight_1_{n}"], p[f"bias_1_{n}"]))
                u = u + affine(hidden, p[f"weight_2_{n}"], p[f"bias_2_{n}"])
                mlp = normal, norm_2, hidden
            kept.append((norm, cache, mlp))
        y, norm = layer_norm(u, p["gain"], p["offset"])
        return y, (self._join(lasts),), (x, p, kept, norm)

    def _backward(self, d_output, d_rest, kept):
        x, p, kept, norm = kept
        d, grads = {}, [None] * len(self.layers)
        d_u, d["gain"], d["offset"] = layer_norm_back(d_output, norm)
        d_lasts = self._split(d_rest[0])
        for n in reversed(range(len(self.layers))):
            norm, cache, mlp = kept[n]
            if mlp is not None:
                normal, norm_2, hidden = mlp
                d_hidden, d[f"weight_2_{n}"], d[f"bias_2_{n}"] = affine_back(
                    d_u, hidden, p[f"weight_2_{n}"]
                )
                d_normal, d[f"weight_1_{n}"], d[f"bias_1_{n}"] = affine_back(
                    d_hidden * relu_derivative(hidden), normal, p[f"weight_1_{n}"]
                )
                more, d[f"mlp_gain_{n}"], d[f"mlp_offset_{n}"] = layer_norm_back(d_normal, norm_2)
                d_u = d_u + more
            grads[n] = self.layers[n].backward(d_u, cache, d_lasts[n])
            more, d[f"gain_{n}"], d[f"offset_{n}"] = layer_norm_back(grads[n].x, norm)
            d_u = d_u + more
            d |= {f"layers.{n}.{name}": g for name, g in grads[n].params.items()}
        d_x, d["weight_in"], d["bias_in"] = affine_back(d_u, x, p["weight_in"])
        return d_x, (np.zeros_like(d_output[0]), self._join([g.state for g in grads])), d
