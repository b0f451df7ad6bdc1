"""The rules that every chapter keeps, as one pure function, and a proof that each rule fires."""

import ast
import copy
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from run_chapters import computed_texts

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
WIDTH = tomllib.loads((ROOT / "chapters" / "ruff.toml").read_text())["line-length"]

# What a reader waits for, before compression; parts with many points are drawn `rasterized=True`.
MOST_OF_A_DRAWING = 250_000

BOX = re.compile(r"^```{admonition} In this chapter\n:class: chapter-box\n(.*?)^```", re.M | re.S)
AFTER = "Summary, [Check yourself,] Exercises, [Second reading,] Further reading"
ENDS = re.compile(
    r"(?:^|; )Summary(?:; Check yourself)?; Exercises(?:; Second reading)?; Further reading$"
)

# What differs from one machine or one run to the next, and what no reader wants to see.
NOISE = {
    "an absolute path": re.compile(
        r"(?<![\w.:/])/(?:home|root|tmp|work|usr|opt|Users|mnt)/|[A-Z]:\\"
    ),
    "a memory address": re.compile(r"\b0x[0-9a-fA-F]{6,}"),
    "a time": re.compile(
        r"\b\d+(?:\.\d+)? ?(?:ns|µs|us|ms|it/s|s/it|seconds?)\b|\b\d{1,2}:\d\d:\d\d\b"
        r"|\b20\d\d-\d\d-\d\d\b|(?i:wall time|elapsed)"
    ),
    "a warning": re.compile(r"\b\w*Warning\b"),
    "a progress bar": re.compile(r"\r|█|\d+%\|"),
    "a float of more than 6 decimals": re.compile(r"\d\.\d{7,}"),
}


WIDGET = "application/vnd.jupyter.widget-view+json"


def text(value) -> str:
    return value if isinstance(value, str) else "".join(value)


def printed(cell) -> str:
    """Everything a cell shows as text, and what it glues into the prose: nbval compares both."""
    parts = []
    for output in cell["outputs"]:
        parts.append(text(output.get("text", "")))
        parts += [text(v) for k, v in output.get("data", {}).items() if "text/" in k]
    return "\n".join(parts)


def headings(cells) -> list[tuple[int, str]]:
    """(level, title) of each heading in the prose; what stands in a fence is no heading."""
    found = []
    for cell in cells:
        if cell["cell_type"] == "markdown":
            prose = re.sub(r"^(`{3,}|:{3,}).*?^\1", "", text(cell["source"]), flags=re.M | re.S)
            for marks, title in re.findall(r"^(#+) +(.+?) *$", prose, flags=re.M):
                found.append((len(marks), title.replace("\u2019", "'")))
    return found


def skeleton_violations(cells) -> list[str]:
    found = []
    titles = headings(cells)
    if [level for level, _ in titles].count(1) != 1 or titles[0][0] != 1:
        found.append("skeleton: exactly one title (#), before any other heading")
    parts = [title for level, title in titles if level == 2]
    if not ENDS.search("; ".join(parts)):
        found.append(f"skeleton: the last sections are {AFTER}, not {', '.join(parts[-5:])}")
    if len(parts) < 4:
        found.append("skeleton: no section before Summary")
    return found


def opening_violations(cells) -> list[str]:
    """What stands before the first section: the question, a picture, one compact box."""
    found, opening = [], []
    for cell in cells:
        opening.append(cell)
        if cell["cell_type"] == "markdown" and re.search(r"^## ", text(cell["source"]), re.M):
            break
    prose = "\n\n".join(text(c["source"]) for c in opening if c["cell_type"] == "markdown")
    prose = re.split(r"^## ", prose, flags=re.M)[0]
    boxes = BOX.findall(prose)
    if len(boxes) != 1:
        found.append(f"opening: one box *In this chapter* is wanted, there are {len(boxes)}")
    for box in boxes:
        for words in ("You will be able to\n\n- ", "**You need**", "minutes"):
            if words not in box:
                found.append(f"opening: the box does not say {words.strip()!r}")
        if len(box.split()) > 150:
            found.append(f"opening: {len(box.split())} words in the box, which is to be compact")
    lead = re.sub(r"^(`{3,}|:{3,}).*?^\1|^#.*?$", "", prose, flags=re.M | re.S)
    if not 10 <= len(lead.split()) <= 70:
        found.append(f"opening: one or two sentences are wanted, not {len(lead.split())} words")
    shown = [kind for c in opening for o in c.get("outputs", []) for kind in o.get("data", {})]
    if not {"image/png", WIDGET} & {*shown} and not re.search(r"^[`:]{3,}\{figure", prose, re.M):
        found.append("opening: no picture before the first section")
    return found


