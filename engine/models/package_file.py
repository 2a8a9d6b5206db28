"""A file that comes inside an installed Python package, known by its checksum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class PackageFile:
    """A file of a package: found by the package's name, so that none of its code is imported."""

    package: str  # its name in the package index
    name: str  # of the file, relative to the folder of installed packages
    sha256: str

    @property
    def path(self) -> Path | None:
        """Where the file is on this machine; None where the package is not installed or lacks it."""
        try:
            path = Path(str(metadata.distribution(self.package).locate_file(self.name)))
        except metadata.PackageNotFoundError:
            return None
        return path if path.exists() else None

    def check(self) -> None:
        """Raise ValueError for a file with another content, OSError for one that cannot be read."""
        if self.path is None:
            raise FileNotFoundError(self.name)
        with self.path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != self.sha256:
            raise ValueError(f"its SHA-256 is {actual[:12]}…, not {self.sha256[:12]}…")
