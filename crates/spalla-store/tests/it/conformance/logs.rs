//! Log lines: numbered without gap or repetition, kept byte for byte, found by filters.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, logs};
use spalla_domain::claim::{Assignment, LogBatch};
use spalla_domain::log::{LINE_BYTES_MAX, LogLine, Stream};
use spalla_domain::problem::Code;
use spalla_domain::{Fence, RunId, Timestamp};
use spalla_store::Command;
use spalla_store::view::{LogFilter, LogRecord};

crate::fixture::claims!(
    a_log_begins_with_what_is_started,
    lines_are_numbered_one_after_another,
    lines_that_came_before_are_dropped,
    a_gap_is_refused,
    lines_without_numbers_are_numbered_by_the_store,
    strange_first_numbers_do_no_harm,
    an_empty_batch_tells_the_next_number,
    the_log_goes_on_under_the_next_holder,
    every_text_comes_back_as_it_went_in,
    lines_come_back_with_when_and_where_from,
    logs_are_filtered_by_number_text_and_stream,
    logs_are_read_page_by_page,
    each_run_has_its_own_log,
    batches_that_arrive_at_once_are_numbered_in_some_order,
    a_long_log_comes_back_whole,
);

async fn claimed(f: &Fixture) -> Assignment {
    f.queued::<1>().await;
    f.claim_one("w").await
}

async fn texts(f: &Fixture, run: RunId) -> Vec<(i64, String)> {
    f.read_log(run, LogFilter::default()).await.into_iter().map(|line| (line.seq, line.text)).collect()
}

async fn a_log_begins_with_what_is_started(f: Fixture) {
    let [id] = f.open_items().await;
    let run = f.start(id).await;
    f.clock.advance_ms(5_000);
    let first = LogRecord {
        seq: 0,
        at: crate::fixture::START,
        stream: Stream::System,
        step: None,
        text: format!("Starting run {run} of work item {id} (attempt 1)"),
    };
    assert_eq!(f.read_log(run, LogFilter::default()).await, std::slice::from_ref(&first));
    let claimed = f.claim_one("w").await;
    f.complete(&claimed, false).await;
    assert_eq!(f.read_log(run, LogFilter::default()).await, [first]);
    f.requeue(id).await;
    let second = f.claim_one("w").await;
    let expected = format!("Starting run {} of work item {id} (attempt 2)", second.run_id);
    assert_eq!(texts(&f, second.run_id).await, [(0, expected)]);
}

async fn lines_are_numbered_one_after_another(f: Fixture) {
    let run = claimed(&f).await;
    assert_eq!(f.log(&run, Some(1), &["one", "two"]).await, 3);
    assert_eq!(f.log(&run, Some(3), &["three"]).await, 4);
    let expected = [(1, "one"), (2, "two"), (3, "three")].map(|(seq, text)| (seq, text.to_owned()));
    assert_eq!(texts(&f, run.run_id).await[1..], expected);
    f.complete(&run, true).await;
    assert_eq!(texts(&f, run.run_id).await[1..], expected);
}

async fn lines_that_came_before_are_dropped(f: Fixture) {
    let run = claimed(&f).await;
    f.log(&run, Some(1), &["one", "two"]).await;
    assert_eq!(f.log(&run, Some(1), &["one", "two"]).await, 3);
    assert_eq!(f.log(&run, Some(1), &["one"]).await, 3);
    assert_eq!(f.log(&run, Some(2), &["two", "three"]).await, 4);
    assert_eq!(f.log(&run, Some(1), &["one", "two", "three", "four"]).await, 5);
    let kept: Vec<_> = texts(&f, run.run_id).await.into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(kept, ["one", "two", "three", "four"]);
}

async fn a_gap_is_refused(f: Fixture) {
    let run = claimed(&f).await;
    assert_eq!(f.refused(logs(&run, Some(2), &["two"])).await, Code::LogGap);
    f.log(&run, Some(1), &["one"]).await;
    assert_eq!(f.refused(logs(&run, Some(3), &["three"])).await, Code::LogGap);
    assert_eq!(f.refused(logs(&run, Some(3), &[])).await, Code::LogGap);
    f.log(&run, Some(2), &["two"]).await;
}

async fn lines_without_numbers_are_numbered_by_the_store(f: Fixture) {
    let run = claimed(&f).await;
    assert_eq!(f.log(&run, None, &["one"]).await, 2);
    assert_eq!(f.log(&run, None, &["one"]).await, 3);
    assert_eq!(f.log(&run, Some(2), &["known", "three"]).await, 4);
}

