//! Traces, as W3C Trace Context writes them: which trace a request or a process belongs to, and under which span.

use crate::Timestamp;
use serde::Deserialize;
use std::fmt;

/// The digits of a trace id.
const TRACE_DIGITS: usize = 32;
/// The digits of a span id.
const SPAN_DIGITS: usize = 16;

/// The value of a `traceparent`: whoever gets it does its work under this span of this trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    /// 32 hexadecimal digits, not all zero.
    pub trace_id: String,
    /// 16 hexadecimal digits, not all zero.
    pub span_id: String,
    /// Whether somebody keeps the trace.
    pub is_sampled: bool,
}

impl TraceParent {
    /// Reads a value; none where it is not well-formed, which is to be ignored. Of later versions the part is read that
    /// this one knows.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_id = |text: &str, digits| is_hexadecimal(text, digits) && text.bytes().any(|b| b != b'0');
        let is_known =
            is_hexadecimal(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let fits = is_known && is_id(trace_id, TRACE_DIGITS) && is_id(span_id, SPAN_DIGITS);
        let flags = u8::from_str_radix(flags, 16).ok().filter(|_| is_hexadecimal(flags, 2))?;
        fits.then(|| Self {
            trace_id: trace_id.to_owned(),
            span_id: span_id.to_owned(),
            is_sampled: flags & 1 == 1,
        })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, is_sampled } = self;
        write!(f, "00-{trace_id}-{span_id}-{:02x}", u8::from(*is_sampled))
    }
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A part of a run's life, as a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The whole.
    Run,
    /// From its making to its claim.
    Waiting,
    /// From its claim to its end.
    Executing,
    /// A step of its recipe, from 1.
    Step(u32),
}

impl Part {
    /// Returns the part that it is a part of; none for the whole.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Run => None,
            Self::Waiting | Self::Executing => Some(Self::Run),
            Self::Step(_) => Some(Self::Executing),
        }
    }

    /// Returns its name; steps share one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Waiting => "waiting",
            Self::Executing => "executing",
            Self::Step(_) => "step",
        }
    }
}

/// A part of a run's life with its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which.
    pub part: Part,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it lasts.
    pub ended_at: Option<Timestamp>,
}

/// What is known of a run's life.
#[derive(Debug, Clone, Copy)]
pub struct Life<'a> {
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was first claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it produced, which says when the steps of a recipe began and how long they took.
    pub result: Option<&'a str>,
}

impl Life<'_> {
    /// Returns the whole first, then its parts in order.
    pub fn spans(&self) -> Vec<Span> {
        let span = |part, started_at, ended_at| Span { part, started_at, ended_at };
        let mut spans = vec![
            span(Part::Run, self.created_at, self.ended_at),
            span(Part::Waiting, self.created_at, self.started_at.or(self.ended_at)),
        ];
        spans.extend(self.started_at.map(|at| span(Part::Executing, at, self.ended_at)));
        spans.extend(self.steps());
        spans
    }

    /// Returns the steps that were executed. A result can be anything, and then it says nothing of them.
    fn steps(&self) -> impl Iterator<Item = Span> {
        let said: Option<ResultSaid> = self.result.and_then(|result| serde_json::from_str(result).ok());
        let steps = said.into_iter().flat_map(|said| (1..=STEPS_MAX).zip(said.steps));
        steps.filter_map(|(number, StepSaid { started_at, duration_ms })| {
            let started_at = started_at?;
            let ended_at = Some(started_at.plus_ms(duration_ms.max(0)));
            Some(Span { part: Part::Step(number), started_at, ended_at })
        })
    }
}

/// How many steps of a run are shown: more than a recipe has.
const STEPS_MAX: u32 = 1_000;

/// What a run says of a step in its result.
#[derive(Debug, Deserialize)]
struct StepSaid {
    started_at: Option<Timestamp>,
    #[serde(default)]
    duration_ms: i64,
}

/// What a run says of its steps.
#[derive(Debug, Deserialize)]
struct ResultSaid {
    steps: Vec<StepSaid>,
}

/// Returns the id of a part of a run's life: the same wherever it is worked out, so that nobody has to hand it on.
pub fn span_id(trace_id: &str, part: Part) -> String {
    let part = match part {
        Part::Run => "run".to_owned(),
        Part::Waiting => "waiting".to_owned(),
        Part::Executing => "executing".to_owned(),
        Part::Step(number) => format!("step {number}"),
    };
    // FNV-1a: within one trace a handful of texts is to be told apart, and nobody is to be kept from guessing.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = trace_id.bytes().chain(*b" ").chain(part.bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
    format!("{:016x}", hash.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_what_is_not_well_formed_is_ignored() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let text = format!("00-{trace}-{span}-01");
        assert_eq!(TraceParent::parse(&text).unwrap().to_string(), text);
        assert!(!TraceParent::parse(&format!("00-{trace}-{span}-00")).unwrap().is_sampled);
        assert!(TraceParent::parse(&format!("01-{trace}-{span}-01-more")).is_some());
        let (none, no_span) = ("0".repeat(32), "0".repeat(16));
        for bad in [
            String::new(),
            "00".into(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("0-{trace}-{span}-01"),
            format!("00-{none}-{span}-01"),
            format!("00-{trace}-{no_span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}-1"),
            format!("00-{trace}-{span}-+1"),
        ] {
            assert_eq!(TraceParent::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_result_says_when_its_steps_went_on_or_nothing_at_all() {
        let at = Timestamp::from_ms;
        let spans = |result| {
            let life = Life { created_at: at(0), started_at: Some(at(5)), ended_at: Some(at(9)), result };
            life.spans()
                .into_iter()
                .map(|span| (span.part, span.started_at, span.ended_at))
                .collect::<Vec<_>>()
        };
        let plain = [
            (Part::Run, at(0), Some(at(9))),
            (Part::Waiting, at(0), Some(at(5))),
            (Part::Executing, at(5), Some(at(9))),
        ];
        for nothing in [None, Some("7"), Some(r#"{"steps": 7}"#), Some(r#"{"steps": [{"started_at": "x"}]}"#)]
        {
            assert_eq!(spans(nothing), plain);
        }
        let told = r#"{"steps": [{"started_at": "1970-01-01T00:00:00.006Z", "duration_ms": 2}, {"skipped": true},
            {"started_at": "1970-01-01T00:00:00.008Z", "duration_ms": 9223372036854775807}]}"#;
        let steps = [(Part::Step(1), at(6), Some(at(8))), (Part::Step(3), at(8), Some(at(i64::MAX)))];
        assert_eq!(spans(Some(told)), [&plain[..], &steps].concat());
        let waits = Life { created_at: at(0), started_at: None, ended_at: None, result: None };
        assert_eq!(waits.spans().len(), 2);
    }

    #[test]
    fn each_part_of_a_run_has_an_id_of_its_own() {
        let parts = [Part::Run, Part::Waiting, Part::Executing, Part::Step(1), Part::Step(11)];
        let ids: std::collections::BTreeSet<String> =
            ["a", "b"].into_iter().flat_map(|trace| parts.map(|part| span_id(trace, part))).collect();
        assert_eq!(ids.len(), 10);
        assert!(ids.iter().all(|id| id.len() == 16));
    }
}
