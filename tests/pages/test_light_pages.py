"""What the pages are relieved of: rules of style that no page names; and what is added: sizes."""

import sys
from pathlib import Path

import pytest
import tinycss2
from browser import HTML, need_book
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "chapters" / "extensions"))
import light_pages


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        (".a{x:1}.b{x:2}", ".a{x:1}"),
        (".a .b,.a>p,p{x:1}", ".a>p,p{x:1}"),
        (".a:not(.b){x:1}", ".a:not(.b){x:1}"),
        ("@media print{.b{x:1}}", ""),
        ("@media print{.a{x:1}.b{x:1}}", "@media print{.a{x:1}}"),
        ("@layer one;", "@layer one;"),
        ("@font-face{src:url(b.woff)}", "@font-face{src:url(b.woff)}"),
    ],
)
def test_rules_go_whose_class_no_page_names(sheet, expected):
    rules = tinycss2.parse_stylesheet(sheet, True, True)
    assert light_pages.prune(rules, {"a"}) == expected


def test_a_sheet_brings_what_it_imports_with_addresses_that_still_lead_there(tmp_path):
    (tmp_path / "themes" / "fonts").mkdir(parents=True)
    (tmp_path / "themes" / "base.css").write_text("p{background:url(fonts/a.woff?v=1#i)}")
    main = tmp_path / "themes" / "main.css"
    main.write_text('@import url("base.css");q{background:url(data:x)}/*# sourceMappingURL=m */')
    text = light_pages.read_sheet(main, tmp_path)
    assert text == "p{background:url(themes/fonts/a.woff?v=1#i)}\nq{background:url(data:x)}"


def test_pictures_get_their_size_and_the_later_ones_wait(tmp_path):
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    page = '<img src="a.png"><img alt="b" src="a.png"><img src="none.png"><img src="c.svg">'
    assert light_pages.size_pictures(page, tmp_path) == (
        '<img width="6" height="4" src="a.png"><img width="6" height="4" loading="lazy" alt="b" '
        'src="a.png"><img src="none.png"><img src="c.svg">'
    )


def test_of_static_files_those_stay_that_something_names(tmp_path):
    static = tmp_path / "_static"
    static.mkdir()
    (tmp_path / "page.html").write_text('<link href="_static/a.css?v=1"><script src="b.js">')
    (static / "a.css").write_text(
        "p{background:url(fonts/c.woff)}/*# sourceMappingURL=a.css.map */"
    )
    for name in ("a.css.map", "b.js", "c.woff", "d.css", "e.html"):
        (static / name).write_text("d.css" if name == "e.html" else "")
    kept = light_pages.needed(tmp_path, static)
    assert {path.name for path in kept} == {"a.css", "b.js", "c.woff"}


def test_what_a_search_needs_is_loaded_where_one_is_made(tmp_path):
    script = '<script defer src="../_static/searchtools.js"></script>'
    assert light_pages.lighten(f"<p></p>{script}", tmp_path) == "<p></p>"
    assert script in light_pages.lighten(f'<div id="search-results"></div>{script}', tmp_path)


def test_the_settings_that_scripts_need_at_once_stand_in_the_page(tmp_path):
    (tmp_path / "documentation_options.js").write_text("const DOCUMENTATION_OPTIONS = {};\n")
    script = '<script src="../_static/documentation_options.js?v=1"></script>'
    other = '<script src="../_static/doctools.js"></script>'
    assert light_pages.lighten(script + other, tmp_path) == (
        "<script>const DOCUMENTATION_OPTIONS = {};</script>"
        '<script defer src="../_static/doctools.js"></script>'
    )


def test_the_theme_lays_out_nothing_to_see_which_boxes_scroll():
    need_book()
    script = HTML / "_static" / light_pages.THEME_SCRIPT
    assert "scrollWidth" not in script.read_text(encoding="utf-8")
