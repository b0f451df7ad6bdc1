"""Pictures under nbval: the same one passes, drawn by another processor too; another one fails."""

import base64
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest
from nbformat import v4

CHAPTERS = Path(__file__).parents[1] / "chapters"
PLUGIN = CHAPTERS / "conftest.py"
spec = importlib.util.spec_from_file_location("pictures", PLUGIN)
pictures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pictures)


Y = np.arange(12.0) ** 1.3


def draw(y, label="", size=(4, 2.5), colour="C0", point=5, shift=0.0):
    figure, axes = plt.subplots(figsize=size, dpi=110)
    axes.plot(y + shift, color=colour, lw=1.5)
    axes.plot(point, 20, "o", ms=4)
    axes.set(title=label, ylim=(-1, 30))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return pictures.decode(base64.b64encode(buffer.getvalue()).decode())


# ---- Two pictures ----


def test_the_same_picture_passes():
    assert pictures.difference(draw(Y), draw(Y)) == ""


def test_a_line_smoothed_otherwise_passes():
    other = draw(Y, shift=0.015)  # a tenth of a pixel
    assert other.tobytes() != draw(Y).tobytes()
    assert pictures.difference(draw(Y), other) == ""


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"y": Y[::-1]}, "far off"),
        ({"point": 5.15}, "far off, in x 20"),  # by five pixels
        ({"shift": 0.3}, "far off"),
        ({"label": "epoch"}, "far off"),
        ({"colour": "C2"}, "far off"),
        ({"size": (4, 2.6)}, "committed with 440 x 275 pixels, drawn with 440 x 286"),
    ],
    ids=["swapped", "one point moved", "a line moved", "a word more", "another colour", "larger"],
)
def test_another_picture_fails(other, said):
    assert said in pictures.difference(draw(Y), draw(**{"y": Y} | other))


def test_of_a_picture_that_varies_the_size_is_compared():
    assert pictures.difference(draw(Y), draw(Y[::-1]), varies=True) == ""
    assert pictures.difference(draw(Y), draw(Y, size=(4, 2.6)), varies=True) != ""


def test_no_two_pictures_of_the_book_pass_for_each_other():
    """Not even two panels of one shape, such as a chapter shows before and after a change."""
    alike = []
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found = [p for cell in cells for p in pictures.pictures(cell.get("outputs", []))]
        assert found, path
        alike += [
            (path.name, n, m)
            for n, one in enumerate(found)
            for m, other in enumerate(found[:n])
            if pictures.difference(one, other) == ""
        ]
    assert alike == []


# ---- A notebook ----


def test_pictures_are_compared_under_the_matplotlib_of_constraints_txt_alone():
    pinned = re.search(r"^matplotlib==(\S+)$", pictures.CONSTRAINTS.read_text(), re.M)[1]
    assert pictures.drawn_alike(pinned)
    assert not pictures.drawn_alike("3.10.8")
    assert not pictures.drawn_alike(pinned[:-1])


SHOW = """\
import base64, io
from IPython.display import display
from matplotlib.figure import Figure

def show(*many):
    for y in many:
        figure, buffer = Figure(figsize=(4, 2.5), dpi=110), io.BytesIO()
        figure.subplots().plot(y, "o-")
        figure.savefig(buffer, format="png")
        data = base64.b64encode(buffer.getvalue()).decode()
        display({"image/png": data}, raw=True)
"""
# What a cell runs, what was run for the picture that is committed, its tags, and what comes of it.
CELLS = {
    "same": ("show([1, 2, 4])", "show([1, 2, 4])", [], None),
    "swapped": ("show([1, 2, 4], [4, 2, 1])", "show([4, 2, 1], [1, 2, 4])", [], "picture 1: "),
    "missing": ("None", "show([1, 2, 4])", [], "pictures: 1 committed, 0 drawn"),
    "new": ("show([1, 2, 4])", "None", [], "pictures: 0 committed, 1 drawn"),
    "one point moved": ("show([1, 2.1, 4])", "show([1, 2, 4])", [], "picture 1: "),
    "varies": ("show([1, 2.1, 4])", "show([1, 2, 4])", ["picture-varies"], None),
    "text": ("print(1)", "print(2)", [], "mismatch 'stdout'"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What `pytest --nbval` says of each cell of a notebook that has them all."""
    folder = tmp_path_factory.mktemp("chapters")
    shutil.copy(PLUGIN, folder)
    version = f"matplotlib=={matplotlib.__version__}\n"
    (folder.parent / pictures.CONSTRAINTS.name).write_text(version, encoding="utf-8")
    ran, _, tags, _ = zip(*CELLS.values(), strict=True)
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell(source) for source in [SHOW, *(cell[1] for cell in CELLS.values())]]
    )
    nbclient.execute(notebook, kernel_name="python3")
    for cell, source, marks in zip(notebook.cells[1:], ran, tags, strict=True):
        cell.source, cell.metadata["tags"] = source, marks
    nbformat.write(notebook, folder / "notebook.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--color=no", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    parts = re.split(r"^_+ .*?Cell (\d+) _+$", done.stdout, flags=re.M)
    assert f"{sum(cell[3] is not None for cell in CELLS.values())} failed" in parts[-1]
    return dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_passes_if_it_draws_what_is_committed(said, name):
    number, expected = list(CELLS).index(name) + 1, CELLS[name][3]
    if expected is None:
        assert number not in said
    else:
        assert expected in said[number]
