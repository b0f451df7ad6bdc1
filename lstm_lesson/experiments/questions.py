"""What is asked of the rows of the second edition: the claims of each page, as data.

They stand in ``questions.json``, which like the rules is committed before the rows that answer it:
page to claim to the questions of its conditions. A question names an experiment, or both if its
arms are of two, two arms as [arm, task, T], and whether runs of the first are to come ``sooner``,
``lower`` by their test loss, for which it may name a ``factor`` and another ``field``, or
``higher`` by a field. Or it names one arm, at least a ``share`` of whose runs is to solve the task;
or an arm and, as the second, a baseline that has a single run: a ``share`` of the runs of the first
is to lie ``below`` it by a field.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.experiments.rules import Share, Sooner, Verdict, judge, overall
from lstm_lesson.experiments.runs import CHECKS
from lstm_lesson.experiments.statistics import Arm

QUESTIONS = json.loads((Path(__file__).parent / "questions.json").read_text("utf-8"))


class Claim(NamedTuple):
    """What came of a claim."""

    word: str  # over all its conditions
    verdicts: dict[tuple, Verdict]  # of each question: its arms, each (arm, task, T)


def claims(page: str, folder=None, made: bool = True) -> dict[str, Claim]:
    """Return the claims of a page, judged together by rows in a folder, the book's by default.

    Those of an experiment that is being made, ``second/NAME``, are left out, unless `made` is
    False: then all are judged. Raises LookupError if rows are missing.
    """
    from lstm_lesson.experiments.specs import experiment  # which has these as well

    page, rows, asked = check_choice("page", page, QUESTIONS), {}, {}
    for claim, conditions in QUESTIONS[page].items():
        for one in conditions:
            names = experiments_of(one)
            if made and any(name.startswith("second/") for name in names):
                continue
            for name in names:
                if name not in rows:
                    rows[name] = experiment(name).reported(folder)
            known = {key: arm for name in names for key, arm in rows[name].items()}
            arms = tuple(tuple(one[side]) for side in "ab" if side in one)
            if not known.keys() >= {*arms}:
                wanted = " or ".join(map(str, arms))
                raise LookupError(f"{' and '.join(names)}: rows are missing of {wanted}")
            asked[claim, arms] = question(one, *(known[arm] for arm in arms))
    found: dict[str, dict] = {claim: {} for claim, _ in asked}
    for (claim, arms), verdict in judge(asked).items():
        found[claim][arms] = verdict
    return {
        claim: Claim(overall(v.word for v in verdicts.values()), verdicts)
        for claim, verdicts in found.items()
    }


def print_claims(found: dict[str, Claim], label: Callable[..., str] | None = None) -> None:
    """Print claims, each with its word under it in capitals, in lines of at most 44 letters.

    `label` names a condition by its arms, each (arm, task, T). With it, the verdicts of a claim
    that has several conditions follow under its word.
    """
    named = {
        (claim, arms): label(*arms)
        for claim, (_, verdicts) in found.items()
        for arms in verdicts
        if label and len(verdicts) > 1
    }
    width = max(map(len, named.values()), default=0)
    for claim, (word, verdicts) in found.items():
        print(textwrap.fill(claim, 44), f"    {word.upper()}", sep="\n")
        for arms, verdict in verdicts.items():
            if (claim, arms) in named:
                print(f"  {named[claim, arms]:{width}}  {verdict.word}")


def experiments_of(one: dict) -> list[str]:
    """Return the names of the experiments whose rows answer a question."""
    name = one["experiment"]
    return [name] if isinstance(name, str) else name


def question(one: dict, a: Arm, b: Arm | None = None) -> Sooner | Share:
    """Return the question that an entry asks of its arms."""
    kind = check_choice("kind", one["kind"], ("sooner", "lower", "higher", "share", "below"))
    if kind == "share":
        return Share(tuple(time < math.inf for time in times(a)), one["share"])
    if kind == "below":
        (level,) = b.values(one["field"])
        return Share(tuple(bool(v < level) for v in a.values(one["field"])), one["share"])
    if kind == "higher":
        sides = (tuple(-v for v in arm.values(one["field"]).tolist()) for arm in (a, b))
        return Sooner(*sides, first=-math.inf)  # no look before which all are tied
    if kind == "lower":
        losses = (arm.values(one.get("field", "test_loss")).tolist() for arm in (a, b))
        sides = (tuple(v if v < math.inf else math.inf for v in arm) for arm in losses)
        return Sooner(*sides, factor=one.get("factor", 1.0))
    first = a.specs[0].steps // CHECKS * a.specs[0].batch_size
    return Sooner(times(a), times(b), first=float(first))


def times(arm: Arm) -> tuple[float, ...]:
    """Return the sequences until each run solved its task, infinity for never."""
    return tuple(float(v) or math.inf for v in arm.values("solved_at").tolist())
