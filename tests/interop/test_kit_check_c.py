"""The check in C, which comes in the zip: it says what `lstm-lesson kit check` says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_kit_check import mutated

from lstm_lesson.interop.kit import check, files, mistakes, oracle
from lstm_lesson.interop.kit.cases import CASES
from lstm_lesson.interop.kit.files import KitError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
STRICT = ("-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-D_DEFAULT_SOURCE", "-g")
SAFE = ("-fsanitize=address,undefined", "-fno-sanitize-recover")
ENV = {"ASAN_OPTIONS": "detect_leaks=0"}  # it ends after the last case anyway


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The check, compiled so that reading or writing where it may not stops it."""
    path = tmp_path_factory.mktemp("check") / "check"
    source = files.HERE / "check.c"
    subprocess.run(["gcc", *STRICT, *SAFE, "-o", path, source, "-lm"], check=True, timeout=60)
    return path


@pytest.fixture
def kit(tmp_path):
    """A kit of a few cases, one in a safetensors file, with right results in float64."""
    ids = ("lstm-plain", "gru-reverse-lengths", "rnn-all-one", "lstm-large", "lstm-batch-first")
    files.write(tmp_path / "kit", files.make({id: CASES[id] for id in ids}))
    for id in ids:
        write(tmp_path, id, oracle.solve(CASES[id], oracle.draw(CASES[id])))
    return tmp_path


def write(folder, id, found, **more):
    (folder / "results").mkdir(exist_ok=True)
    about = {"id": id, "dtype": "float64", **more}
    text = json.dumps(about | {"results": {name: a.tolist() for name, a in found.items()}})
    (folder / "results" / f"{id}.json").write_text(text)


def run(program, folder, *options):
    command = [program, *options, folder / "kit" / "cases", folder / "results"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=120)
    assert done.stderr == ""
    return done.returncode, done.stdout


def verdicts(out):
    return dict(re.findall(r"^(\S+) +(PASS|FAIL|UNUSABLE)\b", out, re.M))


def test_right_results_pass_in_both_types(program, kit):
    code, out = run(program, kit)
    assert code == 0 and set(verdicts(out).values()) == {"PASS"}
    assert out.splitlines()[-1].startswith("5 of 5 pass, 0 fail, 0 unusable; tolerance")
    for id in verdicts(out):
        found = oracle.solve(CASES[id], oracle.draw(CASES[id]), np.float32)
        write(kit, id, found, dtype="float32")
    assert run(program, kit)[0] == 0
    write(kit, id, found, dtype="float64")
    assert run(program, kit)[0] == 1


def test_a_failure_says_what_is_wrong_and_where(program, kit):
    case = CASES["lstm-plain"]
    given = oracle.draw(case)
    found = mistakes.solve("backward: sigmoid' of f missing", case, given)
    write(kit, case.id, found)
    code, out = run(program, kit)
    assert code == 1 and verdicts(out)["lstm-plain"] == "FAIL"
    assert "    exercises one layer with random states and two biases; fails if gates" in out
    value, right = found["grad_x"].flat[0], oracle.solve(case, given)["grad_x"].flat[0]
    assert f"    grad_x wrong, first at [0][0][0]: is {value:.6g}, expected {right:.6g}\n" in out
    assert "    wrong, too: grad_weight_ih_l0, " in out
    assert re.search(r"^    right: output, h_n, c_n", out, re.M)
    assert run(program, kit, "--forward")[0] == 1  # what is there is judged
    forward = {name: found[name] for name in ("output", "h_n", "c_n")}
    write(kit, case.id, forward)
    assert "    missing: grad_x, grad_h_0, " in run(program, kit)[1]
    assert run(program, kit, "--forward")[0] == 0
    write(kit, case.id, forward | {"output": found["output"][1:]})
    assert "    output wrong, 72 numbers, not 90\n" in run(program, kit, "--forward")[1]
    found = oracle.solve(CASES["lstm-batch-first"], oracle.draw(CASES["lstm-batch-first"]))
    found["output"][2, 3, 4] += 1
    write(kit, "lstm-batch-first", found)
    assert "    output wrong, first at [2][3][4]: is " in run(program, kit)[1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "neither a number nor anything else"),
        ("{", "an object without a name"),
        ('{"results": {"output": [1, 2', "a comma or an end is missing"),
        ('{"results": {"output": [1, 2]}} 3', "something behind its end"),
        ('{"results": {"output": 0x1p3}}', "neither a number nor anything else"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "expected {"),
        ('{"dtype": "half", "results": {}}', "which dtype?"),
        ('{"id": "lstm-clip", "results": {}}', "of another case"),
        ('{"results": {"h_n": 1, "h_n": 2}}', "a name is given twice"),
        (None, "no results"),
    ],
)
def test_unusable_results_are_2_and_say_why(program, kit, text, reason):
    path = kit / "results" / "lstm-plain.json"
    path.unlink() if text is None else path.write_text(text)
    code, out = run(program, kit)
    assert code == 2 and re.search(rf"^lstm-plain +UNUSABLE\n    {re.escape(reason)}", out, re.M)


