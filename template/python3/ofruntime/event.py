"""What a handler is given."""

import os
from urllib.parse import parse_qsl, unquote, urlsplit

_MOST_PARAMETERS = 1000


class BodyTooLarge(Exception):
    """A body was asked for as a whole and is larger than `max_body_bytes`."""


class BadRequest(Exception):
    """The request breaks the rules of HTTP, or ended early."""


class Query(dict):
    """The parameters of a query string: the first value of each; `all(name)` gives every one."""

    def __init__(self, pairs):
        super().__init__()
        self._all = {}
        for name, value in pairs:
            self.setdefault(name, value)
            self._all.setdefault(name, []).append(value)

    def all(self, name):
        return list(self._all.get(name, ()))


class Event:
    """One request."""

    def __init__(self, method, target, headers, stream, max_body):
        url = urlsplit(target)
        self.method = method
        self.path = unquote(url.path) or "/"
        self.query_string = url.query
        try:
            pairs = parse_qsl(url.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError as error:
            raise BadRequest(f"the query has more than {_MOST_PARAMETERS} parameters") from error
        self.query = Query(pairs)
        self.headers = headers
        """A mapping; names are matched whatever their case."""
        self.stream = stream
        """Read this, with `read(n)`, to work on a large body piece by piece."""
        self._max_body = max_body
        self._body = None

    @property
    def body(self):
        """The whole body, as bytes."""
        if self._body is None:
            if self.stream.announced > self._max_body:
                raise BodyTooLarge
            body = self.stream.read(self._max_body + 1)
            if len(body) > self._max_body:
                raise BodyTooLarge
            self._body = body
        return self._body


class Context:
    """Where the function runs, and whose request this is."""

    def __init__(self, call_id=None):
        self.hostname = os.environ.get("HOSTNAME", "localhost")
        self.call_id = call_id

    @staticmethod
    def secret(name):
        """The value of a secret that the function's stack file names."""
        folder = os.environ.get("secret_mount_path") or "/var/openfaas/secrets"
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"'{name}' is not the name of a secret")
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read().strip()
