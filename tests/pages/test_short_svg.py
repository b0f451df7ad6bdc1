"""Drawings in fewer letters: the same shapes in the same places, and names that are used."""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path

from lstm_lesson import figures

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import short_svg


@pytest.fixture(scope="module")
def text() -> str:
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        figures.use_style()
        figure, (left, right) = plt.subplots(ncols=2)
        left.plot(np.random.default_rng(0).normal(size=50), "o-", label="$c_{t-1}$")
        left.text(1, 0, "Words", gid="on-map-0")
        left.legend()
        right.imshow(np.eye(3))
        drawing = figures.to_svg(figure)
        plt.close(figure)
    return drawing


@pytest.fixture(scope="module")
def shorter(text) -> str:
    return short_svg.short(ET.fromstring(text))


def shapes(text: str, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter(f"{short_svg.SVG}{tag}"))


def drawn(path: str) -> tuple[list[str], np.ndarray]:
    """Return what a path does, and the places of all its points."""
    pen = RecordingPen()
    parse_path(path, pen)
    commands, points = zip(*pen.value, strict=True)
    return commands, np.array([place for each in points for place in each])


def test_every_point_stays_in_its_place(text, shorter):
    before, after = shapes(text, "path"), shapes(shorter, "path")
    assert len(before) == len(after) > 30
    for one, other in zip(before, after, strict=True):
        (does, places), (does_too, places_too) = drawn(one.get("d")), drawn(other.get("d"))
        assert does == does_too
        letter = one.get("transform") == short_svg.FINE
        # To a sixteenth of a hundredth of a letter's height; elsewhere rounding in the sum alone.
        apart = np.abs(places_too - places / (8 if letter else 1)).max()
        assert apart <= (0.5 if letter else 1e-9)
        assert (other.get("transform") == short_svg.COARSE) == letter


def test_letters_stay_in_their_places(text, shorter):
    places = []
    for drawing in (text, shorter):
        found = []
        for use in shapes(drawing, "use"):
            moved = re.match(r"translate\((\S+) (\S+)\)", use.get("transform", ""))
            found.append(moved.groups() if moved else (use.get("x", 0), use.get("y", 0)))
        places.append(np.array(found, float))
    assert len(places[0]) > 30
    # A twentieth of a hundredth of a letter's height.
    np.testing.assert_allclose(places[1], places[0], atol=0.0501)


def test_what_is_referred_to_is_there_and_no_other_name(shorter):
    names = re.findall(r' id="([^"]*)"', shorter)
    used = set(re.findall(r'="(?:url\()?#([^")]+)', shorter))
    assert used and set(names) == used | {"on-map-0"}


def test_a_mark_has_the_style_that_each_of_its_places_gives_it():
    def marks(*styles: str) -> str:
        uses = "".join(f'<use href="#m" style="{style}"/>' for style in styles)
        drawn = f'<defs><path id="m" d="M 0 0 L 1 1" style="stroke: #777777"/></defs>{uses}'
        return short_svg.short(
            ET.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>')
        )

    same = marks("fill: red; stroke: #777777", "stroke: #777777")
    assert '<path id="a" d="m0 0 1 1"/>' in same and same.count("stroke:#777777") == 2
    assert marks("fill: red; stroke: #777777", "fill: red").count("stroke:#777777") == 2


def test_names_go_on_after_the_last_letter():
    uses = "".join(f'<use href="#name-{k}"/><g id="name-{k}"/>' for k in range(30))
    text = short_svg.short(ET.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{uses}</svg>'))
    assert len(set(re.findall(r' id="([^"]*)"', text))) == 30


def test_a_drawing_takes_two_thirds_and_is_not_shortened_twice(text, shorter):
    assert len(shorter) < 0.67 * len(text)
    assert short_svg.short(ET.fromstring(shorter)) == shorter


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("M 1 2 \nL 3 -4 \nL 5 6 \nz\n", "m1 2 2-6 2 10z"),
        ("M 1 2 \nL 1.5 2 \nz\nM 3 3 \nQ 3 4 5 5 \nQ 6 6 7 7 \n", "m1 2 .5 0zm2 1q0 1 2 2 1 1 2 2"),
        ("M 0 0 \nC 1 1 2 2 0.07 -0.1 \nL 1 1 \n", "m0 0c1 1 2 2 .07-.1l.93 1.1"),
        ("M 1 1 \nM 2 2 \nL 3 3 \n", "m1 1m1 1 1 1"),
        ("M 0.1 0.2 \nL 0.3 0.3 \nL 0.29 0.3 \n", "m.1 .2 .2 .1-.01 0"),
    ],
)
def test_a_path_goes_from_each_point_to_the_next(path, expected):
    assert short_svg.path(path) == short_svg.path(expected) == expected


@pytest.mark.parametrize(
    ("long", "short"),
    [("0.50", ".5"), ("-0.10", "-.1"), ("0.00", "0"), ("100", "100"), ("-0.0", "0")],
)
def test_a_number_has_no_zeros_that_say_nothing(long, short):
    assert short_svg.number(long) == short
