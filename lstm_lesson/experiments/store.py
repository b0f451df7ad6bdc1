"""Rows of finished runs in a CSV file: appended whole, read back with their types, never lost.

Beside ``NAME.csv``, which holds settings and outcomes alone, ``NAME.machines.csv`` says for each
run how many seconds it took and on what: a rerun changes the second file and not the first.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from reprlib import repr as _short
from typing import NamedTuple, get_type_hints

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_info

from lstm_lesson.engine.files import naming, write_whole


class Machine(NamedTuple):
    """What a run ran on, and how long it took."""

    seconds: float
    processor: str  # its name, and the kernels that OpenBLAS chose, for their sums differ
    python: str
    numpy: str
    torch: str
    commit: str  # the last that changed the package, "+" if files had changed since; "" without git


class Store:
    """The rows of one experiment, in a folder.

    Parameters
    ----------
    folder : where the files are, or are to be; `lock`, which a writer holds, makes it.
    name : of the experiment, and of its files.
    spec, outcome : the `NamedTuple` classes whose fields are the columns, settings first.
    """

    def __init__(self, folder, name: str, spec: type, outcome: type):
        self.path = Path(folder) / f"{name}.csv"
        self.machines_path = Path(folder) / f"{name}.machines.csv"
        self.spec, self.outcome = spec, outcome

    def rows(self) -> dict:
        """Return the outcome of each spec that is stored.

        Raises ValueError that names the file and line of what isn't a row of this experiment, or is
        the second row of one run. A last line without its end, left by a process that was killed,
        doesn't count.
        """
        rows = {}
        for n, spec, outcome in _read(self.path, self.spec, self.outcome):
            if spec in rows:
                raise ValueError(f"{self.path}, line {n}: this run has a row already: {spec}")
            rows[spec] = outcome
        return rows

    def machines(self) -> dict:
        """Return the `Machine` of each spec that is stored; of a run that was made again, the last.

        Raises ValueError as `rows` does.
        """
        return {spec: machine for _, spec, machine in _read(self.machines_path, self.spec, Machine)}

    def lock(self) -> FileLock:
        """Return a lock that one writer at a time can hold, also when another is killed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_suffix(".lock"), blocking=False)

    def append(self, spec, outcome, machine: Machine) -> None:
        """Add one finished run, with what it ran on; the caller holds the lock.

        Raises ValueError if it couldn't be read back, or if the last line of a file has no end and
        isn't the beginning of one row: nothing is written or cut off then.
        """
        rows = [(self.machines_path, machine), (self.path, outcome)]
        lines = [_row(spec, values) for _, values in rows]
        for (path, values), line in zip(rows, lines, strict=True):
            _append(path, line, type(spec), type(values))

    def tidy(self, specs) -> None:
        """Put the rows in the order of `specs`, one a spec, others after them.

        Each file is replaced in one move, so that it is the old or the new one at any time. One
        that is in order is left alone, and so are both if something in them isn't a row.
        """
        place = {spec: n for n, spec in enumerate(specs)}
        files = (
            (self.path, self.outcome, self.rows()),
            (self.machines_path, Machine, self.machines()),
        )
        for path, columns, rows in files:
            ordered = sorted(rows, key=lambda spec: place.get(spec, len(place)))
            head = _line((*self.spec._fields, *columns._fields))
            data = (head + "".join(_line((*spec, *rows[spec])) for spec in ordered)).encode()
            if not rows or path.read_bytes() == data:
                continue
            write_whole(path, data)


