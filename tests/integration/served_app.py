"""A small application under an HTTP engine: ``python -m tests.integration.served_app gunicorn|gevent PORT STATE``."""

from gevent import monkey

monkey.patch_all()

import logging  # noqa: E402 - nothing may be imported before the patch
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

from flask import Flask, Response, request  # noqa: E402

from st2common import service  # noqa: E402
from st2common.http import body, gunicorn_daemon, responses, serving  # noqa: E402
from st2common.http.app import create_app  # noqa: E402
from st2common.http.serving import GeventServer  # noqa: E402

STOP_TIMEOUT = 20.0
serving.HEAD_SECONDS = 2.0


def make(state: Path) -> Flask:
    """``/wait`` waits until there is a file ``release`` in ``state``."""
    app = create_app("served", prefixes=["/v1"], origins=["http://127.0.0.1:3000"])

    @app.get("/stream")
    def stream() -> Response:
        client_gone = request.environ["st2.client_gone"]

        def lines() -> Iterator[bytes]:
            try:
                yield b"first\n"
                while not client_gone():
                    time.sleep(0.02)
                print("the client has gone", flush=True)
            finally:
                print("the stream is closed", flush=True)

        return Response(lines(), content_type="text/plain")

    @app.get("/wait")
    def wait() -> Response:
        print("waiting", flush=True)
        while not (state / "release").exists():
            time.sleep(0.02)
        return responses.answer("released")

    @app.post("/echo")
    def echo() -> Response:
        return responses.answer(body.parsed())

    return app


def main(engine: str, port: int, state: Path) -> int:
    logging.basicConfig(level=logging.INFO)
    if engine == "gunicorn":
        web = gunicorn_daemon.WebApplication(make(state), lambda: None, lambda _seconds: print("closed", flush=True))
        gunicorn_daemon.run(
            "served", lambda: web, host="127.0.0.1", port=port, state_path=state, stop_timeout=STOP_TIMEOUT
        )
    return service.run("served", [GeventServer("served", make(state), "127.0.0.1", port)], state, STOP_TIMEOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
