"""A run resumes bit for bit whatever feeds it, can be made longer, and trusts no file blindly."""

import json
import sys
from bisect import bisect_left

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from test_loop import BUILD, N, Recorder, assert_same, build, draw, in_torch, plan

from lstm_lesson import GRU, LSTM, RNN
from lstm_lesson.engine import files
from lstm_lesson.training import resume
from lstm_lesson.training.batches import Fresh, Stream
from lstm_lesson.training.loop import Run, fit
from lstm_lesson.training.losses import mean_squared_error
from lstm_lesson.training.models import Batch
from lstm_lesson.training.optim import SGD, Adam, CosineSchedule


def outcome(run):
    kept = resume.arrays_of(run)
    return run.model.parameters() | kept | {"rng": [str(g.bit_generator.state) for g in run.rngs]}


@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_run_stopped_at_any_step_ends_bit_for_bit_like_one_that_was_not(
    tmp_path, optimiser, library
):
    def fresh():
        ours = build(num_layers=2, dropout=0.5, loss=mean_squared_error)
        model = ours if library == "numpy" else in_torch(ours)
        return Run(model, draw(), **plan(optimiser))

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


def test_a_run_in_float32_stays_float32(tmp_path):
    model, data = build(dtype=np.float32), draw(dtype=np.float32)
    run = Run(model, data, **plan(validation=data))
    run.train()
    run.save(tmp_path / "run")
    arrays, _ = files.load(tmp_path / "run")
    kinds = {a.dtype for name, a in arrays.items() if name.startswith(("params", "best"))}
    kinds |= {a.dtype for name, a in arrays.items() if name.startswith("optimiser.m.")}
    assert kinds == {np.dtype(np.float32)}


# ---- Every source, every length ----

SERIES = np.random.default_rng(9).normal(size=(40, 2))


def source(kind, seed=0):
    if kind == "fixed":
        return draw(seed)
    if kind == "fresh":
        return Fresh(lambda rng: draw(rng, N=3), 7)
    return Stream(
        SERIES + seed,
        lambda read: Batch(read[:-1], read[1:]),
        batch_size=3,
        length=4,
        restart=0.2,
        rng=7,
    )


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["fixed", "fresh", "stream"]),
    st.sampled_from([LSTM, GRU, RNN]),
    st.sampled_from(sorted(BUILD)),
    st.sampled_from([None, 2, 99]),
    st.lists(st.integers(0, 5), min_size=1, max_size=3),
)
def test_a_run_in_parts_each_longer_than_the_last_is_one_run(
    tmp_path_factory, kind, layer, optimiser, patience, parts
):
    def fresh(steps):
        return Run(
            build(layer, num_layers=2, dropout=0.5),
            source(kind),
            optimiser=BUILD[optimiser](),
            batch_size=3 if kind == "fixed" else None,
            steps=max(1, steps),
            clip=0.5,
            validation=draw(1),
            validate_every=1,  # so that no end of a part adds a validation
            patience=patience,
            rng=5,
        )

    path, steps = tmp_path_factory.mktemp("runs") / "run", 0
    whole = fresh(sum(parts))
    whole.train()
    for part in parts:
        steps += part
        run = fresh(steps)
        if path.exists():
            run.load(path)
        if part:
            run.train()
        run.save(path)
    if steps:
        assert_same(outcome(run), outcome(whole))
        assert run.finished


def test_fit_goes_on_with_the_run_it_keeps_and_makes_it_longer(tmp_path):
    whole = build()
    options = {"batch_size": 3, "clip": 0.5, "rng": 5, "keep": tmp_path / "run"}
    expected = fit(
        whole, draw(), optimiser=Adam(0.05), steps=20, **options | {"keep": tmp_path / "whole"}
    )
    run = Run(build(), draw(), optimiser=Adam(0.05), steps=9, batch_size=3, clip=0.5, rng=5)
    run.train(5)
    run.save(options["keep"])
    for steps in (10, 20, 20):  # goes on, is made longer, and stays as it is
        model = build()
        history = fit(model, draw(), optimiser=Adam(0.05), steps=steps, **options)
        assert len(history.loss) == steps
    assert_same(history._asdict(), expected._asdict())
    assert_same(model.parameters(), whole.parameters())
    with pytest.raises(ValueError, match="steps: expected at least the 20 in this file, got 10"):
        fit(build(), draw(), optimiser=Adam(0.05), steps=10, **options)


