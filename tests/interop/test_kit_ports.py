"""The ports compile, pass the whole kit, and each mistake planted in the C port is named."""

import ctypes
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lstm_lesson import LSTMState, cli
from lstm_lesson.engine.plain_lstm import lstm_step
from lstm_lesson.interop.kit import check, diagnosis, files, mistakes
from lstm_lesson.interop.kit.cases import CASES

PORTS = Path(__file__).parents[2] / "ports"
SOURCE = (PORTS / "c" / "lstm.c").read_text(encoding="utf-8")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

# Cases that tell the planted mistakes apart, two or three of each kind.
TELLING = (
    "lstm-plain", "lstm-one-bias", "lstm-reverse", "lstm-batch-first", "lstm-bidirectional-lengths",
    "lstm-two-layers-bidirectional", "lstm-peephole", "lstm-coupled", "lstm-clip",
    "lstm-clip-peephole", "lstm-cell-clip", "lstm-cell-clip-peephole", "lstm-projection",
    "lstm-softsign-candidate", "lstm-no-forget-gate", "lstm-hard-sigmoid-6", "gru-plain",
    "gru-before-plain", "rnn-plain", "rnn-softsign",
)  # fmt: skip

_ORDER = "enum { I, F, G, O };"
_GATE = "real {0} = f_of(act_gate, bounded(z[{1} * H + u], has_clip, clip_z));"
_O = _GATE.format("o", "O")
_G = "real g = f_of(act_cell, bounded(z[G * H + u], has_clip, clip_z));"
_C = "c_new[u] = bounded(sum[u], has_cell_clip, clip_c);"
_DZ = "d_z[{0} * H + u] = d_{1} * slope(act_{2}, {1}) * passes(z[{0} * H + u], has_clip, clip_z);"
_D_CELL = "real d_cell = d_c[u] + d_m * o * slope(act_hidden, squashed);"
_D_PREV = "d_prev[j] += d_hz[k] * r->U[k * R + j];"
_D_U = "r->d_U[k * R + j] += seen * h[j];"
_D_H = "if (h_0) memcpy(r->h, h_0 + (n * B + b) * R, R * sizeof(real));"
_D_C = "if (c_0) memcpy(r->c, c_0 + (n * B + b) * H, H * sizeof(real));"
_H_N = "memcpy(h_n + (n * B + b) * R, r->h + steps * R, R * sizeof(real));"
_C_N = "memcpy(c_n + (n * B + b) * H, r->c + steps * H, H * sizeof(real));"
_D_H_N = "memcpy(d_h, d_h_n + (n * B + b) * R, R * sizeof(real));"
_D_C_N = "if (d_c_n) memcpy(d_c, d_c_n + (n * B + b) * H, H * sizeof(real));"
_BACK = "int back = reverse || n % ways, below"
_SUM = "sum[u] = f * c[u] + i * g;"


def _without_slope(row, gate, activation):
    right = _DZ.format(row, gate, activation)
    return [(right, right.replace(f"slope(act_{activation}, {gate})", "1"))]


