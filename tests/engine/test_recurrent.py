"""Every combination of options, against PyTorch and against a second implementation."""

import inspect
import pickle
import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import forward as reference_forward

from lstm_lesson import GRU, LSTM, RNN, gradcheck, interop, trace
from lstm_lesson.engine import layers, loop
from lstm_lesson.engine import lstm_options as cell_with_options
from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.engine.arguments import check_number
from lstm_lesson.engine.layer import option
from lstm_lesson.experiments.gate_recurrence import GateRecurrentLSTM

# An outlier of every digit is met with a bound; 1e-10 of the largest entry leaves room for sums
# of a few hundred roundings through unbounded activations.
TOLERANCE = 1e-10

shared = {
    "num_layers": st.integers(1, 3),
    "bias": st.booleans(),
    "batch_first": st.booleans(),
    "bidirectional": st.booleans(),
}
torch_options = st.one_of(
    st.tuples(st.just(LSTM), st.fixed_dictionaries(shared | {"proj_size": st.integers(0, 2)})),
    st.tuples(st.just(GRU), st.fixed_dictionaries(shared)),
    st.tuples(
        st.just(RNN),
        st.fixed_dictionaries(shared | {"nonlinearity": st.sampled_from(["tanh", "relu"])}),
    ),
)
WITH_NUMBERS = [
    "affine(0.7, 0.1)", "elu(0.4)", "elu(0.0)", "hard_sigmoid(0.3, 0.4)", "leaky_relu(0.1)",
    "leaky_relu(0.0)", "scaled_tanh(1.7, 0.67)", "thresholded_relu(0.3)",
]  # fmt: skip
names = st.sampled_from([*sorted(ACTIVATIONS), *WITH_NUMBERS])
bounds = st.one_of(st.none(), st.floats(0.1, 2))
lstm_options = st.fixed_dictionaries(
    {"num_layers": st.integers(1, 2)}
    | {"bias": st.booleans(), "batch_first": st.booleans()}
    | {"proj_size": st.integers(0, 2), "peephole": st.booleans()}
    | {"clip": bounds, "cell_clip": bounds}
    | {"gate_activation": names, "cell_activation": names, "hidden_activation": names},
)
ways = st.sampled_from([{}, {"reverse": True}, {"bidirectional": True}])
gates = st.one_of(
    st.just({"couple_input_forget": True}),
    st.lists(st.sampled_from("ifo"), unique=True).map(lambda g: {"remove_gates": tuple(g)}),
)


def build(kind, options, D, H, seed):
    layer = kind(D, H, dtype=np.float64, rng=seed, **options)
    rng = np.random.default_rng(seed)
    # Products of unbounded gates grow without limit, and their rounding errors with them.
    bounded = ("sigmoid", "hard_sigmoid", "tanh", "softsign")
    unbounded = not options.get("gate_activation", "sigmoid").startswith(bounded)
    for p in layer.parameters().values():
        p[...] = rng.uniform(-1, 1, p.shape) * (0.1 if unbounded else 1 / np.sqrt(H))
    return layer, rng


def draw_input(layer, T, B, rng):
    lead = (B, T) if layer.batch_first else (T, B)
    return rng.normal(size=(*lead, layer.input_size))


@pytest.mark.slow
@settings(max_examples=300)
@given(torch_options, *[st.integers(1, n) for n in (7, 4, 4, 5)], st.booleans(), st.integers(0))
def test_parity_with_torch(either_loop, kind_options, T, B, D, H, ragged, seed):
    kind, options = kind_options
    H = max(H, options.get("proj_size", 0) + 1)
    layer, rng = build(kind, options, D, H, seed)
    x = draw_input(layer, T, B, rng)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    output, state, cache = layer.forward(x, lengths=lengths)
    parts = state if isinstance(state, tuple) else (state,)
    start = [rng.normal(size=part.shape) for part in parts]
    d_last = [rng.normal(size=part.shape) for part in parts]
    start, d_last = (type(state)(*a) if len(parts) == 2 else a[0] for a in (start, d_last))
    d_output = rng.normal(size=output.shape)
    _, _, cache = layer.forward(x, start, lengths)
    grads = layer.backward(d_output, cache, d_last)
    expected = gradcheck._autograd(layer, x, start, lengths, d_output, d_last)
    d_start = grads.state if isinstance(grads.state, tuple) else (grads.state,)
    ours = {"x": grads.x, **dict(zip(("h_0", "c_0"), d_start, strict=False)), **grads.params}
    assert set(ours) == set(expected)
    for name, theirs in expected.items():
        assert gradcheck.relative_error(ours[name], theirs) <= TOLERANCE, name


