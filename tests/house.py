"""The package as a house: its rooms, who imports whom, how many lines of code; read from the tree.

    python tests/house.py count         lines of code by room, beside the budgets
    python tests/house.py draw          writes the graph of the rooms into CONTRIBUTING.md

A room is a folder of `lstm_lesson`, or a module that stands beside the folders. It stands a floor
below the lowest room that imports it, so that no import goes up as long as there is no circle.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lstm_lesson"
GUIDE = ROOT / "CONTRIBUTING.md"
CORE = ("engine", "training", "interop", "inspect")  # the small package; what else teaches with it
BUDGETS = {("engine",): 2700, CORE: 7000, (): 13200}  # lines of code of these rooms; (): of all

Graph = dict[str, set[str]]


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Return dotted name without the package's own, ``engine.layers``, to file."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(package: Path = PACKAGE) -> Graph:
    """Return each module to those of the package that it imports, at its top or in a function.

    A name that comes through the package's ``__init__``, which is the front door and no room,
    counts as an import of the module behind it.
    """
    files = modules(package)
    sources = {module: path.read_text(encoding="utf-8") for module, path in files.items()}
    door = {name: (module, name) for module, name in named(sources.pop(""), package.name) if module}

    def behind(module: str, name: str) -> str:
        inner = f"{module}.{name}".lstrip(".")
        return inner if inner in files else module or (behind(*door[name]) if name in door else "")

    return {
        module: {behind(*each) for each in named(source, package.name)} - {module, ""}
        for module, source in sources.items()
    }


def named(source: str, package: str = PACKAGE.name) -> Iterable[tuple[str, str]]:
    """Yield module and name, both without the package's own, of each import from the package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise ValueError(f"line {node.lineno}: imports are absolute in this package")
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == package:
            for alias in node.names:
                yield node.module.removeprefix(package).lstrip("."), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first, _, rest = alias.name.partition(".")
                if first == package and rest:
                    module, _, name = rest.rpartition(".")
                    yield module, name


def room(module: str) -> str:
    """Return the room of a module: ``engine`` of ``engine.layers``."""
    return module.partition(".")[0]


def rooms(graph: Mapping[str, set[str]]) -> Graph:
    """Return each room to the rooms that it imports, itself left out."""
    found: Graph = {}
    for module, imported in graph.items():
        found.setdefault(room(module), set()).update(map(room, imported))
    return {name: others - {name} for name, others in found.items()}


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the floor of each room or module, 0 at the bottom; raise CycleError for a circle."""
    depth = dict.fromkeys(graph, 0)
    for name in reversed([*TopologicalSorter(graph).static_order()]):
        for other in graph[name]:
            depth[other] = max(depth[other], depth[name] + 1)
    return {name: max(depth.values()) - below for name, below in depth.items()}


def foreign_imports(path: Path) -> set[str]:
    """Return the packages that importing a file needs: not those named in a function of it."""
    found, todo = set(), [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
        typed = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not typed and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return found


def lines_of_code(path: Path) -> int:
    """Count the lines that hold code: no comment, no docstring, not blank."""
    text = path.read_text(encoding="utf-8")
    described = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            described |= {*range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    outside = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
               tokenize.ENDMARKER}  # fmt: skip
    code = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in outside:
            code |= {*range(token.start[0], token.end[0] + 1)}
    return len(code - described)


def count(package: Path = PACKAGE) -> dict[str, int]:
    """Return the lines of code of each room, and of the front door under an empty name."""
    found: dict[str, int] = {}
    for module, path in modules(package).items():
        found[room(module)] = found.get(room(module), 0) + lines_of_code(path)
    return found


def spent(lines: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    """Return the lines of code that each budget is spent on."""
    return {names: sum(lines[n] for n in names or lines) for names in BUDGETS}


def needed(graph: Mapping[str, set[str]]) -> Graph:
    """Return a graph without the arrows that follow from others: a to c, where a to b to c."""

    def below(name: str) -> set[str]:
        return graph[name].union(*map(below, graph[name]))

    return {
        name: others - set().union(*(below(other) for other in others))
        for name, others in graph.items()
    }


def drawn(between: Graph) -> str:
    """Return the graph of the rooms as a block of Mermaid, which GitHub shows as a picture."""
    floor, arrows = floors(between), needed(between)
    names = sorted(between, key=lambda name: (-floor[name], name))
    ends = [", ".join(name for name in names if floor[name] == k) for k in (0, max(floor.values()))]
    return "\n".join(
        [
            "```mermaid",
            "flowchart TD",
            "    accTitle: Which room imports which",
            f"    accDescr: {len(names)} rooms on {1 + max(floor.values())} floors, from {ends[0]} "
            f"at the bottom to {ends[1]} on top",
            *(f"    {name}{':::small' * (name in CORE)}" for name in names),
            *(f"    {name} --> {other}" for name in names for other in sorted(arrows[name])),
            "    classDef small stroke-width:4px",
            "```\n",
        ]
    )


def with_drawing(text: str, drawing: str) -> str:
    """Return a text with this drawing in place of the one that it has."""
    return re.sub(r"^```mermaid\n.*?^```\n", lambda _: drawing, text, flags=re.M | re.S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("count", help="print the lines of code by room, and the budgets")
    commands.add_parser("draw", help="write the graph of the rooms into CONTRIBUTING.md")
    args = parser.parse_args()
    if args.command == "draw":
        text = GUIDE.read_text(encoding="utf-8")
        GUIDE.write_text(with_drawing(text, drawn(rooms(imports()))), encoding="utf-8")
        return
    lines = count()
    floor = floors(rooms(imports()))
    print("lines of code, without docstrings, comments and blanks")
    for name in sorted(floor, key=lambda name: (floor[name], name)):
        print(f"  {name:<12} floor {floor[name]} {lines[name]:6,}")
    print("of a budget")
    for names, used in spent(lines).items():
        print(f"  {' '.join(names) or 'all of lstm_lesson':<35} {used:5,} of {BUDGETS[names]:5,}")


if __name__ == "__main__":
    main()
