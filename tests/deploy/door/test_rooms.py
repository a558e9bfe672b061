from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.model import Upstream
from pipeline.deploy.door.rooms import Room

OLD = Upstream("one", "sha256:" + "a" * 64, "sha256:" + "b" * 64, Path("/old.sock"), "key", slots=2)
NEW = replace(OLD, digest="sha256:" + "c" * 64, socket=Path("/new.sock"))


def refused(answers: list[object]) -> list[str]:
    return [one.answer.reason for one in answers if isinstance(one, Refusal)]


async def settled(*ones: Awaitable[object]) -> list[object]:
    return list(await asyncio.gather(*ones, return_exceptions=True))


def test_so_many_come_in_so_many_wait_in_order_and_the_rest_is_told_when_to_come_back() -> None:
    async def play() -> None:
        room = Room(OLD, queue=2, wait=5)
        assert [await room.enter(), await room.enter()] == [OLD, OLD]
        order: list[int] = []

        async def come(number: int) -> None:
            await room.enter()
            order.append(number)

        waiting = [asyncio.create_task(come(number)) for number in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as full:
            await room.enter()
        assert full.value.answer.status == 429 and dict(full.value.answer.headers)["Retry-After"] == "2"
        assert (room.at(), room.waiting, room.busy) == (2, 2, 4)
        room.leave(OLD, 1.0)
        room.leave(OLD, 1.0)
        await asyncio.gather(*waiting)
        assert order == [0, 1] and room.waiting == 0
        room.leave(OLD)
        room.leave(OLD)
        assert room.busy == 0

    asyncio.run(play())


def test_a_wait_has_an_end() -> None:
    async def play() -> None:
        room = Room(OLD, queue=9, wait=0.02)
        await room.enter()
        await room.enter()
        assert refused(await settled(room.enter(), room.enter())) == ["waited_too_long"] * 2
        assert (room.at(), room.waiting) == (2, 0)

    asyncio.run(play())


@pytest.mark.parametrize("called", [True, False])
def test_one_that_goes_leaves_no_place_taken(called: bool) -> None:
    async def play() -> None:
        room = Room(OLD, queue=9, wait=5)
        await room.enter()
        await room.enter()
        waiting = asyncio.create_task(room.enter())
        await asyncio.sleep(0)
        if called:
            room.leave(OLD)
        waiting.cancel()
        await settled(waiting)
        assert (room.at(), room.waiting) == (1 if called else 2, 0)

    asyncio.run(play())


def test_who_waits_goes_to_the_new_engine_and_who_is_in_ends_at_the_old() -> None:
    async def play() -> None:
        room = Room(OLD, queue=9, wait=5)
        await room.enter()
        await room.enter()
        waiting = asyncio.create_task(room.enter())
        await asyncio.sleep(0)
        room.replace(NEW)
        assert await waiting == NEW and await room.enter() == NEW
        assert (room.at(OLD), room.at()) == (2, 2)
        empty = asyncio.create_task(room.empty(OLD))
        room.leave(OLD)
        await asyncio.sleep(0.01)
        assert not empty.done()
        room.leave(OLD)
        await asyncio.wait_for(empty, 1)

    asyncio.run(play())


def test_a_paused_model_lets_wait_and_a_closed_one_refuses() -> None:
    async def play() -> None:
        room = Room(OLD, queue=9, wait=5)
        room.pause()
        waiting = [asyncio.create_task(room.enter()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert (room.at(), room.waiting) == (0, 3)
        room.replace(OLD)
        assert await waiting[0] == OLD and await waiting[1] == OLD
        room.close("its file changed")
        assert refused(await settled(waiting[2], room.enter())) == ["out_of_service"] * 2
        room.replace(NEW)
        assert await room.enter() == NEW

    asyncio.run(play())


def test_an_unloaded_model_is_wanted_by_the_first_that_comes_and_closed_ones_say_when_to_come_again() -> None:
    async def play() -> None:
        news: list[str] = []
        room = Room(replace(OLD, slots=0), 1, 0.05, lambda: news.append(room.state))
        assert room.unloaded and (room.state, room.since, news) == ("unloaded", None, [])
        waiting = asyncio.create_task(room.enter())
        await asyncio.sleep(0)
        assert (room.state, news) == ("loading", ["loading"]) and room.since
        assert refused(await settled(room.enter())) == ["queue_full"]
        (tired,) = await settled(waiting)
        assert isinstance(tired, Refusal) and b"was not loaded in 0.05 s" in tired.answer.body
        waiting = asyncio.create_task(room.enter())
        await asyncio.sleep(0)
        room.replace(OLD)
        assert await waiting == OLD and room.state == "loaded" and not room.unloaded and len(news) == 2
        before = room.used
        room.leave(OLD, 0.01)
        assert news[2:] == ["loaded"] and room.used > before
        room.unload()
        waiting = asyncio.create_task(room.enter())
        await asyncio.sleep(0)
        room.close("it does not start", again=7.2)
        (closed,) = await settled(waiting)
        assert isinstance(closed, Refusal) and dict(closed.answer.headers)["Retry-After"] == "8"
        assert room.state == "failed"
        room.unload()
        assert room.state == "unloaded" and not room.closed

    asyncio.run(play())


def test_questions_take_no_place_and_still_an_engine_that_has_one_is_not_empty() -> None:
    async def play() -> None:
        room = Room(OLD, queue=1, wait=5)
        assert [room.visit() for _ in range(3)] == [OLD] * 3 and room.at() == 0
        room.replace(NEW)
        assert not room.idle(OLD) and room.idle(NEW) and not room.idle()
        empty = asyncio.create_task(room.empty(OLD))
        for _ in range(3):
            await asyncio.sleep(0)
            assert not empty.done()
            room.went(OLD)
        await asyncio.wait_for(empty, 1)
        assert room.idle()

    asyncio.run(play())
