"""Rooms import lower floors only, each outside library has a home, and nothing goes in circles."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT, Import, imports, modules

FLOORS = (
    ("base",),
    ("model",),
    ("store", "link"),
    ("collect", "detect", "respond", "comply", "measure"),
    ("report",),
    ("centre",),
    ("backtest", "examination", "silence"),
    ("pipeline", "sift"),
    ("replay",),
    ("jobs",),
    ("web", "worker", "demo"),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Library → where it may be imported: the beginnings of module names below `cgii.`.
HOMES = {
    "ahocorasick_rs": ("detect.",),
    "alembic": ("store.database", "store.migrations"),
    "argon2": ("web.passwords",),
    "babel": ("web.language",),
    "celery": ("worker",),
    "cryptography": ("base.signatures", "web.passwords"),
    "elasticsearch": ("store.events_elastic",),
    "evtx": ("collect.event_logs",),
    "fastapi": ("web.",),
    "holidays": ("base.calendar",),
    "httpx2": ("collect.outgoing", "collect.send"),
    "hyperscan": ("detect.keywords",),
    "jinja2": ("web.", "report.", "respond.notify"),
    "jsonschema": ("respond.cacao",),
    "kombu": ("worker",),
    "luqum": ("store.query",),
    "markdown_it": ("web.",),
    "markupsafe": ("web.", "report."),
    "nh3": ("web.",),
    "orjson": ("",),
    "prometheus_client": ("base.counters", "web."),
    "psycopg": ("store.",),
    "pydantic": ("",),
    "pydantic_settings": ("base.settings",),
    "pyotp": ("web.passwords",),
    "re2": ("collect.", "detect.", "store."),
    "rich": ("cli.", "demo."),
    "scapy": ("collect.packets.filters",),
    "segno": ("web.passwords",),
    "smtplib": ("link.mail",),
    "sqlalchemy": ("",),
    "sqlite3": ("store.",),
    "starlette": ("web.",),
    "structlog": ("base.logs", "web.middleware"),
    "typer": ("cli.",),
    "uvicorn": ("cli.",),
    "weasyprint": ("report.pdf",),
    "xlsxwriter": ("report.",),
    "yara": ("detect.yara_scan",),
    "yaml": ("base.", "collect.", "comply.", "detect."),
}
# Parts of the standard library that we keep to ourselves, or never use.
OWN_HOMES = {
    "smtplib": ("link.mail",),
    "sqlite3": ("store.",),
    "subprocess": (
        "cli.supervise",
        "collect.child",
        "detect.yara_child",
        "web.assets.install",
    ),
    "ctypes": ("cli.supervise", "collect.rights"),
    "pickle": (),
    "marshal": (),
    "shelve": (),
    "imp": (),
}
OURS = [found for found in imports() if found.target.split(".")[0] == "cgii"]
OTHERS = [found for found in imports() if found.target.split(".")[0] != "cgii"]


def room(name: str) -> str:
    """The room of a module: the part after `cgii.`; empty for the package itself."""
    return name.partition(".")[2].partition(".")[0]


def test_every_file_belongs_to_a_room_of_the_table() -> None:
    assert {room(module.name) for module in modules()} - {""} <= FLOOR.keys()


def test_rooms_import_lower_floors_only() -> None:
    wrong = [str(found) for found in OURS if not _goes_down(found)]

    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    towards: dict[str, set[str]] = {module.name: set() for module in modules()}
    for found in OURS:
        if found.target in towards and found.target != found.module.name:
            towards[found.module.name].add(found.target)

    # Take away whoever imports nothing that is left; what stays goes in circles.
    while free := {name for name, targets in towards.items() if not targets}:
        for name in free:
            del towards[name]
        for targets in towards.values():
            targets -= free

    assert towards == {}


def test_every_outside_library_is_used_at_home() -> None:
    wrong = []
    for found in OTHERS:
        top = found.target.split(".")[0]
        if top in sys.stdlib_module_names:
            homes: tuple[str, ...] | None = OWN_HOMES.get(top, ("",))
        else:
            homes = HOMES.get(top)
        if homes is None:
            wrong.append(f"{found}: name its home in this test")
        elif not _is_at_home(found, homes):
            wrong.append(f"{found}: its home is {', '.join(homes) or 'nowhere'}")

    assert wrong == []


@pytest.mark.parametrize("command", ["cgii.cli.app", "cgii.cli.scan", "cgii.cli.collect"])
def test_a_sensor_loads_nothing_of_the_centre(command: str) -> None:
    """Its small install has none of these libraries."""
    loaded = _loaded_by(command)

    assert {"sqlalchemy", "alembic", "celery", "fastapi", "jinja2"} & loaded == set()


def test_what_few_ask_for_keeps_no_start_waiting() -> None:
    late = {"alembic", "celery", "holidays", "jsonschema", "markdown_it", "scapy", "weasyprint"}
    late |= {"xlsxwriter", "yara"}

    assert late & _loaded_by("cgii.cli.serve") == set()
    # The children start before their parent loads anything of the centre.
    assert "cgii.centre" not in _loaded_by("cgii.cli.run")


def _loaded_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {*done.stdout.split()}


def _goes_down(found: Import) -> bool:
    here, there = room(found.module.name), room(found.target)
    return there in ("", here) or FLOOR[there] < FLOOR[here]


def _is_at_home(found: Import, homes: tuple[str, ...]) -> bool:
    inside = found.module.name.partition(".")[2]
    return any(inside.startswith(home) for home in homes)
