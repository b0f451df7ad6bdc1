"""Make one PDF of the built pages: contents, bookmarks, links, and the answers at the end.

    python chapters/extensions/print_book.py _build/html _build/inside-the-lstm.pdf

The pages are put into one, in the order of `_toc.yml`, and Chromium prints it. Hints, answers and
solutions, which pages fold, go to the end, with a link each way; folded code, which draws or
imports, is left out. Once that is printed the page of each place is known: the contents are printed
again, with the numbers, and take the place of the first.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from pikepdf import Name, ObjectStreamMode, Pdf

ROOT = Path(__file__).parents[2]
STYLE = Path(__file__).with_name("print_book.css")
BROWSERS = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
]
NO_BROWSER = (
    "make pdf prints with Chromium, Chrome or Edge, and finds none here: install one, or say where "
    "it is: make pdf CHROMIUM=/path/to/chrome"
)
MINUTES = 20  # a slow machine prints the book in a third of that
# What a sheet of paper has no use for.
DROPPED = "script, style, button, svg, .headerlink, .only-dark, .d-print-none, .run-this-page"


# ---- The pages as one ----


def make(name: str, *content: str | Tag, **attributes: str) -> Tag:
    """Return an element; `class_` is its class, and `data_x` its attribute `data-x`."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    tag = BeautifulSoup("", "html.parser").new_tag(name, attrs=named)
    tag.extend(content)
    return tag


def page_of(anchor: str) -> Tag:
    """Return the place of the number of a page, which is known once the book is printed."""
    return make("span", "000", class_="page-of", data_of=anchor)


def table_of_contents() -> list[tuple[str, list[str]]]:
    """Return each part's caption, that of the first being empty, and its pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [c["file"] for c in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *parts]


class Page:
    """A built page on its way into the book: `article` is what is read of it.

    Ids and links get a form that is unique in the whole book.
    """

    def __init__(self, html: Path, name: str, names: list[str]) -> None:
        self.html, self.name, self.names = html, name, names
        text = (html / f"{name}.html").read_text(encoding="utf-8")
        self.article = BeautifulSoup(text, "html.parser").select_one("article")
        self.title = self.article.h1
        for tag in self.article.select(DROPPED):
            tag.decompose()
        for tag in self.article.select("details.above-input"):
            tag.decompose() if not tag.select(".cell_output") else tag.summary.decompose()
        for tag in self.article.select("[id]"):
            tag["id"] = self.id(name, tag["id"])
        for tag in self.article.select("a[href]"):
            tag["href"] = self.target(tag["href"])
            if not tag["href"]:
                tag.unwrap()
        for tag in self.article.select("img[src]"):
            tag["src"] = ((html / name).parent / unquote(tag["src"])).resolve().as_uri()
            tag.attrs.pop("loading", None)
        self.article["id"] = self.id(name)

    def id(self, page: str, anchor: str = "") -> str:
        return f"p{self.names.index(page)}" + (f"-{anchor}" if anchor else "")

    def target(self, address: str) -> str:
        """Return where a link leads: an id of the book, another site, or nowhere."""
        if urlsplit(address).scheme:
            return address
        path, anchor = urldefrag(address)
        there = os.path.relpath((self.html / self.name).parent / unquote(path), self.html)
        page = there.replace(os.sep, "/").removesuffix(".html") if path else self.name
        return f"#{self.id(page, unquote(anchor))}" if page in self.names else ""

    def take_answers(self) -> list[Tag]:
        """Take from the page its hints, answers and solutions; leave links to them; return them."""
        taken, chapter = [], re.match(r"\d*", self.title.get_text())[0]
        for fold in self.article.select("details:not(.sd-dropdown)"):  # what a cell shows
            if fold.summary:
                fold.summary.decompose()
            fold.unwrap()
        for fold in self.article.select("details, .solution"):
            if fold.find_parent(lambda tag: tag.name == "details" or "solution" in classes(tag)):
                continue
            anchor = f"{self.article['id']}-answer-{len(taken) + 1}"
            exercise = fold.find_parent(class_="exercise")
            name, title = "Solution", None
            summary = fold.find("summary", recursive=False)
            if summary:
                name = summary.get_text(" ", strip=True)
                number = exercise and exercise.select_one(".caption-number")
                place = f" to {number.get_text(strip=True)}" if number else ""
                back = make("a", f"{name}{place}", href=f"#{anchor}-here")
                if not number:
                    name = f"{name} {chapter}.{len(taken) + 1}"
                    back.string = name
                title = make("p", back, class_="answer-title")
            link = make("a", f"{name}: at the end", href=f"#{anchor}")
            fold.replace_with(make("p", link, id=f"{anchor}-here", class_="to-answer"))
            if title:
                summary.replace_with(title)
                fold["class"] = "folded"  # and no card or box of the theme's
            taken.append(make("section", fold, id=anchor, class_="answer"))
        for tag in [self.article, *taken]:
            for fold in tag.select("details"):
                fold.name = "div"
        return taken


def classes(tag: Tag) -> list[str]:
    return tag.get("class", [])


def lower(article: Tag) -> None:
    """Make the headings of a page one level smaller, so that they belong to its part."""
    for level in (5, 4, 3, 2, 1):
        for heading in article.select(f"h{level}"):
            heading.name = f"h{level + 1}"


def entry(heading: Tag, anchor: str, class_: str) -> Tag:
    """Return a line of the contents."""
    text = make("span", class_="text")
    text.append(BeautifulSoup(heading.decode_contents(), "html.parser"))
    for link in text.select("a"):
        link.unwrap()
    return make("a", text, page_of(anchor), href=f"#{anchor}", class_=f"entry {class_}")


def assemble(html: Path) -> BeautifulSoup:
    """Return the whole book as one page, in which numbers of pages are still missing."""
    parts = table_of_contents()
    names = [name for _, pages in parts for name in pages]
    contents = make("nav", make("h1", "Contents"), class_="book-contents", id="contents")
    body, answers = [], []
    for number, (caption, pages) in enumerate(parts):
        if caption:
            body.append(make("h1", caption, class_="part", id=f"part-{number}"))
            contents.append(entry(body[-1], f"part-{number}", "part"))
        for name in pages:
            page = Page(html, name, names)
            taken = page.take_answers()
            contents.append(entry(page.title, page.article["id"], "chapter"))
            for section in page.article.select("section[id]"):
                if section.h2 and section.h2.parent is section:
                    contents.append(entry(section.h2, section["id"], "section"))
            if taken:
                answers.append(make("h2", page.title.get_text(), class_="answers-of"))
                answers += taken
            if caption:
                lower(page.article)
            body.append(page.article)
    answers.insert(0, make("h1", "Hints, answers and solutions", class_="part", id="answers"))
    contents.append(entry(answers[0], "answers", "part"))
    soup = BeautifulSoup((html / f"{names[0]}.html").read_text(encoding="utf-8"), "html.parser")
    sheets = [html / tag["href"] for tag in soup.select("link[rel=stylesheet]")]
    page = BeautifulSoup('<!DOCTYPE html><html lang="en"></html>', "html.parser")
    page.html.attrs.update({"data-theme": "light", "data-mode": "light"})
    head = make("head", make("meta", charset="utf-8"), make("title", soup.title.get_text()))
    for sheet in [*sheets, STYLE]:
        head.append(make("link", rel="stylesheet", href=sheet.resolve().as_uri()))
    main = make("main", *body, *answers, class_="bd-article")
    page.html.extend([head, make("body", title_page(html, soup), contents, main)])
    return page


def title_page(html: Path, intro: BeautifulSoup) -> Tag:
    """Return the first sheet: title, picture and who holds the rights."""
    title = make(
        "header", make("p", intro.select_one("article h1").find(string=True), class_="title")
    )
    picture = intro.select_one("article img:not(.only-dark)")
    if picture:
        source = (html / unquote(picture["src"])).resolve().as_uri()
        title.append(make("img", src=source, alt=""))
    rights = intro.select_one(".component-author, .copyright")
    if rights:
        title.append(make("p", rights.get_text(" ", strip=True), class_="rights"))
    title["class"] = "title-page"
    return title


# ---- Printing ----


def browser() -> str:
    """Return the path of a browser that prints; leave with one sentence where there is none."""
    for name in [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise SystemExit(NO_BROWSER)


def print_page(page: Path, pdf: Path) -> None:
    """Print a page to a PDF with bookmarks; leave with one line if it fails or takes too long."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            browser(),
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",  # which is small in a container
            "--no-first-run",
            f"--user-data-dir={profile}",
            "--allow-file-access-from-files",
            "--no-pdf-header-footer",
            "--generate-pdf-document-outline",
            f"--print-to-pdf={pdf.resolve()}",
            page.resolve().as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # it refuses the superuser otherwise
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=60 * MINUTES
            )
        except subprocess.TimeoutExpired:
            raise SystemExit(
                f"{command[0]} did not print the book within {MINUTES:g} minutes, and was stopped; "
                "is the machine very busy, or does it lack memory? Try make pdf again"
            ) from None
    if done.returncode or not pdf.exists():
        lines = done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"]
        raise SystemExit(f"{command[0]} did not print the book: {lines[-1].strip()}")


