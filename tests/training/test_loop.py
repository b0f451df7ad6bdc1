"""The loop: the same numbers in NumPy and PyTorch, and when and how a run ends."""

import math

import numpy as np
import pytest
from test_models import Net

from lstm_lesson import GRU, LSTM, RNN, Linear
from lstm_lesson.training.loop import History, Run, fit
from lstm_lesson.training.losses import mean_squared_error, softmax_cross_entropy
from lstm_lesson.training.models import Batch, SequenceModel, TorchModel
from lstm_lesson.training.optim import SGD, Adam, CosineSchedule, PlateauSchedule

T, N, D, H = 4, 7, 2, 3


def build(kind=LSTM, read="every", loss=mean_squared_error, dtype=np.float64, **options):
    layer = kind(D, H, dtype=dtype, **options)
    return SequenceModel(layer, Linear(H, 2, dtype=dtype), loss, read)


def draw(seed=0, read="every", N=N, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(T, N, D)).astype(dtype)
    # A target that can be learned: sums so far, or the whole sum.
    sums = np.cumsum(x, axis=0)
    return Batch(x, sums if read == "every" else sums[-1])


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        assert np.asarray(array).tobytes() == np.asarray(theirs[name]).tobytes(), name


def in_torch(model, read="every"):
    """Return the same model in PyTorch, with the second bias of each gate held at zero."""
    net = Net(model, read)
    for name, p in net.named_parameters():
        # By itself PyTorch trains both biases, and their sum moves twice as far as our one.
        p.requires_grad_("bias_hh" not in name)
    return TorchModel(net, mean_squared_error, read)


