"""What every layer has: options that are checked and then fixed, parameters by name, a file."""

from __future__ import annotations

import inspect
import re
import uuid
from dataclasses import asdict, dataclass, field, fields
from textwrap import indent
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import files
from lstm_lesson.engine.arguments import check_array, check_dtype


class LayerGrads(NamedTuple):
    """Gradients of the loss, as `backward` of a layer returns them."""

    params: dict[str, np.ndarray]  # under the names and shapes of `parameters()`
    x: np.ndarray  # of the input, in the input's shape
    state: object  # of the initial state, as `forward` takes it


def option(default, check, about: str):
    """Return a field of an options class: its default, ``check(name, value)``, what it does."""
    return field(default=default, metadata={"check": check, "about": about})


@dataclass(frozen=True)
class Options:
    """What a layer is built from, and a file keeps. A subclass adds a line for each option."""

    dtype: np.dtype = option(  # noqa: RUF009
        np.dtype(np.float32), lambda _, value: check_dtype(value), "float32 or float64, of all"
    )

    def __post_init__(self):
        for part in fields(self):
            checked = part.metadata["check"](part.name, getattr(self, part.name))
            object.__setattr__(self, part.name, checked)
        self.check_together()

    def check_together(self) -> None:
        """Raise ValueError if one option contradicts another."""


class Layer:
    """Base of all layers.

    A subclass names the class of its options and says in `_shapes` what they make of parameters;
    its constructor calls `_build` and fills `_params`. Every option is an attribute; none can be
    changed, for parameters depend on them.
    """

    OPTIONS = Options
    SIZES: tuple[str, ...]  # options that have to be given
    options: Options
    _params: dict[str, np.ndarray]

    def __init_subclass__(cls) -> None:
        """Write the options into the constructor's signature and into the docstring."""
        cls.__signature__ = _signature(cls)
        known = "\n".join(f"{f.name} : {f.metadata['about']}" for f in _in_order(cls.OPTIONS))
        # As far in as the mark is: from Python 3.13 on a docstring comes without its indent.
        cls.__doc__ = re.sub(
            "(?m)^( *)OPTIONS$", lambda mark: indent(known, mark[1]), cls.__doc__ or ""
        )

    def _build(self, options: dict) -> None:
        """Check the options and keep them; raise TypeError for a name that is none."""
        if unknown := sorted(set(options) - set(self.OPTIONS.__dataclass_fields__)):
            known = ", ".join(sorted(self.OPTIONS.__dataclass_fields__))
            raise TypeError(f"{type(self).__name__}: expected options of {known}, got {unknown}")
        self.options = self.OPTIONS(**options)
        vars(self).update(vars(self.options))
        self._id = uuid.uuid4().hex  # by which a cache is known

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter by name; allocates nothing."""
        raise NotImplementedError

    def __setattr__(self, name: str, value) -> None:
        if name in self.OPTIONS.__dataclass_fields__:
            raise AttributeError(
                f"{name}: the options of a layer are fixed; build another one, "
                f"{type(self).__name__}(..., {name}={value!r})"
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        sizes = [str(getattr(self, name)) for name in self.SIZES]
        others = [f"{n}={getattr(self, n)!r}" for n in self.given() if n != "dtype"]
        inside = ", ".join([*sizes, *others, f"dtype={self.dtype}"])
        return f"{type(self).__name__}({inside}): {self.num_parameters:,} parameters"

    def given(self) -> dict[str, object]:
        """Return the options, beyond the sizes, that differ from their defaults."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self.OPTIONS)
            if f.name not in self.SIZES and getattr(self, f.name) != f.default
        }

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

    def _options(self) -> dict[str, object]:
        """Return what a layer of the same kind is built from, as JSON can hold it."""
        return asdict(self.options) | {"dtype": self.dtype.name}

    @classmethod
    def load(cls, path):
        """Return the layer that `save` wrote, of this release or an earlier one.

        Raises ValueError with the reason if it can't be.
        """
        kept = files.read(path)
        if (kind := kept.options.pop("layer", None)) != cls.__name__:
            raise ValueError(f"{path}: expected a saved {cls.__name__}, got {kind!r}")
        needed = (*cls.SIZES, "dtype")
        defaults = {f.name: f.default for f in fields(cls.OPTIONS) if f.name not in needed}
        layer = cls.__new__(cls)
        options = files.complete(kept, needed, defaults)
        try:
            layer._build(options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
        # A hostile number of layers would fill the memory with names.
        if getattr(layer, "num_layers", 1) > len(kept.arrays):
            raise ValueError(f"{path}: {len(kept.arrays)} arrays are too few for {layer.options}")
        files.check_arrays(path, kept.arrays, layer._shapes(), layer.dtype)
        layer._params = {name: kept.arrays[name] for name in layer._shapes()}
        return layer


def _in_order(options) -> list:
    """Return the fields of an options class, the dtype last."""
    return sorted(fields(options), key=lambda f: f.name == "dtype")


def _signature(cls) -> inspect.Signature:
    """Return the constructor's signature with every option by name."""
    own = [p for p in inspect.signature(cls.__init__).parameters.values() if p.name != "self"]
    fixed = [p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p for p in own if p.kind is p.KEYWORD_ONLY]
    taken = {p.name for p in own}
    takes_options = any(p.kind is p.VAR_KEYWORD for p in own)
    options = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default)
        for f in _in_order(cls.OPTIONS)
        if takes_options and f.name not in taken
    ]
    return inspect.Signature([*fixed, *options, *named])


