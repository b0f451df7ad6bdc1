"""Experiments: run, kept, killed in the middle and gone on with, and read by the command."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson import cli, figures
from lstm_lesson.experiments import plots
from lstm_lesson.experiments.runs import Spec, build, evaluate, run
from lstm_lesson.experiments.specs import EXPERIMENTS, experiment, matched
from lstm_lesson.experiments.statistics import arms, median, ratio, wilson
from lstm_lesson.experiments.store import Store
from lstm_lesson.experiments.sweep import Experiment, sweep

ROOT = Path(__file__).parents[2]
SMALL = Spec(
    arm="LSTM", task="adding", T=5, layer="LSTM", hidden_size=4, options="{}", lr=0.01, clip=1.0,
    batch_size=8, steps=40, stop=False, engine="numpy", dtype="float64", seed=0,
)  # fmt: skip


class Toss(NamedTuple):
    arm: str
    task: str
    T: int
    lr: float
    seed: int


class Fell(NamedTuple):
    value: float
    solved: bool
    note: str


def toss(spec):
    time.sleep(0.02)
    value = float(np.random.default_rng(spec.seed).normal())
    return Fell(value, value > 0, 'a "quoted", note\nof two lines')


def bad_toss(spec):
    if spec.seed == 3:
        raise OSError("the coin rolled away")
    return toss(spec)


COINS = Experiment(
    name="coins",
    about="a toss",
    specs=tuple(Toss("penny", "toss", 1, 0.1, seed) for seed in range(60)),
    run=toss,
    outcome=Fell,
    minutes=1,
)


# ---- One run ----


def test_a_run_gives_the_same_outcome_again():
    assert run(SMALL) == run(SMALL)
    assert run(SMALL._replace(seed=1)) != run(SMALL)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("task", ["adding", "copy"])
def test_both_engines_train_to_the_same_numbers(layer, task):
    ours = run(SMALL._replace(layer=layer, task=task))
    torchs = run(SMALL._replace(layer=layer, task=task, engine="torch"))
    assert ours.test_loss == pytest.approx(torchs.test_loss, rel=1e-9)
    assert ours.validation_loss == pytest.approx(torchs.validation_loss, rel=1e-9)
    assert ours.parameters == torchs.parameters


def test_an_easy_task_is_solved_and_a_run_that_may_stop_does():
    easy = SMALL._replace(task="sine", T=20, hidden_size=16, steps=400, lr=0.02)
    long, short = run(easy), run(easy._replace(stop=True))
    assert long.solved and short.solved
    assert long.solved_at == short.solved_at == short.sequences < long.sequences
    assert long.test_loss <= short.test_loss


def test_the_best_parameters_by_validation_are_tested():
    wild = SMALL._replace(lr=0.5, steps=80)  # gets worse again
    outcome = run(wild)
    model, task, seed, _ = build(wild)
    _, validate, _ = (np.random.default_rng(s) for s in seed.spawn(3))
    validation = task.sample(validate, 512, wild.T)
    first, _ = evaluate(model, task, validation, wild.T)
    assert outcome.validation_loss <= first


def test_a_run_that_diverges_is_an_outcome():
    outcome = run(SMALL._replace(layer="RNN", options='{"nonlinearity": "relu"}', lr=1e200))
    assert outcome.status == "diverged"
    assert outcome.solved is False
    assert outcome.sequences < SMALL.steps * SMALL.batch_size


def test_options_reach_the_layer():
    model, *_ = build(SMALL._replace(options='{"chrono": 30}'))
    i, f, g, o = model.layer.parameters()["bias_l0"].reshape(4, 4)
    np.testing.assert_array_equal(i, -f)
    assert f.max() < np.log(29)
    assert not g.any()
    assert not o.any()
    model, *_ = build(SMALL._replace(options='{"forget_bias": 3.0}'))
    np.testing.assert_array_equal(model.layer.parameters()["bias_l0"][4:8], 3)
    model, *_ = build(SMALL._replace(layer="GRU", options='{"update_bias": 1.0}'))
    np.testing.assert_array_equal(model.layer.parameters()["bias_l0"], [0] * 4 + [1] * 4 + [0] * 4)
    for wrong, message in (({"engine": "abacus"}, "engine"), ({"layer": "CNN"}, "layer")):
        with pytest.raises(ValueError, match=message):
            build(SMALL._replace(**wrong))


def test_matched_sizes_have_the_count_of_parameters_nearest_to_an_lstms():
    for layer in ("RNN", "GRU", "LSTM"):
        H = matched(layer, "copy", 32)
        near = [
            build(SMALL._replace(layer=layer, task="copy", hidden_size=size)).parameters
            for size in (H - 1, H, H + 1)
        ]
        wanted = build(SMALL._replace(task="copy", hidden_size=32)).parameters
        assert np.argmin(np.abs(np.array(near) - wanted)) == 1


# ---- The store ----


def coins(folder) -> Store:
    return COINS.store(folder)


def test_what_is_appended_is_read_back(tmp_path):
    store = coins(tmp_path)
    rows = {spec: toss(spec)._replace(value=value) for spec, value in
            zip(COINS.specs, (0.1, 1e-300, float("inf"), -1 / 3), strict=False)}  # fmt: skip
    for spec, outcome in rows.items():
        store.append(spec, outcome, 1.234)
    assert store.rows() == rows
    machine = store.seconds()[COINS.specs[0]]
    assert (machine.seconds, machine.numpy) == (1.23, np.__version__)


@pytest.mark.parametrize("cut", range(1, 70, 3))
def test_a_half_row_is_dropped_and_the_next_one_takes_its_place(tmp_path, cut):
    store = coins(tmp_path)
    for spec in COINS.specs[:3]:
        store.append(spec, toss(spec), 1.0)  # the note has a line break: the row has two lines
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:-cut])
    assert list(store.rows()) == list(COINS.specs[:2])
    store.append(COINS.specs[2], toss(COINS.specs[2]), 1.0)
    assert store.path.read_bytes() == whole


def test_rows_are_put_in_the_order_of_the_specification(tmp_path):
    store = coins(tmp_path)
    for seed in (2, 0, 1):
        store.append(COINS.specs[seed], toss(COINS.specs[seed]), 1.0)
    store.tidy(COINS.specs)
    assert list(store.rows()) == list(store.seconds()) == list(COINS.specs[:3])
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"arm,", b"brm,", "expected the columns"),
        (b",0.1,", b",fast,", "line 2: not a row"),
        (b"True", b"yes", "line 2: expected True or False|line 2: not a row"),
        (b"penny,", b"penny,extra,", "line 2: not a row"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_kept(tmp_path, old, new, message):
    store = coins(tmp_path)
    store.append(COINS.specs[0], Fell(1.0, True, "x"), 1.0)
    text = store.path.read_bytes().replace(old, new, 1)
    store.path.write_bytes(text)
    with pytest.raises(ValueError, match=message):
        sweep(COINS, tmp_path)
    assert store.path.read_bytes() == text


# ---- Sweeps ----


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert sweep(COINS, folder, jobs=2) == len(COINS.specs)
    return coins(folder)


def test_a_sweep_runs_what_is_missing_and_nothing_twice(undisturbed, tmp_path):
    assert sweep(COINS, tmp_path, seeds=(1, 5)) == 2
    assert sweep(COINS, tmp_path, only=("seed=5",)) == 0
    assert sweep(COINS, tmp_path, jobs=2) == len(COINS.specs) - 2
    assert coins(tmp_path).path.read_bytes() == undisturbed.path.read_bytes()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")
def test_a_sweep_killed_twenty_times_ends_with_the_same_rows(undisturbed, tmp_path):
    code = "from test_experiments import *; sweep(COINS, sys.argv[1], jobs=2)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    where = {"cwd": Path(__file__).parent, "stderr": subprocess.DEVNULL}
    draw = random.Random(0)
    killed = 0
    for _ in range(20):
        process = subprocess.Popen(command, start_new_session=True, **where)
        limit, before = draw.uniform(0, 0.15), coins(tmp_path).rows()
        end = time.monotonic() + 60
        while len(coins(tmp_path).rows()) == len(before) < 57 and time.monotonic() < end:
            time.sleep(0.01)  # so that each life gets as far as a row
        time.sleep(limit)
        process.send_signal(signal.SIGKILL)  # the parent alone: its workers must end by themselves
        killed += process.wait() == -signal.SIGKILL
        assert before.items() <= coins(tmp_path).rows().items()
    assert killed >= 15  # the last ones may find nothing left to do
    sweep(COINS, tmp_path)
    assert coins(tmp_path).path.read_bytes() == undisturbed.path.read_bytes()


def test_a_sweep_killed_before_it_could_put_its_rows_in_order_is_put_right(undisturbed, tmp_path):
    store = coins(tmp_path)
    for spec in reversed(COINS.specs):
        store.append(spec, toss(spec), 1.0)
    assert sweep(COINS, tmp_path) == 0
    assert store.path.read_bytes() == undisturbed.path.read_bytes()
    assert list(store.seconds()) == list(COINS.specs)


def test_a_run_that_raises_stops_the_sweep_and_loses_no_row(tmp_path):
    with pytest.raises(OSError, match="rolled away"):
        sweep(COINS._replace(run=bad_toss), tmp_path, seeds=range(10))
    assert len(coins(tmp_path).rows()) >= 3
    assert sweep(COINS, tmp_path, seeds=range(10)) <= 7


def test_two_writers_at_once_are_refused(tmp_path):
    store = coins(tmp_path)
    with store.lock(), pytest.raises(ValueError, match="another process"):
        sweep(COINS, tmp_path)
    assert not store.path.exists()


@pytest.mark.parametrize(
    ("seeds", "only", "message"),
    [
        ((99,), (), "no run has seeds"),
        ((), ("colour=red",), "expected field=value"),
        ((), ("seed",), "expected field=value"),
        ((), ("arm=pound",), "no run has"),
    ],
)
def test_a_choice_that_fits_nothing_is_refused(tmp_path, seeds, only, message):
    with pytest.raises(ValueError, match=message):
        sweep(COINS, tmp_path, seeds=seeds, only=only)


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(silence_logs=50, **options) as cluster:
        with distributed.Client(cluster) as client:
            client.run(sys.path.insert, 0, str(Path(__file__).parent))
            cluster.pids = list(client.run(os.getpid).values())
        yield cluster


@pytest.mark.filterwarnings("ignore")  # of Dask, when a worker is killed
def test_a_cluster_that_loses_a_worker_gives_the_same_rows(undisturbed, cluster, tmp_path):
    store = coins(tmp_path)
    code = "from test_experiments import *; sweep(COINS, sys.argv[1], scheduler=sys.argv[2])"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path), cluster.scheduler_address],
        cwd=Path(__file__).parent,
    )
    end = time.monotonic() + 60
    while len(store.rows()) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(cluster.pids[0], signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert store.path.read_bytes() == undisturbed.path.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_raises_on_a_cluster_says_what_was_wrong(cluster, tmp_path):
    with pytest.raises(OSError, match="rolled away"):
        sweep(COINS._replace(run=bad_toss), tmp_path, scheduler=cluster.scheduler_address)
    rows = coins(tmp_path).rows()
    assert rows == {spec: toss(spec) for spec in rows}


# ---- Statistics ----


def test_wilson_intervals_are_those_of_the_textbook():
    assert wilson(0, 10) == pytest.approx((0, 0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((1, 0.7225, 1), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.5, 0.2366, 0.7634), abs=1e-4)
    with pytest.raises(ValueError, match="count, total"):
        wilson(3, 2)


def test_a_bootstrap_interval_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [low <= 0 <= high for _, low, high in
            (median(rng.normal(size=15), rng, draws=400) for _ in range(300))]  # fmt: skip
    assert 0.90 < np.mean(held) < 0.99


def test_failures_count_as_the_worst():
    assert median([1, 2, np.nan]).value == 2
    assert median([1, np.nan, np.inf]).value == np.inf
    assert ratio([1, 1, 1], [2, 2, 2]) == (0.5, 0.5, 0.5)
    assert ratio([np.nan] * 3, [2, 2, 2]) == (np.inf, np.inf, np.inf)
    assert ratio([2, 2, 2], [np.nan] * 3) == (0, 0, 0)
    assert ratio([np.nan] * 3, [np.inf] * 3) == (1, 1, 1)  # none solved, none is better


def test_the_learning_rate_is_picked_without_the_test_data():
    specs = {}
    for lr, solved_at, loss in ((0.1, 0, 0.5), (0.2, 80, 0.1), (0.3, 40, 0.2)):
        for seed in range(3):
            outcome = run(SMALL._replace(steps=1))._replace(
                solved_at=solved_at, validation_loss=loss, test_loss=1 / lr, solved=lr == 0.2
            )
            specs[SMALL._replace(lr=lr, seed=seed)] = outcome
    arm = arms(specs)["LSTM", "adding", 5]
    assert (arm.lr, arm.rates, arm.solved) == (0.3, (0.1, 0.2, 0.3), 0)
    assert arm.share == wilson(0, 3)
    np.testing.assert_array_equal(arm.values("solved_at"), 40)
    assert arm.median("test_loss").value == 1 / 0.3


# ---- What is committed ----


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_committed_rows_are_of_the_specification_and_complete(name):
    one = experiment(name)
    assert len(set(one.specs)) == len(one.specs)
    stored = one.store(ROOT / "results")
    # One that nobody has run yet has none; of one that was begun, all are there.
    assert list(stored.rows()) in ([], list(one.specs))
    assert list(stored.seconds()) == list(stored.rows())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_sample_of_the_committed_rows_comes_out_again(name):
    """Rounding differs between processors, and training amplifies it: then by what a row claims."""
    one = experiment(name)
    rows, machines = one.store(ROOT / "results").rows(), one.store(ROOT / "results").seconds()
    for spec in sorted(rows, key=lambda spec: machines[spec].seconds)[:3]:
        stored, again = rows[spec], one.run(spec)
        if repr(again) != repr(stored):  # by repr, for NaN is not equal to itself
            assert claim(again) == claim(stored)
            if hasattr(stored, "test_loss"):
                arm = arms(rows)[spec.arm, spec.task, spec.T]
                worst = arm.values("test_loss").max()
                assert again.test_loss <= 1.5 * worst


def claim(outcome) -> tuple:
    fields = ("parameters", "trivial", "status", "solved")
    return tuple(getattr(outcome, field, None) for field in fields)


# ---- Figures ----


@pytest.mark.parametrize(
    "draw",
    [
        plots.lstm_vs_rnn_comparison,
        plots.training_dynamics,
        plots.gate_activations,
        plots.gate_correlations,
    ],
)
def test_a_figure_of_the_same_rows_has_the_same_bytes(draw):
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        figures.use_style()
        first, second = (figures.to_png(draw(ROOT / "results")) for _ in range(2))
    assert first.startswith(b"\x89PNG")
    assert first == second


def test_figures_without_rows_say_so(tmp_path):
    with pytest.raises(ValueError, match="rows are missing") as error:
        plots.draw_all(tmp_path, tmp_path)
    assert all(draw.__name__ in str(error.value) for draw in plots.FIGURES)
    assert not list(tmp_path.iterdir()) and not plt.get_fignums()


def test_figures_whose_rows_are_there_are_drawn_all_the_same(tmp_path):
    for end in ("csv", "machines.csv"):
        shutil.copy(ROOT / "results" / f"watch_the_gates.{end}", tmp_path)
    with pytest.raises(ValueError, match="rows are missing"):
        plots.draw_all(tmp_path, tmp_path)
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {"gate_activations", "gate_correlations"}


# ---- The command ----


def test_the_command_lists_runs_and_reports(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "coins", COINS)
    folder = ["--folder", str(tmp_path)]
    base = ["experiments", "run", "coins", "--jobs", "2", "--quiet", *folder]
    assert cli.main([*base, "--seeds", "0", "1"]) == 0
    assert f"{tmp_path / 'coins.csv'}: 2 runs added" in capsys.readouterr().out
    assert cli.main(["experiments", "list", *folder]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("coins"))
    assert line.split()[:3] == ["coins", "60", "2"]
    _, _, _, hours, short, *_ = line.split()
    assert hours == short
    with pytest.raises(SystemExit) as error:
        cli.main(["experiments", "run", "dice", *folder])
    assert error.value.code == 2
    assert "expected one of" in capsys.readouterr().err


def test_long_lags_can_be_left_out(tmp_path, capsys, monkeypatch):
    short = [spec._replace(T=9) for spec in COINS.specs[:3]]
    long = [spec._replace(T=10) for spec in COINS.specs[:5]]
    both = COINS._replace(specs=(*long, *short), long_lag=10, minutes=48)
    assert both.chosen(short=True) == short
    monkeypatch.setitem(EXPERIMENTS, "coins", both)
    folder = ["--folder", str(tmp_path)]
    assert cli.main(["experiments", "list", *folder]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("coins"))
    assert line.split()[3:5] == ["0.80", "0.30"]
    assert cli.main(["experiments", "run", "coins", "--short", "--quiet", *folder]) == 0
    assert list(coins(tmp_path).rows()) == short
    with pytest.raises(ValueError, match=r"no run has seeds .* short lag"):
        both.chosen(only=["T=10"], short=True)


def test_status_counts_runs_of_each_arm(tmp_path, capsys):
    assert cli.main(["experiments", "status", "start_it_well", "--folder", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[0].endswith("forget bias 0: 0 of 30 runs, 0 diverged, 0 solved")
