"""How many requests are being handled, and how many may be."""

import threading


class Gate:
    """Counts what is inside; `limit` 0 lets everyone in."""

    def __init__(self, limit):
        self._limit = limit
        self._inside = 0
        self._changed = threading.Condition()

    def enter(self):
        """False where there is no room."""
        with self._changed:
            if self._limit and self._inside >= self._limit:
                return False
            self._inside += 1
            return True

    def leave(self):
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    @property
    def full(self):
        with self._changed:
            return bool(self._limit) and self._inside >= self._limit

    def wait_until_empty(self, limit):
        """False where someone was still inside after `limit` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._inside, limit)
