"""What the centre pushed to this sensor, kept in its folder: inputs and source definitions."""

import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import orjson

from cgii.base import limits, logs
from cgii.base.durable import replace_file, write_file
from cgii.collect.definition import Definitions, load_definitions

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,79}\.yml", re.ASCII)
VERSION = re.compile(r"[0-9a-f]{32}")

log = logs.logger("collect")


class Pushed:
    """Two things with their versions; each is on disk, whole, before it is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # definitions are replaced by one thread, read by another
        self._kept = _read(folder / "inputs.json")
        self.problem = ""  # why the inputs are not in use

    @property
    def inputs_version(self) -> str:
        """Of the inputs that were pushed; empty if none were."""
        return self._kept.get("version", "")

    @property
    def inputs_text(self) -> str:
        """TOML; empty when the centre leaves the inputs to the sensor's own file."""
        return self._kept.get("text", "")

    @property
    def sources_version(self) -> str:
        """Of the pushed definitions; empty if there are none, or not all of them."""
        try:
            found = (self._folder / "sources" / "version").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""
        return found if VERSION.fullmatch(found) else ""

    def definitions(self, own: Path | None) -> Definitions:
        """The sources to read with: of the sensor's `own` site, or the pushed ones over ours.

        A newer centre may push some that this version does not understand; ours go on then.
        """
        if own is not None:
            return load_definitions(own)
        with self._lock:
            folder = self._folder / "sources"
            found = load_definitions(folder if folder.is_dir() else None, is_ours_better=True)
        for problem in found.rejected:
            log.warning("a pushed definition cannot be used", reason=str(problem))
        return found

    def keep_inputs(self, version: str, text: str) -> None:
        """Replace the pushed inputs. Raises OSError."""
        kept = {"version": version, "text": text}
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / "inputs.json", orjson.dumps(kept))
        self._kept, self.problem = kept, ""

    def fail(self, version: str, problem: str) -> None:
        """Say why the inputs of this version are not in use, unless newer ones came meanwhile."""
        if version == self.inputs_version:
            self.problem = problem
        log.error("the pushed inputs cannot be used", reason=problem)

    def work(self, version: str) -> None:
        """The inputs of this version are in use."""
        if version == self.inputs_version and self.problem:
            self.problem = ""
            log.info("the pushed inputs are in use now")

    def keep_sources(self, version: str, files: Mapping[str, str]) -> None:
        """Replace the pushed definitions as a whole, but those that can be none. Raises OSError."""
        written, there, old = (self._folder / f"sources{end}" for end in (".new", "", ".old"))
        shutil.rmtree(written, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        (written / "collectors").mkdir(parents=True)
        for name, text in files.items():
            if NAME.fullmatch(name) and len(text) <= limits.COLLECTOR_FILE_BYTES_MAX:
                write_file(written / "collectors" / name, text.encode())
            else:
                log.warning("a pushed definition was left out", name=name[:100])
        write_file(written / "version", version.encode())
        with self._lock:
            if there.is_dir():
                there.rename(old)  # fallen from here on, they are asked for again
            written.rename(there)
        shutil.rmtree(old, ignore_errors=True)


def _read(path: Path) -> dict[str, str]:
    try:
        kept = orjson.loads(path.read_bytes())
        return {"version": str(kept["version"]), "text": str(kept["text"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the pushed inputs cannot be read; they are asked for again", why=str(error))
        return {}
