//! How an agent's command line is called: put together from its adapter, from what the installed program can do, from what
//! the work item wishes, and from what a recovery added.

use super::home::Home;
use super::note;
use super::program::Program;
use super::review::Review;
use super::speech::Speech;
use crate::limits;
use crate::run::{Run, TRACEPARENT};
use crate::sandbox::{CommandSpec, Walls};
use crate::scratchpad::Scratchpad;
use crate::walls::{Model, Needs};
use spalla_adapter::command_line::{Guard, Wishes, command_line, said};
use spalla_adapter::definition::Definition;
use spalla_adapter::listen::{Listener, Opening};
use spalla_adapter::recovery::Change;
use spalla_adapter::tools::ToolRules;
use spalla_domain::adapter::Adapter;
use spalla_domain::trace::Part;
use std::io;
use std::path::{Path, PathBuf};

/// The calls of one agent in one run.
pub(super) struct Call<'a> {
    run: &'a Run<'a>,
    definition: &'a Definition,
    program: &'a Program,
    home: &'a Home,
    wishes: Wishes,
    /// The tools that the agent's definition lets it use.
    rules: Option<ToolRules>,
    /// What is said where a conversation that is to go on can't.
    anew: Option<String>,
    is_review: bool,
}

impl<'a> Call<'a> {
    /// Begins with what the work item wishes.
    pub(super) fn new(
        run: &'a Run<'a>,
        definition: &'a Definition,
        program: &'a Program,
        home: &'a Home,
        review: Option<&Review>,
    ) -> Self {
        let folders = vec![home.scratch().to_string_lossy().into_owned()];
        let mcp_file = home.mcp_file.clone();
        let mut wishes = Wishes { folders, mcp_file, ..Wishes::from(said_of(run, definition)) };
        let rules = run.policy().and_then(|policy| ToolRules::of(&policy.tools));
        if let Some(rules) = &rules {
            wishes = wishes.with_tools(rules, definition);
        }
        let schema = review.and_then(|review| review.schema(&home.scratch()));
        wishes.schema = schema.map(|(text, file)| (text, file.to_string_lossy().into_owned()));
        Self { run, definition, program, home, wishes, rules, anew: None, is_review: review.is_some() }
    }

    /// Returns what is started for a prompt, and what is said to whoever is spoken with. The work is done in a folder that
    /// has the scratchpad's files.
    pub(super) async fn of(
        &self,
        prompt: &str,
        (scratchpad, folder): (&Scratchpad, &Path),
        number: u32,
    ) -> (CommandSpec, Option<Opening>) {
        let (run, definition) = (self.run, self.definition);
        let walls = self.walls(scratchpad, folder);
        let mut wishes = self.wishes.clone();
        let approval = said_of(run, definition).approval;
        wishes.guard = Guard::of(approval, matches!(walls, Walls::Up(_)), self.is_review);
        // Whoever can't be asked would be refused everything.
        if self.rules.is_some() || definition.is_dialogue() && asks_commands(run) {
            wishes.guard = wishes.guard.with_list();
        }
        if !self.is_review {
            wishes.folders.push(folder.to_string_lossy().into_owned());
        }
        let line = command_line(definition, &self.program.installed, &wishes, prompt);
        for wish in line.missed(definition) {
            let title = &definition.title;
            run.log.say(format!("{title} has no way to do what is wished: {wish:?}")).await;
        }
        let program = match wishes.command.is_empty() {
            true => self.program.file.to_string_lossy().into_owned(),
            false => line.program,
        };
        let mut env = run.env(&walls);
        env.extend(self.home.env.clone());
        env.insert("PWD".into(), folder.to_string_lossy().into_owned());
        env.insert(TRACEPARENT.into(), run.trace_parent(Part::Step(number)));
        let spec = CommandSpec {
            label: run.label(),
            program,
            args: line.args,
            cwd: folder.to_owned(),
            env,
            stdin: line.stdin.into_bytes(),
            timeout_ms: None,
            grace_ms: run.options.limits.grace_ms,
            walls,
        };
        let opening = definition.is_dialogue().then(|| self.opening(prompt, folder, wishes));
        (spec, opening)
    }

