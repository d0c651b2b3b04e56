"""Archives of rules are read within limits, and none writes where it should not."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.detect.rule_archives import read_members

RULE = b"title: x\ndetection: {s: {a: 1}, condition: s}\n"


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def names(path: Path) -> list[str]:
    return sorted(member.name for member in read_members(path))


@pytest.mark.parametrize(("pack", "suffix"), [(zipped, "zip"), (tarred, "tar.gz")])
def test_rules_and_licences_are_taken_and_nothing_else(tmp_path: Path, pack, suffix: str) -> None:
    files = {
        "reglas/win/a.yml": RULE,
        "reglas/b.YAML": RULE,
        "LICENSE": b"terms",
        "reglas/LICENSE.md": b"terms",
        "programa.exe": b"MZ",
        ".github/x.yml": RULE,
        "a/b/c/LICENSE": b"of something else",
    }
    wanted = ["LICENSE", "reglas/LICENSE.md", "reglas/b.YAML", "reglas/win/a.yml"]

    assert names(pack(tmp_path / f"x.{suffix}", files)) == wanted
    folder = tmp_path / "suelto"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert names(folder) == wanted


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    "name", ["../fuera.yml", "/etc/x.yml", "a/../../x.yml", "C:/x.yml", "..\\x.yml"]
)
def test_a_path_that_leads_out_is_refused_with_a_sentence(tmp_path: Path, pack, name: str) -> None:
    with pytest.raises(Invalid, match="sale de su carpeta"):
        names(pack(tmp_path / "x", {"a.yml": RULE, name: RULE}))


def test_links_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("a.yml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("a.yml")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    folder = tmp_path / "suelto"
    folder.mkdir()
    os.symlink("/etc/passwd", folder / "a.yml")

    for place in (tmp_path / "x.tar", tmp_path / "x.zip", folder):
        assert names(place) == []


def test_a_bomb_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RULE_FILE_BYTES_MAX", 10_000)
    monkeypatch.setattr(limits, "RULE_SET_BYTES_MAX", 50_000)
    one = zipped(tmp_path / "una.zip", {"a.yml": b"a" * 5_000_000})
    [member] = read_members(one)
    assert (member.content, "pesa más" in member.reason) == (None, True)
    many = {f"{number}.yml": b"a" * 9_000 for number in range(10)}
    for path in (zipped(tmp_path / "m.zip", many), tarred(tmp_path / "m.tgz", many)):
        with pytest.raises(Invalid, match="desempaquetado pesa"):
            names(path)
    with pytest.raises(Invalid, match="desempaquetado pesa"):
        names(tarred(tmp_path / "o.tgz", {"otro.bin": b"a" * 5_000_000, "a.yml": RULE}))
    monkeypatch.setattr(limits, "RULE_SET_FILES_MAX", 3)
    with pytest.raises(Invalid, match="más de 3 archivos"):
        names(zipped(tmp_path / "n.zip", {f"{number}.yml": RULE for number in range(5)}))


def test_what_is_no_archive_or_damaged_is_told(tmp_path: Path) -> None:
    text = tmp_path / "x.txt"
    text.write_text("hola")
    good = zipped(tmp_path / "x.zip", {"a.yml": os.urandom(5_000)}).read_bytes()
    cut, spoiled = tmp_path / "corto.zip", tmp_path / "roto.zip"
    cut.write_bytes(good[: len(good) // 2])
    spoiled.write_bytes(good[:200] + b"\xff" * 100 + good[300:])
    short = tmp_path / "corto.tgz"
    packed = tarred(tmp_path / "y.tgz", {"a.yml": os.urandom(50_000)}).read_bytes()
    short.write_bytes(packed[: len(packed) // 2])

    for path in (text, cut, spoiled, short, tmp_path / "nada.zip"):
        with pytest.raises(Invalid):
            names(path)
