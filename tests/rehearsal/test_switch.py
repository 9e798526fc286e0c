"""Traffic while production is switched: nothing may fail because of the switch."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter

import aiohttp
from aiohttp import web

from ci.rehearsal.hosting import Order

CLIENTS = 12
SWITCHES = 6
REQUESTS_BETWEEN_SWITCHES = 60


async def test_no_request_fails_while_production_moves_to_and_fro(world):
    trust = ssl.create_default_context(cafile=world.standin.ca_file)
    answers: Counter[str] = Counter()
    progress = asyncio.Event()
    stop = False

    async def client(session: aiohttp.ClientSession, method: str) -> None:
        while not stop:
            async with session.request(
                method, world.standin.production_url, data=b"x" if method == "POST" else None
            ) as answer:
                assert answer.status == 200
                answers[(await answer.json())["deployment"]] += 1
                progress.set()

    async def traffic() -> None:
        wanted = answers.total() + REQUESTS_BETWEEN_SWITCHES
        while answers.total() < wanted:
            progress.clear()
            await asyncio.wait_for(progress.wait(), 30)
            for task in clients:
                if task.done():
                    task.result()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust, limit=0)) as session:
        clients = [asyncio.create_task(client(session, method)) for method in ("GET", "POST") * (CLIENTS // 2)]
        try:
            await traffic()
            for number in range(SWITCHES):
                forward = number % 2 == 0
                answer = await (world.promote(world.candidate) if forward else world.rollback(world.baseline))
                assert answer.status_code == 201
                await traffic()
                await world.standin.jobs.settle()
                now = world.candidate if forward else world.baseline
                before = answers[now.id]
                await traffic()
                assert answers[now.id] > before
        finally:
            stop = True
        await asyncio.gather(*clients)
    assert set(answers) == {world.baseline.id, world.candidate.id}


async def test_a_request_under_way_ends_on_the_old_deployment(open_world):
    arrived, may_end = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.wait_for(may_end.wait(), 30)
        return web.json_response({"deployment": "old"})

    world = await open_world()
    world.applications.handler = slow
    await world.standin.deploy(Order())
    under_way = asyncio.create_task(world.serving())
    await asyncio.wait_for(arrived.wait(), 30)
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    assert await world.serving() == world.candidate.id
    may_end.set()
    assert await under_way == "old"


async def test_a_kept_alive_connection_sees_the_switch_at_its_next_request(world):
    port = int(world.standin.production_url.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=world.standin.ca_file)
    reader, writer = await asyncio.open_connection("localhost", port, ssl=trust)

    async def ask() -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return await reader.readexactly(int(length.split(b":")[1]))

    assert world.baseline.id.encode() in await ask()
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    assert world.candidate.id.encode() in await ask()
    writer.close()


async def test_a_switch_may_take_a_while_to_reach_the_edge(world):
    world.standin.hosting.propagation_delay = 3600.0
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    assert (await world.settings())["targets"]["production"]["id"] == world.candidate.id
    assert await world.serving() == world.baseline.id
    world.standin.hosting.propagation_delay = 0.0
    assert await world.serving() == world.candidate.id
