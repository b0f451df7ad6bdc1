"""Sphinx extension: the notebook that a page offers for download is one that any Jupyter shows.

The book's own notebooks have MyST's roles and directives in their prose, which JupyterLab, GitHub
and editors print raw: a sentence would lack its number. In the copy each of them is the text that
the page shows. On top it says how to get what it imports, and stops with that sentence if it's
missing. A figure has its caption below, and one that is no output is inside of the notebook;
solutions, and code that the page folds, start folded.
"""

import ast
import base64
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import lstm_lesson
from docutils import nodes
from lstm_lesson import __version__
from sphinx.addnodes import pending_xref
from sphinx.environment import BuildEnvironment

PACKAGE = Path(lstm_lesson.__file__).parent
WHEEL = f"lstm_lesson-{__version__}-py3-none-any.whl"
ROLE = re.compile(r"\{([\w:+-]+)\}`([^`]+)`")
TARGET = re.compile(r"(.*?)\s*<([^<>]+)>", re.S)
FENCE = re.compile(r"(`{3,}|:{3,})(?:\{([\w-]+)\} *(.*)|(.*))")
LABEL = re.compile(r"\([\w-]+\)= *")  # of the heading below
EQUATION = re.compile(r"(^\$\$.*?)\$\$ *\(([\w-]+)\)", re.S | re.M)
LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#]*)(#[^)]*)?\)")
FIGURE = re.compile(
    r"^```\{figure\} +(?P<path>\S+)\n:name: +(?P<name>\S+)\n:alt: +(?P<alt>.+?)\n\n"
    r"(?P<text>.+?)\n```$",
    re.S | re.M,
)
FOLDED = {"source_hidden": True}
CHECK = """\
import importlib.util

needs = {needs}
missing = [name for name in needs if importlib.util.find_spec(name) is None]
if missing:
    raise ModuleNotFoundError(
        "this notebook needs " + ", ".join(missing) + "; the cell above says how to get it"
    )"""
HOW = """\
To run this notebook, install the package of the book, with all that its chapters need{where}, and
open the notebook in JupyterLab (on Windows, write `.venv\\Scripts\\` for `.venv/bin/`):

```
python3 -m venv .venv
.venv/bin/pip install "{wanted}"
.venv/bin/jupyter lab {name}
```"""


def install(address: str) -> str:
    """Return what pip is to install, from the published site or from the file beside one."""
    if address:
        return f"lstm_lesson[book] @ {address.rstrip('/')}/{WHEEL}"
    return f"./{WHEEL}[book]"


