"""Settings and fixtures that all tests share."""

import pytest
from browser import address, chromium, look, open_tab, visit  # noqa: F401
from hypothesis import HealthCheck, settings

from lstm_lesson.engine import loop

# The same cases on every machine, and no failure because a machine is slow.
settings.register_profile(
    "book",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("book")


@pytest.fixture(params=["compiled", "arrays"])
def either_loop(request, monkeypatch):
    """Run a test with the compiled loops, and again as if Numba weren't installed."""
    if request.param == "arrays":
        monkeypatch.setattr(loop, "_compiled", lambda: None)
    elif loop._compiled() is None:
        pytest.skip("needs Numba")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items):
    """What opens a browser or reads a built page is slow, and needs no mark of its own.

    Files with such tests come first, and then notebooks: side by side with others, a long file that
    starts last is waited for.
    """
    slow = set()
    for item in items:
        if {"chromium", "page"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
            slow.add(item.path)
    items.sort(key=lambda item: (item.path not in slow, item.path.suffix != ".ipynb"))
