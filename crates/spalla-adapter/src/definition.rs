//! An adapter: all that is known of an agent's command line, as data. Files of this shape are built in, and a person adds
//! others.

use crate::listen::Format;
use crate::place::{self, Place};
use crate::recovery::rules::Rule;
use crate::trouble::{Cause, Patterns};
use crate::way::Fallback;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The largest file of an adapter, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// All that is known of an agent's command line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// By which work items name it.
    pub name: String,
    /// Whether it takes the place of a built-in adapter of its name.
    #[serde(default)]
    pub replaces: bool,
    /// What people read.
    pub title: String,
    /// The program: a name to look for, or a path; empty where each work item names it.
    pub program: String,
    /// The name of its strongest model, where it has one for that; none is said where names change with each release.
    #[serde(default)]
    pub strongest: Option<String>,
    /// How it is installed, in words.
    pub install: String,
    /// The arguments with which it says its version.
    #[serde(default)]
    pub version: Vec<String>,
    /// The arguments with which it tells its flags, each list for one call.
    #[serde(default)]
    pub help: Vec<Vec<String>>,
    /// What it prints.
    pub output: Format,
    /// How it takes the prompt.
    pub prompt: PromptBy,
    /// The flag without which it can't be called like this, but as `fallback` says.
    #[serde(default)]
    pub needs: Option<String>,
    /// How it is called where it can't be called like this.
    #[serde(default)]
    pub fallback: Option<Fallback>,
    /// Which flags versions have, where their help can't be read.
    #[serde(default)]
    pub known: Vec<KnownFlags>,
    /// How it is called.
    #[serde(default)]
    pub command: CommandTemplate,
    /// What of the environment it gets.
    #[serde(default)]
    pub environment: Environment,
    /// Its own configuration.
    #[serde(default)]
    pub home: Home,
    /// Where its model is.
    #[serde(default)]
    pub network: Network,
    /// What its exit codes mean, where its words say nothing.
    #[serde(default)]
    pub exits: Vec<Exit>,
    /// What its words mean when something goes wrong; the first that matches counts.
    #[serde(default)]
    pub trouble: Patterns,
    /// How it is logged in.
    #[serde(default)]
    pub login: Login,
    /// What is done about causes, where it is not what is done for all.
    #[serde(default)]
    pub recovery: Vec<Rule>,
}

/// How a command line takes its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptBy {
    /// On its standard input, where no length is too long.
    Stdin,
    /// As its last argument.
    Argument,
    /// In a conversation, which goes both ways while it works.
    Dialogue,
}

/// The flags that every version from one on has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFlags {
    /// The first version.
    pub since: String,
    /// The flags.
    pub flags: Vec<String>,
}

/// How a command line is put together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandTemplate {
    /// What comes first, whatever is wished.
    pub first: Vec<String>,
    /// What comes next, in this order, each where it applies.
    pub parts: Vec<Part>,
    /// What comes last, before a prompt that is an argument.
    pub last: Vec<String>,
}

/// Arguments that are there where something is wished, and where the program has the flag.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The wish; always where none is named.
    #[serde(default)]
    pub when: Option<WishName>,
    /// A wish with which they are left out.
    #[serde(default)]
    pub unless: Option<WishName>,
    /// The flag that the program has to have.
    #[serde(default)]
    pub flag: Option<String>,
    /// The arguments; `{model}` and the like stand for what is wished.
    pub args: Vec<String>,
}

/// What may be wished of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishName {
    /// It asks nobody before it acts, since the walls are Spalla's.
    Bypass,
    /// It asks before it uses a tool, and is answered by the list of its tools.
    Listed,
    /// Its own guards stay on.
    Guarded,
    /// It changes nothing.
    ReadOnly,
    /// A model.
    Model,
    /// A profile of its configuration.
    Profile,
    /// It may search the web.
    WebSearch,
    /// It may not.
    NoWebSearch,
    /// A folder beside the one it works in; once for each.
    Folder,
    /// A tool that it may use without asking; once for each.
    Tool,
    /// The tools of its own that it has, all in one.
    ToolList,
    /// A tool that it may not use; once for each.
    NoTool,
    /// An answer of a shape.
    Schema,
    /// Servers of tools.
    Mcp,
    /// A conversation that goes on.
    Resume,
}

