"""Files: what is written comes back, whole or not at all, and nothing else is believed."""

import json
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

import lstm_lesson
from lstm_lesson import GRU, LSTM, RNN, Linear
from lstm_lesson.engine import files

ARRAYS = {"a": np.arange(3.0), "b": np.array([[1, -2]], np.int64), "c": np.array(2.5, np.float32)}
OPTIONS = {"name": "x", "numbers": [1, 2.5, None], "big": 2**100, "tenth": 0.1}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.safetensors"


def only_file(path):
    return os.listdir(path.parent) == [path.name]


@given(
    arrays=st.dictionaries(
        st.text(max_size=5).filter(lambda name: name != "__metadata__"),
        hnp.arrays(
            st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
            hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
        ),
        max_size=3,
    ),
    options=st.dictionaries(
        st.text(max_size=5),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        max_size=3,
    ),
)  # fmt: skip
def test_arrays_and_options_come_back(tmp_path_factory, arrays, options):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    files.save(path, arrays, options)
    back, same = files.load(path)
    assert same == options
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()


def test_views_are_written_as_they_look(path):
    a = np.arange(12.0).reshape(3, 4)
    files.save(path, {"turned": a.T, "part": a[::2, 1:], "swapped": a.astype(">f8")}, {})
    arrays, _ = files.load(path)
    np.testing.assert_array_equal(arrays["turned"], a.T)
    np.testing.assert_array_equal(arrays["part"], a[::2, 1:])
    np.testing.assert_array_equal(arrays["swapped"], a)


def test_what_is_loaded_can_be_written_into(path):
    files.save(path, ARRAYS, OPTIONS)
    arrays, _ = files.load(path)
    arrays["a"][0] = 7
    np.testing.assert_array_equal(files.load(path)[0]["a"], ARRAYS["a"])


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_part(path, monkeypatch, call, error):
    files.save(path, ARRAYS, OPTIONS)
    before = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(error)):
        files.save(path, {"a": np.zeros(1000)}, {})
    assert path.read_bytes() == before
    assert only_file(path)
    path.unlink()
    with pytest.raises(type(error)):
        files.save(path, ARRAYS, OPTIONS)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("options", [{"x": np.nan}, {"x": np.inf}, {"x": object()}])
def test_options_that_are_no_json_are_refused_before_writing(path, options):
    with pytest.raises((TypeError, ValueError)):
        files.save(path, ARRAYS, options)
    assert os.listdir(path.parent) == []


def test_a_written_file_has_the_usual_rights_and_replaces_the_old(path):
    files.save(path, ARRAYS, OPTIONS)
    files.save(path, {"a": np.zeros(2)}, {})
    assert set(files.load(path)[0]) == {"a"}
    assert only_file(path)
    plain = path.with_name("plain")
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode


def test_every_cut_and_every_flipped_byte_is_refused(path):
    files.save(path, {"a": np.arange(3.0)}, {"name": "x"})
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"file\.safetensors: "):
            files.load(path)
    arrays, options = {"a": np.arange(3.0)}, {"name": "x"}
    rng = np.random.default_rng(0)
    for position in range(len(data)):
        for flip in (1, 32, 128, int(rng.integers(1, 256))):
            changed = bytearray(data)
            changed[position] ^= flip
            path.write_bytes(changed)
            try:
                back, same = files.load(path)
            except ValueError as error:
                assert "file.safetensors: " in str(error)
            else:  # a byte without meaning, such as a space of padding
                assert same == options
                assert back.keys() == arrays.keys()
                assert back["a"].tobytes() == arrays["a"].tobytes()
    path.write_bytes(data + b"\0")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        files.load(path)


@given(st.binary(max_size=200))
def test_noise_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "noise"
    for content in (data, struct.pack("<Q", len(data)) + data, struct.pack("<Q", 2) + b"{}" + data):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="noise: "):
            files.load(path)


class Trap:
    def __reduce__(self):
        return (os.mkdir, (os.environ["TRAP"],))