async fn strange_first_numbers_do_no_harm(f: Fixture) {
    let run = claimed(&f).await;
    assert_eq!(f.refused(logs(&run, Some(i64::MAX), &["far"])).await, Code::LogGap);
    assert_eq!(f.log(&run, Some(i64::MIN), &["ago"]).await, 1);
    assert_eq!(f.log(&run, Some(0), &["the line that the store made", "one"]).await, 2);
    assert_eq!(f.log(&run, Some(-1), &["no", "no", "no", "two"]).await, 3);
    assert_eq!(texts(&f, run.run_id).await[1..], [(1, "one".to_owned()), (2, "two".to_owned())]);
}

async fn an_empty_batch_tells_the_next_number(f: Fixture) {
    let run = claimed(&f).await;
    assert_eq!(f.log(&run, None, &[]).await, 1);
    f.log(&run, None, &["one"]).await;
    assert_eq!(f.log(&run, Some(1), &[]).await, 2);
}

async fn the_log_goes_on_under_the_next_holder(f: Fixture) {
    let run = claimed(&f).await;
    f.log(&run, Some(1), &["one", "two"]).await;
    f.clock.advance_ms(LEASE_MS);
    let heir = f.claim_one("v").await;
    assert_eq!(heir.next_log_seq, 3);
    assert_eq!(f.refused(logs(&run, Some(3), &["undead"])).await, Code::StaleToken);
    f.log(&heir, Some(3), &["three"]).await;
    f.hand_back(&heir).await;
    let next = f.claim_run(run.run_id, "u").await;
    assert_eq!((next.next_log_seq, next.fencing_token), (4, Fence(3)));
    assert_eq!(texts(&f, run.run_id).await.len(), 4);
}

async fn every_text_comes_back_as_it_went_in(f: Fixture) {
    let run = claimed(&f).await;
    let long = "x".repeat(LINE_BYTES_MAX);
    let lines = [
        "",
        " ",
        "tab\tand \r return",
        "a line end \n inside",
        "nul \u{0} and \u{1b}[31mred\u{1b}[0m \u{7f}",
        "grüße, ключ, 鍵, \u{1f9f1}\u{200d}\u{1f6e0}",
        "\u{feff}\u{2028}\u{2029}\u{fffd}\u{10ffff}",
        "\"quoted\" \\ {json: [1]}",
        "' or 1=1; --",
        &long,
    ];
    f.log(&run, Some(1), &lines).await;
    let kept: Vec<_> = texts(&f, run.run_id).await.into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(kept, lines);
}

async fn lines_come_back_with_when_and_where_from(f: Fixture) {
    let run = claimed(&f).await;
    let streams = [Stream::Stdout, Stream::Stderr, Stream::System];
    let line = |(n, stream): (u32, Stream)| LogLine {
        at: Timestamp::from_ms(1_000 + i64::from(n)),
        stream,
        step: (n > 0).then_some(n),
        text: format!("{n}"),
    };
    let lines: Vec<_> = (0..).zip(streams).map(line).collect();
    let batch = LogBatch {
        run_id: run.run_id,
        fencing_token: run.fencing_token,
        first_seq: Some(1),
        lines: lines.clone(),
    };
    f.granted(Command::AppendLogs(batch)).await;
    let expected: Vec<_> = (1..)
        .zip(lines)
        .map(|(seq, line)| LogRecord {
            seq,
            at: line.at,
            stream: line.stream,
            step: line.step,
            text: line.text,
        })
        .collect();
    assert_eq!(f.read_log(run.run_id, LogFilter::default()).await[1..], expected);
}

/// Keeps ten lines in three chunks, the odd ones on standard error.
async fn ten_lines(f: &Fixture) -> Assignment {
    let run = claimed(f).await;
    for chunk in [1..4, 4..5, 5..11] {
        let lines = chunk.map(|n| LogLine {
            at: Timestamp::from_ms(n),
            stream: if n % 2 == 0 { Stream::Stdout } else { Stream::Stderr },
            step: None,
            text: format!("Line {n} of {}", if n > 5 { "MANY" } else { "many" }),
        });
        let batch = LogBatch {
            run_id: run.run_id,
            fencing_token: run.fencing_token,
            first_seq: None,
            lines: lines.collect(),
        };
        f.granted(Command::AppendLogs(batch)).await;
    }
    run
}

