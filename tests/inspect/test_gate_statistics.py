"""Correlations of gates: Pearson's, and the three ways to read one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lstm_lesson.inspect import gate_statistics


def test_correlation_is_pearsons_and_zero_for_a_constant():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 4))
    expected = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(4)]
    assert_allclose(gate_statistics.correlation(a, b, axis=0), expected)
    assert_allclose(gate_statistics.correlation(a, b), np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert gate_statistics.correlation(a, np.ones_like(a)) == 0


def test_three_ways_may_differ_in_sign():
    f = np.array([[0.9, 0.8, 0.9, 0.8], [0.2, 0.1, 0.2, 0.1]]).T[:, None]
    i = np.array([[0.6, 0.9, 0.6, 0.9], [0.1, 0.2, 0.1, 0.2]]).T[:, None]
    ways = gate_statistics.three_ways(f, i)
    assert ways["unit"] == pytest.approx(-1) == ways["layer"] == ways["best"]
    assert ways["pooled"] > 0.8
