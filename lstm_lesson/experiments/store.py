"""Rows of finished runs in a CSV file: appended whole, read back with their types, never lost.

Beside ``NAME.csv``, which holds settings and outcomes alone, ``NAME.machines.csv`` says for each
run how many seconds it took and on what: a rerun changes the second file and not the first.
"""

from __future__ import annotations

import csv
import functools
import io
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, get_type_hints

from filelock import FileLock, Timeout


class Machine(NamedTuple):
    """What a run ran on, and how long it took."""

    seconds: float
    processor: str
    python: str
    numpy: str
    torch: str
    commit: str  # of the repository, with "+" if files in it had changed; "" outside of one


class Store:
    """The rows of one experiment, in a folder.

    Parameters
    ----------
    folder : where the files are, or are to be; it is made when a row is written.
    name : of the experiment, and of its files.
    spec, outcome : the `NamedTuple` classes whose fields are the columns, settings first.
    """

    def __init__(self, folder, name: str, spec: type, outcome: type):
        self.path = Path(folder) / f"{name}.csv"
        self.machines = Path(folder) / f"{name}.machines.csv"
        self.spec, self.outcome = spec, outcome

    def rows(self) -> dict:
        """Return the outcome of each spec that is stored.

        Raises ValueError that names the file and line of what isn't a row of this experiment. A
        last line without its end, left by a process that was killed, doesn't count.
        """
        return dict(_read(self.path, self.spec, self.outcome))

    def seconds(self) -> dict:
        """Return the `Machine` of each spec that is stored."""
        return dict(_read(self.machines, self.spec, Machine))

    def lock(self) -> FileLock:
        """Return a lock that one writer at a time can hold, also when another is killed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_suffix(".lock"), blocking=False)

    def append(self, spec, outcome, seconds: float) -> None:
        """Add one finished run; the caller holds the lock."""
        machine = Machine(round(seconds, 2), *_here())
        _append(self.machines, spec, machine)
        _append(self.path, spec, outcome)

    def tidy(self, specs) -> None:
        """Put the rows in the order of `specs`, one a spec, others after them.

        Each file is replaced in one move, so that it is the old or the new one at any time. One
        that is in order is left alone.
        """
        place = {spec: n for n, spec in enumerate(specs)}
        for path, columns in ((self.path, self.outcome), (self.machines, Machine)):
            rows = dict(_read(path, self.spec, columns))
            ordered = sorted(rows, key=lambda spec: place.get(spec, len(place)))
            head = _line((*self.spec._fields, *columns._fields))
            text = head + "".join(_line((*spec, *rows[spec])) for spec in ordered)
            if not rows or path.read_bytes() == text.encode():
                continue
            temporary = path.with_suffix(".part")
            temporary.write_text(text, encoding="utf-8", newline="")
            os.replace(temporary, path)


def _line(values) -> str:
    """Return one line of CSV; a float has as many digits as it takes to read the same back."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _append(path: Path, spec, values) -> None:
    with open(path, "a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        whole = _whole(file.read())
        if whole < end:  # the rest of a line whose writer was killed
            file.truncate(whole)
        head = "" if whole else _line((*spec._fields, *values._fields))
        file.write((head + _line((*spec, *values))).encode())
        file.flush()
        os.fsync(file.fileno())


def _whole(data: bytes) -> int:
    """Return the length of the whole lines; a line break between quotation marks ends none."""
    end = data.rfind(b"\n") + 1
    while data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _read(path: Path, *kinds: type):
    """Yield one tuple of each kind for each whole line."""
    if not path.exists():
        return
    data = path.read_bytes()
    lines = list(csv.reader(io.StringIO(data[: _whole(data)].decode(), newline="")))
    expected = [name for kind in kinds for name in kind._fields]
    if lines and lines[0] != expected:
        raise ValueError(f"{path}: expected the columns {expected}, got {lines[0]}; move it away")
    for n, line in enumerate(lines[1:], 2):
        try:
            values = iter(line)
            parts = [kind(*(_parse(t, next(values)) for t in _types(kind))) for kind in kinds]
            if len(line) != len(expected):
                raise ValueError(f"{len(line)} values in {len(expected)} columns")
        except (ValueError, StopIteration, RuntimeError) as error:
            raise ValueError(f"{path}, line {n}: not a row of this experiment ({error})") from error
        yield tuple(parts)


@functools.cache
def _types(kind: type) -> list[type]:
    return list(get_type_hints(kind).values())


def _parse(kind: type, text: str):
    if kind is bool:
        if text not in ("True", "False"):
            raise ValueError(f"expected True or False, got {text!r}")
        return text == "True"
    return kind(text)


@functools.cache
def _here() -> tuple[str, ...]:
    """Return what this machine is, as the fields of `Machine` after the first."""
    root = Path(__file__).parent
    commit = _git(root, "rev-parse", "--short=10", "HEAD")
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
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # not on Linux
        pass
    return platform.processor() or platform.machine()


__all__ = ["Machine", "Store", "Timeout"]
