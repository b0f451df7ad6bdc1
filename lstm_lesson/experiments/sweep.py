"""Run what is missing of an experiment, on this machine's cores or on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import NamedTuple

from tqdm import tqdm

from lstm_lesson.experiments.store import Store, Timeout
from lstm_lesson.validation import check_size

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Experiment(NamedTuple):
    """What to run, and how."""

    name: str
    about: str  # one line
    specs: tuple  # of one `NamedTuple` class
    run: Callable  # spec -> outcome; a function of a module, so that it can be sent to a process
    outcome: type  # the `NamedTuple` class that it returns
    minutes: float  # on two cores, about; used until seconds are stored
    # Of runs that are cheaper side by side: a function of some specs to their outcomes, and one of
    # a spec to what those have in common that can be run so.
    run_together: Callable | None = None
    alike: Callable | None = None
    long_lag: float = float("inf")  # runs with this lag or a longer one can be left out of a rerun

    def store(self, folder) -> Store:
        """Return its rows in a folder."""
        return Store(folder, self.name, type(self.specs[0]), self.outcome)

    def chosen(
        self, seeds: Iterable[int] = (), only: Iterable[str] = (), short: bool = False
    ) -> list:
        """Return the specs of these seeds, by default all, for which each ``field=value`` holds.

        With `short`, those below the long lags. Raises ValueError if a field is none of a spec, or
        nothing is left.
        """
        seeds = set(seeds)
        specs = [spec for spec in self.specs if not (short and spec.T >= self.long_lag)]
        if seeds:
            specs = [spec for spec in specs if spec.seed in seeds]
        for condition in only:
            field, equals, value = condition.partition("=")
            if not equals or field not in specs[0]._fields if specs else False:
                known = ", ".join(self.specs[0]._fields)
                raise ValueError(f"only: expected field=value of {known}; got {condition!r}")
            specs = [spec for spec in specs if str(getattr(spec, field)) == value]
        if not specs:
            wanted = f"seeds {sorted(seeds)} and {[*only, *(['a short lag'] if short else [])]}"
            raise ValueError(f"{self.name}: no run has {wanted}")
        return specs

    def groups(self, specs: Iterable) -> list[tuple]:
        """Return specs in the groups in which they are run: of one each, unless it says `alike`."""
        if self.alike is None:
            return [(spec,) for spec in specs]
        groups: dict = {}
        for spec in specs:
            groups.setdefault(self.alike(spec), []).append(spec)
        return [tuple(group) for group in groups.values()]

    def submit(self, executor: Executor, group: tuple) -> Future:
        """Have a group run; the result is what `timed` returns, a list of it if run together."""
        if self.run_together is None:
            return executor.submit(timed, self.run, *group)
        return executor.submit(timed_together, self.run_together, group)


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

    Killed at any moment and started again, it goes on with what is missing: a run is stored whole
    or not at all. Raises ValueError if another process is writing these rows.
    """
    chosen = experiment.chosen(seeds, only, short)
    store = experiment.store(folder)
    try:
        with store.lock():
            stored = store.rows()
            missing = [spec for spec in chosen if spec not in stored]
            with _executor(check_size("jobs", jobs), scheduler) as executor:
                groups = experiment.groups(missing)
                futures = {experiment.submit(executor, group): group for group in groups}
                try:
                    done = as_completed(futures)
                    for future in tqdm(done, experiment.name, len(groups), disable=not progress):
                        results = future.result()
                        results = results if experiment.run_together else [results]
                        for spec, result in zip(futures[future], results, strict=True):
                            store.append(spec, *result)
                except BaseException:  # don't wait for runs that nobody will store
                    executor.shutdown(wait=False, cancel_futures=True)
                    raise
            store.tidy(experiment.specs)  # also after one that was killed before it could
    except Timeout as error:
        raise ValueError(f"{store.path}: another process is writing to it; wait for it") from error
    return len(missing)


def timed(run: Callable, spec) -> tuple:
    """Return the outcome of a run and its seconds.

    They are seconds of the processor, which other work on the machine hardly stretches.
    """
    start = time.process_time()
    outcome = run(spec)
    return outcome, time.process_time() - start


def timed_together(run_together: Callable, specs: tuple) -> list[tuple]:
    """Return the outcome of each run and its share of the seconds, by sequences trained on."""
    start = time.process_time()
    outcomes = run_together(specs)
    seconds = time.process_time() - start
    total = sum(outcome.sequences for outcome in outcomes)
    return [(outcome, seconds * outcome.sequences / total) for outcome in outcomes]


@contextmanager
def _executor(jobs: int, scheduler: str | None) -> Iterable[Executor]:
    if scheduler is not None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ImportError("--scheduler needs Dask: pip install distributed") from error
        with Client(scheduler) as client, client.get_executor(pure=False) as executor:
            yield executor
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # what a new process reads when it starts
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, initializer=_end_with_parent) as executor:
            yield executor
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _end_with_parent() -> None:
    """End this process when the one that started it ends, also when that is killed."""

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
