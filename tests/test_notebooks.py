"""The rules that every chapter keeps, as one pure function, and a proof that each rule fires."""

import copy
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
WIDTH = tomllib.loads((ROOT / "chapters" / "ruff.toml").read_text())["line-length"]

# What a reader waits for, before compression; parts with many points are drawn `rasterized=True`.
MOST_OF_A_DRAWING = 250_000

BEFORE = ["What you'll do", "What you'll learn", "What you'll need"]
AFTER = ["Summary", "Exercises", "Further reading"]

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
    if parts[:3] != BEFORE:
        found.append(f"skeleton: the first sections are {BEFORE}, not {parts[:3]}")
    if parts[-3:] != AFTER:
        found.append(f"skeleton: the last sections are {AFTER}, not {parts[-3:]}")
    if len(parts) < 7:
        found.append("skeleton: no section between What you'll need and Summary")
    return found


def code_violations(cells) -> list[str]:
    found = []
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    counts = [cell.get("execution_count") for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts are not 1..{len(code)}: {counts}")
    if not any(cell["outputs"] for cell in code):
        found.append("stripped: no cell has an output")
    in_a_row = 0
    for number, cell in enumerate(cells):
        in_a_row = in_a_row + 1 if cell["cell_type"] == "code" else 0
        if in_a_row == 3:
            found.append(f"cell {number}: three code cells in a row")
    for cell in code:
        where = f"In [{cell.get('execution_count')}]"
        source = text(cell["source"])
        if not source.strip():
            found.append(f"{where}: empty code cell")
        if len(source.splitlines()) > 40:
            found.append(f"{where}: more than 40 lines")
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
            if "image/svg+xml" in data and "image/png" not in data:
                found.append(f"{where}: an SVG picture without the PNG that tests compare")
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
    if not 3 <= number <= 5:
        found.append(f"exercises: 3 to 5 are wanted, there are {number}")
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


def prediction_violations(cells) -> list[str]:
    prose = "\n".join(text(c["source"]) for c in cells if c["cell_type"] == "markdown")
    number = prose.count("**Predict first")
    wanted = "predictions: 3 to 6 **Predict first** are wanted"
    return [] if 3 <= number <= 6 else [f"{wanted}, there are {number}"]


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
        + code_violations(cells)
        + output_violations(cells)
        + exercise_violations(cells)
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


def test_chapter_is_in_the_table_of_contents_under_its_number_and_title(chapter):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    entries = {e["file"]: e.get("title") for part in toc["parts"] for e in part["chapters"]}
    cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
    title = headings(cells)[0][1]
    assert entries[f"chapters/{chapter.stem}"] == f"{int(chapter.stem[:2])}. {title}"


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


def picture(kind="image/png"):
    return {"output_type": "display_data", "data": {kind: "aGk=", "text/plain": "<Figure>"}}


FIGURE = {"mystnb": {"image": {"alt": "A line."}, "figure": {"caption": "Up.", "name": "fig-up"}}}


def good_notebook() -> dict:
    cells = [
        markdown("# Add two numbers\n\nHello." + 3 * "\n\n**Predict first.** Is it 2?"),
        markdown("## What you'll do\n\nAdd."),
        markdown("## What you'll learn\n\n- adding\n"),
        markdown("## What you'll need\n\n- a minute"),
        markdown("## Add\n\n### By hand\n\n```python\n# not a heading\n```"),
        code(1, "print(1 + 1)", stream("2\n")),
        code(2, "plt.plot(x)\nplt.show()", picture(), **FIGURE),
        markdown("## Summary\n\nAdded."),
        markdown("## Exercises"),
    ]
    for n in (1, 2, 3):
        cells += [
            markdown(f"```{{exercise}} Task {n}\n:label: ex-{n}\n\nAdd.\n\n**Hint.** Add.\n```"),
            markdown(f"```{{solution-start}} ex-{n}\n:class: dropdown\n```"),
            code(n + 2, f"print({n})", stream(f"{n}\n")),
            markdown("```{solution-end}\n```"),
        ]
    cells.append(markdown("## Further reading\n\nNone."))
    return {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}}


def set_source(number, source):
    return lambda nb: nb["cells"][number].update(source=source)


def set_output(printed_text, name="stdout"):
    return lambda nb: nb["cells"][5].update(outputs=[stream(printed_text, name)])


def without(part, key):
    return lambda nb: nb["cells"][6]["metadata"]["mystnb"][part].pop(key)


