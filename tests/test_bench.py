"""What `make bench` has measured: rows for all that chapter 22 shows, and where they come from."""

import csv
import json
import platform
from pathlib import Path

ROOT = Path(__file__).parents[1]
CELLS = json.loads((ROOT / "chapters" / "22_make_it_fast.ipynb").read_text("utf-8"))["cells"]


def rows(name):
    with (ROOT / "results" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return {row["measure"]: float(row["value"]) for row in csv.DictReader(file)}


def test_rows_name_the_machine_that_they_were_measured_on():
    made_with = json.loads((ROOT / "results" / "ladder.json").read_text("utf-8"))
    assert {*made_with} == {"numpy", "torch", "python", "processor", "command"}
    assert made_with["processor"] != platform.machine()
    assert "," in made_with["processor"]  # the kernels of its products, beside its name
    assert all(value > 0 for value in rows("ladder").values())


def test_the_cells_that_the_bench_runs_need_no_other():
    """They read no rows, which they make, and none of them is folded away with its check."""
    measured = [c for c in CELLS if "bench" in c["metadata"].get("tags", [])]
    code = "\n".join("".join(cell["source"]) for cell in measured)
    compile(code, "chapter 22", "exec")
    assert "live = {}" in code
    assert "reference" not in code
    assert "glue(" not in code


def test_each_rung_has_a_row_at_both_sizes():
    found = rows("ladder")
    code = "".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code")
    names = code.split("rungs = {")[1].split("}")[0].split('"')[1::2]
    assert len(names) == 9
    for size in ("(50, 16, 32, 32)", "(50, 64, 128, 256)"):
        missing = {name for name in names if f"{name} {size}, ms" not in found}
        assert missing == ({"numbers"} if "256" in size else set())
