"""The real service beside its own OpenAPI description: schemathesis with all checks, on both stores."""

from collections.abc import Iterator
from typing import Final

from benchmarks.trust.row import Options, Row, faults_of, portrait
from benchmarks.trust.service import POSTGRES, SQLITE, check_alive, new_store, real_service
from tests.support.description_check import check_description

KEY: Final = "a-key-of-sixteen!"
EXAMPLES: Final = 60  # random requests for each route, besides those at the limits


def attack(options: Options) -> Iterator[Row]:
    """Yields a row for each store."""
    for store in (SQLITE, POSTGRES):
        row = Row(f"requests made from the API's description, {store}")
        with (
            faults_of(row),
            new_store(store, options) as url,
            real_service(options.folder, FACETWIN_GALLERY_URL=url, FACETWIN_API_KEYS=KEY) as server,
        ):
            folder = options.build / f"schemathesis-{store.lower()}"
            checked = check_description(server.url, KEY, portrait(), folder, EXAMPLES)
            row.inputs = checked.requests
            row.seen[f"(answers as described, of {checked.routes} routes)"] = checked.requests
            for fault in checked.faults:
                row.require(False, f"{fault}; see {checked.log}")
            check_alive(server, row)
        yield row