BREAKS = {
    "another kernel": (lambda nb: nb["metadata"]["kernelspec"].update(name="py312"), "kernelspec"),
    "no kernel": (lambda nb: nb["metadata"].clear(), "kernelspec"),
    "two titles": (set_source(7, "# Summary\n\n## Summary"), "exactly one title"),
    "no title": (set_source(0, "Hello."), "exactly one title"),
    "no opening part": (set_source(2, "Learn."), "first sections"),
    "opening in another order": (
        lambda nb: nb["cells"].insert(1, nb["cells"].pop(2)),
        "first sect",
    ),
    "no summary": (set_source(7, "Added."), "last sections"),
    "nothing after further reading": (
        lambda nb: nb["cells"].append(markdown("## More")),
        "last sections",
    ),
    "no body": (set_source(4, "Add."), "no section between"),
    "not run in order": (lambda nb: nb["cells"][5].update(execution_count=9), "execution counts"),
    "not run": (lambda nb: nb["cells"][5].update(execution_count=None), "execution counts"),
    "all stripped": (
        lambda nb: [c.update(outputs=[]) for c in nb["cells"] if c["cell_type"] == "code"],
        "stripped",
    ),
    "one stripped": (lambda nb: nb["cells"][5].update(outputs=[]), "has no output"),
    "three code cells in a row": (
        lambda nb: nb["cells"].insert(7, code(3, "x = 1")),
        "three code cells",
    ),
    "empty cell": (set_source(5, " \n"), "empty code cell"),
    "long cell": (set_source(5, "x = 1\n" * 41), "more than 40 lines"),
    "Sphinx in the kernel": (set_source(5, "from myst_nb import glue\nprint(1)"), "the package"),
    "file beside the clone": (set_source(5, 'print(open("../README.md"))'), "the package"),
    "wide line": (set_source(5, f"print(1){'  # one':>{WIDTH}}"), "characters"),
    "path": (set_output("saved /home/ann/run.csv"), "absolute path"),
    "Windows path": (set_output(r"saved C:\run.csv"), "absolute path"),
    "address": (set_output("<function f at 0x7f3a5c0d1e50>"), "memory address"),
    "duration": (set_output("took 3.2 ms"), "a time"),
    "time of day": (set_output("done at 12:30:05"), "a time"),
    "warning": (set_output("UserWarning: careful"), "a warning"),
    "progress bar": (set_output(" 40%|####      "), "progress bar"),
    "long float": (set_output("0.12345678"), "6 decimals"),
    "long float glued": (
        lambda nb: nb["cells"][5]["outputs"].append(
            {
                "output_type": "display_data",
                "data": {"application/papermill.record/text/plain": "0.12345678"},
            }
        ),
        "6 decimals",
    ),
    "stderr": (set_output("careful", name="stderr"), "stderr"),
    "error": (
        lambda nb: nb["cells"][5].update(
            outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
        ),
        "an error",
    ),
    "SVG alone": (lambda nb: nb["cells"][6].update(outputs=[picture("image/svg+xml")]), "PNG"),
    "large drawing": (
        lambda nb: nb["cells"][6]["outputs"][0]["data"].update({"image/svg+xml": 300_000 * "M"}),
        "a drawing of more than",
    ),
    "no alt": (without("image", "alt"), "without alt text"),
    "no caption": (without("figure", "caption"), "without caption"),
    "no figure name": (without("figure", "name"), "without name"),
    "too few exercises": (lambda nb: nb["cells"].__delitem__(slice(9, 13)), "3 to 5"),
    "no label": (set_source(9, "```{exercise}\n\nAdd. **Hint.** Add.\n```"), "needs a :label:"),
    "no solution": (lambda nb: nb["cells"].pop(10), "do not match"),
    "no hint": (set_source(9, "```{exercise} Task 1\n:label: ex-1\n\nAdd.\n```"), "needs a hint"),
    "no predictions": (set_source(0, "# Add two numbers\n\nHello."), "there are 0"),
    "open solution": (set_source(10, "```{solution-start} ex-1\n```"), "is a dropdown"),
}


def test_a_good_notebook_breaks_no_rule():
    assert violations(good_notebook()) == []


@pytest.mark.parametrize("broken", BREAKS)
def test_each_rule_fires(broken):
    breaks, message = BREAKS[broken]
    notebook = copy.deepcopy(good_notebook())
    breaks(notebook)
    assert any(message in violation for violation in violations(notebook)), violations(notebook)