def header(entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable safetensors file"),
        (b"\xff" * 8, "not a readable safetensors file"),
        (b"\0" * 1000, "not a readable safetensors file"),
        (header({"a": {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 4]}}), "not a read"),
        (header({"a": {"dtype": "F32", "shape": [2**63, 2], "data_offsets": [0, 0]}}), "not a re"),
        (header({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), "not a readable"),
        (header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}), "not a readable"),
        (header({"a": {"dtype": "X1", "shape": [0], "data_offsets": [0, 0]}}), "not a readable"),
        (
            header({"a": {"dtype": "F8_E5M2", "shape": [1], "data_offsets": [0, 1]}}) + b"0",
            "not a read|has no 'lstm_lesson'",  # where ml_dtypes is, which Keras brings
        ),
        (
            header({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}) + b"00",
            "not a read|has no 'lstm_lesson'",
        ),
        (header({"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}) + b"0", "not a read"),
        (header({"__metadata__": {"lstm_lesson": {}}}), "not a readable safetensors file"),
        (header({"__metadata__": {}}), "has no 'lstm_lesson' entry"),
        (header({}), "has no 'lstm_lesson' entry"),
        (header({"__metadata__": {"lstm_lesson": "{}"}}), "its digest differs"),
        (struct.pack("<Q", 20_000) + b"[" * 20_000, "not a readable safetensors file"),
    ],
)
def test_a_hostile_file_is_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"file\.safetensors: .*{message}"):
        files.load(path)


def test_a_pickle_is_never_run(path, monkeypatch):
    monkeypatch.setenv("TRAP", str(path.with_name("sprung")))
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        files.load(path)
    assert only_file(path)


def test_a_safetensors_file_of_others_is_refused(path):
    save_file(ARRAYS, path, {"format": "pt"})
    with pytest.raises(ValueError, match="not written by this package"):
        files.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ("[" * 100_000, "is no JSON"),
        ('{"a":' * 100_000, "is no JSON"),
        ('{"a": ' + "9" * 5000 + "}", "is no JSON"),
        ("[1]", "is no JSON object"),
        ("null", "is no JSON object"),
        ('"\\ud800"', "is no JSON object"),
    ],
)
def test_options_of_a_hostile_file_are_refused(path, text, message):
    # The digest is right, so that nothing but the text itself is wrong.
    save_file(ARRAYS, path, {files.KEY: text, files.DIGEST: files._digest(ARRAYS, text)})
    with pytest.raises(ValueError, match=rf"file\.safetensors: .*{message}"):
        files.load(path)


def test_no_file_and_no_folder_is_loaded(path):
    with pytest.raises(FileNotFoundError, match=r"file\.safetensors: no such file"):
        files.load(path)
    path.mkdir()
    with pytest.raises(ValueError, match=r"file\.safetensors: not a file"):
        files.load(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(2)}, r"expected arrays \['a', 'b'\], differ in \['b'\]"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, r"b: expected shape \(1,\) of float32, got \(3,\)"),
        ({"a": np.zeros(2), "b": np.zeros(1)}, r"b: .* of float32, got \(1,\) of float64"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arrays, message):
    shapes = {"a": (2,), "b": (1,)}
    with pytest.raises(ValueError, match=f"file: {message}"):
        files.check_arrays("file", arrays, shapes, {"a": np.float64, "b": np.float32})


