"""Sources of batches: what each gives, in which order, and a stream's state."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_loop import BUILD, D, Recorder, build, draw, plan

from lstm_lesson import GRU, LSTM, RNN
from lstm_lesson.training.batches import Fresh, Shuffled, Stream, digest
from lstm_lesson.training.loop import Run, fit
from lstm_lesson.training.losses import softmax_cross_entropy
from lstm_lesson.training.models import Batch, TorchModel
from lstm_lesson.training.optim import SGD, Adam, clip_by_norm


def next_of(read):
    return Batch(read[:-1], read[1:])


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 99))
def test_every_epoch_of_fixed_data_has_all_of_it(N, batch_size, seed):
    n = np.tile(np.arange(N), (2, 1))  # (T, N)
    data = Batch(1.0 * n[..., None], 2 * n, n[0] % 2 + 1, n % 3 == 0)
    source, orders = Shuffled(data, batch_size, Batch(1, 1, 0, 1), seed), []
    for _ in range(3):
        batches = [next(source) for _ in range(source.epoch)]
        assert all(batch.x.shape[1] == batch_size for batch in batches[:-1])
        for batch in batches:
            rows = batch.target[0] // 2
            expected = data.x[:, rows], data.target[:, rows], data.lengths[rows], data.mask[:, rows]
            assert_equal(batch, expected)
        orders.append([*np.concatenate([batch.target[0] // 2 for batch in batches])])
        assert sorted(orders[-1]) == list(range(N))
    assert N < 6 or orders[0] != orders[1] or orders[1] != orders[2]


@given(st.integers(1, 6), st.integers(0, 99))
def test_fresh_draws_are_those_of_the_generator_whatever_the_run_draws(steps, seed):
    model, rng = Recorder(), np.random.default_rng(seed)
    fit(model, Fresh(lambda rng: draw(rng, N=3), seed), optimiser=SGD(1.0), steps=steps, rng=1)
    assert len(model.batches) == steps
    for batch in model.batches:
        assert_equal(batch[:2], draw(rng, N=3)[:2])


def test_the_loop_is_the_one_that_the_chapter_writes_out():
    ours, by_hand, rng = build(), build(), np.random.default_rng(4)
    fit(ours, Fresh(draw, 4), optimiser=Adam(0.05), steps=20, clip=0.1)
    optimiser = Adam(0.05)
    for _ in range(20):
        _, grads = by_hand.loss_and_grads(draw(rng))
        grads, _ = clip_by_norm(grads, 0.1)
        optimiser.step(by_hand.parameters(), grads)
    assert_equal(ours.parameters().values(), by_hand.parameters().values())


@given(st.integers(2, 9), st.integers(1, 4), st.integers(1, 12), st.integers(0, 99))
def test_a_stream_reads_on_around_the_ring(S, N, length, seed):
    source = Stream(np.arange(S), next_of, batch_size=N, length=length, rng=seed)
    places = np.random.default_rng(seed).integers(S, size=N)
    source.carry((np.ones((1, N, 1)),))
    for step in range(4):
        expected = (places + step * length + np.arange(length + 1)[:, None]) % S
        assert_equal(next(source)[:2], (expected[:-1], expected[1:]))
        assert source.state[0].all()


def test_a_share_of_the_places_starts_again_with_a_state_of_zeros():
    source = Stream(np.arange(10**6), next_of, batch_size=2000, length=1, restart=0.1, rng=0)
    source.carry((np.ones((2, 2000, 3), np.float32),))
    before, last = source.state[0], source.arrays["places"]
    x = next(source).x[0]
    moved = x != last
    assert abs(moved.mean() - 0.1) < 0.03  # over 4 standard deviations
    assert_equal(source.state[0].any(axis=(0, 2)), ~moved)
    assert source.state[0].dtype == np.float32
    assert before.all()  # an array that was handed out isn't written to


@settings(deadline=None)
@given(
    st.sampled_from([LSTM, GRU, RNN]), st.integers(1, 5), st.integers(1, 4), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_the_state_is_carried_on_from_piece_to_piece(kind, length, pieces, restart, seed):
    """At a rate of 0 the losses of the pieces are those of one pass, or of a new start each."""
    series = np.random.default_rng(seed).normal(size=(30, D))
    model = build(kind, num_layers=2)
    source = Stream(
        series, next_of, batch_size=3, length=length, restart=float(restart), rng=seed
    )  # fmt: skip
    first, seen, make = source.arrays["places"], [], source.make
    source.make = lambda read: seen.append(read) or make(read)
    losses = fit(model, source, optimiser=SGD(0.0), steps=pieces).loss
    if restart:
        expected = [model.loss(next_of(read)) for read in seen]
        np.testing.assert_allclose(losses, expected, rtol=1e-12)
    else:
        read = series[(first + np.arange(length * pieces + 1)[:, None]) % 30]
        np.testing.assert_allclose(losses.mean(), model.loss(next_of(read)), rtol=1e-12)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_stream_teaches_what_is_longer_than_its_pieces_know(kind):
    """A period of four symbols, read two at a time: the carried state says which half it is."""
    codes, vectors = np.array([0, 0, 1, 1]), np.eye(2)
    model = build(kind, loss=softmax_cross_entropy)
    source = Stream(
        codes, lambda read: Batch(vectors[read[:-1]], read[1:]), batch_size=8, length=2, rng=0
    )
    losses = fit(model, source, optimiser=Adam(0.05), steps=300).loss
    assert losses[0] > 0.5 > 0.05 > losses[-20:].mean()


def test_a_digest_tells_arrays_apart():
    a = np.arange(6.0)
    different = [
        (a,),
        (a, None),
        (None, a),
        (a[::-1],),
        (a.reshape(2, 3),),
        (a.astype(np.float32),),
    ]
    assert len({digest(*arrays) for arrays in different}) == len(different)
    assert digest(a) == digest(a.copy()) == digest(np.repeat(a, 2)[::2])


@pytest.mark.parametrize(
    ("data", "changes", "error", "message"),
    [
        ((draw() for _ in range(2)), {}, TypeError, "data.x: expected an array, got Batch"),
        (Fresh(draw), {"batch_size": 3}, ValueError, "batch_size: expected none, .* got 3"),
        (Fresh(draw), {}, ValueError, "epochs: expected steps, for this source has none, got 4"),
        (Fresh(draw, np.random.Generator(np.random.MT19937(0))), {}, TypeError, "rng: .*PCG64"),
    ],
)
def test_sources_that_do_not_fit_are_named(data, changes, error, message):
    with pytest.raises(error, match=message):
        Run(build(), data, **plan(**{"batch_size": None} | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"length": 0}, "length: expected at least 1"),
        ({"restart": 1.5}, "restart: expected a finite number from 0 to 1"),
        ({"sequence": np.zeros((0, D))}, "sequence: expected at least one step"),
    ],
)
def test_streams_that_do_not_fit_are_named(changes, message):
    arguments = {"sequence": np.zeros((5, D)), "make": next_of, "batch_size": 2, "length": 2}
    with pytest.raises(ValueError, match=message):
        Stream(**arguments | changes)


def test_a_stream_wants_a_model_that_carries_its_state():
    model = TorchModel(torch.nn.Linear(D, D).double(), softmax_cross_entropy)
    stream = Stream(np.zeros((5, D)), next_of, batch_size=2, length=2)
    with pytest.raises(
        TypeError, match="expected a SequenceModel to carry a state, got TorchModel"
    ):
        Run(model, stream, optimiser=BUILD["SGD"](), steps=1)


def test_a_run_starts_a_stream_from_zeros_also_if_another_model_read_it():
    stream = Stream(np.ones((5, D)), next_of, batch_size=2, length=2)
    fit(build(), stream, optimiser=SGD(0.1), steps=1)
    assert stream.state[0].any()
    assert (
        not Run(build(GRU, num_layers=2), stream, optimiser=SGD(0.1), steps=1).source.state[0].any()
    )
