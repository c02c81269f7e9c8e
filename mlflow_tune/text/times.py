"""Moments and lengths of time as people read them; what a study file writes is a duration."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo


def iso_time(milliseconds: int | None) -> str | None:
    """Return a time in milliseconds since the epoch as ISO 8601 in UTC, to the second; None for none."""
    moment = _moment(milliseconds, timezone.utc)
    return None if moment is None else moment.isoformat(timespec="seconds")


def local_time(milliseconds: int | None) -> str:
    """Return a time in milliseconds since the epoch by the clock on the wall, to the minute; empty for none."""
    moment = _moment(milliseconds, None)
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def seconds_text(seconds: float | None, unit: str = " s") -> str:
    """Return seconds to a tenth, `12.3 s`; empty for None."""
    return "" if seconds is None else f"{seconds:.1f}{unit}"


def hours_text(hours: float) -> str:
    """Return hours in the unit in which they are read well: `36 s`, `90 min`, `3.5 h`."""
    if hours < 3 / 60:
        return f"{3600 * hours:.3g} s"
    return f"{60 * hours:.3g} min" if hours < 3 else f"{hours:.4g} h"


def _moment(milliseconds: int | None, zone: tzinfo | None) -> datetime | None:
    if not milliseconds:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, zone)
    except (OverflowError, ValueError, OSError):
        return None