def compare_with_reference(layer, x, lengths, rng):
    output, state, _ = layer.forward(x, lengths=lengths)
    parts = state if isinstance(state, tuple) else (state,)
    start, d_last = ([rng.normal(size=part.shape) for part in parts] for _ in range(2))
    d_output = rng.normal(size=output.shape)

    params = {n: torch.tensor(p, requires_grad=True) for n, p in layer.parameters().items()}
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *start)]
    x_time_first = tensors[0].transpose(0, 1) if layer.batch_first else tensors[0]
    T, B = x_time_first.shape[:2]
    everything = np.full(B, T) if lengths is None else lengths
    expected, last = reference_forward(layer, params, x_time_first, tensors[1:], everything)
    expected = expected.transpose(0, 1) if layer.batch_first else expected
    arriving = [torch.tensor(a) for a in (d_output, *d_last)]
    torch.autograd.backward([expected, *last], arriving)

    kind = type(state)

    def pack(a):
        return kind(*a) if issubclass(kind, tuple) else a[0]

    results = []
    for checkpoint in (False, True):
        output, state, cache = layer.forward(x, pack(start), lengths, checkpoint=checkpoint)
        grads = layer.backward(d_output, cache, pack(d_last))
        state, d_start = (s if isinstance(s, tuple) else (s,) for s in (state, grads.state))
        results.append([output, *state, grads.x, *d_start, *grads.params.values()])
    references = [expected, *last, *(t.grad for t in tensors), *(p.grad for p in params.values())]
    for ours, again, theirs in zip(*results, references, strict=True):
        # A tensor that nothing depends on has no gradient in torch, and zeros here.
        theirs = np.zeros_like(ours) if theirs is None else theirs.detach().numpy()
        for result in (ours, again):
            difference = np.abs(result - theirs).max()
            assert difference <= TOLERANCE * max(np.abs(theirs).max(), 1e-300), difference


@pytest.mark.slow
@settings(max_examples=300)
@given(
    lstm_options, ways, gates, *[st.integers(1, n) for n in (6, 3, 3, 4)], st.booleans(),
    st.integers(0), st.sampled_from([1, 5, 512]),
)  # fmt: skip
def test_lstm_options_equal_a_second_implementation(
    options, way, gate, T, B, D, H, ragged, seed, rows
):
    H = max(H, options["proj_size"] + 1)
    layer, rng = build(LSTM, options | way | gate, D, H, seed)
    x = draw_input(layer, T, B, rng)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "ROWS", rows)
        patch.setattr(loop, "NUMBERS", 0)
        compare_with_reference(layer, x, lengths, rng)


plain = st.one_of(
    st.tuples(st.just(LSTM), st.just({})),
    st.tuples(
        st.just(GRU),
        st.fixed_dictionaries(
            {"reset_after": st.booleans(), "clip": bounds}
            | {"gate_activation": names, "cell_activation": names}
        ),
    ),
    st.tuples(st.just(GRU), st.fixed_dictionaries({"reset_after": st.booleans()})),
    st.tuples(st.just(RNN), st.fixed_dictionaries({"nonlinearity": names, "clip": bounds})),
)


@given(plain, ways, st.booleans(), *[st.integers(1, n) for n in (6, 3, 3, 4)], st.integers(0))
def test_plain_layers_equal_a_second_implementation(
    either_loop, kind_options, way, bias, T, B, D, H, seed
):
    kind, options = kind_options
    layer, rng = build(kind, {"bias": bias, "num_layers": 2} | options | way, D, H, seed)
    x = draw_input(layer, T, B, rng)
    compare_with_reference(layer, x, rng.integers(1, T + 1, B), rng)


