//! `spalla audit verify` and `spalla audit export`: the whole audit, from its first entry on. The digests are computed
//! here, so that nobody has to believe the server.

use crate::cli::Global;
use crate::client::Client;
use crate::commands::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use spalla_domain::audit::chain::{Break, Digest, Head, Verifier};
use spalla_domain::audit::{Call, Entry, Outcome};
use spalla_domain::{AuditId, Timestamp};
use std::io::BufRead;
use std::path::PathBuf;

/// How many entries are read at once.
const AT_ONCE: usize = 5_000;

/// Tells whether the audit is whole.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The end of the audit as it was once: its number and digest, as an earlier `verify` printed them
    #[arg(long, value_name = "ID:DIGEST", value_parser = end)]
    since: Option<Head>,
    /// A file that `spalla audit export` wrote, instead of the server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "token_file"])]
    file: Option<PathBuf>,
    /// Prints what was found as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Prints the audit.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Begins after the entry with this number
    #[arg(long, default_value_t = 0, value_name = "ID")]
    after: i64,
    #[command(flatten)]
    server: ServerArgs,
}

/// An entry as it is exported.
#[derive(Debug, Deserialize)]
struct Line {
    id: i64,
    at: Timestamp,
    principal: String,
    client: String,
    operation: String,
    resource: String,
    outcome: Outcome,
    code: Option<String>,
    request_id: String,
    previous_hash: String,
    hash: String,
}

impl Line {
    /// Reads a line; none where it is no entry.
    fn entry(text: &str) -> Option<Entry> {
        let line: Self = serde_json::from_str(text).ok()?;
        let Self { principal, client, operation, resource, request_id, .. } = line;
        Some(Entry {
            id: AuditId(line.id),
            at: line.at,
            call: Call { principal, client, operation, resource, request_id },
            outcome: line.outcome,
            code: line.code,
            previous_hash: Digest::parse(&line.previous_hash)?,
            hash: Digest::parse(&line.hash)?,
        })
    }
}

/// The end of the audit as the server names it.
#[derive(Debug, Deserialize)]
struct End {
    id: i64,
    hash: String,
}

/// What is wrong with the audit.
enum Fault {
    /// The chain is broken.
    Broken(Break),
    /// A line is no entry.
    NoEntry(AuditId),
}

impl Fault {
    fn at(&self) -> AuditId {
        match self {
            Self::Broken(found) => found.at(),
            Self::NoEntry(id) => *id,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Broken(found) => found.to_string(),
            Self::NoEntry(id) => format!("entry {id} can't be read"),
        }
    }
}

/// Follows the chain line by line.
struct Follower {
    verifier: Verifier,
    since: Option<Head>,
}

impl Follower {
    fn take(&mut self, text: &str) -> Result<(), Fault> {
        let next = AuditId(self.verifier.head().id.0 + 1);
        let entry = Line::entry(text).ok_or(Fault::NoEntry(next))?;
        self.verifier.take(&entry).map_err(Fault::Broken)?;
        match self.since {
            Some(since) if since.id == entry.id => self.verifier.reaches(since).map_err(Fault::Broken),
            _ => Ok(()),
        }
    }

    fn end(&self, known: Option<Head>) -> Result<(), Fault> {
        known
            .into_iter()
            .chain(self.since)
            .try_for_each(|known| self.verifier.reaches(known))
            .map_err(Fault::Broken)
    }
}

impl Verify {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        let mut follower = Follower { verifier: Verifier::default(), since: self.since };
        if let Some(path) = &self.file {
            let found = follow_file(&mut follower, path)?;
            return self.report(&follower, found.err());
        }
        self.server.clone().talk(global, |client| async move {
            let found = follow_server(&mut follower, &client).await?;
            self.report(&follower, found.err())
        })
    }

    fn report(&self, follower: &Follower, fault: Option<Fault>) -> Result<Exit> {
        let Head { id, hash } = follower.verifier.head();
        if self.json {
            let broken = fault.as_ref().map(|fault| json!({"id": fault.at().0, "reason": fault.in_words()}));
            let whole = broken.is_none();
            output::json(&json!({
                "whole": whole, "entries": id.0, "head": {"id": id.0, "hash": hash.to_string()}, "broken": broken,
            }))?;
        } else if let Some(fault) = &fault {
            output::line(format_args!("the audit is broken at entry {}: {}", fault.at(), fault.in_words()))?;
        } else {
            output::line(format_args!("the audit is whole: {id} entries; its end is {id}:{hash}"))?;
        }
        Ok(if fault.is_some() { Exit::Failed } else { Exit::Done })
    }
}

fn follow_file(follower: &mut Follower, path: &PathBuf) -> Result<Result<(), Fault>> {
    let open = std::fs::File::open(path).map_err(file("reading", path))?;
    for line in std::io::BufReader::new(open).lines() {
        let line = line.map_err(file("reading", path))?;
        if let Err(fault) = follower.take(&line) {
            return Ok(Err(fault));
        }
    }
    Ok(follower.end(None))
}

async fn follow_server(follower: &mut Follower, client: &Client) -> Result<Result<(), Fault>> {
    // The end is read first: what is added meanwhile lies behind it.
    let end: End = client.get_as("/audit/head").await?;
    let hash = Digest::parse(&end.hash);
    let hash = hash.ok_or_else(|| Failure::failed("the server names no digest for the end of the audit"))?;
    loop {
        let lines = page(client, follower.verifier.head().id.0).await?;
        for line in &lines {
            if let Err(fault) = follower.take(line) {
                return Ok(Err(fault));
            }
        }
        if lines.len() < AT_ONCE {
            return Ok(follower.end(Some(Head { id: AuditId(end.id), hash })));
        }
    }
}

impl Export {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let mut after = self.after;
            loop {
                let lines = page(&client, after).await?;
                for line in &lines {
                    output::line(line)?;
                }
                match lines.last().and_then(|line| Line::entry(line)) {
                    Some(last) if lines.len() >= AT_ONCE => after = last.id.0,
                    _ => return Ok(Exit::Done),
                }
            }
        })
    }
}

async fn page(client: &Client, after: i64) -> Result<Vec<String>> {
    let mut bytes = vec![];
    let path = format!("/audit/export?after={after}&limit={AT_ONCE}");
    client
        .download(&path, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .await?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn end(text: &str) -> std::result::Result<Head, String> {
    let read = || {
        let (id, hash) = text.split_once(':')?;
        Some(Head { id: AuditId(id.parse().ok()?), hash: Digest::parse(hash)? })
    };
    read().ok_or_else(|| format!("{text:?} is no end such as 7:0123…, as `spalla audit verify` prints it"))
}
