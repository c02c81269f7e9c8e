"""How charts live in a page without any request: library and charts deflated, and the one script that inflates them.

The page's policy names the digests of the script and of the library: no other script runs, whatever else is in it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = "live.js"


@dataclass(frozen=True)
class Live:
    """What a page needs to draw charts: texts for its elements, and the scripts that its policy is to allow."""

    charts: str
    library: str
    script: str
    allowed: tuple[str, ...]


def live(charts: Mapping[str, Any]) -> Live:
    """Return what draws the charts, which are what BokehJS embeds."""
    library, digest = _library()
    script = (Path(__file__).parent / SCRIPT).read_text(encoding="utf-8").strip()
    packed = _packed(json.dumps(charts, allow_nan=False).encode())
    return Live(packed, library, script, (_digest(script.encode()), digest))


@functools.lru_cache(maxsize=1)
def _library() -> tuple[str, str]:
    """Return BokehJS, packed, and its digest."""
    from bokeh.resources import Resources

    (text,) = Resources(mode="inline", components=["bokeh"], minified=True).js_raw[:1]
    return _packed(text.encode()), _digest(text.encode())


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _digest(data: bytes) -> str:
    """Return how a policy names a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(data).digest()).decode()}'"
