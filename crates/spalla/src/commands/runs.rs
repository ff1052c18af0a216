//! `spalla runs`: lists, shows and stops runs.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::{Client, query};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::saved::Saved;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// Lists runs, newest first
    List(List),
    /// Shows one run
    Show(One),
    /// Stops a run, and its work item with it
    Cancel(One),
    /// Lists the files that a run left, newest first
    Artifacts(Artifacts),
    /// Prints a file that a run left, or saves it
    Artifact(Artifact),
}

/// Which runs are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this work item
    #[arg(long, value_name = "ID", conflicts_with_all = ["project", "status", "agent"])]
    item: Option<i64>,
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<i64>,
    /// Only in this state, such as running or failed
    #[arg(long)]
    status: Option<String>,
    /// Only of this agent
    #[arg(long)]
    agent: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// One run.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The run's id
    id: i64,
    /// Prints the run as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Whose files are listed.
#[derive(Debug, Args)]
pub(crate) struct Artifacts {
    /// The run's id
    id: i64,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// One file.
#[derive(Debug, Args)]
pub(crate) struct Artifact {
    /// The run's id
    id: i64,
    /// Its path, as the list shows it
    path: String,
    /// Saves it there instead of printing it, `-` prints it; what was there goes once all of it has come
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Artifact {
    async fn fetch(&self, client: &Client) -> Result<()> {
        let mut url = reqwest::Url::parse("http://path/")
            .map_err(|error| Failure::failed(format!("writing a path: {error}")))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            let id = self.id.to_string();
            segments.pop_if_empty().extend(["work-items", "runs", &id, "artifacts"]);
            segments.extend(self.path.split('/'));
        }
        match self.output.as_deref().filter(|file| *file != Path::new("-")) {
            None => client.download(url.path(), output::bytes).await,
            Some(file) => {
                let mut saved = Saved::begin(file)?;
                client.download(url.path(), |piece| saved.write(piece)).await?;
                saved.finish()
            }
        }
    }
}

/// Puts what is attested of a run's walls into lines.
fn with_walls(mut run: Value) -> Value {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    if let Some(sandbox) = run.get_mut("sandbox").filter(|sandbox| sandbox.is_object()) {
        let mut lines = vec![format!("{}, policy {}", text(sandbox, "preset"), text(sandbox, "policy_hash"))];
        for (name, value) in sandbox["policy"].as_object().into_iter().flatten() {
            lines.push(format!("policy {name:<14} {value}"));
        }
        for (name, held) in sandbox["limits"].as_object().into_iter().flatten() {
            lines.push(format!("limit {name:<15} {} ({})", held["value"], text(held, "source")));
        }
        for layer in output::elements(&sandbox["layers"]) {
            let [name, state, detail] = ["layer", "state", "detail"].map(|member| text(layer, member));
            lines.push(format!("{name:<11} {state:<11} {detail}"));
        }
        for other in output::elements(&sandbox["others"]) {
            lines.push(format!("also {}, policy {}", text(other, "preset"), text(other, "policy_hash")));
        }
        let refused = output::elements(&sandbox["refused_hosts"]).iter().filter_map(Value::as_str);
        lines.extend(refused.map(|host| format!("refused {host}")));
        *sandbox = lines.join("\n").into();
    }
    run
}

impl Runs {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.server.clone().talk(global, |client| async move {
                let filter = query(&[
                    ("project_id", args.project.map(|id| id.to_string())),
                    ("status", args.status),
                    ("agent", args.agent),
                    ("limit", Some(args.limit.to_string())),
                ]);
                let path = match args.item {
                    Some(item) => format!("/work-items/{item}/runs{filter}"),
                    None => format!("/work-items/runs{filter}"),
                };
                let runs = client.get(&path).await?;
                if args.json {
                    return output::json(&runs).map(|()| Exit::Done);
                }
                let columns =
                    ["id", "work_item_id", "status", "attempt", "worker_id", "duration_ms", "title"];
                output::rows(&runs, &columns, "no runs")?;
                Ok(Exit::Done)
            }),
            Self::Show(args) => args.server.clone().talk(global, |client| async move {
                let run = client.get(&format!("/work-items/runs/{}", args.id)).await?;
                if args.json { output::json(&run) } else { output::members(&with_walls(run)) }?;
                Ok(Exit::Done)
            }),
            Self::Artifacts(args) => args.server.clone().talk(global, |client| async move {
                let limit = query(&[("limit", Some(args.limit.to_string()))]);
                let list = client.get(&format!("/work-items/runs/{}/artifacts{limit}", args.id)).await?;
                if args.json {
                    return output::json(&list).map(|()| Exit::Done);
                }
                let columns = ["bytes", "sha256", "stored_at", "media_type", "path"];
                output::rows(&list, &columns, "no artifacts")?;
                Ok(Exit::Done)
            }),
            Self::Artifact(args) => args
                .server
                .clone()
                .talk(global, |client| async move { args.fetch(&client).await.map(|()| Exit::Done) }),
            Self::Cancel(args) => args.server.clone().talk(global, |client| async move {
                let answer = client.post(&format!("/work-items/runs/{}/cancel", args.id), &json!({})).await?;
                if args.json {
                    return output::json(&answer).map(|()| Exit::Done);
                }
                output::line(format_args!("run {} is cancelled", args.id))?;
                Ok(Exit::Done)
            }),
        }
    }
}
