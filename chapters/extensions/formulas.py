r"""Sphinx extension: formulas typeset while the book is built, by MathJax in V8.

A page then needs no script for them: what stands there is MathJax's own HTML, with MathML for
screen readers, and the EPUB gets the MathML alone. The rules and fonts that this HTML needs go to
`_static`; of them, light_pages keeps what some page uses.

TeX that MathJax does not understand, and a letter that its fonts lack, are warnings with their
place in the sources, and so errors of the strict build. A gate's colour, `\textcolor{#D55E00}`, is
a class here, since a style sheet has a shade of it for light pages and another for dark ones.
"""

import functools
import importlib.util
import itertools
import json
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from logging import getLogger
from pathlib import Path

from docutils import nodes
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from py_mini_racer import MiniRacer
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

MATHJAX = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
PARTS = [
    "core",
    "adaptors/liteDOM",
    "input/tex-base",
    "input/tex/extensions/ams",
    "input/tex/extensions/color",
    "output/chtml",
    "output/chtml/fonts/tex",
    "a11y/assistive-mml",
]
# `require` runs parts that are here already; there is no network and no file in V8.
START = """
var MathJax = {
  loader: {
    paths: {mathjax: ""},
    load: Object.keys(parts),
    require: url => (0, eval)(parts[url.replace(/^\\/|\\.js$/g, "")]),
  },
  tex: {
    packages: ["base", "ams", "color"],
    formatError: (jax, error) => { throw error; },
  },
  chtml: {adaptiveCSS: false, matchFontHeight: false, fontURL: "formulas"},
  startup: {typeset: false},
};
"""
TYPESET = """
function attempt(convert) {
  try { return {html: convert()}; } catch (error) { return {error: error.message}; }
}
const adaptor = MathJax.startup.adaptor;
function chtml(tex, display) {
  return attempt(() => adaptor.outerHTML(MathJax.tex2chtml(tex, {display})));
}
function mathml(tex, display) {
  return attempt(() => MathJax.tex2mml(tex, {display}));
}
function styles() {
  return adaptor.textContent(MathJax.startup.output.styleSheet(MathJax.startup.document));
}
"""
MATHML = "http://www.w3.org/1998/Math/MathML"
# The letters of gates and states, by the colour that figures and equations name them with.
GATES = {
    "0072B2": "i",
    "D55E00": "f",
    "009E73": "g",
    "CC79A7": "o",
    "E69F00": "c",
    "56B4E9": "h",
}
COLOURED = re.compile(rf'style="color: #({"|".join(GATES)});"', re.I)
# One letter of MathJax's HTML, and the rule that says which sign that is.
LETTER = re.compile(r'<mjx-c class="(mjx-c[0-9A-F]+)')
SIGN = re.compile(r'(?<=mjx-c\.)(mjx-c[0-9A-F]+)[.\w-]*::before \{[^}]*content: "([^"]*)"')

# What belongs to a formula before it, and after it.
OPENS = re.compile(r"[(\[“‘]*$")
ENDS = re.compile(r"[.,;:!?)\]’”]*")

logger = logging.getLogger(__name__)


class Typesetter:
    """MathJax in a V8 of its own, which starts with the first formula.

    V8 lives in a thread of its own, since it would wait for ever for an event loop that runs in
    the thread of its caller, such as that of a browser under test.
    """

    @functools.cached_property
    def thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    @functools.cached_property
    def v8(self) -> MiniRacer:
        v8 = MiniRacer()
        parts = {name: (MATHJAX / f"{name}.js").read_text(encoding="utf-8") for name in PARTS}
        v8.eval(f"const parts = {json.dumps(parts)}; {START}")
        v8.eval((MATHJAX / "startup.js").read_text(encoding="utf-8"))
        v8.eval("MathJax.startup.promise.then(() => true)").get(timeout=60)
        v8.eval(TYPESET)
        return v8

    @functools.cache  # noqa: B019 (one lives as long as the build)
    def html(self, tex: str, display: bool) -> str:
        """Return a formula as HTML for a page; raise ValueError for TeX that is wrong."""
        html = COLOURED.sub(lambda m: f'class="gate-{GATES[m[1].upper()]}"', self(tex, display))
        if "<mjx-utext" in html:
            raise ValueError("it has a letter that MathJax's fonts lack")
        if display:  # on a phone it may scroll, which has to be possible by keyboard
            html = html.replace("<mjx-container ", '<mjx-container tabindex="0" ', 1)
        return re.sub(r' (?:mathcolor|data-mjx-\w+)="[^"]*"| unselectable="on"', "", html)

    @functools.cache  # noqa: B019
    def mathml(self, tex: str, display: bool) -> str:
        """Return a formula as MathML; raise ValueError for TeX that is wrong."""
        text = self(tex, display, "mathml")
        return for_readers(re.sub(r' data-mjx-\w+="[^"]*"|<!--.*?-->|\n *', "", text))

    def styles(self) -> str:
        """Return the rules that the HTML of formulas needs, for all letters that there are."""
        return self.call("styles")

    def close(self) -> None:
        if "v8" in vars(self):
            self.thread.submit(vars(self).pop("v8").close).result()
            vars(self).pop("thread").shutdown()

    def call(self, *args):
        """Call a function of JavaScript by its name, and return what it returns."""
        return self.thread.submit(lambda: self.v8.call(*args)).result()

    def __call__(self, tex: str, display: bool, kind: str = "chtml") -> str:
        done = self.call(kind, tex, display)
        if "error" in done:
            raise ValueError(done["error"])
        return done["html"]


