"""What `lstm-lesson kit check` says of right, wrong, missing and broken results."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import save_file

from lstm_lesson import cli
from lstm_lesson.interop.kit import check, files, mistakes, oracle
from lstm_lesson.interop.kit.cases import CASES

FEW = ("lstm-plain", "lstm-clip", "gru-reverse-lengths", "rnn-relu", "lstm-batch-first")


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A kit of a few cases in a folder."""
    folder = tmp_path_factory.mktemp("kit") / "kit"
    files.write(folder, files.make({id: CASES[id] for id in FEW}))
    return folder


def write(folder, id, found, dtype="float64"):
    folder.mkdir(exist_ok=True)
    results = {name: a.tolist() for name, a in found.items()}
    text = json.dumps({"id": id, "dtype": dtype, "results": results})
    (folder / f"{id}.json").write_text(text)


@pytest.fixture
def results(tmp_path):
    """Right results for each case of `kit`, in a folder."""
    for id in FEW:
        given = oracle.draw(CASES[id])
        found = oracle.solve(CASES[id], given)
        write(tmp_path / "mine", id, {k: found[k] for k in oracle.required(CASES[id], given)})
    return tmp_path / "mine"


def run(*arguments, capsys):
    code = cli.main(["kit", "check", *map(str, arguments)])
    return code, capsys.readouterr().out


def test_the_whole_kit_is_written_and_made(tmp_path, capsys):
    assert cli.main(["kit", "write", str(tmp_path / "kit")]) == 0
    assert capsys.readouterr().out.endswith(f"kit: {len(CASES)} cases written\n")
    assert len(list((tmp_path / "kit" / "cases").glob("*.json"))) == len(CASES)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["kit", "write", str(tmp_path / "kit")])
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert cli.main(["kit", "make", "--output", str(tmp_path / "kit.zip")]) == 0
    assert "equal up to rounding" in capsys.readouterr().out
    assert (
        files.checksum((tmp_path / "kit.zip").read_bytes())
        == (tmp_path / "kit.sha256.txt").read_text()
    )


def test_right_results_pass(kit, results, capsys):
    code, out = run(kit, results, capsys=capsys)
    assert code == 0
    assert re.search(r"^lstm-plain +PASS +float64 +0\.0e\+00$", out, re.M)
    assert out.endswith("5 of 5 pass, 0 fail, 0 unusable; tolerance float64 1e-12\n")


def test_float32_results_pass_as_what_they_say_they_are(kit, results, capsys):
    for id in FEW:
        given = oracle.draw(CASES[id])
        found = oracle.solve(CASES[id], given, np.float32)
        write(results, id, found, "float32")
    code, out = run(kit, results, capsys=capsys)
    assert code == 0 and "tolerance float32 2e-05" in out
    assert run(kit, results, "--dtype", "float64", capsys=capsys)[0] == 1


def test_safetensors_are_read_and_say_their_dtype(kit, results, capsys):
    for id in FEW:
        (results / f"{id}.json").unlink()
        found = oracle.solve(CASES[id], oracle.draw(CASES[id]), np.float32)
        save_file(found, results / f"{id}.safetensors")
    code, out = run(kit, results, capsys=capsys)
    assert code == 0 and "tolerance float32" in out


def test_a_failure_says_where_it_starts_and_why(kit, results, capsys):
    name = "gates read in the order i, f, o, g (CoreML, dlib)"
    for id in FEW:
        if CASES[id].cell == "LSTM":
            wrong = mistakes.solve(name, CASES[id], oracle.draw(CASES[id]))
            write(results, id, wrong)
    code, out = run(kit, results, capsys=capsys)
    assert code == 1
    assert "z_g, g, z_o, o, c, h wrong, z_i, i, z_f, f right from step 0, sequence 0, unit 0" in out
    assert f"the numbers are those of: {name}\n" in out
    assert out.endswith(f"likely cause:\n  {name}: explains 3 of 3 failures\n")


def test_a_backward_failure_names_the_gradients(kit, results, capsys):
    name = "backward: sigmoid' of f missing"
    case = CASES["lstm-plain"]
    write(results, case.id, mistakes.solve(name, case, oracle.draw(case)))
    code, out = run(kit, results, capsys=capsys)
    assert code == 1
    assert "gradients wrong: grad_x, grad_h_0" in out
    assert f"the numbers are those of: {name}" in out
    # In the clipped LSTM the same mistake would have shown, and that case passes.
    assert "explains" not in out


