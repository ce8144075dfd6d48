"""The settings of a function, read once at start; all that is wrong is reported together."""

import re
from dataclasses import dataclass

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_BARE = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


class ConfigError(ValueError):
    """Every problem found, each with its variable's name."""

    def __init__(self, problems):
        super().__init__("; ".join(problems))
        self.problems = problems


def seconds(text):
    """Seconds in `10s`, `1m30s`, `500ms` or a bare number."""
    if _BARE.fullmatch(text):
        return float(text)
    end, total = 0, 0.0
    for part in _PART.finditer(text):
        if part.start() != end:
            break
        total += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    if not text or end != len(text):
        raise ValueError(f"'{text}' is not a duration such as 10s, 1m30s or 500ms")
    return total


def _count(text):
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"'{text}' is not a whole number of 0 or more")
    return int(text)


def _port(text):
    port = _count(text)
    if port > 65535:
        raise ValueError(f"{text} is not a port")
    return port


def _flag(text):
    if text not in ("true", "false", "1", "0"):
        raise ValueError(f"'{text}' is neither true nor false")
    return text in ("true", "1")


@dataclass(frozen=True)
class Config:
    port: int
    exec_timeout: float
    """Seconds a request may take; 0 is no limit."""
    read_timeout: float
    write_timeout: float
    healthcheck_interval: float
    """Seconds to go on serving after SIGTERM while balancers look elsewhere."""
    max_inflight: int
    """Requests handled at once; 0 is no limit."""
    max_body: int
    """The largest body, in bytes, that is read into memory as a whole."""
    suppress_lock: bool
    tmp: str

    @classmethod
    def read(cls, env):
        problems = []

        def setting(name, default, parse):
            # An empty variable is one that was not set.
            text = env.get(name, "").strip() or default
            try:
                return parse(text)
            except ValueError as error:
                problems.append(f"{name}: {error}")
                return None

        config = cls(
            port=setting("port", "8080", _port),
            exec_timeout=setting("exec_timeout", "30s", seconds),
            read_timeout=setting("read_timeout", "30s", seconds),
            write_timeout=setting("write_timeout", "30s", seconds),
            healthcheck_interval=setting("healthcheck_interval", "0s", seconds),
            max_inflight=setting("max_inflight", "0", _count),
            max_body=setting("max_body_bytes", str(100 * 1024 * 1024), _count),
            suppress_lock=setting("suppress_lock", "false", _flag),
            tmp=env.get("TMPDIR") or "/tmp",
        )
        if problems:
            raise ConfigError(problems)
        return config
