"""A module whose import fails."""

import there_is_no_such_package  # noqa: F401