class Page:
    """What the references of one page say there."""

    def __init__(self, env: BuildEnvironment, name: str, glued: dict[str, str]):
        self.env, self.name, self.glued = env, name, glued
        self.address = env.config.html_baseurl

    def role(self, match: re.Match) -> str:
        """Return the text of a role; raise KeyError for one that means nothing here."""
        role, text = match.groups()
        if role == "glue:text":
            name, _, form = text.partition(":")
            return format(float(self.glued[name]), form) if form else self.glued[name]
        explicit = TARGET.fullmatch(text)
        title, target = explicit.groups() if explicit else (text, text)
        if role == "term" or (role in ("doc", "ref") and explicit):
            return title
        return self.reference(role, target, title, bool(explicit))

    def reference(self, role: str, target: str, title: str = "", explicit: bool = False) -> str:
        """Return the text of a reference as Sphinx resolves it."""
        domain, _, kind = role.rpartition(":")
        domain = domain or ("math" if role == "eq" else "std")
        domain, kind = ("cite", kind) if domain == "cite" else (domain, kind)
        found = self.numbered(target) if role == "ref" else None
        found = found or self.resolve(domain, kind, target, title, explicit)
        if not found:
            raise KeyError(f"{self.name}: {{{role}}}`{target}` leads nowhere")
        return found

    def numbered(self, label: str) -> str | None:
        """Return ``Exercise 3.1`` for the label of something numbered, else None."""
        page, place = self.env.get_domain("std").anonlabels.get(label, ("", ""))
        numbers = self.env.toc_fignumbers.get(page, {}).values()
        if not any(place in each for each in numbers):
            return None
        return self.resolve("std", "numref", label, "", False)

    def resolve(self, domain, kind, target, title, explicit) -> str | None:
        node = pending_xref("", refdomain=domain, reftype=kind, reftarget=target,
                            refexplicit=explicit, refdoc=self.name)  # fmt: skip
        shown = nodes.inline(title, title, classes=["xref", domain])
        builder = self.env.app.builder
        found = self.env.get_domain(domain).resolve_xref(
            self.env, self.name, builder, kind, target, node, shown
        )
        return None if found is None else found.astext()

    def link(self, match: re.Match) -> str:
        """Return a link with a text, to the published page if there is one."""
        text, path, anchor = match[1], match[2], match[3] or ""
        place = Path(self.name).parent / path
        page = place.with_suffix("").as_posix()
        if page in self.env.titles:
            text = text or self.env.titles[page].astext()
            path = f"{self.address.rstrip('/')}/{page}.html" if self.address else path
        return f"[{text}]({path}{anchor})"

    def equation(self, match: re.Match) -> str:
        number = re.search(r"\(([\w.]+)\)", self.reference("eq", match[2]))[1]
        if re.search(r"\\begin\{(?:align|gather)", match[1]):
            return f"{match[1]}$$"
        return f"{match[1].rstrip()} \\tag{{{number}}}\n$$"

    def figure(self, match: re.Match) -> str:
        """Return a picture that is attached to its cell, and its caption."""
        number = self.numbered(match["name"])
        attached = f"![{match['alt']}](attachment:{Path(match['path']).stem}.png)"
        return f"{attached}\n\n*{number}. {match['text']}*"

    def attachments(self, source: str) -> dict[str, dict[str, str]]:
        """Return the figures that a cell's text names, as a notebook keeps them.

        They are the bitmaps that stand beside drawings: JupyterLab shows no attached drawing.
        """
        found = {}
        for figure in FIGURE.finditer(source):
            path = Path(self.env.doc2path(self.name)).parent / figure["path"]
            bitmap = path.with_suffix(".png")
            found[bitmap.name] = {"image/png": base64.b64encode(bitmap.read_bytes()).decode()}
        return found

    def prose(self, source: str) -> str:
        """Return Markdown without anything that only MyST understands."""
        source = FIGURE.sub(self.figure, EQUATION.sub(self.equation, source))
        lines, open_fences, options = [], [], False
        for line in source.split("\n"):
            if options and re.match(r":[\w-]+:", line):
                if line.startswith(":label:") and lines[-1].startswith("**Exercise"):
                    number = self.numbered(line.removeprefix(":label:").strip())
                    lines[-1] = lines[-1].replace("Exercise", number or "Exercise", 1)
                continue
            options = False
            fence = FENCE.fullmatch(line.strip())
            if fence and open_fences and not fence[2] and not fence[4]:
                lines += [close for close in [open_fences.pop()] if close is not None]
            elif fence and fence[2] is not None:
                begin, close = self.directive(fence[2], fence[3])
                lines += begin
                open_fences.append(close)
                options = True
            elif fence:
                lines.append(line)
                open_fences.append(line.strip()[: len(fence[1])])
            elif open_fences and open_fences[-1] == "```":  # code, as it is
                lines.append(line)
            elif not LABEL.fullmatch(line):
                lines.append(LINK.sub(self.link, ROLE.sub(self.role, line)))
        text = ROLE.sub(self.role, "\n".join(lines))  # those that were broken over two lines
        return re.sub(r"\n{3,}", "\n\n", text).strip("\n")

    def directive(self, name: str, argument: str) -> tuple[list[str], str | None]:
        """Return the lines that stand for the opening of a directive, and for its end."""
        argument = ROLE.sub(self.role, argument)
        if name in ("figure", "image"):
            raise ValueError(f"{self.name}: its {name} lacks name, alt or caption")
        if name == "exercise-start":
            return [f"**Exercise. {argument}**"], None
        if name == "solution-start":
            return [f"**Solution to {self.numbered(argument) or 'the exercise'}**"], None
        if name == "dropdown":
            return ["<details>", f"<summary>{argument}</summary>", ""], "\n</details>"
        if name == "literalinclude":
            path = Path(self.env.doc2path(self.name)).parent / argument
            code = path.read_text(encoding="utf-8").rstrip()
            return [f"```{path.suffix[1:]}", code, "```"], None
        return [f"**{argument}**", ""] if argument else [], None


