"""Sweeps: killed, interrupted or gone wrong, they lose nothing and run nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from coins import COINS, bad_toss, coins, toss

from lstm_lesson.experiments.sweep import sweep


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
    code = "from coins import *; sweep(COINS, sys.argv[1], jobs=2)"
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
        ((99,), ("nonsense",), "only: expected field=value"),
        ((), ("arm=pound", "colour=red"), "only: expected field=value"),
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
    code = "from coins import *; sweep(COINS, sys.argv[1], scheduler=sys.argv[2])"
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
