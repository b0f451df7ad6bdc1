"""The page of the package names every module where a reader looks for it, and its examples run."""

import importlib
import inspect
import json
import re
from collections import Counter
from pathlib import Path

import house
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "chapters" / "api.md").read_text(encoding="utf-8")
MODULE = re.compile(r"^\.\. automodule:: lstm_lesson\.([\w.]+)\n   :members:$", re.M)
ON_THE_PAGE = MODULE.findall(PAGE)
INNER = re.findall(r"^- `lstm_lesson\.([\w.]+)`: ", PAGE, re.M)  # under "What you don't call"


def test_every_module_is_on_the_page_once():
    modules = {name for name, path in house.modules().items() if path.name != "__init__.py"}
    assert Counter(ON_THE_PAGE + INNER) == Counter(modules)


def test_no_chapter_imports_what_the_page_says_not_to_call():
    for path in (ROOT / "chapters").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                names = {".".join(each) for each in house.named("".join(cell["source"]))}
                names |= {name.rpartition(".")[0] for name in names}
                assert names.isdisjoint(INNER), path.name


def test_the_page_goes_from_room_to_room_and_from_the_bottom_up():
    sections = re.findall(r"^## `(\w+)`: .*?(?=^## )", PAGE, re.M | re.S)
    floor = house.floors(house.rooms(house.imports()))
    assert [floor[name] for name in sections] == sorted(floor[name] for name in sections)
    for text in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        name = re.match(r"(?:`(\w+)`: )?", text)[1]
        assert {house.room(module) for module in MODULE.findall(text)} <= {name}


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with plt.style.context("default"), plt.rc_context({"backend": "agg"}):
        exec("\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)), {})
    plt.close("all")


@pytest.mark.parametrize("name", ON_THE_PAGE)
def test_every_public_name_is_described_on_the_page(name):
    module = importlib.import_module(f"lstm_lesson.{name}")
    public = [
        value
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]
    # The page leaves out what has no docstring; a NamedTuple without one shows its signature.
    blank = [v for v in public if not v.__doc__ or v.__doc__.startswith(f"{v.__name__}(")]
    assert blank == []
