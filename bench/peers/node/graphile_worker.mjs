// graphile-worker through its public interface; PGURL names an empty database.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { JOBS, PACED, Peer, pace, sleep, until, wall } from "./measure.mjs";

// The fastest of those tried.
const SLOTS = 24;
const FETCHED_AHEAD = 500;
const CONNECTIONS = 10;

const peer = new Peer("graphile-worker", "postgres");
const connectionString = process.env.PGURL;
const pool = new pg.Pool({ connectionString, max: 16 });
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();
const clear = () => pool.query("truncate graphile_worker._private_jobs");
const left = async () =>
  Number((await pool.query("select count(*) from graphile_worker._private_jobs")).rows[0].count);

await peer.enqueueAlone((job) => utils.addJob("no_op", job));
await clear();
await peer.enqueueCrowd((job) => utils.addJob("no_op", job));
await clear();
await peer.enqueueBatches((size) =>
  utils.addJobs(Array.from({ length: size }, (_, i) => ({ identifier: "no_op", payload: { i } }))),
);

let done = 0;
const waits = [];
const taskList = {
  no_op: () => {
    done++;
  },
  paced: ({ sent }) => {
    waits.push(wall() - sent);
  },
};
const worker = { connectionString, concurrentJobs: SLOTS, maxPoolSize: CONNECTIONS, pollInterval: 2000 };
const start = (more) =>
  run({ logger, noHandleSignals: true, taskList, preset: { worker: { ...worker, ...more } } });

{
  const began = performance.now();
  const batching = { localQueue: { size: FETCHED_AHEAD }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  const runner = await start(batching);
  await until(() => done >= JOBS, { began, every: 2 });
  await until(async () => (await left()) === 0, { began });
  peer.rate("drain", JOBS - (await left()), began);
  await runner.stop();
}
{
  const runner = await start({});
  await sleep(500); // It says nowhere that it listens.
  await pace((sent) => utils.addJob("paced", { sent }));
  await until(() => waits.length >= PACED, { began: performance.now() });
  await runner.stop();
  peer.waits(waits);
}
peer.peakRss();
process.exit(0);