@given(st.integers(1, 2), *[st.integers(1, n) for n in (6, 3, 3, 4)], st.integers(0))
def test_full_gate_recurrence_equals_a_second_implementation(layers, T, B, D, H, seed):
    layer, rng = build(GateRecurrentLSTM, {"num_layers": layers}, D, H, seed)
    x = draw_input(layer, T, B, rng)
    compare_with_reference(layer, x, rng.integers(1, T + 1, B), rng)


def test_full_gate_recurrence_is_for_this_package_alone():
    layer = GateRecurrentLSTM(2, 3)
    for convert in (interop.to_torch, interop.to_onnx, interop.to_keras, trace_of_zeros):
        with pytest.raises(TypeError, match=r"expected an.*got GateRecurrentLSTM"):
            convert(layer)
    with pytest.raises(TypeError, match=r"expected GateRecurrentState\(h, c, gates\)"):
        layer.forward(np.zeros((1, 1, 2), np.float32), (np.zeros((1, 1, 3), np.float32),) * 2)


def trace_of_zeros(layer):
    return trace(layer, np.zeros((1, 1, 2), np.float32))


def test_full_gate_recurrence_starts_as_the_plain_lstm():
    plain, rng = LSTM(2, 5, dtype=np.float64, rng=3), np.random.default_rng(0)
    layer, x = GateRecurrentLSTM(2, 5, dtype=np.float64, rng=3), rng.normal(size=(7, 4, 2))
    np.testing.assert_allclose(layer.forward(x)[0], plain.forward(x)[0], rtol=1e-13)
    assert layer.num_parameters == plain.num_parameters + (3 * 5) ** 2
    layer.parameters()["weight_gg_l0"][...] = rng.normal(size=(15, 15))
    assert np.abs(layer.forward(x)[0] - plain.forward(x)[0]).max() > 0.1


