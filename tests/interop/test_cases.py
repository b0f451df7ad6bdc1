"""Test cases in JSON: right ones pass, wrong ones fail, and nothing that is in a file gets out."""

import json
import os
import random
import re
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from lstm_lesson import cli
from lstm_lesson.interop import cases

ALL = cases.SIZES + cases.ARGUMENTS + cases.EXPECTED
SHAPES = {
    "input": (3, 2, 5), "initial_h": (2, 8), "initial_c": (2, 8),
    "weight_ih": (32, 5), "weight_hh": (32, 8), "bias_ih": (32,), "bias_hh": (32,),
    "expected_h": (2, 8), "expected_c": (2, 8), "expected_out": (3, 2, 8),
}  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return cases.generate()


@pytest.fixture(scope="module")
def full():
    return cases.generate(2, 3, 2, 4, seed=1, gradients="squares")


@pytest.fixture
def check(tmp_path):
    """Return a function that writes what it is given to a file and checks that."""

    def write_and_check(content, **options):
        path = tmp_path / "case.json"
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = cases.check(path, **options)
        line = str(result)
        assert line.startswith(f"{path}: {result.verdict}: ")
        assert len(line.splitlines()) == 1
        assert len(line) < 1000  # whatever was in the file
        return result

    return write_and_check


def flatten(value):
    return np.ravel(value).tolist()


def test_a_case_has_exactly_the_keys_and_shapes_of_the_format(plain, full):
    assert tuple(plain) == ALL
    assert [plain[name] for name in cases.SIZES] == [5, 8, 2, 3]
    for name, shape in SHAPES.items():
        assert np.array(plain[name]).shape == shape, name
    assert set(full) == {*ALL, "loss", *cases.GRADIENTS}
    for name in cases.ARGUMENTS:
        assert np.array(full[f"grad_{name}"]).shape == np.array(full[name]).shape
        assert np.any(full[name])


def test_numbers_are_float32_and_survive_the_file(plain, tmp_path):
    path = tmp_path / "case.json"
    cases.write(path, plain)
    arrays, loss = cases.read(path)
    assert loss is None
    for name in cases.ARGUMENTS:
        np.testing.assert_array_equal(arrays[name], plain[name])
        np.testing.assert_array_equal(arrays[name].astype(np.float32), plain[name])


def test_weights_are_those_of_torch_for_the_seed(plain):
    state = torch.random.get_rng_state()
    torch.manual_seed(42)
    module, x = torch.nn.LSTM(5, 8), torch.randn(3, 2, 5)
    torch.random.set_rng_state(state)
    np.testing.assert_array_equal(plain["weight_hh"], module.weight_hh_l0.detach().numpy())
    np.testing.assert_array_equal(plain["input"], x.numpy())
    start = [torch.tensor(plain[name])[None] for name in ("initial_h", "initial_c")]
    out, (h, c) = module(x, tuple(start))
    for name, theirs in {"expected_out": out, "expected_h": h[0], "expected_c": c[0]}.items():
        # The module runs in float32 here: a few roundings of 6e-8.
        np.testing.assert_allclose(plain[name], theirs.detach().numpy(), rtol=0, atol=1e-6)


def test_generating_leaves_the_random_state_and_repeats(plain):
    before = torch.random.get_rng_state()
    again, other = cases.generate(), cases.generate(seed=43)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert again == plain
    assert other["input"] != plain["input"]


@pytest.mark.parametrize("loss", [None, *cases.LOSSES])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (5, 8, 2, 3), (3, 1, 4, 1), (2, 7, 1, 30)])
def test_what_torch_says_passes_to_rounding(sizes, loss, check):
    # 1e-12: some hundred roundings of 1e-16 on numbers up to about a hundred.
    result = check(cases.generate(*sizes, seed=3, gradients=loss), tolerance=1e-12)
    assert result.verdict == "PASS"
    compared = cases.EXPECTED + (cases.GRADIENTS if loss else ())
    assert tuple(result.differences) == compared
    assert all(name in str(result) for name in compared)