@pytest.mark.parametrize(
    ("kind", "bias"),
    [(LSTM, True), (RNN, True), (GRU, False)],  # half of the GRU's second bias is not redundant
)
@pytest.mark.parametrize("read", ["every", "last"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
def test_both_libraries_train_to_the_same_numbers(kind, bias, read, ragged, optimiser):
    data = draw(read=read)
    if ragged:
        data = data._replace(lengths=[1, 2, 3, 4, 4, 2, 1])
    ours = build(kind, read, num_layers=2, bias=bias)
    theirs, before = in_torch(ours, read), ours.loss(data)
    histories = [
        fit(
            model, data, optimiser=BUILD[optimiser](), batch_size=3, steps=30, clip=1.0,
            validation=draw(1, read), schedule=CosineSchedule(0.05, 30),
        )
        for model in (ours, theirs)
    ]  # fmt: skip
    # The engine equals PyTorch to 1e-12; Adam divides by small roots, 30 times over.
    for ours_column, theirs_column in zip(*histories, strict=True):
        np.testing.assert_allclose(ours_column, theirs_column, rtol=1e-9, atol=1e-9)
    params = {name.replace("bias_ih", "bias"): p for name, p in theirs.parameters().items()}
    assert set(params) == set(ours.parameters())
    for name, p in ours.parameters().items():
        np.testing.assert_allclose(p, params[name], rtol=1e-9, atol=1e-9)
    assert ours.loss(data) < before


def test_one_step_follows_the_formula():
    model, data = build(), draw()
    _, grads = model.loss_and_grads(data)
    expected = {name: p - 0.1 * grads[name] for name, p in model.parameters().items()}
    history = fit(model, data, optimiser=SGD(0.1), batch_size=N, steps=1)
    # The order of the sequences in the batch is drawn, and sums round as they are ordered.
    for name, p in model.parameters().items():
        np.testing.assert_allclose(p, expected[name], rtol=0, atol=1e-15)
    norm = math.sqrt(sum(np.sum(g**2) for g in grads.values()))
    assert history.step.tolist() == [1]
    assert history.grad_norm == pytest.approx(norm, rel=1e-12)
    assert history.lr == 0.1
    assert np.isnan(history.validation_loss)


class Recorder:
    """A model of one number that remembers the batches it saw."""

    axes = Batch(1, 1, 0, 1)

    def __init__(self, losses=(1.0,)):
        self.weight, self.batches, self.losses = np.zeros(1), [], list(losses)

    def parameters(self):
        return {"weight": self.weight}

    def loss_and_grads(self, batch, rng):
        self.batches.append(batch)
        return 1.0, {"weight": np.array([-1.0])}  # the weight counts steps

    def loss(self, batch):
        return self.losses.pop(0)

    def validate(self):
        return self.losses.pop(0)


def test_patience_ends_the_run_and_puts_back_the_best():
    model = Recorder([5, 3, 4, 2, 2, 3, 1])
    history = fit(
        model, draw(), optimiser=SGD(1.0), batch_size=4, epochs=50, validation=draw(1), patience=2
    )
    # The best, 2, came after epoch 4 of 2 steps; an equal loss is no better.
    assert model.weight == 8
    assert len(history.loss) == 12
    np.testing.assert_array_equal(history.validation_loss[1::2], [5, 3, 4, 2, 2, 3])
    assert np.all(np.isnan(history.validation_loss[::2]))


def test_a_run_of_all_its_steps_ends_with_the_best_too_if_patient():
    for patience, expected in [(9, 4), (None, 7)]:
        model = Recorder([5, 3, 4, 4])  # after 2, 4, 6 steps and the last
        fit(
            model, draw(), optimiser=SGD(1.0), batch_size=4, steps=7,
            validation=draw(1), patience=patience,
        )  # fmt: skip
        assert model.weight == expected
        assert model.losses == []


def test_the_schedule_sees_steps_and_losses_and_sets_the_rate():
    seen = []

    def schedule(step, losses):
        seen.append((step, list(losses)))
        return 0.5**step

    optimiser = SGD(1.0)
    history = fit(
        Recorder([5, 3]), draw(), optimiser=optimiser, batch_size=4, epochs=2,
        schedule=schedule, validation=draw(1),
    )  # fmt: skip
    assert seen == [(0, []), (1, []), (2, [5]), (3, [5])]
    np.testing.assert_array_equal(history.lr, [1, 0.5, 0.25, 0.125])


@pytest.mark.parametrize("rate", [np.nan, -1.0])
def test_a_schedule_of_no_rate_is_named(rate):
    with pytest.raises(ValueError, match="lr: expected a finite number from 0"):
        fit(Recorder(), draw(), optimiser=SGD(1.0), batch_size=4, steps=1, schedule=lambda *_: rate)


def test_clipping_is_of_the_norm():
    data, norms, moves = draw(), set(), []
    for clip in (None, 1e-3):
        model = build()
        before = {name: p.copy() for name, p in model.parameters().items()}
        history = fit(model, data, optimiser=SGD(1.0), batch_size=N, steps=1, clip=clip)
        norms.add(history.grad_norm[0])
        moved = [(p - before[name]).ravel() for name, p in model.parameters().items()]
        moves.append(np.concatenate(moved))
    assert len(norms) == 1  # of the gradient before
    direction = moves[0] / np.linalg.norm(moves[0])
    # PyTorch adds 1e-6 to the norm, here of about 1, that it divides by.
    np.testing.assert_allclose(moves[1], 1e-3 * direction, rtol=0, atol=1e-9)


BUILD = {
    "SGD": lambda: SGD(0.05, 0.9, 0.01),
    "plain SGD": lambda: SGD(0.05),
    "Adam": lambda: Adam(0.05, weight_decay=0.01),
}


def plan(optimiser="Adam", **changes):
    return {
        "optimiser": BUILD.get(optimiser, lambda: optimiser)(),
        "batch_size": 3, "epochs": 4, "clip": 0.5, "rng": 5,
        "schedule": PlateauSchedule(0.05, 0.5, 0, threshold=0.5),
        "validation": draw(1), "patience": 2,
    } | changes  # fmt: skip


X, Y, _, _ = draw()


@pytest.mark.parametrize(
    ("data", "changes", "error", "message"),
    [
        ((X.tolist(), Y), {}, TypeError, "data.x: expected an array, got list"),
        ((X, None), {}, TypeError, "data.target: expected an array, got NoneType"),
        (
            (X, Y[:, :-1]),
            {},
            ValueError,
            r"data.target: expected 7 sequences along axis 1, got sha",
        ),
        ((X[0, 0], Y), {}, ValueError, "data.x: expected some sequences along axis 1"),
        ((X[:, :0], Y[:, :0]), {}, ValueError, "data.x: expected some sequences"),
        ((X, Y, [1, 2]), {}, ValueError, "data.lengths: expected 7 sequences along axis 0"),
        ((X, Y, [5] * 7), {}, ValueError, "data.lengths: expected 1 to 4, got 5 to 5"),
        ((X, Y, None, np.ones((7, 4), bool)), {}, ValueError, "data.mask: expected 7 sequences"),
        ((X, Y), {"validation": (X,)}, TypeError, "target"),
        ((X, Y), {"validation": (X, X[:, :1])}, ValueError, "validation.target: expected 7 seq"),
        ((X, Y), {"batch_size": 0}, ValueError, "batch_size: expected at least 1"),
        ((X, Y), {"epochs": 0}, ValueError, "epochs: expected at least 1"),
        ((X, Y), {"steps": 5}, ValueError, "epochs, steps: expected one of them, got 4 and 5"),
        ((X, Y), {"epochs": None}, ValueError, "epochs, steps: expected one of them"),
        ((X, Y), {"epochs": None, "steps": 0}, ValueError, "steps: expected at least 1"),
        ((X, Y), {"patience": 0}, ValueError, "patience: expected at least 1"),
        ((X, Y), {"validation": None}, ValueError, "patience, stop, .*: expected validation data"),
        ((X, Y), {"clip": -1}, ValueError, "clip: expected a finite number from 0"),
        ((X, Y), {"clip": 0}, ValueError, "clip: expected above 0, or None, got 0"),
        ((X, Y), {"batch_size": None}, TypeError, "batch_size: expected a whole number"),
        ((X, Y), {"validate_every": 0}, ValueError, "validate_every: expected at least 1"),
        ((X, Y), {"validation": [[1], Y]}, TypeError, "validation.x: expected an array, got list"),
        ((X, Y), {"may_diverge": 1}, TypeError, "may_diverge: expected True or False"),
        ((X, Y), {"rng": -1}, TypeError, "rng: expected a numpy Generator"),
        (
            (X, Y),
            {"rng": np.random.Generator(np.random.MT19937(0))},
            TypeError,
            "rng: expected a generator of PCG64, got Generator.MT19937",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(data, changes, error, message):
    with pytest.raises(error, match=message):
        Run(build(), data, **plan(**changes))


def test_what_is_not_finite_stops_the_run_before_it_spoils_the_parameters():
    def gradient_of(value, loss=1.0):
        return lambda y, target, mask: (loss, np.full_like(y, value))

    for loss, message in [
        (gradient_of(np.nan), "layer.weight_ih_l0: expected a gradient of finite norm, got nan"),
        (gradient_of(0.0, np.nan), "loss of step 1: expected a finite number"),
    ]:
        model = build(loss=loss)
        with pytest.raises(ValueError, match=message):
            fit(model, draw(), optimiser=SGD(1.0), batch_size=N, steps=1)
        assert_same(model.parameters(), build().parameters())
    with pytest.raises(ValueError, match="validation loss: expected a finite number"):
        fit(Recorder([np.nan]), draw(), optimiser=SGD(1.0), batch_size=N, steps=1,
            validation=draw())  # fmt: skip


@pytest.mark.parametrize("validation", [draw(), Recorder.validate], ids=["batch", "function"])
def test_validation_is_measured_as_often_as_asked_and_can_end_the_run(validation):
    model, asked = Recorder([3, 5, 1, 9]), []

    def stop(losses):
        asked.append(losses)
        return losses[-1] < 2

    run = Run(
        model, draw(), optimiser=SGD(1.0), batch_size=4, steps=9, validation=validation,
        validate_every=2, stop=stop,
    )  # fmt: skip
    history = run.train()
    assert run.finished
    np.testing.assert_array_equal(history.validation_loss, [np.nan, 3, np.nan, 5, np.nan, 1])
    assert asked == [(3,), (3, 5), (3, 5, 1)]
    assert model.weight == 6  # the last, for nobody asked for the best


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("patience", [None, 9])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_run_that_may_diverge_ends_with_the_step_that_does(value, patience, what):
    class Wild(Recorder):
        def loss_and_grads(self, batch, rng):
            loss, grads = super().loss_and_grads(batch, rng)
            if len(self.batches) == 5:
                return (value, grads) if what == "loss" else (loss, {"weight": np.array([value])})
            return loss, grads

    model = Wild([value, 2, 3, 4])  # a validation that isn't finite is the worst, no end
    run = Run(
        model, draw(), optimiser=SGD(1.0), batch_size=N, steps=9, validation=draw(1),
        patience=patience, may_diverge=True,
    )  # fmt: skip
    history = run.train()
    assert run.finished and run.diverged
    assert history.step.tolist() == [1, 2, 3, 4, 5]
    assert np.isnan(history.grad_norm).tolist() == [False] * 4 + [True]
    assert history.validation_loss[:4].tolist() == [math.inf, 2, 3, 4]
    assert model.weight == (4 if patience is None else 2)


def test_a_run_that_diverges_before_any_validation_keeps_its_parameters():
    model = build(loss=lambda y, target, mask: (np.nan, np.zeros_like(y)))
    model.parameters()["head.bias"][...] = 7
    run = Run(model, draw(), may_diverge=True, **plan())
    run.train()
    assert run.diverged
    assert np.all(model.parameters()["head.bias"] == 7)


def test_a_schedule_can_not_change_what_the_run_remembers():
    def greedy(step, losses):
        assert isinstance(losses, tuple)
        return 0.1

    fit(Recorder([3, 1]), draw(), optimiser=SGD(1.0), batch_size=4, epochs=2, schedule=greedy,
        validation=draw(1))  # fmt: skip


def test_an_optimiser_that_trained_another_model_is_refused():
    optimiser = Adam(0.05)
    fit(build(), draw(), optimiser=optimiser, batch_size=3, steps=2)
    with pytest.raises(ValueError, match="it has taken 2 steps, got others; make a new Adam"):
        Run(build(), draw(), optimiser=optimiser, batch_size=3, steps=2)


def test_history_is_a_table_from_the_start():
    run = Run(build(), draw(), **plan())
    assert all(len(column) == 0 for column in run.history)
    assert not run.finished
    assert len(run.train(1).loss) == 1
    assert len(run.train(2).loss) == 3
    assert isinstance(run.history, History)
    with pytest.raises(ValueError, match="steps: expected at least 1"):
        run.train(0)


def test_classification_of_padded_sequences_is_learned():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 64, D))
    lengths = rng.integers(2, 9, 64)
    target = (x[0, :, 0] > 0).astype(int)  # the first step, remembered to the last
    model = build(GRU, "last", softmax_cross_entropy)
    history = fit(model, (x, target, lengths), optimiser=Adam(0.05), batch_size=16, epochs=60)
    assert history.loss[0] > 0.5
    assert history.loss[-4:].mean() < 0.1