@pytest.mark.parametrize(
    ("kind", "options"),
    [(k, {"num_layers": 2, "bidirectional": True}) for k in (RNN, GRU, LSTM)]
    + [(GateRecurrentLSTM, {"num_layers": 2}), (GRU, {"reset_after": False})]
    + [(LSTM, {"clip": 0.6, "cell_clip": 0.3, "peephole": True, "proj_size": 2})],
)
def test_central_differences_agree(either_loop, kind, options):
    layer, rng = build(kind, options, 2, 3, 0)
    known = kind is not GateRecurrentLSTM and not {"reset_after", "clip"} & set(options)
    x = rng.normal(size=(4, 3, 2))
    table = gradcheck.check(layer, x, lengths=[4, 1, 3], autograd=known)
    assert table.passed
    assert len(table.rows) == 1 + len(layer.parameters()) + len(layer._state_sizes())


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_a_sequence_without_steps_gives_zeros_and_takes_no_gradient(either_loop, kind):
    for way in ({}, {"reverse": True}, {"bidirectional": True}):
        layer, rng = build(kind, {"num_layers": 2} | way, 2, 3, 0)
        x = rng.normal(size=(4, 3, 2))
        start = layer.forward(x)[1]
        output, state, cache = layer.forward(x, start, [4, 0, 2])
        grads = layer.backward(np.ones_like(output), cache, start)
        alone = [4, 2]
        others = layer.forward(x[:, ::2], pick(start, [0, 2]), alone)
        expected = layer.backward(np.ones_like(others[0]), others[2], pick(start, [0, 2]))
        for name, p in expected.params.items():
            np.testing.assert_allclose(grads.params[name], p, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(output[:, ::2], others[0], rtol=1e-12)
        empty = [output[:, 1], grads.x[:, 1], *pick((state, grads.state), 1)]
        assert not any(np.any(each) for each in empty)
        assert all(np.any(each) for each in pick((state, grads.state), 0))


def pick(state, sequences):
    if isinstance(state, tuple):
        return tuple(pick(part, sequences) for part in state)
    return state[:, sequences]


@given(st.integers(0), st.sampled_from([RNN, GRU, LSTM]), ways)
def test_padding_changes_nothing_whatever_it_holds(either_loop, seed, kind, way):
    layer, rng = build(kind, {"num_layers": 2} | way, 2, 3, seed)
    x = rng.normal(size=(5, 3, 2))
    lengths = [5, 2, 1]
    d_output = rng.normal(size=layer.forward(x)[0].shape)
    results = []
    for padding in (0.0, np.nan, np.inf):
        for b, length in enumerate(lengths):
            x[length:, b] = padding
            d_output[length:, b] = padding
        output, state, cache = layer.forward(x, lengths=lengths)
        grads = layer.backward(d_output, cache)
        parts = state if isinstance(state, tuple) else (state,)
        results.append([output, *parts, grads.x, *grads.params.values()])
    for first, *others in zip(*results, strict=True):
        assert np.all(np.isfinite(first))
        for other in others:
            np.testing.assert_array_equal(other, first)
    for b, length in enumerate(lengths):
        assert not np.any(results[0][0][length:, b])
    alone, _, _ = layer.forward(x[:2, 1:2])
    np.testing.assert_allclose(results[0][0][:2, 1:2], alone, rtol=0, atol=1e-14)


@given(st.integers(0), st.sampled_from([RNN, GRU, LSTM]), ways, st.sampled_from([1, 512]))
def test_keeping_nothing_changes_no_output(either_loop, seed, kind, way, rows):
    layer, rng = build(kind, {"num_layers": 2} | way, 2, 3, seed)
    x = rng.normal(size=(5, 3, 2))
    for lengths in (None, [5, 2, 1]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "ROWS", rows)
            patch.setattr(loop, "NUMBERS", 0)
            output, state, _ = layer.forward(x, lengths=lengths)
            same, same_state, cache = layer.forward(x, lengths=lengths, keep=False)
        np.testing.assert_array_equal(same, output)
        np.testing.assert_array_equal(same_state, state)
        assert cache is None
        with pytest.raises(TypeError, match=r"cache: expected what forward with keep .*NoneType"):
            layer.backward(output, cache)


def test_reversing_twice_is_the_identity():
    x = np.random.default_rng(0).normal(size=(6, 2, 3))
    forwards, backwards = (LSTM(3, 4, dtype=np.float64, reverse=r) for r in (False, True))
    output, state, _ = forwards.forward(x)
    turned, same, _ = backwards.forward(x[::-1])
    np.testing.assert_array_equal(turned[::-1], output)
    np.testing.assert_array_equal(same.h, state.h)


def test_dropout_drops_between_layers_only_when_given_a_generator():
    layer = LSTM(3, 50, 2, dropout=0.5, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(20, 8, 3))
    still, _, _ = layer.forward(x)
    np.testing.assert_array_equal(layer.forward(x)[0], still)
    output, _, cache = layer.forward(x, rng=1)
    (mask,) = cache.masks
    assert set(np.unique(mask)) == {0.0, 2.0}
    assert mask.mean() == pytest.approx(1, abs=0.05)  # 8,000 draws: a deviation of 0.011
    np.testing.assert_array_equal(layer.forward(x, rng=1)[0], output)
    assert np.any(layer.forward(x, rng=2)[0] != output)
    # The gradient passes where the mask let the value pass.
    d_output = np.ones_like(output)
    d_x = layer.backward(d_output, cache).x
    step = 1e-6
    x[3, 2, 1] += step
    above = layer.forward(x, rng=1)[0].sum()
    x[3, 2, 1] -= 2 * step
    below = layer.forward(x, rng=1)[0].sum()
    assert d_x[3, 2, 1] == pytest.approx((above - below) / (2 * step), rel=1e-6)


def test_dropping_everything_leaves_zeros_and_no_warning():
    layer = RNN(3, 4, 2, dropout=1.0)
    _, _, cache = layer.forward(np.ones((2, 1, 3), np.float32), rng=0)
    assert not np.any(cache.masks[0])


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_checkpointing_keeps_about_the_square_root(kind):
    T, H = 4096, 8
    layer = kind(2, H, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(T, 1, 2))
    run = layer.forward(x, checkpoint=True)[2].runs[0]
    parts = 2 if kind is LSTM else 1
    assert len(run.segments) <= np.sqrt(T)
    assert all(segment.x is None and segment.kept is None for segment in run.segments)
    arrays = [a for segment in run.segments for a in segment.state]
    # Views would keep what they are views of.
    kept = sum(a.nbytes if a.base is None else a.base.nbytes for a in arrays)
    assert kept <= parts * np.sqrt(T) * H * 8


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        (LSTM, {"num_layers": 0}, ValueError, "num_layers: expected at least 1, got 0"),
        (LSTM, {"bidirectional": True, "reverse": True}, ValueError, "runs both ways already"),
        (LSTM, {"dropout": 0.5}, ValueError, "dropout: acts between layers"),
        (LSTM, {"dropout": 1.5, "num_layers": 2}, ValueError, "dropout: .* from 0 to 1, got 1.5"),
        (LSTM, {"proj_size": 4}, ValueError, "proj_size: expected less than hidden_size 4"),
        (LSTM, {"cell_clip": -1}, ValueError, "cell_clip: expected a finite number from 0"),
        (LSTM, {"cell_clip": "1"}, TypeError, "cell_clip: expected a number, got '1'"),
        (LSTM, {"clip": -1}, ValueError, "clip: expected a finite number from 0"),
        (LSTM, {"remove_gates": ("f", "f")}, ValueError, "remove_gates: expected each gate once"),
        (
            LSTM,
            {"peepholes": True},
            TypeError,
            r"LSTM: expected options of .*clip.*, got \['peepholes'\]",
        ),
        (GRU, {"reset_after": 1}, TypeError, "reset_after: expected True or False, got 1"),
        (LSTM, {"remove_gates": ("g",)}, ValueError, "remove_gates: expected one of"),
        (
            LSTM,
            {"remove_gates": ("f",), "couple_input_forget": True},
            ValueError,
            "removed and coupled at once",
        ),
        (LSTM, {"gate_activation": "swish"}, ValueError, "gate_activation: expected one of"),
        (LSTM, {"forget_bias": np.nan}, ValueError, "forget_bias: expected a finite number"),
        (RNN, {"nonlinearity": "sin"}, ValueError, "nonlinearity: expected one of"),
        (GRU, {"dtype": int}, TypeError, "dtype: expected float32 or float64, got int"),
        (GRU, {"dtype": "a"}, TypeError, "dtype: expected float32 or float64, got a"),
        (GRU, {"dropout": 2**70}, ValueError, "dropout: expected a finite number from 0 to 1"),
        (GRU, {"weight_init": lambda s, r, d: np.zeros(3, d)}, ValueError, "weight_ih_l0 as drawn"),
        (GRU, {"recurrent_init": lambda s, r, d: None}, TypeError, "of weight_hh_l0 as drawn"),
        (LSTM, {"remove_gates": ["if"]}, ValueError, "remove_gates: expected one of"),
        (LSTM, {"remove_gates": [""]}, ValueError, "remove_gates: expected one of"),
        (LSTM, {"remove_gates": None}, TypeError, "remove_gates: expected letters of 'ifo'"),
        (LSTM, {"clip": np.float32(np.inf)}, ValueError, "clip: expected a finite number from 0"),
    ],
)
def test_options_that_do_not_fit_are_named(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind(3, 4, **options)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([5, -1], ValueError, "lengths: expected 0 to 5, got -1 to 5"),
        ([5, 6], ValueError, "lengths: expected 0 to 5, got 5 to 6"),
        ([5], ValueError, r"lengths: expected shape \(2,\), one a sequence, got \(1,\)"),
        ([5.0, 2.0], TypeError, "lengths: expected whole numbers, got float64"),
        ([[5], [2, 1]], TypeError, "lengths: expected whole numbers, got"),
    ],
)
def test_lengths_that_do_not_fit_are_named(lengths, error, message):
    with pytest.raises(error, match=message):
        GRU(3, 4).forward(np.zeros((5, 2, 3), np.float32), lengths=lengths)