def test_every_expected_number_counts(full, check):
    for name in cases.EXPECTED + cases.GRADIENTS:
        array = np.array(full[name])
        for index in (0, -1):
            wrong = array.copy()
            wrong.flat[index] += 2e-4
            result = check(full | {name: wrong.tolist()})
            assert result.verdict == "FAIL"
            assert result.largest == result.differences[name] == pytest.approx(2e-4)
            others = [d for other, d in result.differences.items() if other != name]
            assert max(others) < 1e-12
    assert check(full | {name: wrong.tolist()}, tolerance=3e-4).verdict == "PASS"


def test_every_argument_counts(full, check):
    for name in cases.ARGUMENTS:
        changed = np.array(full[name])
        changed.flat[0] += 0.5
        assert check(full | {name: changed.tolist()}).verdict == "FAIL", name


def test_files_that_others_wrote(full, check):
    order = random.Random(0)
    keys = list(full)
    order.shuffle(keys)
    extra = {"framework": "mine", "nested": {"a": [None, {}]}, "nan": float("nan")}
    variants = {
        "reordered and extra keys": {key: full[key] for key in keys} | extra,
        "flat": {k: flatten(v) if isinstance(v, list) else v for k, v in full.items()},
        "some flat": full | {"input": flatten(full["input"])},
        "byte order mark": b"\xef\xbb\xbf" + json.dumps(full).encode(),
        "pretty": json.dumps(full, indent=4).replace("\n", "\r\n"),
    }
    for what, content in variants.items():
        assert check(content).verdict == "PASS", what
    ones = {"initial_h": [[0] * 8, [1] * 8], "initial_c": [0] * 16}
    whole = cases.generate() | ones
    assert set(check(whole).differences) == set(cases.EXPECTED)  # whole numbers are numbers
    for kept in cases.EXPECTED:
        part = {k: v for k, v in full.items() if k not in {*cases.EXPECTED, "loss"} - {kept}}
        part = {k: v for k, v in part.items() if not k.startswith("grad_")}
        assert list(check(part).differences) == [kept]
    few = {k: v for k, v in full.items() if k not in cases.GRADIENTS[1:]}
    assert list(check(few).differences) == [*cases.EXPECTED, "grad_input"]


