"""Sphinx extension: each line of code is an element, so that one too long for a phone can hang in.

A line that is wrapped there continues further right than it began, and is not taken for two.
"""

from pygments.formatters import HtmlFormatter
from sphinx.highlighting import PygmentsBridge


class LinesInElements(HtmlFormatter):
    def wrap(self, source):
        lines = (
            (code, f'<span class="line">{text}</span>' if code else text) for code, text in source
        )
        return super().wrap(lines)


def setup(app):
    PygmentsBridge.html_formatter = LinesInElements
    return {"parallel_read_safe": True, "parallel_write_safe": True}
