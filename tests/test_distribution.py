"""The wheel and the source archive: what is in them, the same bytes anywhere, of use by itself."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from test_repository import ROOT, tracked

from lstm_lesson import __version__

FIXED = {"SOURCE_DATE_EPOCH": "1580601600"}


def build(source: Path, target: Path, **more: str) -> list[Path]:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    env = {key: value for key, value in os.environ.items() if not key.startswith("BOOK_")}
    subprocess.run(command, cwd=source, check=True, capture_output=True, env=env | FIXED | more)
    return sorted(target.iterdir())


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"lstm_lesson-{__version__}.dist-info/METADATA"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> list[Path]:
    """The wheel and the archive, in this order."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory) -> Path:
    """The folder that the source archive holds, unpacked."""
    folder = tmp_path_factory.mktemp("sources")
    with tarfile.open(built[1]) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.iterdir())


@pytest.mark.slow
def test_the_source_archive_has_what_the_repository_has(unpacked):
    inside = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file()}
    assert inside - {"PKG-INFO"} == {path.relative_to(ROOT).as_posix() for path in tracked()}


@pytest.mark.slow
def test_the_wheel_has_the_package_its_rows_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = {path.relative_to(ROOT).as_posix() for path in tracked()}
    expected = {name for name in files if name.startswith("lstm_lesson/")}
    expected |= {f"lstm_lesson/{name}" for name in files if name.startswith("results/")}
    assert names == expected
    assert {"lstm_lesson/py.typed", "lstm_lesson/results/start_it_well.csv"} <= names
    meta = metadata_of(built[0])
    assert meta["License-Expression"] == "MIT"
    assert "LICENSE" in meta["License-File"]
    assert "Typing :: Typed" in meta.get_all("Classifier")


@pytest.mark.slow
def test_the_wheel_names_the_addresses_of_the_pages_and_none_while_there_are_none(
    built, unpacked, tmp_path
):
    config = (unpacked / "_config.yml").read_text(encoding="utf-8")
    assert config.count('book_address: ""') == config.count('book_repository: ""') == 1
    assert metadata_of(built[0])["Project-URL"] is None
    again = tmp_path / "sources"
    shutil.copytree(unpacked, again)
    (again / "_config.yml").write_text(
        config.replace('book_address: ""', "book_address: https://a.example/b/  # here"),
        encoding="utf-8",
    )
    wheel, _ = build(again, tmp_path / "dist", BOOK_REPOSITORY="https://c.example/d")
    found = metadata_of(wheel).get_all("Project-URL")
    assert found == ["Homepage, https://a.example/b", "Repository, https://c.example/d"]


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes(built, unpacked, tmp_path):
    """In another folder, of another date and with other permissions: on another machine."""
    for path in unpacked.rglob("*"):
        path.chmod(0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
        os.utime(path, (1e9, 1e9))
    (unpacked / "PKG-INFO").unlink()
    for ours, theirs in zip(built, build(unpacked, tmp_path / "again"), strict=True):
        assert ours.name == theirs.name
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_a_build_leaves_nothing_behind(tmp_path):
    before = set(tracked())
    build(ROOT, tmp_path)
    assert set(tracked()) == before


@pytest.mark.slow
def test_the_tests_of_the_source_archive_run(unpacked):
    (unpacked / "PKG-INFO").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command += ["tests/engine/test_activations.py", "tests/test_repository.py", "tests/test_api.py"]
    env = os.environ | {"PYTHONPATH": str(unpacked), "CI": ""}
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout[-3000:]
