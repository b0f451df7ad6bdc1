"""The command: what it prints, what it returns, and its one line when something is wrong."""

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lstm_lesson
from lstm_lesson import cli
from lstm_lesson.interop import cases


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A case of the default sizes, in the working directory."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["case", "generate", "--output", "case.json"]) == 0
    return json.loads(Path("case.json").read_text())


def refused(arguments, capsys) -> str:
    """Return the one line on stderr of a command that exits with 2."""
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_generate_writes_the_default_case(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["case", "generate"]) == 0
    assert capsys.readouterr().out == "pytorch_lstm_test.json: written, seed 42\n"
    assert json.loads(Path("pytorch_lstm_test.json").read_text()) == cases.generate()


def test_generate_passes_its_options_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = "--input-size 2 --hidden-size 3 --batch-size 4 --seq-length 6 --seed 7"
    arguments = [*options.split(), "--gradients", "last", "--output", "é.json", "--json"]
    assert cli.main(["case", "generate", *arguments]) == 0
    assert json.loads(Path("é.json").read_text()) == cases.generate(2, 3, 4, 6, 7, "last")
    assert json.loads(capsys.readouterr().out) == {
        "file": "é.json", "input_size": 2, "hidden_size": 3, "batch_size": 4, "seq_length": 6,
        "seed": 7, "gradients": "last",
    }  # fmt: skip
    assert cli.main(["case", "check", "é.json"]) == 0
    assert capsys.readouterr().out.startswith("é.json: PASS: largest difference ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--hidden-size 0", "hidden_size: expected a whole number, 1 to 1,000,000, got 0;"),
        ("--batch-size -3", "batch_size: expected a whole number, 1 to 1,000,000, got -3;"),
        ("--seq-length 1000000000000", "seq_length: expected .* got 1000000000000;"),
        ("--input-size two", "argument --input-size: invalid int value: 'two';"),
        ("--seed -1", "seed: expected a whole number, 0 to "),
        ("--gradients mse", "argument --gradients: invalid choice: 'mse'"),
        ("--output none/case.json", "none/case.json: No such file or directory;"),
        ("--output .", r"\.: not a regular file;"),
        ("--hidden 4", "unrecognized arguments: --hidden 4;"),
    ],
)
def test_generate_refuses_on_one_line(arguments, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = refused(["case", "generate", *arguments.split()], capsys)
    assert re.match(f"lstm-lesson(?: case generate)?: {reason}", line), line
    assert list(tmp_path.iterdir()) == []


def test_generate_replaces_nothing_unless_told_to(case, capsys):
    capsys.readouterr()
    before = Path("case.json").read_bytes()
    line = refused(["case", "generate", "--seed", "1", "--output", "case.json"], capsys)
    assert "case.json: already there; --force replaces it; see" in line
    assert Path("case.json").read_bytes() == before
    command = ["case", "generate", "--seed", "1", "--output", "case.json", "--force"]
    assert cli.main(command) == 0
    assert json.loads(Path("case.json").read_text()) == cases.generate(seed=1)


def test_generate_takes_the_weights_of_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    layer = lstm_lesson.LSTM(2, 3, rng=5)
    layer.save("mine.safetensors")
    command = ["case", "generate", "--from", "mine.safetensors", "--output", "case.json", "--json"]
    assert cli.main([*command, "--gradients", "sum"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["from"] == "mine.safetensors"
    assert (document["input_size"], document["hidden_size"]) == (2, 3)
    case = json.loads(Path("case.json").read_text())
    np.testing.assert_array_equal(case["weight_hh"], layer.parameters()["weight_hh_l0"])
    assert cli.main(["case", "check", "case.json"]) == 0
    capsys.readouterr()
    for more, reason in (
        (["--hidden-size", "4"], "hidden_size: mine.safetensors has 3, asked for 4;"),
        (["--prefix", "x"], "no weight_ih_l0"),
        (["--from", "none.pt"], "No such file or directory"),
        (["--from", "."], "Is a directory"),
    ):
        line = refused([*command[:4], "--output", "-", *more], capsys)
        assert reason in line, line
    assert "Give --from FILE" in refused(["case", "generate", "--prefix", "x"], capsys)


def test_generate_without_torch_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "import of torch halted" in refused(["case", "generate"], capsys)


def test_check_says_how_each_file_did_and_goes_on(case, capsys):
    case["expected_c"][1][7] += 0.01
    Path("wrong.json").write_text(json.dumps(case))
    Path("broken.json").write_text(json.dumps(case | {"bias_hh": [0.0]}))
    capsys.readouterr()
    codes = {}
    for files in (["case.json"], ["wrong.json", "case.json"], ["broken.json", "wrong.json"]):
        codes[tuple(files)] = cli.main(["case", "check", *files])
    assert list(codes.values()) == [0, 1, 2]
    lines = capsys.readouterr().out.splitlines()
    numbers = r"expected_h \S+e-1\d, expected_c \S+, expected_out \S+e-1\d"
    passed = rf"case.json: PASS: largest difference \S+e-1\d, tolerance 0.0001 \({numbers}\)"
    failed = rf"wrong.json: FAIL: largest difference 1.0e-02, tolerance 0.0001 \({numbers}\); "
    failed += r"expected_c wrong, first in layer 0, sequence 1, unit 7: is \S+, expected \S+"
    broken = "broken.json: UNUSABLE: bias_hh: expected 32 entries, got 1"
    patterns = [passed, failed, passed, broken, failed]
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


def test_check_takes_a_tolerance(case, capsys):
    case["expected_c"][1][7] += 0.01
    Path("wrong.json").write_text(json.dumps(case))
    assert cli.main(["case", "check", "--tolerance", "0.011", "wrong.json"]) == 0
    assert cli.main(["case", "check", "--tolerance", "0.009", "wrong.json"]) == 1
    capsys.readouterr()
    for bad in ("-1", "nan", "inf"):
        line = refused(["case", "check", "--tolerance", bad, "case.json"], capsys)
        assert line.startswith("lstm-lesson case check: tolerance: expected a finite number from 0")
    assert "invalid float" in refused(["case", "check", "--tolerance", "x", "case.json"], capsys)
    assert "required: FILE" in refused(["case", "check"], capsys)


def test_check_prints_one_json_document(case, capsys):
    # With the forget gate open the cell stays at 1.7e308, and the difference overflows.
    cell, opposite = ([[sign * 1.7e308] * 8] * 2 for sign in (1, -1))
    huge = {"initial_c": cell, "expected_c": opposite, "bias_ih": [1e3] * 32}
    Path("nan.json").write_text(json.dumps(case | huge))
    capsys.readouterr()
    assert cli.main(["case", "check", "--json", "case.json", "nan.json", "none.json"]) == 2
    out = capsys.readouterr().out
    assert "NaN" not in out and "Infinity" not in out
    document = json.loads(out)
    assert document["exit"] == 2
    good, nan, none = document["results"]
    assert (good["file"], good["verdict"], good["tolerance"]) == ("case.json", "PASS", 1e-4)
    assert good["largest_difference"] == max(good["differences"].values()) < 1e-12
    assert set(good["differences"]) == set(cases.EXPECTED)
    assert nan["verdict"] == "FAIL"
    assert nan["largest_difference"] is None
    assert none == {
        "file": "none.json", "verdict": "UNUSABLE", "tolerance": 1e-4, "differences": {},
        "reason": "No such file or directory", "largest_difference": None,
    }  # fmt: skip


def test_selftest_passes_and_measures(capsys):
    assert cli.main(["case", "selftest"]) == 0
    lines = capsys.readouterr().out.splitlines()
    measures = ["output after one step", "change along a sequence", "difference within a batch"]
    for line, what in zip(lines, measures, strict=True):
        measured = re.fullmatch(rf"{what}: PASS: at least (0\.\d{{4}}), above 0.001 passes", line)
        assert float(measured[1]) > 0.005, line
    assert cli.main(["case", "selftest", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["what"] for row in document["results"]] == measures
    assert {row["verdict"] for row in document["results"]} == {"PASS"}


@pytest.mark.parametrize(
    ("broken", "failing"),
    [
        (lambda output: output * 0, [0, 1, 2]),
        (lambda output: output * math.nan, [0, 1, 2]),
        (lambda output: np.repeat(output[:1], len(output), axis=0), [1]),
        (lambda output: np.repeat(output[:, :1], output.shape[1], axis=1), [2]),
    ],
)
def test_selftest_catches_a_broken_lstm(broken, failing, monkeypatch, capsys):
    class Broken(lstm_lesson.LSTM):
        def forward(self, x):
            output, state, cache = super().forward(x)
            return broken(output), state, cache

    monkeypatch.setattr(cli, "LSTM", Broken)
    assert cli.main(["case", "selftest"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [k for k, line in enumerate(lines) if ": FAIL: " in line] == failing


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["case", "--version", "exit codes: 0"]),
        (["case"], ["generate", "check", "selftest", "weight_ih", "[4H][D]", "exit codes: 0"]),
        (["case", "generate"], ["--seed", "default 42", "pytorch_lstm_test.json", '"squares"']),
        (["case", "check"], ["--tolerance", "default 0.0001", "UNUSABLE", "exit codes: 0"]),
        (["case", "selftest"], ["--json", "exit codes: 0"]),
    ],
)
def test_help_says_what_there_is(command, words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []
    assert max(map(len, out.splitlines())) <= 100


def test_format_in_the_help_names_every_key():
    keys = (*cases.SIZES, *cases.ARGUMENTS, *cases.EXPECTED, "loss", *cases.LOSSES)
    assert [key for key in keys if key not in cases.FORMAT] == []


@pytest.mark.parametrize("arguments", [[], ["case"], ["cases"], ["case", "make"]])
def test_a_command_that_is_none_is_refused(arguments, capsys):
    assert "--help" in refused(arguments, capsys)


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"lstm-lesson {lstm_lesson.__version__}\n"


def test_the_package_installs_the_command():
    project = tomllib.loads(Path(__file__).parent.parent.joinpath("pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"lstm-lesson": "lstm_lesson.cli:main"}


def test_as_a_process(case):
    """The real entry point: exit codes, any name on an ASCII terminal, a reader that leaves."""
    os.rename("case.json", "case ž\n.json")
    command = [sys.executable, "-W", "error", "-m", "lstm_lesson.cli", "case", "check"]
    # PYTHONUNBUFFERED empty: output waits in a buffer, as it does for most.
    options = {"env": os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUNBUFFERED": ""}}
    names = ["case ž\n.json", "ž", "b\udcff"]
    done = subprocess.run([*command, *names], capture_output=True, text=True, **options)
    assert done.returncode == 2
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert first.startswith(r"'case \u017e\n.json': PASS: ")
    assert second == r"\u017e: UNUSABLE: No such file or directory"
    assert third == r"'b\udcff': UNUSABLE: No such file or directory"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*command, "x"], stdout=write, stderr=subprocess.PIPE, **options)
    os.close(write)
    assert (done.returncode, done.stderr) == (2, b"")


COMMAND = [sys.executable, "-m", "lstm_lesson.cli"]


@pytest.mark.slow
def test_a_dash_is_standard_output_and_standard_input(case, tmp_path):
    made = subprocess.run([*COMMAND, "case", "generate", "--output", "-"], capture_output=True)
    assert (made.returncode, made.stderr) == (0, b"")
    assert json.loads(made.stdout) == case
    done = subprocess.run([*COMMAND, "case", "check", "-"], input=made.stdout, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"-: PASS: ")
    assert [path.name for path in tmp_path.iterdir()] == ["case.json"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.slow
def test_a_log_is_written_to_and_never_replaced(case):
    """A redirected /dev/stdout leads to a regular file, which a move would replace."""
    Path("log").write_text("precious\n")
    for name in ("/dev/stdout", "/dev/fd/1", "-"):
        with open("log", "a") as log:
            done = subprocess.run([*COMMAND, "case", "generate", "--output", name], stdout=log)
        assert done.returncode == 0
    assert Path("log").read_text() == "precious\n" + 3 * Path("case.json").read_text()
    with open("log", "a") as log:
        done = subprocess.run(
            [*COMMAND, "case", "generate", "--output", "/dev/stderr"], stderr=log, text=True
        )
    assert done.returncode == 2
    assert Path("log").read_text().startswith("precious\n")


def test_a_file_that_is_replaced_keeps_its_rights(case):
    os.chmod("case.json", 0o640)
    assert cli.main(["case", "generate", "--output", "case.json", "--force"]) == 0
    assert Path("case.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [
    ["case", "check", "case.json"], ["experiments", "list"], ["--help"], ["case", "--help"],
    ["--version"],
])  # fmt: skip
def test_a_full_disk_is_one_line(case, arguments):
    with open("/dev/full", "w") as full:
        os.makedirs("results", exist_ok=True)
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert ": standard output: No space left on device; see lstm-lesson " in done.stderr


def test_a_file_that_a_full_disk_has_no_room_for_is_named(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    line = refused(["kit", "write", str(tmp_path / "kit")], capsys)
    assert f": {tmp_path / 'kit'}/" in line and ": No space left on device; see" in line


def test_a_folder_that_is_a_file_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for command in (["run", "watch_the_gates"], ["list"], ["status"], ["plot"]):
        line = refused(["experiments", *command, "--folder", str(tmp_path / "file")], capsys)
        assert str(tmp_path / "file") in line


def test_an_interrupted_command_says_so(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cases, "generate", interrupted)
    assert cli.main(["case", "generate"]) == 130
    assert capsys.readouterr() == ("", "lstm-lesson case generate: interrupted\n")
