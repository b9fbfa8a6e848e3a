"""How much of the time that a sweep was given is left, and what can still be trained in it."""

from __future__ import annotations

import time
from collections import deque


class TimeLeft:
    """Tells whether a stack would end in time, at the slowest pace of those that ended last.

    The first stacks wait for the compiler, and say little of what follows; so does a stack of another size.

    Parameters
    ----------
    minutes : float
        From now on.
    at_once : int
        Stacks that train side by side: as many are remembered.
    """

    def __init__(self, minutes: float, at_once: int) -> None:
        self._end = time.monotonic() + 60 * minutes
        self._paces: deque[float] = deque(maxlen=at_once)

    def ended(self, images: int, seconds: float) -> None:
        """Take note of a stack that ended: the images of its members, and the seconds that it took."""
        self._paces.append(seconds / images)

    def enough_for(self, images: int) -> bool:
        """Whether a stack of so many images would end in time; before any ended, whether there is time."""
        return time.monotonic() + max(self._paces, default=0.0) * images <= self._end
