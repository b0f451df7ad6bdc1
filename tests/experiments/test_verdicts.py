"""Verdicts, computed by two programs that share no code, are the same words."""

import functools
import itertools
import json
import re
from pathlib import Path

import pytest
import verdicts

from lstm_lesson.experiments.questions import QUESTIONS, claims
from lstm_lesson.experiments.rules import overall

ROOT = Path(__file__).parents[2]


@functools.cache
def _judged(page):
    """Return what each of the two programs finds; it takes long."""
    return claims(page), verdicts.judge(QUESTIONS[page])


def test_the_other_program_imports_nothing_of_the_package():
    assert "lstm_lesson." not in Path(verdicts.__file__).read_text("utf-8").replace(
        "lstm_lesson/experiments/questions.json", ""
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", QUESTIONS)
def test_both_give_every_question_the_same_word(page):
    ours, theirs = _judged(page)
    words = {}
    for claim, found in ours.items():
        for n, verdict in enumerate(found.verdicts.values()):
            words[claim, n] = verdict
    assert words.keys() == theirs.keys()
    for key, verdict in words.items():
        other = theirs[key]
        assert verdict.p == pytest.approx(other["p"])
        assert verdict.level == pytest.approx(other["level"])
        assert verdict.alone == other["alone"]
        # Two draws of 200: a share near the border may fall on either side.
        assert verdict.agreement == pytest.approx(other["agreement"], abs=0.08)
        if abs(other["agreement"] - 0.9) > 0.05:
            assert verdict.word == other["word"]


def _printed(claim, word):
    """Return a pattern of a claim and a word, over one line or several, and of what follows.

    Claims that differ in their last words alone may share a line that ends with a colon.
    """
    shared, _, last = claim.rstrip(".").rpartition(": ")
    words = r"\s+".join(map(re.escape, (shared or claim).split()))
    if shared:
        return rf"^{words}:\n(?:  .*\n)*?  {re.escape(last)}:?\s+{word}\b()"
    return rf"^{words}\s+{word}\b.*((?:\n  .*)*)"


@pytest.mark.slow
@pytest.mark.parametrize("page", QUESTIONS)
def test_the_pages_print_what_the_other_program_finds(page):
    """The chapter and the page of results: the claims' words, and those of their conditions."""
    ours, found = _judged(page)
    words = {}
    for (claim, n), verdict in found.items():
        assert verdict["word"] not in ("holds", "fails") or verdict["agreement"] >= 0.9
        word = verdict["word"]
        if abs(verdict["agreement"] - 0.9) < 0.05:  # two draws may fall on either side
            word = [*ours[claim].verdicts.values()][n].word
        words.setdefault(claim, []).append(word)
    if not words:  # its rows are being made, and maybe its chapter too
        return
    notebook = json.loads(
        next((ROOT / "chapters").glob(f"{int(page):02}_*.ipynb")).read_text("utf-8")
    )
    outputs = [o for cell in notebook["cells"] for o in cell.get("outputs", [])]
    printed = "\n".join("".join(output.get("text", "")) for output in outputs)
    glance = (ROOT / "chapters" / "results_at_a_glance.md").read_text("utf-8")
    for claim, each in words.items():
        whole = verdicts.together(each)
        in_chapter = re.search(_printed(claim, rf"({whole}|{whole.upper()})"), printed, re.M)
        assert in_chapter, (claim, whole)
        at_a_glance = re.search(
            rf"^\| \*\*{re.escape(claim)}\*\* \|.*\| \*\*{whole}\*\* \|$((?:\n\| [^*].*)*)",
            glance,
            re.M,
        )
        assert at_a_glance, (claim, whole)
        if len(each) > 1:
            assert re.findall(r"(holds|fails|undecided|no data)", in_chapter[2]) == each
            assert re.findall(r"(holds|fails|undecided|no data) \|$", at_a_glance[1], re.M) == each


def test_words_of_a_claim_are_put_together_as_by_the_package():
    for n in range(5):
        for words in itertools.product(("holds", "fails", "undecided", "no data"), repeat=n):
            assert verdicts.together([*words]) == overall(words)


def test_a_case_by_hand():
    assert verdicts.tails([1.0, 2.0], [3.0, verdicts.NEVER]) == (pytest.approx(1 / 6), 1)
    assert verdicts.tails([1.0, 2.0], [2.0, 3.0]) == (pytest.approx(1 / 3), 1)
    assert verdicts.tails([verdicts.NEVER] * 3, [verdicts.NEVER] * 3) is None
    assert verdicts.word(verdicts.answer([[True] * 10], 0.5), 0.05) == "holds"
    assert verdicts.word(verdicts.answer([[False] * 10], 0.5), 0.05) == "fails"
