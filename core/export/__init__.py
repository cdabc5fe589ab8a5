"""Writing an extracted subnet to a file that works without this project. Importing this loads no torch.

`extract_subnet` (core.export.subnet) cuts a subnet out and measures it; `export_subnet`
(core.export.exporting) writes it in one format, reads the bytes back, and hands them out only if
they compute the same. One file of this package per format.
"""

from __future__ import annotations

from core.export.base import EXPORTERS, writes
from core.export.naming import file_name

__all__ = ["EXPORTERS", "file_name", "writes"]
