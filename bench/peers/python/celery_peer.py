"""celery on Redis through its public interface; REDIS_PORT names the Redis, REDIS_FSYNC how often it syncs.

Celery can't say when a task that keeps no result has ended: the tasks count themselves in another of Redis's databases.
"""

import os
import subprocess
import sys
import time

import redis
from celery import Celery
from measure import ALONE, DRAIN_LIMIT_S, JOBS, PACED, Peer, until_due

PORT = int(os.environ["REDIS_PORT"])
BROKER, COUNTS = 1, 2
# The fastest of those tried.
SLOTS = 4
WORKER = "worker -P threads --without-gossip --without-mingle --without-heartbeat -l ERROR".split()

app = Celery("celery_peer", broker=f"redis://127.0.0.1:{PORT}/{BROKER}")
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    task_acks_late=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
counts = redis.Redis(port=PORT, db=COUNTS)


@app.task(name="no_op")
def no_op():
    counts.incr("done")


@app.task(name="paced")
def paced(sent):
    counts.rpush("waits_ms", (time.time() - sent) * 1000)


def until(is_true):
    began = time.perf_counter()
    while not is_true() and time.perf_counter() - began < DRAIN_LIMIT_S:
        time.sleep(0.005)


def done():
    return int(counts.get("done") or 0)


def enqueue(peer):
    began = time.perf_counter()
    for _ in range(ALONE):
        no_op.delay()
    peer.rate("enqueue_seq", ALONE, began)
    counts.flushall()


def drain(peer):
    until(lambda: done() > 0)  # The worker's start is not counted.
    before = done()
    began = time.perf_counter()
    until(lambda: done() >= JOBS)
    peer.rate("drain", done() - before, began)


def waits(peer):
    redis.Redis(port=PORT, db=BROKER).delete("celery")
    began = time.perf_counter()
    for i in range(PACED):
        time.sleep(until_due(began, i))
        paced.delay(time.time())
    until(lambda: counts.llen("waits_ms") >= PACED)
    peer.waits([float(wait) for wait in counts.lrange("waits_ms", 0, -1)])


def main():
    peer = Peer("celery", f"redis-aof-{os.environ['REDIS_FSYNC']}")
    counts.flushall()
    enqueue(peer)
    for _ in range(JOBS):
        no_op.delay()
    command = [sys.executable, "-m", "celery", "-A", "celery_peer", *WORKER, "-c", str(SLOTS)]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        drain(peer)
        waits(peer)
        peer.peak_rss(worker.pid)
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
