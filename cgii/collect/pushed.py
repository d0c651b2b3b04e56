"""What the centre pushed to this sensor, kept in its folder: inputs and source definitions."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import orjson

from cgii.base import limits, logs
from cgii.base.errors import Invalid

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}\.yml")

log = logs.logger("collect")


class Pushed:
    """Two things with their versions; each is on disk, whole, before it is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        """Of the definitions in `site`; empty if none were pushed."""
        try:
            return (self._folder / "sources" / "version").read_text().strip()
        except OSError:
            return ""

    @property
    def site(self) -> Path | None:
        """A folder like a site's, with the pushed definitions; None if there are none."""
        folder = self._folder / "sources"
        return folder if folder.is_dir() else None

    def keep_inputs(self, version: str, text: str) -> None:
        """Replace the pushed inputs. Raises OSError."""
        kept = {"version": version, "text": text}
        self._folder.mkdir(parents=True, exist_ok=True)
        written = self._folder / "inputs.new"
        with written.open("wb") as file:
            file.write(orjson.dumps(kept))
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._folder / "inputs.json")
        self._kept, self.problem = kept, ""

    def keep_sources(self, version: str, files: Mapping[str, str]) -> None:
        """Replace the pushed definitions as a whole. Raises OSError; Invalid for a wrong name."""
        for name, text in files.items():
            if not NAME.fullmatch(name) or len(text) > limits.COLLECTOR_FILE_BYTES_MAX:
                raise Invalid("El centro envió una fuente que no puede ser: {name}.", name=name)
        written, there = self._folder / "sources.new", self._folder / "sources"
        shutil.rmtree(written, ignore_errors=True)
        (written / "collectors").mkdir(parents=True)
        for name, text in files.items():
            (written / "collectors" / name).write_text(text, encoding="utf-8")
        (written / "version").write_text(version)
        shutil.rmtree(there, ignore_errors=True)
        written.rename(there)  # fallen in between, there are none, and they are asked for again


def _read(path: Path) -> dict[str, str]:
    try:
        kept = orjson.loads(path.read_bytes())
        return {"version": str(kept["version"]), "text": str(kept["text"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the pushed inputs cannot be read; they are asked for again", why=str(error))
        return {}