def checks(node: ast.AST) -> tuple[bool, bool]:
    """Whether code asserts something, and whether it glues numbers into the prose."""
    called = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    names = [getattr(f, "id", getattr(f, "attr", "")) for f in called]
    asserts = any(isinstance(n, ast.Assert) for n in ast.walk(node))
    return asserts or any(n.startswith("assert_") for n in names), "glue" in names


def variables(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names that a cell sets, and names that it reads without having set them."""
    nodes = [*ast.walk(tree)]
    named = [n for n in nodes if isinstance(n, ast.Name)]
    stored = {n.id for n in named if isinstance(n.ctx, ast.Store)}
    made = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    bound = {n.arg for n in nodes if isinstance(n, ast.arg)}
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for n in nodes
        if isinstance(n, ast.Import | ast.ImportFrom)
        for alias in n.names
    }
    sets = stored | made | imported
    return sets, {n.id for n in named if isinstance(n.ctx, ast.Load)} - sets - bound


def fold_violations(cells) -> list[str]:
    """What teaches is in sight, and plumbing is not; nothing that is shown is lost."""
    found, known, gone, in_a_row = [], set(), {}, 0
    for cell in cells:
        if cell["cell_type"] == "markdown":
            in_a_row = 0
            continue
        where = f"In [{cell.get('execution_count')}]"
        tags = {*cell["metadata"].get("tags", [])}
        tree = ast.parse(text(cell["source"]))
        asserts, glues = checks(tree)
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
        shows = any("text" in output for output in cell["outputs"]) or any(
            not kind.startswith("application/papermill.record/") for kind in kinds
        )
        sets, reads = variables(tree)
        if "remove-cell" in tags and shows:
            found.append(f"{where}: remove-cell takes an output from the page")
        if tags & {"remove-cell", "remove-input"}:
            gone |= dict.fromkeys(sets - known, where)
            continue
        if "hide-output" in tags and "code_prompt_show" not in cell["metadata"].get("mystnb", {}):
            found.append(f"{where}: a folded output with the words of folded code")
        known |= sets
        in_a_row += "hide-input" not in tags
        if in_a_row == 4:
            found.append(f"{where}: four code cells in a row")
        found += [
            f"{where}: reads {name}, which a reader does not see in {gone[name]}"
            for name in sorted(reads & gone.keys() - known)
        ]
        if "hide-input" in tags:
            continue
        if glues:
            found.append(f"{where}: glue() in sight")
        if asserts != ("check" in tags):
            found.append(f"{where}: an assert in sight without the tag check, or the tag alone")
        if "image/png" in kinds:
            found.append(f"{where}: code in sight that draws")
        if all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body):
            found.append(f"{where}: nothing but imports in sight")
    return found


def code_violations(cells) -> list[str]:
    found = []
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    counts = [cell.get("execution_count") for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts are not 1..{len(code)}: {counts}")
    for cell, count in zip(code, counts, strict=True):
        if any(output.get("execution_count", count) != count for output in cell["outputs"]):
            found.append(f"execution counts: an output of In [{count}] has another")
    if not any(cell["outputs"] for cell in code):
        found.append("stripped: no cell has an output")
    for cell in code:
        where = f"In [{cell.get('execution_count')}]"
        source = text(cell["source"])
        if not source.strip():
            found.append(f"{where}: empty code cell")
        most = 60 if "hide-input" in cell["metadata"].get("tags", []) else 40
        if len(source.splitlines()) > most:
            found.append(f"{where}: more than {most} lines")
        if max(map(len, source.splitlines()), default=0) > WIDTH:
            found.append(f"{where}: a line of more than {WIDTH} characters")
        # nbval compares what is there: an output that was stripped is compared with nothing.
        if re.search(r"^(?:print\(|plt\.show\(|display\()", source, re.M) and not cell["outputs"]:
            found.append(f"{where}: prints or shows something, and has no output")
        if re.search(r"\bmyst_nb\b|['\"]\.\./", source):
            found.append(f"{where}: asks for more than the package, which a reader has alone")
    return found


def output_violations(cells) -> list[str]:
    found = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        where = f"In [{cell.get('execution_count')}]"
        shown = printed(cell)
        found += [
            f"{where}: {what} in an output" for what, pat in NOISE.items() if pat.search(shown)
        ]
        for output in cell["outputs"]:
            if output.get("name") == "stderr":
                found.append(f"{where}: output on stderr")
            if output["output_type"] == "error":
                found.append(f"{where}: an error as output")
            data = output.get("data", {})
            if ("image/svg+xml" in data) != ("image/png" in data):
                found.append(f"{where}: a picture needs an SVG, to show, and a PNG, to compare")
            if len(text(data.get("image/svg+xml", ""))) > MOST_OF_A_DRAWING:
                found.append(f"{where}: a drawing of more than {MOST_OF_A_DRAWING:,} bytes")
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            mystnb = cell["metadata"].get("mystnb", {})
            figure = mystnb.get("figure", {})
            for what, value in {
                "alt text": mystnb.get("image", {}).get("alt"),
                "caption": figure.get("caption"),
                "name": figure.get("name"),
            }.items():
                if not str(value or "").strip():
                    found.append(f"{where}: a picture without {what}")
    return found


def picture_violations(cells) -> list[str]:
    """A text of a picture that a cell computes is what stands there; `make run` puts it there."""
    return [
        f"pictures: {key} is {part.get(key)!r}, and was computed as {value!r}"
        for part, key, value in computed_texts(cells)
        if part.get(key) != value
    ]


def exercise_violations(cells) -> list[str]:
    prose = "\n".join(text(c["source"]) for c in cells if c["cell_type"] == "markdown")
    labels = re.findall(
        r"^[`:]{3,}\{exercise(?:-start)?\}[^\n]*\n(?:(?!:label:)[^\n]*\n)*?:label: *(\S+)",
        prose,
        re.M,
    )
    number = len(re.findall(r"^[`:]{3,}\{exercise(?:-start)?\}", prose, re.M))
    solved = re.findall(r"^[`:]{3,}\{solution(?:-start)?\} *(\S+)", prose, re.M)
    found = []
    if not 3 <= number <= 8:
        found.append(f"exercises: 3 to 8 are wanted, there are {number}")
    if len(labels) != number:
        found.append("exercises: each needs a :label:")
    if sorted(labels) != sorted(solved):
        found.append(f"exercises: {sorted(labels)} and solutions {sorted(solved)} do not match")
    if len(re.findall(r"\bhint\b", prose, re.I)) < number:
        found.append("exercises: each needs a hint")
    if prose.count("{solution") - prose.count("{solution-end}") > len(
        re.findall(r"^:class:.*\bdropdown\b", prose, re.M)
    ):
        found.append("exercises: each solution is a dropdown (:class: dropdown)")
    return found


def self_test_violations(cells) -> list[str]:
    prose = "\n".join(text(c["source"]) for c in cells if c["cell_type"] == "markdown")
    found = []
    for part in re.findall(r"^## Check yourself$(.*?)^## ", prose, re.M | re.S):
        questions = re.findall(r"^\*\*(\d+)\.\*\*", part, re.M)
        answers = part.count(":::{dropdown} Answer")
        if questions != [str(n) for n in range(1, len(questions) + 1)] or len(questions) != 5:
            found.append(f"check yourself: five questions are wanted, not {questions}")
        if answers != len(questions):
            found.append(f"check yourself: {answers} folded answers to {len(questions)} questions")
    return found


def prediction_violations(cells) -> list[str]:
    prose = "\n".join(text(c["source"]) for c in cells if c["cell_type"] == "markdown")
    number = prose.count("**Predict first")
    wanted = "predictions: 3 to 8 **Predict first** are wanted"
    found = [] if 3 <= number <= 8 else [f"{wanted}, there are {number}"]
    # From one prediction to the next, or to the end, the first answer is folded.
    folds = [":::{dropdown} Answer"] + [f"<{tag}>" for tag in ("hide-output", "hide-cell")]
    page = "\n".join(
        text(c["source"])
        if c["cell_type"] == "markdown"
        else "".join(f"<{tag}>" for tag in c["metadata"].get("tags", []))
        for c in cells
    )
    for place, part in enumerate(page.split("**Predict first")[1:], 1):
        if not any(fold in re.split(r"^## ", part, flags=re.M)[0] for fold in folds):
            found.append(f"predictions: the answer to number {place} is not folded")
    return found


def violations(notebook: dict) -> list[str]:
    """Return what `notebook` (parsed JSON) breaks of the chapter rules; empty when none."""
    cells = notebook["cells"]
    found = (
        []
        if notebook["metadata"].get("kernelspec", {}).get("name") == "python3"
        else ["kernelspec: the kernel must be python3"]
    )
    return (
        found
        + skeleton_violations(cells)
        + opening_violations(cells)
        + fold_violations(cells)
        + code_violations(cells)
        + output_violations(cells)
        + picture_violations(cells)
        + exercise_violations(cells)
        + self_test_violations(cells)
        + prediction_violations(cells)
    )


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request) -> Path:
    return request.param


def test_there_are_forty_exercises_or_more():
    pages = [chapter.read_text(encoding="utf-8") for chapter in CHAPTERS]
    assert sum(page.count("{exercise-start}") for page in pages) >= 40


def test_chapter_keeps_the_rules(chapter):
    assert violations(json.loads(chapter.read_text(encoding="utf-8"))) == []


def test_the_table_of_contents_numbers_the_chapters_as_their_files_do():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    numbered = [e["file"] for part in toc["parts"] if "numbered" in part for e in part["chapters"]]
    assert numbered == [f"chapters/{path.stem}" for path in CHAPTERS]
    assert [int(path.stem[:2]) for path in CHAPTERS] == [*range(1, len(CHAPTERS) + 1)]


# ---- Each rule, broken on purpose ----


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(count, source, *outputs, **metadata):
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source,
    }


def stream(printed_text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": printed_text}


def picture(*kinds):
    data = dict.fromkeys(kinds or ("image/png", "image/svg+xml"), "aGk=")
    return {"output_type": "display_data", "data": data | {"text/plain": "<Figure>"}}


def glued(name, value):
    kept = {"name": name, "mime_prefix": "application/papermill.record/"}
    data = {"application/papermill.record/text/plain": repr(value)}
    return {"output_type": "display_data", "data": data, "metadata": {"scrapbook": kept}}


FIGURE = {"mystnb": {"image": {"alt": "A line."}, "figure": {"caption": "Up.", "name": "fig-up"}}}


HIDDEN = {"tags": ["hide-input"]}


def good_notebook() -> dict:
    box = (
        "```{admonition} In this chapter\n:class: chapter-box\n\nYou will be able to\n\n- add.\n\n"
        "**You need** nothing. It takes 5 minutes to read.\n```"
    )
    predictions = 3 * "\n\n**Predict first.** Is it 2?\n\n:::{dropdown} Answer\nYes.\n:::"
    cells = [
        markdown("# Add two numbers\n\nTwo numbers make a third: which one, and how do you know?"),
        code(1, "import numpy\n\nplt.plot(x)\nplt.show()", picture(), **FIGURE, **HIDDEN),
        markdown(box),
        markdown("## Add\n\n### By hand\n\n```python\n# not a heading\n```" + predictions),
        code(2, "sum = 1 + 1\nprint(sum)", stream("2\n")),
        code(3, "glue('sum', sum)\nassert sum == 2", tags=["remove-cell"]),
        code(4, "assert sum == numpy.add(1, 1)", tags=["check"]),
        markdown("## Summary\n\nAdded."),
        markdown("## Exercises"),
    ]
    for n in (1, 2, 3):
        cells += [
            markdown(f"```{{exercise}} Task {n}\n:label: ex-{n}\n\nAdd.\n\n**Hint.** Add.\n```"),
            markdown(f"```{{solution-start}} ex-{n}\n:class: dropdown\n```"),
            code(n + 4, f"print({n})", stream(f"{n}\n")),
            markdown("```{solution-end}\n```"),
        ]
    cells.append(markdown("## Further reading\n\nNone."))
    return {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}}


def set_source(number, source):
    return lambda nb: nb["cells"][number].update(source=source)


def set_output(printed_text, name="stdout"):
    return lambda nb: nb["cells"][4].update(outputs=[stream(printed_text, name)])


def tagged(number, *tags):
    return lambda nb: nb["cells"][number]["metadata"].update(tags=[*tags])


def replaced(number, old, new):
    return lambda nb: nb["cells"][number].update(
        source=nb["cells"][number]["source"].replace(old, new)
    )


def without(part, key):
    return lambda nb: nb["cells"][1]["metadata"]["mystnb"][part].pop(key)


def self_test(questions=5, answer=":::{dropdown} Answer"):
    asked = [f"**{n}.** Is it 2?\n\n{answer}\nYes.\n:::" for n in range(1, questions + 1)]
    return set_source(7, "\n\n".join(["## Summary\n\nAdded.\n\n## Check yourself", *asked]))


BREAKS = {
    "another kernel": (lambda nb: nb["metadata"]["kernelspec"].update(name="py312"), "kernelspec"),
    "no kernel": (lambda nb: nb["metadata"].clear(), "kernelspec"),
    "two titles": (set_source(7, "# Summary\n\n## Summary"), "exactly one title"),
    "no title": (set_source(0, "Hello."), "exactly one title"),
    "no box": (set_source(2, "Learn."), "there are 0"),
    "two boxes": (lambda nb: nb["cells"].insert(2, nb["cells"][2]), "there are 2"),
    "no aim": (replaced(2, "will be able", "learn"), "You will be able"),
    "no need": (replaced(2, "**You need**", "Know"), "You need"),
    "no minutes": (replaced(2, "minutes", "hours"), "minutes"),
    "long box": (replaced(2, "nothing", "it " * 150), "compact"),
    "no question": (set_source(0, "# Add two numbers"), "not 0 words"),
    "long question": (set_source(0, "# Add two numbers\n\n" + "Why? " * 71), "not 71 words"),
    "late picture": (lambda nb: nb["cells"].insert(3, nb["cells"].pop(1)), "no picture"),
    "no summary": (set_source(7, "Added."), "last sections"),
    "nothing after further reading": (
        lambda nb: nb["cells"].append(markdown("## More")),
        "last sections",
    ),
    "no body": (set_source(3, "Add."), "no section before"),
    "glue in sight": (tagged(5, "check"), "glue() in sight"),
    "assert in sight": (tagged(6), "an assert in sight"),
    "nothing checked": (tagged(4, "check"), "the tag alone"),
    "drawing in sight": (tagged(1), "code in sight that draws"),
    "imports in sight": (set_source(4, "import numpy"), "nothing but imports"),
    "output taken away": (tagged(4, "remove-cell"), "takes an output"),
    "output folded without a word": (tagged(4, "hide-output"), "the words of folded code"),
    "variable from nowhere": (
        lambda nb: (set_source(5, "total = sum")(nb), set_source(6, "assert total == 2")(nb)),
        "a reader does not see",
    ),
    "four code cells in a row": (
        lambda nb: [nb["cells"].insert(4, nb["cells"][4]) for _ in range(2)],
        "four code cells",
    ),
    "not run in order": (lambda nb: nb["cells"][4].update(execution_count=9), "execution counts"),
    "not run": (lambda nb: nb["cells"][4].update(execution_count=None), "execution counts"),
    "output of another run": (
        lambda nb: nb["cells"][4]["outputs"].append(
            {"output_type": "execute_result", "execution_count": 9, "data": {}}
        ),
        "has another",
    ),
    "all stripped": (
        lambda nb: [c.update(outputs=[]) for c in nb["cells"] if c["cell_type"] == "code"],
        "stripped",
    ),
    "one stripped": (lambda nb: nb["cells"][4].update(outputs=[]), "has no output"),
    "empty cell": (set_source(4, " \n"), "empty code cell"),
    "long cell": (set_source(4, "x = 1\n" * 41), "more than 40 lines"),
    "long folded cell": (set_source(1, "x = 1\n" * 61), "more than 60 lines"),
    "Sphinx in the kernel": (set_source(4, "from myst_nb import glue\nprint(1)"), "the package"),
    "file beside the clone": (set_source(4, 'print(open("../README.md"))'), "the package"),
    "wide line": (set_source(4, f"print(1){'  # one':>{WIDTH}}"), "characters"),
    "path": (set_output("saved /home/ann/run.csv"), "absolute path"),
    "Windows path": (set_output(r"saved C:\run.csv"), "absolute path"),
    "address": (set_output("<function f at 0x7f3a5c0d1e50>"), "memory address"),
    "duration": (set_output("took 3.2 ms"), "a time"),
    "time of day": (set_output("done at 12:30:05"), "a time"),
    "warning": (set_output("UserWarning: careful"), "a warning"),
    "progress bar": (set_output(" 40%|####      "), "progress bar"),
    "long float": (set_output("0.12345678"), "6 decimals"),
    "long float glued": (
        lambda nb: nb["cells"][4]["outputs"].append(
            {
                "output_type": "display_data",
                "data": {"application/papermill.record/text/plain": "0.12345678"},
            }
        ),
        "6 decimals",
    ),
    "stderr": (set_output("careful", name="stderr"), "stderr"),
    "error": (
        lambda nb: nb["cells"][4].update(
            outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
        ),
        "an error",
    ),
    "SVG alone": (
        lambda nb: nb["cells"][1].update(outputs=[picture("image/svg+xml")]),
        "a PNG, to compare",
    ),
    "PNG alone": (
        lambda nb: nb["cells"][1].update(outputs=[picture("image/png")]),
        "an SVG, to show",
    ),
    "old caption": (
        lambda nb: nb["cells"][5].update(outputs=[glued("fig-up-caption", "Down.")]),
        "was computed as",
    ),
    "large drawing": (
        lambda nb: nb["cells"][1]["outputs"][0]["data"].update({"image/svg+xml": 300_000 * "M"}),
        "a drawing of more than",
    ),
    "no alt": (without("image", "alt"), "without alt text"),
    "no caption": (without("figure", "caption"), "without caption"),
    "no figure name": (without("figure", "name"), "without name"),
    "late self-test": (set_source(8, "## Exercises\n\n## Check yourself"), "last sections"),
    "four questions": (self_test(questions=4), "five questions"),
    "open answers": (self_test(answer=":::{note}"), "0 folded answers"),
    "too few exercises": (lambda nb: nb["cells"].__delitem__(slice(9, 13)), "3 to 8"),
    "no label": (set_source(9, "```{exercise}\n\nAdd. **Hint.** Add.\n```"), "needs a :label:"),
    "no solution": (lambda nb: nb["cells"].pop(10), "do not match"),
    "no hint": (set_source(9, "```{exercise} Task 1\n:label: ex-1\n\nAdd.\n```"), "needs a hint"),
    "no predictions": (replaced(3, "Predict first", "Note"), "there are 0"),
    "open answer": (replaced(3, ":::{dropdown} Answer", ":::{note}"), "is not folded"),
    "open solution": (set_source(10, "```{solution-start} ex-1\n```"), "is a dropdown"),
}


def test_a_good_notebook_breaks_no_rule():
    notebook = good_notebook()
    assert violations(notebook) == []
    self_test()(notebook)
    assert violations(notebook) == []
    set_source(-1, "## Second reading\n\nMore.\n\n## Further reading\n\nNone.")(notebook)
    assert violations(notebook) == []


@pytest.mark.parametrize("broken", BREAKS)
def test_each_rule_fires(broken):
    breaks, message = BREAKS[broken]
    notebook = copy.deepcopy(good_notebook())
    breaks(notebook)
    assert any(message in violation for violation in violations(notebook)), violations(notebook)
