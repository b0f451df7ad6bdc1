"""Every verdict of the second edition once more, by code that imports nothing of the package.

    python tests/verdicts.py [PAGE ...]

Reads ``questions.json`` and the rows in ``results/``; prints for each question its word, the exact
p value and what Holm's correction asks of it, whether the word survives leaving out any one run,
and in what share of resamplings it stays. Questions of experiments that are being made,
``second/NAME``, are left out. `tests/experiments/test_verdicts.py` holds the words equal to the
package's.
"""

from __future__ import annotations

import csv
import json
import math
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
NEVER = math.inf
LEVEL, DRAWS = 0.05, 200


def load(name: str) -> dict[tuple, dict[float, dict[int, dict]]]:
    """Return (arm, task, T) to learning rate to seed to row."""
    found = defaultdict(lambda: defaultdict(dict))
    with open(ROOT / "results" / f"{name}.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = row["arm"], row["task"], int(row["T"])
            found[key][float(row.get("lr", 0))][int(row["seed"])] = row
    return found


def solved_at(row: dict, least: float) -> float:
    """Return the sequences at the first of three looks in a row, from the scores themselves.

    A run whose rows have no scores, such as one that reads a text, can't solve its task.
    """
    met = [float(score) >= least for score in row.get("scores", "").split()]
    for n in range(len(met) - 2):
        if all(met[n : n + 3]) and row["status"] == "ok":
            return (n + 1) * (int(row["steps"]) // 40 * int(row["batch_size"]))
    return NEVER


def least_of(task: str) -> float:
    """Return the criterion of a task."""
    strict = {"temporal_order": 0.99, "copy": 0.99, "associative_recall": 0.9, "farthest": 0.8}
    return strict.get(task, 0.95)


def picked(rates: dict[float, dict[int, dict]], task: str) -> tuple[float, list[dict]]:
    """Return the rate with the best tuning runs and the reported runs at it; check the grid."""

    def worst_first(lr):
        tuning = [row for seed, row in rates[lr].items() if seed >= 100]
        times = [solved_at(row, least_of(task)) for row in tuning]
        losses = [float(r["validation_loss"]) if r["status"] == "ok" else NEVER for r in tuning]
        return times.count(NEVER), median(times), median(losses)

    tried = sorted(lr for lr, runs in rates.items() if any(seed >= 100 for seed in runs))
    best = min(tried, key=worst_first)
    inside = tried[0] < best < tried[-1]
    assert len(tried) >= 5, tried
    assert inside or best in (0.00003, 3.0), (best, tried)
    reported = [row for lr in rates for seed, row in sorted(rates[lr].items()) if seed < 100]
    assert {float(row["lr"]) for row in reported} == {best}, (best, task)
    return best, reported


def tails(a: list[float], b: list[float]) -> tuple[float, float] | None:
    """Return the exact chances of a rank sum of `a` as low and as high; None if all are tied."""
    counts = sorted(Counter([*a, *b]).items())
    if len(counts) == 1:
        return None
    rank, seen = {}, 0
    for value, count in counts:
        rank[value] = 2 * seen + count  # twice the mean rank, less one
        seen += count
    # How many choices of so many runs have which sum: one large number for each, its digits in
    # base 2**64 being the counts. Multiplying by a power of the base shifts all sums at once.
    ways = [1] + [0] * len(a)
    for value in [*a, *b]:
        for taken in range(len(a), 0, -1):
            ways[taken] += ways[taken - 1] << 64 * rank[value]
    got, of = sum(map(rank.get, a)), math.comb(seen, len(a))
    low, here = ways[-1] & ((1 << 64 * (got + 1)) - 1), ways[-1] >> 64 * got & (2**64 - 1)
    below = digits_sum(low)
    return below / of, (of - below + here) / of


def digits_sum(number: int) -> int:
    """Return the sum of the digits in base 2**64."""
    return sum(
        memoryview(number.to_bytes(-(-number.bit_length() // 64) * 8 or 8, "little")).cast("Q")
    )


def binomial(runs: list[bool], share: float) -> tuple[float, float]:
    """Return the exact chances of as many successes, or more, and of as few, at that share."""
    n, k = len(runs), sum(runs)
    chance = [math.comb(n, j) * share**j * (1 - share) ** (n - j) for j in range(n + 1)]
    return sum(chance[k:]), sum(chance[: k + 1])


def answer(samples, share):
    """Return p and whether the runs speak for the claim; None if there are no data."""
    found = tails(*samples) if share is None else binomial(*samples, share)
    if found is None:
        return None
    return min(1, 2 * min(found)), found[0] < found[1]


def word(found, level) -> str:
    if found is None:
        return "no data"
    p, speaks_for = found
    return "undecided" if p > level else "holds" if speaks_for else "fails"


def samples_of(entry: dict, rows: dict) -> list[list]:
    """Return the runs that a question compares, less being better."""
    found = []
    if entry["kind"] == "below":
        (level,) = (float(row[entry["field"]]) for row in rows[tuple(entry["b"])][0.0].values())
        _, runs = picked(rows[tuple(entry["a"])], entry["a"][1])
        return [[float(row[entry["field"]]) < level for row in runs]]
    for side in "ab":
        if side not in entry:
            continue
        key = tuple(entry[side])
        _, runs = picked(rows[key], key[1])
        if entry["kind"] == "sooner":
            found.append([solved_at(row, least_of(key[1])) for row in runs])
        elif entry["kind"] == "lower":
            times = entry.get("factor", 1) if side == "a" else 1
            found.append([times * float(row[entry.get("field", "test_loss")]) for row in runs])
        elif entry["kind"] == "higher":
            found.append([-float(row[entry["field"]]) for row in runs])
        else:
            found.append([solved_at(row, least_of(key[1])) < NEVER for row in runs])
    return found


def judge(page: dict[str, list[dict]], seed: int = 0) -> dict[tuple, dict]:
    """Return (claim, number) to what came of the question."""
    stored, asked = {}, {}
    for claim, entries in page.items():
        for n, entry in enumerate(entries):
            names = entry["experiment"]
            names = [names] if isinstance(names, str) else names
            if not any(name.startswith("second/") for name in names):
                for name in names:
                    stored[name] = stored.get(name) or load(name)
                rows = {key: runs for name in names for key, runs in stored[name].items()}
                asked[claim, n] = samples_of(entry, rows), entry.get("share")
    answers = {key: answer(*question) for key, question in asked.items()}
    order = sorted((key for key in answers if answers[key]), key=lambda key: answers[key][0])
    levels, going, before, own = {}, True, -1.0, 0.0
    for n, key in enumerate(order):
        p = answers[key][0]
        if not math.isclose(p, before):  # equal ones have to meet what the first of them has to
            own = LEVEL / (len(order) - n)
        before, going = p, going and p <= own
        levels[key] = own if going else 0.0
    rng, found = random.Random(seed), {}
    for key, (samples, share) in asked.items():
        level = levels.get(key, 0.0)
        first = word(answers[key], level)
        alone, same = True, DRAWS
        if first in ("holds", "fails"):
            for side in range(len(samples)):
                for n in range(len(samples[side])):
                    less = list(samples)
                    less[side] = samples[side][:n] + samples[side][n + 1 :]
                    alone &= word(answer(less, share), level) == first
            drawn = ([rng.choices(s, k=len(s)) for s in samples] for _ in range(DRAWS))
            same = sum(word(answer(again, share), level) == first for again in drawn)
        agreement = same / DRAWS
        found[key] = {
            "word": first if alone and agreement >= 0.9 else "undecided" if level else first,
            "p": answers[key][0] if answers[key] else 1.0, "level": level,
            "alone": alone, "agreement": agreement,
        }  # fmt: skip
    return found


def together(words: list[str]) -> str:
    """Return the word for a claim from those of its questions."""
    words = [word for word in words if word != "no data"]
    for_it, against = words.count("holds"), words.count("fails")
    if for_it and against:
        return "depends on"
    if for_it + against < len(words) / 2:
        return "undecided"
    return "no data" if not words else "holds" if for_it else "fails"


def main(pages: list[str]) -> None:
    text = (ROOT / "lstm_lesson/experiments/questions.json").read_text(encoding="utf-8")
    for name, page in json.loads(text).items():
        if not pages or name in pages:
            verdicts, words = judge(page), defaultdict(list)
            for (claim, _), v in verdicts.items():
                words[claim].append(v["word"])
            for claim in words:
                print(f"{name} {claim} {together(words[claim]).upper()}")
            for (claim, n), v in verdicts.items():
                print(f"{name} {claim} ({n + 1}): {v['word']}, p {v['p']:.2g}, wanted "
                      f"{v['level']:.2g}, one left out {'same' if v['alone'] else 'CHANGES'}, "
                      f"resampled {v['agreement']:.0%}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
