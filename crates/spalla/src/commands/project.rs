//! `spalla project`: makes, lists, shows and archives projects.

use super::ServerArgs;
use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What can be done with projects.
#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// Makes a project
    Create(Create),
    /// Lists the projects that are in use, newest first
    List(List),
    /// Shows one project
    Show(One),
    /// Puts a project away; refused while runs of it are not over
    Archive(One),
}

/// A new project.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What people call it
    name: String,
    /// What it is about
    #[arg(long)]
    description: Option<String>,
    /// The repository: an absolute path or a git URL
    #[arg(long, value_name = "PATH|URL")]
    repository: Option<String>,
    /// Prints the project as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// A list of projects.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// One project.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The project's id
    id: i64,
    /// Prints the project as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Project {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::Create(args) => args.server.clone().talk(global, |client| async move {
                let body = json!({
                    "name": args.name, "description": args.description, "repository": args.repository,
                });
                let project = client.post("/projects/", &body).await?;
                if args.json {
                    return output::json(&project).map(|()| Exit::Done);
                }
                output::line(format_args!("project {} {}", cell(&project["id"]), cell(&project["name"])))?;
                Ok(Exit::Done)
            }),
            Self::List(args) => args.server.clone().talk(global, |client| async move {
                let projects = client.get(&format!("/projects/?limit={}", args.limit)).await?;
                if args.json {
                    return output::json(&projects).map(|()| Exit::Done);
                }
                output::rows(&projects, &["id", "name", "repository", "created_at"], "no projects yet")?;
                Ok(Exit::Done)
            }),
            Self::Show(args) => args.server.clone().talk(global, |client| async move {
                show(&client.get(&format!("/projects/{}", args.id)).await?, args.json)
            }),
            Self::Archive(args) => args.server.clone().talk(global, |client| async move {
                let path = format!("/projects/{}", args.id);
                client.delete(&path).await?;
                show(&client.get(&path).await?, args.json)
            }),
        }
    }
}

fn show(project: &Value, as_json: bool) -> Result<Exit> {
    if as_json { output::json(project) } else { output::members(project) }.map(|()| Exit::Done)
}
