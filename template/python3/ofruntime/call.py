"""One call of the handler, with a limit on its time."""

import threading

from . import log
from .event import BadRequest, BodyTooLarge
from .reply import Reply


class Call:
    """Runs the handler. A thread cannot be killed, so a call that takes too long is left to end by itself:
    its caller is answered in time, and its place is free again only when it has really ended."""

    def __init__(self, handle, event, context, release):
        self._handle = handle
        self._event = event
        self._context = context
        self._release = release
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._abandoned = False
        self._reply = None

    def reply_within(self, limit):
        """The handler's reply, or None after `limit` seconds without one; a limit of 0 waits forever."""
        if not limit:
            self._run()
            return self._reply
        threading.Thread(target=self._run, daemon=True).start()
        self._ended.wait(limit)
        with self._lock:
            self._abandoned = self._reply is None
            return self._reply

    def done(self):
        """To be called once the reply is sent; a call without one ends by itself."""
        if not self._abandoned:
            self._finish()

    def _run(self):
        reply = self._outcome()
        with self._lock:
            self._reply = reply
            abandoned = self._abandoned
        self._ended.set()
        if abandoned:
            self._finish()

    def _finish(self):
        try:
            self._reply.close()
        except Exception:
            log.exception("the reply's stream failed while it was closed", call_id=self._context.call_id)
        finally:
            self._release()

    def _outcome(self):
        try:
            return Reply.of(self._handle(self._event, self._context))
        except BodyTooLarge:
            return Reply.text(413, "the body is larger than this function takes")
        except BadRequest as error:
            return Reply.text(400, str(error))
        # A handler that calls sys.exit ends its request, not the function.
        except BaseException:
            log.exception("the handler failed", call_id=self._context.call_id, uri=self._event.path)
            return Reply.text(500, "the function failed; its log says why", [("X-OpenFaaS-Internal", "python3")])
