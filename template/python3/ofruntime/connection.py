"""One connection: reads requests, has them answered, writes the replies."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

from . import log
from .body import open_body
from .call import Call
from .config import seconds
from .event import BadRequest, Context, Event
from .reply import Reply

# A little more than clients keep a connection they do not use, so that they are the ones to close it.
_IDLE = 120
_LONGEST_REQUEST_LINE = 65536
# What is left of a body that nobody read: more than this, and a new connection is cheaper.
_WORTH_SKIPPING = 256 * 1024
_LONGEST_FIELD = 1024
_INTERNAL = ("X-OpenFaaS-Internal", "python3")


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(message)s\n"

    @property
    def service(self):
        return self.server.service

    @property
    def uri(self):
        """For the log: without the query, which may hold what is secret."""
        return self.path.split("?", 1)[0][:_LONGEST_FIELD]

    def handle_one_request(self):
        self.close_connection = True
        try:
            self.connection.settimeout(_IDLE)
            self.raw_requestline = self.rfile.readline(_LONGEST_REQUEST_LINE + 1)
            if not self.raw_requestline:
                return
            self.started = time.monotonic()
            self.connection.settimeout(self.service.config.read_timeout or None)
            if len(self.raw_requestline) > _LONGEST_REQUEST_LINE:
                self.requestline = self.request_version = self.command = ""
                self.send_error(414)
            elif self.parse_request():
                self.body = None
                self._serve()
            self.wfile.flush()
        except (OSError, ValueError):
            # The other side went away or fell silent, and there is nobody left to answer.
            self.close_connection = True

    def log_message(self, *_):
        """The base class writes lines of its own; ours are in `_log`."""

    def _serve(self):
        path = self.path.split("?", 1)[0]
        if path == "/_/health":
            self._probe(lambda: 200 if self.service.healthy() else 503)
        elif path == "/_/ready":
            self._probe(self.service.readiness)
        else:
            self._invoke()

    def _probe(self, status):
        answer = status() if self.command in ("GET", "HEAD") else 405
        self._skip_body()
        self._write(Reply.text(answer, "" if answer == 200 else self.responses[answer][0]))

    def _invoke(self):
        service = self.service
        call_id = self.headers.get("X-Call-Id")
        try:
            self.body = open_body(self.headers, self.rfile)
            event = Event(self.command, self.path, self.headers, self.body, service.config.max_body)
            limit = self._time_limit()
        except (BadRequest, ValueError) as error:
            self.close_connection = True
            return self._answer(Reply.text(400, str(error)), call_id)
        if not service.gate.enter():
            self._skip_body()
            return self._answer(Reply.text(429, "the function is busy; try again later", [_INTERNAL]), call_id)
        call = Call(service.handle, event, Context(call_id), service.gate.leave)
        try:
            self._answer_call(call, limit, call_id)
        finally:
            call.done()

    def _answer_call(self, call, limit, call_id):
        reply = call.reply_within(limit)
        if reply is None:
            # Its handler may still be reading from this connection.
            self.close_connection = True
            log.error("the handler took too long", call_id=call_id, uri=self.uri, limit=limit)
            return self._answer(Reply.text(504, f"the function took longer than {limit:g} s", [_INTERNAL]), call_id)
        if not reply.streams:
            self._skip_body()
            return self._answer(reply, call_id)
        rest = limit and max(limit - (time.monotonic() - self.started), 0.001)
        self._answer(reply, call_id, rest)

    def _time_limit(self):
        """A caller may ask for less time than the function has, not for more."""
        limit = self.service.config.exec_timeout
        asked = self.headers.get("X-Timeout")
        if not asked:
            return limit
        try:
            asked = seconds(asked)
        except ValueError as error:
            raise BadRequest(f"X-Timeout: {error}") from error
        return min(limit, asked) if limit and asked else limit or asked

    def _skip_body(self):
        """Get what nobody read out of the way of the next request, or give the connection up."""
        try:
            body = self.body or open_body(self.headers, self.rfile)
            body.read(_WORTH_SKIPPING)
            if not body.finished:
                self.close_connection = True
        except BadRequest:
            self.close_connection = True
        self.body = None

    def _answer(self, reply, call_id, rest=0):
        sent = self._write(reply, call_id, rest)
        if not (self.headers.get("User-Agent") or "").startswith("kube-probe"):
            log.info(
                "request",
                method=self.command,
                uri=self.uri,
                status=reply.status,
                duration_seconds=round(time.monotonic() - self.started, 6),
                bytes=sent,
                call_id=call_id and call_id[:_LONGEST_FIELD],
            )

    def _write(self, reply, call_id=None, rest=0):
        bodiless = self.command == "HEAD" or reply.status in (204, 304)
        if self.service.draining:
            self.close_connection = True
        chunked = reply.streams and self.request_version != "HTTP/1.0"
        if reply.streams and not chunked:
            self.close_connection = True
        self.send_response_only(reply.status)
        self.send_header("Date", self.date_time_string())
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("X-Duration-Seconds", f"{time.monotonic() - self.started:.6f}")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif not reply.streams and reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if bodiless:
            return 0
        if reply.streams:
            return self._stream(reply, chunked, call_id, rest)
        self.wfile.write(reply.body)
        self.wfile.flush()
        return len(reply.body)

    def _stream(self, reply, chunked, call_id, rest):
        cut = threading.Timer(rest, self._cut) if rest else None
        if cut:
            cut.daemon = True
            cut.start()
        sent = 0
        try:
            for piece in reply.body:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    self.wfile.flush()
                    sent += len(piece)
        except OSError:
            self.close_connection = True
            log.error("the connection ended before the reply did", call_id=call_id, uri=self.uri, bytes=sent)
        except Exception:
            # The status is long sent: an end without the last chunk is how the caller learns of this.
            self.close_connection = True
            log.exception("the handler failed while it streamed its reply", call_id=call_id, uri=self.uri)
        else:
            self._skip_body()
            self.wfile.write(b"0\r\n\r\n" if chunked else b"")
            self.wfile.flush()
        finally:
            if cut:
                cut.cancel()
        return sent

    def _cut(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It ended just now by itself.
            pass
