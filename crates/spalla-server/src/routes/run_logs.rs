//! The log of a run: lines in from its worker, lines out to whoever reads.

#[cfg(test)]
mod fuzz;

use crate::api::Api;
use crate::api::routes;
use crate::extract::{Batch, ContentKind, Id, Params, parse};
use crate::live::PageLines;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::log::{Kept, LogLineBody, LogStream, LogView, cut, plain};
use crate::wire::number::{IdInPath, LineCount, Ordinal};
use crate::wire::text::Needle;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use spalla_domain::claim::LogBatch;
use spalla_domain::id::ID_MAX;
use spalla_domain::log::LogLine;
use spalla_domain::{Fence, RunId, Timestamp};
use spalla_store::view::{LogFilter, LogRecord};
use spalla_store::{Command, Reply, StoreError};
use utoipa::{IntoParams, ToSchema};

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(append_log, get_log))
}

/// What a worker says of its lines.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the headers are read one by one; this describes them")]
struct AppendHeaders {
    /// The token of the lease.
    #[param(inline, rename = "X-Fencing-Token")]
    fencing_token: Ordinal,
    /// The number of the first line, where the sender numbers its lines: repeated lines are then dropped, and a gap
    /// is refused.
    #[param(inline, rename = "X-First-Seq")]
    first_seq: Option<Ordinal>,
}

/// Keeps lines of a run's log
#[utoipa::path(post, path = "/work-items/runs/{id}/logs", tag = "runs", params(IdInPath, AppendHeaders),
    request_body(description = "Lines of text, or one JSON object a line.",
        content((String = "text/plain"), (LogLineBody = "application/x-ndjson"))),
    responses((status = 200, description = "The lines are on disk.", body = Kept)))]
async fn append_log(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    batch: Batch,
) -> Result<Json<Kept>, Problem> {
    let fencing_token = number(&batch.headers, "X-Fencing-Token")?.ok_or_else(|| {
        Problem::invalid("X-Fencing-Token", "the header is missing").mend("send the lease's token")
    })?;
    let first_seq = number(&batch.headers, "X-First-Seq")?;
    let mut lines = match batch.kind {
        ContentKind::Ndjson => json_lines(&batch.bytes, app.now())?,
        _ => text_lines(&batch.bytes, app.now()),
    };
    let mask = app.vault.mask(run_id).await?;
    for line in &mut lines {
        // Masked while it is whole: the end of a line that is cut may be the beginning of a secret.
        line.text = cut(mask.text(std::mem::take(&mut line.text)));
    }
    let command = LogBatch { run_id, fencing_token: Fence(fencing_token), first_seq, lines };
    match app.execute(Command::AppendLogs(command), batch.key).await? {
        Reply::Logged { next_seq } => Ok(Json(Kept::new(run_id, next_seq))),
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Reads a header that is a whole number, where it is there.
pub(super) fn number(headers: &HeaderMap, name: &str) -> Result<Option<i64>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse::<i64>().ok());
    match number.filter(|n| (0..=ID_MAX).contains(n) && values.next().is_none()) {
        Some(number) => Ok(Some(number)),
        None => Err(Problem::invalid(name, format!("the header is one whole number from 0 to {ID_MAX}"))),
    }
}

fn split_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = (!bytes.is_empty()).then(|| text.split(|byte| *byte == b'\n'));
    lines.into_iter().flatten().map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Reads lines of text, each as long as it is.
fn text_lines(bytes: &[u8], now: Timestamp) -> Vec<LogLine> {
    split_lines(bytes).map(|line| plain(line, now)).collect()
}

fn json_lines(bytes: &[u8], now: Timestamp) -> Result<Vec<LogLine>, Problem> {
    let lines = split_lines(bytes).enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(index, line)| match parse::<LogLineBody>(line) {
            Ok(body) => Ok(body.into_line(now)),
            Err(problem) => Err(problem.in_line(index as u64 + 1)),
        })
        .collect()
}

/// How a log is shown.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    /// The texts, one a line.
    #[default]
    Text,
    /// An array of lines with their numbers, times and streams.
    Json,
}

