"""The store: what is written comes back, and no damage hides or deletes a row."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from coins import COINS, Fell, coins, fell
from hypothesis import example, given
from hypothesis import strategies as st

from lstm_lesson.experiments import store as store_module
from lstm_lesson.experiments.store import here
from lstm_lesson.experiments.sweep import sweep

ROWS = 6
MARKS = (b"<<<<<<< HEAD", b"=======", b">>>>>>> main")


def filled(folder, rows=ROWS):
    """Return a store in a new folder with the first runs in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    store = coins(folder)
    for spec in COINS.specs[:rows]:
        store.append(spec, fell(spec), here(1.0))
    return store


@pytest.fixture(autouse=True, scope="module")
def without_waiting_for_the_disk():
    """What a loss of power does can't be tried here, and waiting takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of both files of a store with some rows."""
    store = filled(tmp_path_factory.mktemp("whole") / "rows")
    return store.path.read_bytes(), store.machines_path.read_bytes()


def test_a_processor_is_named_with_the_kernels_that_add_on_it(monkeypatch):
    monkeypatch.setattr(store_module, "threadpool_info", lambda: [{}, {"architecture": "Haswell"}])
    assert store_module._processor() == f"{store_module._model()}, Haswell"


def test_what_is_appended_is_read_back(tmp_path):
    store = coins(tmp_path)
    rows = {spec: fell(spec)._replace(value=value) for spec, value in
            zip(COINS.specs, (0.1, 1e-300, float("inf"), -1 / 3), strict=False)}  # fmt: skip
    for spec, outcome in rows.items():
        store.append(spec, outcome, here(1.234))
    assert store.rows() == rows
    machine = store.machines()[COINS.specs[0]]
    assert (machine.seconds, machine.numpy) == (1.23, np.__version__)


@given(note=st.text(), value=st.floats(allow_nan=False))
@example(note="", value=0.0)
@example(note='"', value=-0.0)
@example(note="\r", value=1.0)
@example(note=",\0\ufeff", value=1.0)
@example(note="a\nb", value=1.0)
@example(note="\ud800", value=1.0)
@example(note="x" * 131_073, value=1.0)
def test_any_text_comes_back_or_is_refused_before_anything_is_written(
    tmp_path_factory, note, value
):
    store = filled(tmp_path_factory.getbasetemp() / "text", 1)
    before = store.path.read_bytes(), store.machines_path.read_bytes()
    outcome = Fell(value, True, note)
    try:
        store.append(COINS.specs[1], outcome, here(1.0))
    except ValueError as error:
        assert "can't be stored as a row: Toss(" in str(error)
        assert "\n" in note or len(note) > 131_072 or not note.isprintable()
        assert (store.path.read_bytes(), store.machines_path.read_bytes()) == before
    else:
        assert store.rows()[COINS.specs[1]] == outcome
        store.tidy(COINS.specs)
        assert store.rows()[COINS.specs[1]] == outcome


@pytest.mark.parametrize("cut", range(1, 70))
def test_a_half_row_is_dropped_and_the_next_one_takes_its_place(tmp_path, whole, cut):
    store = coins(tmp_path)
    last = whole[0][:-1].rfind(b"\n") + 1
    cut = min(cut, len(whole[0]) - last)
    for path, data in zip((store.path, store.machines_path), whole, strict=True):
        path.write_bytes(data[: len(data) - cut])
    assert list(store.rows()) == list(COINS.specs[: ROWS - 1])
    spec = COINS.specs[ROWS - 1]
    store.append(spec, fell(spec), here(1.0))
    assert store.path.read_bytes() == whole[0]


def test_the_zeros_of_a_disk_that_lost_its_power_are_half_a_row(tmp_path, whole):
    store = coins(tmp_path)
    store.path.write_bytes(whole[0] + b"penny,toss,1,0" + bytes(500))
    assert len(store.rows()) == ROWS
    store.append(COINS.specs[ROWS], fell(COINS.specs[ROWS]), here(1.0))
    assert store.path.read_bytes().startswith(whole[0])
    assert len(store.rows()) == ROWS + 1


# ---- Damage ----


