"""Figures of rows: the same bytes each time, and a word where rows are missing."""

import base64
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from test_pictures import pictures

from lstm_lesson import figures
from lstm_lesson.experiments import plots

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        plots.lstm_vs_rnn_comparison,
        plots.training_dynamics,
        plots.means_of_gates,
        plots.correlations_of_gates,
    ],
)
def test_a_figure_of_the_same_rows_has_the_same_bytes(draw):
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        figures.use_style()
        first, second = (figures.to_png(draw(ROOT / "results")) for _ in range(2))
    assert first.startswith(b"\x89PNG")
    assert first == second


@pytest.mark.slow
def test_figures_without_rows_say_so(tmp_path):
    with pytest.raises(ValueError, match="rows are missing") as error:
        plots.draw_all(tmp_path, tmp_path)
    assert all(name in str(error.value) for name in plots.FIGURES)
    assert not list(tmp_path.iterdir()) and not plt.get_fignums()


@pytest.mark.slow
def test_figures_whose_rows_are_there_are_drawn_all_the_same(tmp_path):
    for end in ("csv", "machines.csv"):
        shutil.copy(ROOT / "results" / f"watch_the_gates.{end}", tmp_path)
    with pytest.raises(ValueError, match="rows are missing"):
        plots.draw_all(tmp_path, tmp_path)
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {"gate_activations", "gate_correlations"}


@pytest.mark.slow
@pytest.mark.pins
def test_committed_figures_are_those_of_the_committed_rows(tmp_path):
    def decoded(path):
        return pictures.decode(base64.b64encode(path.read_bytes()).decode())

    drawn = plots.draw_all(ROOT / "results", tmp_path)
    assert {path.stem for path in drawn} == {*plots.FIGURES}
    said = {path.name: pictures.difference(decoded(ROOT / "plots" / path.name), decoded(path))
            for path in drawn}  # fmt: skip
    assert set(said.values()) == {""}, f"{said}: make plots"
