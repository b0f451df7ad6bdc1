"""Optimisers, clipping and schedules: against torch, step by step, and formulas."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson.training.optim import (
    SGD,
    Adam,
    CosineSchedule,
    PlateauSchedule,
    clip_by_norm,
    clip_by_value,
)

# The same few operations in another order, 50 times over; the numbers are about 1.
TOLERANCE = 1e-12
SHAPES = {"weight": (4, 3), "bias": (4,), "scale": ()}


def draw(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()}


def assert_close(ours, theirs):
    for name, array in ours.items():
        np.testing.assert_allclose(array, theirs[name].detach(), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (SGD(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
        (
            Adam(0.01, betas=(0.5, 0.6), eps=1e-2),
            lambda p: torch.optim.Adam(p, 0.01, betas=(0.5, 0.6), eps=1e-2),
        ),
        (Adam(0.01, weight_decay=0.3), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.3)),
    ],
)
def test_50_steps_equal_torch(ours, theirs):
    params = draw(0)
    copies = {name: torch.tensor(p) for name, p in params.items()}
    theirs = theirs(copies.values())
    for step in range(50):
        grads = draw(step + 1)
        ours.lr = theirs.param_groups[0]["lr"] = 0.1 / (1 + step)  # as a schedule would
        ours.step(params, grads)
        for name, p in copies.items():
            p.grad = torch.tensor(grads[name])
        theirs.step()
        assert_close(params, copies)


def test_decoupled_decay_of_gradient_descent_follows_its_formula():
    optimiser, params = SGD(0.1, momentum=0.5, weight_decay=0.2), draw(0)
    expected, m = draw(0), dict.fromkeys(SHAPES, 0.0)
    for step in range(50):
        grads = draw(step + 1)
        optimiser.step(params, grads)
        for name, g in grads.items():
            m[name] = 0.5 * m[name] + g
            expected[name] = expected[name] - 0.1 * 0.2 * expected[name] - 0.1 * m[name]
    for name, p in params.items():
        np.testing.assert_allclose(p, expected[name], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("build", [lambda: SGD(0.1, 0.9, 0.1), lambda: Adam(weight_decay=0.1)])
def test_steps_are_in_place_keep_the_dtype_and_leave_gradients(build):
    params, grads = draw(0, np.float32), draw(1, np.float32)
    before = dict(params)
    optimiser = build()
    for _ in range(2):
        optimiser.step(params, grads)
    for name, p in params.items():
        assert p is before[name]
        assert p.dtype == np.float32
        assert np.all(p != draw(0, np.float32)[name])
        np.testing.assert_array_equal(grads[name], draw(1, np.float32)[name])
    assert all(slot.dtype == np.float32 for slot in optimiser.slots.values())


@given(st.sampled_from([Adam, lambda: SGD(0.1), lambda: SGD(0.1, 0.9)]), st.integers(1, 3))
def test_an_optimiser_belongs_to_the_arrays_it_started_with(build, steps):
    optimiser, params = build(), draw(0)
    optimiser.step(params, draw(0))
    for step in range(1, steps):
        optimiser.step({name: p[...] for name, p in params.items()}, draw(step))  # views will do
    slots = {name: slot.copy() for name, slot in optimiser.slots.items()}
    for others in (draw(0), {"weight": np.ones(2)}, params | {"more": np.ones(2)}):
        before = {name: p.copy() for name, p in others.items()}
        with pytest.raises(ValueError, match=f"on which it has taken {steps} steps, got others; m"):
            optimiser.step(others, {name: np.ones_like(p) for name, p in others.items()})
        for name, p in others.items():
            np.testing.assert_array_equal(p, before[name])
        assert optimiser.steps == steps
        for name, slot in optimiser.slots.items():
            np.testing.assert_array_equal(slot, slots[name])
    optimiser.step(params, draw(9))  # it still goes on with its own
    copied, same = copy.deepcopy((optimiser, params))
    copied.step(same, draw(9))  # and a copy with the copies of them


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: SGD(-1), ValueError, "lr: expected a finite number from 0"),
        (lambda: SGD(1, 1.0), ValueError, "momentum: .* got 1.0"),
        (lambda: SGD(1, weight_decay=-1), ValueError, "weight_decay"),
        (lambda: Adam(eps=-1), ValueError, "eps"),
        (lambda: CosineSchedule(1, 0), ValueError, "steps: expected at least 1"),
        (lambda: CosineSchedule(-1, 5), ValueError, "lr"),
        (lambda: PlateauSchedule(1, factor=1), ValueError, "factor"),
        (lambda: PlateauSchedule(1, patience=-1), ValueError, "patience"),
        (lambda: PlateauSchedule(1, lowest="0"), TypeError, "lowest: expected a number"),
    ],
)
def test_settings_that_do_not_fit_are_named(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bias": np.zeros(3)}, ValueError, r"grads: bias: expected shape \(4,\), got \(3,\)"),
        ({"bias": np.zeros(4, np.float32)}, TypeError, "grads: bias: expected dtype float64"),
        ({"more": np.zeros(4)}, ValueError, r"grads: .* differ in \['more'\]"),
    ],
)
def test_gradients_that_do_not_fit_are_refused_and_change_nothing(change, error, message):
    params, optimiser = draw(0), Adam()
    with pytest.raises(error, match=message):
        optimiser.step(params, draw(1) | change)
    assert optimiser.steps == 0
    for name, p in params.items():
        np.testing.assert_array_equal(p, draw(0)[name])


@given(st.integers(0), st.floats(0.01, 10))
def test_clipping_equals_torch(seed, bound):
    grads = draw(seed)
    parameters = {n: torch.zeros(s, dtype=torch.float64) for n, s in SHAPES.items()}
    for clip, expected in [
        (lambda: clip_by_norm(grads, bound)[0], torch.nn.utils.clip_grad_norm_),
        (lambda: clip_by_value(grads, bound), torch.nn.utils.clip_grad_value_),
    ]:
        for name, p in parameters.items():
            p.grad = torch.tensor(grads[name])
        total = expected(parameters.values(), bound)
        assert_close(clip(), {name: p.grad for name, p in parameters.items()})
        if total is not None:
            assert clip_by_norm(grads, bound)[1] == pytest.approx(total.item(), rel=TOLERANCE)


@given(st.integers(0), st.floats(0.01, 10))
def test_clipping_bounds_what_it_returns_and_leaves_the_rest(seed, bound):
    grads = draw(seed)
    clipped, norm = clip_by_norm(grads, bound)
    after = clip_by_norm(clipped, bound)[1]
    assert after <= bound
    if norm < 0.999 * bound:
        assert after == norm
    assert all(np.abs(g).max() <= bound for g in clip_by_value(grads, bound).values())
    for returned in (clipped, clip_by_value(grads, bound)):
        for g in returned.values():  # the caller's own, also if there was nothing to clip
            assert isinstance(g, np.ndarray)
            g[...] = np.nan
    for name, g in grads.items():
        np.testing.assert_array_equal(g, draw(seed)[name])


def test_clipping_keeps_float32_and_no_gradient_is_too_long_for_it():
    grads = {"w": np.full(4, 1e30, np.float32)}  # its square overflows float32
    clipped, norm = clip_by_norm(grads, 1.0)
    assert norm == pytest.approx(2e30, rel=1e-7)
    assert clipped["w"].dtype == np.float32
    np.testing.assert_allclose(clipped["w"], 0.5, rtol=1e-6)
    assert clip_by_norm({"w": np.zeros(3)}, 1.0)[1] == 0
    assert clip_by_norm(grads, np.float64(1.0))[0]["w"].dtype == np.float32
    assert clip_by_value(grads, np.float64(1.0))["w"].dtype == np.float32


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_a_gradient_of_no_finite_norm_is_named(value):
    grads = {"good": np.ones(3), "bad": np.array([1.0, value])}
    with pytest.raises(
        ValueError, match=r"^bad: expected a gradient of finite norm, got (nan|inf)"
    ):
        clip_by_norm(grads, 1.0)


@pytest.mark.parametrize("bound", [0, -1, math.nan])
def test_a_bound_of_nothing_is_refused(bound):
    with pytest.raises(ValueError, match="max_norm: expected above 0"):
        clip_by_norm(draw(0), bound)


def test_values_have_bounds_of_at_least_0():
    with pytest.raises(ValueError, match="max_value: expected a finite number from 0"):
        clip_by_value(draw(0), -1)


@pytest.mark.parametrize("lowest", [0.0, 0.01])
def test_cosine_schedule_equals_torch(lowest):
    schedule = CosineSchedule(0.1, 50, lowest)
    optimiser = torch.optim.SGD([torch.zeros(1)], 0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50, lowest)
    for step in range(50):
        assert schedule(step) == pytest.approx(theirs.get_last_lr()[0], rel=TOLERANCE)
        optimiser.step()
        theirs.step()
    assert schedule(50) == schedule(1000) == lowest


@given(st.integers(0), st.integers(0, 4), st.sampled_from([0.0, 1e-4, 0.2]))
def test_plateau_schedule_equals_torch(seed, patience, threshold):
    losses = np.exp(np.random.default_rng(seed).normal(size=50)).round(1).tolist()
    schedule = PlateauSchedule(0.1, 0.5, patience, threshold, lowest=0.001)
    optimiser = torch.optim.SGD([torch.zeros(1)], 0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.5, patience=patience, threshold=threshold, min_lr=0.001
    )
    for n, loss in enumerate(losses):
        assert schedule(n, losses[:n]) == pytest.approx(theirs.get_last_lr()[0], rel=TOLERANCE)
        theirs.step(loss)
