"""litequeue, a queue in SQLite, through its public interface: SQLITE_FILE names the file, SQLITE_SYNC its
`synchronous`, or `default` for litequeue's own. It wakes nobody, so no waits are measured."""

import os
import time

from litequeue import LiteQueue
from measure import ALONE, DRAIN_LIMIT_S, JOBS, Peer, batches

SYNCHRONOUS = os.environ["SQLITE_SYNC"]


def enqueue(queue, peer):
    began = time.perf_counter()
    for _ in range(ALONE):
        queue.put("1")
    peer.rate("enqueue_seq", ALONE, began)
    queue.conn.execute(f"delete from {queue.table}")
    began = time.perf_counter()
    for size in batches():
        with queue.transaction():
            for _ in range(size):
                queue.put("1")
    peer.rate("enqueue_batch1000", JOBS, began)


def drain(queue, peer):
    done = 0
    began = time.perf_counter()
    while time.perf_counter() - began < DRAIN_LIMIT_S:
        message = queue.pop()
        if message is None:
            break
        queue.done(message.message_id)
        done += 1
    peer.rate("drain", done, began)


if __name__ == "__main__":
    measured = Peer("litequeue", f"sqlite-{SYNCHRONOUS}")
    lite = LiteQueue(os.environ["SQLITE_FILE"])
    if SYNCHRONOUS != "default":
        lite.conn.execute(f"pragma synchronous = {SYNCHRONOUS}")
    enqueue(lite, measured)
    drain(lite, measured)
    measured.peak_rss()
