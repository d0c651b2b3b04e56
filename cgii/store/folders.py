"""Makes the names in a folder durable, as a new or renamed file needs it."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Write the folder itself to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
