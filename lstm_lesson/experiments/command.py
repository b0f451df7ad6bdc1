"""The command `lstm-lesson experiments`: arguments and printing."""

from __future__ import annotations

import os

ABOUT = """\
The measured results of the book: what there is to run, what is stored, and how to run the rest.
Rows are in FOLDER/NAME.csv, one a run; what they ran on is in FOLDER/NAME.machines.csv.

  lstm-lesson experiments list
  lstm-lesson experiments run start_it_well --jobs 2"""
LIST = """\
Print a line for each experiment: runs, stored, hours on two cores, and how many without the long
lags, which `run --short` leaves out."""
RUN = """\
Run what is not stored yet, in processes of one thread each or on a Dask cluster whose workers have
this package. Killed at any moment and started again, it goes on: nothing finished is lost.

  lstm-lesson experiments run start_it_well --jobs 2 --seeds 0 1 --only task=adding --only T=20
  lstm-lesson experiments run mine.py --folder rows
  lstm-lesson experiments run start_it_well --scheduler tcp://192.0.2.1:8786"""
STATUS = "Print a line for each arm, task and lag: runs stored, diverged, solved, and of how many."


def add_to(groups, raw: dict) -> None:
    """Add the group of commands to the parser of `lstm-lesson`."""
    group = groups.add_parser("experiments", help="measured results", description=ABOUT, **raw)
    commands = group.add_subparsers(metavar="COMMAND", required=True)

    def add(run, name, text):
        about = text.split(":")[0] if "\n" not in text else text.split(",")[0]
        parser = commands.add_parser(name, help=about.lower(), description=text, **raw)
        parser.add_argument("--folder", default="results", help="default %(default)s")
        parser.set_defaults(run=run, parser=parser)
        return parser.add_argument

    add(_list, "list", LIST)
    option = add(_run, "run", RUN)
    option("name", metavar="NAME", help="an experiment of `list`, all, or a .py file with one")
    option("--jobs", type=int, default=1, metavar="N", help="processes, default %(default)s")
    option("--scheduler", metavar="ADDRESS", help="of a Dask cluster, to run there instead")
    option("--seeds", type=int, nargs="+", default=(), metavar="SEED", help="these only")
    only = {"action": "append", "default": [], "metavar": "FIELD=VALUE"}
    option("--only", help="runs that have it; give it again for more conditions", **only)
    option("--short", action="store_true", help="leave out the long lags (see `list`)")
    option("--quiet", action="store_true", help="show no progress bar")
    option = add(
        _plot, "plot", "Draw the figures under plots/ from the rows, the same bytes each time."
    )
    option("--plots", default="plots", metavar="FOLDER", help="default %(default)s")
    option = add(_status, "status", STATUS)
    option("name", nargs="?", metavar="NAME", help="one of `list` or a .py file; by default all")


def _check_folder(folder: str) -> None:
    """Raise an OSError if there is no such folder: not stored and not found would look alike."""
    if not os.path.isdir(folder):
        kind = NotADirectoryError if os.path.exists(folder) else FileNotFoundError
        raise kind(f"--folder: there is no folder {folder}")


def _list(args) -> int:
    import numpy as np

    from lstm_lesson.experiments.specs import EXPERIMENTS

    _check_folder(args.folder)
    line = "{:<20} {:>6.0f} {:>7.0f} {:>6.2f} {:>6.2f}  {}"
    print(f"{'name':<20} {'runs':>6} {'stored':>7} {'hours':>6} {'short':>6}  about")
    total = np.zeros(4)
    for experiment in EXPERIMENTS.values():
        store = experiment.store(args.folder)
        rows = store.rows()
        specs = experiment.planned(rows)
        stored = rows.keys() & set(specs)
        seconds = {spec: machine.seconds for spec, machine in store.machines().items()}
        # As measured; a run that is missing takes as long as the others, or as was estimated.
        mean = experiment.minutes * 60 * 2 / len(specs)
        mean = sum(seconds.values()) / len(seconds) if seconds else mean
        hours = [
            sum(seconds.get(spec, mean) for spec in chosen) / 2 / 3600
            for chosen in (specs, [spec for spec in specs if spec.T < experiment.long_lag])
        ]
        numbers = np.array([len(specs), len(stored), *hours])
        total += numbers
        print(line.format(experiment.name, *numbers, experiment.about), flush=True)
    print(line.format("all", *total, "").rstrip())
    return 0


def _with_runs(experiments: dict, which: dict) -> list:
    """Return the experiments that have runs of this choice; raise ValueError if none has."""
    found, reasons = [], []
    for one in experiments.values():
        try:
            one.chosen(**which)
            found.append(one)
        except ValueError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    return found


def _named(name: str):
    """Return the experiment of that name, or the one of a Python file."""
    from lstm_lesson.experiments.specs import experiment
    from lstm_lesson.experiments.sweep import load

    return load(name) if name.endswith(".py") else experiment(name)


def _run(args) -> int:
    from lstm_lesson.experiments.specs import EXPERIMENTS
    from lstm_lesson.experiments.sweep import sweep

    which = {"seeds": args.seeds, "only": args.only, "short": args.short}
    chosen = [_named(args.name)] if args.name != "all" else _with_runs(EXPERIMENTS, which)
    for one in chosen:
        how = {"jobs": args.jobs, "scheduler": args.scheduler, "progress": not args.quiet}
        count = sweep(one, args.folder, **how, **which)
        print(f"{one.store(args.folder).path}: {count} runs added", flush=True)
    return 0


def _plot(args) -> int:
    from lstm_lesson.experiments.plots import draw_all

    _check_folder(args.folder)
    for path in draw_all(args.folder, args.plots):
        print(path, flush=True)
    return 0


def _status(args) -> int:
    from lstm_lesson.experiments.specs import EXPERIMENTS

    _check_folder(args.folder)
    for one in EXPERIMENTS.values() if args.name is None else [_named(args.name)]:
        rows = one.store(args.folder).rows()
        groups: dict[str, list] = {}
        for spec in one.planned(rows):
            groups.setdefault(f"{spec.task} {spec.T}, {spec.arm}", []).append(rows.get(spec))
        for name, outcomes in groups.items():
            stored = [outcome for outcome in outcomes if outcome is not None]
            diverged = sum(getattr(o, "status", "ok") == "diverged" for o in stored)
            solved = sum(outcome.solved for outcome in stored)
            print(
                f"{one.name}: {name}: {len(stored)} of {len(outcomes)} runs, "
                f"{diverged} diverged, {solved} solved",
                flush=True,
            )
    return 0
