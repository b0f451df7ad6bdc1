"""Titles with the number of their chapter, in a build that starts from an earlier one."""

import sys
from pathlib import Path

from docutils import nodes

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import chapter_numbers


def test_a_title_gets_one_number_whatever_the_build_before_wrote():
    title = nodes.title("", "", nodes.Text("Open the gates"), secnumber=[3])
    assert (once := chapter_numbers.renamed(title, "3. ")).astext() == "3. Open the gates"
    assert "secnumber" not in once
    assert chapter_numbers.renamed(once, "4. ").astext() == "4. Open the gates"
    assert chapter_numbers.renamed(once, "").astext() == "Open the gates"
    assert title.astext() == "Open the gates"
