"""The page *Results at a glance*, written from the rows and from what chapters have printed.

    python tests/glance.py          writes the tables into chapters/results_at_a_glance.md

The page's words stand in that file and stay; the tables between its marks are written anew. Those
of the second edition are computed from the rows; those of the first are what a chapter prints by
its own rule, read from its committed outputs. `tests/test_glance.py` holds the page to this.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lstm_lesson.experiments import questions, rules
from lstm_lesson.experiments.runs import CHECKS
from lstm_lesson.experiments.specs import experiment
from lstm_lesson.experiments.statistics import Interval, wilson

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "chapters" / "results_at_a_glance.md"
BEGIN, END = "<!-- {}: written by tests/glance.py -->", "<!-- end of {} -->"
# Where on its page a chapter tells of it; else its beginning.
SECTIONS = {
    "7": "race-them",
    "11": "ask-again-with-rates-of-their-own",
    "13": "train-short-test-long",
    "14": "look-at-every-run",
    "15": "test-the-thresholds",
    "16": "look-at-every-run",
    "19": "one-network-is-one-draw",
    "20": "now-the-lstm",
    "21": "which-differences-are-firm",
    "24": "many-runs-of-each",
}
EFFECTS = {
    "sooner": "factor between the sequences needed, below 1 if the first comes sooner",
    "lower": "factor between the test losses, below 1 if the first is lower",
    "higher": "difference, above 0 if the first is higher",
    "share": "share of the runs",
    "below": "share of the runs that are better than the baseline",
}


FOUR = ("rate", "signs", "marked")
FOUR_NAMES = {
    ("2", "False"): "both signs, no mark",
    ("2", "True"): "both signs, mark",
    ("1", "False"): "one sign, no mark",
    ("1", "True"): "one sign, mark",
}


def chapter(number: str) -> Path:
    """Return the notebook of a chapter."""
    return next((ROOT / "chapters").glob(f"{int(number):02}_*.ipynb"))


def link(number: str) -> str:
    """Return a link to what a chapter tells of its experiments."""
    section = SECTIONS.get(number)
    name = chapter(number).name
    return f"[](./{name}#{section})" if section else f"[](./{name})"


def heading(page: str, names: Iterable[str]) -> Iterable[str]:
    """Yield what stands above a chapter's table: what tells of it, and how its rows are made."""
    title = printed_title(page)
    yield from ("", f"### Chapter {page}: {title}", "", f"Told in {link(page)}.", "")
    for name in names:
        runs = len(experiment(name).store().rows())
        yield f"    lstm-lesson experiments run {name} --jobs 2"
        yield from ("", f"makes its {runs:,} runs, in {minutes(name)} of one core.", "")


def printed_title(page: str) -> str:
    """Return the title of a chapter."""
    return "".join(json.loads(chapter(page).read_text("utf-8"))["cells"][0]["source"]).split("\n")[
        0
    ][2:]


def minutes(name: str) -> str:
    """Return how long the rows of an experiment took on one core."""
    seconds = sum(machine.seconds for machine in experiment(name).store().machines().values())
    if seconds < 60:
        return "less than a minute"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def number(value: float) -> str:
    """Return a number in two digits, as a reader writes it."""
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "∞"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def interval(found: Interval) -> str:
    """Return an estimate and its ends."""
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def effect(entry: dict, arms: list) -> Interval:
    """Return what a question measures, with an interval of 95 %."""
    if entry["kind"] == "share":
        (arm,) = arms
        return wilson(sum(map(math.isfinite, questions.times(arm))), len(arm.outcomes))
    if entry["kind"] == "below":
        won = questions.question(entry, *arms).succeeded
        return wilson(sum(won), len(won))
    if entry["kind"] == "sooner":
        first = arms[0].specs[0].steps // CHECKS * arms[0].specs[0].batch_size
        return Interval(*rules.factor_between(*map(questions.times, arms), first=first))
    if entry["kind"] == "lower":
        return Interval(
            *rules.factor_between(
                *(arm.values(entry.get("field", "test_loss")).tolist() for arm in arms)
            )
        )
    # A difference is the logarithm of a factor; scaled, so that no power overflows.
    sides = [arm.values(entry["field"]).astype(float) for arm in arms]
    scale = max(1.0, *(np.abs(side).max() / 100 for side in sides))
    factors = rules.factor_between(*(np.exp(side / scale).tolist() for side in sides))
    return Interval(*(scale * np.log(factor) for factor in factors))


def counted(arm) -> str:
    """Return how many runs of an arm solved their task, or how many there are if none can."""
    runs, fields = len(arm.outcomes), arm.outcomes[0]._fields
    if "solved_at" in fields or "score" in fields:
        return f"{arm.solved} of {runs}"
    return f"{runs} runs" if runs > 1 else "1 run"


def condition(entry: dict) -> str:
    """Return under which condition a question is asked, and of which arms if they aren't alike."""
    (arm, task, T), other = entry["a"], entry.get("b")
    if entry["kind"] == "below":
        return f"{task.replace('_', ' ')}: {arm} or {other[0]}"
    if other and other[1:] != entry["a"][1:]:  # two tasks, one cell
        return f"{arm}: {task.replace('_', ' ')} or {other[1].replace('_', ' ')}, {T} steps"
    text = f"{task.replace('_', ' ')}, {T} steps"
    if "factor" in entry:
        text += f", by a factor of {entry['factor']:g}"
    if entry["kind"] == "higher":
        text += f", {entry['field'].replace('_', ' ')}"
    return text


