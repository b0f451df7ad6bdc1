"""`make run` saves a notebook as it is committed, and only if it ran as it should."""

import json

import pytest
import run_chapters

PICTURE = """\
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()"""
WIDGET = """\
from ipywidgets import IntSlider
IntSlider(3)"""
MYSTNB = {"mystnb": {"image": {"alt": "Nothing."}}}


def notebook(*sources) -> dict:
    """Return a notebook of code cells, with its keys in an order of its own."""
    cells = [
        {"source": source.splitlines(keepends=True), "cell_type": "code", "outputs": [],
         "metadata": MYSTNB, "id": f"cell-{n}", "execution_count": 7}
        for n, source in enumerate(sources)
    ]  # fmt: skip
    text = {"source": ["# Grüße\n"], "id": "title", "cell_type": "markdown", "metadata": {}}
    kernel = {"name": "python3", "display_name": "Python 3"}
    return {
        "nbformat_minor": 5,
        "nbformat": 4,
        "metadata": {"language_info": {"name": "python"}, "kernelspec": kernel},
        "cells": [text, *cells],
    }


def write(path, content):
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_notebook_is_saved_as_it_is_committed(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")  # an author's shell may have it; no picture would come
    before = notebook("print('one\\ntwo')\n1 + 1", PICTURE, WIDGET)
    path = write(tmp_path / "01_try.ipynb", before)
    assert run_chapters.run(path) == [1, 2, 3]
    saved = path.read_text(encoding="utf-8")
    after = json.loads(saved)
    assert saved == json.dumps(after, indent=1, ensure_ascii=False) + "\n"
    assert "Grüße" in saved
    assert [p.name for p in tmp_path.iterdir()] == [path.name]

    widgets = after["metadata"].pop("widgets")
    assert "application/vnd.jupyter.widget-state+json" in widgets
    assert list(after) == list(before) and after["metadata"] == before["metadata"]
    one, picture, _ = after["cells"][1:]
    assert one["outputs"] == [
        {"name": "stdout", "output_type": "stream", "text": ["one\n", "two\n"]},
        {"data": {"text/plain": ["2"]}, "execution_count": 1, "metadata": {},
         "output_type": "execute_result"},
    ]  # fmt: skip
    assert isinstance(picture["outputs"][0]["data"]["image/png"], str)
    for n, (cell, was) in enumerate(zip(after["cells"], before["cells"], strict=True)):
        assert list(cell) == list(was)
        if n:
            assert cell["execution_count"] == n
            cell["execution_count"], cell["outputs"] = 7, []
        assert cell == was


@pytest.mark.slow
def test_a_second_run_changes_nothing_and_a_changed_cell_is_named(tmp_path):
    path = write(tmp_path / "01_try.ipynb", notebook("print(1)", "2", PICTURE))
    run_chapters.run(path)
    saved = path.read_bytes()
    assert run_chapters.run(path) == []
    assert path.read_bytes() == saved
    content = json.loads(saved)
    content["cells"][2]["source"] = ["3"]
    assert run_chapters.run(write(path, content)) == [2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys\nprint('careful', file=sys.stderr)", r"In \[2\] writes to stderr: careful"),
        ("import warnings\nwarnings.warn('careful')", "UserWarning: careful"),
        ("raise LookupError('lost')", r"(?s)In \[2\].*LookupError: lost"),
        ("import time\ntime.sleep(60)", "timed out"),
        ("import os\nos._exit(1)", "died"),
    ],
)
def test_a_chapter_that_does_not_run_as_it_should_is_not_saved(tmp_path, source, message):
    path = write(tmp_path / "01_try.ipynb", notebook("1", source, "3"))
    before = path.read_bytes()
    with pytest.raises(run_chapters.Failed, match=message):
        run_chapters.run(path, timeout=2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.slow
def test_what_is_printed_in_pieces_is_saved_in_one(tmp_path):
    pieces = "import time\nfor k in range(4):\n    print(k, end='\\n' * (k % 2), flush=True)"
    show = "\n    time.sleep(0.3)\nfrom IPython.display import display\ndisplay(7)\nprint('end')"
    path = write(tmp_path / "01_try.ipynb", notebook(pieces + show))
    run_chapters.run(path)
    saved = json.loads(path.read_text(encoding="utf-8"))
    outputs = saved["cells"][1]["outputs"]
    assert [output.get("text") for output in outputs] == [["01\n", "23\n"], None, ["end\n"]]
    # Other tools store text as one string; that is no change.
    outputs[0]["text"], outputs[1]["data"]["text/plain"] = "01\n23\n", "7"
    assert run_chapters.run(write(path, saved)) == []


def test_chapters_are_chosen_by_number(tmp_path):
    paths = [tmp_path / f"{name}.ipynb" for name in ("01_a", "02b_c", "10_d")]
    for path in paths:
        path.touch()
    assert run_chapters.chosen([], tmp_path) == paths
    assert run_chapters.chosen(["10", "1", "02b"], tmp_path) == [paths[2], paths[0], paths[1]]
    with pytest.raises(SystemExit, match="no chapter 02: there are 01 02b 10"):
        run_chapters.chosen(["02"], tmp_path)


@pytest.mark.slow
def test_the_command_runs_all_and_fails_if_one_does(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_chapters, "CHAPTERS", tmp_path)
    monkeypatch.setattr(run_chapters.chosen, "__defaults__", (tmp_path,))
    write(tmp_path / "01_good.ipynb", notebook("print(1)"))
    write(tmp_path / "02_bad.ipynb", notebook("1 / 0"))
    assert run_chapters.main(["--jobs", "2"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("01_good: ") and "text changed in In [1]" in out
    assert err.startswith("02_bad: NOT SAVED, In [1]: ") and "ZeroDivisionError" in err
    assert run_chapters.main(["01"]) == 0
    assert "as before" in capsys.readouterr().out


def test_a_picture_gets_the_texts_that_were_computed_for_it():
    def glued(name, text):
        return {
            "output_type": "display_data",
            "data": {"record/text/plain": [repr(text)]},
            "metadata": {"scrapbook": {"name": name, "mime_prefix": "record/"}},
        }

    figure = {"image": {"alt": "Old."}, "figure": {"name": "fig-up"}}
    cells = [
        {"metadata": {"mystnb": figure}, "outputs": []},
        {"metadata": {}, "outputs": [glued("fig-up-alt", "It's up."), glued("fig-up", 3)]},
        {"metadata": {}, "outputs": [glued("fig-up-caption", "Up."), glued("fig-on-alt", "On.")]},
    ]
    found = run_chapters.computed_texts(cells)
    assert found == [(figure["image"], "alt", "It's up."), (figure["figure"], "caption", "Up.")]
    assert found[0][0] is figure["image"]
