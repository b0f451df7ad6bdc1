"""Tuning: a grid that grows at its edge, seeds apart, and no word from the test data."""

import itertools
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson.experiments.sweep import Experiment, sweep
from lstm_lesson.experiments.tuning import FIRST, OPEN, RATES, TUNING, Once, Plan, rank, tuning


class Setting(NamedTuple):
    arm: str
    task: str
    T: int
    lr: float
    seed: int


class Result(NamedTuple):
    solved_at: int
    validation_loss: float
    status: str
    test_loss: float


ARM = Setting("penny", "toss", 1, **OPEN)
PLAN = Plan((ARM,), 3)


def result(spec, best=0.003):
    """Return a loss that is least at the best rate."""
    loss = 1 + abs(RATES.index(spec.lr) - RATES.index(best)) + spec.seed / 1000
    return Result(0, loss, "ok", -loss)  # the test data say the opposite


def fill(best, settings=(ARM,), seeds=3):
    """Run what is planned until nothing more is."""
    rows = {}
    while missing := [spec for spec in Plan(settings, seeds)(rows) if spec not in rows]:
        rows |= {spec: result(spec, best) for spec in missing}
    return rows


def test_the_grid_is_geometric_and_seeds_are_apart():
    assert all(2 < b / a < 4 for a, b in itertools.pairwise(RATES))
    assert len(FIRST) >= 5
    assert len(TUNING) >= 5
    assert min(TUNING) > 99  # more than are ever reported


@given(st.sampled_from(RATES))
def test_a_grid_grows_until_the_best_is_inside(best):
    rows = fill(best)
    rates, picked = tuning(ARM, rows)
    assert picked == best
    assert set(FIRST) <= set(rates)
    assert best not in (rates[0], rates[-1]) or best in (RATES[0], RATES[-1])
    # No further than it has to: one beyond the best.
    if best in FIRST[1:-1]:
        assert tuple(rates) == FIRST
    # The rows show the grid and are exactly what is planned.
    assert {spec.lr for spec in rows if spec.seed in TUNING} == set(rates)
    assert rows.keys() == set(PLAN(rows))


def test_a_plan_may_begin_with_fewer_rates():
    first = RATES[3:8]
    for best in (RATES[2], RATES[4], RATES[9]):
        rows, plan = {}, Plan((ARM,), 3, first)
        while missing := [spec for spec in plan(rows) if spec not in rows]:
            rows |= {spec: result(spec, best) for spec in missing}
        arm = plan.arms(rows)["penny", "toss", 1]
        assert arm.lr == best and set(first) <= set(arm.rates)
        assert best not in (arm.rates[0], arm.rates[-1])
        assert arm.rates == first or best not in first[1:-1]


def test_what_is_planned_stays_planned_while_rows_come_in():
    rows, whole = {}, fill(0.03)
    while missing := [spec for spec in PLAN(rows) if spec not in rows]:
        assert rows.keys() <= set(PLAN(rows))
        rows[missing[0]] = whole[missing[0]]  # one at a time
    assert rows == whole


def test_reported_runs_are_others_than_those_that_picked_the_rate():
    other = ARM._replace(arm="groat")
    rows = fill(0.03, (ARM, other))
    arm = Plan((ARM, other), 3).arms(rows)["penny", "toss", 1]
    assert [spec.seed for spec in arm.specs] == [0, 1, 2]
    assert {spec.lr for spec in arm.specs} == {arm.lr} == {0.03}
    assert arm.rates == FIRST
    del rows[arm.specs[1]]
    assert set(Plan((ARM, other), 3).arms(rows)) == {("groat", "toss", 1)}


def test_runs_that_solve_come_before_sooner_before_lower_losses():
    def runs(*solved_at, loss=1.0, status="ok"):
        return [Result(at, loss, status, 0) for at in solved_at]

    order = [
        runs(9000, 9000, 9000, loss=0.5),
        runs(1000, 1000, 0, loss=0.1),
        runs(2000, 3000, 0, loss=0.01),
        runs(0, 0, 0, loss=0.3),
        runs(0, 0, 0, loss=0.4),
        runs(0, 0, 0, loss=0.1, status="diverged"),
    ]
    assert sorted(order[::-1], key=rank) == order


@pytest.mark.slow
def test_a_sweep_goes_on_until_the_rows_ask_for_no_more(tmp_path):
    def planned(rows):
        return PLAN(rows)

    one = Experiment(
        "pennies", "", tuple(planned({})), result, Result, minutes=1, plan=planned
    )  # fmt: skip
    assert sweep(one, tmp_path, only=["lr=0.01"]) == len(TUNING)
    rows = fill(0.003)
    assert sweep(one, tmp_path) == len(rows) - len(TUNING)
    assert list(one.store(tmp_path).rows().items()) == [(s, rows[s]) for s in PLAN(rows)]
    assert sweep(one, tmp_path) == 0


def test_what_has_no_rate_and_no_luck_is_run_once():
    setting = Setting("penny", "toss", 1, 0.0, 0)
    plan = Once((setting, setting._replace(arm="dime")))
    assert plan({}) == plan({setting: "row"}) == [*plan.settings]
    (arm,) = plan.arms({setting: "row"}).values()
    assert (arm.arm, arm.specs, arm.outcomes) == ("penny", (setting,), ("row",))
