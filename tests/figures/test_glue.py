"""A glued number is kept as the page builder expects it, and brings no Sphinx into a kernel."""

import subprocess
import sys

import myst_nb
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from lstm_lesson.figures.glue import glue


@pytest.fixture
def shown(monkeypatch):
    """What a cell of a kernel would have as its outputs."""
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "display_pub", CapturingDisplayPublisher())
    yield shell.display_pub.outputs
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("value", [3, 0.25, "solves more", [1, 2], None])
def test_it_keeps_what_myst_nb_keeps(shown, value):
    glue("a-name", value)
    myst_nb.glue("a-name", value, display=False)
    ours, theirs = shown
    assert ours == theirs
    assert ours["metadata"]["scrapbook"]["name"] == "a-name"


def test_it_needs_no_sphinx():
    code = (
        "import sys, lstm_lesson.figures.glue; assert {'sphinx', 'myst_nb'}.isdisjoint(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
