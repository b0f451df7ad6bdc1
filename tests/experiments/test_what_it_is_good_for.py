"""What `chapters/what_is_an_lstm_good_for.md` says of rows and claims is what stands there."""

import json
import re
from pathlib import Path

import pytest

CHAPTERS = Path(__file__).parents[2] / "chapters"
PAGE = (CHAPTERS / "what_is_an_lstm_good_for.md").read_text(encoding="utf-8")
GLANCE = (CHAPTERS / "results_at_a_glance.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \[(.+?)\]\(\./(.+?)#([\w-]+)\) \|.*\| (.+?) \|$", PAGE, re.M)
CLAIMS = re.findall(r"^\| (An LSTM .+?\.) \| (.+?) \|$", PAGE, re.M)
ALSO = [
    ("Chrono initialisation makes an LSTM learn sooner than a forget bias of 1.", "holds"),
    ("Attention classifies better than the last state.", "holds"),
    ("An LSTM goes on to 500 steps better than a GRU.", "depends on"),
]


def prose(name: str) -> str:
    cells = json.loads((CHAPTERS / name).read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def winners(name: str) -> list[tuple[str, str]]:
    """Return the tasks of the chapter's table "When is it worth it?", and who wins each."""
    section = prose(name).split("## When is it worth it?")[1]
    found, task = [], ""
    for row in re.findall(r"^\| (.+) \|$", section.split("\n\n## ")[0], re.M):
        cells = row.split(" | ")
        if len(cells) == 5 and cells[0] != "task":
            task = task if cells[0] == "the same" else cells[0]
            found.append((task, cells[3]))
    return found


def test_there_are_rows_and_claims():
    assert len(ROWS) == 12
    assert len(CLAIMS) == 5


@pytest.mark.parametrize(("task", "chapter", "section", "ahead"), ROWS)
def test_a_row_says_who_wins_as_its_chapter_does(task, chapter, section, ahead):
    assert section == "when-is-it-worth-it"
    assert [w for t, w in winners(chapter) if t == task and w.startswith(ahead)], winners(chapter)


def test_no_row_of_a_chapter_with_tasks_is_left_out():
    chapters = {chapter for _, chapter, _, _ in ROWS}
    tasks = {task for chapter in chapters for task, _ in winners(chapter)}
    assert tasks == {task for task, *_ in ROWS}


@pytest.mark.parametrize(("claim", "verdict"), CLAIMS + ALSO)
def test_a_claim_has_the_verdict_of_the_page_of_results(claim, verdict):
    rows = [line for line in GLANCE.splitlines() if line.startswith(f"| **{claim}** |")]
    assert [row.split("|")[-2].strip(" *") for row in rows] == [verdict]


def test_the_claims_in_prose_are_those_that_are_held():
    text = " ".join(PAGE.split()).lower()
    assert all(claim.rstrip(".").lower() in text for claim, _ in ALSO)


def test_every_section_that_is_linked_is_there():
    links = re.findall(r"\(\./(\w+\.ipynb)#([\w-]+)\)", PAGE)
    assert links
    for name, section in links:
        heads = re.findall(r"^##+ (.*)$", prose(name), re.M)
        slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]
        assert section in slugs, (name, section)
