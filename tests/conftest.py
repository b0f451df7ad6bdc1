"""Settings and fixtures that all tests share."""

from browser import address, chromium, look, open_tab, visit  # noqa: F401
from hypothesis import settings

# The same cases on every machine, and no failure because a machine is slow.
settings.register_profile("book", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("book")
