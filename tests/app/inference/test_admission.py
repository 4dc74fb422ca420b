import asyncio

import pytest

from app.errors import DeadlineExceeded, Overloaded
from app.inference.admission import Admission

pytestmark = pytest.mark.anyio


async def test_a_request_beyond_the_capacity_is_refused_until_another_ends() -> None:
    counts: list[int] = []
    admission = Admission(2, deadline_s=5, on_in_flight=counts.append)
    async with admission.admit():
        async with admission.admit():
            with pytest.raises(Overloaded) as refused:
                async with admission.admit():
                    pass
            assert refused.value.retry_after >= 1
        async with admission.admit():
            pass
    assert counts == [1, 2, 1, 2, 1, 0]


async def test_a_request_past_its_deadline_is_cancelled_and_frees_its_place() -> None:
    admission = Admission(1, deadline_s=0.01)
    with pytest.raises(DeadlineExceeded, match=r"0\.01 s"):
        async with admission.admit():
            await asyncio.sleep(5)
    async with admission.admit():
        pass
