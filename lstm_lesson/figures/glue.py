"""A computed number for a sentence: the prose of a chapter shows it by ``{glue:text}``."""

from IPython.core.formatters import format_display_data
from IPython.display import display


def glue(name: str, value: object) -> None:
    """Keep a value in the outputs of its cell, unseen, under a name that is used once a chapter.

    It does what `myst_nb.glue` does, in the same bytes, without Sphinx in the reader's kernel.
    """
    data, metadata = format_display_data(value)
    kept = {"name": name, "mime_prefix": "application/papermill.record/"}
    data = {kept["mime_prefix"] + kind: shown for kind, shown in data.items()}
    display(data, raw=True, metadata=metadata | {"scrapbook": kept})


__all__ = ["glue"]
