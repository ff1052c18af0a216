//! The queue, and what becomes of batches, without a database.

use super::{BATCH_MAX, Batch, Fate, Queue, Taken, WAITING_MAX, fate};
use crate::command::Reply;
use crate::error::{ExecuteError, StoreError};
use crate::sql::probe::{deed, is_done};
use crate::store::Outcome;
use futures_util::FutureExt as _;
use futures_util::future::{join_all, poll_immediate};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::coop::unconstrained;

/// Answers every request of a batch as done.
fn answer(batch: Batch) {
    let replies = (0..batch.len()).map(|_| Ok(Reply::Done)).collect();
    batch.answer(replies);
}

fn numbers(batch: &Batch) -> Vec<u32> {
    let number = |request: &crate::Request| match request.command {
        crate::Command::KeepTime { max } => max,
        _ => u32::MAX,
    };
    batch.requests.iter().map(number).collect()
}

/// Puts that many requests in, as far as there is room.
async fn put_in(queue: &Queue, count: usize) -> Vec<Pin<Box<impl Future<Output = Outcome>>>> {
    let mut requests = Vec::with_capacity(count);
    for id in (0..).take(count) {
        // So many steps at once are more than tokio likes; here they are the point.
        let mut request = Box::pin(unconstrained(queue.execute(deed("put", id))));
        assert!(poll_immediate(&mut request).await.is_none());
        requests.push(request);
    }
    requests
}

async fn batch_of(count: usize) -> Batch {
    let queue = Queue::new();
    let taker = queue.taker();
    put_in(&queue, count).await;
    taker.take().await.unwrap()
}

#[tokio::test]
async fn a_batch_holds_what_waits_in_order_up_to_its_limit() {
    let queue = Queue::new();
    let taker = queue.taker();
    let requests = put_in(&queue, BATCH_MAX + 1).await;
    let (first, second) = (taker.take().await.unwrap(), taker.take().await.unwrap());
    assert_eq!(numbers(&first), (0..).take(BATCH_MAX).collect::<Vec<_>>());
    assert_eq!((first.len(), second.len()), (BATCH_MAX, 1));
    answer(first);
    answer(second);
    assert!(join_all(requests).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn whoever_comes_to_a_full_queue_waits_until_a_batch_is_taken() {
    let queue = Queue::new();
    let taker = queue.taker();
    let mut requests = put_in(&queue, WAITING_MAX + 1).await;
    let taken = [taker.take().await.unwrap(), taker.take().await.unwrap()];
    assert_eq!(taken[0].len() + taken[1].len(), WAITING_MAX);
    assert!(taker.take().now_or_never().is_none());
    let mut last = requests.pop().unwrap();
    assert!(poll_immediate(&mut last).await.is_none());
    assert_eq!(numbers(&taker.take().await.unwrap()), [u32::try_from(WAITING_MAX).unwrap()]);
}

#[tokio::test]
async fn a_closed_queue_is_emptied_by_all_takers_and_then_ends_them() {
    let queue = Queue::new();
    let (one, other) = (queue.taker(), queue.taker());
    let mut request = Box::pin(queue.execute(deed("put", 1)));
    assert!(poll_immediate(&mut request).await.is_none());
    queue.close();
    assert!(matches!(queue.execute(deed("put", 2)).await, Err(ExecuteError::Store(StoreError::Closed))));
    answer(one.take().await.unwrap());
    assert!(matches!(request.await, Ok(Reply::Done)));
    let (first, second) = tokio::join!(one.take(), other.take());
    assert!(first.is_none() && second.is_none());
    assert!(matches!(one.take_on_thread(None), Taken::Closed));
}

#[tokio::test]
async fn takers_that_wait_are_woken_by_requests_and_by_the_end() {
    let queue = Queue::new();
    let (one, other) = (queue.taker(), queue.taker());
    let takers = async {
        let (first, second) = tokio::join!(one.take(), other.take());
        let count = [&first, &second].into_iter().flatten().map(Batch::len).sum::<usize>();
        [first, second].into_iter().flatten().for_each(answer);
        count
    };
    let caller = async {
        let closing = async {
            tokio::task::yield_now().await;
            queue.close();
        };
        tokio::join!(queue.execute(deed("put", 1)), closing).0
    };
    let (taken, outcome) = tokio::join!(takers, caller);
    assert_eq!(taken, 1);
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn when_the_last_taker_goes_nobody_waits_for_ever() {
    let queue = Queue::new();
    let (one, other) = (queue.taker(), queue.taker());
    let mut waiting = Box::pin(queue.execute(deed("put", 1)));
    assert!(poll_immediate(&mut waiting).await.is_none());
    let batch = one.take().await.unwrap();
    let mut left = Box::pin(queue.execute(deed("put", 2)));
    assert!(poll_immediate(&mut left).await.is_none());
    drop(one);
    assert!(poll_immediate(&mut left).await.is_none());
    drop(other);
    assert!(matches!(left.await, Err(ExecuteError::Store(StoreError::Closed))));
    // What was taken may have been committed.
    drop(batch);
    assert!(matches!(waiting.await, Err(ExecuteError::Store(StoreError::Unknown { .. }))));
}

#[test]
fn a_thread_waits_as_long_as_it_is_patient() {
    let queue = Queue::new();
    let taker = queue.taker();
    assert!(matches!(taker.take_on_thread(Some(Duration::from_millis(1))), Taken::Nothing));
    let caller = Arc::clone(&queue);
    let calling = std::thread::spawn(move || caller.execute(deed("put", 1)).now_or_never());
    let Taken::Batch(batch) = taker.take_on_thread(None) else { panic!("nothing was taken") };
    assert_eq!(numbers(&batch), [1]);
    assert!(calling.join().unwrap().is_none());
}

#[tokio::test]
async fn a_batch_is_tried_again_or_parted_before_its_callers_are_told() {
    let conflict = || StoreError::Conflict { what: "a row" };
    let (many, one) = (batch_of(3).await, batch_of(1).await);
    assert!(matches!(fate(conflict(), &many, 1, 2), Fate::Again));
    assert!(matches!(fate(conflict(), &many, 2, 2), Fate::Apart));
    assert!(matches!(fate(conflict(), &one, 2, 2), Fate::Fail(StoreError::Unavailable { .. })));
    assert!(matches!(fate(StoreError::Corrupt(String::new()), &many, 1, 2), Fate::Apart));
    assert!(matches!(
        fate(StoreError::Corrupt(String::new()), &one, 1, 2),
        Fate::Fail(StoreError::Corrupt(_))
    ));
    let busy = || StoreError::Busy { detail: String::new() };
    assert!(matches!(fate(busy(), &many, 2, 10), Fate::Again));
    assert!(matches!(fate(busy(), &many, 3, 10), Fate::Fail(StoreError::Unavailable { .. })));
    let full = StoreError::Full { detail: String::new() };
    assert!(matches!(fate(full, &many, 1, 2), Fate::Fail(StoreError::Full { .. })));
    let (first, second) = many.halve();
    assert_eq!((numbers(&first), numbers(&second)), (vec![0], vec![1, 2]));
}

#[tokio::test]
async fn every_caller_of_a_failed_batch_gets_the_error() {
    let queue = Queue::new();
    let taker = queue.taker();
    let requests = put_in(&queue, 3).await;
    taker.take().await.unwrap().fail(&StoreError::Full { detail: "no room".to_owned() });
    for outcome in join_all(requests).await {
        assert!(!is_done(&outcome, 0));
        assert_eq!(outcome.unwrap_err().to_string(), "the disk is full: no room");
    }
}