def glued(notebook: dict) -> dict[str, str]:
    """Return each name that a cell glues, with its text."""
    found = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            kept = output.get("metadata", {}).get("scrapbook")
            if kept:
                text = "".join(output["data"][f"{kept['mime_prefix']}text/plain"])
                found[kept["name"]] = text[1:-1] if re.fullmatch(r"'.*'|\".*\"", text) else text
    return found


def imported(notebook: dict) -> list[str]:
    """Return the packages that the code of a notebook needs, those of Python left out.

    They are those it imports, and those that the modules of ours that it imports do in their turn.
    """
    todo = [
        name
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for name in names(ast.walk(ast.parse("".join(cell["source"]))))
    ]
    seen, packages = set(), set()
    while todo:
        name = todo.pop()
        packages.add(name.split(".")[0])
        if name not in seen and name.split(".")[0] == lstm_lesson.__name__:
            seen.add(name)
            todo += [name.rpartition(".")[0]] if "." in name else []
            path = PACKAGE.parent / name.replace(".", "/")
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if path.exists():  # a module, and no name in one
                todo += names(ast.parse(path.read_text(encoding="utf-8")).body)
    return sorted(packages - sys.stdlib_module_names)


def names(statements: Iterable[ast.AST]) -> list[str]:
    """Return the modules that some statements import, and what they import from one."""
    found = []
    for node in statements:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def copy(notebook: dict, page: Page) -> dict:
    """Return the notebook as a reader gets it."""
    cells, solution = [], False
    for cell in notebook["cells"]:
        source, metadata = "".join(cell["source"]), dict(cell["metadata"])
        if cell["cell_type"] == "markdown":
            marks = re.findall(r"^`{3,}\{solution-(start|end)\}", source, re.M)
            solution = marks[-1] == "start" if marks else solution
            attached = page.attachments(source)
            cell = cell | ({"attachments": attached} if attached else {})
            source = page.prose(source)
        elif solution or {"hide-input", "hide-cell", "remove-input"} & {*metadata.get("tags", [])}:
            metadata["jupyter"] = FOLDED | ({"outputs_hidden": True} if solution else {})
        if source:
            lines = source.splitlines(keepends=True)
            cells.append(without_drawings(cell) | {"source": lines, "metadata": metadata})
        figure = metadata.get("mystnb", {}).get("figure", {})
        if figure.get("name") and not solution:
            caption = f"*{page.numbered(figure['name'])}. {page.prose(figure['caption'])}*"
            cells.append(markdown(f"{cell['id'][:56]}-caption", caption))
    where = "" if page.address else f" (the page offers `{WHEEL}`; save it beside this)"
    name = f"{Path(page.name).name}.ipynb"
    how = HOW.format(where=where, wanted=install(page.address), name=name)
    check = CHECK.format(needs=json.dumps(imported(notebook)))
    first = code("what-it-needs", check, {"jupyter": FOLDED})
    return notebook | {"cells": [cells[0], markdown("how-to-run", how), first, *cells[1:]]}


def without_drawings(cell: dict) -> dict:
    """Return a cell whose figures are bitmaps only: pages show the drawings, a copy is for work."""
    if not cell.get("outputs"):
        return cell
    outputs = []
    for output in cell["outputs"]:
        data = {k: v for k, v in output.get("data", {}).items() if k != "image/svg+xml"}
        outputs.append(output | {"data": data} if "data" in output else output)
    return cell | {"outputs": outputs}


def markdown(id: str, source: str) -> dict:
    lines = source.splitlines(keepends=True)
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": lines}


def code(id: str, source: str, metadata: dict) -> dict:
    cell = markdown(id, source) | {"cell_type": "code", "metadata": metadata}
    return cell | {"execution_count": None, "outputs": []}


def write(app, exception):
    """Put the copies in the place of the notebooks that the pages offer."""
    if exception or app.builder.name != "html":
        return
    for path in sorted((Path(app.outdir) / "_sources").rglob("*.ipynb")):
        name = path.relative_to(Path(app.outdir) / "_sources").with_suffix("").as_posix()
        source = Path(app.env.doc2path(name))
        notebook = json.loads(source.read_text(encoding="utf-8"))
        made = copy(notebook, Page(app.env, name, glued(notebook)))
        text = json.dumps(made, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