/// Which lines of the log are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// How the lines are shown; `text` when left out.
    #[param(inline)]
    format: Option<LogFormat>,
    /// Only lines with this text, in either case.
    #[param(inline)]
    q: Option<Needle>,
    /// How many lines at most; all when left out.
    #[param(inline)]
    limit: Option<LineCount>,
    /// How many lines to leave out.
    #[param(inline)]
    offset: Option<Ordinal>,
    /// Only lines from this number on, so that a reader goes on where it stopped.
    #[param(inline)]
    from: Option<Ordinal>,
    /// Only lines of this stream.
    #[param(inline)]
    stream: Option<LogStream>,
}

/// Shows the log of a run, oldest line first
#[utoipa::path(get, path = "/work-items/runs/{id}/logs", tag = "runs", params(IdInPath, LogQuery),
    responses((status = 200, description = "The lines.",
        content((String = "text/plain"), (Vec<LogView> = "application/json")))))]
async fn get_log(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    Params(query): Params<LogQuery>,
) -> Result<Response, Problem> {
    let format = query.format.unwrap_or_default();
    let filter = LogFilter {
        from_seq: query.from.map_or(0, Ordinal::get),
        q: query.q.map(Into::into),
        stream: query.stream.map(Into::into),
        offset: query.offset.map_or(0, Ordinal::unsigned),
        limit: None,
    };
    let left = query.limit.map(LineCount::unsigned);
    let mut reader = LogReader { app, run_id, format, filter, left, page: PageLines::new(), is_first: true };
    let first = reader.read().await?.ok_or_else(|| Problem::not_found("run", run_id))?;
    let media_type = match format {
        LogFormat::Text => "text/plain; charset=utf-8",
        LogFormat::Json => "application/json",
    };
    Ok(([(header::CONTENT_TYPE, media_type)], reader.into_body(first)).into_response())
}

/// Reads a log page by page while it is sent.
struct LogReader {
    app: App,
    run_id: RunId,
    format: LogFormat,
    filter: LogFilter,
    /// How many lines are still wanted; none means all.
    left: Option<u64>,
    page: PageLines,
    is_first: bool,
}

impl LogReader {
    /// Reads the next page; none without the run.
    async fn read(&mut self) -> Result<Option<Vec<LogRecord>>, StoreError> {
        let filter = LogFilter { limit: Some(self.wanted()), ..self.filter.clone() };
        self.app.read().log(self.run_id, filter).await
    }

    fn wanted(&self) -> u64 {
        self.left.unwrap_or(u64::MAX).min(self.page.get())
    }

    /// Takes note of a page; tells whether another one may follow.
    fn advance(&mut self, page: &[LogRecord]) -> bool {
        let read = page.len() as u64;
        let wanted = self.wanted();
        self.page.learn(page.iter().map(|line| line.text.len() as u64).sum());
        self.left = self.left.map(|left| left.saturating_sub(read));
        self.filter.offset = 0;
        self.filter.from_seq = page.last().map_or(self.filter.from_seq, |last| last.seq + 1);
        read >= wanted && self.left != Some(0)
    }

    fn into_body(self, first: Vec<LogRecord>) -> Body {
        Body::from_stream(stream::try_unfold(Some((self, Some(first))), |state| async move {
            let Some((mut reader, ready)) = state else { return Ok(None) };
            let page = match ready {
                Some(page) => page,
                None => reader.read().await?.unwrap_or_default(),
            };
            let goes_on = reader.advance(&page);
            let bytes = reader.write(page, !goes_on);
            Ok::<_, StoreError>(Some((bytes, goes_on.then_some((reader, None)))))
        }))
    }

    fn write(&mut self, page: Vec<LogRecord>, is_last: bool) -> Bytes {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let mut text = String::with_capacity(page.iter().map(|line| line.text.len() + 1).sum());
        if self.format == LogFormat::Text {
            for line in page {
                text.push_str(&line.text);
                text.push('\n');
            }
            return text.into();
        }
        let mut separator = if is_first { "[" } else { "," };
        for line in page {
            text.push_str(separator);
            text.push_str(&serde_json::to_string(&LogView::from(line)).unwrap_or_default());
            separator = ",";
        }
        if is_last {
            text.push_str(if separator == "[" { "[]" } else { "]" });
        }
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_kept_also_when_it_is_empty_and_alone() {
        let lines = |text: &[u8]| text_lines(text, Timestamp::from_ms(0)).len();
        assert_eq!([lines(b""), lines(b"\n"), lines(b"\n\n"), lines(b"a")], [0, 1, 2, 1]);
    }
}
