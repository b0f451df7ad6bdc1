"""Verdicts, computed by two programs that share no code, are the same words."""

from pathlib import Path

import pytest
import verdicts

from lstm_lesson.experiments.questions import QUESTIONS, claims


def test_the_other_program_imports_nothing_of_the_package():
    assert "lstm_lesson." not in Path(verdicts.__file__).read_text("utf-8").replace(
        "lstm_lesson/experiments/questions.json", ""
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", QUESTIONS)
def test_both_give_every_question_the_same_word(page):
    ours, theirs = claims(page), verdicts.judge(QUESTIONS[page])
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


def test_a_case_by_hand():
    assert verdicts.tails([1.0, 2.0], [3.0, verdicts.NEVER]) == (pytest.approx(1 / 6), 1)
    assert verdicts.tails([1.0, 2.0], [2.0, 3.0]) == (pytest.approx(1 / 3), 1)
    assert verdicts.tails([verdicts.NEVER] * 3, [verdicts.NEVER] * 3) is None
    assert verdicts.word(verdicts.answer([[True] * 10], 0.5), 0.05) == "holds"
    assert verdicts.word(verdicts.answer([[False] * 10], 0.5), 0.05) == "fails"
