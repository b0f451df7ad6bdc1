"""Sphinx extension: each chapter says how to run it, in three lines that need an empty folder.

The site offers its own wheel and source archive, which `make book` writes beside the pages.
"""

import html
from pathlib import Path

from lstm_lesson import __version__

from reading_copies import WHEEL, install

SOURCE = f"lstm_lesson-{__version__}.tar.gz"
BOX = """
<details class="run-this-page">
<summary>Run this chapter on your machine</summary>
<p>Save {files} in an empty folder. There, with Python 3.11 to 3.14:</p>
<pre tabindex="0">python3 -m venv .venv
.venv/bin/pip install "{wanted}"
.venv/bin/jupyter lab {name}</pre>
<p>On Windows, write <code>py</code> for <code>python3</code> and <code>.venv\\Scripts\\</code> for
<code>.venv/bin/</code>. On Linux PyTorch comes for CUDA, and takes 5 GB, unless the second line
ends in <code>--extra-index-url {cpu}</code>. The whole book, with its tests, is
<a href="{source}" download>{source_name}</a>.</p>
</details>
"""
CPU = "https://download.pytorch.org/whl/cpu"


def add(app, pagename, templatename, context, doctree):
    if app.builder.name != "html" or not app.env.doc2path(pagename).endswith(".ipynb"):
        return

    def link(path):
        name = html.escape(Path(path).name)
        return f'<a href="{context["pathto"](path, resource=1)}" download>{name}</a>'

    files = [link(f"_sources/{pagename}.ipynb")]
    if not app.config.html_baseurl:
        files.append(link(WHEEL))
    box = BOX.format(
        files=" and ".join(files),
        wanted=html.escape(install(app.config.html_baseurl), quote=False),
        name=html.escape(f"{Path(pagename).name}.ipynb"),
        cpu=CPU,
        source=context["pathto"](SOURCE, resource=1),
        source_name=SOURCE,
    )
    context["body"] = context["body"].replace("</h1>", f"</h1>{box}", 1)


def setup(app):
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
