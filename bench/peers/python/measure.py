"""What the peers written in Python share: how much to do, the clock, and one JSON line a figure."""

import asyncio
import json
import os
import re
import time
from importlib.metadata import version
from pathlib import Path

BATCH = 1_000


def number(name, otherwise):
    return int(os.environ.get(name) or otherwise)


JOBS = number("N", 20_000)
ALONE = number("N_SEQ", 2_000)
CROWD = number("N_CONC", 8_000)
RATE = number("RATE", 50)
PACED = RATE * number("LAT_SECS", 8)
DRAIN_LIMIT_S = number("DRAIN_LIMIT", 40)


def batches():
    """The sizes of the batches that make up all jobs."""
    return [min(BATCH, JOBS - done) for done in range(0, JOBS, BATCH)]


def until_due(began, index):
    """What is left, in seconds, until that job of the pace is due."""
    return max(0.0, began + index / RATE - time.perf_counter())


async def until(is_true, began):
    """Waits until it is true, or until the limit of a drain has passed."""
    while not is_true() and time.perf_counter() - began < DRAIN_LIMIT_S:
        await asyncio.sleep(0.005)


class Peer:
    """Who is measured, on what; the version is that of the installed package."""

    def __init__(self, name, store):
        self.about = {"peer": name, "version": version(name), "store": store}

    def figure(self, metric, value, unit):
        print(json.dumps({**self.about, "metric": metric, "value": round(value, 3), "unit": unit}), flush=True)

    def rate(self, metric, count, began):
        """How many were done each second since `began`."""
        self.figure(metric, count / (time.perf_counter() - began), "jobs/s")

    def waits(self, waits_ms):
        """The median and the 99th percentile."""
        ascending = sorted(waits_ms)
        for percent in (50, 99):
            if ascending:
                at = min(len(ascending) - 1, len(ascending) * percent // 100)
                self.figure(f"latency_p{percent}", ascending[at], "ms")

    def peak_rss(self, process="self"):
        """The most memory a process ever held."""
        kib = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
        self.figure("peak_rss", int(kib[1]) / 1024, "MiB")
