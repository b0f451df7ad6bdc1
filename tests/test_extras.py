"""Each extra of the package can be used by itself."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    name: {Requirement(line).name for line in lines}
    for name, lines in PROJECT["optional-dependencies"].items()
    if name not in ("book", "pages", "test")  # these are for the book, not for the package
}
# What an extra is for: modules that must import, and calls that must work, with it alone.
USES = {
    "": "import lstm_lesson, lstm_lesson.cli, lstm_lesson.training, lstm_lesson.tasks.reber, "
        "lstm_lesson.inspect.mutants, lstm_lesson.inspect.interventions, "
        "lstm_lesson.inspect.gate_statistics, lstm_lesson.pretrained.characters; "
        "assert lstm_lesson.cli.main(['case', 'selftest']) == 0",
    "torch": "from lstm_lesson.interop import cases, to_torch; cases.generate(); "
             "from lstm_lesson import LSTM; to_torch(LSTM(2, 3))",
    "plots": "import lstm_lesson.figures.diagrams",
    "fast": "from lstm_lesson import LSTM; import numpy as np; LSTM(2, 3).forward("
            "np.zeros((4, 1, 2), np.float32)); import numba, scipy",
    "onnx": "from lstm_lesson import LSTM, interop; "
            "interop.from_onnx(interop.to_onnx_model(LSTM(2, 3)).SerializeToString())",
    "data": "from lstm_lesson.tasks import datasets as d; "
            "d.bible(), d.glucose(), d.sunspots(), d.digits(), d.mnist_1d()",
    "widgets": "from lstm_lesson.widgets import Counter, GatePlayground, GradientHighway, Reader",
    "experiments": "import lstm_lesson.experiments.plots, distributed; "
                   "from lstm_lesson import cli; "
                   f"assert cli.main(['experiments', 'list', '--folder', {str(ROOT / 'results')!r}]"
                   ") == 0",
}  # fmt: skip


def test_every_extra_is_tried():
    assert set(USES) - {""} == set(EXTRAS)


@pytest.mark.parametrize("extra", USES)
def test_an_extra_is_enough_by_itself(extra):
    others = set().union(*EXTRAS.values()) - EXTRAS.get(extra, set())
    code = f"import sys; sys.modules.update(dict.fromkeys({sorted(others)})); {USES[extra]}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_pages_document_the_package_with_their_own_extra_alone():
    """Nothing else is there when `make book` builds them in a fresh clone."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    stand_ins = config["autodoc_mock_imports"]
    api = (ROOT / "chapters" / "api.md").read_text(encoding="utf-8")
    modules = re.findall(r"^\.\. automodule:: (\S+)", api, re.M)
    assert modules
    pages = {Requirement(line).name for line in PROJECT["optional-dependencies"]["pages"]}
    missing = set().union(*EXTRAS.values()) - pages - set(stand_ins)
    code = (
        f"import sys, importlib; sys.modules.update(dict.fromkeys({sorted(missing)}))\n"
        "from sphinx.ext.autodoc.mock import mock\n"
        f"with mock({stand_ins}):\n    for name in {modules}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
