"""Run what is missing of an experiment by Dask, on this machine's cores or on a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import runpy
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from traceback import extract_tb
from typing import NamedTuple

from tqdm import tqdm

from lstm_lesson.engine.arguments import check_size
from lstm_lesson.experiments.store import Machine, Store, Timeout, here

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# Without one, too, Dask's scheduler answers requests: at any port, for another may hold its own.
NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


class Experiment(NamedTuple):
    """What to run, and how."""

    name: str
    about: str  # one line
    specs: tuple  # of one `NamedTuple` class; where there is a plan, those that it begins with
    run: Callable  # spec -> outcome; a function of a module, so that it can be sent to a process
    outcome: type  # the `NamedTuple` class that it returns
    minutes: float  # on two cores, about; used until seconds are stored
    long_lag: float = float("inf")  # runs with this lag or a longer one can be left out of a rerun
    plan: Callable | None = None  # rows -> specs, where what is to run depends on what came out

    def store(self, folder=None) -> Store:
        """Return its rows in a folder, by default those that come with the book.

        Raises FileNotFoundError if they didn't come along.
        """
        folder = rows_of_the_book() if folder is None else folder
        return Store(folder, self.name, type(self.specs[0]), self.outcome)

    def reported(self, folder=None) -> dict:
        """Return what its plan makes of the rows in a folder: arms by (arm, task, T)."""
        return self.plan.arms(self.store(folder).rows())

    def planned(self, rows: dict) -> tuple:
        """Return the specs that are known to be wanted, given the rows that there are."""
        return self.specs if self.plan is None else tuple(self.plan(rows))

    def chosen(
        self, seeds: Iterable[int] = (), only: Iterable[str] = (), short: bool = False,
        rows: dict | None = None,
    ) -> list:  # fmt: skip
        """Return the specs of these seeds, by default all, for which each ``field=value`` holds.

        With `short`, those below the long lags; with `rows`, of those that these make known. Raises
        ValueError if a field is none of a spec, or nothing is left.
        """
        seeds, only = set(seeds), tuple(only)
        known = self.specs[0]._fields
        specs = self.planned(rows or {})
        specs = [spec for spec in specs if not (short and spec.T >= self.long_lag)]
        if seeds:
            specs = [spec for spec in specs if spec.seed in seeds]
        for condition in only:
            if not condition.partition("=")[1] or condition.partition("=")[0] not in known:
                names = ", ".join(known)
                raise ValueError(f"only: expected field=value of {names}; got {condition!r}")
        for condition in only:
            field, _, value = condition.partition("=")
            there = dict.fromkeys(getattr(spec, field) for spec in specs)
            meant = {each for each in there if value == str(each) or _same(value, each)}
            if specs and not meant:
                values = ", ".join(map(str, there)) + (", the long lags left out" if short else "")
                raise ValueError(f"{self.name}: no run has {condition}; {field} is {values}")
            specs = [spec for spec in specs if getattr(spec, field) in meant]
        if not specs:
            wanted = f"seeds {sorted(seeds)} and {[*only, *(['a short lag'] if short else [])]}"
            raise ValueError(f"{self.name}: no run has {wanted}")
        return specs


def _same(text: str, value) -> bool:
    """Tell whether a number was written in another way: ``1e-2`` for 0.01."""
    try:
        return not isinstance(value, str | bool) and float(text) == value
    except ValueError:
        return False


def rows_of_the_book() -> Path:
    """Return the folder of the committed rows: inside an installed package, beside it in a clone.

    Raises FileNotFoundError if there is neither.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "results", package.parent / "results"):
        if any(folder.glob("*.machines.csv")):
            return folder
    raise FileNotFoundError(
        f"the measured rows of the book are missing beside {package}: install its wheel, which "
        "has them, or name a folder that does"
    )


def load(path) -> Experiment:
    """Return the experiment that a Python file makes; its functions are sent along with each run.

    Raises ValueError unless the file runs and has one `Experiment`.
    """
    try:
        made = runpy.run_path(str(path)).values()
    except FileNotFoundError:
        raise
    except Exception as error:
        lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f"{path}, line {lines[-1]}" if lines else str(path)  # a SyntaxError names its own
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from error
    found = [v for v in made if isinstance(v, Experiment)]
    if len(found) != 1:
        raise ValueError(f"{path}: expected a file that makes one Experiment, got {len(found)}")
    return found[0]


