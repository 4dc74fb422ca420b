"""The contract of every store: the audit log is true, has no names, and shows what was done to it."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.callers import Scope
from app.errors import IdentityExists, UnknownIdentity
from app.gallery import open_gallery
from app.gallery.api_keys import ApiKey
from app.gallery.audit import Action, AuditSecret, Entry, Event, check_chain
from app.gallery.base import Gallery, GalleryError, IfExists, Store, TemplateRecord
from app.gallery.rejection import NewRejection, RejectionRecord
from tests.support.galleries import ENCODER, kill_after, new_template, start_enrolling, unit_vector

pytestmark = pytest.mark.anyio
TEXT = "a secret of the tests, of 32 characters"
SECRET = AuditSecret(TEXT.encode())
NAME = "Lovelace-Byron"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await open_gallery(url, secret=SECRET)
    yield opened
    await opened.close()


async def entries(store: Store) -> list[Entry]:
    return list(await store.audit.list_entries(0, 10_000))


def rejection(identity: str) -> NewRejection:
    return NewRejection("default", identity, unit_vector(9), ENCODER)


def subject(identity: str | None = None, gallery: str = "default") -> str:
    return SECRET.subject(gallery, identity)


@contextmanager
def raw(url: str) -> Iterator[Any]:
    """A connection of somebody who can write to the database."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            yield file
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


def remove_triggers(url: str, connection: Any) -> None:
    if url.startswith("sqlite"):
        for event in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER audit_refuses_{event}")
    else:
        connection.execute("DROP FUNCTION refuse_audit_change CASCADE")