LAYERS = [
    LSTM(3, 4),
    LSTM(3, 4, 2, bidirectional=True, dropout=0.5, proj_size=2, dtype=np.float64, rng=1),
    LSTM(3, 4, bias=False, batch_first=True, reverse=True, clip=1.5, cell_clip=0.5),
    LSTM(3, 4, couple_input_forget=True, remove_gates="o", gate_activation="hard_sigmoid"),
    GRU(3, 4, 2, bidirectional=True, rng=2),
    GRU(3, 4, bias=False, dtype=np.float64),
    RNN(3, 4, 2, nonlinearity="relu", dropout=0.1),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_comes_back_with_options_weights_and_outputs(path, layer):
    for name, p in layer.parameters().items():
        if not name.startswith("weight"):
            p[...] = np.random.default_rng(0).normal(size=p.shape)
    layer.save(path)
    back = type(layer).load(path)
    assert repr(back) == repr(layer)
    assert back.options == layer.options
    assert list(back.parameters()) == list(layer.parameters())
    for name, p in layer.parameters().items():
        assert back.parameters()[name].dtype == p.dtype
        np.testing.assert_array_equal(back.parameters()[name], p)
    x = np.random.default_rng(1).normal(size=(5, 2, 3)).astype(layer.dtype)
    np.testing.assert_array_equal(back.forward(x)[0], layer.forward(x)[0])
    back.parameters()["weight_ih_l0"][...] = 0  # its own memory, and writable
    assert not np.any(back.parameters()["weight_ih_l0"])
    for other in {LSTM, GRU, RNN} - {type(layer)}:
        with pytest.raises(ValueError, match=f"expected a saved {other.__name__}, got"):
            other.load(path)


def test_a_head_comes_back(path):
    head = Linear(3, 2, dtype=np.float64, rng=5)
    head.save(path)
    back = Linear.load(path)
    assert repr(back) == repr(head) == "Linear(3, 2, dtype=float64): 8 parameters"
    for name, p in head.parameters().items():
        np.testing.assert_array_equal(back.parameters()[name], p)
    with pytest.raises(ValueError, match="expected a saved GRU, got 'Linear'"):
        GRU.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"input_size": 4}, {"input_size": -1}, {"input_size": 3.0}, {"input_size": None},
        {"hidden_size": 10**30}, {"hidden_size": "4"}, {"num_layers": 0}, {"num_layers": 2},
        {"bias": 1}, {"bias": False}, {"dropout": 10**400}, {"dropout": 2}, {"dropout": "x"},
        {"cell_clip": [1]}, {"remove_gates": 5}, {"remove_gates": ["g"]}, {"remove_gates": [[]]},
        {"gate_activation": {}}, {"gate_activation": "sin"}, {"dtype": "int64"}, {"dtype": None},
        {"dtype": "float64"}, {"dtype": "f4,f4"}, {"dtype": ["x"]}, {"dtype": {}}, {"dtype": "O"},
        {"dtype": 5}, {"dtype": "(("}, {"layer": None}, {"layer": ["LSTM"]}, {"more": 1},
        {"dtype": {"names": ["a"]}}, {"dtype": [["a"]]}, {"dtype": "(2**9,)f4"}, {"dtype": "a"},
        {"num_layers": 10**9}, {"num_layers": 10**30}, {"hidden_size": 10**9},
    ],
    ids=repr,
)  # fmt: skip
def test_a_layer_with_wrong_options_is_refused(path, change):
    layer = LSTM(3, 4)
    options = {"layer": "LSTM", **layer._options()} | change
    files.save(path, layer.parameters(), options)
    with pytest.raises(ValueError, match=r"file\.safetensors: "):
        LSTM.load(path)


@pytest.mark.parametrize("name", ["layer", "dtype", *LSTM.SIZES])
def test_a_layer_without_its_kind_or_a_size_is_refused(path, name):
    layer = LSTM(3, 4)
    options = {"layer": "LSTM", **layer._options()}
    del options[name]
    files.save(path, layer.parameters(), options)
    with pytest.raises(ValueError, match=r"file\.safetensors: "):
        LSTM.load(path)


# ---- Releases ----


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_an_option_that_a_file_has_not_gets_its_default(path, kind):
    """As it is for every option that a later release adds."""
    layer = kind(3, 4)
    for name in layer._options().keys() - {*kind.SIZES, "dtype"}:
        options = {"layer": kind.__name__, **layer._options()}
        del options[name]
        files.save(path, layer.parameters(), options)
        assert repr(kind.load(path)) == repr(layer)


