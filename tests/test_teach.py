"""The teacher's page: its minutes, questions, figures and exercises are those of the chapters."""

import json
import re
from pathlib import Path

CHAPTERS = Path(__file__).parents[1] / "chapters"
PAGE = (CHAPTERS / "teach_with_this_book.md").read_text(encoding="utf-8")


def cells(path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def prose(path) -> str:
    found = ("".join(c["source"]) for c in cells(path) if c["cell_type"] == "markdown")
    return " ".join("\n".join(found).split())


NOTEBOOKS = {int(path.name[:2]): path for path in sorted(CHAPTERS.glob("[0-9]*.ipynb"))}
PROSE = {number: prose(path) for number, path in NOTEBOOKS.items()}


def test_the_minutes_of_each_week_are_those_of_its_chapters():
    minutes = {n: int(re.search(r"takes about (\d+) minutes", t)[1]) for n, t in PROSE.items()}
    table = re.findall(r"^\| (\d+|all) \|(.*)\|$", PAGE, re.M)
    rows = [(week, [cell.strip() for cell in row.split("|")]) for week, row in table]
    weeks = [(int(week), row) for week, row in rows if week != "all" and len(row) == 6]
    (total,) = [row for week, row in rows if week == "all"]
    assert [week for week, _ in weeks] == [*range(1, 15)]
    for column, length in zip((0, 2, 4), (14, 10, 6), strict=True):
        read = [[int(n) for n in re.findall(r"\d+", row[column])] for _, row in weeks]
        sums = [row[column + 1] for _, row in weeks]
        assert sums == [str(sum(minutes[n] for n in chosen) or "") for chosen in read]
        assert [bool(chosen) for chosen in read] == [True] * length + [False] * (14 - length)
        chosen = [n for week in read for n in week]
        assert chosen == sorted(set(chosen))
        assert total[column + 1] == str(sum(minutes[n] for n in chosen))


def test_each_chapter_has_its_line_whose_words_and_names_are_its_own():
    section = PAGE.partition("## What to show and ask")[2].partition("\n## ")[0]
    lines = re.findall(r"^- \[\]\((\S+?)\): (.*?)(?=^- |\Z)", section, re.M | re.S)
    assert [name for name, _ in lines] == [path.name for path in NOTEBOOKS.values()]
    for number, (name, line) in enumerate(lines, 1):
        line = " ".join(line.split())
        (question,) = re.findall(r'"([^"]*)"', line)
        asked = PROSE[number].split("**Predict first")[1:]
        assert any(question in text[:1000] for text in asked), f"{name} doesn't ask: {question}"
        figures = re.findall(r"\{numref\}`([^`]*)`", line)
        source = "".join(json.dumps(cell["metadata"]) for cell in cells(NOTEBOOKS[number]))
        assert figures
        for figure in figures:
            assert f'"{figure}"' in source or f":name: {figure} " in PROSE[number], figure
        exercises = re.findall(r"\{ref\}`([^`]*)`", line)
        assert exercises
        for exercise in exercises:
            assert f":label: {exercise} " in PROSE[number], exercise


def test_each_project_is_an_exercise_of_the_book_and_the_points_make_100():
    everything = " ".join(PROSE.values())
    for exercise in re.findall(r"\{ref\}`([^`]*)`", PAGE):
        assert f":label: {exercise} " in everything, exercise
    assert sum(map(int, re.findall(r"^\| (\d+) \| [^|]*\|$", PAGE, re.M))) == 100
    assert len(re.findall(r"^\d\. \*\*", PAGE, re.M)) == 8
