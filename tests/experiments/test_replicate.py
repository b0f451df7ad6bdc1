"""Two findings of the book, by plain PyTorch that shares no code with it: their committed rows."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest
import verdicts
from replicate import chrono, mark_or_sign

HERE = Path(__file__).parents[1] / "replicate"


def runs(name: str, *fields: str) -> dict[tuple[str, ...], list[float]]:
    """Return the sequences that runs needed, those that never got there infinite, by fields."""
    found = defaultdict(list)
    with open(HERE / f"{name}.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = float(row["solved_at"]) or verdicts.NEVER
            found[tuple(row[field] for field in fields)].append(at)
    return found


@pytest.mark.parametrize("module", [chrono, mark_or_sign])
def test_it_imports_nothing_but_torch_and_python(module):
    text = Path(module.__file__).read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert {*lines} <= {"import itertools", "import sys", "import torch"}
    rows = Path(module.__file__).with_suffix(".csv").read_text("utf-8").splitlines()
    assert rows[0] == module.FIELDS
    assert len(rows) == 1 + 10 * len(module.PLACES)


@pytest.mark.parametrize("task", ["adding", "temporal order"])
def test_chrono_comes_sooner_over_a_hundred_steps(task):
    found = runs("chrono", "task", "start")
    told, one = found[task, "chrono"], found[task, "forget bias 1"]
    as_soon, as_late = verdicts.tails(told, one)
    assert as_soon < 0.001 < as_late
    assert max(told) < verdicts.NEVER


def test_at_one_rate_it_is_the_mark_and_at_another_the_sign():
    found = runs("mark_or_sign", "rate", "signs", "marked")
    solved = {key: sum(at < verdicts.NEVER for at in values) for key, values in found.items()}

    def table(rate):
        return [solved[rate, signs, marked] for signs in "21" for marked in ("False", "True")]

    none, mark, sign, both = table("0.001")
    assert mark > 5 and both > 5 and none == sign == 0
    none, mark, sign, both = table("0.01")
    assert sign > 5 and both > 5 and none == mark == 0
    assert min(table("0.1")) > 5


@pytest.mark.slow
def test_a_run_comes_out_again():
    """Another processor rounds otherwise, so what is compared is that it is soon."""
    assert 0 < chrono.solved_at("adding", "chrono", 0.1, seed=0, steps=500) <= 8000
    assert all(0 < at <= 6000 for at in mark_or_sign.solved_at(1, True, 0.1, runs=2, steps=400))
