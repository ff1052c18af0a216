// What the peers written in JavaScript share: how much to do, the clock, and one JSON line a figure.
import { readFileSync } from "node:fs";

const number = (name, otherwise) => Number(process.env[name] || otherwise);

export const JOBS = number("N", 20_000);
export const ALONE = number("N_SEQ", 2_000);
export const CROWD = number("N_CONC", 8_000);
export const RATE = number("RATE", 50);
export const PACED = RATE * number("LAT_SECS", 8);
export const DRAIN_LIMIT_MS = number("DRAIN_LIMIT", 40) * 1000;

const BATCH = 1_000;
const CALLERS = 16;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The wall clock, which producers and handlers of one machine share, in milliseconds. */
export const wall = () => performance.timeOrigin + performance.now();

/** The sizes of the batches that make up all jobs. */
export const batches = () =>
  Array.from({ length: Math.ceil(JOBS / BATCH) }, (_, i) => Math.min(BATCH, JOBS - i * BATCH));

/** Who is measured, on what; the version is that of the installed package. */
export class Peer {
  constructor(name, store) {
    const manifest = new URL(`./node_modules/${name}/package.json`, import.meta.url);
    this.about = { peer: name, version: JSON.parse(readFileSync(manifest, "utf8")).version, store };
  }

  figure(metric, value, unit) {
    console.log(JSON.stringify({ ...this.about, metric, value: Math.round(value * 1000) / 1000, unit }));
  }

  /** How many were done each second since `began`. */
  rate(metric, count, began) {
    this.figure(metric, count / ((performance.now() - began) / 1000), "jobs/s");
  }

  async enqueueAlone(enqueue) {
    const began = performance.now();
    for (let i = 0; i < ALONE; i++) await enqueue({ i });
    this.rate("enqueue_seq", ALONE, began);
  }

  async enqueueCrowd(enqueue) {
    let sent = 0;
    const caller = async () => {
      while (sent < CROWD) await enqueue({ i: sent++ });
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: CALLERS }, caller));
    this.rate("enqueue_conc16", CROWD, began);
  }

  async enqueueBatches(enqueue) {
    const began = performance.now();
    for (const size of batches()) await enqueue(size);
    this.rate("enqueue_batch1000", JOBS, began);
  }

  /** The median and the 99th percentile. */
  waits(waits) {
    const ascending = [...waits].sort((a, b) => a - b);
    for (const percent of [50, 99]) {
      const at = Math.min(ascending.length - 1, Math.floor((ascending.length * percent) / 100));
      if (at >= 0) this.figure(`latency_p${percent}`, ascending[at], "ms");
    }
  }

  /** The most memory this process ever held. */
  peakRss() {
    const kib = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
    this.figure("peak_rss", Number(kib[1]) / 1024, "MiB");
  }
}

/** Waits until `isTrue`, or until the limit of a drain has passed since `began`. */
export async function until(isTrue, { began, every = 5 }) {
  while (!(await isTrue()) && performance.now() - began < DRAIN_LIMIT_MS) await sleep(every);
}

/** Sends at the pace at which waits are measured, without waiting for an answer. */
export async function pace(send) {
  const began = performance.now();
  const sent = [];
  for (let i = 0; i < PACED; i++) {
    const due = began + (i * 1000) / RATE - performance.now();
    if (due > 0) await sleep(due);
    sent.push(send(wall()));
  }
  await Promise.all(sent);
}
