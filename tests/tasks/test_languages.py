"""Languages: each answer is that of a reader who goes through the string symbol by symbol."""

import re

import numpy as np
import pytest

from lstm_lesson.tasks.synthetic import task


def strings(name, letters, T=30, N=200):
    """Return strings of letters with the answers after each."""
    batch = task(name).sample(0, N, T)
    symbols = batch.x.argmax(axis=-1).T
    np.testing.assert_array_equal(batch.x.sum(axis=-1), 1)
    return [("".join(letters[s] for s in row), answers) for row, answers in
            zip(symbols, batch.target.T, strict=True)]  # fmt: skip


def prefixes(string):
    return [string[:n] for n in range(1, len(string) + 1)]


@pytest.mark.parametrize(
    ("name", "letters", "answer"),
    [
        ("parity", "01", lambda s: s.count("1") % 2),
        ("modular_counting", "<=>", lambda s: (s.count(">") - s.count("<")) % 5),
        ("a_n_b_n", "ab", lambda s: bool(re.fullmatch("a+b+", s)) and 2 * s.count("a") == len(s)),
        ("brackets", ")(", lambda s: s.count("(") == s.count(")")),
    ],
)
def test_answers_are_those_of_a_reader(name, letters, answer):
    for string, answers in strings(name, letters):
        assert [answer(prefix) for prefix in prefixes(string)] == list(answers)


def test_strings_are_of_their_languages():
    for string, _ in strings("a_n_b_n", "ab"):
        assert re.fullmatch("a+b+", string)
    for string, _ in strings("brackets", ")("):
        assert all(prefix.count("(") >= prefix.count(")") for prefix in prefixes(string))


def test_a_sequence_is_right_only_if_all_of_its_steps_are():
    one = task("parity")
    batch = one.sample(0, 4, 10)
    y = np.eye(2)[batch.target]
    y[3, 1] = y[3, 1, ::-1]
    assert one.score(y, batch, 10) == 0.75
