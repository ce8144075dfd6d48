"""Request bodies as they come off the wire: with a length, or in chunks."""

from .event import BadRequest

_LONGEST_LINE = 1024
_MOST_TRAILERS = 100
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Source:
    """The bytes of a connection; a sender who stops halfway is at fault, not the handler."""

    def __init__(self, file):
        self._file = file

    def read(self, size):
        return self._guard(self._file.read, size)

    def readline(self, size):
        return self._guard(self._file.readline, size)

    @staticmethod
    def _guard(read, size):
        try:
            return read(size)
        except TimeoutError as error:
            raise BadRequest("the body did not arrive in time") from error
        except OSError as error:
            raise BadRequest("the body ended early") from error


def open_body(headers, file):
    """A reader for the body that these headers announce."""
    source = Source(file)
    lengths = set(headers.get_all("Content-Length", []))
    encodings = headers.get_all("Transfer-Encoding", [])
    if encodings:
        # Both at once is how one request is smuggled inside another.
        if lengths:
            raise BadRequest("a request has either Content-Length or Transfer-Encoding")
        if [encoding.strip().lower() for encoding in encodings] != ["chunked"]:
            raise BadRequest("the only Transfer-Encoding understood is chunked")
        return ChunkedBody(source)
    if not lengths:
        return SizedBody(source, 0)
    length = lengths.pop().strip()
    if lengths or not (length.isascii() and length.isdigit()):
        raise BadRequest("Content-Length is not a number")
    return SizedBody(source, int(length))


class SizedBody:
    """`length` bytes."""

    def __init__(self, source, length):
        self.announced = length
        self._source = source
        self._left = length

    @property
    def finished(self):
        return self._left == 0

    def read(self, size=-1):
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        data = self._source.read(wanted)
        self._left -= len(data)
        if len(data) < wanted:
            raise BadRequest("the body ended early")
        return data


class ChunkedBody:
    """Chunks, each after a line with its size, until one of size 0."""

    announced = 0
    """Not known before its end."""

    def __init__(self, source):
        self._source = source
        self._left = 0
        self._started = False
        self.finished = False

    def read(self, size=-1):
        parts = []
        while size != 0 and not self.finished:
            if not self._left:
                self._next_chunk()
                continue
            data = self._source.read(self._left if size < 0 else min(size, self._left))
            if not data:
                raise BadRequest("the body ended early")
            self._left -= len(data)
            size -= len(data) if size > 0 else 0
            parts.append(data)
        return b"".join(parts)

    def _next_chunk(self):
        if self._started and self._line() != b"":
            raise BadRequest("a chunk is longer than it said")
        self._started = True
        number = self._line().split(b";", 1)[0].strip()
        if not number or len(number) > 15 or not _HEX.issuperset(number):
            raise BadRequest("the size of a chunk is not a number")
        self._left = int(number, 16)
        if not self._left:
            self._skip_trailers()
            self.finished = True

    def _skip_trailers(self):
        for _ in range(_MOST_TRAILERS):
            if self._line() == b"":
                return
        raise BadRequest("the body has too many trailers")

    def _line(self):
        line = self._source.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BadRequest("the body ended early" if len(line) < _LONGEST_LINE else "a line of the body is too long")
        return line.rstrip(b"\r\n")
