"""The tasks of the papers: shapes, what is trivial, and strings of the Reber grammar."""

import numpy as np
import pytest

from lstm_lesson.tasks.classics import CLASSICS, classic
from lstm_lesson.tasks.reber import SHARES, SYMBOLS, reber_strings

N = 4000
# The picture of the Reber grammar (Hochreiter and Schmidhuber 1997, figure 3), as its arrows.
ARROWS = {
    ("start", "B"): "fork", ("fork", "T"): "upper", ("fork", "P"): "lower",
    ("upper", "S"): "upper", ("upper", "X"): "upper end", ("lower", "T"): "lower",
    ("lower", "V"): "lower end", ("upper end", "X"): "lower", ("upper end", "S"): "last",
    ("lower end", "P"): "upper end", ("lower end", "V"): "last", ("last", "E"): "done",
}  # fmt: skip


def walk(word):
    """Return the node of the inner grammar after a word, None if it is not legal."""
    node = "start"
    for letter in word:
        node = ARROWS.get((node, letter))
    return node


def embedded(word):
    """Whether a word is a string of the embedded grammar."""
    framed = word[:1] + word[-1:] == "BE" and word[1] == word[-2] and word[1] in "TP"
    return framed and walk(word[2:-2]) == "done"


def may_follow(prefix):
    """Return the letters that may follow the beginning of a string of the embedded grammar."""
    if len(prefix) < 2:
        return {"B"} if not prefix else {"T", "P"}
    inner = prefix[2:]
    if walk(inner) is not None and walk(inner) != "done":
        return {letter for node, letter in ARROWS if node == walk(inner)}
    return {prefix[1]} if walk(inner) == "done" else {"E"}


def words(symbols):
    return ["".join(SYMBOLS[s] for s in column if s >= 0) for column in symbols.T]


@pytest.fixture(params=CLASSICS)
def name(request):
    return request.param


def sample(one, rng=0, many=50, T=50):
    return one.sample(rng, many, T)


def test_shapes_are_what_the_task_says(name):
    one = classic(name)
    x, target, mask, legal = sample(one, many=5)
    assert x.shape == (*mask.shape, one.input_size(50))
    assert target.shape == (*mask.shape, one.output_size(50))
    assert mask.shape[1] == 5
    assert mask.any(axis=0).all()
    assert legal is None or legal.shape == target.shape
    assert not x[np.flatnonzero(mask.any(axis=1)).max() + 1 :].any()


