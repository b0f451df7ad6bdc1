"""Docstrings on the page of the package: sections of prose become lists."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import prose_docstrings

WRITTEN = """\
Return what it is.

Parameters
----------
x : array (B, D), the input at this step, float32
    or float64.
lengths, mask : what counts.

Returns
-------
The output, (B, H): a sentence that is no entry.

Raises
------
ValueError
    If a shape is wrong.
"""
SHOWN = """\
Return what it is.


.. rubric:: Parameters

* ``x``: array (B, D), the input at this step, float32
  or float64.
* ``lengths, mask``: what counts.


.. rubric:: Returns

The output, (B, H): a sentence that is no entry.


.. rubric:: Raises

* ``ValueError``:
  If a shape is wrong.
"""


def test_each_entry_of_a_section_becomes_an_item():
    shown = prose_docstrings.sections_to_lists(WRITTEN.split("\n"))
    assert [line.rstrip() for line in shown] == SHOWN.split("\n")


def test_a_docstring_without_sections_stays_as_it_is():
    lines = ["Return what it is.", "", "    code : not an entry", ""]
    assert prose_docstrings.sections_to_lists(lines) == lines
