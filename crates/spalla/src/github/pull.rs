//! A pull request from a session's branch: pushed, opened once, and changed in its place from then on.

use super::api::Api;
use super::place::Repository;
use super::told::Told;
use super::{checks, push};
use crate::ci::Hidden;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::git;
use crate::sessions::SessionFolder;
use serde_json::{Value, json};
use spalla_domain::github::{code_block, inline};
use spalla_domain::session::{BASE_REF, ItemKind, Session};
use std::fmt::Write as _;

/// The longest title, in characters; GitHub takes 256.
const TITLE_CHARACTERS_MAX: usize = 200;
/// The longest text, in bytes; GitHub takes 65,536 characters.
const BODY_BYTES_MAX: usize = 48 * 1024;
/// The longest answer of one agent that is shown, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// How it is wished.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// The repository, where it is named.
    pub(crate) repository: Option<String>,
    /// The branch that it goes into; the one that the session began on where none is named.
    pub(crate) base: Option<String>,
    /// Whether it is opened as a draft.
    pub(crate) is_draft: bool,
    /// Whether check runs are written.
    pub(crate) has_checks: bool,
    /// The issue that it closes.
    pub(crate) closes: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// Where it is.
    pub(crate) told: Told,
    /// Whether it was there already.
    pub(crate) was_there: bool,
    /// What could not be told of the checks, and why.
    pub(crate) without_checks: Option<String>,
}

/// Pushes the session's branch and opens its pull request, or brings the one that is there up to date.
pub(crate) async fn open(settings: &Settings, folder: &SessionFolder, wanted: &Wanted) -> Result<Opened> {
    let session = folder.read()?;
    let commit = commit_of(&session, folder).await?;
    let target = std::path::Path::new(&session.target);
    let repository = Repository::find(settings, wanted.repository.as_deref(), target).await?;
    let api = Api::of(settings).await?;
    let base =
        match wanted.base.clone().or_else(|| session.base.as_ref().and_then(|base| base.branch.clone())) {
            Some(base) => base,
            None => default_branch(&api, &repository).await?,
        };
    let url = repository.git_url(settings, &api)?;
    push::push(&api, &folder.repository(), &url, &session.branch()).await?;
    let hidden = Hidden::of(settings)?;
    let text = Text { title: title(&session, &hidden), body: body(&session, wanted, &hidden) };
    let (pull, was_there) =
        put(&api, &repository, &session.branch(), (&base, wanted.is_draft), &text).await?;
    let told = Told {
        repository: repository.to_string(),
        number: pull["number"].as_u64(),
        url: pull["html_url"].as_str().map(str::to_owned),
        commit: Some(commit.clone()),
    };
    told.write(folder)?;
    let without_checks = match wanted.has_checks {
        true => checks::write(&api, &repository, &session, &commit, &hidden).await.err(),
        false => None,
    };
    Ok(Opened { told, was_there, without_checks: without_checks.map(|failure| failure.to_string()) })
}

