"""Both loops over time, held equal to the readable step and to each other."""

import functools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson import GRU, LSTM, RNN, LSTMState
from lstm_lesson.engine import loop
from lstm_lesson.engine.loop import ArrayLoop
from lstm_lesson.engine.plain_lstm import lstm_backward, lstm_forward, lstm_step, lstm_step_backward

ReluRNN = functools.partial(RNN, nonlinearity="relu")
COMPILED = [LSTM, GRU, RNN, ReluRNN]
sizes = [st.integers(1, most) for most in (12, 4, 5, 9)]  # T, B, D, H
ways = st.sampled_from([{}, {"reverse": True}, {"bidirectional": True}])


def random_problem(T, B, D, H, seed):
    rng = np.random.default_rng(seed)
    shapes = [(T, B, D), *[(B, H)] * 4, (T, B, H)]
    x, h, c, d_h, d_c, d_output = (rng.normal(size=shape) for shape in shapes)
    weights = [rng.normal(size=shape) for shape in [(4 * H, D), (4 * H, H), (4 * H,)]]
    return x, LSTMState(h, c), weights, d_output, LSTMState(d_h, d_c)


def by_steps(x, state, weights, d_output, d_state):
    """The same through `lstm_step`, step by step."""
    caches, output = [], []
    for x_t in x:
        state, cache = lstm_step(x_t, state, *weights)
        caches.append(cache)
        output.append(state.h)
    d_x = np.empty_like(x)
    d_weights = [np.zeros_like(w) for w in weights]
    for t in reversed(range(len(x))):
        d_state = LSTMState(d_state.h + d_output[t], d_state.c)
        grads = lstm_step_backward(d_state, caches[t], *weights[:2])
        d_x[t] = grads.x
        d_state = LSTMState(grads.h_prev, grads.c_prev)
        for total, step in zip(d_weights, grads[3:], strict=True):
            total += step
    return np.array(output), state, [d_x, *d_state, *d_weights]


