"""Length generalisation: the run is a trial, and what it is tested on is longer."""

import pytest
from test_runs import SMALL

from lstm_lesson.experiments import lengths
from lstm_lesson.experiments.lengths import LENGTHS, run
from lstm_lesson.experiments.trials import trial

SHORT = SMALL._replace(task="parity", T=8, hidden_size=16, steps=400, lr=0.03)


def test_a_run_is_a_trial_that_is_tested_further():
    found, plain = run(SHORT)._asdict(), trial(SHORT)._asdict()
    assert {name: found[name] for name in plain} == plain
    shares = [found[f"at_{T}"] for T in LENGTHS]
    assert all(0 <= share <= 1 for share in shares)
    assert run(SHORT) == run(SHORT)


@pytest.mark.parametrize("right", [True, False])
def test_a_network_that_counts_is_right_at_any_length(monkeypatch, right):
    class Counts:
        def forward(self, x):
            odd = x[..., 1].cumsum(axis=0) % 2
            y = (1 - odd, odd)
            return lengths.np.stack(y if right else y[::-1], axis=-1), None

    trained = lengths.train(SHORT._replace(steps=1))
    monkeypatch.setattr(lengths, "train", lambda spec: trained._replace(model=Counts()))
    outcome = run(SHORT)
    assert [getattr(outcome, f"at_{T}") for T in LENGTHS] == [float(right)] * len(LENGTHS)
