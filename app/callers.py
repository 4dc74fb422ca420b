"""Who calls the service, and what each caller may do: decision 24."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.errors import Forbidden


class Scope(StrEnum):
    """What a key may be used for. `admin` includes all others."""

    VERIFY = "verify"  # compare, encode and detect faces in photos that the caller sends
    IDENTIFY = "identify"  # search a gallery
    ENROLL = "enroll"  # add templates and rejections, rename people, change their metadata
    READ = "read"  # list people and galleries, read metrics
    DELETE = "delete"  # delete people, templates and rejections, also by replacing or merging them
    ADMIN = "admin"  # everything, and deleting a whole gallery


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request. The name is that of the key: it is logged in the audit, the key never is."""

    name: str
    scopes: frozenset[Scope]
    galleries: frozenset[str] | None = None  # the only ones that it may use; None means any

    def require(self, needed: Collection[Scope]) -> None:
        """Raises Forbidden unless the caller has every scope of `needed`."""
        missing = [] if Scope.ADMIN in self.scopes else [scope for scope in sorted(needed) if scope not in self.scopes]
        if missing:
            raise Forbidden(
                f"This request needs a key with the scope {_list(sorted(needed))}; yours lacks {_list(missing)}. The "
                f"operator makes one with `facetwin keys add NAME --scope {' --scope '.join(sorted(needed))}`."
            )

    def may_use(self, gallery: str) -> bool:
        """Says whether the key is for this gallery."""
        return self.galleries is None or gallery in self.galleries

    def require_gallery(self, gallery: str, needed: Collection[Scope] = ()) -> None:
        """Raises Forbidden unless the key is for this gallery. `needed` only completes the message."""
        if not self.may_use(gallery):
            scope = f"the scope {_list(sorted(needed))} in " if needed else ""
            raise Forbidden(
                f"This request needs a key for {scope}the gallery that it names; yours is for other galleries. The "
                "operator makes one with `facetwin keys add NAME --scope ... --gallery ...`."
            )

    def require_every_gallery(self) -> None:
        """Raises Forbidden if the key is for some galleries only."""
        if self.galleries is not None:
            raise Forbidden("This request concerns all galleries, and your key is for some of them only.")


EVERY_SCOPE: Final = frozenset(Scope)
ANONYMOUS: Final = Caller("anonymous", EVERY_SCOPE)  # the caller, if the service has no keys
COMMAND_LINE: Final = "command-line"  # the name in the audit of whoever works on the store without the service
ENVIRONMENT: Final = "environment"  # the keys of FACETWIN_API_KEYS are named environment-1, environment-2, ...


def _list(scopes: Collection[Scope]) -> str:
    return " and ".join(f"`{scope}`" for scope in scopes)
