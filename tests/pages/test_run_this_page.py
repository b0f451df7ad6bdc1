"""A reader who has one page gets a running chapter from it, in an empty folder."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from browser import HTML, need_book
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
MYST = re.compile(
    r"\{[\w:+-]+\}`|^ *(?:`{3,}|:{3,})\{|^ *:{3,}|^:[\w-]+:|^\([\w-]+\)=|\]\(\)", re.M
)


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request) -> Path:
    """A notebook of the book whose page was built."""
    need_book()
    return request.param


def offered(chapter: Path) -> Path:
    return HTML / "_sources" / "chapters" / chapter.name


def article(chapter: Path):
    page = HTML / "chapters" / f"{chapter.stem}.html"
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select_one("article")


def cells(path: Path, kind: str) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == kind]


@pytest.mark.slow
def test_the_page_offers_what_its_three_lines_name(chapter):
    box = article(chapter).select_one("details.run-this-page")
    lines = box.select_one("pre").text.splitlines()
    files = {Path(a["href"]).name: a["href"] for a in box.select("a")}
    assert all((HTML / "chapters" / href).resolve().exists() for href in files.values())
    assert len(lines) == 3
    wheel = re.search(r"[\w./:-]+\.whl", lines[1])[0]
    assert "[book]" in lines[1]
    assert Path(wheel).name in files or "://" in wheel
    assert (HTML / Path(wheel).name).exists()
    assert lines[2].endswith(f" {chapter.name}")
    assert chapter.name in files


@pytest.mark.slow
def test_any_jupyter_shows_the_prose_of_a_copy_whole(chapter):
    copy = offered(chapter)
    nbformat.validate(nbformat.read(copy, 4))
    shown = "\n".join(cells(copy, "markdown"))
    prose = re.sub(r"^```\w*\n.*?^```$", "", shown, flags=re.M | re.S)
    assert MYST.findall(prose) == []
    # As on the page, number for number: what is glued is set off there.
    page = " ".join(article(chapter).get_text().replace("’", "'").split())
    for source in cells(chapter, "markdown"):
        for before in re.findall(r"([\w ]{8,}) ?\{glue:text\}`", source):
            after = re.findall(re.escape(before) + r" ?(\S*\w)", shown)  # once, or more often
            assert any(f"{before.strip()} {number}" in page for number in after), before
    assert cells(copy, "code")[1:] == cells(chapter, "code")


@pytest.mark.slow
def test_a_copy_brings_the_pictures_of_its_prose(chapter):
    copy = json.loads(offered(chapter).read_text(encoding="utf-8"))
    for cell in copy["cells"]:
        named = re.findall(r"!\[[^\]]*\]\((?:attachment:)?([^)]+)\)", "".join(cell["source"]))
        if cell["cell_type"] == "markdown":
            kept = cell.get("attachments", {})
            assert {*named} == {*kept}
            assert all({*files} == {"image/png"} for files in kept.values())
    assert "../plots" not in "".join(cells(offered(chapter), "markdown"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The wheel of the pages as pip would leave it: a folder to import from."""
    need_book()
    folder = tmp_path_factory.mktemp("site")
    (wheel,) = HTML.glob("lstm_lesson-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(folder: Path, name: str, monkeypatch, path) -> nbformat.NotebookNode:
    """Run the notebook that is offered in an empty folder, with a package from `path` alone."""
    notebook = nbformat.read(offered(Path(name)), 4)
    monkeypatch.setenv("PYTHONPATH", str(path))
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["03_open_the_gates.ipynb", "16_remove_one_piece.ipynb"])
def test_a_downloaded_notebook_runs_on_the_wheel_alone(tmp_path, installed, monkeypatch, name):
    ran = run(tmp_path, name, monkeypatch, installed)
    assert all(c.execution_count for c in ran.cells if c.cell_type == "code")
    where = "import lstm_lesson; print(lstm_lesson.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], capture_output=True, text=True, cwd=tmp_path
    )
    assert found.stdout.startswith(str(installed))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("09_match_pytorch.ipynb", "torch"),
        ("03_open_the_gates.ipynb", "anywidget"),  # for a module of ours, not for the notebook
        ("16_remove_one_piece.ipynb", "tqdm"),
    ],
)
def test_a_downloaded_notebook_says_what_it_lacks(tmp_path, installed, monkeypatch, name, lacks):
    (tmp_path / "empty").mkdir()
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    # As if that package weren't there: found, in this environment, by whoever looks for it.
    (blocked / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        f"u.find_spec = lambda name, *more: None if name == {lacks!r} else find(name, *more)\n"
    )
    with pytest.raises(CellExecutionError) as error:
        run(tmp_path / "empty", name, monkeypatch, f"{blocked}:{installed}")
    assert f"this notebook needs {lacks}; the cell above says how to get it" in str(error.value)
