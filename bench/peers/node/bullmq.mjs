// BullMQ through its public interface; REDIS_PORT names an empty Redis, REDIS_FSYNC how often it syncs.
import { Queue, Worker } from "bullmq";
import { JOBS, PACED, Peer, pace, until, wall } from "./measure.mjs";

// The fastest of those tried.
const SLOTS = 100;

const peer = new Peer("bullmq", `redis-aof-${process.env.REDIS_FSYNC}`);
const connection = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null };
const queue = new Queue("drained", { connection });
const clear = () => queue.obliterate({ force: true });

await peer.enqueueAlone((job) => queue.add("no_op", job));
await clear();
await peer.enqueueCrowd((job) => queue.add("no_op", job));
await clear();
const opts = { removeOnComplete: true };
await peer.enqueueBatches((size) =>
  queue.addBulk(Array.from({ length: size }, (_, i) => ({ name: "no_op", data: { i }, opts }))),
);
{
  let done = 0;
  const began = performance.now();
  const worker = new Worker("drained", async () => {}, { connection, concurrency: SLOTS });
  worker.on("completed", () => {
    done++;
  });
  await until(() => done >= JOBS, { began, every: 2 });
  peer.rate("drain", done, began);
  await worker.close();
}
{
  const paced = new Queue("paced", { connection });
  const waits = [];
  const handle = async (job) => {
    waits.push(wall() - job.data.sent);
  };
  const worker = new Worker("paced", handle, { connection, concurrency: 10 });
  await worker.waitUntilReady();
  await pace((sent) => paced.add("paced", { sent }));
  await until(() => waits.length >= PACED, { began: performance.now() });
  peer.waits(waits);
}
peer.peakRss();
process.exit(0);