def _line(values) -> str:
    """Return one line of CSV; a float has as many digits as it takes to read the same back."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _row(spec, values) -> bytes:
    """Return the line of a run; raise ValueError if it wouldn't be read as what it is.

    A line is a row and a row is a line, whatever quotation marks are in it: so one that was damaged
    can't take others with it.
    """
    try:
        line = _line((*spec, *values)).encode()
        fields = _fields(line[:-1])
        if b"\n" in line[:-1] or fields != [str(value) for value in (*spec, *values)]:
            raise ValueError("a value with a line break, or None")
        _parts(fields, type(spec), type(values))
    except ValueError as error:
        raise ValueError(f"can't be stored as a row: {spec}, {values} ({error})") from error
    return line


def _append(path: Path, line: bytes, *kinds: type) -> None:
    with naming(path), open(path, "a+b") as file:
        file.seek(0)
        *whole, tail = file.read().split(b"\n")
        if tail:
            _check_begun(path, len(whole) + 1, tail, *kinds)
            file.truncate(file.tell() - len(tail))
        head = "" if whole else _line(_columns(*kinds))
        file.write(head.encode() + line)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, *kinds: type):
    """Yield for each row the number of its line and one tuple of each kind."""
    if not path.exists():
        return
    *lines, tail = path.read_bytes().split(b"\n")
    for n, line in enumerate(lines, 1):
        try:
            fields = _fields(line)
            if n > 1:
                yield n, *_parts(fields, *kinds)
            elif fields != _columns(*kinds):
                raise ValueError(f"expected the columns {_columns(*kinds)}, got {fields}")
        except ValueError as error:
            raise ValueError(f"{path}, line {n}: not of this experiment: {error}") from error
    if tail:
        _check_begun(path, len(lines) + 1, tail, *kinds)


def _check_begun(path: Path, n: int, tail: bytes, *kinds: type) -> None:
    """Raise ValueError unless `tail` may be the beginning of one line, whose writer was killed."""
    try:
        if n == 1:
            if not _line(_columns(*kinds)).encode().startswith(tail):
                raise ValueError(f"expected the columns {_columns(*kinds)}")
            return
        fields = _fields(tail.decode(errors="replace").encode(), strict=False)
        if len(fields) > len(_columns(*kinds)):
            raise ValueError(f"expected {len(_columns(*kinds))} values, got {len(fields)}")
        for t, text in zip(_types(*kinds), fields[:-1], strict=False):  # the last may be cut
            _parse(t, text)
    except ValueError as error:
        raise ValueError(
            f"{path}, line {n}: has no end, and isn't the beginning of a row: {error}"
        ) from error


def _fields(line: bytes, strict: bool = True) -> list[str]:
    """Return the fields of one line without its end."""
    try:
        return next(csv.reader([line.removesuffix(b"\r").decode()], strict=strict), [])
    except csv.Error as error:
        raise ValueError(f"{error} in {_short(line.decode())}") from error


def _parts(fields: list[str], *kinds: type) -> tuple:
    """Return one tuple of each kind, made of the fields of one line."""
    columns = _columns(*kinds)
    if len(fields) != len(columns):
        got = f"{len(fields)}: {_short(','.join(fields))}" if fields else "an empty line"
        raise ValueError(f"expected {len(columns)} values, got {got}")
    values = []
    for name, t, text in zip(columns, _types(*kinds), fields, strict=True):
        try:
            values.append(_parse(t, text))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    values = iter(values)
    return tuple(kind(*itertools.islice(values, len(kind._fields))) for kind in kinds)


@functools.cache
def _columns(*kinds: type) -> list[str]:
    return [name for kind in kinds for name in kind._fields]


@functools.cache
def _types(*kinds: type) -> list[type]:
    return [t for kind in kinds for t in get_type_hints(kind).values()]


def _parse(kind: type, text: str):
    if kind is bool:
        if text not in ("True", "False"):
            raise ValueError(f"expected True or False, got {text!r}")
        return text == "True"
    return kind(text)


def here(seconds: float) -> Machine:
    """Return this process's machine, as that of a run which took so many seconds."""
    return Machine(round(seconds, 2), *_here())


@functools.cache
def _here() -> tuple[str, ...]:
    root = Path(__file__).parents[1]  # the package: a run is made by all of it
    commit = _git(root, "log", "-1", "--format=%h", "--abbrev=10", "--", ".")
    if commit and _git(root, "status", "--porcelain", "."):
        commit += "+"
    return _processor(), platform.python_version(), version("numpy"), version("torch"), commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ("git", "-C", str(folder), *arguments), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return ""
    return done.stdout.strip()


def _processor() -> str:
    """Return the processor's name, and for which kind of it its products are computed."""
    kernels = {library.get("architecture") for library in threadpool_info()} - {None}
    return ", ".join([_model(), *sorted(kernels)])


def _model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # not on Linux
        pass
    return platform.processor() or platform.machine()


__all__ = ["Machine", "Store", "Timeout", "here"]
