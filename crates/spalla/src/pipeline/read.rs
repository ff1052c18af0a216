//! From the text of a task file to types that can't be wrong; what breaks a rule is refused with line and column.

use super::{Task, TaskFile};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The longest file, in bytes: more than any hand writes.
const FILE_BYTES_MAX: usize = 256 * 1024;
/// The most values in it, aliases unfolded.
const NODES_MAX: usize = 20_000;
/// The deepest nesting; a file needs four levels.
const DEPTH_MAX: usize = 16;
/// The longest time limit, in seconds: a week.
const TIMEOUT_SECONDS_MAX: f64 = 604_800.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    tasks: BTreeMap<String, Spanned<TaskText>>,
    #[serde(default)]
    pipelines: BTreeMap<String, Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskText {
    #[serde(default)]
    description: String,
    commands: Vec<Spanned<String>>,
    #[serde(default)]
    env: BTreeMap<String, Spanned<String>>,
    cwd: Option<Spanned<String>>,
    timeout: Option<Spanned<f64>>,
    #[serde(default)]
    service: bool,
    ready: Option<Spanned<String>>,
}

/// Reads a whole file; the error says what is wrong, and where.
pub(super) fn task_file(text: &str) -> Result<TaskFile, String> {
    if text.len() > FILE_BYTES_MAX {
        return Err(format!("the file has {} bytes, and at most {FILE_BYTES_MAX} are read", text.len()));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: NODES_MAX,
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_documents: 1,
        },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let file: FileText = serde_saphyr::from_str_with_options(text, options).map_err(|e| in_words(&e))?;
    let tasks: BTreeMap<_, _> = file
        .tasks
        .into_iter()
        .map(|(name, task)| Ok((name.clone(), checked(name, task)?)))
        .collect::<Result<_, String>>()?;
    let mut pipelines = BTreeMap::new();
    for (name, listed) in file.pipelines {
        if tasks.contains_key(&name) {
            return Err(at(&listed, format!("{name:?} is the name of a task already")));
        }
        if !is_name(&name) {
            return Err(at(&listed, not_a_name(&name)));
        }
        if listed.value.is_empty() {
            return Err(at(&listed, format!("the pipeline {name:?} has no tasks")));
        }
        if let Some(unknown) = listed.value.iter().find(|task| !tasks.contains_key(&task.value)) {
            let what =
                format!("the pipeline {name:?} names the task {:?}, which there is not", unknown.value);
            return Err(at(unknown, what));
        }
        pipelines.insert(name, listed.value.into_iter().map(|task| task.value).collect());
    }
    Ok(TaskFile { tasks, pipelines })
}

fn checked(name: String, spanned: Spanned<TaskText>) -> Result<Task, String> {
    let whole = Spanned::new((), spanned.referenced, spanned.defined);
    let task = spanned.value;
    if !is_name(&name) {
        return Err(at(&whole, not_a_name(&name)));
    }
    if task.commands.is_empty() {
        return Err(at(&whole, format!("the task {name:?} has no commands")));
    }
    let wrong = |text: &Spanned<String>| text.value.trim().is_empty() || text.value.contains('\0');
    if let Some(text) = task.commands.iter().find(|text| wrong(text)) {
        return Err(at(text, "a command is a line for the shell, and not empty"));
    }
    if let Some((variable, text)) =
        task.env.iter().find(|(name, text)| !is_variable(name) || text.value.contains('\0'))
    {
        return Err(at(text, format!("{variable:?} is no variable: letters, digits and _ make its name")));
    }
    if let Some(cwd) = task.cwd.as_ref().filter(|cwd| !is_inside(&cwd.value)) {
        let what = format!("cwd is {:?}; it has to be a path inside the file's own folder", cwd.value);
        return Err(at(cwd, what));
    }
    let fits = |seconds: f64| seconds > 0.0 && seconds <= TIMEOUT_SECONDS_MAX;
    if let Some(timeout) = task.timeout.as_ref().filter(|timeout| !fits(timeout.value)) {
        let what = format!(
            "timeout is {}; it is in seconds, above 0 and at most {TIMEOUT_SECONDS_MAX}",
            timeout.value
        );
        return Err(at(timeout, what));
    }
    if let Some(ready) = task.ready.as_ref().filter(|ready| !task.service || ready.value.is_empty()) {
        return Err(at(ready, "ready is how a line of a service begins: write `service: true` beside it"));
    }
    Ok(Task {
        name,
        description: task.description,
        commands: task.commands.into_iter().map(|text| text.value).collect(),
        env: task.env.into_iter().map(|(name, text)| (name, text.value)).collect(),
        cwd: task.cwd.map(|cwd| cwd.value),
        timeout_ms: task.timeout.map(|timeout| ((timeout.value * 1e3).round() as i64).max(1)),
        service: task.service,
        ready: task.ready.map(|ready| ready.value),
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn not_a_name(name: &str) -> String {
    format!(
        "{name:?} is no name: it begins with a letter or digit, and has letters, digits, `.`, `_` and `-`"
    )
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_inside(cwd: &str) -> bool {
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    !cwd.is_empty() && !cwd.contains('\0') && Path::new(cwd).components().all(stays)
}

fn at<T>(place: &Spanned<T>, what: impl std::fmt::Display) -> String {
    let (line, column) = (place.referenced.line(), place.referenced.column());
    format!("line {line}, column {column}: {what}")
}

fn in_words(error: &serde_saphyr::Error) -> String {
    let place = error.location().filter(|place| place.line() > 0);
    let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
    let text = error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let tail = format!(" at line {line}, column {column}");
    format!("line {line}, column {column}: {}", text.strip_suffix(&tail).unwrap_or(&text))
}