def test_a_state_of_the_wrong_layer_is_named():
    x = np.zeros((5, 2, 3), np.float32)
    with pytest.raises(ValueError, match=r"state: expected shape \(4, 2, 4\), got \(1, 2, 4\)"):
        GRU(3, 4, 2, bidirectional=True).forward(x, np.zeros((1, 2, 4), np.float32))
    with pytest.raises(ValueError, match=r"state.h: expected shape \(1, 2, 2\)"):
        layer = LSTM(3, 4, proj_size=2)
        layer.forward(x, (np.zeros((1, 2, 4), np.float32),) * 2)


def test_reprs_say_what_is_not_default():
    assert repr(GRU(2, 3, 2, bidirectional=True)) == (
        "GRU(2, 3, num_layers=2, bidirectional=True, dtype=float32): 300 parameters"
    )
    assert "peephole=True, remove_gates=('o',)" in repr(LSTM(2, 3, peephole=True, remove_gates="o"))


def test_options_may_be_scalars_of_numpy():
    layer = LSTM(
        np.int64(3), np.uint8(4), clip=np.float32(0.5), bias=np.False_, remove_gates=np.array(["o"])
    )
    assert layer.options == LSTM(3, 4, clip=0.5, bias=False, remove_gates=("o",)).options
    assert {type(layer.clip), type(layer.hidden_size), type(layer.bias)} == {float, int, bool}


