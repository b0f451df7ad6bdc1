"""What the pages say about themselves: with an address, and without one, when nothing points there.

A small book is built for both, with the extension and the tags of the real one.
"""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browser import HTML, need_book

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "chapters" / "extensions"
ADDRESS, REPOSITORY = "https://book.example/lstm", "https://code.example/someone/lstm"
SETTINGS = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
extensions = ["site_data"]
project = "A book"
html_theme = "sphinx_book_theme"
root_doc = "intro"
html_static_path = ["static"]
ogp_social_cards = {{"enable": False}}
ogp_custom_meta_tags = ['<meta name="twitter:card" content="summary_large_image">']
"""


def build(folder: Path, **settings) -> Path:
    (folder / "static").mkdir()
    (folder / "plots").mkdir()
    (folder / "chapters").mkdir()
    for name in ("static/icon-180.png", "plots/social_card.png"):
        (folder / name).write_bytes(b"\x89PNG")
    (folder / "conf.py").write_text(SETTINGS, encoding="utf-8")
    toc = "A book\n======\n\nIt has a page.\n\n.. toctree::\n\n   chapters/glossary\n"
    (folder / "intro.rst").write_text(toc, encoding="utf-8")
    (folder / "chapters" / "glossary.rst").write_text("Glossary\n========\n\nWords.\n")
    out = folder / "html"
    # In a process of its own: sphinx-sitemap forks one that stays as long as the tests, with the
    # pipes of their browser and of their worker, neither of which could then end.
    set_to = [f"-D{name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "sphinx", "-q", "-d", folder / "trees", *set_to, folder, out]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise ChildProcessError(done.stderr)
    return out


@pytest.fixture
def unset(monkeypatch):
    """No setting of this machine."""
    for name in ("BOOK_ADDRESS", "BOOK_REPOSITORY", "READTHEDOCS"):
        monkeypatch.delenv(name, raising=False)


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unset")]


def test_without_an_address_nothing_points_anywhere(tmp_path):
    out = build(tmp_path)
    text = (out / "intro.html").read_text(encoding="utf-8")
    assert re.search('<meta name="description" content="[^"]*It has a page.', text)
    assert "example" not in text
    for tag in ("og:url", "og:image", "twitter:", 'rel="canonical"', "Open issue"):
        assert tag not in text
    assert not (out / "sitemap.xml").exists() and not (out / "_static/social_card.png").exists()
    assert "Sitemap" not in (out / "robots.txt").read_text()


def test_with_an_address_every_page_names_its_own(tmp_path):
    out = build(tmp_path, book_address=ADDRESS, book_repository=f"{REPOSITORY}/")
    text = (out / "chapters" / "glossary.html").read_text(encoding="utf-8")
    page = f"{ADDRESS}/chapters/glossary.html"
    assert f'<link rel="canonical" href="{page}"' in text
    assert f'<meta property="og:url" content="{page}"' in text
    assert f'<meta property="og:image" content="{ADDRESS}/_static/social_card.png"' in text
    assert "twitter:card" in text and (out / "_static" / "social_card.png").exists()
    assert f'href="{REPOSITORY}"' in text and f"{REPOSITORY}/issues" in text
    places = [e.text for e in ElementTree.parse(out / "sitemap.xml").iter() if e.text]
    assert sorted(places) == [page, f"{ADDRESS}/intro.html"]
    assert f"Sitemap: {ADDRESS}/sitemap.xml" in (out / "robots.txt").read_text()
    assert '<base href="/lstm/">' in (out / "404.html").read_text(encoding="utf-8")


def test_the_environment_says_the_address_of_one_build(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_ADDRESS", ADDRESS)
    assert ADDRESS in (build(tmp_path) / "intro.html").read_text(encoding="utf-8")


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(ChildProcessError, match="book_address: expected an address"):
        build(tmp_path, book_address="book.example")


def test_the_first_page_stands_where_a_server_looks_for_it(tmp_path):
    out = build(tmp_path)
    assert (out / "index.html").read_bytes() == (out / "intro.html").read_bytes()
    assert (out / ".nojekyll").exists()


def test_the_page_for_wrong_addresses_works_from_any(tmp_path):
    text = (build(tmp_path) / "404.html").read_text(encoding="utf-8")
    assert text.index("<base") < text.index("href=", text.index("<base") + 20)
    assert '<base href="/">' in text and 'href="intro.html"' in text
    assert not re.findall(r'(?:href|action)="#', text)


def test_every_page_of_the_book_has_its_own_description():
    need_book()
    found = {}
    for path in [HTML / "intro.html", *(HTML / "chapters").glob("*.html")]:
        text = path.read_text(encoding="utf-8")
        found[path.name] = re.findall(r'<meta name="description" content="([^"]+)"', text)
    assert all(len(each) == 1 and len(each[0]) > 25 for each in found.values()), found
    assert len({each[0] for each in found.values()}) == len(found)
