"""procrastinate through its public interface; PGURL names an empty database."""

import asyncio
import contextlib
import os
import time

import procrastinate
import psycopg
from measure import ALONE, CROWD, JOBS, PACED, Peer, batches, until, until_due
from procrastinate.psycopg_connector import PsycopgConnector

CALLERS = 16
# The fastest of those tried.
SLOTS = 30

URL = os.environ["PGURL"]
app = procrastinate.App(connector=PsycopgConnector(conninfo=URL, min_size=4, max_size=20))
done = []
waits_ms = []


@app.task(queue="drained")
async def no_op(i):
    done.append(i)


@app.task(queue="paced")
async def paced(sent):
    waits_ms.append((time.time() - sent) * 1000)


@contextlib.asynccontextmanager
async def worker(queue, slots):
    options = {"queues": [queue], "concurrency": slots, "wait": True, "install_signal_handlers": False}
    running = asyncio.create_task(app.run_worker_async(**options))
    yield
    running.cancel()
    with contextlib.suppress(BaseException):
        await running


async def enqueue(connection, peer):
    began = time.perf_counter()
    for i in range(ALONE):
        await no_op.defer_async(i=i)
    peer.rate("enqueue_seq", ALONE, began)
    await connection.execute("truncate procrastinate_jobs cascade")

    async def caller(first):
        for i in range(first, CROWD, CALLERS):
            await no_op.defer_async(i=i)

    began = time.perf_counter()
    await asyncio.gather(*[caller(first) for first in range(CALLERS)])
    peer.rate("enqueue_conc16", CROWD, began)
    await connection.execute("truncate procrastinate_jobs cascade")

    began = time.perf_counter()
    for size in batches():
        await no_op.batch_defer_async(*[{"i": i} for i in range(size)])
    peer.rate("enqueue_batch1000", JOBS, began)


async def drain(connection, peer):
    await connection.execute("analyze procrastinate_jobs")  # What autovacuum would have done.
    began = time.perf_counter()
    async with worker("drained", SLOTS):
        await until(lambda: len(done) >= JOBS, began)
        left = "select count(*) from procrastinate_jobs where status <> 'succeeded'"
        (left,) = await (await connection.execute(left)).fetchone()
        peer.rate("drain", JOBS - left, began)
    await connection.execute("truncate procrastinate_jobs cascade")


async def waits(peer):
    async with worker("paced", 10):
        await asyncio.sleep(0.5)  # It says nowhere that it listens.
        began = time.perf_counter()
        sent = []
        for i in range(PACED):
            await asyncio.sleep(until_due(began, i))
            sent.append(asyncio.create_task(paced.defer_async(sent=time.time())))
        await asyncio.gather(*sent)
        await until(lambda: len(waits_ms) >= PACED, time.perf_counter())
        peer.waits(waits_ms)


async def main():
    peer = Peer("procrastinate", "postgres")
    async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as connection, app.open_async():
        await app.schema_manager.apply_schema_async()
        await enqueue(connection, peer)
        await drain(connection, peer)
        await waits(peer)
        peer.peak_rss()


if __name__ == "__main__":
    asyncio.run(main())
