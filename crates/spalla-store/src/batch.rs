//! One batch: many requests, one transaction. Requests are applied one after another on the desk; a refused one
//! changes nothing and does not touch the others. What picks items comes after what may make them eligible.

#[cfg(debug_assertions)]
use crate::command::Command;
use crate::command::{IdempotencyKey, Reply, Request};
use crate::desk::Desk;
use crate::error::{ExecuteError, StoreError};
use crate::operations;
use crate::store::{CommitGate, Randomness, Settings};
use crate::timekeeper::Timekeeper;
use crate::tx::{KeptReply, Result, Tx};
use spalla_domain::event::Event;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::problem::Code;
use spalla_domain::queue::Jitter;
use spalla_domain::queue::fair_share::Turns;
use spalla_domain::{Refusal, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// What a batch is executed with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The present moment.
    pub(crate) now: Timestamp,
    /// What the rules need to know.
    pub(crate) settings: &'a Settings,
    /// The random numbers.
    pub(crate) randomness: &'a dyn Randomness,
    /// Whose turn it was.
    pub(crate) turns: &'a Mutex<Turns>,
    /// When the clock is next needed.
    pub(crate) timekeeper: &'a Timekeeper,
    /// The id of this store, from which trace ids are derived.
    pub(crate) store_id: &'a str,
    /// Who is asked around commits.
    pub(crate) gate: Option<&'a dyn CommitGate>,
}

impl Context<'_> {
    /// Returns a fresh jitter for a retry.
    pub(crate) fn jitter(&self) -> Jitter {
        let millionths = self.randomness.next() % 2_000_001;
        Jitter(i32::try_from(millionths).unwrap_or_default() - 1_000_000)
    }
}

/// What a batch did; valid once the transaction is committed.
pub(crate) struct Done {
    /// The answers, in the order of the requests.
    pub(crate) replies: Vec<std::result::Result<Reply, Refusal>>,
    /// The events with their numbers.
    pub(crate) events: Vec<Event>,
    /// The earliest moment at which the clock moves something that was written.
    pub(crate) waits_until: Option<Timestamp>,
}

type Slot = std::result::Result<Reply, Refusal>;

/// Executes the requests in the open transaction; the caller commits it, or rolls it back on an error.
pub(crate) async fn run<T: Tx>(tx: &mut T, context: Context<'_>, requests: &[Request]) -> Result<Done> {
    let mut desk = Desk::new(tx, context);
    let mut kept = load_kept(&mut desk, requests).await?;
    prefetch(&mut desk, requests).await?;

    let mut slots: Vec<Option<Slot>> = vec![None; requests.len()];
    let mut promised = BTreeSet::new();
    for (slot, request) in slots.iter_mut().zip(requests) {
        let key = request.idempotency.as_ref();
        // Whoever sends the key of a request that has yet to pick is answered after it.
        if key.is_none_or(|key| !promised.contains(&key.key)) {
            *slot = Some(settle(&mut desk, &mut kept, request).await?);
            promised.extend(key.filter(|_| operations::picks(&request.command)).map(|key| key.key.clone()));
        }
    }
    pick(&mut desk, requests, &mut slots, &mut kept).await?;
    operations::scorecards::keep(&mut desk).await?;
    operations::record(&mut desk, requests, &slots).await?;
    let events = desk.write_all().await?;
    desk.give_back();
    let replies = slots.into_iter().map(|slot| slot.unwrap_or(Ok(Reply::Done))).collect();
    Ok(Done { replies, events, waits_until: desk.waits_until })
}

/// Answers a request from what is kept under its key, or settles it; one that picks items is then half done.
async fn settle<T: Tx>(
    desk: &mut Desk<'_, T>,
    kept: &mut BTreeMap<String, KeptReply>,
    request: &Request,
) -> Result<Slot> {
    desk.scope.clone_from(&request.scope);
    // What was kept under a key may name what its sender must not see.
    if let Err(refused) =
        refusal_or(operations::scope::check(desk, &request.command).await.map(|()| Reply::Done))?
    {
        return Ok(Err(refused));
    }
    if let Some(key) = &request.idempotency
        && let Some(reply) = kept.get(&key.key)
    {
        return replay(key, reply);
    }
    let answer = refusal_or(operations::settle(desk, &request.command).await)?;
    if !operations::picks(&request.command) {
        keep(desk, kept, request, &answer)?;
    }
    Ok(answer)
}

