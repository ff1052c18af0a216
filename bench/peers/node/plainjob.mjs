// plainjob, a queue in SQLite, through its public interface: SQLITE_FILE names the file, SQLITE_SYNC its
// `synchronous`, or `default` for plainjob's own. One connection that blocks: concurrent callers would be one.
import Database from "better-sqlite3";
import { better, defineQueue, defineWorker } from "plainjob";
import { DRAIN_LIMIT_MS, JOBS, PACED, Peer, pace, until, wall } from "./measure.mjs";

const POLL_MS = 1;

const synchronous = process.env.SQLITE_SYNC;
const peer = new Peer("plainjob", `sqlite-${synchronous}`);
const logger = { debug() {}, info() {}, warn() {}, error: console.error };
const database = new Database(process.env.SQLITE_FILE);
const queue = defineQueue({ connection: better(database), logger });
if (synchronous !== "default") database.pragma(`synchronous = ${synchronous}`);
const clear = () => database.exec("delete from plainjob_jobs");

await peer.enqueueAlone((job) => queue.add("no_op", job));
clear();
await peer.enqueueBatches((size) =>
  queue.addMany(
    "no_op",
    Array.from({ length: size }, (_, i) => ({ i })),
  ),
);
{
  let done = 0;
  const began = performance.now();
  // Its loop never lets a timer in while there is work, so the limit is looked at here.
  const onCompleted = () => {
    done++;
    if (done >= JOBS || performance.now() - began > DRAIN_LIMIT_MS) worker.stop();
  };
  const worker = defineWorker("no_op", () => {}, { queue, logger, pollIntervall: POLL_MS, onCompleted });
  await worker.start();
  peer.rate("drain", done, began);
  clear();
}
{
  const waits = [];
  const handle = (job) => {
    waits.push(wall() - JSON.parse(job.data).sent);
  };
  const worker = defineWorker("paced", handle, { queue, logger, pollIntervall: POLL_MS });
  const running = worker.start();
  await pace((sent) => queue.add("paced", { sent }));
  await until(() => waits.length >= PACED, { began: performance.now() });
  worker.stop();
  await running;
  peer.waits(waits);
}
peer.peakRss();
process.exit(0);
