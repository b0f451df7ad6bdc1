"""What every layer has: parameters by name, options, a file to be kept in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import files


class LayerGrads(NamedTuple):
    """Gradients of the loss, as `backward` of a layer returns them."""

    params: dict[str, np.ndarray]  # under the names and shapes of `parameters()`
    x: np.ndarray  # of the input, in the input's shape
    state: object  # of the initial state, as `forward` takes it


class Layer:
    """Base of all layers.

    A subclass names its sizes and its other options, checks them in `_set_options`, says in
    `_shapes` what they make of parameters, and fills `_params`.
    """

    SIZES: tuple[str, ...]  # options that have to be given, in the order of the constructor
    DEFAULTS: dict[str, object]  # the other options, and their values when not given
    num_layers = 1
    _params: dict[str, np.ndarray]

    def _set_options(self, options: dict) -> None:
        """Check the options and make each an attribute."""
        raise NotImplementedError

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter by name; allocates nothing."""
        raise NotImplementedError

    def _options(self) -> dict[str, object]:
        """Return what a layer of the same kind is built from, and a file keeps."""
        names = (*self.SIZES, *self.DEFAULTS)
        return {name: getattr(self, name) for name in names} | {"dtype": self.dtype.name}

    def __repr__(self) -> str:
        given = [
            f"{name}={getattr(self, name)!r}"
            for name, default in self.DEFAULTS.items()
            if getattr(self, name) != default
        ]
        sizes = [str(getattr(self, name)) for name in self.SIZES]
        inside = ", ".join([*sizes, *given, f"dtype={self.dtype}"])
        return f"{type(self).__name__}({inside}): {self.num_parameters:,} parameters"

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the layer's own arrays by name; writing into one changes the layer.

        A recurrent layer has ``weight_ih_l0`` (gates * H, D), ``weight_hh_l0`` (gates * H, H) and
        ``bias_l0`` (gates * H,); then the same for ``_l0_reverse`` if it is bidirectional, ``_l1``
        and so on. A linear head has ``weight`` (output_size, input_size) and ``bias``.
        """
        return dict(self._params)

    @property
    def num_parameters(self) -> int:
        """How many numbers the layer stores."""
        return sum(p.size for p in self._params.values())

    def save(self, path) -> None:
        """Write the layer to a safetensors file, whole or not at all."""
        files.save(path, self._params, {"layer": type(self).__name__, **self._options()})

    @classmethod
    def load(cls, path):
        """Return the layer that `save` wrote, of this release or an earlier one.

        Raises ValueError with the reason if it can't be.
        """
        kept = files.read(path)
        arrays = kept.arrays
        if (kind := kept.options.pop("layer", None)) != cls.__name__:
            raise ValueError(f"{path}: expected a saved {cls.__name__}, got {kind!r}")
        layer = cls.__new__(cls)
        options = files.complete(kept, (*cls.SIZES, "dtype"), cls.DEFAULTS)
        try:
            layer._set_options(options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
        if layer.num_layers > len(arrays):  # before a hostile number fills the memory with names
            raise ValueError(
                f"{path}: {len(arrays)} arrays are too few for {layer.num_layers} layers"
            )
        files.check_arrays(path, arrays, layer._shapes(), layer.dtype)
        layer._params = {name: arrays[name] for name in layer._shapes()}
        return layer
