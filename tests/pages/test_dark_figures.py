"""Drawings on dark pages: the same file and shapes, other colours, and no paper."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lesson import figures

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "chapters" / "extensions"))
import dark_figures  # noqa: E402


def drawing(draw=lambda ax: None) -> str:
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        figures.use_style()
        figure, ax = plt.subplots()
        draw(ax)
        text = figures.to_svg(figure)
        plt.close(figure)
    return text


def colours(text: str) -> set[str]:
    return set(re.findall(r"#[0-9a-f]{6}\b", text))


@pytest.mark.parametrize(
    ("light", "dark"),
    [("#ffffff", "#151515"), ("#000000", "#e6e6e6"), ("#0072B2", "#2fb0ff"), ("#123456",) * 2],
)
def test_greys_turn_around_gates_get_their_shade_and_other_colours_stay(light, dark):
    assert dark_figures.in_the_dark(light) == dark


def test_shades_are_those_of_the_style_sheet_for_every_quantity():
    sheet = (ROOT / "chapters" / "assets" / "lesson.css").read_text(encoding="utf-8")
    dark = re.search(r'html\[data-theme="dark"\] \{(.*?)\}', sheet, re.S)[1]
    for key, colour in figures.COLOURS.items():
        shade = re.search(rf"--gate-{key}: (#\w+);", dark)[1]
        assert dark_figures.in_the_dark(colour) == shade
        assert dark_figures.in_the_dark(figures.INKS[colour]) == shade


def test_series_have_a_shade_in_the_dark_too():
    for colour in figures.SERIES.values():
        for drawn in (colour, figures.INKS.get(colour, colour)):
            assert dark_figures.in_the_dark(drawn) != drawn


def split(text: str) -> tuple[str, str]:
    """Return the rules for the dark in a drawing, and the drawing without them."""
    rules = re.search("<style>(:target.*?)</style>", text)
    return rules[1], text.replace(rules[0], "")


def test_the_rules_for_the_dark_name_what_is_in_the_drawing_which_has_no_paper():
    text = drawing(lambda ax: ax.plot([1, 2], "o-", color=figures.COLOURS["f"]))
    rules, light = split(dark_figures.in_both(text))
    assert re.search('<svg [^>]* id="dark">', light)
    assert "#ffffff" in colours(text) and "#ffffff" not in colours(light)
    assert "#d55e00" in colours(light)
    for name, colour, dark in re.findall(
        r':target \[style\*="([\w-]+):(#\w+)"\]\S*?\{\1:(#\w+)!important\}', rules
    ):
        assert re.search(f'style="[^"]*{name}:{colour}', light)
        assert dark == dark_figures.in_the_dark(colour) != colour
    assert "{stroke:#ff7f1a!important}" in rules
    # What is black in a drawing has no colour written down.
    assert rules.startswith(":target{fill:#e6e6e6}")


# In a browser, where a mark in many places is drawn from one: what it's on has one colour.
SEEN = """async ({text, name}) => {
    const img = new Image();
    img.src = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"})) + name;
    await img.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [img.width, img.height];
    const context = canvas.getContext("2d");
    context.drawImage(img, 0, 0);
    const {data} = context.getImageData(0, 0, img.width, img.height);
    const seen = {};
    for (let k = 0; k < data.length; k += 4)
        if (data[k + 3] === 255) {
            const rgb = (data[k] << 16 | data[k + 1] << 8 | data[k + 2]).toString(16);
            seen[rgb] = (seen[rgb] || 0) + 1;
        }
    const often = Object.keys(seen).filter(rgb => seen[rgb] > 20);
    return often.map(rgb => "#" + rgb.padStart(6, "0"));
}"""


def test_a_browser_draws_it_in_the_colours_of_the_page(open_tab):
    def draw(ax):
        ax.plot([1, 2], "s-", color=figures.COLOURS["f"], markersize=12, linewidth=6)
        ax.text(1, 1.5, "a", bbox={"fc": "white", "ec": "none"}, size=30)
        ax.text(0, 1.5, "m", bbox={"fc": "white", "ec": "none"}, gid="on-map-0", size=30)

    tab, problems = open_tab("blob:")
    text = dark_figures.in_both(drawing(draw))
    light, dark = (set(tab.evaluate(SEEN, {"text": text, "name": n})) for n in ("", "#dark"))
    assert {"#d55e00", "#ffffff"} <= light and not {"#ff7f1a", "#151515"} & light
    assert {"#ff7f1a", "#151515", "#ffffff"} <= dark and "#d55e00" not in dark
    assert problems == []


def test_the_ground_of_a_label_keeps_a_line_from_striking_it_through():
    text = drawing(lambda ax: ax.text(0.5, 0.5, "a", bbox={"fc": "white", "ec": "none"}))
    rules, light = split(dark_figures.in_both(text))
    assert light.count("fill:#ffffff") == 1
    assert rules.count("fill:#151515!important") == 1


def test_a_map_keeps_its_colours_and_the_letters_on_it():
    def draw(ax):
        ax.imshow(np.eye(2))
        ax.text(0, 0, "a", color="white", gid="on-map-0")

    text = drawing(draw)
    rules, light = split(dark_figures.in_both(text))
    image = re.compile(r'href="data:image/png;base64,([^"]*)"')
    assert image.search(light)[1].strip() == image.search(text)[1].strip()
    assert light.count("fill:#ffffff") == 1 and "#151515" not in rules
    every = re.findall(r"\[style\*=[^{]*", rules)
    assert every and all(each.endswith(":not([id^=on-map] *)") for each in every)
    assert ":target [id^=on-map]{fill:#000}" in rules


def test_a_page_shows_one_of_two_and_loads_no_more():
    tag = '<img alt="A line." class="a" src="../_images/x.svg" style="width: 3px" />'
    text = dark_figures.pair(tag, "../_images/x.svg", (540, 300), first=True)
    light, dark = re.findall(r"<img [^>]*>", text)
    assert 'class="a only-light" width="540" height="300"' in light and "lazy" not in light
    assert 'class="a only-dark"' in dark and 'loading="lazy"' in dark
    assert 'src="../_images/x.svg#dark"' in dark
    assert light.count("alt=") == dark.count("alt=") == 1
    assert "style" not in text


def test_a_drawing_is_as_large_as_its_points_say():
    assert dark_figures.size('<svg width="360pt" viewBox="0 0 360.4 244.8">') == (541, 367)


def test_a_picture_that_is_as_drawn_stays_one_and_gets_its_size(tmp_path):
    pictures = tmp_path / "_images"
    pictures.mkdir()
    (pictures / "x.svg").write_text(drawing(), encoding="utf-8")
    tag = '<img alt="x" class="{}" src="_images/x.svg" />'
    (tmp_path / "a.html").write_text(tag.format("as-drawn"))
    (tmp_path / "b.html").write_text(tag.format("other"))
    for _ in range(2):  # a second build leaves what it finds
        app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(name="html"))
        dark_figures.finish(app, None)
    (tmp_path / "c.html").write_text(tag.format("other"))
    dark_figures.finish(app, None)
    one, two = ((tmp_path / name).read_text().count("<img") for name in ("a.html", "c.html"))
    assert (one, two) == (1, 2)
    assert "width=" in (tmp_path / "a.html").read_text()
    assert (pictures / "x.svg").read_text(encoding="utf-8").count(":target{") == 1
