//! The surveyor, which only reads: surveys the project's folder and reports.

use super::end_of;
use crate::beneath::Beneath;
use crate::builtin::surveyor::{
    Error as SurveyError, GIT_LOG_ARGS, GitHistory, LanguageKind, Limits, ReportPaths, StopSwitch, Survey,
    SurveyOptions, goal_needs_model, parse_git_log, survey, write_report,
};
use crate::run::{End, Failure, Run};
use crate::scratchpad::{Git, GitError, Scratchpad, Source};
use serde_json::json;
use spalla_domain::retry::ErrorClass;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// A goal that names nothing to measure. Whoever says no more than that asks for the whole report, and gets it.
const NAMES_NOTHING: &str = "anything";
/// How long git may take to tell the history, in milliseconds.
const HISTORY_MS: i64 = 120_000;
/// How much of the history is read, in bytes: some thousand commits of a large project.
const HISTORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long git may take to tell the age of marks, in milliseconds: for each file, and for all but the last.
const DATING_MS: i64 = 15_000;
/// How many files and lines are looked up: those that a person reads.
const DATED_FILES_MAX: usize = 25;
const DATED_LINES_MAX: usize = 100;
/// How much git may say of one file, in bytes.
const BLAME_BYTES_MAX: usize = 1024 * 1024;
/// The longest text of a file that says where a repository is, in bytes: a path.
const LINK_BYTES_MAX: u64 = 8 * 1024;
/// How many lines about its progress the surveyor may be ahead of the log.
const PROGRESS_MAX: usize = 64;

/// What is surveyed. A worktree is in use as long as this lives.
struct Tree {
    root: PathBuf,
    scratchpad: Option<Scratchpad>,
}

/// Carries the run out.
pub(super) async fn survey_project(run: &Run<'_>) -> Result<End, End> {
    let tree = tree_of(run).await?;
    let folder = run.scratchpads.report_folder(run).await.map_err(|error| end_of(run, error))?;
    let history = history_of(run, &tree, &folder).await?;
    // A clock beyond what a calendar holds is no reason not to survey.
    let now = jiff::Timestamp::from_millisecond((run.options.clock)().ms()).unwrap_or_default();
    let stop = StopSwitch::default();
    let options = SurveyOptions { goal: goal_of(run), now, limits: Limits::default(), stop };
    let has_history = history.is_some();
    let mut surveyed = survey_beside(run, tree.root.clone(), history, options).await?;
    if has_history {
        date_marks(run, &tree, &folder, &mut surveyed).await?;
    }
    let (surveyed, paths) = written(surveyed, folder).await?;
    let summary = summary_of(&surveyed);
    run.log.say(format!("report: {}", paths.markdown.display())).await;
    run.log.say(&summary).await;
    let result = json!({
        "report": paths.markdown,
        "report_json": paths.json,
        "picture": paths.picture,
        "summary": summary,
        "goal_needs_model": surveyed.goal_needs_model,
    });
    match surveyed.goal_needs_model {
        Some(reason) if Some(reason) != goal_needs_model(NAMES_NOTHING) => {
            let message = format!(
                "the surveyor can't pursue the goal alone: {reason}; its report is made all the same"
            );
            let failure = Failure { result: Some(result), ..Failure::new(ErrorClass::Validation, message) };
            Ok(End::Failed(failure))
        }
        _ => Ok(End::Succeeded { result }),
    }
}

/// A folder on this machine is read where it is; anything else is fetched first.
async fn tree_of(run: &Run<'_>) -> Result<Tree, End> {
    let Some(repository) = run.assignment.repository.as_deref() else {
        let message = "the project has no repository to survey; set the project's repository";
        return Err(Failure::new(ErrorClass::Validation, message).into());
    };
    match Source::parse(repository) {
        Ok(Source::Local(root)) if root.is_dir() => {
            run.log.say(format!("surveys {} in place; it is only read", root.display())).await;
            Ok(Tree { root, scratchpad: None })
        }
        Ok(_) => {
            let scratchpad = run.scratchpads.prepare(run).await.map_err(|error| end_of(run, error))?;
            Ok(Tree { root: scratchpad.folder.clone(), scratchpad: Some(scratchpad) })
        }
        Err(error) => Err(end_of(run, error)),
    }
}

/// Reads the history; a folder without one is surveyed all the same. Git reads what others wrote, so it does so behind
/// the walls, where it may write nothing but the report's folder.
async fn history_of(run: &Run<'_>, tree: &Tree, report: &Path) -> Result<Option<GitHistory>, End> {
    let Some(folder) = tree.root.to_str() else { return Ok(None) };
    let git = git_of(run, tree, report);
    match git.capture(&[&["-C", folder], GIT_LOG_ARGS].concat(), HISTORY_MS, HISTORY_BYTES_MAX).await {
        Ok(captured) => Ok(Some(parse_git_log(&captured.stdout))),
        Err(GitError::Interrupted(interruption)) => Err(run.end_by(interruption)),
        Err(GitError::Refused(reason)) => Err(Failure::new(ErrorClass::Validation, reason).into()),
        Err(GitError::TimedOut) => {
            run.log.say("no history: git took too long").await;
            Ok(None)
        }
        Err(GitError::Failed(reason) | GitError::Ended(reason)) => {
            run.log.say(format!("no history: {reason}")).await;
            Ok(None)
        }
    }
}

/// Returns a git that reads the tree and its repository behind the walls.
fn git_of<'r>(run: &'r Run<'r>, tree: &Tree, report: &Path) -> Git<'r> {
    let mut read = vec![tree.root.clone()];
    read.extend(tree.scratchpad.iter().flat_map(|scratchpad| scratchpad.borrowed.clone()));
    read.extend(repository_of_worktree(&tree.root));
    run.scratchpads.git(run).behind_walls(report, read)
}

