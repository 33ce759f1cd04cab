"""How arguments are handed to the library, which has the defaults of what is not given."""

from __future__ import annotations

from typing import Any

import numpy


def given(**options: Any) -> dict[str, Any]:
    """Those that are not None: None stands for the library's default."""
    return {name: value for name, value in options.items() if value is not None}


def floats(values: Any) -> numpy.ndarray | None:
    """Numbers as the library reads them, copied only where they are others."""
    return None if values is None else numpy.ascontiguousarray(values, numpy.float32)
