"""Settings and fixtures that all tests share."""

import pytest
from browser import address, chromium, look, open_tab, visit  # noqa: F401
from hypothesis import settings

# The same cases on every machine, and no failure because a machine is slow.
settings.register_profile("book", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("book")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items):
    """What opens a browser or reads a built page is slow, and needs no mark of its own."""
    for item in items:
        if {"chromium", "page"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
