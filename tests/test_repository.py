"""What the repository promises around the package: commands, versions, references, tidiness."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lstm_lesson import __version__

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tracked() -> list[Path]:
    """Files under version control; where this is no checkout, every file that is not built."""
    git = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if git.returncode == 0:
        names = [ROOT / name for name in git.stdout.split("\0") if name]
        return [path for path in names if path.is_file()]
    built = re.compile(
        r"(?:^|/)(?:\.git|\.venv[\w-]*|_build|__pycache__|\.\w+_cache|\.hypothesis|[^/]+\.egg-info)/"
    )
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not built.search(path.relative_to(ROOT).as_posix())]


def constraints() -> dict[str, Requirement]:
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def required() -> dict[str, Requirement]:
    """What the requirements ask for, with all that this asks for in turn, on this machine."""
    todo = [Requirement("lstm_lesson[test]")]
    found = {}
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name in found and not requirement.extras - found[name].extras:
            continue
        found[name] = requirement
        for line in metadata.requires(name) or []:
            child = Requirement(line)
            # PyTorch's build for CUDA brings its own exact set, and the one without does not.
            if name == "torch" and re.match("nvidia-|cuda-|triton", child.name):
                continue
            extras = ["", *requirement.extras]
            if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras):
                todo.append(child)
    return found


# ---- Commands ----


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "intro.md", ".ci/run"])
def test_make_commands_that_are_named_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    named = set(re.findall(r"(?:^|`)\s*make (?:[A-Z]+=\S+ )*([a-z-]+)", read(page), re.M))
    assert named, f"{page} names no make target"
    assert named <= targets


def test_the_makefile_names_every_target_at_its_top_and_builds_no_file_of_that_name():
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    top = makefile.partition("\n\n")[0]
    assert set(re.findall(r"(?:#  |,) make ([a-z-]+)\b", top)) == targets
    phony = re.search(r"^\.PHONY: ((?:\\\n|.)*)", makefile, re.M)[1].replace("\\\n", " ")
    assert set(phony.split()) == targets | {"FORCE"}


def make(rule: str, *arguments: str, env: dict | None = None) -> str:
    """Return what a rule prints that stands beside those of the Makefile."""
    if os.name == "nt" or not shutil.which("make"):
        pytest.skip("needs make and the shell it uses")
    # The make of macOS is of 2006 and has no --eval, so that the rule is a file: standard input.
    command = ["make", "-f", "Makefile", "-f", "-", *arguments, rule.partition(":")[0]]
    done = subprocess.run(command, cwd=ROOT, input=rule, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_make_runs_depends_on_the_folder_alone():
    """Not on the locale, the home, the packages and the settings of who runs it."""
    env = os.environ | {"LC_ALL": "C", "PYTHONPATH": "elsewhere", "MPLBACKEND": "none"}
    lines = make("surroundings: ; @env\n", env=env).splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["PYTHONUTF8"] == found["PYTHONNOUSERSITE"] == "1"
    assert {"PYTHONPATH", "MPLBACKEND"}.isdisjoint(found)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR"):
        assert found[name].startswith(f"{ROOT}/.venv/")


def test_an_address_that_is_given_makes_the_pages_anew():
    show = "settings: ; @echo '$(SETTINGS)'\n"
    assert "_config.yml" in make(show)
    for name in ("BOOK_ADDRESS", "BOOK_REPOSITORY"):
        assert "https://a.example" in make(show, f"{name}=https://a.example")


def test_ci_runs_every_check():
    assert {"make lint", "make test", "make book"} <= set(read(".ci/run").splitlines())
    assert (ROOT / ".ci/run").stat().st_mode & 0o111, ".ci/run is not executable"
    assert "run: .ci/run" in read(".github/workflows/book.yml")


def test_actions_are_pinned_by_commit_and_run_what_make_has():
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / ".github/workflows").glob("*.yml")]
    used = [line for text in texts for line in re.findall(r"uses: (.*)", text)]
    assert used
    assert [
        line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", line)
    ] == []
    # A job that hangs is ended, and not by the host's six hours.
    jobs = [job for text in texts for job in yaml.safe_load(text)["jobs"].values()]
    assert all(job["timeout-minutes"] <= 60 for job in jobs)
    run = {name for text in texts for name in re.findall(r"(?:make |target: )([a-z-]+)", text)}
    assert run <= targets
    assert read(".pre-commit-config.yaml").count("entry: make lint") == 1


def test_readme_gives_the_commands_of_make():
    makefile = read("Makefile")
    readme = read("README.md")
    for command in ("-r requirements.txt", "-c constraints.txt", "build . -W -n --keep-going"):
        assert command in makefile
        assert command in readme


# ---- Versions ----


def test_whoever_cites_the_book_cites_this_version():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == __version__
    # One licence and no list, which would leave the reader the choice; the abstract has the other.
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert citation["license"] == project["license"]
    assert "CC BY 4.0" in citation["abstract"]


@pytest.mark.pins
def test_constraints_hold_everything_that_is_installed():
    assert set(required()) - {"lstm-lesson"} <= set(constraints())


@pytest.mark.pins
def test_a_pytorch_for_cuda_is_as_good_as_one_without(monkeypatch):
    extra = ["nvidia-cublas==13.1; platform_system == 'Linux'", "triton==3.7", "cuda-bindings"]
    requires = metadata.requires

    def with_cuda(name):
        return (requires(name) or []) + (extra if name == "torch" else [])

    before = set(required())
    monkeypatch.setattr(metadata, "requires", with_cuda)
    assert set(required()) == before
    assert constraints()["torch"].specifier.contains("2.13.0+cpu")


def test_constraints_name_one_plain_version_each():
    for requirement in constraints().values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement


@pytest.mark.pins
def test_constraints_are_what_is_installed():
    wrong = {}
    for name, requirement in constraints().items():
        if requirement.marker is None or requirement.marker.evaluate():
            version = metadata.version(name)
            if not requirement.specifier.contains(version, prereleases=True):
                wrong[name] = (version, str(requirement.specifier))
    assert wrong == {}


@pytest.mark.pins
def test_ranges_admit_the_constrained_versions():
    pinned = constraints()
    for name, requirement in required().items():
        if name in pinned:
            version = next(iter(pinned[name].specifier)).version
            assert requirement.specifier.contains(version, prereleases=True), requirement


# ---- Pages ----


def prose() -> dict[str, str]:
    pages = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "chapters").glob("*.md")}
    pages["intro.md"] = read("intro.md")
    for path in (ROOT / "chapters").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        pages[path.name] = "\n".join(
            "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
        )
    return pages


def test_every_cited_work_is_in_the_bibliography():
    entries = re.findall(r"^@\w+\{([^,\s]+),", read("references.bib"), re.M)
    assert len(entries) == len(set(entries)), "a key is defined twice"
    titles = [
        re.sub(r"[{}]", "", title).lower()
        for title in re.findall(r"^\s*title\s*=\s*\{(.*)\},?$", read("references.bib"), re.M)
    ]
    assert len(titles) == len(set(titles)), "a work stands there twice"
    cited = {
        key.strip()
        for text in prose().values()
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
        for key in keys.split(",")
    }
    assert cited
    assert cited <= set(entries)


# ---- Tidiness ----


def test_no_file_names_a_machine_path_or_a_registry():
    # Assembled, so that this file is not a hit itself.
    paths = re.compile(r"(?<![\w.:/~-])/(?:" + "|".join(["work", "root", "tmp", "home"]) + r")/")
    hosts = re.compile(
        "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs"])
    )
    found = []
    for path in tracked():
        if (
            path.suffix in {".onnx", ".png", ".safetensors", ".ttf", ".woff2", ".zip"}
            or path == Path(__file__).resolve()
        ):
            continue
        if path.name == "test_notebooks.py":  # its broken notebooks show such a path on purpose
            continue
        text = re.sub(r'"image/png": "[^"]*"', "", path.read_text(encoding="utf-8"))
        found += [
            f"{path.relative_to(ROOT)}: {m[0]}"
            for m in (*paths.finditer(text), *hosts.finditer(text))
        ]
    assert found == []


def test_the_licence_names_every_licence_of_others():
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    foreign = [name for name in names if re.search(r"/OFL|licen[cs]e\.txt$", name)]
    assert len(foreign) >= 3
    assert [name for name in foreign if name not in read("LICENSE")] == []


def test_the_top_folder_stays_readable():
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert len([name for name in top if not name.startswith(".")]) <= 18


def test_the_last_commit_has_a_short_subject():
    git = ["git", "log", "-1", "--no-merges", "--format=%s"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("this is no checkout")
    assert len(found.stdout.strip()) <= 72
