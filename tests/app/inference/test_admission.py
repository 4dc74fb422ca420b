import asyncio
import math

import pytest

from app.errors import DeadlineExceeded, Overloaded
from app.inference.admission import Admission, seconds_left

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


async def test_whatever_works_on_a_request_knows_how_much_time_is_left() -> None:
    assert seconds_left() == math.inf
    async with Admission(1, deadline_s=5).admit() as limit:
        assert 4 < seconds_left() <= 5
        limit.reschedule(asyncio.get_running_loop().time() + 100)
        assert await asyncio.create_task(ask_elsewhere()) > 90
    assert seconds_left() == math.inf


async def ask_elsewhere() -> float:
    return seconds_left()
