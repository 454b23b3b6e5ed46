"""moto as a server in a thread of this process, which answers one request after the other (no queue, then: a long poll would hold it up).

moto keeps its tables in plain dictionaries and holds no lock: it looks at an item and changes it afterwards, and a transaction copies
whole tables and puts them back. Two requests that come at once, each in a thread of its own, would both find a condition true, undo
each other's writes, or end in "dictionary changed size during iteration" (500): all the likelier the busier the machine is.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any


class OneAtATime:
    """A WSGI application in which one request has been answered whole before the next begins."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._turn = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer."""
        with self._turn:
            answer = self._application(environ, start_response)
            try:
                return list(answer)
            finally:
                if (close := getattr(answer, "close", None)) is not None:
                    close()


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a server of its own, with one account for everybody."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        """No line in the log for each request, which every test would keep until its end."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...

    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
