//! From what a file says, and what its fleet is like, to a definition. Whatever nobody wrote is marked with its rule.

use crate::body;
use crate::definition::{Agent, Classification, Definition, Tools};
use crate::description::distinct;
use crate::id;
use crate::source::Source;
use crate::vocabulary;
use crate::words::{self, Counts};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Words of a folder that gathers agents of every field, and so is none.
const GATHERING: &[&str] = &[
    "agent",
    "agents",
    "subagents",
    "awesome",
    "categories",
    "category",
    "plugins",
    "plugin",
    "components",
    "claude",
    "cli-tool",
    "src",
    "packages",
    "templates",
];
/// Words of a name or description that speak for a wide tier.
const WIDE: &[&str] = &["generalist", "general-purpose", "fullstack", "full-stack", "all-round", "versatile"];
/// Words of a name that speak for one that leads others.
const LEADING: &[&str] = &["orchestrator", "coordinator", "conductor", "dispatcher"];
/// How many phrases of capabilities are derived.
const CORE_MAX: usize = 6;
/// The longest of them, in words.
const CORE_WORDS_MAX: usize = 5;

/// Makes the definition of a source under an id; `id_rule` says where the id came from, and `telling` are the words that tell it
/// from its fleet.
pub(crate) fn definition(source: &Source, id: &str, id_rule: &str, telling: Vec<String>) -> Definition {
    let agent = Agent {
        id: id.to_owned(),
        name: source.name.clone(),
        instance_alias: None,
        classification: Classification { domain: String::new(), subdomain: None, tier: String::new() },
        description: source.shape.short.clone(),
        long_description: source.shape.long.clone(),
    };
    let mut made = Made { source, definition: Definition::new(agent), named: named(source) };
    made.mark("agent.id", id_rule);
    made.mark("agent.name", source.name_rule);
    made.mark("agent.description", source.description_rule);
    made.classify();
    made.sections();
    made.tools();
    made.languages();
    made.duties();
    made.keywords(telling);
    made.keep();
    made.definition
}

struct Made<'a> {
    source: &'a Source,
    definition: Definition,
    /// The words of name and description alone.
    named: Counts,
}

fn named(source: &Source) -> Counts {
    let mut counts = Counts::new();
    words::add(&mut counts, &source.name.replace(['-', '_'], " "), 1);
    words::add(&mut counts, &source.name, 1);
    words::add(&mut counts, &source.shape.short, 1);
    counts
}