def for_readers(mathml: str) -> str:
    """Return MathML with its colours as classes too, and with aligned columns.

    Browsers, and reading systems made of them, pass over `columnalign`, and take it as a style.
    """
    ET.register_namespace("", MATHML)
    root = ET.fromstring(mathml)
    for element in root.iter():
        letter = GATES.get(element.get("mathcolor", "").lstrip("#").upper())
        if letter:
            element.set("class", f"gate-{letter}")
        for row in element.findall(f"{{{MATHML}}}mtr"):
            sides = element.get("columnalign", "center").split()
            for cell, side in zip(row, itertools.cycle(sides), strict=False):
                cell.set("style", f"text-align: {side}; padding: 0.3em 0")
    return ET.tostring(root, encoding="unicode")


typesetter = Typesetter()


def typeset(builder: str, node: nodes.Node, tex: str, display: bool) -> str:
    """Return a formula for the builder of this name, or nothing, with a warning."""
    convert = typesetter.mathml if builder == "epub" else typesetter.html
    try:
        return convert(tex, display)
    except ValueError as error:
        logger.warning("this formula can't be typeset: %s: %s", error, tex, location=node)
        return ""


def of_a_block(node: nodes.math_block) -> str:
    r"""Return the TeX of a displayed formula, in which `\\` begins a new line."""
    tex = node.astext()
    if node["nowrap"] or r"\\" not in tex:
        return tex
    return rf"\begin{{split}}{tex}\end{{split}}"


def visit_math(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(typeset(self.builder.name, node, node.astext(), False) + "</span>")
    raise nodes.SkipNode


def visit_displaymath(self, node):
    # What is too wide scrolls; the theme lets the keyboard into a box of this other class.
    names = "math notranslate nohighlight pst-scrollable-table-container"
    self.body.append(self.starttag(node, "div", "", CLASS=names))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(typeset(self.builder.name, node, of_a_block(node), True) + "</div>\n")
    raise nodes.SkipNode


def keep_together(app, doctree, docname):
    """Let no line begin with the full stop, or end with the bracket, that belongs to a formula."""
    for node in list(doctree.findall(nodes.math)):
        parent, at = node.parent, node.parent.index(node)
        before = parent[at - 1] if at else None
        after = parent[at + 1] if at + 1 < len(parent) else None
        opens = OPENS.search(before)[0] if isinstance(before, nodes.Text) else ""
        ends = ENDS.match(after)[0] if isinstance(after, nodes.Text) else ""
        if opens or ends:
            whole = nodes.Text(opens), node.deepcopy(), nodes.Text(ends)
            parent[at] = nodes.inline("", "", *whole, classes=["unbroken"])
        if opens:
            parent[at - 1] = nodes.Text(before[: -len(opens)])
        if ends:
            parent[at + 1] = nodes.Text(after[len(ends) :])


def add_styles(app):
    if app.builder.format == "html" and app.builder.name != "epub":
        app.add_css_file("formulas.css")


def signs(css: str, letters: set[str]) -> set[int]:
    """Return the code points that the rules for these letters show."""
    shown = (text for name, text in SIGN.findall(css) if name in letters)
    plain = (re.sub(r"\\([0-9A-Fa-f]{2,6}) ?", lambda m: chr(int(m[1], 16)), s) for s in shown)
    return {ord(sign) for text in plain for sign in text}


def keep_signs(font: TTFont, unicodes: set[int], **more) -> None:
    """Take from a font all but these signs, without a word."""
    # It tells of each table; and accessible-pygments has whatever any module tells printed.
    getLogger("fontTools").setLevel("WARNING")
    options = Options(layout_features=[], **more)
    options.drop_tables += ["FFTM"]  # dates of FontForge, of which it would warn
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=unicodes)
    subsetter.subset(font)


def write_fonts(folder: Path, unicodes: set[int]) -> None:
    """Write those of MathJax's fonts that have some of these signs, with these alone."""
    folder.mkdir(exist_ok=True)
    for path in (MATHJAX / "output/chtml/fonts/woff-v2").glob("*.woff"):
        font = TTFont(path)
        if path.stem != "MathJax_Zero":
            keep_signs(font, unicodes, notdef_outline=True)
        font.save(folder / path.name)


def finish(app, exception):
    if not exception and app.builder.format == "html" and app.builder.name != "epub":
        static = Path(app.outdir) / "_static"
        css = typesetter.styles()
        (static / "formulas.css").write_text(css, encoding="utf-8")
        pages = (page.read_text(encoding="utf-8") for page in Path(app.outdir).rglob("*.html"))
        letters = {letter for page in pages for letter in LETTER.findall(page)}
        write_fonts(static / "formulas", signs(css, letters))
    typesetter.close()


def setup(app):
    app.add_html_math_renderer(
        "formulas", inline_renderers=(visit_math, None), block_renderers=(visit_displaymath, None)
    )
    app.connect("builder-inited", add_styles)
    app.connect("doctree-resolved", keep_together)
    # Before light_pages reads the style sheets.
    app.connect("build-finished", finish, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
