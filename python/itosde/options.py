"""How functions with many options hand them to the library, which has their defaults."""

from __future__ import annotations

from typing import Any


def given(**options: Any) -> dict[str, Any]:
    """Those that are not None: None stands for the library's default."""
    return {name: value for name, value in options.items() if value is not None}
