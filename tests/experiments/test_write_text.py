"""A run of chapter 19: kinds of characters by hand, bits against PyTorch, the same run twice."""

import numpy as np
import pytest

from lstm_lesson.experiments.write_text import baselines, training
from lstm_lesson.experiments.write_text.baselines import WRITE_TEXT_BASELINES
from lstm_lesson.experiments.write_text.ngrams import KneserNey
from lstm_lesson.experiments.write_text.specs import WRITE_TEXT
from lstm_lesson.experiments.write_text.training import (
    OutcomeText,
    SpecText,
    by_kind,
    kinds,
    run,
    untrained,
)
from lstm_lesson.tasks.datasets import Split
from lstm_lesson.training.language import ALPHABET, encode

SPEC = SpecText("LSTM", "chapters", "LSTM", 8, 1, 0.0, 1.0, 1.0, 0.05, 0.02, 20, 40, 0)


@pytest.fixture
def small(monkeypatch):
    """Put a small text in the Bible's place."""
    rng = np.random.default_rng(0)
    words = ["12. ", "And ", "he ", "[was] ", "there: "]
    train, validation, test = ("".join(rng.choice(words, n)) + "\n" for n in (4000, 300, 300))
    for module in (training, baselines):
        monkeypatch.setattr(module, "texts", lambda held_out: Split(train, validation, test))


def test_each_character_is_of_the_kind_that_its_eyes_say():
    text = "12. He [was]\nit's."
    #       1   2   .   _   H   e   _   [   w   a   s   ]   n   i   t   '   s   .
    wanted = "d d o s f l s o f l l b s f l o f o".split()
    found = kinds(text)
    names = {"d": "digit", "o": "other", "s": "space", "f": "first", "l": "later", "b": "bracket"}
    for k, letter in enumerate(wanted):
        assert [kind for kind, which in found.items() if which[k]] == [names[letter]], text[k]


def test_bits_by_kind_have_the_mean_of_all():
    text, rng = "12. He [was] 3. there.\n", np.random.default_rng(0)
    bits = rng.random(len(text) - 1)
    shares = {kind: which[1:].mean() for kind, which in kinds(text).items()}
    found = by_kind(bits, text)
    assert sum(shares[kind] * found[kind] for kind in found) == pytest.approx(bits.mean())


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
def test_a_run_learns_and_comes_out_the_same_again(small, layer):
    outcome = run(SPEC._replace(layer=layer))
    assert isinstance(outcome, OutcomeText) and outcome.status == "ok"
    assert outcome.sequences == 40 * 20 * 32
    losses = [float(loss) for loss in outcome.curve.split()]
    assert len(losses) == 8 and losses[-1] < losses[0] < np.log2(96)
    assert outcome.test == pytest.approx(outcome.validation_loss, abs=0.3)
    assert run(SPEC._replace(layer=layer)) == outcome
    assert run(SPEC._replace(layer=layer, seed=1)).test != outcome.test


def test_the_split_and_the_share_of_the_text_decide_what_is_read(small):
    whole = run(SPEC._replace(steps=8))
    assert run(SPEC._replace(steps=8, share=0.01)).train != whole.train
    with pytest.raises(ValueError, match="share"):
        run(SPEC._replace(share=0.0))


def test_how_often_a_place_starts_anew_decides_what_is_read(small):
    often, never = (run(SPEC._replace(steps=8, restart=share)) for share in (0.5, 0.0))
    assert often.train != never.train
    with pytest.raises(ValueError, match="restart"):
        run(SPEC._replace(restart=1.5))


def test_dropout_acts_in_training_alone_and_comes_out_the_same_again(small):
    two = SPEC._replace(num_layers=2, steps=8)
    plain, dropped = run(two), run(two._replace(dropout=0.5))
    assert plain.parameters == dropped.parameters > run(SPEC._replace(steps=8)).parameters
    assert plain.test != dropped.test
    assert run(two._replace(dropout=0.5)) == dropped


def test_a_run_that_overflows_is_an_outcome(small):
    outcome = run(SPEC._replace(lr=1e39))
    assert outcome.status == "diverged" and outcome.validation_loss == outcome.test == np.inf


def test_an_unknown_layer_is_refused(small):
    with pytest.raises(ValueError, match="layer: expected one of"):
        run(SPEC._replace(layer="Elman"))


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="task: expected one of"):
        run(SPEC._replace(task="verses"))


def test_the_three_cells_have_about_as_many_parameters():
    sizes = [untrained(spec) for spec in _first_of_each_arm()]
    counts = [model.layer.num_parameters + model.head.num_parameters for model in sizes]
    assert max(counts) < 1.01 * min(counts)


@pytest.mark.slow
def test_rows_of_counts_come_out_again():
    rows = WRITE_TEXT_BASELINES.store().rows()
    for spec in [spec for spec in rows if spec.T == 5]:
        assert baselines.run(spec) == pytest.approx(rows[spec])


def test_counts_are_tested_on_the_held_out_text(small):
    outcome = baselines.run(baselines.SpecCounts("3-grams", "chapters", 3))
    text = training.texts("chapters")
    table = KneserNey(encode(text.train), 3, len(ALPHABET))
    p = table.probabilities(encode(text.test))[2, 1:]
    assert outcome.stored == table.stored
    assert outcome.test == pytest.approx(-np.log2(p).mean())
    at = np.array([c == "]" for c in text.test[1:]])
    assert outcome.bracket == pytest.approx(-np.log2(p[at]).mean())


def _first_of_each_arm():
    seen = {spec.arm: spec for spec in WRITE_TEXT.specs}
    assert set(seen) == {"LSTM", "GRU", "RNN"}
    return seen.values()
