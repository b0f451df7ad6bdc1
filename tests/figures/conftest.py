"""Fixtures of the figures' tests."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def fresh_figures():
    plt.close("all")  # what tests before left open
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


@pytest.fixture
def axes():
    return plt.subplots(2, 1, sharex=True, sharey=True)[1]


@pytest.fixture
def written():
    """Return a function: what axes say in words, as a set."""
    return lambda ax: {text.get_text() for text in ax.texts}
