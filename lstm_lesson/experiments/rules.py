"""The rules by which rows are judged: when a run has solved its task, and what a claim is called.

The second edition of the protocol, in code; `chapters/how_we_measure.md` is the same for readers.
A rule stands here before any row that is made under it.

A claim is asked under one or more conditions, each a question that rows answer: `Sooner`, `Alike`
or `Share`. `judge` answers all questions of one page together, and gives each a word of `WORDS`;
`overall` puts the words of one claim together. Every rule is symmetric: with the sides exchanged,
*holds* and *fails* change places and nothing else does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_rng

WORDS = ("holds", "fails", "depends on", "undecided", "no data")
IN_A_ROW = 3  # validations over the criterion before a task counts as solved
LEVEL = 0.05  # of all questions of a page together, two-sided
RESAMPLINGS = 200  # of the runs of a question,
AGREE = 0.9  # of which at least so many have to give the same word


def solved_look(scores: Sequence[float], least: float) -> int | None:
    """Return the number, from 1, of the first of `IN_A_ROW` scores in a row of at least `least`.

    None if there is no such row. A NaN counts as below.
    """
    row = 0
    for n, score in enumerate(scores, start=1):
        row = row + 1 if score >= least else 0
        if row == IN_A_ROW:
            return n - IN_A_ROW + 1
    return None


class Answer(NamedTuple):
    """What the runs say to a question."""

    p: float  # two-sided, not corrected for other questions
    sign: int  # 1 if they speak for the claim, -1 if against it, 0 for neither


class Sooner(NamedTuple):
    """Whether the runs of `a`, times `factor`, come below those of `b`: by exact ranks.

    Values are sequences until the task was solved, infinity for never; or losses, or anything of
    which less is better. Never is tied with never. What is solved at the `first` look, or before,
    is tied with all that is, and no factor is applied to it, for it may have been solved earlier.
    """

    a: tuple[float, ...]  # one a run
    b: tuple[float, ...]
    factor: float = 1.0
    first: float = 0.0

    @property
    def samples(self) -> tuple[tuple[float, ...], ...]:
        """The runs, side by side."""
        return self.a, self.b

    def answer(self, samples=None) -> Answer | None:
        """Return what these runs say, by default its own; None if all of them are tied."""
        a, b = self.samples if samples is None else samples
        a, b = _scaled(a, self.factor, self.first), _scaled(b, 1, self.first)
        if len({*a, *b}) == 1:
            return None
        less, more = rank_test(a, b)
        return Answer(min(1.0, 2 * min(less, more)), (less < more) - (less > more))


class Alike(NamedTuple):
    """Whether the runs of `a` and of `b` differ by less than a `factor`, above 1, either way."""

    a: tuple[float, ...]
    b: tuple[float, ...]
    factor: float = 1.5
    first: float = 0.0

    @property
    def samples(self) -> tuple[tuple[float, ...], ...]:
        """The runs, side by side."""
        return self.a, self.b

    def answer(self, samples=None) -> Answer | None:
        """Return what these runs say, by default its own; None if all of them are tied."""
        a, b = self.samples if samples is None else samples
        a, b = _scaled(a, 1, self.first), _scaled(b, 1, self.first)
        if len({*a, *b}) == 1:
            return None
        above = rank_test(_scaled(a, 1 / self.factor, self.first), b)  # a / factor against b
        below = rank_test(a, _scaled(b, 1 / self.factor, self.first))
        inside, outside = 2 * max(above[0], below[1]), 2 * min(above[1], below[0])
        sign = (inside < outside) - (inside > outside)
        return Answer(min(1.0, inside, outside), sign)


class Share(NamedTuple):
    """Whether at least a `share` of all runs would succeed: by the exact binomial test."""

    succeeded: tuple[bool, ...]  # one a run
    share: float

    @property
    def samples(self) -> tuple[tuple[bool, ...]]:
        """The runs, alone."""
        return (self.succeeded,)

    def answer(self, samples=None) -> Answer | None:
        """Return what these runs say, by default its own; None if there are none."""
        (runs,) = self.samples if samples is None else samples
        n, k = len(runs), sum(map(bool, runs))
        if not n:
            return None
        chances = [
            math.comb(n, j) * self.share**j * (1 - self.share) ** (n - j) for j in range(n + 1)
        ]
        many, few = sum(chances[k:]), sum(chances[: k + 1])
        return Answer(min(1.0, 2 * min(many, few)), (many < few) - (many > few))


class Verdict(NamedTuple):
    """The word for one question, and how firmly it stands."""

    word: str  # of `WORDS`, but never "depends on"
    p: float  # two-sided, not corrected; 1 where there are no data
    level: float  # below which Holm's correction wanted it
    agreement: float  # share of resamplings of the runs with the word that the ranks gave
    alone: bool  # whether that word stands with any one run left out


def judge(questions: Mapping[Hashable, object], rng=0) -> dict:
    """Return the `Verdict` of each question of one page, corrected for their number.

    Holm's correction decides which answers count at `LEVEL`. One that does is *undecided* all the
    same if leaving out a single run changes its word, or if more than one in ten resamplings of the
    runs do. A question whose runs are all tied, none solved or all at the first look, has *no data*
    and isn't counted.
    """
    rng = check_rng(rng)
    answers = {key: question.answer() for key, question in questions.items()}
    levels = holm({key: answer.p for key, answer in answers.items() if answer is not None})
    verdicts = {}
    for key, question in questions.items():
        level = levels.get(key, 0.0)
        word, p = _word(answers[key], level), answers[key].p if answers[key] else 1.0
        agreement, alone = 1.0, True
        if word in ("holds", "fails"):
            alone = all(_word(question.answer(s), level) == word for s in _one_left_out(question))
            again = [_word(question.answer(s), level) for s in _resampled(question, rng)]
            agreement = again.count(word) / len(again)
        firm = alone and agreement >= AGREE
        verdicts[key] = Verdict(word if firm else "undecided", p, level, agreement, alone)
    return verdicts


def overall(words: Iterable[str]) -> str:
    """Return the word for a claim from those under its conditions.

    It *depends on* the condition only if it holds under one and fails under another. It holds, or
    fails, if it does so under at least half of the conditions that have data and the opposite under
    none. Else it is undecided; or there are no data, if no condition has any.
    """
    words = [word for word in words if word != "no data"]
    holds, fails = words.count("holds"), words.count("fails")
    if not words:
        return "no data"
    if holds and fails:
        return "depends on"
    if 2 * max(holds, fails) < len(words):
        return "undecided"
    return "holds" if holds else "fails"


def holm(p_values: Mapping[Hashable, float], level: float = LEVEL) -> dict:
    """Return the level that each p value has to meet (Holm 1979): 0 for one that doesn't count.

    The smallest of m has to meet ``level / m``, the next ``level / (m - 1)``, and so on, up to the
    first that doesn't. Equal ones have to meet the strictest of their levels, so that their order
    doesn't matter.
    """
    found, stopped, before, own = {}, False, -1.0, 0.0
    for n, key in enumerate(sorted(p_values, key=p_values.get)):
        p = p_values[key]
        if not math.isclose(p, before):  # sums in another order may differ in the last digit
            own = level / (len(p_values) - n)
        stopped |= p > own
        found[key], before = 0.0 if stopped else own, p
    return found


@functools.lru_cache(maxsize=2**14)
def rank_test(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float]:
    """Return the chance of ranks of `a` as low as these, and as high, if a and b were one sample.

    That is the exact permutation distribution of the rank sum, ties by their mean rank (Mann and
    Whitney 1947). Values may be infinite; raises ValueError for a NaN or an empty sample.
    """
    pooled = np.array([*a, *b], float)
    if not a or not b or np.isnan(pooled).any():
        raise ValueError(f"a, b: expected some numbers, and no NaN, in each; got {a} and {b}")
    _, place, counts = np.unique(pooled, return_inverse=True, return_counts=True)
    ranks = (2 * (np.cumsum(counts) - counts) + counts + 1)[place]  # doubled, so they are whole
    got, mean = int(ranks[: len(a)].sum()), len(a) * (len(pooled) + 1)
    if got > mean:  # count the tail that is nearer
        return rank_test(tuple(-v for v in a), tuple(-v for v in b))[::-1]
    ranks, got = ranks - ranks.min(), got - len(a) * int(ranks.min())  # the same from 0: smaller
    ranks = ranks[ranks <= got]
    sums = np.zeros((len(a) + 1, got + 1))  # how many choices of so many runs have that sum
    sums[0, 0] = 1
    for n, rank in enumerate(ranks, start=1):
        most, least = min(n, len(a)), max(1, len(a) - (len(ranks) - n))  # chosen so far
        sums[least : most + 1, rank:] += sums[least - 1 : most, : got + 1 - rank]
    chances = sums[-1] / math.comb(len(pooled), len(a))
    low = min(1.0, float(chances.sum()))
    return low, min(1.0, 1 - low + float(chances[-1]))


def factor_between(
    a: Sequence[float], b: Sequence[float], first: float = 0.0, level: float = LEVEL
) -> tuple[float, float, float]:
    """Return by what factor `a` lies above `b`, and its exact interval of ``1 - level``.

    The estimate is the median over all pairs of a run of each, ``a / b``; the interval takes in the
    factors that the rank test doesn't exclude. A pair of two infinities, or of two runs that were
    there at the `first` look, may have any ratio, and counts as the lowest for the lower end and as
    the highest for the upper one: so does, on its side, a pair with one run at the first look. The
    estimate is NaN where these make it ambiguous.
    """
    a, b = np.array(a, float)[:, None], np.array(b, float)[None]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = a / b
    both = np.isinf(a) & np.isinf(b)
    low = np.sort(np.where(both | (a <= first), 0, ratios), axis=None)
    high = np.sort(np.where(both | (b <= first), np.inf, ratios), axis=None)
    n, m = a.size, b.size
    k = int(np.searchsorted(np.cumsum(_untied(n, m)), level / 2, side="right"))  # left out
    middle = [np.median(low), np.median(high)]
    value = middle[0] if middle[0] == middle[1] else math.nan
    ends = (low[k - 1], high[n * m - k]) if k else (0.0, math.inf)
    return float(value), *map(float, ends)


def _untied(n: int, m: int) -> np.ndarray:
    """Return the chances of each value of the count of pairs, 0 to n m, if there are no ties."""
    sums = np.zeros((n + 1, n * m + 1))
    sums[0, 0] = 1
    for place in range(n + m):
        for chosen in range(min(n, place + 1), 0, -1):
            shift = place - (chosen - 1)  # how many of the others stand before it
            if shift <= m:
                sums[chosen, shift:] += sums[chosen - 1, : n * m + 1 - shift]
    return sums[n] / math.comb(n + m, n)


def _scaled(values, factor: float, first: float) -> tuple[float, ...]:
    return tuple(first if v <= first else max(first, v * factor) for v in values)


def _word(answer: Answer | None, level: float) -> str:
    if answer is None:
        return "no data"
    if answer.p > level or not answer.sign:
        return "undecided"
    return "holds" if answer.sign > 0 else "fails"


def _one_left_out(question) -> Iterable[tuple]:
    """Yield the samples of a question without each of its runs in turn, equal ones once."""
    for n, sample in enumerate(question.samples):
        for value in set(sample) if len(sample) > 1 else ():
            k = sample.index(value)
            yield *question.samples[:n], sample[:k] + sample[k + 1 :], *question.samples[n + 1 :]


def _resampled(question, rng) -> Iterable[tuple]:
    for _ in range(RESAMPLINGS):
        yield tuple(
            tuple(sorted(sample[k] for k in rng.integers(len(sample), size=len(sample))))
            for sample in question.samples
        )
