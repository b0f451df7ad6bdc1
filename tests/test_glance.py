"""The page *Results at a glance* says what the rows and the chapters say."""

from types import SimpleNamespace

import glance
import numpy as np
import pytest

from lstm_lesson.experiments import questions


@pytest.mark.slow
def test_the_page_is_as_the_program_writes_it():
    page = glance.PAGE.read_text(encoding="utf-8")
    assert glance.written(page) == page, "python tests/glance.py writes it anew"


def test_every_chapter_of_the_first_edition_has_claims():
    for page, (read, _) in glance.FIRST.items():
        if page not in glance.made():
            assert len([*read()]) >= 8, page


def test_a_difference_of_large_numbers_has_an_interval():
    a, b = np.arange(900.0, 910), np.arange(100.0, 110)
    arms = [SimpleNamespace(values=lambda field, v=v: v) for v in (a, b)]
    found = glance.effect({"kind": "higher", "field": "longest"}, arms)
    assert found.value == pytest.approx(800)
    assert 790 < found.low < 800 < found.high < 810


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="no marks for second"):
        glance.written("# Results")


@pytest.mark.parametrize(
    ("value", "text"), [(float("nan"), "?"), (float("inf"), "∞"), (0.3333, "0.33"), (12.3, "12")]
)
def test_numbers_are_short(value, text):
    assert glance.number(value) == text


def test_chapters_16_and_18_say_the_same_of_the_same_rows():
    """Learning later and learning more slowly are one thing."""
    sixteen = {claim: found.word for claim, found in questions.claims("16").items()}
    eighteen = {claim: word for claim, _, word in glance.of_18()}
    for part in ("a forget gate", "an input gate", "an output gate", "an output activation"):
        later = sixteen[f"Without {part}, an LSTM learns later."]
        assert eighteen[f"Without {part} an LSTM learns more slowly."] == later
    later = sixteen["Coupled gates make an LSTM learn later."]
    assert eighteen["Coupled gates make an LSTM learn more slowly."] == later
    turned = {"holds": "fails", "fails": "holds"}
    later = sixteen["Peepholes make an LSTM learn later."]
    assert eighteen["Peepholes make an LSTM learn faster."] == turned.get(later, later)
