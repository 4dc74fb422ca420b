"""The contract of every gallery: what is known not to show an identity."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import (
    EncoderMismatch,
    TooManyRejections,
    UnknownGallery,
    UnknownIdentity,
    UnknownRejection,
)
from app.gallery.base import Candidate, Gallery, IfExists
from app.gallery.rejection import MAX_REJECTIONS, NewRejection
from tests.support.galleries import ENCODER, OpenGallery, new_template, unit_vector

pytestmark = pytest.mark.anyio


def not_ada(seed: int, identity: str = "ada", encoder_id: str = ENCODER) -> NewRejection:
    return NewRejection("default", identity, unit_vector(seed), encoder_id)


async def best(gallery: Gallery, seed: int) -> Candidate:
    found = (await gallery.search("default", unit_vector(seed), ENCODER, 1)).candidates[0]
    own = await gallery.compare("default", found.identity, unit_vector(seed), ENCODER)
    assert own.best is not None
    assert own.best.is_rejected == found.is_rejected
    return found


async def test_a_rejected_face_is_known_to_every_process_and_the_template_still_matches(
    gallery: Gallery, reopen: OpenGallery
) -> None:
    other = await reopen()
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    assert (await best(gallery, 2)).rejected_similarity is None
    rejection = await gallery.add_rejection(not_ada(2))
    for store in (gallery, other):
        found = await best(store, 2)
        assert found.is_rejected
        assert found.rejected_similarity == pytest.approx(1, abs=1e-5)
        assert not (await best(store, 1)).is_rejected
        assert await store.list_rejections("default", "ada") == (rejection,)


async def test_the_same_face_is_rejected_once_and_can_be_forgotten(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    first = await gallery.add_rejection(not_ada(2))
    assert await gallery.add_rejection(not_ada(2)) == first
    second = await gallery.add_rejection(not_ada(3))
    assert await gallery.list_rejections("default", "ada") == (first, second)
    await gallery.delete_rejection("default", "ada", first.rejection_id)
    assert await gallery.list_rejections("default", "ada") == (second,)
    assert not (await best(gallery, 2)).is_rejected
    with pytest.raises(UnknownRejection):
        await gallery.delete_rejection("default", "ada", first.rejection_id)


async def test_rejections_move_with_the_identity_and_go_with_it(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    await gallery.enroll(new_template("bob", 5), IfExists.ADD)
    rejection = await gallery.add_rejection(not_ada(2))
    await gallery.edit_identity("default", "ada", "ada lovelace", None)
    assert await gallery.list_rejections("default", "ada lovelace") == (rejection,)
    await gallery.merge_identity("default", "ada lovelace", "bob")
    assert await gallery.list_rejections("default", "bob") == (rejection,)
    await gallery.delete_identity("default", "bob")
    assert await gallery.list_rejection_records(None, 10) == ()
    await gallery.enroll(new_template("bob", 5), IfExists.ADD)
    await gallery.add_rejection(not_ada(2, "bob"))
    await gallery.enroll(new_template("bob", 5), IfExists.REPLACE)
    assert await gallery.list_rejection_records(None, 10) == ()


async def test_what_cannot_be_rejected_is_refused(gallery: Gallery) -> None:
    with pytest.raises(UnknownIdentity):
        await gallery.add_rejection(not_ada(2))
    with pytest.raises(UnknownGallery):
        await gallery.add_rejection(replace(not_ada(2), gallery="staff"))
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    with pytest.raises(EncoderMismatch):
        await gallery.add_rejection(not_ada(2, encoder_id="f" * 64))
    for seed in range(MAX_REJECTIONS):
        await gallery.add_rejection(not_ada(seed + 10))
    with pytest.raises(TooManyRejections, match="Delete some"):
        await gallery.add_rejection(not_ada(2))


async def test_rejections_can_be_copied_to_another_store(gallery: Gallery) -> None:
    await gallery.enroll(new_template("ada", 1), IfExists.ADD)
    await gallery.add_rejection(not_ada(2))
    await gallery.add_rejection(not_ada(3))
    first = (await gallery.list_rejection_records(None, 1))[0]
    rest = await gallery.list_rejection_records(first, 5)
    assert len(rest) == 1
    assert await gallery.import_rejections((first, *rest)) == 0
    await gallery.delete_rejection("default", "ada", first.rejection.rejection_id)
    assert await gallery.import_rejections((first, *rest)) == 1
    copied = {each.rejection.rejection_id: each for each in await gallery.list_rejection_records(None, 5)}
    assert np.allclose(copied[first.rejection.rejection_id].vector, first.vector)
