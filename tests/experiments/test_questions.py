"""Questions: they are of experiments there are, and answers are those of the rules."""

import math

import pytest
from test_runs import SMALL

from lstm_lesson.experiments import questions
from lstm_lesson.experiments.questions import (
    QUESTIONS,
    Claim,
    claims,
    experiments_of,
    print_claims,
    question,
    times,
)
from lstm_lesson.experiments.rules import Verdict, judge
from lstm_lesson.experiments.specs import EXPERIMENTS, experiment
from lstm_lesson.experiments.statistics import Arm
from lstm_lesson.experiments.trials import trial

EVERY = [one for page in QUESTIONS.values() for asked in page.values() for one in asked]


@pytest.mark.parametrize("one", EVERY)
def test_a_question_is_about_arms_of_the_experiments_that_it_names(one):
    names = experiments_of(one)
    settings = [s for name in names for s in experiment(name).plan.settings]
    known = [(s.arm, s.task, s.T) for s in settings]
    assert {tuple(one[side]) for side in "ab" if side in one} <= {*known}
    assert len({*known}) == len(known)  # so that it is clear whose arm is meant
    assert one["a"] != one.get("b")
    assert ("b" in one) == (one["kind"] != "share")
    if "field" in one:
        assert all(one["field"] in experiment(name).outcome._fields for name in names)


def test_no_question_is_asked_twice_on_a_page():
    for page in QUESTIONS.values():
        asked = [str(one) for conditions in page.values() for one in conditions]
        assert len(set(asked)) == len(asked)


OUTCOME = trial(SMALL._replace(steps=1))


def arm(**fields):
    outcomes = [
        OUTCOME._replace(**dict(zip(fields, values, strict=True)))
        for values in zip(*fields.values(), strict=True)
    ]
    return Arm("LSTM", "adding", 5, 0.01, (0.01,), (SMALL,) * len(outcomes), tuple(outcomes))


def test_what_an_entry_asks():
    a, b = arm(solved_at=[0, 80], test_loss=[0.5, math.nan]), arm(
        solved_at=[8, 16], test_loss=[0.1, 0.2]
    )  # fmt: skip
    assert times(a) == (math.inf, 80)
    asked = question({"kind": "sooner"}, a, b)
    assert (asked.a, asked.b, asked.first) == ((math.inf, 80), (8, 16), 8)
    asked = question({"kind": "lower"}, a, b)
    assert (asked.a, asked.b, asked.factor) == ((0.5, math.inf), (0.1, 0.2), 1)
    assert question({"kind": "lower", "factor": 5}, a, b).factor == 5
    asked = question({"kind": "higher", "field": "score"}, arm(score=[0.2, 1.0]), arm(score=[0, 0]))
    assert asked.a == (-0.2, -1.0)
    high, low = arm(score=[0.8, 0.9, 0.7] * 3), arm(score=[0.1, 0.3, 0.2] * 3)
    entry = {"kind": "higher", "field": "score"}
    assert judge({1: question(entry, high, low)})[1].word == "holds"
    assert judge({1: question(entry, low, high)})[1].word == "fails"
    assert question({"kind": "share", "share": 0.5}, a).samples == ((False, True),)
    assert question({"kind": "lower", "field": "score"}, low, high).a == (0.1, 0.3, 0.2) * 3
    entry = {"kind": "below", "field": "score", "share": 0.5}
    assert question(entry, low, arm(score=[0.3])).samples == ((True, False, True) * 3,)
    with pytest.raises(ValueError, match="kind"):
        question({"kind": "nicer"}, a, b)


def test_a_page_is_judged_together_from_its_rows(tmp_path, monkeypatch):
    early, late = (arm(solved_at=list(range(k, k + 160, 8))) for k in (8, 400))
    arms = {("LSTM", "adding", 5): early, ("RNN", "adding", 5): late}
    entry = {"kind": "sooner", "experiment": "some", "a": ["LSTM", "adding", 5]}
    entry |= {"b": ["RNN", "adding", 5]}
    page = {"Sooner.": [entry], "Later.": [entry | {"a": entry["b"], "b": entry["a"]}]}
    monkeypatch.setitem(QUESTIONS, "99", page)

    class Some:
        def reported(self, folder):
            return arms

    monkeypatch.setitem(EXPERIMENTS, "some", Some())
    found = claims("99")
    assert {claim: found[claim].word for claim in page} == {"Sooner.": "holds", "Later.": "fails"}
    (verdict,) = found["Sooner."].verdicts.values()
    assert verdict.level == 0.025  # one of two
    page["Being made."] = [entry | {"experiment": "second/other"}]
    assert claims("99") == found
    monkeypatch.setitem(EXPERIMENTS, "second/other", Some())
    assert claims("99", made=False)["Being made."].word == "holds"
    page["Of two."] = [entry | {"experiment": ["some", "second/other"]}]
    assert claims("99") == found
    page["Of two."] = [entry | {"experiment": ["some", "some"]}]
    assert claims("99")["Of two."].word == "holds"
    del arms["RNN", "adding", 5]
    with pytest.raises(LookupError, match="some: rows are missing"):
        claims("99")
    with pytest.raises(ValueError, match="page"):
        questions.claims("98")


def test_claims_are_printed_with_their_words_under_them(capsys):
    held, failed = (Verdict(word, 0.01, 0.025, 1.0, True) for word in ("holds", "fails"))
    both = {
        (("LSTM", "adding", 5), ("RNN", "adding", 5)): held,
        (("LSTM", "marked_value", 50), ("RNN", "marked_value", 50)): failed,
    }
    found = {
        "An LSTM learns sooner than a plain RNN does.": Claim("depends on", both),
        "Most runs of an LSTM solve it.": Claim("holds", {(("LSTM", "adding", 5),): held}),
    }
    print_claims(found)
    short = capsys.readouterr().out.splitlines()
    assert short == [
        "An LSTM learns sooner than a plain RNN does.",
        "    DEPENDS ON",
        "Most runs of an LSTM solve it.",
        "    HOLDS",
    ]
    print_claims(found, lambda a, b: f"{a[1]} {a[2]}")  # isn't asked about a single condition
    assert capsys.readouterr().out.splitlines() == [
        *short[:2],
        "  adding 5         holds",
        "  marked_value 50  fails",
        *short[2:],
    ]
    print_claims({"a b " * 20: Claim("no data", {})})
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 44