def test_what_is_no_kit_is_refused(program, kit):
    more = {"capture_output": True, "text": True, "env": ENV, "timeout": 60}
    for arguments in ([], ["--forward"], [kit / "none", kit], [kit, kit]):
        done = subprocess.run([program, *arguments], **more)
        assert done.returncode == 2 and done.stderr and not done.stdout
    done = subprocess.run([program, kit / "kit", kit], **more)
    assert done.returncode == 2 and "manifest.json\n    not a case of the kit\n" in done.stdout
    path = kit / "kit" / "cases" / "lstm-plain.json"
    path.write_text(path.read_text()[:1000])
    assert "lstm-plain.json\n    not a case of the kit\n" in run(program, kit)[1]


@pytest.mark.parametrize("number", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_mutated_results_get_the_verdict_that_python_gives(program, tmp_path, number):
    """One run over copies of a case; each file of results is broken in its own way."""
    case = CASES["rnn-plain"]
    given = oracle.draw(case)
    expected = oracle.solve(case, given)
    needed = oracle.required(case, given)
    (text,) = (t for n, t in files.make({case.id: case}).items() if n.startswith("cases/"))
    (tmp_path / "kit" / "cases").mkdir(parents=True)
    write(tmp_path, case.id, {name: expected[name] for name in needed})
    right = (tmp_path / "results" / f"{case.id}.json").read_bytes()
    rng, said = np.random.default_rng(number), {}
    for k in range(number):
        name = f"{k:04}"
        (tmp_path / "kit" / "cases" / f"{name}.json").write_bytes(text)
        wrong = mutated(right, rng)
        (tmp_path / "results" / f"{name}.json").write_bytes(wrong)
        (tmp_path / "results" / f"{case.id}.json").write_bytes(wrong)
        try:
            found, dtype = files.read_results(tmp_path / "results", case.id)
        except KitError:
            said[name] = "UNUSABLE"
        else:
            dtype = dtype or "float64"
            said[name] = check.compare(case.id, found, expected, needed, dtype).verdict
    lines = re.findall(r"^rnn-plain +(PASS|FAIL|UNUSABLE)\b", run(program, tmp_path)[1], re.M)
    passed = {name for name, line in zip(said, lines, strict=True) if line == "PASS"}
    assert passed == {name for name, verdict in said.items() if verdict == "PASS"}
    assert 0 < len(passed) < number


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unzip") is None, reason="needs unzip")
def test_what_the_page_prints_ends_in_a_green_table(tmp_path):
    """As a new reader has it: the page, the zip and a port in C, in an empty folder."""
    page = (ROOT / "chapters" / "kit.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^```bash\n(.*?)^```", page, re.M | re.S)
    for name in re.findall(r"<\.\./([\w./]+(?:kit\.zip|lstm\.c))>", page):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        ["sh", "-e", "-c", commands], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert f"{first}\n" == files.CHECKSUM.read_text()
    assert last.startswith(f"{len(CASES)} of {len(CASES)} pass, 0 fail, 0 unusable")
    right, wrong = "enum { I, F, G, O };", "enum { F, I, G, O };"  # as the page suggests
    assert right in page
    source = (tmp_path / "lstm.c").read_text()
    (tmp_path / "lstm.c").write_text(source.replace(right, wrong))
    again = "; ".join(commands.splitlines()[3:])
    done = subprocess.run(["sh", "-c", again], cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 1