    /// Returns what listens to a new process.
    pub(super) fn listener(&self) -> Listener {
        let bounds = limits::of_events(&self.run.limits);
        Listener::new(self.definition.output, self.definition.trouble.clone()).within(bounds)
    }

    /// Tells whether its process may serve another run after this one: nothing of this one's is kept in it. A server of
    /// tools that a program reads of when it starts would have the token of this run.
    pub(super) fn may_be_shared(&self) -> bool {
        // A list of tools is said to a program when it starts.
        self.home.mcp_file.is_none() && self.rules.is_none()
    }

    /// Returns the programs that it may start besides its own.
    pub(super) fn tools(&self) -> Option<PathBuf> {
        self.home.tools.first().cloned()
    }

    /// Returns what a turn is about, for whoever is spoken with.
    fn opening(&self, prompt: &str, folder: &Path, wishes: Wishes) -> Opening {
        Opening {
            folder: folder.to_string_lossy().into_owned(),
            prompt: prompt.to_owned(),
            thread: wishes.resume,
            anew: self.anew.clone(),
            guard: wishes.guard,
            model: wishes.model,
            folders: wishes.folders,
            schema: wishes.schema.map(|(text, _)| text),
            servers: self.home.server.iter().cloned().collect(),
            tools: self.rules.clone(),
            asks_commands: asks_commands(self.run),
        }
    }

    /// Makes the way on which the agent is spoken with.
    pub(super) fn speech(&self) -> io::Result<Speech> {
        Speech::make(&self.home.folder)
    }

    fn walls(&self, scratchpad: &Scratchpad, folder: &Path) -> Walls {
        let mut hosts = self.definition.network.hosts.clone();
        hosts.extend(self.home.hosts.iter().cloned());
        let mut needs = Needs {
            network: true,
            tools: std::iter::once(&self.program.file).chain(&self.home.tools).cloned().collect(),
            read: scratchpad.borrowed.clone(),
            write: Vec::new(),
            model: Some(Model { hosts, servers: self.home.servers.clone() }),
        };
        if self.is_review {
            // What is reviewed is seen and can't be written.
            needs.read.push(folder.to_owned());
            return self.run.walls(&self.home.folder, needs);
        }
        needs.write.push(self.home.folder.clone());
        self.run.walls(folder, needs)
    }

    /// Adds what a recovery allows.
    pub(super) fn allow(&mut self, change: Change) {
        match change {
            Change::Folders(folders) => self.wishes.folders.extend(folders),
            Change::Tools(tools) => self.wishes.tools.extend(tools),
            // Every call trusts its folder already, where the program has a flag for it.
            Change::Trust | Change::Compact | Change::Restart => {}
        }
    }

    /// Lets the conversation go on, and returns what is said in it; where none can, another begins with a note.
    pub(super) fn go_on(&mut self, thread: Option<&str>, own: &str, words: Option<&str>) -> String {
        match thread {
            Some(thread) => {
                self.wishes.resume = Some(thread.to_owned());
                self.anew = Some(note::of_full_context(words, own));
                note::of_interruption()
            }
            None => {
                self.wishes.resume = None;
                note::of_full_context(words, own)
            }
        }
    }

    /// Lets the next call begin a conversation of its own.
    pub(super) fn begin_anew(&mut self) {
        self.wishes.resume = None;
    }
}

/// Tells whether the agent's definition says how much it may do without asking.
fn asks_commands(run: &Run<'_>) -> bool {
    run.policy().is_some_and(|policy| policy.autonomy_permille.is_some())
}

/// Returns what is said of an agent's calls: by the work item, or else by the operator.
pub(super) fn said_of(run: &Run<'_>, definition: &Definition) -> Adapter {
    let own = run.assignment.adapter.clone().unwrap_or_default();
    let is_own = run.assignment.agent.as_ref() == Some(&definition.name);
    let own = if is_own { own } else { own.of_another() };
    said(definition, own, run.options.wishes.get(&definition.name))
}
