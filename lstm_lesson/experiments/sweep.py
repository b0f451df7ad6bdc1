"""Run what is missing of an experiment, on this machine's cores or on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from typing import NamedTuple

from tqdm import tqdm

from lstm_lesson.engine.arguments import check_size
from lstm_lesson.experiments.store import Store, Timeout

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Experiment(NamedTuple):
    """What to run, and how."""

    name: str
    about: str  # one line
    specs: tuple  # of one `NamedTuple` class
    run: Callable  # spec -> outcome; a function of a module, so that it can be sent to a process
    outcome: type  # the `NamedTuple` class that it returns
    minutes: float  # on two cores, about; used until seconds are stored
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
        seeds, only = set(seeds), tuple(only)
        known = self.specs[0]._fields
        specs = [spec for spec in self.specs if not (short and spec.T >= self.long_lag)]
        if seeds:
            specs = [spec for spec in specs if spec.seed in seeds]
        for condition in only:
            field, equals, value = condition.partition("=")
            if not equals or field not in known:
                names = ", ".join(known)
                raise ValueError(f"only: expected field=value of {names}; got {condition!r}")
            specs = [spec for spec in specs if str(getattr(spec, field)) == value]
        if not specs:
            wanted = f"seeds {sorted(seeds)} and {[*only, *(['a short lag'] if short else [])]}"
            raise ValueError(f"{self.name}: no run has {wanted}")
        return specs


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
            calls = [(timed, experiment.run, spec) for spec in missing]
            with closing(_results(calls, check_size("jobs", jobs), scheduler)) as finished:
                for n, result in tqdm(finished, experiment.name, len(calls), disable=not progress):
                    store.append(missing[n], *result)
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


def _results(calls: list[tuple], jobs: int, scheduler: str | None) -> Iterator[tuple[int, object]]:
    """Call functions in other processes; yield the number and the result of each as it comes.

    Closed, or ended by an error, it doesn't wait for what nobody will store.
    """
    if scheduler is not None:
        try:
            import distributed
        except ImportError as error:
            raise ImportError("--scheduler needs Dask: pip install distributed") from error
        with distributed.Client(scheduler) as client:
            # Not Dask's executor: it fails if a worker is lost that holds a result not yet fetched.
            futures = {client.submit(*call, pure=False): n for n, call in enumerate(calls)}
            for future in distributed.as_completed(futures):
                yield futures[future], future.result()
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # what a new process reads when it starts
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, initializer=_end_with_parent) as executor:
            try:
                futures = {executor.submit(*call): n for n, call in enumerate(calls)}
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _end_with_parent() -> None:
    """End this process when the one that started it ends, also when that is killed."""

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
