"""The service that a command asks. Its errors become a message and status 2."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from app.cli.output import ERROR, describe_error, fail

if TYPE_CHECKING:
    from facetwin_client import Facetwin, Retries


@contextmanager
def open_service(
    url: str | None,
    local: bool,
    as_json: bool = False,
    *,
    needs_gallery: bool = True,
    retries: "Retries | None" = None,
) -> Iterator["Facetwin"]:
    """The service at `url`, or one in this process. FACETWIN_API_KEY has the key.

    With `as_json`, an error is one line of JSON on standard error: `code`, `detail`, `status`.
    """
    from app.photo_files import BulkEnrollmentError
    from facetwin_client import ApiError, Facetwin, Retries

    try:
        with ExitStack() as stack:
            transport = None
            if local:
                from app.cli.client.in_process import IN_PROCESS_URL, open_in_process

                url, transport = IN_PROCESS_URL, stack.enter_context(open_in_process(needs_gallery=needs_gallery))
            yield stack.enter_context(Facetwin(url, retries=retries or Retries(), transport=transport))
    except BrokenPipeError:  # as in `... | head`: the program ends silently
        raise
    except ApiError as error:
        _fail_with(error.code, error.detail, error.status, as_json)
    except (BulkEnrollmentError, OSError, ValueError) as error:
        _fail_with("error", describe_error(error), 0, as_json)


def _fail_with(code: str, detail: str, status: int, as_json: bool) -> NoReturn:
    if not as_json:
        fail(f"{detail} ({code})" if status or code != "error" else detail)
    typer.echo(json.dumps({"code": code, "detail": detail, "status": status}, ensure_ascii=False), err=True)
    sys.exit(ERROR)