def test_unused_forget_gate_has_no_gradient():
    layer, rng = build(LSTM, {"couple_input_forget": True}, 2, 3, 0)
    output, _, cache = layer.forward(rng.normal(size=(4, 2, 2)))
    grads = layer.backward(np.ones_like(output), cache)
    assert not np.any(grads.params["weight_ih_l0"][3:6])
    assert np.any(grads.params["weight_ih_l0"][:3])


def test_options_are_attributes_that_nothing_can_change():
    layer = LSTM(3, 4, gate_activation="hard_sigmoid")
    assert (layer.gate_activation, layer.bidirectional) == ("hard_sigmoid", False)
    for name in ("gate_activation", "bidirectional", "hidden_size", "dtype"):
        with pytest.raises(AttributeError, match=f"{name}: the options of a layer are fixed"):
            setattr(layer, name, getattr(layer, name))
    with pytest.raises(AttributeError, match="'LSTM' object has no attribute 'nonlinearity'"):
        _ = layer.nonlinearity
    assert {"gate_activation", "hidden_size"} <= {*dir(layer)}  # what an editor completes


def test_an_option_is_one_line_in_one_place():
    @dataclass(frozen=True, kw_only=True)
    class More(layers.LSTMOptions):
        hold: float = option(0.0, check_number, "share of the cell state that is held")

    class Held(LSTM):
        """A layer.

        OPTIONS
        """

        OPTIONS = More

    layer = Held(2, 3, hold=0.5, peephole=True)
    assert layer.hold == 0.5
    assert "hold=0.5" in repr(layer)
    assert inspect.signature(Held).parameters["hold"].default == 0.0
    assert "hold : share of the cell state that is held" in Held.__doc__
    with pytest.raises(TypeError, match="hold: expected a number"):
        Held(2, 3, hold="1")
    # In the source, an option of the LSTM stands where it is declared and where it acts.
    for module, most in ((layers, 1), (cell_with_options, 3)):
        source = Path(module.__file__).read_text(encoding="utf-8")
        assert 1 <= len(re.findall(r"\bcell_clip\b", source)) <= most


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_a_cache_of_another_layer_is_refused(kind):
    x = np.zeros((3, 2, 4), np.float32)
    one, other = kind(4, 4), kind(4, 4)
    output, _, cache = other.forward(x)
    with pytest.raises(ValueError, match="cache: expected what forward of this layer returned"):
        one.backward(output, cache)
    copied, cache = pickle.loads(pickle.dumps((other, cache)))
    copied.backward(output, cache)
    deepcopy(other).backward(output, cache)