/// Looks up how old the marks of unfinished work are, the most urgent ones and for no longer than a while.
async fn date_marks(run: &Run<'_>, tree: &Tree, report: &Path, surveyed: &mut Survey) -> Result<(), End> {
    let Some(folder) = tree.root.to_str() else { return Ok(()) };
    let git = git_of(run, tree, report);
    let started = tokio::time::Instant::now();
    for (file, lines) in surveyed.lines_to_date(DATED_FILES_MAX, DATED_LINES_MAX) {
        if started.elapsed().as_millis() >= DATING_MS.unsigned_abs().into() {
            run.log.say("the age of some marks was not looked up: git took too long").await;
            break;
        }
        let ranges: Vec<String> = lines.iter().map(|line| format!("-L{line},{line}")).collect();
        let mut args = vec!["-C", folder, "blame", "--porcelain"];
        args.extend(ranges.iter().map(String::as_str));
        args.extend(["--", file.as_str()]);
        match git.capture(&args, DATING_MS, BLAME_BYTES_MAX).await {
            Ok(captured) => surveyed.date_marks(&file, &captured.stdout),
            Err(GitError::Interrupted(interruption)) => return Err(run.end_by(interruption)),
            // A file that git does not know has no age; neither has one that takes too long.
            Err(_) => {}
        }
    }
    Ok(())
}

async fn written(surveyed: Survey, folder: PathBuf) -> Result<(Survey, ReportPaths), End> {
    let failed = |message: String| End::from(Failure::new(ErrorClass::System, message));
    let work = tokio::task::spawn_blocking(move || {
        let paths = write_report(&surveyed, &folder)?;
        Ok::<_, SurveyError>((surveyed, paths))
    });
    match work.await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => Err(failed(with_cause(&error))),
        Err(error) => Err(failed(format!("writing the report failed: {error}"))),
    }
}

fn with_cause(error: &SurveyError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Returns the repository that a folder is a worktree of, if that repository says the same: what a file in the folder
/// claims alone would let anybody choose what is read.
fn repository_of_worktree(root: &Path) -> Option<PathBuf> {
    let text_of = |folder: &Path, name: &str| {
        let mut text = String::new();
        Beneath::open(folder).ok()?.file(name).ok()?.take(LINK_BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text.trim_end().to_owned())
    };
    let own = PathBuf::from(text_of(root, ".git")?.strip_prefix("gitdir: ")?).canonicalize().ok()?;
    let back = PathBuf::from(text_of(&own, "gitdir")?).canonicalize().ok()?;
    let worktrees = own.parent().filter(|folder| folder.ends_with("worktrees"))?;
    (back == root.canonicalize().ok()?.join(".git")).then(|| worktrees.parent().map(Path::to_owned))?
}

/// Surveys on a thread of its own, which is told when the run has to end; its end is waited for.
async fn survey_beside(
    run: &Run<'_>,
    root: PathBuf,
    history: Option<GitHistory>,
    options: SurveyOptions,
) -> Result<Survey, End> {
    let (sender, mut lines) = mpsc::channel::<String>(PROGRESS_MAX);
    let stop = options.stop.clone();
    let work = tokio::task::spawn_blocking(move || {
        // A log that is closed wants no more lines.
        let mut progress = |line: &str| drop(sender.blocking_send(line.to_owned()));
        survey(&root, history.as_ref(), &options, &mut progress)
    });
    let tell = async {
        while let Some(line) = lines.recv().await {
            run.log.say(line).await;
        }
    };
    let stop = async {
        run.interrupted().await;
        stop.stop();
        std::future::pending().await
    };
    let (done, ()) = tokio::select! {
        done = async { tokio::join!(work, tell) } => done,
        never = stop => never,
    };
    if let Some(interruption) = run.interruption() {
        return Err(run.end_by(interruption));
    }
    let failed = |message: String| End::from(Failure::new(ErrorClass::System, message));
    match done {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => Err(failed(with_cause(&error))),
        Err(error) => Err(failed(format!("the surveyor itself failed: {error}"))),
    }
}

fn goal_of(run: &Run<'_>) -> String {
    run.assignment.prompt.clone().unwrap_or_else(|| run.assignment.title.clone())
}

fn summary_of(survey: &Survey) -> String {
    let mut languages: Vec<_> =
        survey.languages.iter().filter(|row| row.kind == LanguageKind::Programming).collect();
    languages.sort_by_key(|row| std::cmp::Reverse(row.code_lines));
    let lines: usize = languages.iter().map(|row| row.code_lines).sum();
    let names: Vec<&str> = languages.iter().take(3).map(|row| row.name).collect();
    let names = if names.is_empty() { "no programming language".into() } else { names.join(", ") };
    format!(
        "{} files, {lines} lines of code in {names}; {} risky places, {} TODO marks, {} things to look at first",
        survey.coverage.files,
        survey.findings.len(),
        survey.marks_found,
        survey.priorities.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worktree_names_its_repository_only_where_that_names_the_worktree() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let (tree, own) = (place.join("tree"), place.join("main/.git/worktrees/tree"));
        std::fs::create_dir_all(&own).unwrap();
        std::fs::create_dir_all(&tree).unwrap();
        assert_eq!(repository_of_worktree(&tree), None);
        std::fs::write(tree.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
        std::fs::write(own.join("gitdir"), "/elsewhere/.git\n").unwrap();
        assert_eq!(repository_of_worktree(&tree), None);
        std::fs::write(own.join("gitdir"), format!("{}\n", tree.join(".git").display())).unwrap();
        assert_eq!(repository_of_worktree(&tree), Some(place.join("main/.git")));
    }
}