def test_the_same_seed_gives_the_same_sequences_and_another_gives_others(name):
    one = classic(name)
    a, again, b = (sample(one, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.x, again.x)
    np.testing.assert_array_equal(a.target, again.target)
    assert not np.array_equal(a.x, b.x)


def test_trivial_is_the_squared_error_of_the_best_constants(name):
    one = classic(name)
    few = 300 if name in ("noise_free_lag", "continual_reber") else N
    _, target, mask, _ = sample(one, many=few)
    values = target[mask]
    assert values.var(axis=0).sum() == pytest.approx(one.trivial(50), rel=0.06)


def test_the_targets_are_right_and_the_best_constants_are_not(name):
    one = classic(name)
    drawn = sample(one)
    best = drawn.target if drawn.legal is None else drawn.legal / 2
    assert one.right(best, drawn).all()
    mean = np.broadcast_to(drawn.target[drawn.mask].mean(axis=0), drawn.target.shape)
    wrong = ~one.right(mean, drawn)
    assert not wrong[~drawn.mask].any()
    assert np.mean(wrong.any(axis=0)) > 0.3


def test_a_lag_too_short_and_an_unknown_name_are_refused(name):
    one = classic(name)
    one.sample(0, 20, one.shortest)
    with pytest.raises(ValueError, match=f"T: expected at least {one.shortest}"):
        one.sample(0, 20, one.shortest - 1)
    with pytest.raises(ValueError, match=r"N: expected at least 1"):
        one.sample(0, 0, 50)
    with pytest.raises(ValueError, match=r"embedded_reber.*timed_spikes"):
        classic("rebel")


# ---- Grammars ----


def test_every_string_is_of_the_grammar_and_both_branches_are_as_frequent():
    symbols, lengths = reber_strings(1, N)
    drawn = words(symbols)
    assert all(embedded(word) for word in drawn)
    assert [len(word) for word in drawn] == list(lengths)
    assert lengths.min() == 9
    assert np.mean([word[1] == "T" for word in drawn]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([word[3] == "T" for word in drawn]) == pytest.approx(0.5, abs=0.03)
    assert len(set(drawn)) > 300


def test_the_grammar_has_no_other_string_of_up_to_twelve_symbols():
    """Every word that the arrows allow comes up, so nothing legal is left out."""
    legal, begun = set(), [""]
    while begun:
        prefix = begun.pop()
        for letter in may_follow(prefix):
            word = prefix + letter
            if embedded(word):
                legal.add(word)
            elif len(word) < 12:
                begun.append(word)
    drawn = set(words(reber_strings(2, 20 * N)[0]))
    assert {word for word in drawn if len(word) <= 12} == legal


def test_legal_successors_are_those_of_the_arrows():
    symbols, _ = reber_strings(3, 200)
    x, target, mask, legal = classic("embedded_reber").sample(3, 200, 10)
    for n, word in enumerate(words(symbols)):
        assert mask[:, n].sum() == len(word) - 1
        for t in range(len(word) - 1):
            assert x[t, n].argmax() == SYMBOLS.index(word[t])
            assert target[t, n].argmax() == SYMBOLS.index(word[t + 1])
            assert {SYMBOLS[s] for s in np.flatnonzero(legal[t, n])} == may_follow(word[: t + 1])


def test_a_stream_is_strings_without_a_gap():
    x, target, mask, legal = classic("continual_reber").sample(4, 20, 300)
    assert mask.all()
    np.testing.assert_array_equal(x[1:], target[:-1])
    assert (legal & (target > 0)).any(axis=-1).all()
    for n in range(20):
        stream = "".join(SYMBOLS[s] for s in x[:, n].argmax(axis=-1))
        seen = 0
        while "E" in stream[seen + 2 :]:
            end = next((e for e in range(seen + 9, len(stream) + 1) if embedded(stream[seen:e])), 0)
            if not end:  # the last string is cut off
                break
            seen = end
        assert seen > 200
        assert legal[seen - 1, n].nonzero()[0].tolist() == [SYMBOLS.index("B")]


def test_symbol_shares_are_those_of_many_strings():
    symbols, _ = reber_strings(5, 5 * N)
    counts = np.bincount(symbols[symbols >= 0], minlength=7)
    np.testing.assert_allclose(counts / counts.sum(), SHARES, rtol=0.02)


# ---- Long lags, computed again from the input ----


def test_the_last_symbol_of_the_noise_free_lag_is_the_first():
    x, target, mask, _ = classic("noise_free_lag").sample(1, 40, 30)
    letters = x.argmax(axis=-1)
    assert mask.all()
    assert set(letters[0]) == {29, 30}
    np.testing.assert_array_equal(target[-1].argmax(axis=-1), letters[0])
    np.testing.assert_array_equal(letters[1:], np.tile(np.arange(29)[:, None], 40))
    np.testing.assert_array_equal(target[:-1], x[1:])


def ends(one, many=N, T=100):
    x, target, mask, _ = one.sample(1, many, T)
    assert (mask.sum(axis=0) == 1).all()
    lengths = mask.argmax(axis=0) + 1
    assert (lengths.min(), lengths.max()) == (T, T + T // 10)
    return x, target[mask.argmax(axis=0), np.arange(many)], lengths


def test_two_sequences_differ_in_their_first_three_elements():
    x, wanted, lengths = ends(classic("two_sequence"))
    np.testing.assert_array_equal(x[:3, :, 0], np.tile(2 * wanted[:, 0] - 1, (3, 1)))
    noise = x[3:100, :, 0]
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.var() == pytest.approx(0.2, rel=0.02)
    assert not x[lengths.max() :].any()


@pytest.mark.parametrize("name", ["adding_1997", "multiplication"])
def test_sums_and_products_are_of_the_two_marked_values(name):
    x, wanted, lengths = ends(classic(name))
    columns = np.arange(N)
    assert np.all(x[lengths - 1, columns, 1] == -1)
    assert np.all(x[0, :, 1] == -1)
    inner = x[1:, :, 1].copy()
    inner[lengths - 2, columns] = 0
    assert set(np.unique(inner)) == {0, 1}
    two = inner.sum(axis=0) == 2
    assert two.mean() == pytest.approx(0.9, abs=0.02)  # else the lot fell on the first pair
    assert np.all(inner.sum(axis=0)[~two] == 1)
    assert not inner[49:].any()
    assert np.all(inner[:9].sum(axis=0)[two] >= 1)
    marked = inner[..., None] > 0
    values = np.where(marked[..., 0], x[1:, :, 0], 0)
    if name == "adding_1997":
        np.testing.assert_allclose(wanted[:, 0], 0.5 + values.sum(axis=0) / 4)
        assert x[..., 0].min() < -0.99
        assert not x[0, ~two, 0].any()
    else:
        product = np.where(marked[..., 0], x[1:, :, 0], 1).prod(axis=0)
        np.testing.assert_allclose(wanted[:, 0], product)
        assert x[..., 0].min() >= 0
        assert np.all(x[0, ~two, 0] == 1)


def test_temporal_order_classes_follow_from_the_letters():
    x, wanted, lengths = ends(classic("temporal_order_1997"))
    letters = np.where(x.any(axis=-1), x.argmax(axis=-1), -1)
    assert np.all(letters[0] == 6)
    assert np.all(letters[lengths - 1, np.arange(N)] == 7)
    first, second = letters[10:21], letters[50:61]
    assert np.all(np.isin(letters, (4, 5)).sum(axis=0) == 2)
    classes = 2 * (first == 5).any(axis=0) + (second == 5).any(axis=0)
    np.testing.assert_array_equal(wanted.argmax(axis=-1), classes)


def test_spikes_end_intervals_whose_length_was_given_at_their_start():
    x, target, mask, _ = classic("timed_spikes").sample(0, 300, 7)
    for n in range(300):
        ends, starts = np.flatnonzero(target[:, n, 0]), np.flatnonzero(x[:, n, 0])
        np.testing.assert_array_equal(starts, [0, *(ends[:-1] + 1)])
        np.testing.assert_array_equal(ends - starts + 1, 8 + x[starts, n, 1])
        assert len(ends) == 10
        assert mask[:, n].sum() == ends[-1] + 1
    assert not x[x[..., 0] == 0].any()
    assert set(np.unique(x[..., 1])) == {-1, 0, 1}
