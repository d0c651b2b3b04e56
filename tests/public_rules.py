"""The public Windows rules and events that may lie beside a clone."""

from pathlib import Path

from cgii.detect.rule_archives import read_members

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
RULES, EVENTS = SHARED / "sigma-rules.tar.gz", SHARED / "windows-20k.jsonl.gz"


def unpacked(folder: Path) -> Path:
    """The public rules as files. Not by `extractall`: Debian 12's Python knows no safe one yet."""
    for member in read_members(RULES):
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(member.content or b"")
    return folder
