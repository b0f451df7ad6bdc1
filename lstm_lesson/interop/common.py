"""What the transfers to every library have in common."""

from __future__ import annotations

from lstm_lesson.engine.stack import Stack


def check_lacking(layer: Stack, library: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError if the layer has an option, not in `allowed`, that another library lacks."""
    for name, default in layer.DEFAULTS.items():
        if name not in allowed and (value := getattr(layer, name)) != default:
            raise ValueError(f"{name}: {library} has no {name}, got {value!r}")