@pytest.mark.parametrize(
    ("id", "step", "at"),
    [("lstm-plain", 3, (3, 1, 2)), ("gru-reverse-lengths", 1, (1, 0, 2))],
)
def test_the_first_wrong_step_is_the_first_that_was_run(kit, results, capsys, id, step, at):
    case = CASES[id]
    found = oracle.solve(case, oracle.draw(case))
    for name in ("output", "h_l0"):
        found[name] = found[name].copy()
        found[name][at] += 1
        found[name][0, 0] += 1  # in a reverse run, later
        if case.direction == "forward":
            found[name][0, 0] -= 1
    write(results, id, found)
    _, out = run(kit, results, capsys=capsys)
    gates = "z_i, i, z_f, f, z_g, g, z_o, o, c" if case.cell == "LSTM" else "z_r, r, z_z, z, z_n, n"
    assert f"h wrong, {gates} right from step {step}, sequence {at[1]}, unit {at[2]}: h is" in out


def test_a_missing_gradient_fails_and_forward_alone_may_be_asked_for(kit, results, capsys):
    for id in FEW:
        found = oracle.solve(CASES[id], oracle.draw(CASES[id]))
        names = oracle.required(CASES[id], {}, forward=True)
        write(results, id, {name: found[name] for name in names})
    code, out = run(kit, results, capsys=capsys)
    assert code == 1 and "missing: grad_x, grad_h_0, grad_c_0, grad_weight_ih_l0" in out
    assert run(kit, results, "--forward", capsys=capsys)[0] == 0


def test_inputs_that_a_port_echoes_change_nothing(kit, results, capsys):
    """A port that misreads U computes with what it has read, and can't pass by writing it out."""
    case = CASES["lstm-plain"]
    given = oracle.draw(case)
    given["weight_hh_l0"] = given["weight_hh_l0"][::-1].copy()
    write(results, case.id, oracle.solve(case, given) | given)
    assert run(kit, results, capsys=capsys)[0] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("nan", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected {"),
        ('{"results": []}', "expected {"),
        ('{"results": {"output": [1, [2]]}}', "output: not an array"),
        ('{"results": {"output": {"shape": [1]}}}', "output: not an array"),
        ('{"results": {"output": "x"}}', "output: not an array"),
        ('{"id": "lstm-clip", "results": {}}', "results of case"),
        ('{"results": {"h": 1, "h": 2}}', "'h': given twice"),
        ('{"dtype": "half", "results": {}}', "dtype: expected"),
    ],
)
def test_unusable_results_are_2_and_say_why(kit, results, capsys, text, reason):
    (results / "lstm-plain.json").write_text(text)
    code, out = run(kit, results, capsys=capsys)
    assert code == 2
    assert re.search(r"^lstm-plain +UNUSABLE", out, re.M) and reason in out


def test_missing_results_are_2_and_none_at_all_an_error(kit, results, capsys):
    (results / "lstm-plain.json").unlink()
    code, out = run(kit, results, capsys=capsys)
    assert code == 2 and "no results" in out
    with pytest.raises(SystemExit, match="2"):
        cli.main(["kit", "check", str(kit), str(results / "nowhere")])
    assert "no results in it, expected lstm-plain.json" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["kit", "check", str(results), str(results)])
    assert "manifest.json: No such file" in capsys.readouterr().err


def test_numbers_that_are_none_fail(kit, results, capsys):
    for value in ("NaN", "null", "Infinity", "1e400"):
        case = CASES["rnn-relu"]
        write(results, case.id, oracle.solve(case, oracle.draw(case)))
        path = results / "rnn-relu.json"
        first = re.search(r'"output": \[\[\[([^,]+),', path.read_text())[1]
        path.write_text(path.read_text().replace(first, value, 1))
        code, out = run(kit, results, capsys=capsys)
        assert code == 1 and re.search(r"^rnn-relu +FAIL", out, re.M), value


def test_reports_for_machines(kit, results, tmp_path, capsys):
    write(results, "rnn-relu", {"output": np.ones(3), "a\x00\x1b\n": np.ones(1)})
    (results / "lstm-clip.json").write_text("\x00")
    junit, tap = tmp_path / "report.xml", tmp_path / "report.tap"
    code, _ = run(kit, results, "--junit", junit, "--tap", tap, capsys=capsys)
    assert code == 2
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("5", "2")
    failed = {case.get("name"): case[0].get("type") for case in suite if len(case)}
    assert failed == {"rnn-relu": "FAIL", "lstm-clip": "UNUSABLE"}
    lines = tap.read_text().splitlines()
    assert lines[:2] == ["TAP version 13", "1..5"]
    assert [line for line in lines[2:] if not line.startswith("#")] == [
        "ok 1 - lstm-plain", "not ok 2 - lstm-clip", "ok 3 - gru-reverse-lengths",
        "not ok 4 - rnn-relu", "ok 5 - lstm-batch-first",
    ]  # fmt: skip
    assert any("output: 3 numbers, not" in line for line in lines)