def test_numbers_too_large_to_compute_with_fail_without_a_warning(full, check):
    # With the forget gate open the cell stays at 1.7e308, and the difference overflows.
    cell, opposite = ([[sign * 1.7e308] * 3] * 2 for sign in (1, -1))
    result = check(full | {"initial_c": cell, "expected_c": opposite, "bias_ih": [1e3] * 12})
    assert result.verdict == "FAIL"
    assert not np.isfinite(result.largest)
    assert check(full | {"expected_h": [[1.7e308] * 3] * 2}).verdict == "FAIL"
    assert check(full | {"bias_ih": [1e308] * 12, "bias_hh": [1e308] * 12}).verdict == "FAIL"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_size": 0}, "hidden_size: expected a whole number, 1 to 1,000,000, got 0"),
        ({"batch_size": -2}, "batch_size: expected a whole number, 1 to 1,000,000, got -2"),
        ({"seq_length": 10**12}, "seq_length: expected .*, got 1000000000000"),
        ({"hidden_size": 10**400}, "hidden_size: expected .*, got inf"),
        ({"hidden_size": 10**300}, "hidden_size: expected .*, got 10000"),
        ({"hidden_size": 10**6}, "batch_size, seq_length: expected at most 1,000,000 numbers"),
        ({"input_size": 2.0}, "input_size: expected a whole number, .* got 2.0"),
        ({"input_size": True}, "input_size: expected a whole number, .* got True"),
        ({"input_size": "2"}, "input_size: expected a whole number, .* got '2'"),
        ({"input_size": None}, "input_size: expected a whole number, .* got None"),
        ({"input_size": [2]}, r"input_size: expected a whole number, .* got \[2\]"),
        ({"batch_size": 3}, r"input\[0\]: expected 3 entries, got 2"),
        ({"input": 5}, "input: expected a list of 4, got 5"),
        ({"input": None}, "input: expected a list of 4, got None"),
        ({"input": {}}, "input: expected a list of 4, got {}"),
        ({"input": []}, "input: expected 16 entries, got 0"),
        ({"input": [0.0] * 15}, "input: expected 16 entries, got 15"),
        ({"input": [[0.0] * 4] * 4}, r"input\[0\]: expected 2 entries, got 4"),
        ({"input": [[[0.0] * 2] * 2] * 3 + [0.0]}, "input.3.: expected a list of 2, got 0.0"),
        ({"input": [[[0.0] * 2] * 2] * 3}, "input: expected 4 entries, got 3"),
        ({"weight_hh": [[[0.0] * 3] * 3] * 4}, "weight_hh: expected 12 entries, got 4"),
        ({"bias_ih": [[0.0] * 12]}, "bias_ih: expected 12 entries, got 1"),
        ({"bias_ih": [0.0] * 11 + [[0]]}, r"bias_ih\[11\]: expected a finite number, got \[0\]"),
        ({"bias_hh": [0.0] * 11 + ["0"]}, r"bias_hh\[11\]: expected a finite number, got '0'"),
        ({"bias_hh": [True] * 12}, r"bias_hh\[0\]: expected a finite number, got True"),
        ({"bias_hh": [float("nan")] * 12}, r"bias_hh\[0\]: expected a finite number, got nan"),
        ({"bias_hh": [10**308 * 9] * 12}, r"bias_hh\[0\]: expected a finite number, got 9000"),
        ({"bias_hh": [-(10**400)] * 12}, r"bias_hh\[0\]: expected a finite number, got -inf"),
        ({"expected_h": None}, "expected_h: expected a list of 2, got None"),
        ({"expected_c": [[0, 0, -float("inf")]] * 2}, r"expected_c\[0\]\[2\]: .* got -inf"),
        ({"grad_input": [0]}, "grad_input: expected 16 entries, got 1"),
        ({"loss": "mse"}, "loss: expected one of .*'squares'.*, got 'mse'"),
        ({"loss": ["sum"]}, r"loss: expected one of .*, got \['sum'\]"),
        ({"loss": "\ud800\n" * 9999}, r"loss: expected one of .*, got '\\ud800\\n"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change, reason, full, check):
    result = check(full | change)
    assert result.verdict == "UNUSABLE"
    assert re.search(reason, result.reason), result.reason


@pytest.mark.parametrize(
    ("literal", "shown"),
    [
        ("1" + "0" * 5000, "inf"),  # more digits than Python's int() takes
        ("-" + "9" * 400, "-inf"),
        ("9" * 390, "9999"),
        ("1e400", "inf"),
        ("NaN", "nan"),
        ("-Infinity", "-inf"),
    ],
)
def test_numbers_beyond_float64_are_named(literal, shown, full, check):
    text = json.dumps(full | {"bias_hh": [0] * 11 + ["@"]}).replace('"@"', literal)
    result = check(text)
    assert result.verdict == "UNUSABLE"
    assert result.reason.startswith(f"bias_hh[11]: expected a finite number, got {shown}")


def test_what_is_missing_is_named(full, check):
    for name in cases.SIZES + cases.ARGUMENTS:
        result = check({k: v for k, v in full.items() if k != name})
        assert result.reason == f"{name}: missing"
    result = check({k: v for k, v in full.items() if k not in cases.EXPECTED})
    assert result.reason == "expected_h, expected_c, expected_out: missing, one is needed at least"
    result = check({k: v for k, v in full.items() if k != "loss"})
    assert result.reason == "loss: expected one of ('sum', 'squares', 'last'), got None"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf", "not JSON in UTF-8: Expecting value"),
        (b"{", "not JSON in UTF-8: Expecting property name"),
        (b"{} {}", "not JSON in UTF-8: Extra data"),
        (b'{"a": "\xff"}', "not JSON in UTF-8: 'utf-8' codec can't decode byte 0xff"),
        ('{"a": 1}'.encode("utf-16"), "not JSON in UTF-8"),
        (b"\x00" * 99, "not JSON in UTF-8"),
        (b"[" * 10**6, "nested too deeply"),
        (b'{"a":' * 10**6, "nested too deeply"),
        (b"[]", r"expected a JSON object, got \[\]"),
        (b"[[[[[[[[[[[[1]]]]]]]]]]]]", "expected a JSON object, got "),
        (b'"case"', "expected a JSON object, got 'case'"),
        (b"null", "expected a JSON object, got None"),
        (b"{}", "input_size, hidden_size, batch_size, .*, bias_hh: missing"),
        (b'{"a": 1, "b": 2, "a": 1}', "'a': given twice"),
        (b'{"a": {"input": 1, "input": 1}}', "'input': given twice"),
        (b'{"\\ud800\\n": 1, "\\ud800\\n": 1}', r"'\\ud800\\n': given twice"),
    ],
)
def test_what_is_no_case_is_refused(content, reason, check):
    result = check(content)
    assert result.verdict == "UNUSABLE"
    assert re.match(reason, result.reason), result.reason


