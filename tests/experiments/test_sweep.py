"""Sweeps: killed, interrupted or gone wrong, they lose nothing and run nothing twice."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from coins import COINS, bad_toss, coins, fatal_toss, fell, threads, toss

from lstm_lesson import cli
from lstm_lesson.experiments import sweep as module
from lstm_lesson.experiments.store import here
from lstm_lesson.experiments.sweep import NO_DASHBOARD, load, rows_of_the_book, sweep


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert sweep(COINS, folder, jobs=2) == len(COINS.specs)
    return coins(folder)


@pytest.mark.slow
def test_a_sweep_runs_what_is_missing_and_nothing_twice(undisturbed, tmp_path):
    assert sweep(COINS, tmp_path, seeds=(1, 5)) == 2
    assert sweep(COINS, tmp_path, only=("seed=5",)) == 0
    assert sweep(COINS, tmp_path, jobs=2) == len(COINS.specs) - 2
    assert coins(tmp_path).path.read_bytes() == undisturbed.path.read_bytes()


posix = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")


def living(group: int) -> list[int]:
    """Return the processes of a group that still run."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, of, state in rows if int(of) == group and state[0] != "Z"]


def wait_until(true, seconds=60) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(true())


def start(code: str, folder) -> subprocess.Popen:
    """Run code in a process group of its own, in which the coins are known."""
    code = f"from coins import *; from lstm_lesson.experiments.sweep import sweep; {code}"
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; {code}", str(folder)], start_new_session=True,
        cwd=Path(__file__).parent, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@posix
@pytest.mark.slow
def test_a_sweep_killed_thrice_ends_with_the_same_rows(undisturbed, tmp_path):
    for _ in range(3):
        before = coins(tmp_path).rows()
        process = start("sweep(COINS, sys.argv[1], jobs=2)", tmp_path)
        assert wait_until(lambda: len(coins(tmp_path).rows()) > len(before))  # noqa: B023
        process.send_signal(signal.SIGKILL)  # the parent alone: its workers must end by themselves
        process.communicate()
        assert wait_until(lambda: not living(process.pid), 20)  # noqa: B023
        assert before.items() <= coins(tmp_path).rows().items()
    sweep(COINS, tmp_path)
    assert coins(tmp_path).path.read_bytes() == undisturbed.path.read_bytes()


