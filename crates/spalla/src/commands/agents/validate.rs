//! `spalla agents validate`: whether what is published can be served.

use crate::cli::Global;
use crate::definitions::{PublishedArgs, Smoke};
use crate::exit::Exit;
use crate::failure::Result;
use crate::{output, telemetry};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use spalla_registry::built_in;
use spalla_registry::index;
use spalla_registry::problem::{Problem, Severity};
use spalla_registry::read::Loaded;
use spalla_registry::registry::{Missing, Registry};
use std::sync::Arc;

/// Looks at every published definition by the schema, and whether index and triggers say the same as they do.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The ids of some agents; none is all of them
    ids: Vec<String>,
    #[command(flatten)]
    published: PublishedArgs,
    /// Runs their smoke and integration tests too, in the sandbox
    #[arg(long)]
    full: bool,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    agents: usize,
    tested: usize,
    problems: Vec<Problem>,
}

impl Validate {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        telemetry::start(global.plain_telemetry("error"))?;
        let registry = self.published.open()?;
        let report = self.report(&registry)?;
        let is_good = !report.problems.iter().any(|problem| problem.severity == Severity::Error);
        if self.json {
            output::json(&json!({ "ok": is_good, "agents": report.agents, "tested": report.tested,
                "problems": report.problems }))?;
        } else {
            for problem in &report.problems {
                let is_error = problem.severity == Severity::Error;
                let word = if is_error {
                    output::bad("error:").to_string()
                } else {
                    output::notable("warning:").to_string()
                };
                anstream::eprintln!("{word} {}", output::plain(&problem.to_string()));
            }
            let found = if is_good { "nothing is wrong" } else { "something is wrong" };
            output::line(format!("{} definitions, {} tests: {found}", report.agents, report.tested))?;
        }
        Ok(if is_good { Exit::Done } else { Exit::Failed })
    }

    fn report(&self, registry: &Registry) -> Result<Report> {
        let mut report = Report::default();
        let mut definitions = Vec::new();
        for id in self.wanted(registry) {
            match registry.definition(&id) {
                Ok(loaded) => definitions.push(loaded),
                Err(missing) => report.problems.push(problem(&id, &missing)),
            }
        }
        report.agents = definitions.len();
        let told = definitions.iter().flat_map(|loaded| loaded.problems.iter().cloned());
        report.problems.extend(told.collect::<Vec<_>>());
        if self.ids.is_empty() {
            report.problems.extend(triggers(registry, &definitions));
        }
        if self.full {
            let smoke = Smoke::here()?;
            for loaded in &definitions {
                test(loaded, &smoke, &mut report);
            }
        }
        Ok(report)
    }

    fn wanted(&self, registry: &Registry) -> Vec<String> {
        if !self.ids.is_empty() {
            return self.ids.clone();
        }
        let snapshot = registry.snapshot();
        let published = snapshot.index().agents.iter().map(|entry| entry.id.clone());
        let ours = built_in::all().iter().map(|agent| agent.loaded.definition.agent.id.clone());
        let ours = ours.filter(|id| snapshot.entry(id).is_none());
        published.chain(ours).collect()
    }
}

fn problem(id: &str, missing: &Missing) -> Problem {
    Problem::new(id, Severity::Error, "definition", missing.to_string()).mend("convert its source again")
}

/// Holds the triggers that are published against those of the definitions.
fn triggers(registry: &Registry, definitions: &[Arc<Loaded>]) -> Option<Problem> {
    let snapshot = registry.snapshot();
    let is_published = |loaded: &&Arc<Loaded>| snapshot.entry(&loaded.definition.agent.id).is_some();
    let published = definitions.iter().filter(is_published).map(|loaded| &loaded.definition);
    let wanted = index::triggers(published);
    let wrong = |message: String| {
        Some(
            Problem::new(index::TRIGGERS, Severity::Error, "triggers", message)
                .mend("publish with `spalla convert`"),
        )
    };
    match snapshot.triggers() {
        Ok(found) if found == wanted || snapshot.index().agents.is_empty() => None,
        Ok(_) => wrong("it does not say what the definitions say".into()),
        Err(error) => wrong(format!("it can't be read: {error}")),
    }
}

fn test(loaded: &Loaded, smoke: &Smoke, report: &mut Report) {
    let definition = &loaded.definition;
    let testing = &definition.testing;
    for (name, command) in [("smoke", &testing.smoke), ("integration", &testing.integration)] {
        let Some(command) = command else { continue };
        report.tested += 1;
        if let Err(why) = smoke.run(definition, command) {
            let message = format!("its {name} test failed: {why}");
            let problem = Problem::new(&definition.agent.id, Severity::Error, "test", message);
            report.problems.push(problem.mend(format!("mend what testing.{name} tries")));
        }
    }
}
