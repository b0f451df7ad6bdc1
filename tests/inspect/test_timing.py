"""Functions timed by turns: every one in every round, each round in another order."""

import itertools

import pytest

from lstm_lesson.inspect.timing import clock, in_turn


def test_the_median_is_taken_of_each_function():
    time, slow = [0.0], itertools.chain([9.0], itertools.cycle([1.0, 2.0, 30.0]))

    def takes(seconds):
        time[0] += seconds

    functions = {"slow": lambda: takes(next(slow)), "even": lambda: takes(0.5)}
    found = in_turn(functions, 0, rounds=3, now=lambda: time[0])
    assert found == {"slow": 2.0, "even": 0.5}  # the first call, of 9, isn't measured


def test_each_round_calls_all_of_them_in_an_order_of_its_own():
    calls = []
    in_turn({name: lambda name=name: calls.append(name) for name in "abc"}, 0, rounds=20)
    rounds = ["".join(calls[n : n + 3]) for n in range(0, len(calls), 3)]
    assert len(rounds) == 21
    assert {"".join(sorted(each)) for each in rounds} == {"abc"}
    assert len({*rounds}) > 3


def test_it_goes_on_until_time_is_up():
    calls = []
    in_turn({"one": lambda: calls.append(1)}, 0.02, rounds=1)
    assert len(calls) > 10


def test_the_clock_does_not_run_back():
    before = clock()
    sum(range(100_000))
    assert clock() >= before


@pytest.mark.parametrize(("functions", "rounds"), [({}, 5), ({"one": int}, 0)])
def test_nothing_to_time_is_refused(functions, rounds):
    with pytest.raises(ValueError, match="at least one function and one round, got"):
        in_turn(functions, 0, rounds=rounds)
