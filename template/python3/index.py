"""Serves function/handler.py under the container contract of OpenFaaS."""

import os
import sys

from ofruntime import log
from ofruntime.config import Config, ConfigError


def main():
    try:
        config = Config.read(os.environ)
    except ConfigError as error:
        log.error("the configuration is wrong", problems=error.problems)
        return 1
    try:
        from function.handler import handle
    except Exception:
        log.exception("function/handler.py could not be loaded: it must define handle(event, context)")
        return 1

    # After the handler, so that its import errors are reported even where a port is taken.
    from ofruntime.service import Service

    try:
        service = Service(config, handle)
    except OSError as error:
        log.error(f"cannot listen on port {config.port}: {error}")
        return 1
    return service.run()


if __name__ == "__main__":
    sys.exit(main())