async def test_every_change_leaves_an_entry_of_who_did_what_to_whom(store: Store) -> None:
    key = ApiKey("kiosk", "00", frozenset({Scope.READ}), None, datetime.now(UTC))
    expired = replace(new_template("old", 5), expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    await store.keys.add(key, by="root")
    await store.enroll(new_template(NAME, 1), IfExists.REJECT, by="a")
    second = await store.enroll(new_template(NAME, 2), IfExists.ADD, by="b")
    await store.delete_template("default", NAME, second.template_id, by="c")
    await store.enroll(new_template(NAME, 3), IfExists.REPLACE, by="d")
    rejected = await store.add_rejection(rejection(NAME), by="d1")
    assert await store.add_rejection(rejection(NAME), by="nobody") == rejected
    rejections = await store.list_rejection_records(None, 10)
    await store.delete_rejection("default", NAME, rejected.rejection_id, by="d2")
    await store.import_rejections(rejections, by="d3")
    assert await store.import_rejections(rejections, by="nobody") == 0
    await store.enroll_all([new_template(NAME, 6), new_template(NAME, 7)], IfExists.REPLACE, by="d4")
    await store.edit_identity("default", NAME, None, {"a": 1}, by="e")
    await store.edit_identity("default", NAME, "Ada", None, by="f")
    await store.enroll(new_template("Eve", 4), IfExists.REJECT, by="g")
    await store.merge_identity("default", "Ada", "Eve", by="h")
    records = await store.list_records(None, 10)
    await store.delete_identity("default", "Eve", by="i")
    await store.import_records(records, by="j")
    await store.enroll(expired, IfExists.REJECT, by="k")
    await store.purge(datetime.now(UTC), dry_run=True, by="l")
    await store.purge(datetime.now(UTC), dry_run=False, by="m")
    await store.audit.record(Event(Action.EXPORT), by="n")
    await store.delete_gallery("default", by="o")
    await store.keys.revoke("kiosk", by="p")
    await store.keys.revoke("kiosk", by="q")
    expected: list[tuple[Any, ...]] = [
        ("root", "add_key", None, None, None, None, "kiosk"),
        ("a", "enroll", subject(NAME), None, None, 1, None),
        ("b", "enroll", subject(NAME), None, None, 1, None),
        ("c", "delete_template", subject(NAME), None, 0, 1, None),
        ("d", "replace", subject(NAME), None, None, 1, None),
        ("d1", "reject", subject(NAME), None, None, None, None),
        ("d2", "forget_rejection", subject(NAME), None, None, None, None),
        ("d3", "import_rejections", None, None, None, None, None),
        ("d4", "replace", subject(NAME), None, None, 2, None),
        ("e", "edit", subject(NAME), None, None, None, None),
        ("f", "rename", subject(NAME), subject("Ada"), None, None, None),
        ("g", "enroll", subject("Eve"), None, None, 1, None),
        ("h", "merge", subject("Ada"), subject("Eve"), None, None, None),
        ("i", "delete_identity", subject("Eve"), None, 1, 3, None),
        ("j", "import", None, None, None, 3, None),
        ("k", "enroll", subject("old"), None, None, 1, None),
        ("m", "purge", None, None, 1, 1, None),
        ("n", "export", None, None, None, None, None),
        ("o", "delete_gallery", None, None, 1, 3, None),
        ("p", "revoke_key", None, None, None, None, "kiosk"),
    ]
    found = await entries(store)
    shown = [(e.by, e.action, e.identity, e.into, e.identities, e.templates, e.key) for e in found]
    assert shown == expected
    concerned = {subject()} | {None}
    assert {entry.gallery for entry in found} == concerned
    report = await check_chain(store.audit, SECRET)
    assert (report.count, report.head, report.faults) == (20, found[-1].hash, ())


READS = {
    "search", "compare", "get_identity", "list_identities", "list_templates", "list_rejections", "list_galleries",
    "integrity_errors", "list_records", "list_rejection_records", "erasure", "erase_remains", "check", "close",
}  # fmt: skip


@dataclass(frozen=True)
class Enrolled:
    """What a change finds in the store: "ada" with two templates and a rejection, "bob", and "old", who has expired."""

    store: Store
    template_id: str
    rejection_id: str
    records: Sequence[TemplateRecord]  # of "eve", who is not in the store any more
    rejections: Sequence[RejectionRecord]  # one of "ada" that is not in the store any more


CHANGES: dict[str, Callable[[Enrolled], Awaitable[object]]] = {
    "enroll": lambda at: at.store.enroll(new_template("new", 7), IfExists.REJECT, by="me"),
    "enroll_all": lambda at: at.store.enroll_all([new_template("new", 7)], IfExists.REJECT, by="me"),
    "add_rejection": lambda at: at.store.add_rejection(rejection("bob"), by="me"),
    "delete_rejection": lambda at: at.store.delete_rejection("default", "ada", at.rejection_id, by="me"),
    "edit_identity": lambda at: at.store.edit_identity("default", "ada", None, {"a": 1}, by="me"),
    "merge_identity": lambda at: at.store.merge_identity("default", "bob", "ada", by="me"),
    "delete_identity": lambda at: at.store.delete_identity("default", "ada", by="me"),
    "delete_template": lambda at: at.store.delete_template("default", "ada", at.template_id, by="me"),
    "delete_gallery": lambda at: at.store.delete_gallery("default", by="me"),
    "purge": lambda at: at.store.purge(datetime.now(UTC), dry_run=False, by="me"),
    "import_records": lambda at: at.store.import_records(at.records, by="me"),
    "import_rejections": lambda at: at.store.import_rejections(at.rejections, by="me"),
}


def test_every_method_of_a_gallery_is_known_to_change_it_or_not() -> None:
    methods = {name: method for name, method in vars(Gallery).items() if callable(method) and name[0] != "_"}
    assert set(methods) == {*READS, *CHANGES}
    assert {name for name, method in methods.items() if "by" in signature(method).parameters} == set(CHANGES)


@pytest.fixture
async def enrolled(store: Store) -> Enrolled:
    await store.enroll(new_template("eve", 1), IfExists.REJECT)
    records = await store.list_records(None, 10)
    await store.delete_identity("default", "eve")
    await store.enroll(new_template("ada", 2), IfExists.REJECT)
    template = await store.enroll(new_template("ada", 3), IfExists.ADD)
    await store.enroll(new_template("bob", 4), IfExists.REJECT)
    await store.enroll(replace(new_template("old", 5), expires_at=datetime(2020, 1, 1, tzinfo=UTC)), IfExists.REJECT)
    gone = await store.add_rejection(rejection("ada"))
    rejections = await store.list_rejection_records(None, 10)
    await store.delete_rejection("default", "ada", gone.rejection_id)
    kept = await store.add_rejection(replace(rejection("ada"), vector=unit_vector(10)))
    return Enrolled(store, template.template_id, kept.rejection_id, records, rejections)


@pytest.mark.parametrize("name", CHANGES)
async def test_each_method_that_changes_a_gallery_leaves_one_entry_under_the_name_of_the_caller(
    store: Store, enrolled: Enrolled, name: str
) -> None:
    before = len(await entries(store))
    await CHANGES[name](enrolled)
    assert [entry.by for entry in (await entries(store))[before:]] == ["me"]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_method_whose_entry_cannot_be_written_changes_nothing(
    url: str, store: Store, enrolled: Enrolled, name: str
) -> None:
    async def contents() -> str:
        everything = (await store.list_records(None, 99), await store.list_rejection_records(None, 99))
        return str(everything)

    before = await contents()
    with raw(url) as connection:
        connection.execute("DROP TABLE audit")
    with pytest.raises(Exception, match="audit"):
        await CHANGES[name](enrolled)
    assert await contents() == before


async def test_a_change_that_fails_leaves_no_entry(store: Store) -> None:
    await store.enroll(new_template("ada", 1), IfExists.REJECT)
    with pytest.raises(IdentityExists):
        await store.enroll(new_template("ada", 1), IfExists.REJECT)
    with pytest.raises(UnknownIdentity):
        await store.delete_identity("default", "bob")
    assert [entry.action for entry in await entries(store)] == ["enroll"]


async def test_several_processes_append_to_one_chain_without_forks(url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(3):
            stores.append(await open_gallery(url, secret=SECRET))
            stack.push_async_callback(stores[-1].close)
        await asyncio.gather(
            *(
                stores[number % 3].enroll(new_template(f"p{number}", number, f"g{number % 5}"), IfExists.REJECT)
                for number in range(60)
            )
        )
        report = await check_chain(stores[0].audit, SECRET)
    assert (report.count, report.faults) == (60, ())


async def test_processes_that_are_killed_leave_one_chain_with_everything_they_acknowledged(url: str) -> None:
    processes = [start_enrolling(url, f"{letter}-", TEXT) for letter in "abc"]
    killed = await asyncio.gather(*(asyncio.to_thread(kill_after, process, 2.0) for process in processes))
    store = await open_gallery(url, secret=SECRET)
    report = await check_chain(store.audit, SECRET)
    recorded = {entry.identity for entry in await entries(store)}
    people = await store.list_identities("default", None, 100_000)
    await store.close()
    assert report.faults == ()
    assert {subject(name) for names in killed for name in names} <= recorded
    assert report.count == len(people.identities) == len(recorded)


async def test_erasing_a_person_leaves_the_log_true_and_without_the_name(url: str, store: Store) -> None:
    await store.enroll(new_template(NAME, 1), IfExists.REJECT)
    await store.delete_identity("default", NAME)
    assert [entry.action for entry in await entries(store) if entry.identity == subject(NAME)] == [
        "enroll",
        "delete_identity",
    ]
    assert (await check_chain(store.audit, SECRET)).faults == ()
    await store.close()
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        assert all(NAME.encode() not in path.read_bytes() for path in folder.iterdir())
    else:
        with raw(url) as connection:
            rows = str(connection.execute("SELECT * FROM audit").fetchall())
        assert subject(NAME) in rows
        assert NAME not in rows


async def test_the_database_refuses_to_change_an_entry(url: str, store: Store) -> None:
    await store.enroll(new_template("ada", 1), IfExists.REJECT)
    with raw(url) as connection:
        for statement in ("UPDATE audit SET by = 'nobody'", "DELETE FROM audit"):
            with pytest.raises((sqlite3.DatabaseError, psycopg.Error), match="append-only"):
                connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET by = 'nobody' WHERE number = 3", "Entry 3 was changed"),
        ("UPDATE audit SET at = '2020' WHERE number = 1", "Entry 1 was changed"),
        ("DELETE FROM audit WHERE number = 3", "Entry 3 is missing"),
        ("DELETE FROM audit WHERE number < 3", "Entries 1 to 2 are missing"),
        ("UPDATE audit SET number = number - 10 WHERE number > 3", "the number -6"),
    ],
)
async def test_a_change_by_somebody_without_the_secret_is_found(
    url: str, store: Store, statement: str, fault: str
) -> None:
    for number in range(5):
        await store.enroll(new_template(f"p{number}", number), IfExists.REJECT)
    with raw(url) as connection:
        remove_triggers(url, connection)
        connection.execute(statement)
    assert fault in " ".join((await check_chain(store.audit, SECRET)).faults)