/// What of the environment a command line gets; nothing else comes to it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Variables whose names begin like this.
    pub prefixes: Vec<String>,
    /// Variables of these names.
    pub names: Vec<String>,
    /// Files of its configuration that name further variables.
    pub named_in: Vec<KeysOfFile>,
    /// Variables with these values, unless the environment says otherwise.
    pub set: BTreeMap<String, String>,
}

/// Keys of a file of its configuration, wherever in the file they stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysOfFile {
    /// The file, from its home.
    pub file: String,
    /// The keys.
    pub keys: Vec<String>,
}

/// A command line's own configuration, which is copied into the run's private home.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Home {
    /// The variable that says where it is.
    pub variable: Option<String>,
    /// Whether the variable says where the home is, and not the folder in it.
    pub is_parent: bool,
    /// Where it is in a person's home.
    pub folder: String,
    /// The files that matter; `*` stands for anything within one name.
    pub files: Vec<String>,
    /// Where its files name the addresses of models.
    pub base_urls: Vec<KeysOfFile>,
    /// Where its files name servers of tools, where it takes no other file for them.
    pub tool_servers: Option<ToolServers>,
}

/// Where a configuration names servers of tools.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolServers {
    /// The file, from its home.
    pub file: String,
    /// The key under which each server has a table under its name.
    pub key: String,
    /// What such a table says besides the command, its arguments and its variables.
    #[serde(default)]
    pub entry: toml::Table,
    /// Whether its program remembers what it read there, so that the token of a run stands in a file of its own.
    #[serde(default)]
    pub is_remembered: bool,
}

/// What an exit code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// The code.
    pub code: i32,
    /// What it means.
    pub cause: Cause,
}

/// How a command line is logged in, for the person who is asked to do it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// The command that does it.
    pub command: Option<String>,
    /// The variables that a key may stand in instead.
    pub variables: Vec<String>,
    /// Files in the folder of its configuration in which a login stands.
    pub files: Vec<String>,
}

/// Where the models of a command line are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Their hosts.
    pub hosts: Vec<String>,
    /// The variables that name another address.
    pub base_urls: Vec<String>,
}

/// Why a file is no adapter.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is too large.
    #[error("it has {0} bytes; at most {FILE_BYTES_MAX} are read")]
    TooLarge(usize),
    /// It can't be read, is not of the shape, or says something that can't be.
    #[error("line {line}{}: {what}", after_comma(.key.as_deref()))]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// The key, with those of the tables around it.
        key: Option<String>,
        /// What is wrong with it.
        what: String,
    },
}

fn after_comma(key: Option<&str>) -> String {
    key.map(|key| format!(", {key}")).unwrap_or_default()
}

impl Error {
    fn at(place: Place, what: impl Into<String>) -> Self {
        Self::Line { line: place.line, key: place.key, what: what.into() }
    }

    /// What TOML's reader says may have several lines, and draws the file.
    fn of_shape(text: &str, error: &toml::de::Error) -> Self {
        let what = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        let place = place::of_byte(text, error.span().map_or(0, |span| span.start));
        // What is missing stands nowhere, and is named by the words.
        let key = place.key.filter(|_| !what.starts_with("missing field"));
        Self::at(Place { key, ..place }, what)
    }
}

impl Definition {
    /// Tells whether there is any way to wish this of a call.
    pub fn takes(&self, wish: WishName) -> bool {
        self.command.parts.iter().any(|part| part.when == Some(wish))
    }

    /// Reads an adapter.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > FILE_BYTES_MAX {
            return Err(Error::TooLarge(text.len()));
        }
        let definition = Self::read(text)?;
        definition.trouble.check().map_err(|what| Error::at(place::of_key(text, "trouble"), what))?;
        Ok(definition)
    }

    /// Reads a definition, but leaves open whether its expressions can be compiled.
    fn read(text: &str) -> Result<Self, Error> {
        let definition: Self = toml::from_str(text).map_err(|error| Error::of_shape(text, &error))?;
        if let Some(place) = place::of_nul(text) {
            return Err(Error::at(place, "it has a NUL, which no program can be given"));
        }
        definition.check().map_err(|(key, what)| Error::at(place::of_key(text, key), what))?;
        Ok(definition)
    }

    /// Refuses what can't be, by its key.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name = &self.name;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_letter) {
            return Err((
                "name",
                format!("{name:?} is no name: small letters, digits and hyphens make one, at most 64"),
            ));
        }
        if self.title.trim().is_empty() {
            return Err(("title", "it is empty; people read it".into()));
        }
        let folder = &self.home.folder;
        if folder.split('/').any(|part| part == "..") || folder.starts_with('/') {
            return Err(("home.folder", format!("{folder:?} leads out of the home")));
        }
        let tools = self.home.tool_servers.iter().map(|servers| &servers.file);
        let mut files = self.home.files.iter().chain(tools);
        if let Some(file) = files.find(|file| file.contains('/') || file.as_str() == "..") {
            return Err(("home.files", format!("{file:?} is no name of a file in its folder")));
        }
        self.check_ways()?;
        self.environment.check()
    }
}

