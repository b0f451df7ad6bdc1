"""Sphinx extension: the number of a chapter wherever a reader meets it, its exercises included.

Sphinx numbers headings, figures, tables, equations and exercises by chapter. It leaves the number
out of a page's title, of the links to the chapter, of *previous* and *next*, and of search results:
here they get it. Solutions get addresses that stay, exercises a link to themselves, and a link to
what is folded opens it (`open_folds.js`).
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.directive import SolutionDirective, SolutionStartDirective
from sphinx_exercise.nodes import exercise_enumerable_node, solution_node


def renamed(title: nodes.title, before: str) -> nodes.title:
    """Return a copy of a title with `before` in front, whatever stood there in an earlier build."""
    copy = title.deepcopy()
    if copy.get("numbered"):
        copy.pop(0)
    if before:
        copy.insert(0, nodes.Text(before))
    copy["numbered"] = bool(before)
    copy.attributes.pop("secnumber", None)  # Sphinx's own, in some places
    return copy


def chapter(env, page: str) -> int | None:
    number = env.toc_secnumbers.get(page, {}).get("")
    return number[0] if number else None


def number_titles(app, env):
    """Write chapter numbers into the titles that links, the browser and the search show."""
    for page, title in env.titles.items():
        number = chapter(env, page)
        env.titles[page] = renamed(title, f"Chapter {number}: " if number else "")
        env.longtitles[page] = renamed(env.longtitles[page], f"{number}. " if number else "")
    return []


def number_found_titles(app):
    """Let a search name chapters and exercises as their pages do. An EPUB has no search."""
    if app.builder.indexer is None:
        return []
    for page, titles in app.builder.indexer._all_titles.items():
        exercises = app.env.toc_fignumbers.get(page, {}).get("exercise", {})
        for place, (title, anchor) in enumerate(titles):
            if anchor in exercises:
                number = ".".join(map(str, exercises[anchor]))
                _, bracket, named = title.removesuffix("#").partition(" (")
                titles[place] = (f"Exercise {number}{bracket}{named}", anchor)
            elif place == 0 and chapter(app.env, page):
                titles[place] = (app.env.longtitles[page].astext(), anchor)
    return []


class KeepsItsAddress:
    """A solution whose label, and so its address, is that of its exercise and `-solution`."""

    def run(self):
        self.options.setdefault("label", f"{self.arguments[0]}-solution")
        return super().run()


class Solution(KeepsItsAddress, SolutionDirective):
    pass


class SolutionStart(KeepsItsAddress, SolutionStartDirective):
    pass


class FinishTitles(SphinxPostTransform):
    """After sphinx-exercise has made the titles of exercises and solutions."""

    default_priority = 25

    def run(self):
        for node in self.document.findall(solution_node):
            # "Solution to" and a link that begins with a space, which is underlined.
            said, link = node.children[0].children[:2]
            first = link.children[0]
            node.children[0].replace(said, nodes.Text(said.astext().rstrip() + " "))
            link.replace(first, nodes.Text(first.astext().lstrip()))
        if self.app.builder.name == "html":
            for node in self.document.findall(exercise_enumerable_node):
                here = nodes.reference("", "#", internal=True, refid=node["ids"][0])
                here["classes"].append("headerlink")
                here["reftitle"] = "Link to this exercise"
                node.children[0] += here


def setup(app):
    # After Sphinx has counted, and before it says what must be written again.
    app.connect("env-get-updated", number_titles, priority=900)
    app.connect("html-collect-pages", number_found_titles)
    app.add_directive("solution", Solution, override=True)
    app.add_directive("solution-start", SolutionStart, override=True)
    app.add_post_transform(FinishTitles)
    app.add_js_file("open_folds.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