/// Runs the second half of the commands that pick items: after all others, on rows that are written.
async fn pick<T: Tx>(
    desk: &mut Desk<'_, T>,
    requests: &[Request],
    slots: &mut [Option<Slot>],
    kept: &mut BTreeMap<String, KeptReply>,
) -> Result<()> {
    if !requests.iter().any(|request| operations::picks(&request.command)) {
        return Ok(());
    }
    desk.write_rows().await?;
    if operations::keep_time::is_needed(desk.context, requests) {
        operations::keep_time::sweep(desk).await?;
    }
    for (slot, request) in slots.iter_mut().zip(requests) {
        let mut answer = match slot.take() {
            Some(answer) => answer,
            None => settle(desk, kept, request).await?,
        };
        let replayed = request.idempotency.as_ref().is_some_and(|key| kept.contains_key(&key.key));
        if let Ok(reply) = &mut answer
            && operations::picks(&request.command)
            && !replayed
        {
            desk.scope.clone_from(&request.scope);
            operations::pick(desk, &request.command, reply).await?;
            keep(desk, kept, request, &answer)?;
        }
        *slot = Some(answer);
    }
    Ok(())
}

fn refusal_or(answer: std::result::Result<Reply, ExecuteError>) -> Result<Slot> {
    match answer {
        Ok(reply) => Ok(Ok(reply)),
        Err(ExecuteError::Refused(refusal)) => Ok(Err(refusal)),
        Err(ExecuteError::Store(error)) => Err(error),
    }
}

async fn load_kept<T: Tx>(
    desk: &mut Desk<'_, T>,
    requests: &[Request],
) -> Result<BTreeMap<String, KeptReply>> {
    let mut keys: Vec<_> =
        requests.iter().filter_map(|r| r.idempotency.as_ref().map(|i| i.key.clone())).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    // In one order everywhere, so that two servers that share keys wait for each other and not in a circle.
    keys.sort();
    keys.dedup();
    Ok(desk.tx.replies(&keys).await?.into_iter().map(|reply| (reply.key.clone(), reply)).collect())
}

fn replay(key: &IdempotencyKey, kept: &KeptReply) -> Result<Slot> {
    if key.fingerprint != kept.fingerprint {
        let detail = format!("idempotency key {:?} came before with a different request", key.key);
        return Ok(Err(
            Refusal::new(Code::IdempotencyKeyReused, detail).mend("use a new key for a new request")
        ));
    }
    let reply = serde_json::from_str(&kept.reply)
        .map_err(|error| StoreError::Corrupt(format!("the kept reply of key {:?}: {error}", key.key)))?;
    Ok(Ok(reply))
}

/// Keeps the reply to a granted request that bore a key. A refusal changed nothing, so it is weighed anew each time.
fn keep<T: Tx>(
    desk: &mut Desk<'_, T>,
    kept: &mut BTreeMap<String, KeptReply>,
    request: &Request,
    answer: &Slot,
) -> Result<()> {
    let (Some(IdempotencyKey { key, fingerprint }), Ok(reply)) = (&request.idempotency, answer) else {
        return Ok(());
    };
    #[cfg(debug_assertions)]
    if plant::is(Plant::ReplyNotKept) && matches!(request.command, Command::CreateWorkItems { .. }) {
        return Ok(());
    }
    // Whoever repeats it may find something.
    if reply.brought_nothing() {
        return Ok(());
    }
    let reply = serde_json::to_string(reply)
        .map_err(|error| StoreError::Corrupt(format!("keeping the reply of key {key:?}: {error}")))?;
    let reply = KeptReply { key: key.clone(), fingerprint: *fingerprint, reply, at: desk.context.now };
    desk.staged.replies.push(reply.clone());
    kept.insert(key.clone(), reply);
    Ok(())
}

/// Loads in sets what the commands name, so that applying them one by one needs no further round trips.
async fn prefetch<T: Tx>(desk: &mut Desk<'_, T>, requests: &[Request]) -> Result<()> {
    let foreseen = operations::foresee(requests);
    desk.foresee(&foreseen).await?;
    desk.load_runs(foreseen.runs).await?;
    desk.load_edges_below_runs(&foreseen.ended).await?;
    desk.load_log_ends(foreseen.logged).await?;
    desk.load_items(foreseen.items).await?;
    desk.load_projects(foreseen.projects).await?;
    desk.load_edges_above(foreseen.enqueued.iter().copied()).await?;
    desk.load_approvals(foreseen.enqueued).await
}
