"""
What a call costs: wall seconds, and the most memory that the process held above what it held before.

The memory is the whole process's, as the system counts it, so what compiled libraries allocate is in it.
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Result = TypeVar("Result")

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Measured(Generic[Result]):
    """What the call returned, how long it took, and its peak of memory in MB of 10^6 bytes."""

    result: Result
    seconds: float
    peak_mb: float


def measured(call: Callable[[], Result]) -> Measured[Result]:
    """Runs the call once and measures it.

    On Linux the system's mark of the highest memory is set back first, so the peak is this call's. Elsewhere, or where
    that isn't allowed, the mark is the process's since its start: a call that stays below an earlier peak shows 0.
    """
    try:
        _CLEAR.write_text("5")
        before, highest = _status("VmRSS"), _highest_since_cleared
        highest()  # raises where there is no such mark
    except (OSError, LookupError):
        before, highest = _highest_ever(), _highest_ever
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    return Measured(result, seconds, max(highest() - before, 0) / _MEGABYTE)


def _highest_since_cleared() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    """A line of the process's status, in bytes. Raises LookupError where there is none."""
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


def _highest_ever() -> int:
    """The process's peak since it started, in bytes; macOS counts in bytes, others in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
