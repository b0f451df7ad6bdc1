"""The package as a house: its rooms, who imports whom, how many lines of code; read from the tree.

    python tests/house.py count         lines of code by room, beside the budgets
    python tests/house.py draw FOLDER   the picture that CONTRIBUTING shows, as house.png

A room is a folder of `lstm_lesson`, or a module that stands beside the folders. It stands a floor
below the lowest room that imports it, so that no import goes up as long as there is no circle.
"""

from __future__ import annotations

import argparse
import ast
import io
import textwrap
import tokenize
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from itertools import combinations, pairwise
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "lstm_lesson"
CORE = ("engine", "training", "interop", "inspect")  # the small package; what else teaches with it
BUDGETS = {("engine",): 1650, CORE: 5920, (): 10500}  # lines of code of these rooms; (): of all

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


def description(graph: Mapping[str, set[str]]) -> str:
    """Return in words what the picture shows, which the file carries: a line for each room."""
    between = rooms(graph)
    return "\n".join(
        f"{name}, floor {floor}: {', '.join(contents(graph, name))}; "
        f"imports {', '.join(sorted(between[name])) or 'no room'}"
        for name, floor in sorted(floors(between).items(), key=lambda item: item[::-1])
    )


def contents(graph: Iterable[str], name: str) -> list[str]:
    """Return the modules of a room, and the folders in it, each once."""
    return sorted({module.split(".")[1] for module in graph if module.startswith(f"{name}.")})


WIDTH, HEIGHT, RISE, GAP = 3.0, 1.25, 1.85, 0.45  # of a box, of a floor, and between two boxes


def places(floor: Mapping[str, int], arrows: Graph) -> tuple[dict, list[list]]:
    """Return where each room stands, and the rooms and gaps that each arrow leads through.

    An arrow that goes down more than one floor leads through a gap on each floor between. Rooms and
    gaps of a floor are put in the order that makes arrows short, and crossings few.
    """
    chains = [
        [a, *((a, b, k) for k in range(floor[a] - 1, floor[b], -1)), b]
        for a in sorted(arrows)
        for b in sorted(arrows[a])
    ]
    stories = [
        [name for name in sorted(floor) if floor[name] == k] for k in range(max(floor.values()) + 1)
    ]
    for chain in chains:
        for gap in chain[1:-1]:
            stories[gap[2]].append(gap)

    def across(order):
        sides = [WIDTH if isinstance(each, str) else 0.0 for each in order]
        left = -(sum(sides) + GAP * (len(order) - 1)) / 2
        return {
            each: left + sum(sides[:n]) + n * GAP + sides[n] / 2 for n, each in enumerate(order)
        }

    def cost(orders):
        x = {each: middle for order in orders for each, middle in across(order).items()}
        steps = [pair for chain in chains for pair in pairwise(chain)]
        crossed = sum(
            (x[a] - x[c]) * (x[b] - x[d]) < 0
            for (a, b), (c, d) in combinations(steps, 2)
            if a in at[c] and b in at[d]
        )
        return 2 * crossed + sum(abs(x[a] - x[b]) for a, b in steps)

    at = {each: set(story) for story in stories for each in story}
    best = None
    while best is None or cost(stories) < best:
        best = cost(stories)
        for k, story in enumerate(stories):
            for each in tuple(story):  # to where it does best
                rest = [other for other in stories[k] if other != each]
                moved = ([*rest[:n], each, *rest[n:]] for n in range(len(story)))
                orders = [[*stories[:k], order, *stories[k + 1 :]] for order in moved]
                stories = min(orders, key=cost)
    return {
        each: (x, k * RISE) for k, order in enumerate(stories) for each, x in across(order).items()
    }, chains


def draw(graph: Mapping[str, set[str]], path: Path) -> None:
    """Write the picture: a box a room with its modules, an arrow to each room that it imports."""
    import matplotlib.pyplot as plt

    from lstm_lesson.figures import use_style

    with plt.style.context("default"):
        use_style()
        figure = picture(graph)
        figure.savefig(path, metadata={"Software": None, "Description": description(graph)})
        plt.close(figure)


def picture(graph: Mapping[str, set[str]]):
    """Return the figure of the house, in the style that is in use."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    ink = "#444444"
    between = rooms(graph)
    floor, arrows = floors(between), needed(between)
    place, chains = places(floor, arrows)
    half = max(abs(x) for x, _ in place.values()) + WIDTH / 2 + 0.1
    top = RISE * max(floor.values()) + HEIGHT + 0.1
    figure, ax = plt.subplots(figsize=(0.85 * 2 * half, 0.85 * (top + 0.5)))
    for name in floor:
        x, y = place[name]
        style = {"boxstyle": "round,pad=0,rounding_size=0.12", "ec": ink, "lw": 1.2}
        style["fc"] = "#E4E9ED" if name in CORE else "#FFFFFF"
        ax.add_patch(FancyBboxPatch((x - WIDTH / 2, y), WIDTH, HEIGHT, zorder=2, **style))
        inside = textwrap.fill(", ".join(contents(graph, name)), 34) or f"{name}.py"
        ax.text(x, y + HEIGHT - 0.22, name, ha="center", va="center", weight="bold", size=11)
        ax.text(x, y + HEIGHT / 2 - 0.18, inside, ha="center", va="center", size=7.5)
    for chain in chains:
        points = []
        for (x0, y0), (x1, y1) in pairwise(place[each] for each in chain):
            lean = min(0.3, max(-0.3, 0.1 * (x0 - x1))) * WIDTH  # apart where arrows meet at a box
            start, end = (0 if points else lean), (0 if place[chain[-1]] != (x1, y1) else lean)
            points += [(x0 - start, y0), (x1 + end, y1 + HEIGHT)]
        ax.plot(*zip(*points[:-1], strict=True), color=ink, lw=1.3, zorder=1)
        arrow = {"arrowstyle": "-|>", "color": ink, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", points[-1], points[-2], arrowprops=arrow, zorder=1)
    every, drawn = (sum(map(len, each.values())) for each in (between, arrows))
    note = (
        f"{every} imports between rooms; the {every - drawn} that follow from others are left out"
    )
    ax.text(0, -0.3, note, ha="center", va="center", size=8, color=ink)
    ax.set(xlim=(-half, half), ylim=(-0.5, top), aspect="equal")
    ax.axis("off")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("count", help="print the lines of code by room, and the budgets")
    commands.add_parser("draw", help="write house.png").add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.command == "draw":
        draw(imports(), args.folder / "house.png")
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
