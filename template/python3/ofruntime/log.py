"""One JSON object a line on standard error: a sentence and its fields."""

import json
import sys
import threading
import time
import traceback

_lock = threading.Lock()


def info(message, **fields):
    _write("INFO", message, fields)


def error(message, **fields):
    _write("ERROR", message, fields)


def exception(message, **fields):
    """Log the exception being handled, with where it came from."""
    _write("ERROR", message, {**fields, "exception": traceback.format_exc().strip()})


def _write(level, message, fields):
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    known = {name: value for name, value in fields.items() if value is not None}
    line = json.dumps({"timestamp": stamp, "level": level, "message": message, **known}, default=str)
    # One write a line, under a lock, or the lines of two requests would mix.
    with _lock:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
