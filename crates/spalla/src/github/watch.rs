//! Issues with the label become sessions of the server, once each, and are told how they go. GitHub's webhook only says where to
//! look: what an issue says, and whose it is, is read of GitHub itself.
//!
//! ```text
//! webhook ─► number ─┐
//!                    ├─► issue, read anew ─► admitted? ─► session (once, by its key) ─► comments ─► closed
//! every minute ──────┘
//! ```

mod kept;
mod said;

use super::api::Api;
use super::comments::{self, Mark};
use super::place::Repository;
use super::pull;
use super::told::Told;
use crate::ci::Hidden;
use crate::clock::random_hex;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::sessions::{Host, SessionFolder};
use hyper::{Method, StatusCode};
use kept::Kept;
use serde_json::json;
use spalla_domain::github::{Admission, Issue, Refused};
use spalla_domain::session::{Decomposer, Request, Selector, Session, SessionStatus};
use spalla_server::{GitHubHook, Sessions as _, Unfollowed, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked how the sessions of issues go.
const FOLLOW: Duration = Duration::from_secs(2);
/// How many issues are listed at once.
const PAGE: usize = 100;
/// How long it rests after GitHub could not be asked.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What is to be watched.
#[derive(Debug)]
pub(crate) struct Watch {
    settings: Settings,
    told: Option<mpsc::Receiver<u64>>,
}

impl Watch {
    /// Returns what the settings want to be watched, and where GitHub may tell of it; none where they want nothing.
    pub(crate) fn of(settings: &Settings) -> Result<Option<(Self, Option<GitHubHook>)>> {
        let github = &settings.github;
        if github.label.trim().is_empty() {
            return Ok(None);
        }
        let wrong = |what: &str, mend: &str| Err(Failure::usage(what).mend(mend));
        if !Path::new(&github.target).is_absolute() {
            return wrong(
                "github.label is set, and github.target is no absolute path",
                "name the checkout that issues are worked on in",
            );
        }
        if github.poll_seconds == 0.0 && github.webhook_secret.is_empty() {
            return wrong(
                "github.label is set, and nothing brings issues",
                "set github.poll_seconds or github.webhook_secret",
            );
        }
        if !github.repo.is_empty() {
            Repository::parse(&github.repo)?;
        }
        if github.webhook_secret.is_empty() {
            return Ok(Some((Self { settings: settings.clone(), told: None }, None)));
        }
        let repository = Some(github.repo.clone()).filter(|name| !name.is_empty());
        let (hook, told) = GitHubHook::new(github.webhook_secret.as_str().into(), repository);
        Ok(Some((Self { settings: settings.clone(), told: Some(told) }, Some(hook))))
    }
}

/// Watches until the server leaves. What can't be done now is tried again: GitHub's absence ends no server.
pub(crate) async fn watch(watch: Watch, host: Host, leave: CancellationToken) -> Result<()> {
    let Watch { settings, mut told } = watch;
    let mut begun = None;
    let (mut poll_at, mut follow_at) = (Instant::now(), Instant::now());
    // What GitHub told of before the server started is seen by looking once, also where nothing is looked for later.
    let mut has_looked = false;
    loop {
        if begun.is_none() {
            begun = match Watcher::begin(&settings, &host).await {
                Ok(watcher) => Some(watcher),
                Err(failure) => {
                    tracing::warn!("issues are not watched for now: {failure}");
                    None
                }
            };
        }
        let Some(watcher) = &mut begun else {
            if leave.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await.is_none() {
                return Ok(());
            }
            continue;
        };
        let polls = settings.github.poll_seconds > 0.0 || !has_looked;
        let done = tokio::select! {
            biased;
            () = leave.cancelled() => return Ok(()),
            number = next(&mut told) => leave.run_until_cancelled(Box::pin(watcher.look_at(number))).await,
            () = tokio::time::sleep_until(poll_at), if polls => {
                let polled = leave.run_until_cancelled(Box::pin(watcher.poll())).await;
                let wait = Duration::from_secs_f64(settings.github.poll_seconds);
                has_looked |= matches!(polled, Some(Ok(())));
                poll_at = Instant::now() + if matches!(polled, Some(Ok(()))) { wait } else { wait.max(AGAIN_AFTER) };
                polled
            }
            () = tokio::time::sleep_until(follow_at) => {
                let followed = leave.run_until_cancelled(Box::pin(watcher.follow())).await;
                // A GitHub that does not answer is not asked all the time.
                follow_at = Instant::now() + if matches!(followed, Some(Ok(()))) { FOLLOW } else { AGAIN_AFTER };
                followed
            }
        };
        match done {
            None => return Ok(()),
            Some(Ok(())) => {}
            Some(Err(failure)) => tracing::warn!("issues of {}: {failure}", watcher.repository),
        }
    }
}

/// Waits for what GitHub tells; for ever where it can't.
async fn next(told: &mut Option<mpsc::Receiver<u64>>) -> u64 {
    let number = match told {
        Some(told) => told.recv().await,
        None => None,
    };
    match number {
        Some(number) => number,
        None => std::future::pending().await,
    }
}

/// A watch as it goes on.
struct Watcher {
    settings: Settings,
    host: Host,
    api: Api,
    repository: Repository,
    admission: Admission,
    hidden: Hidden,
    kept: Kept,
    /// What the list was called when all of it had been looked at.
    etag: Option<String>,
    /// When the records were written that were looked at last.
    seen: BTreeMap<u64, SystemTime>,
    /// The issues whose authors may start nothing, so that each is told once.
    refused: BTreeSet<u64>,
    /// The issues that could not be looked at when GitHub told of them, or could not begin then.
    again: BTreeSet<u64>,
}

impl Watcher {
    async fn begin(settings: &Settings, host: &Host) -> Result<Self> {
        let github = &settings.github;
        let repository = Repository::find(settings, None, Path::new(&github.target)).await?;
        Ok(Self {
            api: Api::of(settings).await?,
            kept: Kept::read(&settings.data, &repository)?,
            repository,
            admission: Admission {
                label: github.label.trim().to_owned(),
                associations: github.associations.clone(),
            },
            hidden: Hidden::of(settings)?,
            settings: settings.clone(),
            host: host.clone(),
            etag: None,
            seen: BTreeMap::new(),
            refused: BTreeSet::new(),
            again: BTreeSet::new(),
        })
    }

    /// Looks at all open issues with the label, the newest change first, so that the first page is another one after any change.
    async fn poll(&mut self) -> Result<()> {
        let label: String = url::form_urlencoded::byte_serialize(self.admission.label.as_bytes()).collect();
        let path = format!("/issues?state=open&sort=updated&direction=desc&per_page={PAGE}&labels={label}");
        let path = self.repository.path(&path);
        let first = self.api.call(Method::GET, &path, None, self.etag.as_deref()).await?;
        if first.status == StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let mut all = first.body.as_array().cloned().unwrap_or_default();
        if let Some(next) = &first.next {
            all.extend(self.api.list(next).await?);
        }
        let mut is_whole = true;
        // The oldest has waited longest.
        for issue in all.iter().rev().filter_map(Issue::read) {
            is_whole &= self.take(&issue).await?;
        }
        self.etag = first.etag.filter(|_| is_whole);
        Ok(())
    }

    /// Looks at one issue; what can't be done now is tried again.
    async fn look_at(&mut self, number: u64) -> Result<()> {
        self.again.insert(number);
        let found = self.api.find(&self.repository.path(&format!("/issues/{number}"))).await?;
        let issue = found.as_ref().and_then(Issue::read).filter(|issue| issue.number == number);
        let is_over = match issue {
            Some(issue) => self.take(&issue).await?,
            None => true,
        };
        if is_over {
            self.again.remove(&number);
        }
        Ok(())
    }

    /// Begins the session of an issue that has none; tells whether nothing is left to be done for it.
    async fn take(&mut self, issue: &Issue) -> Result<bool> {
        match issue.admit(&self.admission) {
            Ok(()) => {}
            Err(Refused::Unwanted) => return Ok(true),
            Err(Refused::Author { author, association }) => {
                if self.refused.insert(issue.number) {
                    tracing::info!(
                        issue = issue.number,
                        author,
                        association,
                        "whoever wrote the issue may start no work here"
                    );
                }
                return Ok(true);
            }
        }
        let number = issue.number;
        if self.kept.issues.get(&number).is_some_and(|entry| entry.session.is_some() || entry.is_refused_now)
        {
            return Ok(true);
        }
        let entry = self.kept.issues.entry(number).or_default();
        if entry.nonce.is_empty() {
            // What makes our comments ours is on disk before the first one is made.
            entry.nonce = random_hex(2);
            self.kept.write()?;
        }
        let begun = self.host.begin(self.wanted(issue)).await;
        let is_over = !matches!(begun, Err(Unfollowed::Conflict(_)));
        let Some(entry) = self.kept.issues.get_mut(&number) else { return Ok(true) };
        match begun {
            Ok(found) => {
                tracing::info!(issue = number, session = found.session.id, "an issue becomes a session");
                entry.session = Some(found.session.id.clone());
                entry.refused = None;
            }
            Err(Unfollowed::Conflict(why)) => tracing::info!(issue = number, "not begun yet: {why}"),
            Err(unfollowed) => {
                tracing::warn!(issue = number, "an issue can't become a session: {unfollowed}");
                (entry.refused, entry.is_refused_now) = (Some(unfollowed.to_string()), true);
            }
        }
        self.kept.write()?;
        self.tell(number).await?;
        Ok(is_over)
    }

    fn wanted(&self, issue: &Issue) -> Wanted {
        let github = &self.settings.github;
        let title = format!("Issue {}: {}", issue.number, issue.plain_title());
        let plan = json!({"items": [{"key": format!("issue-{}", issue.number), "title": title, "prompt": issue.prompt()}]});
        Wanted {
            goal: title,
            target: github.target.clone(),
            agents: github.agents.clone(),
            plan: Some(plan.to_string()),
            decomposer: Decomposer::default(),
            selector: Selector::default(),
            revise: false,
            request: Request {
                key: Some(format!("github:{}#{}", self.repository, issue.number)),
                fingerprint: None,
            },
            may_copy: false,
        }
    }

    /// Tells of every session whose record was written since it was looked at last.
    async fn follow(&mut self) -> Result<()> {
        for number in self.again.clone() {
            self.look_at(number).await?;
        }
        let open = self.kept.issues.iter().filter(|(_, entry)| !entry.is_over);
        let open: Vec<u64> = open.map(|(number, _)| *number).collect();
        let mut failed = None;
        for number in open {
            if let Err(failure) = self.tell(number).await {
                failed = Some(failure);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn tell(&mut self, number: u64) -> Result<()> {
        let Some(entry) = self.kept.issues.get(&number).cloned() else { return Ok(()) };
        let Some(id) = &entry.session else {
            let Some(why) = &entry.refused else { return Ok(()) };
            return self.put(number, "start", &said::refused(why, &self.hidden)).await;
        };
        // Removed by a person, with all that it told.
        let Ok(folder) = SessionFolder::find(&self.settings.data, id) else { return Ok(()) };
        let written_at =
            std::fs::metadata(folder.beside("session.json")).and_then(|file| file.modified()).ok();
        if written_at.is_some() && written_at.as_ref() == self.seen.get(&number) {
            return Ok(());
        }
        let session = folder.read()?;
        self.put(number, "start", &said::begun(&session)).await?;
        if said::is_worth_telling(&session) {
            let told = self.pull_request(number, &folder, &session).await;
            self.put(number, "result", &said::result(&session, &told, &self.hidden)).await?;
        }
        if !session.applied.is_empty() {
            self.close(number).await?;
        }
        self.seen.extend(written_at.map(|at| (number, at)));
        Ok(())
    }

    /// Opens the pull request of what is done, where that is wished and was not tried; returns what is known of it.
    async fn pull_request(&mut self, number: u64, folder: &SessionFolder, session: &Session) -> Told {
        let told = Told::read(folder);
        let is_wanted = self.settings.github.pull_requests && session.status == SessionStatus::Done;
        if !is_wanted || told.number.is_some() {
            return told;
        }
        let wanted = pull::Wanted {
            repository: Some(self.repository.to_string()),
            has_checks: true,
            closes: self.settings.github.allow_close.then_some(number),
            ..pull::Wanted::default()
        };
        match pull::open(&self.settings, folder, &wanted).await {
            Ok(opened) => opened.told,
            Err(failure) => {
                tracing::warn!(session = session.id, "no pull request was opened: {failure}");
                told
            }
        }
    }

    /// Writes one of our comments, where it does not say so already.
    async fn put(&mut self, number: u64, kind: &str, text: &str) -> Result<()> {
        let Some(entry) = self.kept.issues.get(&number) else { return Ok(()) };
        let known = entry.comments.get(kind).cloned().unwrap_or_default();
        if known.text == text {
            return Ok(());
        }
        let mark = Mark { nonce: &entry.nonce, kind };
        let id = comments::put(&self.api, &self.repository, number, known.id, (mark, text)).await?;
        if let Some(entry) = self.kept.issues.get_mut(&number) {
            entry.comments.insert(kind.to_owned(), kept::Comment { id: Some(id), text: text.to_owned() });
        }
        self.kept.write()
    }

    async fn close(&mut self, number: u64) -> Result<()> {
        if self.settings.github.allow_close {
            let wish = json!({"state": "closed", "state_reason": "completed"});
            self.api.patch(&self.repository.path(&format!("/issues/{number}")), &wish).await?;
        }
        if let Some(entry) = self.kept.issues.get_mut(&number) {
            entry.is_over = true;
        }
        self.kept.write()
    }
}
