"""What `chapters/read_a_strange_lstm.md` translates gives the strange program's numbers."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lstm_lesson import LSTM
from lstm_lesson.interop.kit.cases import CASES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "chapters" / "read_a_strange_lstm.md").read_text(encoding="utf-8")
C, PYTHON = (re.search(rf"```{tongue}\n(.*?)```", PAGE, re.S)[1] for tongue in ("c", "python"))
D, H = 3, 5


@pytest.fixture(scope="module")
def tick(tmp_path_factory):
    """The C of the page as a function."""
    folder = tmp_path_factory.mktemp("strange")
    source = f"#include <math.h>\nenum {{ D = {D}, H = {H} }};\n{C}"
    (folder / "tick.c").write_text(source, encoding="utf-8")
    command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", "tick.so", "tick.c"]
    subprocess.run([*command, "-lm"], check=True, cwd=folder, timeout=60)
    tick = ctypes.CDLL(str(folder / "tick.so")).tick
    tick.argtypes = [np.ctypeslib.ndpointer(np.float64, flags="C")] * 4
    tick.restype = None
    return tick


def run_both(tick, python):
    """Return the outputs over a few steps of the program and of its translation."""
    rng = np.random.default_rng(0)
    K, b = rng.normal(size=(D + H, 4 * H)), rng.normal(size=4 * H)
    x, s = rng.normal(size=(4, D)), rng.normal(size=2 * H)
    names = {"np": np, "LSTM": LSTM, "D": D, "H": H, "K": K, "b": b, "s": s.copy()}
    exec(python, names)
    state = names["h"].reshape(1, 1, H), names["c"].reshape(1, 1, H)
    ours = names["layer"].forward(x[:, None], state)[0][:, 0]
    theirs = []
    for row in x:
        tick(row, s, K, b)
        theirs.append(s[H:].copy())
    return np.array(theirs), ours


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_translation_gives_the_programs_numbers(tick):
    theirs, ours = run_both(tick, PYTHON)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("[i, f, g, o]", "[i, g, f, o]"),
        ("f + 1", "f"),
        ("rows[:, :H], rows[:, H:]", "rows[:, D:], rows[:, :D]"),
        ("hard_sigmoid", "hard_sigmoid_6"),
        ("c, h =", "h, c ="),
        ("K.T", "K.reshape(4 * H, D + H)"),
    ],
)
def test_each_wrong_guess_is_seen(tick, right, wrong):
    assert right in PYTHON
    theirs, ours = run_both(tick, PYTHON.replace(right, wrong))
    assert abs(ours - theirs).max() > 1e-3


def test_every_case_that_the_page_names_is_in_the_kit():
    named = set(re.findall(r"`((?:lstm|gru)-[\w-]+)`", PAGE))
    assert len(named) > 10
    assert named <= set(CASES)


def test_every_option_in_the_table_is_one_of_a_layer():
    for option in ("peephole", "couple_input_forget", "batch_first"):
        assert f"`{option}`" in PAGE
        LSTM(D, H, **{option: True})
    for option, value in {"proj_size": 2, "cell_clip": 1.0, "clip": 1.0}.items():
        assert f"`{option}`" in PAGE
        LSTM(D, H, **{option: value})