def assert_close(ours, reference, tolerance=1e-12):
    for a, b in zip(ours, reference, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize("rows", [1, 7, 512])  # segments of one step, of a few, of all
@given(*sizes, st.integers(0, 2**32))
def test_a_sequence_equals_its_steps(either_loop, rows, T, B, D, H, seed):
    problem = random_problem(T, B, D, H, seed)
    x, state, weights, d_output, d_state = problem
    expected_output, expected_state, expected_grads = by_steps(*problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "ROWS", rows)
        patch.setattr(loop, "NUMBERS", 0)
        output, last, cache = lstm_forward(x, state, *weights)
        grads = lstm_backward(d_output, d_state, cache)
    assert_close([output, *last], [expected_output, *expected_state])
    assert_close([grads.x, *grads.state, *grads[2:]], expected_grads)


def everything(layer, x, lengths, seed, **options):
    """Return all that a layer computes, with gradients arriving everywhere."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=s) for s in state_shapes(layer, x)]
    arriving = [rng.normal(size=s) for s in state_shapes(layer, x)]
    pack = LSTMState._make if len(parts) == 2 else lambda parts: parts[0]
    parts, arriving = ([a.astype(x.dtype) for a in group] for group in (parts, arriving))
    output, state, cache = layer.forward(x, pack(parts), lengths, **options)
    d_output = rng.normal(size=output.shape).astype(x.dtype)
    grads = layer.backward(d_output, cache, pack(arriving))
    flat = [s if isinstance(s, tuple) else (s,) for s in (state, grads.state)]
    return [output, *flat[0], grads.x, *flat[1], *grads.params.values()]


def state_shapes(layer, x):
    ways = 2 if layer.bidirectional else 1
    return [(layer.num_layers * ways, x.shape[1], size) for size in layer._state_sizes()]


@pytest.mark.parametrize("kind", COMPILED)
@given(
    *sizes, ways, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([1, 5, 512]),
    st.integers(0),
)  # fmt: skip
def test_both_loops_are_equal(kind, T, B, D, H, way, bias, ragged, checkpoint, rows, seed):
    layer = kind(D, H, bias=bias, dtype=np.float64, rng=seed, **way)
    rng = np.random.default_rng(seed)
    for p in layer.parameters().values():
        p[...] = rng.normal(size=p.shape) / np.sqrt(H)
    x = rng.normal(size=(T, B, D))
    lengths = rng.integers(1, T + 1, B) if ragged else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "ROWS", rows)
        patch.setattr(loop, "NUMBERS", 0)
        compiled = everything(layer, x, lengths, seed, checkpoint=checkpoint)
        arrays = everything(layer, x, lengths, seed, loop=ArrayLoop)
    assert_close(compiled, arrays)


@pytest.mark.parametrize("kind", COMPILED)
def test_float32_is_as_exact_as_it_can_be(either_loop, kind):
    coarse, fine = (kind(8, 33, dtype=dtype) for dtype in (np.float32, np.float64))
    for name, p in fine.parameters().items():
        p[...] = coarse.parameters()[name]
    x = np.random.default_rng(0).normal(size=(40, 7, 8)).astype(np.float32)
    ours = everything(coarse, x, None, 0)
    # Sums of some hundred roundings of 6e-8 each, and an exponential of one more.
    assert_close(ours, everything(fine, x.astype(float), None, 0), tolerance=3e-6)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e3, -1e3, 1e30, 1e-40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", COMPILED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of inf - inf
def test_both_loops_saturate_alike(kind, dtype, value):
    layer = kind(2, 3, dtype=dtype)
    x = np.random.default_rng(0).normal(size=(5, 2, 2)).astype(dtype)
    for where in ((2, 1, 0), ...):
        x[where] = value
        compiled = everything(layer, x, None, 0)
        arrays = everything(layer, x, None, 0, loop=ArrayLoop)
        for ours, plain in zip(compiled, arrays, strict=True):
            np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(plain))
            np.testing.assert_array_equal(np.isnan(ours), np.isnan(plain))


@given(first=st.integers(1, 8), second=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_two_halves_with_the_state_carried_equal_one_pass(either_loop, first, second, seed):
    problem = random_problem(first + second, 2, 3, 4, seed)
    x, state, weights, d_output, d_state = problem
    whole, last, cache = lstm_forward(x, state, *weights)
    grads = lstm_backward(d_output, d_state, cache)
    output_1, middle, cache_1 = lstm_forward(x[:first], state, *weights)
    output_2, end, cache_2 = lstm_forward(x[first:], middle, *weights)
    grads_2 = lstm_backward(d_output[first:], d_state, cache_2)
    grads_1 = lstm_backward(d_output[:first], grads_2.state, cache_1)
    assert_close([np.concatenate([output_1, output_2]), *end], [whole, *last])
    sums = [a + b for a, b in zip(grads_1[2:], grads_2[2:], strict=True)]
    assert_close([*grads_1.state, *sums], [*grads.state, *grads[2:]])


def test_backward_twice_gives_the_same_and_changes_nothing(either_loop):
    x, state, weights, d_output, d_state = random_problem(5, 2, 3, 4, 0)
    arrays = [x, *state, *weights, d_output, *d_state]
    before = [a.copy() for a in arrays]
    _, _, cache = lstm_forward(x, state, *weights)
    first = lstm_backward(d_output, d_state, cache)
    second = lstm_backward(d_output, d_state, cache)
    for a, b in zip([first.x, *first[2:]], [second.x, *second[2:]], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


OPTIONS = [
    (LSTM, {}), (LSTM, {"peephole": True}), (LSTM, {"proj_size": 2}), (LSTM, {"bias": False}),
    (LSTM, {"num_layers": 2, "bidirectional": True}), (LSTM, {"reverse": True}), (GRU, {}),
    (GRU, {"reset_after": False}), (RNN, {}), (RNN, {"nonlinearity": "relu"}),
    (RNN, {"batch_first": True}),
]  # fmt: skip


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize(("kind", "options"), OPTIONS)
def test_nothing_is_shared_between_what_came_in_and_what_went_out(
    either_loop, kind, options, checkpoint
):
    layer, rng = kind(3, 4, dtype=np.float64, **options), np.random.default_rng(0)
    x = rng.normal(size=(4, 2, 3) if layer.batch_first else (2, 4, 3))
    output, state, _ = layer.forward(x)
    parts = state if isinstance(state, tuple) else (state,)
    start = [rng.normal(size=part.shape) for part in parts]
    given = type(state)(*start) if isinstance(state, tuple) else start[0]
    d_output = rng.normal(size=output.shape)

    def run(spoil):
        output, state, cache = layer.forward(x, given, checkpoint=checkpoint)
        outputs = [output, *(state if isinstance(state, tuple) else (state,))]
        before = [a.copy() for a in (*outputs, x, *start, *layer.parameters().values())]
        inputs = [*start, *layer.parameters().values()] + ([] if checkpoint else [x])
        for array in (*outputs, *inputs) if spoil else ():
            array[...] = 7.0
        grads = layer.backward(d_output, cache)
        returned = [*grads.params.values(), grads.x]
        returned += grads.state if isinstance(grads.state, tuple) else [grads.state]
        for array, value in zip(
            (*outputs, x, *start, *layer.parameters().values()), before, strict=True
        ):
            array[...] = value
        return returned, outputs

    for right, spoilt in zip(run(False)[0], run(True)[0], strict=True):
        np.testing.assert_array_equal(spoilt, right)
    returned, outputs = run(False)
    own = [*returned, *outputs]
    for n, a in enumerate(own):
        assert a.flags.writeable
        assert all(stride >= 0 for stride in a.strides)
        assert not any(np.shares_memory(a, b) for b in own[:n])
        assert not any(np.shares_memory(a, p) for p in layer.parameters().values())


@pytest.mark.parametrize("options", [{"nonlinearity": "relu"}, {"nonlinearity": "identity"}])
def test_what_grows_without_bound_does_not_reach_out_of_the_padding(options):
    layer = RNN(1, 1, bias=False, dtype=np.float64, **options)
    layer.parameters()["weight_ih_l0"][...] = 1
    layer.parameters()["weight_hh_l0"][...] = 2
    x = np.zeros((1200, 2, 1))
    x[0, 0] = 1
    output, state, cache = layer.forward(x, lengths=[1, 1200])
    d_output = np.zeros_like(output)
    d_output[:, 0] = 1
    grads = layer.backward(d_output, cache)
    assert grads.params["weight_hh_l0"] == 0
    assert state[0, 0] == 1
    assert all(np.all(np.isfinite(g)) for g in (*grads.params.values(), grads.x, grads.state))


PROGRAM = """
import hashlib, sys
from functools import partial
import numpy as np
from lstm_lesson import GRU, LSTM, RNN
digest = hashlib.sha256()
for dtype in (np.float32, np.float64):
    for kind in (LSTM, GRU, RNN, partial(RNN, nonlinearity="relu")):
        layer = kind(7, 33, dtype=dtype)
        x = np.random.default_rng(0).normal(size=(30, 5, 7)).astype(dtype)
        output, _, cache = layer.forward(x)
        grads = layer.backward(output, cache)
        for array in (output, grads.x, *grads.params.values()):
            digest.update(array.tobytes())
from lstm_lesson.engine import compiled
print(compiled.FOLDER is not None, digest.hexdigest())
"""


def in_other_processes(count, tmp_path, home, code=PROGRAM):
    """Run a program in processes side by side that keep compiled code in a folder of their own."""
    import os

    environment = os.environ | {"LSTM_LESSON_CACHE": str(tmp_path), "HOME": str(home)}
    command = [sys.executable, "-W", "error", "-c", code]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    texts = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * count
    return texts


@pytest.mark.slow
def test_bits_do_not_depend_on_what_was_compiled_when(tmp_path):
    pytest.importorskip("numba")
    cold = in_other_processes(2, tmp_path / "cache", tmp_path)  # both compile, both keep
    warm = in_other_processes(2, tmp_path / "cache", tmp_path)
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder can be made in a file")
    without = in_other_processes(1, nowhere / "cache", nowhere)
    assert {text.split()[0] for text in cold + warm} == {"True"}
    assert without[0].split()[0] == "False"
    assert len({text.split()[1] for text in cold + warm + without}) == 1


def test_without_numba_everything_works_and_importing_stays_light(tmp_path):
    code = """
import sys
import numpy as np
import lstm_lesson
assert not {"numba", "scipy", "torch", "matplotlib"} & set(sys.modules)
sys.modules["numba"] = None  # as if it weren't installed
output, _, cache = lstm_lesson.LSTM(3, 4).forward(np.ones((2, 1, 3), np.float32))
lstm_lesson.LSTM(3, 4)
print(type(cache.runs[0].loop).__name__, cache.runs[0].loop.__name__)
"""
    assert in_other_processes(1, tmp_path, tmp_path, code)[0].split()[1] == "ArrayLoop"
