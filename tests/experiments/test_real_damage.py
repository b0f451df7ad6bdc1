"""The book's own rows, damaged as files are: by disks, editors, spreadsheets, merges.

Whatever happens to a file, no row is lost in silence: either the file is refused, with the number
of a line, or each line that is still whole is a row as before; and a new row deletes none.
"""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest

from lstm_lesson.experiments.specs import EXPERIMENTS
from lstm_lesson.experiments.store import Store, here

ROOT = Path(__file__).parents[2]
LINES = 12


def place(rng, data: bytes) -> int:
    return int(rng.integers(len(data)))


def byte(rng, data):
    k, gone = place(rng, data), int(rng.integers(2))
    return data[:k] + rng.bytes(int(rng.integers(2))) + data[k + gone :]


def mark(rng, data):
    k, gone = place(rng, data), int(rng.integers(2))
    return data[:k] + rng.choice([b'"', b"\n", b"\r", b",", b";", b"\0", b"'"]) + data[k + gone :]


def bit(rng, data):
    k = place(rng, data)
    return data[:k] + bytes([data[k] ^ (1 << int(rng.integers(8)))]) + data[k + 1 :]


def zeros(rng, data):
    k = place(rng, data)
    return data[:k] + bytes(min(512, len(data) - k)) + data[k + 512 :]


def cut(rng, data):
    return data[: place(rng, data)]


def huge(rng, data):
    k = place(rng, data)
    return data[:k] + rng.choice([b"x", b'"', b"9"]) * 131_073 + data[k:]


def ends(rng, data):
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b",\n", b" \n", b"\\\n"]))


def a_line(rng, data):
    """Write a line twice, or move it, or join it to the next, or put a stranger before it."""
    lines = data.split(b"\n")
    k, other = rng.integers(1, len(lines) - 1, 2)
    how = rng.integers(4)
    if how == 0:
        lines.insert(other, lines[k])
    elif how == 1:
        lines.insert(other, lines.pop(k))
    elif how == 2:
        lines[k - 1] += lines.pop(k)
    else:
        lines.insert(k, rng.choice([b"", b"# a note", b"\xff\xfe", b",,,,", b'"', b"nan,nan"]))
    return b"\n".join(lines)


def merge(rng, data):
    head, *lines = data.splitlines(keepends=True)
    a, b, c = np.sort(rng.integers(len(lines) + 1, size=3))
    ours, theirs = lines[a:b], lines[b:c]
    if rng.integers(2):
        ours = [b"<<<<<<< HEAD\n", *ours, b"=======\n"]
        theirs = [*theirs, b">>>>>>> main\n"]
    return b"".join([head, *lines[:a], *ours, *theirs, *lines[c:]])


def spreadsheet(rng, data):
    """Save it as spreadsheets do: in their quotes, numbers, separators, encodings."""
    rows = [*csv.reader(io.StringIO(data.decode()))]
    how = rng.integers(7)
    if how == 0:
        rows = [
            [cell.upper() if cell in ("True", "False") else cell for cell in row] for row in rows
        ]
    if how == 1:
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    if how == 2:
        rows = [[*row, "", ""] for row in rows]
    if how == 3:
        rows = [[cell.removesuffix(".0") for cell in row] for row in rows]
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if how == 4 else csv.QUOTE_MINIMAL
    separator = ";" if how == 5 else ","
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))


DAMAGES = (byte, mark, bit, zeros, cut, huge, ends, a_line, merge, spreadsheet)


def lost(store: Store, damaged: bytes, before: dict[bytes, tuple]) -> list[str]:
    """Return what is wrong with the way a damaged file is taken: nothing, it should be."""
    store.path.write_bytes(damaged)
    finished = damaged[: damaged.rfind(b"\n") + 1]
    wrong = []
    try:
        rows = store.rows()
    except ValueError as error:
        if not str(error).startswith(f"{store.path}, line "):
            wrong.append(f"refused without a line: {error}")
    else:
        still = {line.removesuffix(b"\r") for line in finished.split(b"\n")[1:]}
        wrong += [f"hidden: {line}" for line in still & before.keys()
                  if rows.get(before[line][0]) != before[line][1]]  # fmt: skip
        if len(rows) != len(finished.split(b"\n")[1:-1]):
            wrong.append("a finished line is no row")
    spec, outcome = next(iter(before.values()))
    try:
        store.append(spec._replace(arm="another"), outcome, here(1.0))
    except ValueError as error:
        if "has no end, and isn't the beginning" not in str(error):
            wrong.append(f"not appended for another reason: {error}")
        if store.path.read_bytes() != damaged:
            wrong.append("changed though refused")
    else:
        if not store.path.read_bytes().startswith(finished):
            wrong.append("a new row deleted others")
    return wrong


def damage(folder: Path, times: int, seed: int = 0) -> tuple[int, int]:
    """Damage the rows of the book so many times; return how often a file was refused, and read."""
    rng = np.random.default_rng(seed)
    counted = [0, 0]
    run = [name for name, one in EXPERIMENTS.items() if one.store().path.exists()]
    for n in range(times):
        name = run[n % len(run)]
        source = EXPERIMENTS[name].store()
        store = EXPERIMENTS[name].store(folder)
        store.path.parent.mkdir(parents=True, exist_ok=True)
        for path in (store.path, store.machines_path):
            path.unlink(missing_ok=True)
        head, *lines = source.path.read_bytes().split(b"\n")[:-1]
        first = int(rng.integers(max(1, len(lines) - LINES)))  # one may have few rows
        kept = lines[first : first + LINES]
        whole = b"\n".join([head, *kept, b""])
        store.path.write_bytes(whole)
        before = dict(zip(kept, store.rows().items(), strict=True))
        damaged = whole
        for _ in range(1 + int(rng.integers(2))):
            how = DAMAGES[rng.integers(len(DAMAGES))]
            try:
                damaged = how(rng, damaged) if damaged.count(b"\n") > 2 else damaged
            except (UnicodeDecodeError, csv.Error):  # no spreadsheet opens what it was made
                continue
        wrong = lost(store, damaged, before)
        assert wrong == [], (n, name, wrong[:3], damaged[:2000])
        try:
            store.path.write_bytes(damaged)
            store.rows()
            counted[1] += 1
        except ValueError:
            counted[0] += 1
    return tuple(counted)


@pytest.mark.slow
def test_no_damage_of_the_books_rows_loses_one_in_silence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    refused, read = damage(tmp_path, 1_000)
    assert min(refused, read) > 100