impl Made<'_> {
    fn mark(&mut self, field: &str, rule: &str) {
        if rule != "said" {
            self.definition.provenance.insert(field.to_owned(), rule.to_owned());
        }
    }

    fn classify(&mut self) {
        let (mut domain, mut subdomain) = folders(&self.source.path);
        let mut rule = "folder";
        if domain.is_none() {
            let known = vocabulary::domain(&self.named).or_else(|| vocabulary::domain(&self.source.counts));
            rule = if known.is_some() { "vocabulary" } else { "default" };
            domain = Some(known.unwrap_or("general").to_owned());
        }
        let said = &self.source.said;
        let mut subdomain_rule = "folder";
        if said.domain.is_some() {
            (domain, rule) = (said.domain.clone(), "said");
            (subdomain, subdomain_rule) = (said.subdomain.clone(), "said");
        } else if said.subdomain.is_some() {
            (subdomain, subdomain_rule) = (said.subdomain.clone(), "said");
        }
        let (tier, tier_rule) = match &said.tier {
            Some(tier) => (tier.clone(), "said"),
            None => self.tier(),
        };
        if subdomain.is_some() {
            self.mark("agent.classification.subdomain", subdomain_rule);
        }
        self.mark("agent.classification.domain", rule);
        self.mark("agent.classification.tier", tier_rule);
        let domain = domain.unwrap_or_default();
        self.definition.agent.classification = Classification { domain, subdomain, tier };
    }

    fn tier(&self) -> (String, &'static str) {
        let mut name = Counts::new();
        words::add(&mut name, &self.source.name.replace(['-', '_'], " "), 1);
        words::add(&mut name, &self.source.name, 1);
        let has = |counts: &Counts, words: &[&str]| words.iter().any(|word| counts.contains_key(*word));
        match () {
            () if has(&name, LEADING) => ("orchestrator".into(), "name"),
            () if has(&name, WIDE) => ("generalist".into(), "name"),
            () if has(&self.named, WIDE) => ("generalist".into(), "description"),
            () => ("specialist".into(), "default"),
        }
    }

    /// Takes over what was said in the format of a definition.
    fn sections(&mut self) {
        let sections = self.source.said.sections.clone();
        let definition = &mut self.definition;
        for (name, value) in sections {
            match name.as_str() {
                "runtime" => take(&mut definition.runtime, value),
                "capabilities" => take(&mut definition.capabilities, value),
                "responsibilities" => take(&mut definition.responsibilities, value),
                "triggers" => take(&mut definition.triggers, value),
                "workflow" => take(&mut definition.workflow, value),
                "memory" => take(&mut definition.memory, value),
                "metrics" => take(&mut definition.metrics, value),
                "hooks" => take(&mut definition.hooks, value),
                "testing" => take(&mut definition.testing, value),
                "observability" => take(&mut definition.observability, value),
                _ => {}
            }
        }
    }

    fn tools(&mut self) {
        if self.source.said.tools.is_none() && self.definition.capabilities.detail.tools.allowed.is_empty() {
            self.mark("capabilities.detail.tools.allowed", "nothing said: all");
        }
        self.definition.capabilities.detail.tools = tools(self.source);
    }

    fn languages(&mut self) {
        let text = format!("{}\n{}", self.source.name, self.source.shape.short);
        let languages = vocabulary::languages(&self.named, &text);
        let frameworks = vocabulary::frameworks(&self.named, &text);
        let detail = &mut self.definition.capabilities.detail;
        let mut marks = Vec::new();
        if detail.languages.is_empty() && !languages.names.is_empty() {
            detail.languages = languages.names;
            marks.push(("capabilities.detail.languages", "named in the description"));
        }
        if detail.frameworks.is_empty() && !frameworks.names.is_empty() {
            detail.frameworks = frameworks.names;
            marks.push(("capabilities.detail.frameworks", "named in the description"));
        }
        let triggers = &mut self.definition.triggers;
        if triggers.file_patterns.is_empty() {
            triggers.file_patterns = languages.patterns;
            triggers.file_patterns.extend(frameworks.patterns);
            distinct(&mut triggers.file_patterns);
            if !triggers.file_patterns.is_empty() {
                marks.push(("triggers.file_patterns", "languages and frameworks"));
            }
        }
        for (field, rule) in marks {
            self.mark(field, rule);
        }
    }

    fn duties(&mut self) {
        let mut marks = Vec::new();
        let primary = &mut self.definition.responsibilities.primary;
        if primary.is_empty() {
            *primary = body::duties(&self.source.body);
            if !primary.is_empty() {
                marks.push(("responsibilities.primary", "list in the prompt"));
            }
        }
        let core = &mut self.definition.capabilities.core;
        if core.is_empty() {
            let short = |duty: &&String| duty.split_whitespace().count() <= CORE_WORDS_MAX;
            *core = primary.iter().filter(short).filter_map(|duty| id::folder(duty)).take(CORE_MAX).collect();
            distinct(core);
            if core.is_empty() {
                core.push(self.definition.agent.id.clone());
            }
            marks.push(("capabilities.core", "responsibilities"));
        }
        for (field, rule) in marks {
            self.mark(field, rule);
        }
    }

    fn keywords(&mut self, telling: Vec<String>) {
        let shape = &self.source.shape;
        let triggers = &mut self.definition.triggers;
        for keyword in &mut triggers.keywords {
            *keyword = keyword.trim().to_lowercase();
        }
        triggers.keywords.retain(|keyword| !keyword.is_empty());
        let is_said = !triggers.keywords.is_empty();
        triggers.keywords.extend(shape.uses.iter().cloned());
        triggers.avoid.extend(shape.avoid.iter().cloned());
        triggers.delegations.prefers.extend(shape.invokes.iter().cloned());
        let mut rules = Vec::new();
        if !shape.uses.is_empty() {
            rules.push("lines of the description");
        }
        if !is_said {
            triggers.keywords.extend(telling);
            rules.push("name, vocabulary, tf-idf");
        }
        distinct(&mut triggers.keywords);
        distinct(&mut triggers.avoid);
        distinct(&mut triggers.delegations.prefers);
        self.mark(
            "triggers.keywords",
            if rules.is_empty() { "said".into() } else { rules.join(", ") }.as_str(),
        );
        if !shape.avoid.is_empty() {
            self.mark("triggers.avoid", "lines of the description");
        }
        if !shape.invokes.is_empty() {
            self.mark("triggers.delegations.prefers", "lines of the description");
        }
    }

    /// Keeps what has no other place.
    fn keep(&mut self) {
        let Source { path, digest, head, said, .. } = self.source;
        let keys = |map: &std::collections::BTreeMap<String, Value>| json!(map);
        let mut source = Map::new();
        source.insert("digest".into(), json!(digest));
        if !said.earlier.is_empty() {
            source.insert("earlier".into(), keys(&said.earlier));
        }
        source.insert("head".into(), json!(head));
        if !said.kept.is_empty() {
            source.insert("keys".into(), keys(&said.kept));
        }
        source.insert("path".into(), json!(path));
        if !said.stray.is_empty() {
            source.insert("stray".into(), json!(said.stray));
        }
        self.definition.extra.extend(said.extra.clone());
        self.definition.extra.insert("x-source".into(), Value::Object(source));
    }
}