def first_edition(path, arrays, options):
    """Write a file as the first edition did: without a format."""
    text = json.dumps(options, sort_keys=True)
    save_file(arrays, path, {files.KEY: text, files.DIGEST: files._digest(arrays, text)})


def test_a_file_of_the_first_edition_still_loads(path):
    for layer in LAYERS:
        first_edition(path, layer.parameters(),
                      {"layer": type(layer).__name__, **layer._options()})  # fmt: skip
        assert files.read(path).format == 0
        back = type(layer).load(path)
        for name, p in layer.parameters().items():
            np.testing.assert_array_equal(back.parameters()[name], p)


def test_the_first_editions_cell_clip_is_clip(path):
    first_edition(path, ARRAYS, {"size": 3, "cell_clip": 1.5})
    defaults = {"clip": None, "cell_clip": None}
    expected = {"size": 3, "clip": 1.5, "cell_clip": None}
    assert files.complete(files.read(path), ["size"], defaults) == expected
    files.save(path, ARRAYS, {"size": 3, "cell_clip": 1.5})
    expected = {"size": 3, "clip": None, "cell_clip": 1.5}
    assert files.complete(files.read(path), ["size"], defaults) == expected


def test_a_file_says_its_format_and_release(path):
    files.save(path, ARRAYS, OPTIONS)
    kept = files.read(path)
    assert (kept.format, kept.release) == (files.FORMAT, lstm_lesson.__version__)


def test_a_file_of_a_later_release_is_refused_by_its_name(path, monkeypatch):
    files.save(path, ARRAYS, OPTIONS | {"new": 1})
    with pytest.raises(ValueError, match=r"written by lstm_lesson \S+, has .* know: \['new'\]"):
        files.complete(files.read(path), [*OPTIONS], {})
    monkeypatch.setattr(files, "FORMAT", 7)
    monkeypatch.setattr(lstm_lesson, "__version__", "3.2")
    files.save(path, ARRAYS, OPTIONS)
    monkeypatch.setattr(files, "FORMAT", 1)
    with pytest.raises(ValueError, match=r"by lstm_lesson 3\.2 in format 7, .*install .* 3\.2 or"):
        files.load(path)


@pytest.mark.parametrize(
    "about", ["", "{", "[]", "null", "{}", '{"format": "1"}', '{"format": -1}', '{"format": true}']
)
def test_a_hostile_format_is_refused(path, about):
    digest = files._digest(ARRAYS, "{}" + about)
    save_file(ARRAYS, path, {files.KEY: "{}", files.ABOUT: about, files.DIGEST: digest})
    with pytest.raises(ValueError, match=r"file\.safetensors: its "):
        files.load(path)


# ---- Names ----


def test_a_name_as_long_as_may_be_is_written(path):
    long = path.with_name("x" * 250)
    files.save(long, ARRAYS, OPTIONS)
    assert files.load(long)[1] == OPTIONS
    assert only_file(long)


@pytest.mark.parametrize("name", ["none/file", "here/file", "x" * 300])
def test_an_error_names_the_folder_or_the_file_and_no_part(path, name):
    path.with_name("here").write_text("")
    with pytest.raises(OSError) as error:
        files.save(path.parent / name, ARRAYS, OPTIONS)
    assert name in str(error.value)
    assert ".part" not in str(error.value)
    if "/" in name:
        assert f"there is no folder {path.parent / name.split('/')[0]}" in str(error.value)
    assert os.listdir(path.parent) == ["here"]


def test_bytes_are_written_whole_and_nothing_but_a_file_is_replaced(tmp_path):
    path, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    files.write_whole(path, b"first")
    path.chmod(0o640)
    link.symlink_to(path)
    files.write_whole(link, b"second")
    assert path.read_bytes() == b"second"
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
    for place in (tmp_path, "/dev/stdout", "/dev/null"):
        with pytest.raises(OSError, match="not a regular file"):
            files.write_whole(place, b"third")
    assert sorted(os.listdir(tmp_path)) == ["link.csv", "rows.csv"]
