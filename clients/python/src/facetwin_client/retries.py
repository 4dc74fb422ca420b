"""When a request is sent again."""

from dataclasses import dataclass
from typing import Final

from facetwin_client.errors import ApiError

FIRST_WAIT_S: Final = 0.5  # if the service does not say how long
SPREAD: Final = 0.25  # clients that were refused together do not come back together


@dataclass(frozen=True)
class Retries:
    """How often a request is sent, at most, and after which answers again.

    Only requests that change nothing more the second time are sent again: reads, searches, and enrollments with an
    idempotency key.
    """

    attempts: int = 4  # in all; 1 sends nothing again
    longest_wait_s: float = 30.0  # an error whose Retry-After is longer is raised at once
    statuses: frozenset[int] = frozenset({429, 503})

    def wait_s(self, failures: int, error: ApiError, draw: float) -> float | None:
        """Returns the seconds to wait after so many failures, at least 1; None if the error is to be raised.

        The wait is at least what the service asks for. `draw` is random, 0..1.
        """
        # A service that is not ready has failed its self-check, which time does not mend.
        if failures >= self.attempts or error.status not in self.statuses or error.code == "not_ready":
            return None
        if error.retry_after is not None:
            return None if error.retry_after > self.longest_wait_s else error.retry_after * (1 + SPREAD * draw)
        return min(FIRST_WAIT_S * 2.0 ** (failures - 1), self.longest_wait_s) * (0.5 + 0.5 * draw)


NO_RETRIES: Final = Retries(attempts=1)