def survives(store, damaged: bytes) -> None:
    """Check what must hold of a damaged file: an error or all rows; and a new row deletes none."""
    store.path.write_bytes(damaged)
    finished = damaged[: damaged.rfind(b"\n") + 1]
    try:
        rows = store.rows()
    except ValueError as error:
        assert re.match(rf"{re.escape(str(store.path))}, line \d+: ", str(error)), error
        with pytest.raises(ValueError, match=r"line \d+: "):
            store.tidy(COINS.specs)
        assert store.path.read_bytes() == damaged
    else:
        assert len(rows) >= ROWS - (damaged != finished)  # all but one that is unfinished
    spec = COINS.specs[ROWS]._replace(arm="another")
    try:
        store.append(spec, fell(spec), here(1.0))
    except ValueError as error:
        assert ": has no end, and isn't the beginning of a row: " in str(error)
        assert store.path.read_bytes() == damaged
    else:
        assert store.path.read_bytes().startswith(finished)
        assert store.path.read_bytes()[len(finished) :].count(b"\n") == 1 + (not finished)


damage = st.one_of(
    st.tuples(st.just("replace"), st.integers(0, 10**4), st.binary(min_size=1, max_size=1)),
    st.tuples(st.just("insert"), st.integers(0, 10**4), st.binary(min_size=1, max_size=1)),
    st.tuples(st.just("replace"), st.integers(0, 10**4), st.sampled_from([b'"', b"\n", b"\r"])),
    st.tuples(st.just("insert"), st.integers(0, 10**4), st.sampled_from([b'"', b"\n", b"\r"])),
    st.tuples(st.just("delete"), st.integers(0, 10**4), st.just(b"")),
    st.tuples(st.just("insert"), st.integers(0, 10**4), st.just(b"x" * 131_073)),
)


@given(damage, st.binary(max_size=3))
@example(("replace", 60, b'"'), b"")
def test_no_byte_hides_or_deletes_a_row(tmp_path_factory, whole, change, after):
    how, place, what = change
    data = whole[0] + after
    place %= len(data)
    gone = how != "insert"
    survives(filled(tmp_path_factory.getbasetemp() / "byte", 1),
             data[:place] + what + data[place + gone :])  # fmt: skip


def test_every_quotation_mark_is_harmless(tmp_path, whole):
    """Wherever one is put in, for any byte or between two."""
    store = filled(tmp_path / "rows", 1)
    for place in range(len(whole[0])):
        for gone in (0, 1):
            survives(store, whole[0][:place] + b'"' + whole[0][place + gone :])


@given(st.lists(st.tuples(st.integers(0, ROWS + 1), st.sampled_from([*MARKS, b"", b"\r", b"\xff"])),
                min_size=1, max_size=3))  # fmt: skip
def test_no_line_hides_or_deletes_a_row(tmp_path_factory, whole, more):
    lines = whole[0].split(b"\n")[:-1]
    for place, line in more:
        lines.insert(place, line)
    store = filled(tmp_path_factory.getbasetemp() / "line", 1)
    survives(store, b"\n".join(lines) + b"\n")
    store.path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(ValueError, match=r"line \d+: not of this experiment: "):
        store.rows()


@given(st.integers(0, ROWS), st.integers(0, ROWS), st.booleans(), st.booleans())
def test_half_a_merge_hides_and_deletes_no_row(tmp_path_factory, whole, a, b, marked, ended):
    head, *lines = whole[0].splitlines(keepends=True)
    ours, theirs = lines[:a], lines[b:]
    if marked:
        ours, theirs = [MARKS[0] + b"\n", *ours, MARKS[1] + b"\n"], [*theirs, MARKS[2] + b"\n"]
    damaged = b"".join([head, *lines, *ours, *theirs])
    survives(filled(tmp_path_factory.getbasetemp() / "merge", 1), damaged[: None if ended else -1])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"arm,", b"brm,", r"line 1: not of this experiment: expected the columns \['arm', "),
        (b"arm,", b"\xef\xbb\xbfarm,", "line 1: not of this experiment: expected the columns"),
        (b",0.1,", b",fast,", "line 2: .*lr: could not convert string to float: 'fast'"),
        (b"True", b"yes", "line 2: .*solved: expected True or False, got 'yes'"),
        (b"penny,", b"penny,extra,", "line 2: .*expected 8 values, got 9: 'penny,extra,"),
        (b"penny,", b'"penny,', "line 2: .*expected 8 values|line 2: .*expected after"),
        (b"penny,", b"pen\xffny,", "line 2: .*'utf-8' codec can't decode byte 0xff"),
        (b"penny,", b"\npenny,", "line 2: .*expected 8 values, got an empty line"),
        (b"penny,", b"<<<<<<< HEAD\npenny,", "line 2: .*expected 8 values, got 1: '<<<<<<< HEAD'"),
        (b"penny,", b"x" * 140_000 + b",", "line 2: .*field larger than field limit"),
        (b"penny,toss,1,0.1,2", b"penny,toss,1,0.1,1", "line 4: this run has a row already: Toss"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_kept(tmp_path, whole, old, new, message):
    text = whole[0].replace(old, new, 1)
    assert text != whole[0]
    path = tmp_path / "coins.csv"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}, {message}"):
        sweep(COINS, tmp_path)
    assert path.read_bytes() == text


