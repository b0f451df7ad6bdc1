"""Hook of the package's build: the wheel says where the book and its sources are, once it is known.

The two addresses are those of the pages, which site_data.py reads: see there.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

NAMES = {"Homepage": "book_address", "Repository": "book_repository"}


class ProjectURLs(MetadataHookInterface):
    def update(self, metadata: dict) -> None:
        """Add the addresses to what `pip show` tells, or nothing where they are empty."""
        config = (Path(self.root) / "_config.yml").read_text(encoding="utf-8")
        # By hand: to install the package, no reader of YAML is needed.
        said = dict(re.findall(r"""^ +(book_\w+): *["']?([^\s"'#]*)""", config, re.M))
        found = {name: os.environ.get(key.upper()) or said[key] for name, key in NAMES.items()}
        metadata["urls"] = {name: url.strip().rstrip("/") for name, url in found.items() if url}
