"""The copies of `make lab` follow their chapters, and what a reader made of one is never lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import lab_copies

ONE = "01_one.ipynb"


@pytest.fixture
def folders(tmp_path):
    """The chapters that pages offer, of which there is one, and the folder of the copies."""
    source, folder = tmp_path / "chapters", tmp_path / "lab"
    source.mkdir()
    (source / ONE).write_text("old")
    assert lab_copies.lay(source, folder) == []
    return source, folder


def kept(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.ipynb")}


def test_a_copy_that_nobody_changed_follows_its_chapter(folders):
    source, folder = folders
    (source / ONE).write_text("new")
    assert lab_copies.lay(source, folder) == []
    assert kept(folder) == {ONE: "new"}


def test_a_changed_copy_stays_as_it_is_while_its_chapter_does(folders):
    source, folder = folders
    (folder / ONE).write_text("mine")
    assert lab_copies.lay(source, folder) == []
    assert kept(folder) == {ONE: "mine"}


def test_a_changed_copy_of_a_changed_chapter_moves_aside_each_time(folders):
    source, folder = folders
    for n in (1, 2):
        (folder / ONE).write_text(f"mine {n}")
        (source / ONE).write_text(f"new {n}")
        assert len(lab_copies.lay(source, folder)) == 1
        assert lab_copies.lay(source, folder) == []
    assert kept(folder) == {
        ONE: "new 2",
        "01_one.mine.ipynb": "mine 1",
        "01_one.mine-2.ipynb": "mine 2",
    }


def test_a_copy_of_which_nothing_is_remembered_moves_aside(folders):
    source, folder = folders
    (folder / lab_copies.AS_COPIED / ONE).unlink()
    (source / ONE).write_text("new")
    lab_copies.lay(source, folder)
    assert kept(folder) == {ONE: "new", "01_one.mine.ipynb": "old"}


def notebook(source: str, **more: object) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": [source], **more}]})


def test_a_copy_that_was_only_run_is_not_a_changed_one(folders):
    source, folder = folders
    (source / ONE).write_text(notebook("1 + 1"))
    lab_copies.lay(source, folder)
    (folder / ONE).write_text(notebook("1 + 1", execution_count=7))
    (source / ONE).write_text(notebook("1 + 2"))
    lab_copies.lay(source, folder)
    assert kept(folder) == {ONE: notebook("1 + 2")}
    (folder / ONE).write_text(notebook("mine"))
    (source / ONE).write_text(notebook("1 + 3"))
    lab_copies.lay(source, folder)
    assert kept(folder) == {ONE: notebook("1 + 3"), "01_one.mine.ipynb": notebook("mine")}


def test_a_removed_copy_comes_back(folders):
    source, folder = folders
    (folder / ONE).unlink()
    lab_copies.lay(source, folder)
    assert kept(folder) == {ONE: "old"}


def test_the_command_says_where_a_reader_finds_what_moved(folders):
    source, folder = folders
    (folder / ONE).write_text("mine")
    (source / ONE).write_text("new")
    done = subprocess.run(
        [sys.executable, lab_copies.__file__, source, folder], capture_output=True, text=True
    )
    mine = folder / "01_one.mine.ipynb"
    assert done.stdout == f"{ONE} is new; what you made of the old one is {mine}\n"