@posix
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["parent", "group"])
@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_with_one_line_and_loses_nothing(tmp_path, send):
    """As an editor sends it, to the parent alone, and as a terminal does, to every process."""
    command = ["experiments", "run", "coins", "--jobs", "2", "--quiet", "--folder"]
    process = start(
        "from lstm_lesson import cli; from lstm_lesson.experiments.specs import EXPERIMENTS; "
        f"EXPERIMENTS['coins'] = ENDLESS; sys.exit(cli.main({command} + sys.argv[1:]))",
        tmp_path,
    )
    assert wait_until(lambda: len(coins(tmp_path).rows()) == 4)  # the others have no end
    send(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert err == "lstm-lesson experiments run: interrupted\n"
    assert wait_until(lambda: not living(process.pid), 10)
    assert coins(tmp_path).rows() == {spec: fell(spec) for spec in COINS.specs[:4]}


@posix
@pytest.mark.slow
def test_ctrl_c_never_reaches_the_workers(tmp_path):
    """In a new process, where Python's own helper of processes doesn't run yet."""
    one = "COINS._replace(run=blocked, specs=COINS.specs[:1])"
    process = start(f"sweep({one}, sys.argv[1])", tmp_path)
    assert process.communicate(timeout=120)[1] == ""
    assert coins(tmp_path).rows()[COINS.specs[0]].note == "SIGINT"


@pytest.mark.slow
def test_a_sweep_leaves_the_environment_as_it_was_and_gives_workers_one_thread(tmp_path):
    before = dict(os.environ)
    one = COINS._replace(run=threads, specs=COINS.specs[:1])
    sweep(one, tmp_path)
    assert dict(os.environ) == before
    assert one.store(tmp_path).rows()[COINS.specs[0]].note == "1 1 1 1"


@pytest.mark.slow
def test_a_sweep_killed_before_it_could_put_its_rows_in_order_is_put_right(undisturbed, tmp_path):
    store = coins(tmp_path)
    for spec in reversed(COINS.specs):
        store.append(spec, toss(spec), here(1.0))
    assert sweep(COINS, tmp_path) == 0
    assert store.path.read_bytes() == undisturbed.path.read_bytes()
    assert list(store.machines()) == list(COINS.specs)


@pytest.mark.slow
def test_a_run_that_raises_stops_the_sweep_and_loses_no_row(tmp_path):
    with pytest.raises(OSError, match="rolled away"):
        sweep(COINS._replace(run=bad_toss), tmp_path, seeds=range(10))
    assert len(coins(tmp_path).rows()) >= 3
    assert sweep(COINS, tmp_path, seeds=range(10)) <= 7


@pytest.mark.slow
def test_a_run_that_ends_its_process_again_and_again_is_reported(tmp_path):
    with pytest.raises(ChildProcessError, match="a run ended its process again and again"):
        sweep(COINS._replace(run=fatal_toss), tmp_path, seeds=range(3, 5))
    assert coins(tmp_path).rows().items() <= {COINS.specs[4]: fell(COINS.specs[4])}.items()


@pytest.mark.slow
def test_a_sweep_beside_another_says_nothing_of_it(tmp_path):
    """Dask's scheduler has a port of its own by default, and warns if another one holds it."""
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # or who does isn't ours
            other.bind(("127.0.0.1", 8787))
            other.listen()
        assert sweep(COINS, tmp_path, seeds=(1,)) == 1
        gc.collect()  # what is left open warns


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
        ((), ("arm=pound",), "coins: no run has arm=pound; arm is penny"),
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
    options = {"n_workers": 2, "threads_per_worker": 1, "scheduler_kwargs": NO_DASHBOARD}
    with distributed.LocalCluster(silence_logs=50, **options) as cluster:
        with distributed.Client(cluster) as client:
            client.run(sys.path.insert, 0, str(Path(__file__).parent))
            cluster.pids = list(client.run(os.getpid).values())
        yield cluster


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask, when a worker is killed
def test_a_cluster_that_loses_a_worker_gives_the_same_rows(undisturbed, cluster, tmp_path):
    store = coins(tmp_path)
    code = (
        "import sys; from coins import *; from lstm_lesson.experiments.sweep import sweep; "
        "sweep(COINS, sys.argv[1], scheduler=sys.argv[2])"
    )
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


def test_the_rows_of_the_book_come_along_or_are_missed_in_one_sentence(tmp_path, monkeypatch):
    package = tmp_path / "site" / "lstm_lesson"
    monkeypatch.setattr(module, "__file__", str(package / "experiments" / "sweep.py"))
    with pytest.raises(FileNotFoundError, match=r"the measured rows .* install its wheel"):
        COINS.store()
    for folder in (tmp_path / "site" / "results", package / "results"):  # a clone, a wheel
        folder.mkdir(parents=True)
        (folder / "coins.machines.csv").touch()
        assert rows_of_the_book() == folder
        assert COINS.store().path.parent == folder


def test_a_number_of_a_choice_can_be_written_in_any_way():
    of = COINS.specs[0]
    for written in ("1e-1", "0.10", ".1"):
        assert of in COINS.chosen(only=[f"lr={written}"])
    with pytest.raises(ValueError, match=r"no run has lr=0\.3; lr is 0\.1"):
        COINS.chosen(only=["lr=0.3"])


@pytest.mark.slow
def test_a_row_names_the_machine_of_the_worker(tmp_path, monkeypatch):
    ours = here(0)._replace(processor="where the rows are written")
    monkeypatch.setattr(module, "here", lambda _: ours)
    assert sweep(COINS, tmp_path, seeds=[0]) == 1
    (machine,) = coins(tmp_path).machines().values()
    assert machine.processor == here(0).processor != ours.processor


@pytest.mark.slow
@pytest.mark.parametrize("field", ["numpy", "torch", "commit"])
def test_a_worker_with_other_code_is_refused(tmp_path, monkeypatch, field):
    ours = here(0)._replace(**{field: "another"})
    if not getattr(here(0), field):
        pytest.skip("this is no checkout")
    monkeypatch.setattr(module, "here", lambda _: ours)
    with pytest.raises(ValueError, match=f"a worker has {field} .*, and here it is another"):
        sweep(COINS, tmp_path, seeds=[0])
    assert not coins(tmp_path).rows()


OWN = """
from __future__ import annotations

from typing import NamedTuple

from lstm_lesson.experiments.sweep import Experiment


class Spec(NamedTuple):
    arm: str
    task: str
    T: int
    seed: int


class Square(NamedTuple):
    value: int
    solved: bool


def square(x):
    return x * x


def run(spec: Spec) -> Square:
    return Square(square(spec.seed), True)


specs = tuple(Spec("own", "square", 1, seed) for seed in range(3))
OWN = Experiment("own", "squares", specs, run, Square, minutes=1)
"""


@pytest.mark.slow
def test_an_experiment_of_a_file_of_ones_own_is_run_with_all_that_is_in_it(tmp_path, capsys):
    """Workers can't import that file: its classes and functions go along."""
    file, rows = tmp_path / "own.py", tmp_path / "rows"
    file.write_text(OWN)
    command = ["experiments", "run", str(file), "--folder", str(rows), "--quiet"]
    assert cli.main([*command, "--seeds", "0", "2"]) == 0
    assert cli.main([*command, "--jobs", "2"]) == 0
    assert [outcome.value for outcome in load(file).store(rows).rows().values()] == [0, 1, 4]
    assert capsys.readouterr().out.endswith(f"{rows / 'own.csv'}: 1 runs added\n")
    assert cli.main(["experiments", "status", str(file), "--folder", str(rows)]) == 0
    assert capsys.readouterr().out == "own: square 1, own: 3 of 3 runs, 0 diverged, 3 solved\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "got 0"), (OWN + "TWO = OWN._replace(name='two')", "got 2")],
)
def test_a_file_without_its_one_experiment_is_refused(tmp_path, capsys, text, message):
    file = tmp_path / "own.py"
    file.write_text(text)
    with pytest.raises(ValueError, match=f"own.py: expected a file .* one Experiment, {message}"):
        load(file)
    with pytest.raises(SystemExit):
        cli.main(["experiments", "run", str(tmp_path / "missing.py")])
    assert "missing.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nraise RuntimeError('no\\ndata')\n", "own.py, line 2: RuntimeError: no data; see"),
        ("a = (\n", "own.py: SyntaxError: '(' was never closed (own.py, line 1); see"),
    ],
)
def test_a_file_that_does_not_run_is_one_line(tmp_path, capsys, text, message):
    file = tmp_path / "own.py"
    file.write_text(text)
    with pytest.raises(SystemExit) as left:
        cli.main(["experiments", "run", str(file)])
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert message in said and said.count("\n") == 1


@pytest.mark.parametrize("seconds", [0.0, 1.2], ids=["at once", "on a busy machine"])
def test_a_killed_process_is_waited_for(seconds):
    """In the middle of a run it doesn't end when asked, and once killed, when there is time."""
    ended = asyncio.Event()

    class Process:
        async def kill(self):
            asyncio.get_running_loop().call_later(seconds, ended.set)

    class Nanny:
        process = type("WorkerProcess", (), {"process": Process()})

        async def close(self, timeout):
            await asyncio.wait_for(ended.wait(), timeout)

    async def end():
        await asyncio.wait_for(module._end([Nanny()]), 5)

    # In a thread of its own: Playwright, if it is at work, has a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, end()).result()
    assert ended.is_set()
