"""The model of the Bible loads, is as good as its file says, and its properties are counted."""

import numpy as np
import pytest

from lstm_lesson.pretrained import scripture
from lstm_lesson.tasks.datasets import FILES, bible, by_chapter


@pytest.mark.slow
def test_model_reaches_the_loss_that_its_file_states():
    model = scripture.load(dtype=np.float32)
    text, about = by_chapter(bible()), model.about
    assert about["characters"] == {part: len(t) for part, t in text._asdict().items()}
    stated = about["nats_per_character"]
    assert model.loss(text.test) == pytest.approx(stated["test"], abs=5e-4)


def test_file_says_where_it_comes_from():
    about = scripture.load().about
    assert FILES["bible"].digest in about["source"]
    assert about["licence"] == FILES["bible"].licence
    assert about["steps"] == scripture.PLAN.steps


def test_untrained_control_is_another_model():
    text = "In the beginning God created the heaven and the earth."
    assert scripture.load(trained=False).loss(text) > 4 > scripture.load().loss(text)


def test_properties_of_a_text():
    text = "1. It [was] so. 12. Ah"
    found = scripture.properties(text)
    assert {name: p.astype(int).tolist() for name, p in found.items()} == {
        "in brackets": [0] * 6 + [1] * 4 + [0] * 12,
        "in a verse number": [1] * 3 + [0] * 13 + [1] * 4 + [0] * 2,
        "verse position": [0, *range(1, 16), 0, 0, *range(1, 5)],
        "word position": [0] * 3
        + [1, 2]
        + [0] * 2
        + [1, 2, 3]
        + [0] * 2
        + [1, 2]
        + [0] * 6
        + [1, 2],
        "capital": [0] * 3 + [1] + [0] * 16 + [1, 0],
    }
