"""The server of the review page, in a thread of its own until the command ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgecl.review.office import ReviewOffice
from edgecl.review.part import ReviewPart
from runtime.errors import EquipmentError
from runtime.serving.opening import ListeningPlace
from runtime.serving.process import server_with

CLOSE_S = 10.0
"""Time that viewers get at the end, in seconds."""

_LOOK_S = 0.2


@contextmanager
def serving_review(
    place: ListeningPlace, office: ReviewOffice, export: Callable[[], str]
) -> Iterator[Callable[[], None]]:
    """Serve the page while the block runs, which is given what waits until somebody ends it.

    Raises:
        InputError: the certificate cannot be used.
        EquipmentError: the server ends by itself.
    """
    with place.socket:
        server = server_with([ReviewPart(office, export)], place.setup)
        # Not in the main thread: signals are the command's, which ends the server in order.
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[place.socket])),
            name="review page",
            daemon=True,
        )
        thread.start()

        def wait() -> None:
            while thread.is_alive():
                time.sleep(_LOOK_S)
            raise EquipmentError(
                "the review page has ended by itself", hint="start it again", code="equipment"
            )

        try:
            yield wait
        finally:
            server.should_exit = True
            thread.join(CLOSE_S)
