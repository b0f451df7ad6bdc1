"""The page of the package names every module where a reader looks for it, and its examples run."""

import importlib
import inspect
import itertools
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import house
import matplotlib.pyplot as plt
import pytest

from lstm_lesson import cli
from lstm_lesson.interop.kit import oracle, plain
from lstm_lesson.interop.kit.cases import CASES

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


@pytest.mark.slow
def test_each_call_of_the_table_works_as_it_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    first, rest = re.search(r"^```python\n(.*?)^```(.*)", PAGE, re.M | re.S).groups()
    exec(first, names)
    exec(MORE, names)
    table = re.search(r"^\| I want to \|.*?\n\n", rest, re.M | re.S)[0]
    calls = [re.findall(r"`([^`]+)`", row.split("|")[2]) for row in table.split("\n")[2:-2]]
    assert len(calls) >= 15
    for call in itertools.chain(*calls):
        if call.startswith("lstm-lesson kit check"):
            Path("results").mkdir()
            for id, case in CASES.items():
                found = plain.solve(case, oracle.draw(case))
                kept = {k: a.tolist() for k, a in found.items()}
                Path("results", f"{id}.json").write_text(json.dumps({"results": kept}))
        if call.startswith("lstm-lesson "):
            assert cli.main(shlex.split(call)[1:]) == 0, call
        elif "(" in call and call != "get_weights()":
            eval(call, names)
    assert Path("mine.json").exists()


# What a reader of the table has, beyond the first lines of the page.
MORE = """
import torch
from lstm_lesson.inspect import interventions, mutants
from lstm_lesson.inspect.interventions import Hold
from lstm_lesson.training import Adam, Batch, SequenceModel, fit, mean_squared_error

module = torch.nn.LSTM(3, 5)
weights = interop.to_keras(layer)
op_type, attributes, W, R, B, _ = interop.to_onnx(layer)
model = SequenceModel(LSTM(3, 5), Linear(5, 1), mean_squared_error, read="last")
data = Batch(x.astype(np.float32), target=np.zeros((2, 1), np.float32))
layer.save("mine.safetensors")
arrays = interop.to_layout("flax", layer)
"""


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