/// Returns the commit of the session's branch, which has to have something new.
async fn commit_of(session: &Session, folder: &SessionFolder) -> Result<String> {
    let nothing = |why: &str| Failure::usage(format!("session {} {why}", session.id));
    let base = session.base.as_ref().ok_or_else(|| nothing("changes nothing: it has no branch"))?;
    if !base.is_git {
        return Err(nothing(
            "began with a copy of a folder that is no git repository, so no branch there has its history",
        )
        .mend("make the folder a clone of the repository first"));
    }
    let repository = folder.repository();
    let resolve = async |name: &str| {
        let found =
            git::call(&repository, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
                .await;
        found.map(|text| text.trim().to_owned())
    };
    let commit = resolve(&format!("refs/heads/{}", session.branch())).await?;
    if commit == resolve(BASE_REF).await? {
        return Err(nothing("has nothing on its branch yet").mend("`spalla session show` says how far it is"));
    }
    Ok(commit)
}

async fn default_branch(api: &Api, repository: &Repository) -> Result<String> {
    let shown = api.get(&repository.path("")).await?;
    let name = shown["default_branch"].as_str().map(str::to_owned);
    name.ok_or_else(|| {
        Failure::failed(format!("{repository} has no default branch")).mend("name one with --base BRANCH")
    })
}

/// What a pull request says.
struct Text {
    title: String,
    body: String,
}

/// Finds the pull request of a branch and brings it up to date, or opens it.
async fn put(
    api: &Api,
    repository: &Repository,
    branch: &str,
    (base, is_draft): (&str, bool),
    text: &Text,
) -> Result<(Value, bool)> {
    if let Some(known) = find(api, repository, branch).await? {
        return Ok((update(api, repository, &known, text).await?, true));
    }
    let wish = json!({"title": text.title, "body": text.body, "head": branch, "base": base, "draft": is_draft,
        "maintainer_can_modify": true});
    match api.post(&repository.path("/pulls"), &wish).await {
        Ok(pull) => Ok((pull, false)),
        // Somebody else may have opened it meanwhile, or we did and never heard of it.
        Err(failure) => match find(api, repository, branch).await? {
            Some(known) => Ok((update(api, repository, &known, text).await?, true)),
            None => Err(failure),
        },
    }
}

async fn find(api: &Api, repository: &Repository, branch: &str) -> Result<Option<Value>> {
    let head: String =
        url::form_urlencoded::byte_serialize(format!("{}:{branch}", repository.owner()).as_bytes()).collect();
    let found = api.list(&repository.path(&format!("/pulls?state=open&per_page=100&head={head}"))).await?;
    // Whoever ignores the filter answers with others as well.
    Ok(found.into_iter().find(|pull| pull["head"]["ref"] == branch))
}

async fn update(api: &Api, repository: &Repository, known: &Value, text: &Text) -> Result<Value> {
    let number =
        known["number"].as_u64().ok_or_else(|| Failure::failed("GitHub's pull request has no number"))?;
    let wish = json!({"title": text.title, "body": text.body});
    api.patch(&repository.path(&format!("/pulls/{number}")), &wish).await
}

fn title(session: &Session, hidden: &Hidden) -> String {
    let goal = spalla_domain::github::visible(&hidden.text(&session.goal));
    let line = goal.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TITLE_CHARACTERS_MAX {
        return line;
    }
    line.chars().take(TITLE_CHARACTERS_MAX).chain(['…']).collect()
}

fn body(session: &Session, wanted: &Wanted, hidden: &Hidden) -> String {
    let mut text = code_block(&hidden.text(&session.goal));
    let _ = writeln!(text, "\n| what | who | outcome |\n| --- | --- | --- |");
    for item in session.items.iter().filter(|item| matches!(item.kind, ItemKind::Work | ItemKind::Merge)) {
        let outcome = item.status.as_deref().unwrap_or("not begun");
        let said = item
            .runs
            .last()
            .and_then(|run| run.result.as_ref())
            .and_then(|result| result["summary"].as_str());
        let said = said.map(|said| format!(": {}", inline(&hidden.text(said)))).unwrap_or_default();
        let (title, agent) = (inline(&hidden.text(&item.title)), inline(&item.agent));
        let _ = writeln!(text, "| {title} | {agent} | {}{said} |", inline(outcome));
    }
    for item in session.items.iter().filter(|item| item.kind == ItemKind::Work) {
        let answer =
            item.runs.last().and_then(|run| run.result.as_ref()).and_then(|result| result["answer"].as_str());
        if let Some(answer) = answer.filter(|answer| !answer.trim().is_empty()) {
            let answer = hidden.text(answer);
            let end = answer.floor_char_boundary(ANSWER_BYTES_MAX);
            let _ = writeln!(text, "\n{} says:\n\n{}", inline(&item.agent), code_block(&answer[..end]));
        }
        if text.len() > BODY_BYTES_MAX {
            text.push_str("\nThe rest is left out.\n");
            break;
        }
    }
    if let Some(issue) = wanted.closes {
        let _ = writeln!(text, "\nCloses #{issue}.");
    }
    let _ = writeln!(text, "\n<sub>Session `{}` of Spalla.</sub>", session.id);
    text
}
