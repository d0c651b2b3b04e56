"""The installed program finds its content, with no checkout beside it; a site's own wins."""

import subprocess
import sys
from pathlib import Path

import pytest

from cgii.base.content import KINDS, find
from tests.architecture.source import ROOT

LIST = """
import cgii
from pathlib import Path
from cgii.base.content import KINDS, find
print(Path(cgii.__file__).parent)
for kind in KINDS:
    for file in find(kind, "**/*"):
        print(kind, file.name)
"""
FIND = """
import sys
from pathlib import Path
from cgii.base.content import find
for file in find("collectors", "*.yml", Path(sys.argv[1])):
    print(file.name, file.from_site)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    _run(build, folder)
    (wheel,) = folder.glob("*.whl")
    target = folder / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    _run([*install, "--target", target, wheel], folder)
    return target


def test_a_wheel_carries_all_content(installed: Path, tmp_path: Path) -> None:
    place, *names = _ask(installed, tmp_path, LIST)

    assert Path(place) == installed / "cgii"
    assert names == [f"{kind} {file.name}" for kind in KINDS for file in find(kind, "**/*")]
    assert {name.split()[0] for name in names} == set(KINDS)


def test_a_wheel_carries_what_the_pages_need_and_no_more(installed: Path) -> None:
    package = installed / "cgii"
    for name in (
        "web/static/vendor/htmx.min.js",
        "web/static/vendor/tabler.min.css",
        "web/templates",
        "help/settings.md",
        "reference/taxonomy.yml",
        "store/migrations/versions/0001_first_schema.py",
    ):
        assert (package / name).exists(), name
    assert list(installed.rglob("LICENSE")) != []
    assert not list(installed.rglob("node_modules"))
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} <= {
        "cgii",
        "bin",
    }


def test_the_site_adds_replaces_and_hides(installed: Path, tmp_path: Path) -> None:
    replaced, hidden = [file.name for file in find("collectors", "*.yml")][:2]
    folder = tmp_path / "site" / "collectors"
    folder.mkdir(parents=True)
    (folder / "own.yml").write_text("id: own")
    (folder / replaced).write_text("id: replaced")
    (folder / hidden).write_text("")

    found = dict(line.split() for line in _ask(installed, tmp_path, FIND, str(tmp_path / "site")))

    assert found["own.yml"] == found[replaced] == "True"
    assert hidden not in found
    assert "False" in found.values()


def _ask(installed: Path, where: Path, program: str, *arguments: str) -> list[str]:
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _run(command: list[object], where: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=where, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
