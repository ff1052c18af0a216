//! `spalla session diff`: prints what a session's branch changed, as git prints it. On a terminal the words of agents
//! steer nothing; elsewhere every byte is as it is, so that it can be applied.

use super::Which;
use super::git::Git;
use crate::cli::Global;
use crate::commands::block_on;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use clap::Args;
use spalla_domain::log::Stream;
use spalla_domain::session::BASE_REF;
use std::cell::RefCell;
use std::io::IsTerminal as _;
use tokio_util::sync::CancellationToken;

/// How long a line may be until it is shown in pieces, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// How much of a complaint is kept, in bytes.
const COMPLAINT_BYTES_MAX: usize = 4 * 1024;

/// Of which session, and how much.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    which: Which,
    /// Only how much changed in which file
    #[arg(long, conflicts_with = "name_only")]
    stat: bool,
    /// Only the names of the files
    #[arg(long)]
    name_only: bool,
}

impl Diff {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        let folder = self.which.find(global)?;
        let session = folder.read()?;
        if session.base.is_none() {
            tracing::warn!("session {} changes nothing: it has no branch", session.id);
            return Ok(Exit::Done);
        }
        let branch = format!("refs/heads/{}", session.branch());
        let mut args = vec!["diff", "--no-ext-diff", "--no-textconv", "--color=never"];
        args.extend(self.stat.then_some("--stat"));
        args.extend(self.name_only.then_some("--name-only"));
        args.extend([BASE_REF, &branch, "--"]);
        let git = Git::of_session(&folder.repository());
        block_on(tokio::runtime::Builder::new_current_thread(), print(&git, &args))?;
        Ok(Exit::Done)
    }
}

async fn print(git: &Git, args: &[&str]) -> Result<()> {
    let has_color = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
    let is_seen = has_color || std::io::stdout().is_terminal();
    let (page, enough) = (RefCell::new(Page::default()), CancellationToken::new());
    let hand_on = |stream, bytes: &[u8]| {
        let mut page = page.borrow_mut();
        if page.take(stream, bytes, is_seen).is_err() {
            enough.cancel();
        }
    };
    let status = git.relay(args, Vec::new(), hand_on, enough.cancelled()).await?;
    let page = page.into_inner();
    match (page.failure, status) {
        (Some(failure), _) => Err(failure),
        (None, Some(0)) if page.line.is_empty() => Ok(()),
        (None, Some(0)) => show(&page.line),
        (None, _) => {
            let said = String::from_utf8_lossy(&page.complaint);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(Failure::failed(format!("reading what the session changed: {said}")))
        }
    }
}

/// What is printed, and what is still to come of a line.
#[derive(Debug, Default)]
struct Page {
    line: Vec<u8>,
    complaint: Vec<u8>,
    failure: Option<Failure>,
}

impl Page {
    /// Takes more in. After the first failure, such as a reader that left, nothing more is printed.
    fn take(&mut self, stream: Stream, bytes: &[u8], is_seen: bool) -> std::result::Result<(), ()> {
        if stream != Stream::Stdout {
            let room = COMPLAINT_BYTES_MAX.saturating_sub(self.complaint.len());
            self.complaint.extend(bytes.iter().take(room));
            return Ok(());
        }
        if self.failure.is_some() {
            return Err(());
        }
        let printed = if is_seen { self.lines(bytes) } else { output::bytes(bytes) };
        printed.map_err(|failure| self.failure = Some(failure))
    }

    fn lines(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(piece);
            if self.line.ends_with(b"\n") || self.line.len() > LINE_BYTES_MAX {
                show(&std::mem::take(&mut self.line))?;
            }
        }
        Ok(())
    }
}

/// Shows a line of a diff in the colours that it has by its beginning.
fn show(line: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(line);
    let text = output::plain(text.trim_end_matches(['\n', '\r']));
    match line {
        [b'+', ..] => output::line(output::good(text)),
        [b'-', ..] => output::line(output::bad(text)),
        [b'@', ..] => output::line(output::notable(text)),
        _ => output::line(text),
    }
}
