//! `spalla agents list`: the definitions that are known, and the agents' command lines with what of them is on this machine.

use super::asked::Program;
use crate::adapters::{has_login, library};
use crate::cli::Global;
use crate::commands::block_on_all_cores;
use crate::definitions::PublishedArgs;
use crate::exit::Exit;
use crate::failure::Result;
use crate::{output, programs};
use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;
use spalla_adapter::library::{Entry, Library};
use spalla_adapter::listen::Format;
use spalla_domain::adapter::Adapter;
use spalla_registry::built_in;
use spalla_registry::index;
use std::collections::BTreeMap;

/// Lists the definitions that are known, and the agents' command lines with what of them is on this machine.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    published: PublishedArgs,
    /// Prints them as JSON
    #[arg(long)]
    json: bool,
}

/// One definition as it is listed.
#[derive(Debug, Serialize)]
struct Defined {
    kind: &'static str,
    name: String,
    title: String,
    domain: String,
    subdomain: Option<String>,
    tier: String,
    /// The folder that it is published in; none where it comes with the program.
    source: Option<String>,
}

/// One command line as it is listed.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    name: String,
    title: String,
    /// The program that is called; none where each work item names it.
    program: Option<String>,
    /// The program's file; none where it is not installed.
    file: Option<String>,
    version: Option<String>,
    /// Whether a login was found; none where the adapter says nothing of logins.
    login: Option<bool>,
    output: Format,
    /// The adapter's file; none where it is built in.
    source: Option<String>,
}

impl List {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "error")?;
        let (library, wishes) = (library(&config.settings)?, config.settings.wishes());
        let rows = block_on_all_cores(async { Ok(rows(&library, &wishes).await) })?;
        let defined = self.defined()?;
        if self.json {
            output::json(
                &rows.iter().map(Listed::Line).chain(defined.iter().map(Listed::Defined)).collect::<Vec<_>>(),
            )?;
        } else {
            let headings = ["agent", "name", "domain", "tier", "source"];
            output::table(&headings, defined.iter().map(Defined::cells).collect())?;
            output::line("")?;
            let headings = ["name", "title", "program", "version", "login", "output", "source"];
            output::table(&headings, rows.iter().map(Row::cells).collect())?;
        }
        for broken in library.broken() {
            let why = format!("the adapter {} is not used: {}", broken.file, broken.why);
            anstream::eprintln!("{} {}", output::notable("note:"), output::plain(&why));
        }
        Ok(Exit::Done)
    }
}

/// Command lines and definitions stand in one list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Listed<'a> {
    Line(&'a Row),
    Defined(&'a Defined),
}

impl List {
    /// Returns the definitions: those that are published, and those that come with the program and are not replaced.
    fn defined(&self) -> Result<Vec<Defined>> {
        let registry = self.published.open()?;
        let snapshot = registry.snapshot();
        let folder = self.published.agents.display().to_string();
        let of = |entry: &index::Entry, source| Defined {
            kind: "definition",
            name: entry.id.clone(),
            title: entry.name.clone(),
            domain: entry.domain.clone(),
            subdomain: entry.subdomain.clone(),
            tier: entry.tier.clone(),
            source,
        };
        let published = snapshot.index().agents.iter().map(|entry| of(entry, Some(folder.clone())));
        let ours = built_in::all().iter().map(|agent| index::Entry::of(&agent.loaded.definition));
        let ours = ours.filter(|entry| snapshot.entry(&entry.id).is_none()).map(|entry| of(&entry, None));
        Ok(published.chain(ours).collect())
    }
}

impl Defined {
    fn cells(&self) -> Vec<String> {
        let domain = match &self.subdomain {
            Some(subdomain) => format!("{}/{subdomain}", self.domain),
            None => self.domain.clone(),
        };
        let source = self.source.as_deref().unwrap_or("built in");
        [self.name.as_str(), &self.title, &domain, &self.tier, source].map(output::plain).into()
    }
}

/// Asks all programs at once: some are slow to start.
async fn rows(library: &Library, wishes: &BTreeMap<String, Adapter>) -> Vec<Row> {
    let environment: BTreeMap<String, String> = programs::variables().collect();
    join_all(library.entries().iter().map(|entry| row(entry, wishes, &environment))).await
}

async fn row(
    Entry { definition, file: source }: &Entry,
    wishes: &BTreeMap<String, Adapter>,
    environment: &BTreeMap<String, String>,
) -> Row {
    let command = wishes.get(&definition.name).map(|said| said.command.as_slice()).unwrap_or_default();
    let program = Program::find(definition, command);
    let version = match &program {
        Some(program) => program.version(definition).await,
        None => None,
    };
    let named = command.first().unwrap_or(&definition.program);
    let has_logins = !definition.login.variables.is_empty() || !definition.login.files.is_empty();
    Row {
        kind: "command-line",
        name: definition.name.clone(),
        title: definition.title.clone(),
        program: Some(named.clone()).filter(|named| !named.is_empty()),
        file: program.map(|program| program.file.display().to_string()),
        version,
        login: has_logins.then(|| has_login(definition, environment)),
        output: definition.output,
        source: source.clone(),
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let version = match (&self.version, &self.file, &self.program) {
            (Some(version), ..) => version.as_str(),
            (None, Some(_), _) => "unknown",
            (None, None, Some(_)) => "not installed",
            (None, None, None) => "",
        };
        let login = self.login.map_or("", |found| if found { "found" } else { "none" });
        let format = serde_json::to_value(self.output).unwrap_or_default();
        let source = self.source.as_deref().unwrap_or("built in");
        let cells = [
            self.name.as_str(),
            &self.title,
            self.program.as_deref().unwrap_or("adapter.command"),
            version,
            login,
            format.as_str().unwrap_or_default(),
            source,
        ];
        cells.map(output::plain).into()
    }
}