def test_a_longer_run_goes_on_from_the_last_parameters_not_from_the_best(tmp_path):
    path = tmp_path / "run"
    for steps, losses, expected in [(2, [1, 2], 1), (4, [3, 4], 1), (5, [0.5], 5)]:
        model = Recorder(losses)  # whose weight counts steps
        fit(
            model, draw(), optimiser=SGD(1.0), batch_size=N, steps=steps, validation=draw(1),
            patience=9, keep=path,
        )  # fmt: skip
        assert model.weight == expected


def test_a_file_that_can_not_be_written_shows_before_the_first_step(tmp_path):
    model = build()
    with pytest.raises(FileNotFoundError):
        fit(model, draw(), keep=tmp_path / "none" / "run", **plan())
    assert_same(model.parameters(), build().parameters())


def test_a_diverged_run_stays_so(tmp_path):
    path, sick = tmp_path / "run", draw()
    sick.x[:] = np.nan
    options = {"batch_size": N, "steps": 5, "may_diverge": True, "keep": path}
    for _ in range(2):
        assert len(fit(build(), sick, optimiser=SGD(1.0), **options).loss) == 1


# ---- What a run must have in common with the file's ----


def saved(path):
    run = Run(build(), draw(), **plan())
    run.train(5)
    run.save(path)
    return files.load(path)


def refused(path, match, **changes):
    data = changes.pop("data", draw())
    changes |= {"batch_size": None} if isinstance(data, Fresh) else {}
    changes |= {"epochs": None, "steps": 12} if isinstance(data, Fresh) else {}
    run = Run(build(), data, **plan(**changes))
    run.train(1)
    before = {name: np.copy(value) for name, value in outcome(run).items()}
    with pytest.raises(ValueError, match=match):
        run.load(path)
    assert_same(outcome(run), before)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"batch_size": 2}, "'batch_size': 2, .* got one with {'batch_size': 3, "),
        ({"clip": None}, "'clip': None}, got one with {'clip': 0.5}"),
        ({"patience": 3}, "'patience': 3}, got one with {'patience': 2}"),
        ({"patience": None}, "'patience': None"),
        ({"validate_every": 2}, "'validate_every': 2}, got one with {'validate_every': 3}"),
        ({"validation": draw(2)}, "'validation': '"),
        ({"validation": lambda model: 1.0}, "'validation': 'a function'"),
        ({"optimiser": "SGD"}, "'optimiser': 'SGD'"),
        ({"optimiser": Adam(0.05)}, "'weight_decay': 0.0}, got one with {'weight_decay': 0.01}"),
        ({"schedule": None}, "'lr': 0.05}, got one with {'lr': 'by schedule'}"),
        ({"data": draw(2)}, "'data': '"),
        ({"data": Fresh(draw)}, "'source': 'Fresh'"),
        ({"epochs": 1}, "steps: expected at least the 5 in this file, got 3"),
    ],
)
def test_a_run_of_another_kind_is_refused_with_both(tmp_path, changes, named):
    saved(tmp_path / "run")
    refused(tmp_path / "run", named + ("" if "steps" in named else ".*; ask for"), **changes)


def test_a_finished_run_is_not_taken_for_that_of_other_data(tmp_path):
    for kind in ("fixed", "stream"):
        path = tmp_path / kind
        options = {"batch_size": 3 if kind == "fixed" else None, "steps": 2, "keep": path}
        fit(build(), source(kind), optimiser=SGD(0.1), **options)
        with pytest.raises(ValueError, match=r"'data': .* keep this one in another file"):
            fit(build(), source(kind, 1), optimiser=SGD(0.1), **options)


def test_a_rate_that_is_asked_for_is_obeyed_or_refused(tmp_path):
    options = {"batch_size": 3, "keep": tmp_path / "run"}
    fit(build(), draw(), optimiser=Adam(0.05), steps=2, **options)
    with pytest.raises(ValueError, match=r"\{'lr': 0.01\}, got one with \{'lr': 0.05\}"):
        fit(build(), draw(), optimiser=Adam(0.01), steps=4, **options)
    run = Run(build(), draw(), optimiser=Adam(0.05), batch_size=3, steps=4)
    run.load(options["keep"])
    run.optimiser.lr = 0.01  # by hand, and it stays
    run.train(1)
    run.save(options["keep"])
    history = fit(build(), draw(), optimiser=Adam(0.05), steps=4, **options)
    assert history.lr.tolist() == [0.05, 0.05, 0.01, 0.01]
    # A schedule decides by itself, and how long it is is the caller's.
    for steps in (2, 4):
        rates = fit(
            build(), draw(), optimiser=Adam(steps), batch_size=3, steps=steps,
            schedule=CosineSchedule(0.1, steps), keep=tmp_path / "scheduled",
        ).lr  # fmt: skip
    assert rates[2:].tolist() == [CosineSchedule(0.1, 4)(step) for step in (2, 3)]