# Name of the mistake to what is right and wrong in the C port.
PLANTED = {
    "gates read in the order i, o, f, g (ONNX)": [(_ORDER, "enum { I, O, F, G };")],
    "gates read in the order i, f, o, g (CoreML, dlib)": [(_ORDER, "enum { I, F, O, G };")],
    "gates read in the order f, i, g, o (OpenVINO)": [(_ORDER, "enum { F, I, G, O };")],
    "gates read in the order i, g, f, o (TensorFlow 1)": [(_ORDER, "enum { I, G, F, O };")],
    "gates read in the order g, i, f, o (Chainer)": [(_ORDER, "enum { G, I, F, O };")],
    "gates read in the order z, r, n (Keras, ONNX)": [
        ("enum { RESET, Z, N };", "enum { Z, RESET, N };")
    ],
    "bias_ih not added": [("real b = r->b_x ? r->b_x[row] : 0;",
                           "real b = r->b_x && !r->b_h ? r->b_x[row] : 0;")],
    "a single bias added twice": [("real b = r->b_x ? r->b_x[row] : 0;",
                                   "real b = r->b_x ? r->b_x[row] * (r->b_h ? 1 : 2) : 0;")],
    "initial states ignored": [(_D_H, "memset(r->h, 0, R * sizeof(real));"),
                               (_D_C, "memset(r->c, 0, H * sizeof(real));")],
    "initial c ignored": [(_D_C, "memset(r->c, 0, H * sizeof(real));")],
    "all layers and directions start from the first state": [
        (_D_H, _D_H.replace("n * B + b", "b")), (_D_C, _D_C.replace("n * B + b", "b"))],
    "final h and c exchanged": [
        (_H_N, _H_N.replace("r->h + steps * R", "R == H ? r->c + steps * H : r->h + steps * R")),
        (_C_N, _C_N.replace("r->c + steps * H", "R == H ? r->h + steps * R : r->c + steps * H"))],
    "lengths ignored": [("lengths && lengths->count ? (int)lengths->items[b].number : T", "T")],
    "candidate g squashed by the sigmoid": [(_G, _G.replace("act_cell", "act_gate"))],
    "cell state not squashed on its way out": [("m[u] = o * f_of(act_hidden, c_new[u]);",
                                                "m[u] = o * c_new[u];")],
    "i and f exchanged in c = f * c + i * g": [(_SUM, "sum[u] = i * c[u] + f * g;")],
    "input gate left out of c": [(_SUM, "sum[u] = f * c[u] + g;")],
    "forget gate left out of c": [(_SUM, "sum[u] = c[u] + i * g;")],
    "removed gates computed all the same": [
        (f"if (no_{gate}) {gate} = 1;", "") for gate in "ifo"],
    "removed gates at 0, not at 1": [
        (f"if (no_{gate}) {gate} = 1;", f"if (no_{gate}) {gate} = 0;") for gate in "ifo"],
    "coupling ignored": [("if (coupled) f = 1 - i;", "")],
    "coupled the other way round, i = 1 - f": [("if (coupled) f = 1 - i;",
                                                "if (coupled) i = 1 - f;")],
    "output gate's peephole sees the cell before the step": [
        ("r->p[2 * H + u] * c_new[u];\n        real o", "r->p[2 * H + u] * c[u];\n        real o")],
    "output gate's peephole sees the cell before it is bounded": [
        ("r->p[2 * H + u] * c_new[u];\n        real o",
         "r->p[2 * H + u] * sum[u];\n        real o")],
    "clip not applied to the output gate": [(_O, _O.replace("has_clip", "0"))],
    "clip not applied to the candidate": [(_G, _G.replace("has_clip", "0"))],
    "cell_clip ignored": [(_C, "c_new[u] = sum[u];")],
    "hard sigmoid with the other slope": [("z / 6 + 0.5", "z / 5 + 0.5")],
    "activation of g used on the way out, too": [("m[u] = o * f_of(act_hidden, c_new[u]);",
                                                  "m[u] = o * f_of(act_cell, c_new[u]);")],
    "z and 1 - z exchanged (Cho et al. 2014)": [
        ("h_new[u] = (1 - a[Z * H + u]) * n + a[Z * H + u] * h[u];",
         "h_new[u] = a[Z * H + u] * n + (1 - a[Z * H + u]) * h[u];")],
    "reset gate left out": [("a[u] = f_of(\"sigmoid\", z[u]);",
                             "a[u] = u < H ? 1 : f_of(\"sigmoid\", z[u]);")],
    "state not squashed": [("h_new[u] = a[u] = f_of(act_state, z[u]);",
                            "h_new[u] = a[u] = z[u];")],
    "backward: sigmoid' of i missing": _without_slope("I", "i", "gate"),
    "backward: sigmoid' of f missing": _without_slope("F", "f", "gate"),
    "backward: tanh' of g missing": _without_slope("G", "g", "cell"),
    "backward: tanh' of c missing": [(_D_CELL, "real d_cell = d_c[u] + d_m * o;")],
    "backward: o's gradient takes c, not tanh(c)": [("d_o = d_m * squashed;",
                                                     "d_o = d_m * c_new[u];")],
    "backward: f's gradient takes c after the step": [("d_f = d_cell * c[u]",
                                                       "d_f = d_cell * c_new[u]")],
    "backward: U's gradient takes h after the step": [
        (_D_U, _D_U.replace("h[j]", "h[R + j]"))],
    "backward: c's gradient from later steps lost": [(_D_CELL, _D_CELL.replace("d_c[u] + ", ""))],
    "backward: c's gradient doesn't pass the forget gate": [("d_c[u] = d_cell * f;",
                                                             "d_c[u] = d_cell;")],
    "backward: gradients of final states ignored": [(_D_H_N, ""), (_D_C_N, "")],
    "backward: gradient of the final c ignored": [(_D_C_N, "")],
    "backward: h's gradient cut between steps": [(_D_PREV, _D_PREV.replace("d_hz[k]",
                                                                          "(t == 0) * d_hz[k]"))],
    "backward: bias's gradient twice": [("r->d_b[k] += d_z[k];", "r->d_b[k] += 2 * d_z[k];"),
                                        ("reset_after ? d_hz[k] : d_z[k];",
                                         "2 * (reset_after ? d_hz[k] : d_z[k]);")],
    "backward: o's peephole sends no gradient to c": [
        ("if (peephole) d_cell += d_z[O * H + u] * r->p[2 * H + u];", "")],
    "backward: a clipped cell state passes gradient": [
        ("d_cell *= passes(sum[u], has_cell_clip, clip_c);", "")],
    "backward: with coupling, i's gradient lacks the way through f": [
        ("if (coupled) d_i -= d_f, d_f = 0;", "if (coupled) d_f = 0;")],
    "backward: h's gradient past the update gate lost": [("d_prev[u] = d_h[u] * zu;", "")],
    "backward: reset gate gets no gradient": [("d_reset * reset * (1 - reset);", "0;")],
    "backward: tanh' of the state missing": [("d_h[u] * slope(act_state, a[u]);", "d_h[u];")],
}  # fmt: skip


