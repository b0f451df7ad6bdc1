"""The package is one small house: rooms on few floors, no way up, nothing too large."""

import re
import sys
import tomllib
from graphlib import CycleError

import house
import pytest
from packaging.requirements import Requirement

ROOT = house.ROOT
IMPORTS = house.imports()
ROOMS = house.rooms(IMPORTS)


# ---- The package ----


def test_no_room_and_no_module_imports_in_a_circle():
    assert house.floors(ROOMS)
    assert house.floors(IMPORTS)


def test_the_house_is_small_enough_to_know():
    floors = house.floors(ROOMS)
    assert len(floors) <= 10
    assert max(floors.values()) < 5


def test_the_engine_stands_at_the_bottom_and_imports_nothing_of_ours():
    assert ROOMS["engine"] == set()
    assert house.floors(ROOMS)["engine"] == 0


def test_the_small_package_needs_only_what_it_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = {Requirement(line).name for line in project["dependencies"]}
    fast = {Requirement(line).name for line in project["optional-dependencies"]["fast"]}
    for module, path in house.modules().items():
        if house.room(module) in house.CORE:
            foreign = house.foreign_imports(path) - sys.stdlib_module_names - {"lstm_lesson"}
            # What the extra installs is asked for in these two; llvmlite comes with Numba.
            more = fast | {"llvmlite"} if module in ("engine.compiled", "engine.loop") else set()
            assert foreign <= installed | more, module


def test_a_module_is_one_idea():
    lines = {name: len(p.read_text("utf-8").splitlines()) for name, p in house.modules().items()}
    assert {name: n for name, n in lines.items() if n > 300} == {}


@pytest.mark.parametrize(("names", "most"), house.BUDGETS.items())
def test_a_budget_of_lines_holds(names, most):
    """`make count` prints what each room takes of it."""
    assert house.spent(house.count())[names] <= most


def test_the_tests_mirror_the_rooms():
    folders = {path.parent.name for path in (ROOT / "tests").rglob("test_*.py")} - {"tests"}
    built = {path.name for path in house.PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == built | {"pages"}


# ---- What CONTRIBUTING says of it ----

GUIDE = house.GUIDE.read_text(encoding="utf-8")


def test_the_guide_draws_the_house_as_it_is():
    """Run `python tests/house.py draw` if this fails."""
    assert house.drawn(ROOMS) in GUIDE
    assert GUIDE.count("```mermaid\n") == 1


def test_the_guide_says_what_lives_in_each_room():
    table = re.search(r"^\| room \|.*?\n\n", GUIDE, re.M | re.S)[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.M)) == sorted(ROOMS)


def test_every_file_that_the_guide_names_is_there():
    named = re.findall(r"`((?:lstm_lesson|tests|chapters|results|plots)/[\w./]*)`", GUIDE)
    named = [name for name in named if not re.search(r"NN|NAME", name)]
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


# ---- What reads the tree ----


@pytest.fixture
def tree(tmp_path):
    """Return a package of which every kind of import leads from one room to another."""
    package = tmp_path / "pack"
    sources = {
        "__init__": "from pack.low.cell import Cell\n__version__ = '1'\n",
        "low/__init__": "",
        "low/cell": "import math\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
                    "    import torch\nclass Cell: ...\n",
        "middle/__init__": "from pack.middle.loop import fit\n",
        "middle/loop": "import numpy as np\nfrom pack import Cell, __version__\n",
        "middle/deep/far": "import pack.low.cell\n",
        "top": "def main():\n    import tqdm\n    from pack.middle import fit, loop\n",
    }  # fmt: skip
    for name, source in sources.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return package


def test_every_kind_of_import_is_seen(tree):
    assert house.imports(tree) == {
        "low": set(),
        "low.cell": set(),
        "middle": {"middle.loop"},
        "middle.loop": {"low.cell"},
        "middle.deep.far": {"low.cell"},
        "top": {"middle", "middle.loop"},
    }
    rooms = house.rooms(house.imports(tree))
    assert rooms == {"low": set(), "middle": {"low"}, "top": {"middle"}}
    assert house.floors(rooms) == {"low": 0, "middle": 1, "top": 2}


def test_a_way_up_and_a_relative_import_are_found(tree):
    (tree / "low" / "cell.py").write_text("def step():\n    from pack.top import main\n")
    with pytest.raises(CycleError):
        house.floors(house.rooms(house.imports(tree)))
    (tree / "low" / "cell.py").write_text("from ..top import main\n")
    with pytest.raises(ValueError, match="absolute"):
        house.imports(tree)


def test_what_importing_needs_is_told_from_what_a_function_needs(tree):
    assert house.foreign_imports(tree / "low" / "cell.py") == {"math", "typing"}
    assert house.foreign_imports(tree / "top.py") == set()


def test_an_arrow_that_follows_from_others_is_left_out():
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert house.needed(graph) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}


def test_the_drawing_has_the_needed_arrows_and_takes_the_place_of_another():
    rooms = {"top": {"middle", "engine"}, "middle": {"engine"}, "engine": set()}
    drawing = house.drawn(rooms)
    assert re.findall(r"(\w+) --> (\w+)", drawing) == [("top", "middle"), ("middle", "engine")]
    assert "3 rooms on 3 floors, from engine at the bottom to top on top" in drawing
    assert re.findall(r"(\w+):::small", drawing) == ["engine"]
    text = "a\n\n```mermaid\nold\n```\n\nb\n\n```\nmake\n```\n"
    assert house.with_drawing(text, drawing) == text.replace("```mermaid\nold\n```\n", drawing)


def test_lines_of_code_are_counted(tmp_path):
    path = tmp_path / "module.py"
    path.write_text('"""What."""\n\n# why\nx = f(\n    1,\n)  # how\n\n\ndef f(a):\n    """Do."""\n'
                    '    s = """two\n    lines"""\n    return s\n')  # fmt: skip
    assert house.lines_of_code(path) == 3 + 1 + 2 + 1


def test_lines_are_counted_by_room(tree):
    assert house.count(tree) == {"": 2, "low": 5, "middle": 4, "top": 3}


def test_the_command_prints_every_room_and_every_budget(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["house.py", "count"])
    house.main()
    printed = capsys.readouterr().out
    for name, lines in house.count().items():
        assert not name or re.search(rf"^  {name} +floor \d +{lines:,}$", printed, re.M)
    for budget in house.BUDGETS.values():
        assert f" of {budget:5,}" in printed
