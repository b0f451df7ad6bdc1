"""The wheel and the source archive: what is in them, the same bytes anywhere, of use by itself."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from test_repository import ROOT, tracked

from lstm_lesson import __version__

FIXED = {"SOURCE_DATE_EPOCH": "1580601600"}


def build(source: Path, target: Path) -> list[Path]:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, env=os.environ | FIXED)
    return sorted(target.iterdir())


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
        meta = message_from_bytes(wheel.read(f"lstm_lesson-{__version__}.dist-info/METADATA"))
    files = {path.relative_to(ROOT).as_posix() for path in tracked()}
    expected = {name for name in files if name.startswith("lstm_lesson/")}
    expected |= {f"lstm_lesson/{name}" for name in files if name.startswith("results/")}
    assert names == expected
    assert {"lstm_lesson/py.typed", "lstm_lesson/results/start_it_well.csv"} <= names
    assert meta["License-Expression"] == "MIT"
    assert "LICENSE" in meta["License-File"]
    assert "Typing :: Typed" in meta.get_all("Classifier")


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
