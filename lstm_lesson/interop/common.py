"""What the transfers to every library have in common."""

from __future__ import annotations

from lstm_lesson.engine.recurrent import RecurrentLayer


def check_lacking(layer: RecurrentLayer, library: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError if the layer has an option, not in `allowed`, that another library lacks."""
    for name, value in layer.given().items():
        if name not in (*allowed, "dtype"):
            raise ValueError(f"{name}: {library} has no {name}, got {value!r}")