def pages_of(pdf: Pdf) -> dict[str, int]:
    """Return the page, from 1, of each place in a PDF that some link leads to."""
    numbers = {page.objgen: number for number, page in enumerate(pdf.pages, start=1)}
    return {
        unquote(name.removeprefix("/").replace("#", "%")): numbers[place[0].objgen]
        for name, place in pdf.Root.Dests.items()
    }


def number_contents(page: BeautifulSoup, numbers: dict[str, int]) -> None:
    """Leave the title and the contents alone, and number these; raise KeyError for a lost place."""
    page.main.decompose()
    for tag in page.select(".page-of"):
        tag.string = str(numbers[tag["data-of"]])


def print_soup(page: BeautifulSoup) -> Pdf:
    """Return a page as a PDF."""
    with tempfile.TemporaryDirectory() as folder:
        source, pdf = Path(folder) / "book.html", Path(folder) / "book.pdf"
        source.write_text(str(page), encoding="utf-8")
        print_page(source, pdf)
        return Pdf.open(BytesIO(pdf.read_bytes()))


def main(html: Path, path: Path) -> None:
    browser()  # before the work, not after
    page = assemble(html)
    book = print_soup(page)
    number_contents(page, pages_of(book))
    front = print_soup(page)
    for old, new in zip(book.pages, front.pages, strict=False):
        # The same lines on the same sheets; links, bookmarks and tags are those of the whole book.
        for key in ("/Contents", "/Resources"):
            old.obj[key] = book.copy_foreign(front.make_indirect(new.obj[key]))
    author = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["author"]
    book.docinfo["/Title"], book.docinfo["/Author"] = page.title.get_text(), author
    book.Root.PageMode = Name.UseOutlines
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path, object_stream_mode=ObjectStreamMode.generate)
    print(f"The book is printed, {len(book.pages)} pages: {path}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
