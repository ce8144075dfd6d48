"""Listens, and lives as a container is expected to: a lock file while it serves, a clean end on SIGTERM."""

import os
import signal
import socket
import threading
from http.server import ThreadingHTTPServer

from . import log
from .connection import Connection
from .gate import Gate

_MOST_CONNECTIONS = 1000


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address, service):
        self.service = service
        self._room = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, Connection)

    def server_bind(self):
        # Not the base class's, which looks its own name up in the DNS.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request, client_address):
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request, client_address):
        log.exception("a connection failed")


class Service:
    def __init__(self, config, handle):
        self.config = config
        self.handle = handle
        self.gate = Gate(config.max_inflight)
        self.draining = False
        self._asked_to_stop, self._stop = os.pipe()
        self._closed = False
        self._lock_file = os.path.join(config.tmp, ".lock")
        self._listener = _Listener(("0.0.0.0", config.port), self)
        self.port = self._listener.server_address[1]

    def run(self):
        """Serve until SIGTERM; the process's exit code."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.start()
        os.read(self._asked_to_stop, 1)
        return 0 if self._drain() else 1

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()
        if not self.config.suppress_lock:
            with open(self._lock_file, "w", encoding="utf-8"):
                pass
        log.info("serving", port=self.port)

    def stop(self, *_):
        # A pipe, since a signal may interrupt whoever holds the lock that an Event needs.
        os.write(self._stop, b".")

    def healthy(self):
        return not self.draining and (self.config.suppress_lock or os.path.exists(self._lock_file))

    def readiness(self):
        if self.draining:
            return 503
        return 429 if self.gate.full else 200

    def close(self):
        self._closed = True
        # Wakes the thread that waits in accept.
        self._listener.socket.shutdown(socket.SHUT_RDWR)
        self._listener.socket.close()

    def _accept(self):
        while not self._closed:
            self._listener.handle_request()

    def _drain(self):
        self.draining = True
        if not self.config.suppress_lock and os.path.exists(self._lock_file):
            os.remove(self._lock_file)
        if self.config.healthcheck_interval:
            log.info("still serving while the word gets round", seconds=self.config.healthcheck_interval)
            # Nothing ends this wait early: those who route requests here need the time to look.
            threading.Event().wait(self.config.healthcheck_interval)
        self.close()
        ended = self.gate.wait_until_empty(self.config.write_timeout or None)
        if ended:
            log.info("stopped")
        else:
            log.error("stopped with requests unanswered", seconds=self.config.write_timeout)
        return ended
