"""Lighthouse's scores of the built book, on a phone and on a desk.

    make lighthouse                                the pages below
    make lighthouse PAGE="index chapters/kit"     others

Needs Node, whose npx fetches Lighthouse, Chromium, and a machine that does nothing else: a busy one
scores lower. The pages are served compressed, as a host of pages does. Fails if a page scores less
than is asked of its kind, and says what it lost points for.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HTML = Path(__file__).parents[1] / "_build" / "html"
RELEASE = "12.8.2"  # the last that runs on Node 20
PAGES = (
    "index",
    "chapters/03_open_the_gates",
    "chapters/05_send_gradients_back",
    "chapters/12_watch_the_gates",
    "chapters/17_repeat_1997",
    "chapters/19_write_text",
    "chapters/glossary",
    "chapters/notation",
)
ASKED = {"mobile": (95, 90), "desktop": (100, 98)}  # of speed, without and with a widget
OTHERS = ("accessibility", "best-practices", "seo")  # 100 is asked of each


class Compressed(http.server.SimpleHTTPRequestHandler):
    """Serve files, those of text compressed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        content, kind = path.read_bytes(), self.guess_type(path)
        text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if text else kind)
        if text:
            content = gzip.compress(content, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def scores(url: str, form: str) -> tuple[dict[str, float], list[str]]:
    """Return the scores of a page, 0 to 100 by category, and what it lost points for."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            "npx", "--yes", f"lighthouse@{RELEASE}", url, "--quiet", "--output=json",
            f"--output-path={report}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            *(["--preset=desktop"] if form == "desktop" else []),
        ]  # fmt: skip
        chromium = shutil.which("chromium")  # any other that is there Lighthouse finds by itself
        known = {"CHROME_PATH": chromium} if chromium else {}
        subprocess.run(command, check=True, env=known | os.environ, timeout=300)
        found = json.loads(report.read_text(encoding="utf-8"))
    lost = []
    for category in found["categories"].values():
        for part in category["auditRefs"]:
            audit = found["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                lost.append(f"{audit['title']} ({audit.get('displayValue', part['id'])})")
    by_name = found["categories"].items()
    return {name: round(100 * category["score"]) for name, category in by_name}, lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", default=PAGES, help="addresses in the book")
    asked_for = parser.parse_args().pages
    if not shutil.which("npx"):
        parser.exit(1, "expected Node's npx on the path, found none\n")
    handler = functools.partial(Compressed, directory=HTML)
    low = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"{'page':34s} {'form':8s} speed  accessible  practices  search")
        for page in asked_for:
            file = HTML / f"{page}.html"
            if not file.is_file():
                parser.exit(1, f"{file}: expected a page of the built book\n")
            widget = "widget-view" in file.read_text(encoding="utf-8")
            for form in ("mobile", "desktop"):
                got, lost = scores(f"http://127.0.0.1:{server.server_port}/{page}.html", form)
                speed, others = got["performance"], [got[name] for name in OTHERS]
                columns = "".join(
                    f"{n:{wide}d}" for n, wide in zip(others, (12, 11, 8), strict=True)
                )
                note = "  with a widget" if widget else ""
                print(f"{page:34s} {form:8s} {speed:5d}{columns}{note}", flush=True)
                if speed < ASKED[form][widget] or min(others) < 100:
                    low += 1
                    print(*(f"    {line}" for line in lost), sep="\n")
        server.shutdown()
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