/// Returns the tools that a source speaks of. Who names none has all of them, as in Claude Code.
pub(crate) fn tools(source: &Source) -> Tools {
    let said = &source.said;
    let mut tools = Tools::default();
    if let Some(section) = said.sections.get("capabilities").and_then(|value| value.pointer("/detail/tools"))
    {
        take(&mut tools, section.clone());
    }
    tools.allowed.extend(said.tools.iter().flatten().cloned());
    tools.restricted.extend(said.restricted.iter().cloned());
    if said.tools.is_none() && tools.allowed.is_empty() {
        tools.allowed.push("*".to_owned());
    }
    distinct(&mut tools.allowed);
    distinct(&mut tools.restricted);
    tools
}

fn take<T: DeserializeOwned>(section: &mut T, value: Value) {
    // It fits the schema already, which is made from this type.
    if let Ok(said) = serde_json::from_value(value) {
        *section = said;
    }
}

/// Returns the field of work and its part as the folders name them; those that only gather agents name none.
fn folders(path: &str) -> (Option<String>, Option<String>) {
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    let gathers = |name: &String| {
        GATHERING.contains(&name.as_str())
            || name.split(['-', '_']).any(|word| ["agents", "subagents"].contains(&word))
    };
    let mut named = folders.into_iter().filter_map(id::folder).filter(|name| !gathers(name));
    (named.next(), named.next())
}

#[cfg(test)]
mod tests {
    use super::folders;

    #[test]
    fn folders_that_only_gather_agents_name_no_field() {
        for (path, domain, subdomain) in [
            ("a.md", None, None),
            ("01-core-development/a.md", Some("core-development"), None),
            ("game-development/godot/a.md", Some("game-development"), Some("godot")),
            ("awesome-subagents/categories/02-data/a.md", Some("data"), None),
            ("plugins/backend/agents/a.md", Some("backend"), None),
            ("a/b/c/d.md", Some("a"), Some("b")),
        ] {
            assert_eq!(folders(path), (domain.map(Into::into), subdomain.map(Into::into)), "{path}");
        }
    }
}