def test_limits_on_what_is_read(full, check, monkeypatch):
    text = json.dumps(full)
    assert check(text).verdict == "PASS"
    values = sum(map(text.count, ",[{"))
    monkeypatch.setattr(cases, "MAX_VALUES", values)
    assert check(text).verdict == "PASS"
    monkeypatch.setattr(cases, "MAX_VALUES", values - 1)
    assert check(text).reason.startswith("expected at most 67,108,864 bytes and ")
    monkeypatch.undo()
    monkeypatch.setattr(cases, "MAX_BYTES", len(text))
    assert check(text).verdict == "PASS"
    assert check(text + " ").reason.startswith("expected at most ")


def test_files_that_are_no_files(tmp_path):
    assert cases.check(tmp_path / "none.json").reason == "No such file or directory"
    assert cases.check(tmp_path).reason == "Is a directory"
    assert cases.check("").reason == "No such file or directory"
    assert cases.check("a\0b").reason == "embedded null byte"
    assert cases.check("a" * 5000).reason == "File name too long"
    assert str(cases.check("two\nlines\udcff")) == (
        r"'two\nlines\udcff': UNUSABLE: No such file or directory"
    )


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf"), "1e-4", True])
def test_a_tolerance_that_does_not_fit_is_named(tolerance):
    with pytest.raises((TypeError, ValueError), match="tolerance: expected a"):
        cases.check("case.json", tolerance)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"hidden_size": 0}, "hidden_size: expected a whole number"),
        ({"input_size": 2.0}, "input_size: expected a whole number"),
        ({"seq_length": 10**6}, "expected at most 1,000,000 numbers in arrays"),
        ({"seed": -1}, "seed: expected a whole number, 0 to 9,223,372,036,854,775,807, got -1"),
        ({"seed": 2**63}, "seed: expected a whole number"),
        ({"gradients": "mse"}, "gradients: expected one of"),
    ],
)
def test_what_can_not_be_generated_is_named(options, reason):
    with pytest.raises(ValueError, match=reason):
        cases.generate(**options)


@pytest.mark.slow
def test_the_largest_case_can_be_read_again(tmp_path):
    path = tmp_path / "case.json"
    cases.write(path, cases.generate(150, 350, 20, 26, gradients="sum"))  # 990,800 numbers
    # Sums of 520 rows, up to some hundreds: 1e-13 each.
    assert cases.check(path, 1e-10).verdict == "PASS"
    with pytest.raises(cases.CaseError, match="expected at most 1,000,000 numbers"):
        cases.generate(150, 350, 20, 27)


def test_a_file_is_written_whole_or_not_at_all(plain, tmp_path, monkeypatch):
    path = tmp_path / "case.json"
    cases.write(path, plain)
    first = path.read_bytes()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    with monkeypatch.context() as patch:

        def full_disk(*_):
            raise OSError(28, "No space left on device")

        patch.setattr(os, "replace", full_disk)
        with pytest.raises(cases.CaseError, match=r"case.json: No space left on device"):
            cases.write(path, plain | {"input_size": 6})
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]
    link = tmp_path / "link.json"
    link.symlink_to(path)
    cases.write(link, plain | {"extra": 1})
    assert link.is_symlink()
    assert path.read_bytes() != first
    os.mkfifo(tmp_path / "pipe")
    for unwritable in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(cases.CaseError, match="not a regular file"):
            cases.write(unwritable, plain)
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(cases.CaseError, match=r"none/case.json: No such file or directory"):
        cases.write(tmp_path / "none" / "case.json", plain)


