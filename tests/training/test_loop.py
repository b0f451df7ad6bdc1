"""The loop: the same numbers in NumPy and PyTorch, and a run that resumes bit for bit."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from test_models import Net

from lstm_lesson import GRU, LSTM, RNN, Linear
from lstm_lesson.engine import files
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


def test_an_epoch_takes_each_sequence_once_in_a_new_order_and_the_short_rest():
    x = np.arange(T * N * D, dtype=float).reshape(T, N, D)
    data = Batch(x, x[..., :1] + 0.5, np.arange(N) % T + 1, np.arange(T * N).reshape(T, N) % 2 == 0)
    model = Recorder()
    fit(model, data, optimiser=SGD(1.0), batch_size=3, epochs=2)
    assert [batch.x.shape[1] for batch in model.batches] == [3, 3, 1] * 2
    orders = []
    for batch in model.batches:
        rows = (batch.x[0, :, 0] // D).astype(int)
        orders.append(rows)
        np.testing.assert_array_equal(batch.x, x[:, rows])
        np.testing.assert_array_equal(batch.target, data.target[:, rows])
        np.testing.assert_array_equal(batch.lengths, data.lengths[rows])
        np.testing.assert_array_equal(batch.mask, data.mask[:, rows])
    first, second = np.concatenate(orders[:3]).tolist(), np.concatenate(orders[3:]).tolist()
    assert sorted(first) == sorted(second) == list(range(N))
    assert first != second


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


def test_clipping_is_of_the_norm_and_then_of_entries():
    data, norms, moves = draw(), set(), []
    for bounds in ({}, {"clip_value": 1e-3}, {"clip": 1e-3}, {"clip": 1e-3, "clip_value": 1e-4}):
        model = build()
        before = {name: p.copy() for name, p in model.parameters().items()}
        history = fit(model, data, optimiser=SGD(1.0), batch_size=N, steps=1, **bounds)
        norms.add(history.grad_norm[0])
        moved = [(p - before[name]).ravel() for name, p in model.parameters().items()]
        moves.append(np.concatenate(moved))
    assert len(norms) == 1  # of the gradient before both
    direction = moves[0] / np.linalg.norm(moves[0])
    # A step is lost among parameters of about 1, of which it keeps 1e-16.
    np.testing.assert_allclose(moves[1], np.clip(moves[0], -1e-3, 1e-3), rtol=0, atol=1e-15)
    # PyTorch adds 1e-6 to the norm, here of about 1, that it divides by.
    np.testing.assert_allclose(moves[2], 1e-3 * direction, rtol=0, atol=1e-9)
    np.testing.assert_allclose(moves[3], np.clip(moves[2], -1e-4, 1e-4), rtol=0, atol=1e-15)
    assert np.abs(moves[2]).max() > 1e-4


def test_the_bar_is_on_stderr_and_off_by_default(capsys):
    plan = {"optimiser": SGD(1.0), "batch_size": 4, "epochs": 2}
    fit(Recorder(), draw(), **plan)
    assert capsys.readouterr() == ("", "")
    fit(Recorder(), draw(), progress=True, **plan)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\r") == 4
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "100%  loss 1" in err.split("\r")[-1]


BUILD = {
    "SGD": lambda: SGD(0.05, 0.9, 0.01),
    "plain SGD": lambda: SGD(0.05),
    "Adam": lambda: Adam(0.05, weight_decay=0.01),
}


def plan(optimiser="Adam", **changes):
    return {
        "optimiser": BUILD[optimiser](), "batch_size": 3, "epochs": 4, "clip": 0.5, "rng": 5,
        "schedule": PlateauSchedule(0.05, 0.5, 0, threshold=0.5),
        "validation": draw(1), "patience": 2,
    } | changes  # fmt: skip


@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_run_stopped_at_any_step_ends_bit_for_bit_like_one_that_was_not(
    tmp_path, optimiser, library
):
    def fresh():
        ours = build(num_layers=2, dropout=0.5, loss=mean_squared_error)
        model = ours if library == "numpy" else in_torch(ours)
        return Run(model, draw(), **plan(optimiser))

    def outcome(run):
        return run.model.parameters() | run.optimiser.state_dict() | run.history._asdict()

    whole = fresh()
    whole.train()
    steps = len(whole.history.loss)
    assert len(set(whole.history.lr)) > 1  # the schedule had its part
    for stop in range(steps + 1):
        path = tmp_path / f"{stop}.safetensors"
        first = fresh()
        if stop:
            first.train(stop)
        first.save(path)
        with torch.random.fork_rng():
            torch.manual_seed(stop)  # PyTorch's generator is no part of it
            second = fresh()
            second.model.parameters()["head.weight"][...] = np.nan
            second.load(path)
            assert_same(outcome(second), outcome(first))
            second.train()
        assert_same(outcome(second), outcome(whole))
        assert second.rng.bit_generator.state == whole.rng.bit_generator.state
        assert second.finished


def test_early_stopping_is_met_at_the_same_step_after_resuming(tmp_path):
    losses, path = [5, 3, 4, 2, 2, 3, 1], tmp_path / "run"

    def fresh(used):
        model = Recorder(losses[used:])
        return Run(model, draw(), optimiser=SGD(1.0), batch_size=4, epochs=50,
                   validation=draw(1), patience=2)  # fmt: skip

    for stop in range(1, 13):
        first = fresh(0)
        first.train(stop)
        first.save(path)
        second = fresh(stop // 2)
        second.load(path)
        assert len(second.train().loss) == 12
        assert second.model.weight == 8


def test_fit_resumes_from_the_file_it_keeps(tmp_path):
    path = tmp_path / "run.safetensors"
    whole, model = build(), build()
    expected = fit(whole, draw(), **plan())
    run = Run(model, draw(), **plan())
    run.train(5)
    run.save(path)
    model = build()
    history = fit(model, draw(), keep=path, **plan())
    assert_same(history._asdict(), expected._asdict())
    assert_same(model.parameters(), whole.parameters())
    # What is finished stays as it is.
    again = build()
    assert_same(fit(again, draw(), keep=path, **plan())._asdict(), expected._asdict())
    assert_same(again.parameters(), whole.parameters())


def test_a_run_in_float32_stays_float32(tmp_path):
    model, data = build(dtype=np.float32), draw(dtype=np.float32)
    run = Run(model, data, **plan(validation=data))
    run.train()
    run.save(tmp_path / "run")
    arrays, _ = files.load(tmp_path / "run")
    kinds = {name: a.dtype for name, a in arrays.items() if name not in ("history", "order")}
    assert set(kinds.values()) == {np.dtype(np.float32)}


def saved(path):
    run = Run(build(), draw(), **plan())
    run.train(5)
    run.save(path)
    return files.load(path)


def refused(path, match, **changes):
    run = Run(build(), draw(), **plan(**changes))
    run.train(1)
    before = {name: a.copy() for name, a in run._arrays().items()}
    state = run.optimiser.state_dict(), run.rng.bit_generator.state
    with pytest.raises(ValueError, match=match):
        run.load(path)
    assert_same(run._arrays(), before)
    assert_same(run.optimiser.state_dict(), state[0])
    assert run.rng.bit_generator.state == state[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 2}, {"epochs": 5}, {"clip": None}, {"clip_value": 1.0}, {"patience": 3},
        {"patience": None}, {"optimiser": "SGD"}, {"optimiser": "plain SGD"},
    ],
    ids=repr,
)  # fmt: skip
def test_a_run_of_another_plan_is_refused(tmp_path, changes):
    saved(tmp_path / "run")
    refused(tmp_path / "run", "expected (a run of|arrays)", **changes)


def deep(levels):
    value = 1
    for _ in range(levels):
        value = {"state": value}
    return value


PCG = np.random.PCG64(0).state


@pytest.mark.parametrize(
    "change",
    [
        {"plan": None}, {"plan": {}}, {"plan": deep(400)}, {"rng": None}, {"rng": {}}, {"rng": 5},
        {"rng": deep(400)}, {"rng": np.random.MT19937(0).state["bit_generator"]},
        {"rng": PCG | {"bit_generator": "MT19937"}}, {"rng": PCG | {"state": {"state": 1}}},
        {"rng": PCG | {"state": {"state": -1, "inc": 1}}}, {"rng": PCG | {"has_uint32": "x"}},
        {"rng": PCG | {"state": {"state": 2**128, "inc": 1}}}, {"rng": PCG | {"uinteger": 2**70}},
        {"rng": PCG | {"state": {"state": 1e300, "inc": 1}}}, {"rng": PCG | {"has_uint32": 1.5}},
        {"rng": PCG | {"more": 1}},
        {"optimiser": None}, {"optimiser": {}}, {"optimiser": []}, {"optimiser": [[]]},
        {"optimiser": {"lr": 1}}, {"optimiser": "lr"}, {"optimiser": [1]}, {"optimiser": deep(400)},
    ],
    ids=lambda change: repr(change)[:60],
)  # fmt: skip
def test_hostile_options_are_refused_and_change_nothing(tmp_path, change):
    path = tmp_path / "run"
    arrays, options = saved(path)
    files.save(path, arrays, options | change)
    refused(path, "run: ")
    for name in change:
        del options[name]
        files.save(path, arrays, options)
        refused(path, "run: ")


@pytest.mark.parametrize("name", ["plan", "rng", "optimiser"])
def test_options_nested_as_deep_as_json_goes_are_refused(tmp_path, name):
    path = tmp_path / "run"
    arrays, options = saved(path)
    run, read = Run(build(), draw(), **plan()), []
    for levels in range(sys.getrecursionlimit() - 120, sys.getrecursionlimit() + 2):
        nested = '{"lr":' * levels + "1" + "}" * levels
        text = json.dumps(options | {name: 1}).replace(f'"{name}": 1', f'"{name}": {nested}')
        save_file(arrays, path, {files.KEY: text, files.DIGEST: files._digest(arrays, text)})
        with pytest.raises(ValueError, match="run: ") as error:
            run.load(path)
        read.append("is no JSON" not in str(error.value))
    assert read[0] > read[-1]  # the parser's limit is among them


@pytest.mark.parametrize(
    "value", [None, "x", [], {}, -1, 1e300, 10**400, True, deep(400)], ids=lambda v: repr(v)[:20]
)
@pytest.mark.parametrize("name", ["lr", "weight_decay", "betas", "eps", "steps"])
def test_hostile_settings_of_the_optimiser_are_refused(tmp_path, name, value):
    path = tmp_path / "run"
    arrays, options = saved(path)
    options["optimiser"][name] = value
    files.save(path, arrays, options)
    if value == 1e300 and name in ("lr", "weight_decay", "eps"):
        Run(build(), draw(), **plan()).load(path)  # nonsense, but a number
    else:
        # A number beyond float64 is refused as well, but not by name.
        refused(path, "run: " if value == 10**400 else f"run: .*{name}")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("order", np.arange(N) // 2, "order: expected every sequence once"),
        ("order", np.arange(N) + 1, "order: expected every sequence once"),
        ("order", np.arange(N + 1), "order: expected shape"),
        ("order", np.arange(N) * 1.0, "order: expected shape .* of int64, got .* float64"),
        ("history", np.zeros((13, 5)) + np.arange(1, 14)[:, None], "history: expected the steps"),
        ("history", np.zeros((5, 5)), "history: expected the steps"),
        ("history", np.zeros((5, 4)), "history: expected shape"),
        ("history", np.array(5.0), "history: expected shape"),
        ("params.head.bias", np.zeros(3), "params.head.bias: expected shape"),
        ("params.head.bias", np.zeros(2, np.float32), "params.head.bias: .* of float64"),
        ("best.head.bias", np.zeros(3), "best.head.bias: expected shape"),
        ("optimiser.m.head.bias", np.zeros(3), "optimiser.m.head.bias: expected shape"),
        ("optimiser.m.more", np.zeros(3), r"differ in \['optimiser.m.more'\]"),
    ],
)
def test_hostile_arrays_are_refused_and_change_nothing(tmp_path, name, array, message):
    path = tmp_path / "run"
    arrays, options = saved(path)
    files.save(path, arrays | {name: array}, options)
    refused(path, f"run: .*{message}")
    del arrays[name.replace("more", "head.weight")]
    files.save(path, arrays, options)
    refused(path, "run: expected arrays")


def test_a_momentum_that_contradicts_its_arrays_is_refused(tmp_path):
    path = tmp_path / "run"
    run = Run(build(), draw(), **plan("SGD"))
    run.save(path)
    arrays, options = files.load(path)
    options["optimiser"]["momentum"] = 0
    files.save(path, arrays, options)
    refused(path, r"run: state of SGD: has no arrays \['m'\]", optimiser="SGD")


def test_files_of_other_things_are_refused(tmp_path):
    path = tmp_path / "run"
    build().layer.save(path)
    refused(path, "run: expected arrays")
    saved(path)
    with pytest.raises(ValueError, match="expected a saved LSTM, got None"):
        LSTM.load(path)
    for content in (b"", path.read_bytes()[:-1], json.dumps({"plan": 1}).encode()):
        path.write_bytes(content)
        refused(path, "run: not a readable safetensors file")
    with pytest.raises(ValueError, match="not a file"):
        fit(build(), draw(), keep=tmp_path, **plan())
    with pytest.raises(FileNotFoundError, match="no such file"):
        Run(build(), draw(), **plan()).load(tmp_path / "none")


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
        ((X, Y), {"validation": None}, ValueError, "patience: expected validation data, got none"),
        ((X, Y), {"clip": -1}, ValueError, "clip: expected a finite number from 0"),
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