async fn numbers(f: &Fixture, run: &Assignment, filter: LogFilter) -> Vec<i64> {
    f.read_log(run.run_id, filter).await.into_iter().map(|line| line.seq).collect()
}

async fn logs_are_filtered_by_number_text_and_stream(f: Fixture) {
    let run = ten_lines(&f).await;
    let any = LogFilter::default;
    let q = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (any(), (0..11).collect::<Vec<_>>()),
        (LogFilter { from_seq: 5, ..any() }, vec![5, 6, 7, 8, 9, 10]),
        (LogFilter { from_seq: 6, ..any() }, vec![6, 7, 8, 9, 10]),
        (LogFilter { from_seq: 11, ..any() }, vec![]),
        (LogFilter { from_seq: -3, ..any() }, (0..11).collect()),
        (LogFilter { q: q("mAnY"), ..any() }, (1..11).collect()),
        (LogFilter { q: q("line 1"), ..any() }, vec![1, 10]),
        (LogFilter { q: q("STARTING"), ..any() }, vec![0]),
        (LogFilter { q: q("%"), ..any() }, vec![]),
        (LogFilter { stream: Some(Stream::Stderr), ..any() }, vec![1, 3, 5, 7, 9]),
        (LogFilter { stream: Some(Stream::System), ..any() }, vec![0]),
        (LogFilter { stream: Some(Stream::Stdout), q: q("0"), from_seq: 3, ..any() }, vec![10]),
    ] {
        let name = format!("{filter:?}");
        assert_eq!(numbers(&f, &run, filter).await, expected, "{name}");
    }
}

async fn logs_are_read_page_by_page(f: Fixture) {
    let run = ten_lines(&f).await;
    let page = |offset, limit| LogFilter { offset, limit, ..LogFilter::default() };
    assert_eq!(numbers(&f, &run, page(0, Some(3))).await, [0, 1, 2]);
    assert_eq!(numbers(&f, &run, page(3, Some(3))).await, [3, 4, 5]);
    assert_eq!(numbers(&f, &run, page(9, None)).await, [9, 10]);
    assert_eq!(numbers(&f, &run, page(11, Some(3))).await, Vec::<i64>::new());
    assert_eq!(numbers(&f, &run, page(0, Some(0))).await, Vec::<i64>::new());
    assert_eq!(numbers(&f, &run, page(u64::MAX, Some(u64::MAX))).await, Vec::<i64>::new());
    let odd = LogFilter {
        stream: Some(Stream::Stderr),
        offset: 1,
        limit: Some(2),
        from_seq: 2,
        ..Default::default()
    };
    assert_eq!(numbers(&f, &run, odd).await, [5, 7]);
}

async fn each_run_has_its_own_log(f: Fixture) {
    f.queued::<2>().await;
    let runs = f.claim("w", 2).await;
    f.log(&runs[0], Some(1), &["of the first"]).await;
    f.log(&runs[1], Some(1), &["of the second"]).await;
    assert_eq!(texts(&f, runs[0].run_id).await[1].1, "of the first");
    assert_eq!(texts(&f, runs[1].run_id).await[1].1, "of the second");
}

async fn batches_that_arrive_at_once_are_numbered_in_some_order(f: Fixture) {
    let run = claimed(&f).await;
    let other = f.second_server().await;
    let sent = (0..30).map(|n| {
        let store = if n % 2 == 0 { &f.store } else { &other };
        store.execute(logs(&run, None, &[&format!("a{n}"), &format!("b{n}")]))
    });
    for reply in futures_util::future::join_all(sent).await {
        reply.unwrap();
    }
    let kept = texts(&f, run.run_id).await;
    assert_eq!(kept.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (0..61).collect::<Vec<_>>());
    for pair in kept[1..].chunks(2) {
        assert_eq!(pair[0].1.replace('a', "b"), pair[1].1);
    }
}

async fn a_long_log_comes_back_whole(f: Fixture) {
    let run = claimed(&f).await;
    let mut next = 1;
    for batch in 0..40 {
        let lines: Vec<_> = (0..100).map(|n| format!("batch {batch} line {n}")).collect();
        next = f.log(&run, Some(next), &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    assert_eq!(next, 4_001);
    let kept = texts(&f, run.run_id).await;
    assert_eq!(kept.len(), 4_001);
    assert!(kept.iter().enumerate().all(|(n, (seq, _))| *seq == n as i64));
    assert_eq!(kept[2_345].1, "batch 23 line 44");
}
