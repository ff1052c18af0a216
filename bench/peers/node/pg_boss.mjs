// pg-boss through its public interface; PGURL names an empty database.
import pg from "pg";
import { PgBoss } from "pg-boss";
import { DRAIN_LIMIT_MS, JOBS, PACED, Peer, pace, until, wall } from "./measure.mjs";

// The fastest of those tried.
const FETCHERS = 4;
const FETCHED_AT_ONCE = 500;

const peer = new Peer("pg-boss", "postgres");
const connectionString = process.env.PGURL;
const pool = new pg.Pool({ connectionString, max: 2 });
const boss = new PgBoss({ connectionString, max: 16, supervise: false, schedule: false, useListenNotify: true });
boss.on("error", (error) => console.error(String(error)));
await boss.start();
for (const queue of ["alone", "crowd", "drained"]) await boss.createQueue(queue);
await boss.createQueue("paced", { notify: true });

await peer.enqueueAlone((job) => boss.send("alone", job));
await peer.enqueueCrowd((job) => boss.send("crowd", job));
await pool.query("truncate pgboss.job");
await peer.enqueueBatches((size) =>
  boss.insert("drained", Array.from({ length: size }, (_, i) => ({ data: { i } }))),
);

await pool.query("analyze"); // What autovacuum would have done.
const left = async () => {
  const open = "select count(*) from pgboss.job where name = 'drained' and state <> 'completed'";
  return Number((await pool.query(open)).rows[0].count);
};
{
  // Its work() sleeps between two polls, so the calls beneath it are its best case.
  const began = performance.now();
  const fetcher = async () => {
    while (performance.now() - began < DRAIN_LIMIT_MS) {
      const jobs = await boss.fetch("drained", { batchSize: FETCHED_AT_ONCE });
      if (jobs.length > 0) {
        await boss.complete(
          "drained",
          jobs.map((job) => job.id),
        );
      } else if ((await left()) === 0) {
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: FETCHERS }, fetcher));
  peer.rate("drain", JOBS - (await left()), began);
}
{
  const waits = [];
  const options = { pollingIntervalSeconds: 0.5, batchSize: 1, localConcurrency: 10 };
  await boss.work("paced", options, async (jobs) => {
    for (const job of jobs) waits.push(wall() - job.data.sent);
  });
  await pace((sent) => boss.send("paced", { sent }));
  await until(() => waits.length >= PACED, { began: performance.now() });
  peer.waits(waits);
}
peer.peakRss();
process.exit(0);
