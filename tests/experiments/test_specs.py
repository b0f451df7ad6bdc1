"""The registry: sizes that match, and rows that are committed and come out again."""

from pathlib import Path

import numpy as np
import pytest
from test_runs import SMALL
from threadpoolctl import threadpool_limits

from lstm_lesson.engine.equations import LSTMCell
from lstm_lesson.engine.layers import LSTM
from lstm_lesson.experiments import store as store_module
from lstm_lesson.experiments.lengths import Lengths
from lstm_lesson.experiments.rules import solved_look
from lstm_lesson.experiments.runs import CHECKS, build
from lstm_lesson.experiments.second_edition import matched
from lstm_lesson.experiments.specs import EXPERIMENTS, experiment
from lstm_lesson.experiments.trials import VERSION, Trial, trial
from lstm_lesson.experiments.tuning import TUNING
from lstm_lesson.tasks.synthetic import TASKS

ROOT = Path(__file__).parents[2]


def test_matched_sizes_have_the_count_of_parameters_nearest_to_an_lstms():
    for layer in ("RNN", "GRU", "LSTM"):
        H = matched(layer, "copy", 32)
        near = [
            build(SMALL._replace(layer=layer, task="copy", hidden_size=size)).parameters
            for size in (H - 1, H, H + 1)
        ]
        wanted = build(SMALL._replace(task="copy", hidden_size=32)).parameters
        assert np.argmin(np.abs(np.array(near) - wanted)) == 1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_committed_rows_are_of_the_specification_and_complete(name):
    one = experiment(name)
    assert len(set(one.specs)) == len(one.specs)
    stored = one.store(ROOT / "results")
    if name.startswith("second/"):  # is being made: what there is of it is of its plan
        assert stored.rows().keys() <= set(one.planned(stored.rows()))
        assert stored.machines().keys() == stored.rows().keys()
        return
    # One that nobody has run yet has none; of one that was begun, all are there.
    assert list(stored.rows()) in ([], list(one.planned(stored.rows())))
    assert list(stored.machines()) == list(stored.rows())


# ---- Rows that are made again ----
#
# On the processor of their rows runs come out again to the last digit. Elsewhere what is compared
# is what a row claims. Training amplifies rounding, which differs between processors, so that after
# some thousand steps a rerun may be as far from its row as the run with another seed, and no
# further. So that sample is of settings all of whose reported runs claim the same, none of them
# near the border.

SECOND = [name for name, one in EXPERIMENTS.items() if one.outcome in (Trial, Lengths)]


SECONDS = 3  # that a row whose claim is made again took at most


def sample(one):
    """Return rows to make again, each with those of its setting: the cheapest of each kind."""
    store = one.store(ROOT / "results")
    rows, machines = store.rows(), store.machines()
    found = {}
    for arm in one.plan.arms(rows).values():
        spec = min(arm.specs, key=lambda spec: machines[spec].seconds)
        claims = {clearly_solved(*pair) for pair in zip(arm.specs, arm.outcomes, strict=True)}
        same = claims in ({True}, {False}) and len({o.status for o in arm.outcomes}) == 1
        if same and machines[spec].seconds <= SECONDS:
            found.setdefault((spec.layer, *claims), (spec, arm.outcomes))
    return found.values()


def clearly_solved(spec, outcome):
    """Return whether a run solved its task, or None if it came near the border."""
    least = TASKS[spec.task].solved
    if outcome.solved and outcome.score >= (1 + least) / 2:
        return True
    return None if outcome.solved or outcome.score > least / 2 else False


def check_claim(again, outcomes):
    """Check that a run claims what others do, and was solved no sooner or later by far."""
    for field in ("parameters", "trivial", "status", "solved"):
        assert {getattr(outcome, field) for outcome in outcomes} == {getattr(again, field)}
    solved_at = [outcome.solved_at for outcome in outcomes]
    assert min(solved_at) / 2 <= again.solved_at <= 2 * max(solved_at)


class ForgetsAll(LSTMCell):
    """An LSTM cell whose forget gate is zero."""

    def forward(self, z_x, z_h, state, params):
        z, H = z_x + z_h, state[1].shape[-1]
        z[:, H : 2 * H] = -50
        return super().forward(z, 0, state, params)


@pytest.mark.slow
def test_a_claim_shows_an_engine_whose_forget_gate_is_dropped(monkeypatch):
    samples = sample(experiment("stretch_the_lag"))
    spec, outcomes = next(
        found for found in samples if found[0].layer == "LSTM" and found[1][0].solved
    )
    check_claim(trial(spec), outcomes)
    monkeypatch.setattr(LSTM, "cell", ForgetsAll())
    with pytest.raises(AssertionError):
        check_claim(trial(spec), outcomes)


@pytest.mark.parametrize("name", SECOND)
def test_rows_of_the_second_edition_keep_its_rules(name):
    one = experiment(name)
    rows = one.store(ROOT / "results").rows()
    assert {outcome.version for outcome in rows.values()} <= {VERSION}
    for spec, outcome in rows.items():
        scores = [float(score) for score in outcome.scores.split()]
        look = solved_look(scores, TASKS[spec.task].solved)
        every = spec.steps // CHECKS * spec.batch_size
        solved_at = look * every if look and outcome.status == "ok" else 0
        assert outcome.solved_at == solved_at
        assert outcome.sequences // every in (len(scores), len(scores) + (outcome.status != "ok"))
    for arm in one.plan.arms(rows).values():
        assert len(arm.outcomes) >= 10
        assert not {spec.seed for spec in arm.specs} & set(TUNING)


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND)
def test_rows_come_out_again_to_the_last_digit_or_elsewhere_claim_the_same(name):
    one = experiment(name)
    store = one.store(ROOT / "results")
    rows, machines = store.rows(), store.machines()
    processor = store_module.here(0).processor
    here = [spec for spec in rows if machines[spec].processor == processor]
    cheap = sorted(here, key=lambda spec: machines[spec].seconds)[: len(here) // 2]
    with threadpool_limits(1):  # as in a sweep: with two, OpenBLAS adds in another order
        for spec in cheap[:: max(1, len(cheap) // 4)]:
            assert one.run(spec) == rows[spec], "the engine changed: see VERSION"
        if not here:
            for spec, outcomes in sample(one):
                check_claim(one.run(spec), outcomes)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_of_every_outcome_can_be_asked_whether_it_solved_its_task(name):
    assert hasattr(EXPERIMENTS[name].outcome, "solved")
