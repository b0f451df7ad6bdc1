"""N-gram models against dictionaries and recursion; compressors on text that they have seen."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from lstm_lesson.experiments.write_text.ngrams import KneserNey, compressed, find, ngrams

TEXT = "she sells sea shells by the sea shore; the shells she sells are sea shells, she says. "
ALPHABET = sorted(set(TEXT))


def encode(text):
    return np.array([ALPHABET.index(character) for character in text])


def by_hand(train: str, order: int):
    """Return ``p(context, character)`` of the same smoothing, by dictionaries and recursion."""

    def counts(n: int, by_variety: bool):
        grams = [train[k : k + n] for k in range(len(train) - n + 1)]
        if not by_variety:
            return Counter(grams)
        longer = {train[k : k + n + 1] for k in range(len(train) - n)}
        return Counter(gram[1:] for gram in longer)

    def level(n: int, by_variety: bool):
        table = counts(n, by_variety)
        n1, n2, n3, n4 = (sum(c == k for c in table.values()) for k in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        d = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / max(n3, 1)]
        d = [min(max(value, 0), k) for k, value in enumerate(d)]
        following = defaultdict(dict)
        for gram, count in table.items():
            following[gram[:-1]][gram[-1]] = count
        return following, d

    levels = {n: level(n, n < order) for n in range(1, order + 1)}

    def p(context: str, character: str, n: int = order) -> float:
        if n == 0:
            return 1 / len(ALPHABET)
        below = p(context, character, n - 1)
        if len(context) < n - 1:
            return below
        following, d = levels[n]
        after = following.get(context[len(context) - n + 1 :])
        if after is None:
            return below
        total, count = sum(after.values()), after.get(character, 0)
        freed = sum(d[min(c, 3)] for c in after.values()) / total
        return (count - d[min(count, 3)]) / total + freed * below

    return p


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_tables_give_what_recursion_gives(order):
    model, p = KneserNey(encode(TEXT), order, len(ALPHABET)), by_hand(TEXT, order)
    text = "the sea sells shells. yes, she is here "
    text = "".join(c for c in text if c in ALPHABET)
    wanted = [p(text[:k], text[k]) for k in range(len(text))]
    found = model.probabilities(encode(text))[-1]
    np.testing.assert_allclose(found[order - 1 :], wanted[order - 1 :], rtol=1e-12)


@pytest.mark.parametrize("context", ["", "s", "she ", "the sea", "yyy"])
def test_probabilities_of_what_may_follow_sum_to_one_at_every_order(context):
    model = KneserNey(encode(TEXT), 4, len(ALPHABET))
    each = [model.probabilities(encode(context + c))[:, -1] for c in ALPHABET]
    np.testing.assert_allclose(np.sum(each, axis=0), 1, rtol=1e-12)
    assert np.min(each) > 0


def test_a_longer_context_helps_on_text_like_the_training_text():
    rng = np.random.default_rng(0)
    words = ["she", "sells", "sea", "shells", "by", "the", "shore"]
    text = " ".join(rng.choice(words, 3000))
    model = KneserNey(encode(text[:12000]), 5, len(ALPHABET))
    bits = -np.log2(model.probabilities(encode(text[12000:]))).mean(axis=1)
    assert np.all(np.diff(bits[:4]) < 0)
    # Nothing is known of the next word, and only its letters tell the words with an s apart.
    assert np.log2(len(words)) / 5.5 < bits[-1] < bits[0] / 2


def test_the_first_symbols_get_what_their_few_predecessors_allow():
    model, p = KneserNey(encode(TEXT), 3, len(ALPHABET)), by_hand(TEXT, 3)
    found = model.probabilities(encode("sea"))[-1]
    np.testing.assert_allclose(found, [p("", "s"), p("s", "e"), p("se", "a")], rtol=1e-12)


def test_what_was_never_seen_has_a_probability_even_if_nothing_was_seen_once():
    model = KneserNey(np.array([0, 1] * 5), 1, 3)
    each = [float(model.probabilities(np.array([n]))[0, 0]) for n in range(3)]
    assert sum(each) == pytest.approx(1) and each[0] == each[1] > each[2] > 0


def test_it_counts_what_it_stores():
    model = KneserNey(encode("abab".translate(str.maketrans("ab", "se"))), 2, len(ALPHABET))
    assert model.stored == 2 + 2  # se, es; s and e by variety


def test_ngrams_are_digits_and_find_says_minus_one():
    np.testing.assert_array_equal(ngrams(np.array([1, 2, 3]), 2, 10), [12, 23])
    np.testing.assert_array_equal(find(np.array([2, 5]), np.array([1, 2, 3, 5, 6])),
                                  [-1, 0, -1, 1, -1])  # fmt: skip


@pytest.mark.parametrize(
    "length, order, V, says",
    [(100, 10, 79, "below 2 \\*\\* 63"), (3, 4, 5, "at least 4, got 3"), (9, 0, 5, "order")],
)
def test_what_cannot_be_counted_is_refused(length, order, V, says):
    with pytest.raises(ValueError, match=says):
        KneserNey(np.zeros(length, int), order, V)


def test_a_compressor_needs_few_bits_for_what_it_has_seen():
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(ALPHABET, 4000))
    again, new = compressed(text, text), compressed(text, "".join(rng.choice(ALPHABET, 4000)))
    for name in ("gzip", "xz"):  # bzip2 sorts, and finds no long repetition so cheaply
        assert again[name] < 0.5 < 3.5 < new[name]
    assert new["bzip2"] > 3.5