def mutated(text: bytes, rng) -> bytes:
    """Return a file of results with something wrong in it."""
    at = int(rng.integers(len(text)))
    kind = rng.integers(6)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + bytes([rng.integers(256)]) + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at + int(rng.integers(1, 30)) :]
    if kind == 3:
        return text[:at] + text[at : at + int(rng.integers(1, 30))] + text[at:]
    numbers = list(re.finditer(rb"-?\d+\.\d+(?:e-?\d+)?", text))
    number = numbers[int(rng.integers(len(numbers)))]
    new = [b"NaN", b"1e999", b"null", b"true", b'"x"', b"[]", b"-0.5", b"{}"][rng.integers(8)]
    return text[: number.start()] + new + text[number.end() :]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_mutated_results_give_no_traceback_and_no_false_pass(tmp_path, seed):
    """A file whose numbers are still those that were written may pass; nothing else may."""
    case = CASES["rnn-plain"]
    given = oracle.draw(case)
    expected = oracle.solve(case, given)
    needed = oracle.required(case, given)
    write(tmp_path, case.id, {name: expected[name] for name in needed})
    path = tmp_path / f"{case.id}.json"
    text, rng, verdicts = path.read_bytes(), np.random.default_rng(seed), {"PASS": 0, "FAIL": 0}
    for _ in range(2000 if seed else 200):
        path.write_bytes(mutated(text, rng))
        try:
            found, dtype = files.read_results(tmp_path, case.id)
        except files.KitError:
            continue
        result = check.compare(case.id, found, expected, needed, dtype or "float64")
        verdicts[result.verdict] += 1
        if result.verdict == "PASS":
            for name in needed:
                right = expected[name].ravel()
                assert np.abs(found[name] - right).max() <= 1e-12 * np.abs(right).max()
    assert min(verdicts.values()) > 0


SMALL = (
    "lstm-all-one", "lstm-one-step", "lstm-projection-one", "gru-all-one", "gru-empty", "rnn-plain",
    "rnn-one-unit", "rnn-all-one", "rnn-lengths", "rnn-empty", "rnn-batch-first", "rnn-two-layers",
    "rnn-reverse", "rnn-relu", "rnn-identity", "rnn-no-bias", "rnn-zero-state", "rnn-one-sequence",
    "rnn-one-input", "rnn-one-bias",
)  # fmt: skip


@pytest.mark.slow
def test_soak_of_the_command_on_four_hundred_mutated_files(tmp_path, capsys):
    """Each has a verdict, the exit code is the worst one's, and what passes is right."""
    files.write(tmp_path / "kit", files.make({id: CASES[id] for id in SMALL}))
    right, expected, rng, seen = {}, {}, np.random.default_rng(0), set()
    for id in SMALL:
        given = oracle.draw(CASES[id])
        solved = oracle.solve(CASES[id], given)
        expected[id] = {name: solved[name] for name in oracle.required(CASES[id], given)}
        write(tmp_path / "mine", id, expected[id])
        right[id] = (tmp_path / "mine" / f"{id}.json").read_bytes()
    for _ in range(20):
        wrong = {id: mutated(text, rng) for id, text in right.items()}
        for id, text in wrong.items():
            (tmp_path / "mine" / f"{id}.json").write_bytes(text)
        reports = ["--junit", tmp_path / "a.xml", "--tap", tmp_path / "a.tap"]
        code, out = run(tmp_path / "kit", tmp_path / "mine", *reports, capsys=capsys)
        said = dict(re.findall(r"^(\S+) +(PASS|FAIL|UNUSABLE)\b", out, re.M))
        assert list(said) == list(SMALL)
        assert code == max({"PASS": 0, "FAIL": 1, "UNUSABLE": 2}[each] for each in said.values())
        ElementTree.parse(tmp_path / "a.xml")
        seen |= set(said.values())
        for id in (id for id in SMALL if said[id] == "PASS"):
            found = json.loads(wrong[id].decode("utf-8-sig"))
            bound = check.TOLERANCES[found.get("dtype", "float64")]
            for name, a in expected[id].items():
                gap = np.abs(np.ravel(found["results"][name]) - a.ravel()).max()
                assert gap <= bound * (np.abs(a).max() or 1), (id, name)
    assert seen == {"PASS", "FAIL", "UNUSABLE"}