def results_of(source, kit, folder, *options):
    """Compile a C source, run it on a kit, and return the folder of its results."""
    (folder / "lstm.c").write_text(source, encoding="utf-8")
    (folder / "results").mkdir()
    compile = ["gcc", *options, "-o", folder / "lstm", folder / "lstm.c", "-lm"]
    subprocess.run(compile, check=True, capture_output=True, timeout=60)
    command = [folder / "lstm", kit / "cases", folder / "results"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder / "results"


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    """A kit of the telling cases: its folder and its files."""
    folder = tmp_path_factory.mktemp("telling") / "kit"
    made = files.make({id: CASES[id] for id in TELLING})
    files.write(folder, made)
    return folder, made


@needs_gcc
@pytest.mark.parametrize("real", ["double", "float"])
def test_the_c_port_passes_the_whole_kit(tmp_path, capsys, real):
    files.write(tmp_path / "kit", files.committed())
    warnings = ("-Wall", "-Wextra", "-Werror", "-O2", f"-Dreal={real}")
    results = results_of(SOURCE, tmp_path / "kit", tmp_path, *warnings)
    assert cli.main(["kit", "check", str(tmp_path / "kit"), str(results)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.match(rf"{len(CASES)} of {len(CASES)} pass, 0 fail", last)


# How a port is compiled, if it is, and run: {source} is its file, {program} what comes of it.
BUILT = {
    "js": ("", "node {source}"),
    "go": ("go build -o {program} {source}", "{program}"),
    "rust": ("rustc --edition 2021 -O -D warnings -o {program} {source}", "{program}"),
}


@pytest.mark.parametrize(
    "language", ["js", *(pytest.param(each, marks=pytest.mark.slow) for each in ("go", "rust"))]
)
def test_a_port_passes_the_whole_kit(tmp_path, monkeypatch, capsys, language):
    compile, run = (command.split() for command in BUILT[language])
    tool = (compile or run)[0]
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on this machine: the port in ports/{language} is not run")
    monkeypatch.setenv("GOCACHE", str(tmp_path / "go"))
    (source,) = (PORTS / language).iterdir()
    places = {"source": source, "program": tmp_path / "port"}
    files.write(tmp_path / "kit", files.committed())
    (tmp_path / "results").mkdir()
    for command in (compile, [*run, str(tmp_path / "kit" / "cases"), str(tmp_path / "results")]):
        if command:
            words = [word.format(**places) for word in command]
            subprocess.run(words, check=True, capture_output=True, cwd=tmp_path, timeout=300)
    assert cli.main(["kit", "check", str(tmp_path / "kit"), str(tmp_path / "results")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{len(CASES)} of {len(CASES)} pass, 0 fail")


@needs_gcc
def test_the_step_in_c_of_chapter_9_is_the_package_s(tmp_path):
    path = PORTS.parent / "chapters" / "09_match_pytorch.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells)
    (shown,) = re.findall(r"^```c\n(.*?)^```", prose, re.M | re.S)
    sigmoid = "static double sigmoid(double z) { return 1 / (1 + exp(-z)); }"
    (tmp_path / "step.c").write_text(f"#include <math.h>\n{sigmoid}\n{shown}")
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "step.c", "-o", "step.so"]
    subprocess.run([*command, "-lm"], check=True, cwd=tmp_path, timeout=60)
    D, H, rng = 3, 5, np.random.default_rng(0)
    W, U, b, x, h, c = (rng.normal(size=n) for n in ((20, D), (20, H), 20, D, H, H))
    state, _ = lstm_step(x[None], LSTMState(h[None], c[None]), W, U, b)
    arrays = (a.ctypes.data_as(ctypes.c_void_p) for a in (W, U, b, x, h, c, np.zeros(20)))
    ctypes.CDLL(str(tmp_path / "step.so")).step(D, H, *arrays)
    np.testing.assert_allclose((h, c), (state.h[0], state.c[0]), rtol=1e-13)


@needs_gcc
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if k % 12 == 0 else pytest.mark.slow) for k, n in enumerate(PLANTED)],
)
def test_a_planted_mistake_is_named(telling, tmp_path, name):
    folder, made = telling
    source = SOURCE
    for right, wrong in PLANTED[name]:
        assert source.count(right) == 1, right
        source = source.replace(right, wrong)
    results = check.check(folder, results_of(source, folder, tmp_path, "-O1"))
    diagnoses = {}
    for result in results:
        if result.verdict == "FAIL":
            _, given, expected = files.arrays_of(made, result.id)
            diagnoses[result.id] = diagnosis.diagnose(result, given, expected)
    lines = diagnosis.likely(results, diagnoses)
    assert lines, [(id, found.causes) for id, found in diagnoses.items()]
    named = lines[0].rsplit(": explains", 1)[0].split(" | ")
    assert name in named and len(named) <= 2, lines


def test_at_least_forty_known_mistakes_are_planted():
    assert len(PLANTED) >= 40
    assert PLANTED.keys() <= mistakes.MISTAKES.keys()
