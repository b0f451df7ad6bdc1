"""The card of the repeated experiments of 1997: its verdicts and what it says of the rows."""

from types import SimpleNamespace

import pytest

from lstm_lesson.experiments.repeat_1997 import report
from lstm_lesson.experiments.repeat_1997.specs import REPEAT_1997
from lstm_lesson.experiments.statistics import Arm


def arm(*solved_at, task="adding_1997"):
    """Return an arm whose runs took so many sequences; 0 for one that failed."""
    outcomes = tuple(
        SimpleNamespace(
            solved_at=n, solved=n > 0, wrong=3 if n else 999, tested=2560, parameters=1234
        )
        for n in solved_at
    )
    specs = (SimpleNamespace(budget=200_000),) * len(solved_at)
    return Arm("LSTM", task, 100, 0.01, (0.01,), specs, outcomes)


@pytest.mark.parametrize(
    ("solved", "verdict"), [(10, "learned"), (9, "learned"), (8, "at times"), (1, "at times")]
)
def test_nine_of_ten_are_enough(solved, verdict):
    assert report.learned(arm(*[50] * solved, *[0] * (10 - solved))) == verdict


def test_none_says_nothing_beyond_the_budget():
    assert report.learned(arm(*[0] * 10)) == "not within 200,000 sequences"


def test_cost_is_by_the_interval_of_the_median():
    ten = arm(*range(100, 110))
    assert report.cost(ten, 45) == "more"
    assert report.cost(ten, 100) == "as many"
    assert report.cost(ten, 205) == "as many"
    assert report.cost(ten, 230) == "fewer"
    assert report.cost(arm(*[100] * 4, *[0] * 6), 50) == "as many"  # the interval has no end
    assert report.until_learned(arm(*[100] * 4, *[0] * 6)).value == float("inf")


def test_the_mean_is_of_the_runs_that_solved_it():
    assert report.mean_of_solved(arm(100, 0, 300)) == 200
    assert report.mean_of_solved(arm(0, 0)) == float("inf")


def test_a_difference_is_shown_if_the_intervals_lie_apart():
    none, few, many = arm(*[0] * 10), arm(*[9] * 3, *[0] * 7), arm(*[9] * 9, 0)
    assert report.shown(none, many)
    assert not report.shown(few, many.__class__(*many[:-1], few.outcomes))
    assert not report.shown(none, few)
    assert not report.shown(many, none)


def test_what_is_asked_is_of_arms_that_are_run():
    run = {(spec.task, spec.arm) for spec in REPEAT_1997.specs}
    asked = [(task, arm) for task, *arms in report.ASKED.values() for arm in arms]
    assert set(asked) <= run
    few, many = arm(*[9] * 2, *[0] * 8), arm(*[9] * 10)
    for more, word in ((few, "undecided"), (many, "holds")):
        picked = {
            (n, task): (more if n in [a[2] for a in report.ASKED.values()] else few)._replace(
                arm=n, task=task
            )
            for task, n in asked
        }
        assert word in report.answers(picked).values()
    turned = {
        (n, task): (many if n == "no peepholes" else few)._replace(arm=n, task=task)
        for task, n in asked
    }
    assert report.answers(turned)["Peepholes help."] == "fails"


def test_a_card_says_what_is_in_the_rows():
    key = ("LSTM", "adding_1997", 100)
    machines = {REPEAT_1997.chosen(only=["task=adding_1997"])[0]: SimpleNamespace(seconds=90.0)}
    text = report.card("adding_1997", {key: arm(*[8000] * 9, 0)}, machines)
    assert "4, adding" in text
    assert "74,000" in text
    assert "  rate 0.01: 9 of 10, wrong 3 of 2,560\n" in text
    assert "  mean 8,000, median 8,000 [8,000, 8,000]\n" in text
    assert "  learned, fewer sequences\n" in text
    assert "1.5 minutes" in text
    nothing = report.card("adding_1997", {key: arm(*[0] * 10)}, machines)
    assert "LSTM: 1,234 weights\n  rate 0.01: 0 of 10\n  not within 200,000 sequences\n" in nothing


def test_every_published_task_is_run():
    assert set(report.PUBLISHED) <= {spec.task for spec in REPEAT_1997.specs}