def made() -> dict[str, dict[str, list[dict]]]:
    """Return the pages whose questions are answered by whole rows, with those questions."""
    found = {}
    for page, claims in questions.QUESTIONS.items():
        for claim, entries in claims.items():
            kept = [one for one in entries if not any(
                name.startswith("second/") for name in questions.experiments_of(one)
            )]  # fmt: skip
            if kept:
                found.setdefault(page, {})[claim] = kept
    return found


def second_edition() -> Iterable[str]:
    """Yield the lines of the tables of what is judged by the rules of the second edition."""
    for page, claims in made().items():
        judged = questions.claims(page)
        names = list(dict.fromkeys(
            name for entries in claims.values() for one in entries
            for name in questions.experiments_of(one)
        ))  # fmt: skip
        rows = {name: experiment(name).reported() for name in names}
        known = {key: arm for name in names for key, arm in rows[name].items()}
        kinds = dict.fromkeys(one["kind"] for entries in claims.values() for one in entries)
        yield from heading(page, names)
        effects = "; for a *{}* it is the {}"
        measured = "The effect is the " + EFFECTS[next(iter(kinds))]
        measured += "".join(effects.format(kind, EFFECTS[kind]) for kind in list(kinds)[1:])
        yield from (f"{measured}.", "")
        yield "| claim, and where | effect (95 %) | solved | stays | verdict |"
        yield "|---|---|---|---|---|"
        for claim, entries in claims.items():
            word, verdicts = judged[claim]
            if len(entries) > 1:
                yield f"| **{claim}** | | | | **{word}** |"
            places = [condition(entry) for entry in entries]
            for entry, verdict in zip(entries, verdicts.values(), strict=True):
                arms = [known[tuple(entry[side])] for side in "ab" if side in entry]
                solved = ", ".join(map(counted, arms))
                sure = verdict.level and (verdict.word != "undecided" or verdict.agreement < 1)
                share = math.floor(100 * verdict.agreement) / 100  # 0.895 is below 0.9
                stays = f"{'yes' if verdict.alone else 'no'}, {share:.2f}"
                where = condition(entry)
                if places.count(where) > 1:  # what differs is the arm
                    where = f"{arms[0].arm}: {where}"
                where = where if len(entries) > 1 else f"**{claim}**"
                said = verdict.word if len(entries) > 1 else f"**{verdict.word}**"
                shown = interval(effect(entry, arms))
                yield f"| {where} | {shown} | {solved} | {stays if sure else '–'} | {said} |"


def printed(number: str) -> list[str]:
    """Return what the cells of a chapter print, or show as Markdown."""
    found = []
    for cell in json.loads(chapter(number).read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = output.get("text", data.get("text/markdown", ""))
            found.append("".join(text))
    return [text for text in found if text]


def of_17() -> Iterable[tuple[str, str, str]]:
    for text in printed("17"):
        for card in re.split(r"^(?=Experiment )", text, flags=re.M):
            title = card.partition("\n")[0].removeprefix("Experiment ")
            for arm, solved, word in re.findall(
                r"^(\w.*): .* weights\n  rate .*: (\d+ of \d+).*\n(?:  mean .*\n)?  (.+)$",
                card,
                re.M,
            ):
                yield f"{title}: {arm}", f"{solved} solve it", word


def of_18() -> Iterable[tuple[str, str, str]]:
    for text in printed("18"):
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            if len(cells) == 4 and cells[3].startswith("**"):
                yield f"{cells[0][0].upper()}{cells[0][1:]}.", cells[1], cells[3].strip("*")


FIRST = {
    "17": (of_17, ("repeat_1997",)),
    "18": (of_18, ()),
}


def first_edition() -> Iterable[str]:
    """Yield the lines of the tables of what chapters judge by rules of their own."""
    for page, (read, names) in FIRST.items():
        if page in made():
            continue
        yield from heading(page, names)
        yield from ("| claim | measured | verdict there |", "|---|---|---|")
        for claim, measured, word in read():
            yield f"| {claim} | {measured or '–'} | {word} |"


def replicated() -> Iterable[str]:
    """Yield the tables of the two findings that scripts in tests/replicate/ found once more."""
    runs: dict = {}
    for name, fields in {"chrono": ("task", "start"), "mark_or_sign": FOUR}.items():
        with open(ROOT / "tests" / "replicate" / f"{name}.csv", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                key = name, *(row[field] for field in fields)
                runs.setdefault(key, []).append(float(row["solved_at"]) or math.inf)
    yield from ("", "| task of 100 steps | start | solved | median of the sequences |")
    yield "|---|---|---|---|"
    for (name, *key), times in runs.items():
        if name == "chrono":
            middle = np.median(times)
            shown = f"{middle:,.0f}" if middle < math.inf else "not within the budget"
            yield f"| {' | '.join(key)} | {count(times)} | {shown} |"
    yield from ("", "| rate | " + " | ".join(FOUR_NAMES.values()) + " |", "|---|---|---|---|---|")
    for rate in dict.fromkeys(key[1] for key in runs if key[0] == "mark_or_sign"):
        cells = [count(runs["mark_or_sign", rate, *place]) for place in FOUR_NAMES]
        yield f"| {rate} | {' | '.join(cells)} |"


def count(times: list[float]) -> str:
    """Return how many runs got there."""
    return f"{sum(map(math.isfinite, times))} of {len(times)}"


def written(text: str) -> str:
    """Return the page with its tables as they are to be."""
    parts = {
        "second": second_edition(), "replicated": replicated(), "first": first_edition(),
    }  # fmt: skip
    for name, lines in parts.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        if not rest or end not in rest:
            raise ValueError(f"the page has no marks for {name}: {begin} and {end}")
        text = "\n".join([before + begin, *lines, "", end]) + rest.partition(end)[2]
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