def test_files_of_other_releases_are_refused_with_the_reason(tmp_path):
    path = tmp_path / "run"
    arrays, options = saved(path)
    del options["version"]
    files.save(path, arrays, options)
    refused(path, r"run: expected a run in version 2, got None; release 0.1 wrote none, .* again")
    files.save(path, arrays, options | {"version": 3})
    refused(path, "run: expected a run in version 2, got 3")


# ---- Hostile files ----


def deep(levels):
    value = 1
    for _ in range(levels):
        value = {"state": value}
    return value


PCG = np.random.PCG64(0).state


def pcg(**changes):
    return {"rng": [PCG | changes]}


@pytest.mark.parametrize(
    "change",
    [
        {"plan": None}, {"plan": {}}, {"plan": deep(400)}, {"rng": None}, {"rng": {}}, {"rng": 5},
        {"rng": []}, {"rng": [PCG, PCG]},
        {"rng": [np.random.MT19937(0).state["bit_generator"]]}, {"rng": [deep(400)]},
        pcg(bit_generator="MT19937"), pcg(state={"state": 1}), pcg(state={"state": -1, "inc": 1}),
        pcg(has_uint32="x"), pcg(state={"state": 2**128, "inc": 1}), pcg(uinteger=2**70),
        pcg(state={"state": 1e300, "inc": 1}), pcg(has_uint32=1.5), pcg(more=1),
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


def deepest() -> int:
    """The most levels that this Python's JSON parser goes down: its limit moves with releases."""

    def goes(levels):
        try:
            return bool(json.loads('{"lr":' * levels + "1" + "}" * levels))
        except RecursionError:
            return False

    return bisect_left(range(100_000), True, key=lambda levels: not goes(levels + 1))


@pytest.mark.parametrize("name", ["plan", "rng"])
def test_options_nested_as_deep_as_json_goes_are_refused(tmp_path, name):
    path = tmp_path / "run"
    arrays, options = saved(path)
    run, read = Run(build(), draw(), **plan()), []
    limits = sys.getrecursionlimit(), deepest()
    for levels in sorted({n for limit in limits for n in range(limit - 120, limit + 10)}):
        nested = '{"lr":' * levels + "1" + "}" * levels
        text = json.dumps(options | {name: 1}).replace(f'"{name}": 1', f'"{name}": {nested}')
        save_file(arrays, path, {files.KEY: text, files.DIGEST: files._digest(arrays, text)})
        with pytest.raises(ValueError, match="run: ") as error:
            run.load(path)
        read.append("is no JSON" not in str(error.value))
    assert read[0] > read[-1]  # the parser's limit is among them


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("source.order", np.arange(N) // 2, "order: expected every sequence once"),
        ("source.order", np.arange(N) + 1, "order: expected every sequence once"),
        ("source.order", np.arange(N + 1), "order: expected shape"),
        ("source.order", np.arange(N) * 1.0, "order: expected shape .* of int64, got .* float64"),
        (
            "history",
            np.zeros((13, 5)) + np.arange(1, 14)[:, None],
            "steps: expected at least the 13",
        ),
        ("history", np.zeros((5, 5)), "history: expected the steps"),
        ("history", np.zeros((5, 4)), "history: expected shape"),
        ("history", np.array(5.0), "history: expected shape"),
        ("params.head.bias", np.zeros(3), "params.head.bias: expected shape"),
        ("params.head.bias", np.zeros(2, np.float32), "params.head.bias: .* of float64"),
        ("best.head.bias", np.zeros(3), "best.head.bias: expected shape"),
        ("optimiser.m.head.bias", np.zeros(3), "optimiser.m.head.bias: expected shape"),
        ("optimiser.lr", np.array(-1.0), "optimiser.lr: expected a finite number from 0"),
        ("optimiser.lr", np.array(np.nan), "optimiser.lr: expected a finite number from 0"),
        ("optimiser.steps", np.array(-1), "optimiser.steps: expected a finite number from 0"),
        ("optimiser.steps", np.array(2**60), "optimiser.steps: expected a finite number"),
        ("optimiser.steps", np.array(1.0), "optimiser.steps: .* of int64"),
        ("source.taken", np.array(-1), "source.taken: expected a finite number from 0"),
        ("source.taken", np.zeros(2, int), "source.taken: expected shape"),
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


def test_files_of_other_things_are_refused(tmp_path):
    path = tmp_path / "run"
    build().layer.save(path)
    refused(path, "run: expected a run in version 2, got None")
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