# ---- The soak: whatever is in a file, there is a verdict on one line ----

JSON = b'[]{}",:0123456789.eE+-truefalsn \\u'


def truncated(rng, data):
    return data[: rng.randrange(len(data))]


def flipped(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 2, 10, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def rewritten(rng, data):
    """Put a few characters of JSON in the place of others."""
    start = rng.randrange(len(data))
    return data[:start] + noise(rng, data) + data[start + rng.randrange(10) :]


def noise(rng, data):
    return bytes(rng.choices(rng.choice([bytes(range(256)), JSON]), k=rng.randrange(20)))


@pytest.mark.slow
def test_soak_of_a_thousand_mutated_files(tmp_path, full, capsys):
    rng = random.Random(0)
    bases = [full, cases.generate(1, 1, 1, 1), cases.generate(2, 3, 2, 4, gradients="last")]
    bases.append({k: flatten(v) if isinstance(v, list) else v for k, v in full.items()})
    bases = [json.dumps(case).encode() for case in bases]
    paths, lines, seen = [], [], set()
    for k in range(1000):
        mutate = (truncated, flipped, rewritten, noise)[k % 4]
        path = tmp_path / f"{k}.json"
        path.write_bytes(mutate(rng, rng.choice(bases)))
        result = cases.check(path)
        assert mutate in (flipped, rewritten) or result.verdict == "UNUSABLE"
        paths.append(str(path))
        lines.append(str(result))
        assert len(lines[-1].splitlines()) == 1
        assert len(lines[-1]) < 1000
        seen.add(result.verdict)
    assert seen == {"PASS", "FAIL", "UNUSABLE"}
    assert cli.main(["case", "check", *paths]) == 2
    assert capsys.readouterr().out.splitlines() == lines


# ---- The implementation in JavaScript that chapter 9 shows ----

SCRIPT = Path(__file__).parents[2] / "chapters" / "assets" / "read_case.js"


@pytest.fixture
def javascript(tmp_path):
    """Return a function that runs the chapter's script on a case: ``(exit code, lines)``."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine: the JavaScript of chapter 9 is not run")

    def run(case):
        path = tmp_path / "case.json"
        cases.write(path, case)
        done = subprocess.run([node, SCRIPT, path], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return run


@pytest.mark.parametrize("sizes", [(5, 8, 2, 3), (1, 1, 1, 1), (3, 1, 4, 1), (2, 7, 1, 30)])
def test_javascript_agrees_with_torch(sizes, javascript):
    code, lines = javascript(cases.generate(*sizes, seed=4, gradients="sum"))
    assert (code, lines[-1]) == (0, "PASS")
    differences = [re.fullmatch(r"(\w+): largest difference (\S+)", line) for line in lines[:-1]]
    assert [found[1] for found in differences] == list(cases.EXPECTED)
    assert max(float(found[2]) for found in differences) < 1e-12


@pytest.mark.slow
def test_javascript_sees_every_number(javascript):
    full = cases.generate(2, 3, 2, 4, seed=1)
    for name in cases.ARGUMENTS + cases.EXPECTED:
        changed = np.array(full[name])
        changed.flat[-1] += 1e-2
        code, lines = javascript(full | {name: changed.tolist()})
        assert (code, lines[-1]) == (1, "FAIL"), name


def test_javascript_fails_what_is_no_number(javascript):
    full = cases.generate(1, 2, 1, 2)
    code, lines = javascript(full | {"expected_h": [["?", 0.0]]})
    assert (code, lines[-1]) == (1, "FAIL")


def test_the_chapter_shows_the_file_that_is_tested():
    chapter = (SCRIPT.parents[1] / "09_match_pytorch.ipynb").read_text(encoding="utf-8")
    assert "{literalinclude} assets/read_case.js" in chapter
    assert max(map(len, SCRIPT.read_text(encoding="utf-8").splitlines())) <= 84