impl Environment {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.prefixes.iter().any(|prefix| prefix.trim().is_empty()) {
            return Err(("environment.prefixes", "an empty one would hand on every variable".into()));
        }
        match self.set.keys().find(|name| name.is_empty() || name.contains('=')) {
            Some(name) => Err(("environment.set", format!("{name:?} is no name of a variable"))),
            None => Ok(()),
        }
    }
}

/// Returns the adapters that are built in.
pub fn built_in() -> Result<Vec<Definition>, Error> {
    let files = [
        include_str!("../adapters/codex.toml"),
        include_str!("../adapters/claude.toml"),
        include_str!("../adapters/gemini.toml"),
        include_str!("../adapters/jsonl.toml"),
        include_str!("../adapters/text.toml"),
        include_str!("../adapters/acp.toml"),
    ];
    // Their expressions are compiled once they are needed; a test does so with all of them.
    files.into_iter().map(Definition::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_of_the_built_in_adapters_can_be_used() {
        for definition in built_in().unwrap() {
            assert_eq!(definition.trouble.check(), Ok(()), "{}", definition.name);
        }
    }

    #[test]
    fn the_built_in_adapters_are_whole() {
        let names: Vec<_> = built_in().unwrap().into_iter().map(|definition| definition.name).collect();
        assert_eq!(names, ["codex", "claude", "gemini", "jsonl", "text", "acp"]);
    }

    #[test]
    fn what_is_no_adapter_is_refused_with_its_line_its_key_and_the_reason() {
        let least = "title = 't'\nprogram = 'p'\ninstall = 'i'\noutput = 'text'\nprompt = 'stdin'\n";
        assert!(Definition::parse(&format!("name = 'own-agent'\n{least}")).is_ok());
        for (text, wanted) in [
            (format!("name = 'a b'\n{least}"), "line 1, name: \"a b\" is no name: small letters"),
            (format!("name = 'a'\ncolour = 1\n{least}"), "line 2, colour: unknown field"),
            (
                format!("name = 'a'\n{least}[home]\nfolder = '../x'\n"),
                "line 8, home.folder: \"../x\" leads out",
            ),
            (format!("name = 'a'\n{least}[home]\nfiles = ['../auth.json']\n"), "line 8, home.files: "),
            (format!("name = 'a'\n{least}[home]\ncolour = 1\n"), "line 8, home.colour: unknown field"),
            (format!("name = 'a'\n{least}[[trouble]]\nmatch = '('\ncause = 'quota'\n"), "unclosed group"),
            (
                format!("name = 'a'\n{least}[[trouble]]\nmatch = '(a{{1000}}){{1000}}'\ncause = 'quota'\n"),
                "too large an expression",
            ),
            (format!("name = 'a'\n{least}[command]\nfirst = 'x'\n"), "line 8, command.first: invalid type"),
            (
                format!("name = 'a'\n{least}[command]\nfirst = [\"\\u0000\"]\n"),
                "line 8, command.first[1]: it has a NUL",
            ),
            (
                format!("name = 'a'\n{least}[environment]\nprefixes = ['']\n"),
                "line 8, environment.prefixes: ",
            ),
            (format!("name = 'a'\n{least}[environment.set]\n'A=B' = 'c'\n"), "environment.set: "),
            ("name = 'a'\n".to_owned(), "line 1: missing field `title`"),
            ("name = 'a'\ntitle = 't\n".to_owned(), "line 2, title: "),
            (" ".repeat(FILE_BYTES_MAX + 1), "bytes"),
        ] {
            let error = Definition::parse(&text).unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains('\n'), "{error}");
        }
    }
}