def test_lines_that_end_as_on_windows_are_read_and_put_right(tmp_path, whole):
    store = filled(tmp_path / "rows")
    store.path.write_bytes(whole[0].replace(b"\n", b"\r\n"))
    assert len(store.rows()) == ROWS
    store.tidy(COINS.specs)
    assert store.path.read_bytes() == whole[0]


@pytest.mark.parametrize("end", [b"\r", b","])
def test_a_file_without_a_single_line_end_is_kept(tmp_path, whole, end):
    store = filled(tmp_path / "rows")
    store.path.write_bytes(whole[0].replace(b"\n", end))
    for call in (store.rows, lambda: store.append(COINS.specs[9], fell(COINS.specs[9]), here(1.0))):
        with pytest.raises(ValueError, match="line 1: has no end, and isn't the beginning of"):
            call()
    assert store.path.read_bytes() == whole[0].replace(b"\n", end)


# ---- Order ----


def test_rows_are_put_in_the_order_of_the_specification(tmp_path):
    store = coins(tmp_path)
    for seed in (2, 0, 1):
        store.append(COINS.specs[seed], fell(COINS.specs[seed]), here(1.0))
    store.tidy(COINS.specs)
    assert list(store.rows()) == list(store.machines()) == list(COINS.specs[:3])
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv"}


def test_of_a_run_that_was_made_again_the_last_machine_counts(tmp_path):
    """Its writer was killed between the two files, or its row was taken out to be made again."""
    store = filled(tmp_path / "rows", 2)
    rows = store.path.read_bytes()
    store.append(COINS.specs[1], fell(COINS.specs[1]), here(5.0))
    store.path.write_bytes(rows)
    assert store.machines()[COINS.specs[1]].seconds == 5.0
    store.tidy(COINS.specs)
    assert [machine.seconds for machine in store.machines().values()] == [1.0, 5.0]
    assert store.machines_path.read_bytes().count(b"\n") == 3


def test_files_in_order_are_left_alone_and_others_replaced_in_one_move(tmp_path, monkeypatch):
    store = filled(tmp_path / "rows", 3)
    before = store.path.read_bytes()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    store.tidy(COINS.specs)
    with pytest.raises(OSError, match="no space left"):
        store.tidy(COINS.specs[::-1])
    assert store.path.read_bytes() == before


def test_a_full_disk_is_said_of_the_file_that_could_not_be_written(tmp_path, monkeypatch):
    store = filled(tmp_path / "rows", 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        store.append(COINS.specs[1], fell(COINS.specs[1]), here(5.0))
    assert error.value.filename == str(store.machines_path)


def test_a_row_says_if_any_file_of_the_package_had_changed(tmp_path, monkeypatch):
    """What a run comes to is decided by the engine as much as by the experiments."""
    for names in (["engine"], ["experiments"]):
        (tmp_path / "lstm_lesson" / names[0]).mkdir(parents=True)
    (tmp_path / "lstm_lesson/engine/loop.py").write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(store_module, "__file__", str(tmp_path / "lstm_lesson/experiments/x.py"))
    found = store_module._here.__wrapped__
    assert len(found()[-1]) == 10
    # Rows that are committed while a sweep runs change nothing of what makes them.
    before = found()
    (tmp_path / "rows.csv").write_text("")
    for command in (["add", "."], ["commit", "-qm", "Add rows"]):
        subprocess.run([*git, *command], check=True)
    assert found() == before
    (tmp_path / "lstm_lesson/engine/loop.py").write_text("changed")
    assert found()[-1].endswith("+")