def sweep(
    experiment: Experiment, folder, *, jobs: int = 1, scheduler: str | None = None,
    seeds: Iterable[int] = (), only: Iterable[str] = (), short: bool = False,
    progress: bool = False,
) -> int:  # fmt: skip
    """Run what isn't stored yet, store each outcome as it comes, and return how many there were.

    Parameters
    ----------
    experiment, folder : what to run, and where its rows are.
    jobs : processes on this machine, one thread each.
    scheduler : address of a Dask scheduler, ``tcp://host:port``, to run there instead.
    seeds, only, short : as for `Experiment.chosen`.
    progress : whether to show a bar on stderr.

    Killed or interrupted at any moment, it takes its processes with it; started again, it goes on
    with what is missing: a run is stored whole or not at all. Raises ValueError if another process
    is writing these rows.
    """
    store, count = experiment.store(folder), 0
    experiment.chosen(seeds, only, short, store.rows())  # raises before anything is touched
    try:
        with store.lock():
            while True:  # until the rows ask for no more
                stored = store.rows()
                chosen = experiment.chosen(seeds, only, short, stored)
                missing = [spec for spec in chosen if spec not in stored]
                results = _results(experiment.run, missing, check_size("jobs", jobs), scheduler)
                with contextlib.closing(results):
                    bar = tqdm(results, experiment.name, len(missing), disable=not progress)
                    for result in bar:
                        store.append(*result)
                        count += 1
                # In order also after one that was killed before it could.
                store.tidy(experiment.planned(store.rows()))
                if experiment.plan is None or not missing:
                    return count
    except Timeout as error:
        raise ValueError(f"{store.path}: another process is writing to it; wait for it") from error


def timed(run: Callable, spec) -> tuple:
    """Return the outcome of a run and the machine that it ran on, which may be a cluster's.

    Its seconds are those of the processor, which other work on the machine hardly stretches.
    """
    start = time.process_time()
    outcome = run(spec)
    return outcome, here(time.process_time() - start)


def _results(run: Callable, specs: list, jobs: int, scheduler: str | None) -> Iterator[tuple]:
    """Run specs in other processes; yield each, as it is done, with its outcome and machine."""
    if not specs:
        return
    try:
        import distributed
    except ImportError as error:
        raise ImportError("sweeps need Dask: pip install lstm_lesson[experiments]") from error
    with contextlib.ExitStack() as stack:
        where = scheduler or stack.enter_context(_workers(min(jobs, len(specs))))
        client = stack.enter_context(distributed.Client(where))
        # Not Dask's executor: it fails if a worker is lost that holds a result not yet fetched.
        futures = {client.submit(timed, run, spec, pure=False): spec for spec in specs}
        for future in distributed.as_completed(futures):
            try:
                outcome, machine = future.result()
                _check_alike(machine)
                yield futures[future], outcome, machine
            except distributed.KilledWorker as error:
                raise ChildProcessError(
                    "a run ended its process again and again; is there enough memory?"
                ) from error


def _check_alike(machine: Machine) -> None:
    """Raise ValueError if a worker computes by other code than this process: rows don't mix."""
    ours = here(0)
    for name in ("numpy", "torch", "commit"):
        theirs = getattr(machine, name).partition("+")[0], getattr(ours, name).partition("+")[0]
        if all(theirs) and theirs[0] != theirs[1]:
            raise ValueError(f"a worker has {name} {theirs[0]}, and here it is {theirs[1]}")


@contextlib.contextmanager
def _workers(jobs: int) -> Iterator[object]:
    """Give a Dask cluster of so many processes on this machine, one thread each.

    However it is left, by Ctrl-C too, its processes are ended and what they are at is dropped; they
    also end by themselves if this process is killed.
    """
    import dask
    import distributed

    # Set when a process starts. Without Dask's own settings: given a threshold to trim at, malloc
    # gives memory back all the time, and a run takes twice as long.
    settings = {
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(THREADS, "1"),
        "distributed.worker.profile.enabled": False,
    }
    before = dict(os.environ)  # which Dask changes in this process, too
    try:
        with dask.config.set(settings), _undisturbed():
            cluster = distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                scheduler_kwargs=NO_DASHBOARD,
                memory_limit=0,
                silence_logs=logging.CRITICAL + 1,
            )
        try:
            yield cluster
        finally:
            cluster.sync(_end, tuple(cluster.workers.values()))
            cluster.close()
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


async def _end(nannies) -> None:
    """End the processes: those that are in the middle of a run are killed after half a second.

    A busy machine may take longer than that to be rid of a process, which is waited for.
    """
    ends = [asyncio.ensure_future(nanny.close(timeout=30)) for nanny in nannies]
    await asyncio.wait(ends, timeout=0.5)
    for nanny, end in zip(nannies, ends, strict=True):
        if not end.done() and nanny.process is not None:
            await nanny.process.process.kill()
    await asyncio.gather(*ends)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back until the end of the block, and always from what starts in it.

    A terminal sends it to every process; only this one is to act on it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Python's own helper, here and now: a thread that starts it no longer holds Ctrl-C back.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
