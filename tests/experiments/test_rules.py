"""The rules of judging: cases worked out by hand, every choice counted, and sides exchanged."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, mannwhitneyu

from lstm_lesson.experiments import rules
from lstm_lesson.experiments.rules import (
    Alike,
    Share,
    Sooner,
    factor_between,
    holm,
    judge,
    overall,
    rank_test,
    solved_look,
)

NEVER = math.inf
MIRROR = {"holds": "fails", "fails": "holds"}
# A look each 1,000 sequences, the first among them, and never.
times = st.lists(st.sampled_from([1000.0, 2000, 3000, 5000, 8000, NEVER]), min_size=2, max_size=7)
losses = st.lists(st.floats(1e-4, 1), min_size=2, max_size=7)


# ---- Solved ----


@pytest.mark.parametrize(
    ("scores", "look"),
    [
        ([0.96, 0.96, 0.96], 1),
        ([0.5, 0.96, 0.94, 0.95, 0.97, 0.99, 0.2], 4),  # the first lucky score doesn't count
        ([0.96, 0.96, 0.5, 0.96, 0.96], None),
        ([0.96, math.nan, 0.96, 0.96], None),
        ([], None),
    ],
)
def test_solved_is_the_first_of_three_in_a_row(scores, look):
    assert solved_look(scores, 0.95) == look


# ---- Ranks ----


def test_ranks_of_a_case_by_hand():
    # Of the 6 ways to choose two of four places, one has a sum of ranks as low as 1 + 2.
    assert rank_test((1.0, 2.0), (3.0, NEVER)) == (pytest.approx(1 / 6), 1)
    # Tied: ranks 1, 2.5, 2.5, 4; the sum 3.5 or less comes up twice, 3.5 or more always.
    assert rank_test((1.0, 2.0), (2.0, 3.0)) == (pytest.approx(2 / 6), pytest.approx(1))


@given(times, times)
def test_ranks_are_those_of_every_choice(a, b):
    pooled = sorted([*a, *b])
    rank = {v: np.mean([n for n, w in enumerate(pooled) if w == v]) for v in pooled}
    sums = [sum(chosen) for chosen in itertools.combinations(map(rank.get, [*a, *b]), len(a))]
    got = sum(map(rank.get, a))
    expected = np.mean(np.array(sums) <= got + 1e-9), np.mean(np.array(sums) >= got - 1e-9)
    assert rank_test(tuple(a), tuple(b)) == pytest.approx(expected)


def test_ranks_without_ties_are_those_of_scipy():
    a, b = np.random.default_rng(0).permutation(60).astype(float).reshape(2, 30)
    for side, p in zip(("less", "greater"), rank_test(tuple(a), tuple(b)), strict=True):
        assert p == pytest.approx(mannwhitneyu(a, b, alternative=side, method="exact").pvalue)


@pytest.mark.parametrize("wrong", [((), (1.0,)), ((1.0,), ()), ((math.nan,), (1.0,))])
def test_no_runs_and_no_number_are_refused(wrong):
    with pytest.raises(ValueError, match="a, b"):
        rank_test(*wrong)


# ---- Questions ----


def test_where_neither_side_solves_or_both_at_the_first_look_there_are_no_data():
    never, at_once = (NEVER,) * 10, (1000.0,) * 10
    for same in (never, at_once):
        found = judge({"it": Sooner(same, same, first=1000), "alike": Alike(same, same)})
        assert {v.word for v in found.values()} == {"no data"}
    # What is there at the first look came sooner than what is never there.
    assert judge({"it": Sooner(at_once, never, first=1000)})["it"].word == "holds"


def test_a_factor_is_not_applied_to_what_was_there_at_the_first_look():
    at_once, later = (1000.0,) * 10, (1400.0,) * 10
    assert Sooner(at_once, later, factor=2).answer().sign == -1
    assert Sooner(at_once, later, factor=2, first=1000).answer().sign == 1


def test_losses_of_half_and_of_a_tenth():
    b = tuple(np.linspace(1, 1.2, 10))
    half, tenth = tuple(np.array(b) / 2), tuple(np.array(b) / 10)
    words = judge(
        {
            "half is lower": Sooner(half, b),
            "half is a third or less": Sooner(half, b, factor=3),
            "a tenth is a third or less": Sooner(tenth, b, factor=3),
            "half is alike": Alike(half, b),
            "alike": Alike(tuple(np.array(b) * 1.01), b),
        }
    )
    assert [v.word for v in words.values()] == ["holds", "fails", "holds", "fails", "holds"]


@pytest.mark.parametrize("k", [0, 3, 9, 10])
def test_a_share_is_judged_by_the_exact_binomial_test(k):
    runs = tuple(n < k for n in range(10))
    answer = Share(runs, 0.9).answer()
    one_sided = [binomtest(k, 10, 0.9, side).pvalue for side in ("greater", "less")]
    assert answer.p == pytest.approx(min(1, 2 * min(one_sided)))
    assert answer.sign == np.sign(one_sided[1] - one_sided[0])
    assert judge({"": Share(runs, 0.9)})[""].word == ("fails" if k <= 3 else "undecided")


@settings(max_examples=30)
@given(times, times, losses, losses, st.floats(0.05, 0.95))
def test_sides_exchanged_mirror_the_verdict(a, b, c, d, share):
    a, b, c, d = map(tuple, (a, b, c, d))
    runs = tuple(v < NEVER for v in a)
    one = {
        "sooner": Sooner(a, b, first=1000),
        "lower": Sooner(c, d, factor=2),
        "share": Share(runs, share),
    }
    other = {
        "sooner": Sooner(b, a, first=1000),
        "lower": Sooner(d, c, factor=0.5),
        "share": Share(tuple(not run for run in runs), 1 - share),
    }
    for key in one:
        p, q = one[key].answer(), other[key].answer()
        assert (p is None) == (q is None)
        if p is not None:
            assert p.p == pytest.approx(q.p)
            assert p.sign == -q.sign or p.p > 0.99
    # Alike is alike from either side.
    first, second = Alike(c, d).answer(), Alike(d, c).answer()
    assert (first is None) == (second is None)
    assert first is None or first.p == pytest.approx(second.p)


@pytest.mark.parametrize("n", [10, 30])
@pytest.mark.parametrize("seed", range(3))
def test_verdicts_of_exchanged_arms_are_mirrored(n, seed):
    rng = np.random.default_rng(seed)
    early, late = (tuple(rng.choice(v, n)) for v in ([1e3, 2e3, 5e3], [4e3, 8e3, 9e3, NEVER]))
    one, other = (judge({"": Sooner(*pair)})[""] for pair in ((early, late), (late, early)))
    assert one.word == "holds"
    assert other.word == MIRROR[one.word]
    assert (one.alone, one.p) == (other.alone, pytest.approx(other.p))


@given(st.lists(st.sampled_from([w for w in rules.WORDS if w != "depends on"])))
def test_overall_is_mirrored_too(words):
    mirrored = [MIRROR.get(word, word) for word in words]
    assert overall(mirrored) == MIRROR.get(overall(words), overall(words))


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["holds", "fails", "undecided"], "depends on"),
        (["holds", "holds", "undecided"], "holds"),
        (["fails", "undecided", "no data"], "fails"),
        (["holds", "undecided", "undecided"], "undecided"),
        (["undecided"], "undecided"),
        (["no data", "no data"], "no data"),
        ([], "no data"),
    ],
)
def test_the_word_over_conditions(words, word):
    assert overall(words) == word


# ---- One page, and how firmly a word stands ----


def test_holm_by_hand():
    # 0.01 has to meet .05/3, 0.02 then .05/2, 0.06 at last .05, and doesn't.
    found = holm({"b": 0.02, "c": 0.06, "a": 0.01})
    assert found == {"a": pytest.approx(0.05 / 3), "b": 0.025, "c": 0.0}
    assert set(holm({"a": 0.03, "b": 0.02}).values()) == {0.025, 0.05}
    assert set(holm({"a": 0.03, "b": 0.028}).values()) == {0.0}  # the first stops the second


def test_equal_p_values_have_to_meet_the_same_level_in_any_order():
    found = {"b": 0.01, "c": 0.03, "a": 0.01, "d": 0.01 + 1e-15}
    for order in itertools.permutations(found):
        levels = holm({key: found[key] for key in order})
        assert {levels[key] for key in ("a", "b", "d")} == {0.05 / 4}  # the strictest of theirs
        assert levels["c"] == 0.05


def test_equal_runs_get_equal_words():
    # 9 of 9 give p = .0039: more than .05/14, less than .05/12, which the last of three would meet.
    same = {name: Share((True,) * 10, 0.5) for name in "abc"}
    others = {n: Share((True, False) * 5, 0.5) for n in range(11)}
    for questions in (same | others, others | same):
        verdicts = judge(questions)
        for name in same:
            assert (verdicts[name].word, verdicts[name].level) == ("undecided", 0.05 / 14)


def test_many_questions_on_a_page_make_each_harder():
    early, late = (1e3, 2e3, 3e3, 4e3, 5e3, 6e3), (5.5e3, 7e3, 8e3, 9e3, NEVER, 9.5e3)
    alone = judge({0: Sooner(early, late)})[0]
    noise = {n: Sooner((1.0, 3.0, 5.0, 8.0), (2.0, 4.0, 6.0, 7.0)) for n in range(1, 40)}
    crowded = judge({0: Sooner(early, late)} | noise)[0]
    assert alone.p == crowded.p < 0.01
    assert (alone.level, crowded.level) == (0.05, 0.0)
    assert crowded.word == "undecided"


def test_a_word_that_one_run_decides_is_undecided():
    # Of 126 choices two have ranks as low as these: p = 4/126; without the first, 4 of 70 choices.
    early, late = (1.0, 2.0, 3.0, 5.0), (4.0, 6.0, 7.0, 8.0, 9.0)
    verdict = judge({"": Sooner(early, late)})[""]
    assert verdict.p == pytest.approx(4 / 126)
    assert verdict.p < verdict.level
    assert not verdict.alone
    assert verdict.word == "undecided"


def test_a_word_that_resampling_changes_is_undecided():
    rng = np.random.default_rng(5)
    a, b = tuple(rng.normal(0, 1, 30)), tuple(rng.normal(0.75, 1, 30))
    verdict = judge({"": Sooner(a, b)})[""]
    assert verdict.p < verdict.level
    assert verdict.agreement < rules.AGREE
    assert verdict.word == "undecided"
    assert judge({"": Sooner(a, b)}) == judge({"": Sooner(a, b)})  # the same draws each time


# ---- By what factor ----


def test_a_factor_and_its_interval_by_hand():
    value, low, high = factor_between([4.0] * 4, [2.0] * 4)
    assert (value, low, high) == (2, 2, 2)
    # Three of each: no rank test of size .05 can exclude anything.
    assert factor_between([1.0, 2, 3], [4.0, 5, 6])[1:] == (0, NEVER)
    # Two that never solve may have any ratio.
    value, low, high = factor_between([NEVER] * 4, [NEVER] * 4)
    assert math.isnan(value)
    assert (low, high) == (0, NEVER)
    assert factor_between([1000.0] * 4, [2000.0] * 4, first=1000)[1:] == (0, 0.5)


@settings(max_examples=25)
@given(losses, losses)
def test_the_interval_takes_in_the_factors_that_the_rank_test_keeps(a, b):
    value, low, high = factor_between(a, b)
    assert low <= value <= high
    for factor in (low * 0.999, high * 1.001):
        if 0 < factor < NEVER:
            scaled = tuple(v * factor for v in b)
            assert Sooner(tuple(a), scaled).answer().p <= rules.LEVEL * (1 + 1e-9)
    _, *ends = factor_between(b, a)
    assert [1 / ends[1], 1 / ends[0] if ends[0] else NEVER] == pytest.approx([low, high])


def test_an_interval_holds_the_factor_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = (rng.lognormal(0, 1, (2, 12)) for _ in range(400))
    held = [low <= 1 <= high for _, low, high in (factor_between(a, b) for a, b in draws)]
    assert 0.93 < np.mean(held) < 0.99
