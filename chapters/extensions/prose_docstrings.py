"""Sphinx extension: the package's docstrings, whose sections hold prose, as lists for the page.

Napoleon takes what follows ``name :`` for a type and cuts it at each comma. Here it is a sentence:

    x : array (B, D), the input at this step, float32
        or float64.

Each such entry becomes an item of a list; any other line of a section stays a paragraph.
"""

import re

ENTRY = re.compile(r"^(\w[\w.]*(?:, \w[\w.]*)*)(?: : (.+))?$")


def sections_to_lists(lines: list[str]) -> list[str]:
    """Return the reStructuredText of a docstring with underlined sections."""
    out, in_section = [], False
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        entry = ENTRY.match(line)
        if line and set(line) == {"-"} and number and len(line) == len(lines[number - 1]):
            continue
        if line and following and set(following) == {"-"} and len(following) == len(line):
            out += ["", f".. rubric:: {line}", ""]
            in_section = True
        elif in_section and entry and (entry[2] or following.startswith(" ")):
            out.append(f"* ``{entry[1]}``: {entry[2] or ''}")
        elif in_section and line.startswith(" "):
            out.append("  " + line.strip())
        else:
            out.append(line)
    return out


def setup(app):
    def process(app, what, name, obj, options, lines):
        lines[:] = sections_to_lists(lines)

    def skip(app, what, name, obj, skip, options):
        # What Python itself writes about the fields of a NamedTuple says nothing.
        return True if (obj.__doc__ or "").startswith("Alias for field number") else None

    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
