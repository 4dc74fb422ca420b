"""Whatever a route forgets, a caller reaches only its own galleries, and changes are recorded under its name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.callers import Caller, Scope
from app.errors import Forbidden
from app.gallery import open_gallery
from app.gallery.audit import AuditSecret
from app.gallery.base import IfExists, Store
from app.gallery.guarded import GuardedGallery
from app.gallery.rejection import NewRejection
from tests.support.galleries import ENCODER, new_template, unit_vector

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)


def rejection(gallery: str) -> NewRejection:
    return NewRejection(gallery, "ada", unit_vector(9), ENCODER)


Call = Callable[[GuardedGallery, str], Awaitable[object]]

IN_ONE_GALLERY: dict[str, Call] = {
    "enroll": lambda store, gallery: store.enroll(new_template("eve", 3, gallery), IfExists.ADD),
    "enroll_all": lambda store, gallery: store.enroll_all(
        [new_template("eve", 3, "mine"), new_template("eve", 4, gallery)], IfExists.ADD
    ),
    "search": lambda store, gallery: store.search(gallery, unit_vector(1), ENCODER, 2),
    "compare": lambda store, gallery: store.compare(gallery, "ada", unit_vector(1), ENCODER),
    "get_identity": lambda store, gallery: store.get_identity(gallery, "ada"),
    "list_identities": lambda store, gallery: store.list_identities(gallery, None, 10),
    "list_templates": lambda store, gallery: store.list_templates(gallery, "ada", None, 10),
    "add_rejection": lambda store, gallery: store.add_rejection(rejection(gallery)),
    "list_rejections": lambda store, gallery: store.list_rejections(gallery, "ada"),
    "delete_rejection": lambda store, gallery: store.delete_rejection(gallery, "ada", "none"),
    "edit_identity": lambda store, gallery: store.edit_identity(gallery, "ada", None, {}),
    "merge_identity": lambda store, gallery: store.merge_identity(gallery, "bob", "ada"),
    "delete_template": lambda store, gallery: store.delete_template(gallery, "eve", "none"),
    "delete_identity": lambda store, gallery: store.delete_identity(gallery, "eve"),
    "delete_gallery": lambda store, gallery: store.delete_gallery(gallery),
}
IN_ALL: dict[str, Call] = {
    "purge": lambda store, _: store.purge(NOW, dry_run=True),
    "integrity_errors": lambda store, _: store.integrity_errors(),
    "list_records": lambda store, _: store.list_records(None, 1),
    "list_rejection_records": lambda store, _: store.list_rejection_records(None, 1),
}
IMPORTS = {"import_records", "import_rejections"}
FOR_NOBODY = {"for_caller", "is_audited", "list_keys", "erasure", "erase_remains", "check", "problem", "close"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    secret = AuditSecret(b"a secret of the tests, of 32 characters")
    opened = await open_gallery(f"sqlite:///{tmp_path / 'gallery.db'}", secret=secret)
    for gallery in ("mine", "other"):
        for number, name in enumerate(("ada", "bob")):
            await opened.enroll(new_template(name, number, gallery), IfExists.REJECT)
    yield opened
    await opened.close()


@pytest.fixture
def guarded(store: Store) -> GuardedGallery:
    caller = Caller("kiosk", frozenset({Scope.ADMIN}), frozenset({"mine"}))
    return GuardedGallery(store, max_calls=4, wait_s=5, deadline_s=60).for_caller(caller)


def test_every_method_is_tested() -> None:
    public = {name for name in vars(GuardedGallery) if not name.startswith("_")}
    assert public == {*IN_ONE_GALLERY, *IN_ALL, *FOR_NOBODY, "list_galleries", *IMPORTS}


@pytest.mark.parametrize("name", [*IN_ONE_GALLERY, *IN_ALL])
async def test_a_caller_for_one_gallery_is_refused_in_others(guarded: GuardedGallery, name: str) -> None:
    with pytest.raises(Forbidden):
        await (IN_ONE_GALLERY | IN_ALL)[name](guarded, "other")


async def test_it_sees_and_fills_its_own(store: Store, guarded: GuardedGallery) -> None:
    assert [each.gallery for each in await guarded.list_galleries()] == ["mine"]
    records = await store.list_records(None, 10)
    with pytest.raises(Forbidden):
        await guarded.import_records(records)
    assert await guarded.import_records([each for each in records if each.gallery == "mine"]) == 0
    for gallery in ("mine", "other"):
        await store.add_rejection(rejection(gallery))
    rejections = await store.list_rejection_records(None, 10)
    with pytest.raises(Forbidden):
        await guarded.import_rejections(rejections)
    assert await guarded.import_rejections([each for each in rejections if each.gallery == "mine"]) == 0
    assert (await guarded.search("mine", unit_vector(1), ENCODER, 2)).size == 2


async def test_changes_are_recorded_under_its_name(store: Store, guarded: GuardedGallery) -> None:
    await guarded.edit_identity("mine", "ada", "eve", None)
    await guarded.merge_identity("mine", "bob", "eve")
    await guarded.delete_identity("mine", "eve")
    await guarded.enroll(new_template("ada", 1, "mine"), IfExists.REJECT)
    await guarded.enroll_all([new_template("ada", 2, "mine")], IfExists.ADD)
    added = await guarded.add_rejection(rejection("mine"))
    rejections = await store.list_rejection_records(None, 10)
    await guarded.delete_rejection("mine", "ada", added.rejection_id)
    await guarded.import_rejections(rejections)
    await guarded.delete_gallery("mine")
    recorded = await store.audit.list_entries(4, 20)
    assert [entry.by for entry in recorded] == ["kiosk"] * 9