async def test_entries_removed_from_the_end_are_missed_only_with_a_head_that_was_kept(url: str, store: Store) -> None:
    for number in range(5):
        await store.enroll(new_template(f"p{number}", number), IfExists.REJECT)
    kept = (await check_chain(store.audit, SECRET)).head
    await store.delete_identity("default", "p1")
    report = await check_chain(store.audit, SECRET, kept)
    assert (report.count, report.expected_at, report.faults) == (6, 5, ())
    with raw(url) as connection:
        remove_triggers(url, connection)
        connection.execute("DELETE FROM audit WHERE number > 4")
    assert (await check_chain(store.audit, SECRET)).faults == ()
    assert "removed from the end" in (await check_chain(store.audit, SECRET, kept)).faults[0]


async def test_a_log_is_not_left_out_nor_continued_with_another_secret(url: str, store: Store) -> None:
    await (await open_gallery(url)).close()  # nothing is recorded yet
    other = await open_gallery(url, secret=AuditSecret(b"another secret of the tests, 32 long"))
    await store.enroll(new_template("ada", 1), IfExists.REJECT)
    with pytest.raises(GalleryError, match="another secret"):
        await other.enroll(new_template("bob", 2), IfExists.REJECT)
    await other.close()
    with pytest.raises(UnknownIdentity):
        await store.get_identity("default", "bob")
    with pytest.raises(GalleryError, match="has an audit log"):
        await open_gallery(url)
    with pytest.raises(GalleryError, match="another secret"):
        await open_gallery(url, secret=AuditSecret(b"another secret of the tests, 32 long"))
    unaudited = await open_gallery(url, allow_unaudited=True)
    await unaudited.enroll(new_template("eve", 3), IfExists.REJECT)
    await unaudited.close()
    assert len(await entries(store)) == 1