class LayerOverTime(Layer):
    """Base of the layers that run over sequences: how x, a state and a cache are taken and checked.

    `STATE` names the parts of a state, if there are more than h, and `_state_sizes()` says how wide
    each is; a part is (states, B, n), one state for each layer and direction.
    """

    STATE: type | None = None  # a NamedTuple that starts with h
    bidirectional = False

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    @property
    def _states(self) -> int:
        """How many states there are, one beside the other."""
        return 1

    def _check_input(self, x: np.ndarray) -> np.ndarray:
        """Return `x` time first, (T, B, D), if it fits."""
        axes = ("B", "T") if self.batch_first else ("T", "B")
        check_array("x", x, (*axes, self.input_size), self.dtype)
        if 0 in x.shape:
            raise ValueError(
                f"x: expected at least one step and one sequence, got {axes} = {x.shape[:2]}"
            )
        return self._time_first(x)

    def _check_cache(self, cache, kind: type) -> None:
        if not isinstance(cache, kind):
            got = type(cache).__name__
            raise TypeError(f"cache: expected what forward with keep returned, got {got}")
        if cache.layer != self._id:
            raise ValueError("cache: expected what forward of this layer returned, got another's")

    def _check_state(self, name: str, state, B: int) -> tuple[np.ndarray, ...]:
        """Return the parts of a state, zeros if it is None, if they fit."""
        shapes = [(self._states, B, size) for size in self._state_sizes()]
        if state is None:
            return tuple(np.zeros(shape, self.dtype) for shape in shapes)
        parts = self._unpack_state(name, state)
        for (part, array), shape in zip(parts.items(), shapes, strict=True):
            check_array(part, array, shape, self.dtype)
        return tuple(parts.values())

    def _pack_state(self, parts: tuple[np.ndarray, ...]):
        return parts[0] if self.STATE is None else self.STATE(*parts)

    def _unpack_state(self, name: str, state) -> dict[str, np.ndarray]:
        """Return the arrays of a state by what an error calls them."""
        if self.STATE is None:
            return {name: state}
        parts = self.STATE._fields
        if not isinstance(state, tuple) or len(state) != len(parts):
            count = {2: "two", 3: "three"}.get(len(parts), len(parts))
            raise TypeError(
                f"{name}: expected {self.STATE.__name__}({', '.join(parts)}), "
                f"a tuple of {count} arrays, got {type(state).__name__}"
            )
        return {f"{name}.{part}": array for part, array in zip(parts, state, strict=True)}

    def _time_first(self, x: np.ndarray) -> np.ndarray:
        """Swap the first two axes if the layer is `batch_first`: its own inverse."""
        return x.swapaxes(0, 1) if self.batch_first else x
