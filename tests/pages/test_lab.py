"""The widgets in JupyterLab: as the notebook is opened, and after restart and run all."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"
CHAPTERS = [
    path
    for path in sorted((ROOT / "chapters").glob("*.ipynb"))
    if VIEW in path.read_text(encoding="utf-8")
]
SECONDS = 120_000  # milliseconds, until a kernel has imported everything on a busy machine


def reduced(path: Path) -> dict:
    """A chapter's first code cell, which imports, and its widgets, with the saved state."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    kept = [cell for cell in code[1:] if any(VIEW in o.get("data", {}) for o in cell["outputs"])]
    return notebook | {"cells": [code[0], *kept]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab with its own settings and the reduced chapters, trusted."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    own = {f"JUPYTER_{n}_DIR": str(folder / n) for n in ("CONFIG", "DATA", "RUNTIME")}
    env = os.environ | own | {"IPYTHONDIR": str(folder / "ipython")}
    for path in CHAPTERS:
        copy = folder / "notebooks" / path.name
        copy.write_text(json.dumps(reduced(path)), encoding="utf-8")
        trust = [sys.executable, "-m", "jupyter", "trust", str(copy)]
        subprocess.run(trust, env=env, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "--port": port,
        "--ServerApp.root_dir": folder / "notebooks",
        "--IdentityProvider.token": "",
        "--LabApp.collaborative": False,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"{name}={value}" for name, value in options.items()]
    log = open(folder / "log.txt", "wb")
    server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            break
        except OSError:
            time.sleep(0.5)
    else:
        pytest.fail((folder / "log.txt").read_text())
    yield address
    server.terminate()
    server.wait(timeout=30)
    log.close()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_widgets_are_alive_in_jupyterlab(lab, chromium, path):
    context = chromium.new_context(viewport={"width": 1300, "height": 1600})
    tab = context.new_page()
    tab.goto(f"{lab}/lab/tree/{path.name}?reset")
    widgets = tab.locator(".jp-OutputArea .lstm-widget")

    def all_alive():
        for n in range(len(reduced(path)["cells"]) - 1):
            readout = widgets.nth(n).locator(".readout")
            readout.wait_for(timeout=SECONDS)
            before = readout.text_content()
            slider = widgets.nth(n).locator("input[type=range]:visible").first
            if slider.count():
                # JupyterLab takes the arrow keys for itself, unless told not to.
                slider.focus()
                tab.keyboard.press("ArrowRight")
                tab.wait_for_timeout(1000)
                assert readout.text_content() != before

    all_alive()  # from the state in the file, before anything was run
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Restart Kernel and Run All Cells").click()
    tab.locator(".jp-Dialog button.jp-mod-warn").click()
    last = tab.locator(".jp-CodeCell .jp-InputPrompt").last
    number = re.compile(rf"\[{len(reduced(path)['cells'])}\]")
    last.filter(has_text=number).wait_for(timeout=SECONDS)
    all_alive()
    assert tab.get_by_text("Error displaying widget").count() == 0
    context.close()
