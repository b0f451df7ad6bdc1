"""The matrix of case by mistake: each mistake is caught, twice at least, and told from the others.

    python tests/interop/test_kit_mistakes.py    write the matrix, tests/data/kit_matrix.csv

In the matrix, x stands for a case that catches a mistake, even at the tolerance of float32, a point
for one that doesn't, and nothing where the mistake can't be made.
"""

import csv
import functools
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from lstm_lesson.interop.kit import check, diagnosis, mistakes, mutation, oracle
from lstm_lesson.interop.kit.cases import CASES

MATRIX = Path(__file__).parents[1] / "data" / "kit_matrix.csv"
QUICK = 12  # of the cases, taken for what is tried in every run


@functools.cache
def numbers(id):
    given = oracle.draw(CASES[id])
    return given, oracle.solve(CASES[id], given), oracle.required(CASES[id], given)


def caught(mistake, id) -> str:
    given, expected, needed = numbers(id)
    found = mistakes.solve(mistake, CASES[id], given)
    if found is None:
        return ""
    wrong = check.compare(id, found, expected, needed, "float32").verdict != "PASS"
    return "x" if wrong else "."


def read_matrix() -> dict[str, dict[str, str]]:
    with open(MATRIX, newline="", encoding="utf-8") as file:
        return {row.pop("mistake"): row for row in csv.DictReader(file)}


def write_matrix() -> None:
    with open(MATRIX, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["mistake", *CASES])
        for name in mistakes.MISTAKES:
            rows.writerow([name, *(caught(name, id) for id in CASES)])


def test_there_are_enough_mistakes_and_the_matrix_names_each():
    matrix = read_matrix()
    assert len(mistakes.MISTAKES) >= 40
    assert list(matrix) == list(mistakes.MISTAKES)
    assert all(list(row) == list(CASES) for row in matrix.values())


def test_each_mistake_is_caught_by_two_cases_and_each_case_catches_some():
    matrix = read_matrix()
    assert {m: row for m, row in matrix.items() if list(row.values()).count("x") < 2} == {}
    assert all("x" in [row[id] for row in matrix.values()] for id in CASES)


@pytest.mark.parametrize("id", list(CASES)[::QUICK])
def test_the_matrix_is_right(id):
    column = {name: row[id] for name, row in read_matrix().items()}
    assert {name: caught(name, id) for name in column} == column


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id in CASES if id not in list(CASES)[::QUICK]])
def test_the_whole_matrix_is_right(id):
    test_the_matrix_is_right(id)


def telling_cases(name) -> list[str]:
    """Return two cases of each kind of cell that catch a mistake, and the fewest others."""
    matrix = read_matrix()
    others = {id: [row[id] for row in matrix.values()].count("x") for id in CASES}
    catching = sorted((id for id in CASES if matrix[name][id] == "x"), key=others.get)
    by_cell = [[id for id in catching if CASES[id].cell == cell] for cell in oracle.GATES]
    return [id for ids in by_cell for id in ids[:2]]


def results_of(name, ids):
    """Return what is said of a port with a mistake, on some cases: results and diagnoses."""
    results, diagnoses = [], {}
    for id in ids:
        given, expected, needed = numbers(id)
        found = mistakes.solve(name, CASES[id], given)
        results.append(check.compare(id, found, expected, needed, "float64"))
        diagnoses[id] = diagnosis.diagnose(results[-1], given, expected)
    return results, diagnoses


EVERY = [
    pytest.param(name, marks=[] if n % 20 == 0 else pytest.mark.slow)
    for n, name in enumerate(mistakes.MISTAKES)
]


@pytest.mark.parametrize("name", EVERY)
def test_the_mistake_is_named(name):
    """On a few cases two mistakes may be one: the whole kit tells them apart, as below."""
    results, diagnoses = results_of(name, telling_cases(name))
    (line,) = diagnosis.likely(results, diagnoses)
    n = len(results)
    named = line.removesuffix(f": explains {n} of {n} failures").split(" | ")
    assert name in named and len(named) <= 2
    assert all(name in found.causes and found.where for found in diagnoses.values())


@pytest.mark.slow
def test_no_two_mistakes_give_the_same_numbers_on_the_whole_kit():
    """Each array is looked at through its product with one random vector."""
    rng = np.random.default_rng(0)
    seen = {name: [] for name in mistakes.MISTAKES}
    for id, case in CASES.items():
        given, expected, needed = numbers(id)
        weights = {k: rng.normal(size=expected[k].shape) for k in needed}
        right = np.array([np.sum(weights[k] * expected[k]) for k in needed])
        for name, products in seen.items():
            found = mistakes.solve(name, case, given)
            if found is None:
                products.append(right)
            else:
                products.append(np.array([np.sum(weights[k] * found[k]) for k in needed]))
    together = {name: np.concatenate(products) for name, products in seen.items()}
    for a, b in combinations(together, 2):
        apart = ~(np.abs(together[a] - together[b]) <= 1e-6 * (1 + np.abs(together[a])))
        assert apart.any(), (a, b)


def test_two_mistakes_are_both_named_and_one_that_would_show_elsewhere_is_not():
    first, second = "bias_hh not added", "peepholes ignored"
    results, diagnoses = [], {}
    for name, id in ((first, "lstm-plain"), (first, "gru-lengths"), (second, "lstm-peephole")):
        more, said = results_of(name, [id])
        results, diagnoses = results + more, diagnoses | said
    assert [line.rsplit(":", 1) for line in diagnosis.likely(results, diagnoses)] == [
        [first, " explains 2 of 3 failures"],
        [second, " explains 1 more"],
    ]
    _, expected, needed = numbers("lstm-reverse")
    results.append(check.compare("lstm-reverse", expected, expected, needed, "float64"))
    lines = diagnosis.likely(results, diagnoses)
    assert lines == [f"{second}: explains 1 of 3 failures"]


def test_a_mistake_of_a_line_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no line of plain is: h = 1"):
        mutation.mutate(mutation.line("L", "h = 1", "h = 2"))


if __name__ == "__main__":
    write_matrix()
