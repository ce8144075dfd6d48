"""A handler behind a real socket, for tests."""

import contextlib
import http.client
import io
import socket
import tempfile
import time
from unittest import mock

from ofruntime.config import Config
from ofruntime.service import Service

DEADLINE = 10


def eventually(holds):
    """Wait until `holds()`, or fail."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        time.sleep(0.005)


class Served:
    def __init__(self, service, log):
        self.service = service
        self.log = log

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=DEADLINE)

    def request(self, method="GET", path="/", body=None, headers=None, **kwargs):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {}, **kwargs)
            response = connection.getresponse()
            response.content = response.read()
            return response
        finally:
            connection.close()

    def raw(self, data):
        """Everything that is answered to these bytes, until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=DEADLINE) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer


@contextlib.contextmanager
def served(handle, **settings):
    with tempfile.TemporaryDirectory() as tmp, mock.patch("sys.stderr", new_callable=io.StringIO) as log:
        service = Service(Config.read({"port": "0", "TMPDIR": tmp, **settings}), handle)
        service.start()
        try:
            yield Served(service, log)
        finally:
            service.close()
            # The log is one for all: what is still running would write into the next test's.
            assert service.gate.wait_until_empty(DEADLINE)
