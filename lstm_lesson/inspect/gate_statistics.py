"""Correlations of gates, with each other and with what the input says."""

from __future__ import annotations

import numpy as np


def correlation(a: np.ndarray, b: np.ndarray, axis=None) -> np.ndarray:
    """Return Pearson's correlation over axes of two arrays; 0 where one of them is constant."""
    a, b = (x - x.mean(axis=axis, keepdims=True) for x in np.broadcast_arrays(a, b))
    spread = np.sqrt((a * a).mean(axis=axis) * (b * b).mean(axis=axis))
    return np.where(spread > 1e-12, (a * b).mean(axis=axis) / np.maximum(spread, 1e-12), 0.0)


def three_ways(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Return the correlation of two gates, (T, N, H) or (T, N, 1): by unit, of the layer, pooled.

    ``best`` is that of the unit with the highest.
    """
    by_unit = correlation(a, b, axis=(0, 1))
    ways = {
        "unit": by_unit.mean(),
        "layer": correlation(a.mean(axis=2), b.mean(axis=2)),
        "pooled": correlation(a, b),
        "best": by_unit.max(),
    }
    return {name: float(value) for name, value in ways.items()}
