"""What a handler returned, as an HTTP reply."""

import json

_FORM = {"statusCode", "body", "headers"}
# These belong to whoever writes the reply to the wire.
_RESERVED = {"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"}
_PIECE = 64 * 1024


class Reply:
    """A status, headers, and a body that is either bytes or an iterator of them."""

    def __init__(self, status=200, headers=(), body=b""):
        self.status = status
        self.headers = list(headers)
        self.body = body

    @property
    def streams(self):
        return not isinstance(self.body, bytes)

    def close(self):
        """Give a stream that was not read to its end the chance to let go of what it holds."""
        close = getattr(self.body, "close", None)
        if close:
            close()

    @classmethod
    def of(cls, value):
        """The reply for a handler's result: a dictionary with statusCode, body and headers, or just a body."""
        if not (isinstance(value, dict) and value and _FORM.issuperset(value)):
            value = {"body": value}
        body, kind = _body(value.get("body"))
        headers = _headers(value.get("headers") or {})
        if kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", kind))
        return cls(_status(value.get("statusCode", 200)), headers, body)

    @classmethod
    def text(cls, status, sentence, headers=()):
        """A reply of ours, not of the handler's."""
        kind = ("Content-Type", "text/plain; charset=utf-8")
        return cls(status, [kind, *headers], (sentence + "\n").encode() if sentence else b"")


def _status(value):
    status = int(value)
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode {value} is not an HTTP status from 200 to 599")
    return status


def _headers(given):
    pairs = given.items() if hasattr(given, "items") else given
    headers = []
    for name, value in pairs:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            name, one = str(name), str(one)
            # A line break in either would start a header of someone else's choosing.
            if any(sign in name + one for sign in "\r\n\0") or not name or ":" in name:
                raise ValueError(f"header {name!r} has a name or a value that HTTP does not allow")
            if name.lower() not in _RESERVED:
                headers.append((name, one))
    return headers


def _body(value):
    if value is None:
        return b"", None
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), "application/octet-stream"
    if isinstance(value, (dict, list, int, float, bool)):
        return json.dumps(value).encode(), "application/json"
    if hasattr(value, "read"):
        return _pieces(value), "application/octet-stream"
    if hasattr(value, "__iter__"):
        return _encoded(value), "application/octet-stream"
    raise TypeError(f"a body of type {type(value).__name__} cannot be sent")


def _pieces(file):
    with file:
        while piece := file.read(_PIECE):
            yield piece.encode() if isinstance(piece, str) else piece


def _encoded(parts):
    try:
        for part in parts:
            yield part.encode() if isinstance(part, str) else bytes(part)
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()
