//! One command with its words expanded: the rules are held against it, and what it runs in turn (a shell's text, the program
//! of a wrapper) is followed.

use crate::marks::{self, UNKNOWN};
use crate::output;
use crate::reader::{Flow, Reader};
use crate::rules::{Event, Subject};
use crate::state::{FOLDER, State};
use crate::wrappers;
use std::rc::Rc;

/// The shells whose text is read.
const SHELLS: &[&str] =
    &["sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "rbash", "yash", "fish"];
/// The most items of a known input that `xargs` is followed with one by one.
const ITEMS_MAX: usize = 64;

/// The most calls of functions that are remembered.
const CALLS_MAX: usize = 128;

/// A call of a function that was followed: from the same beginning it comes to the same end.
pub(crate) struct Call {
    name: String,
    arguments: Vec<String>,
    /// The functions around it, which are not followed again.
    within: Vec<String>,
    reading: usize,
    before: State,
    after: State,
    output: String,
}

/// Returns a program's name without its folder.
fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

impl Reader<'_> {
    /// Reads the text that a shell is given.
    pub(crate) fn run_text(&mut self, shell: &str, text: &str, flow: &Flow) -> String {
        if SHELLS.contains(&base_name(shell)) {
            return self.script(text, flow);
        }
        self.event(Event::UnknownText, &format!("{shell} {text}"), &[]);
        UNKNOWN.to_string()
    }

    /// Returns the names of a command's program and of the programs that it wraps.
    pub(crate) fn wrapped_programs(&self, fields: &[String]) -> Vec<String> {
        let mut programs = Vec::new();
        let mut rest = fields;
        while let Some((program, arguments)) = rest.split_first().filter(|_| programs.len() < 16) {
            let name = base_name(program);
            programs.push(name.to_owned());
            match wrappers::unwrap(name, arguments) {
                Some(inner) => rest = inner,
                None if name.starts_with(UNKNOWN) || self.state.aliases.contains_key(name) => {
                    rest = arguments
                }
                None => break,
            }
        }
        programs
    }

    /// Follows a command and returns what it prints, as far as that can be told.
    pub(crate) fn fields_run(&mut self, fields: &[String], flow: &Flow) -> String {
        if fields.is_empty() || !self.spend(fields.len()) {
            return String::new();
        }
        self.deeper(&fields[0], |reader| reader.fields_run_inner(fields, flow))
    }

    fn fields_run_inner(&mut self, fields: &[String], flow: &Flow) -> String {
        let Some((program, arguments)) = fields.split_first() else { return String::new() };
        let command = fields.join(" ");
        let name = base_name(program).to_owned();
        if marks::is_unknown(&name) {
            self.event(Event::UnknownProgram, &command, &[]);
            // Nothing may stand there after all, and the next word is the program.
            if program.starts_with(UNKNOWN) {
                self.fields_run(arguments, flow);
            }
            return UNKNOWN.to_string();
        }
        if marks::is_pattern(program) {
            self.event(Event::UnknownProgram, &command, &[]);
            for program in self.programs_of_pattern(&name) {
                self.judge(&Subject {
                    program: &program,
                    arguments,
                    into: &flow.into,
                    command: &command,
                    ..Subject::default()
                });
            }
            return UNKNOWN.to_string();
        }
        if let Some(text) = self.state.aliases.get(&name).cloned() {
            let mut inner: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            inner.extend_from_slice(arguments);
            if inner.first() != Some(program) {
                return self.fields_run(&inner, flow);
            }
        }
        // Its own name means the program while a function runs: else it would never end.
        if let Some(body) = self.state.functions.get(&name).cloned().filter(|_| !self.calling.contains(&name))
        {
            return self.call(&name, &body, arguments, flow);
        }
        self.judge(&Subject {
            program: &name,
            arguments,
            into: &flow.into,
            command: &command,
            ..Subject::default()
        });
        let folder = self.folder();
        let printed = output::of(&name, arguments, flow.input.as_deref(), &folder);
        let followed = self.follow(&name, arguments, flow);
        printed.or(followed).unwrap_or_else(|| UNKNOWN.to_string())
    }

    fn call(
        &mut self,
        name: &str,
        body: &Rc<brush_parser::ast::CompoundCommand>,
        arguments: &[String],
        flow: &Flow,
    ) -> String {
        let is_plain = flow.input.is_none() && flow.into.is_empty() && self.quiet == 0;
        let is_known = |call: &&Call| {
            call.reading == self.reading
                && call.within == self.calling
                && call.name == name
                && call.arguments == arguments
                && call.before.is_same(&self.state)
        };
        if let Some(call) = self.calls.iter().find(is_known).filter(|_| is_plain) {
            self.state = call.after.clone();
            return call.output.clone();
        }
        let before = self.state.clone();
        self.state.arguments = Some(arguments.to_vec());
        self.calling.push(name.to_owned());
        let output = self.compound(body, flow);
        self.calling.pop();
        self.state.arguments = before.arguments.clone();
        if is_plain && self.calls.len() < CALLS_MAX {
            let (name, arguments) = (name.to_owned(), arguments.to_vec());
            let (reading, after, output) = (self.reading, self.state.clone(), output.clone());
            let within = self.calling.clone();
            self.calls.push(Call { name, arguments, within, reading, before, after, output });
        }
        output
    }

    /// Follows what a command runs or changes in turn; `None`: what it prints can't be told.
    fn follow(&mut self, name: &str, arguments: &[String], flow: &Flow) -> Option<String> {
        if SHELLS.contains(&name) {
            return Some(self.shell(name, arguments, flow));
        }
        match name {
            "eval" => {
                let own = arguments.strip_prefix(&["--".to_owned()][..]).unwrap_or(arguments);
                let text = marks::plain(&own.join(" "));
                return Some(self.text_run(name, &text, flow));
            }
            "source" | "." => self.sourced(arguments, flow),
            "trap" => {
                if let Some(text) = arguments.first().filter(|text| *text != "-" && !text.starts_with("--")) {
                    let text = marks::plain(text);
                    self.in_child(|reader| reader.script(&text, &Flow::default()));
                }
            }
            "at" | "batch" => drop(self.shell(name, &[], flow)),
            "su" | "runuser" | "script" | "flock" | "ssh-agent"
                if option_value(arguments, "-c", "--command").is_some() =>
            {
                let text = marks::plain(option_value(arguments, "-c", "--command").unwrap_or_default());
                return Some(self.in_child(|reader| reader.text_run(name, &text, flow)));
            }
            "env" if option_value(arguments, "-S", "--split-string").is_some() => {
                let text = marks::plain(option_value(arguments, "-S", "--split-string").unwrap_or_default());
                let rest: Vec<String> = arguments
                    .iter()
                    .skip_while(|argument| !argument.contains(&text))
                    .skip(1)
                    .cloned()
                    .collect();
                let text = format!("{text} {}", rest.join(" "));
                return Some(self.in_child(|reader| reader.text_run(name, &text, flow)));
            }
            "watch" => {
                let text = arguments
                    .iter()
                    .skip_while(|argument| argument.starts_with('-') || argument.parse::<f64>().is_ok());
                let text = marks::plain(&text.cloned().collect::<Vec<_>>().join(" "));
                self.in_child(|reader| reader.script(&text, &Flow::default()));
            }
            "git" => self.git_alias(arguments),
            "find" => return Some(self.find(arguments)),
            "xargs" => self.xargs(arguments, flow),
            "parallel" => self.parallel(arguments, flow),
            "read" => self.read(arguments, flow),
            "su" | "sudo" if flow.is_fed && wrappers::unwrap(name, arguments).is_none() => {
                return Some(self.shell(name, &[], flow));
            }
            "exit" | "return" | "break" | "continue" => self.leave(),
            _ => {
                if let Some(inner) = wrappers::unwrap(name, arguments) {
                    return Some(self.wrapped(name, arguments, inner, flow));
                }
                self.builtin(name, arguments);
            }
        }
        None
    }

    /// Runs something of which this shell keeps nothing.
    pub(crate) fn in_child(&mut self, run: impl FnOnce(&mut Self) -> String) -> String {
        let state = self.state.clone();
        let output = run(self);
        self.state = state;
        output
    }

    /// Runs the program that a wrapper names, with what the wrapper sets for it.
    fn wrapped(&mut self, name: &str, arguments: &[String], inner: &[String], flow: &Flow) -> String {
        let (short, long) = match name {
            "env" => ("-C", "--chdir"),
            "sudo" => ("-D", "--chdir"),
            _ => return self.fields_run(inner, flow),
        };
        let own = &arguments[..arguments.len() - inner.len()];
        self.in_child(|reader| {
            // The words are expanded already; only a shell within sees what is set.
            for (name, value) in own.iter().filter_map(|argument| argument.split_once('=')) {
                if wrappers::is_name(name) && name != FOLDER {
                    reader.state.set(name, marks::plain(value));
                }
            }
            if let Some(folder) = option_value(own, short, long) {
                reader.change_folder(&[folder.to_owned()]);
            }
            reader.fields_run(inner, flow)
        })
    }

    fn text_run(&mut self, name: &str, text: &str, flow: &Flow) -> String {
        if !text.is_empty() && text.chars().all(|char| char == UNKNOWN || char.is_whitespace()) {
            self.event(Event::UnknownText, &format!("{name} {text}"), &[]);
            return UNKNOWN.to_string();
        }
        self.script(text, flow)
    }

    fn shell(&mut self, name: &str, arguments: &[String], flow: &Flow) -> String {
        let mut rest = arguments.iter();
        let mut takes_text = false;
        let mut operand = None;
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--" => {
                    operand = rest.next();
                    break;
                }
                "--rcfile" | "--init-file" => drop(rest.next()),
                option if option.starts_with(['-', '+']) && option.len() > 1 => {
                    takes_text |= !option.starts_with("--") && option.contains('c');
                    if !option.starts_with("--") && (option.ends_with('o') || option.ends_with('O')) {
                        rest.next();
                    }
                }
                _ => {
                    operand = Some(argument);
                    break;
                }
            }
        }
        let text = match operand {
            Some(text) if takes_text => Some(marks::plain(text)),
            Some(file) if file == "/dev/fd/63" => flow.file.as_deref().map(str::to_owned),
            Some(file) if !matches!(file.as_str(), "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") => {
                return UNKNOWN.to_string();
            }
            Some(_) | None if flow.is_fed => flow.input.as_deref().map(str::to_owned),
            Some(_) | None => return UNKNOWN.to_string(),
        };
        let text = text.unwrap_or_else(|| UNKNOWN.to_string());
        let mut given: Vec<String> = rest.cloned().collect();
        // The first word behind the text is the shell's own name.
        let own_name = if takes_text && !given.is_empty() { given.remove(0) } else { name.to_owned() };
        self.in_child(|reader| {
            reader.state.set("0", own_name);
            reader.state.arguments = Some(given);
            reader.text_run(name, &text, flow)
        })
    }

    fn sourced(&mut self, arguments: &[String], flow: &Flow) {
        let text = match arguments.first().map(String::as_str) {
            Some("/dev/fd/63") => flow.file.as_deref(),
            Some("/dev/stdin" | "/dev/fd/0") => flow.input.as_deref(),
            _ => return,
        };
        let text = text.unwrap_or(&UNKNOWN.to_string()).to_owned();
        self.text_run("source", &text, flow);
    }

    fn git_alias(&mut self, arguments: &[String]) {
        for argument in arguments {
            let text = argument
                .trim_start_matches("-c")
                .split_once("=!")
                .filter(|(key, _)| key.starts_with("alias."));
            if let Some((_, text)) = text {
                let text = marks::plain(text);
                self.in_child(|reader| reader.script(&text, &Flow::default()));
            }
        }
        let key = arguments.iter().position(|argument| argument.starts_with("alias."));
        if let Some(text) = key.and_then(|key| arguments.get(key + 1)?.strip_prefix('!')) {
            let text = marks::plain(text);
            self.in_child(|reader| reader.script(&text, &Flow::default()));
        }
    }

    fn find(&mut self, arguments: &[String]) -> String {
        let skipped =
            arguments.iter().take_while(|argument| matches!(argument.as_str(), "-H" | "-L" | "-P")).count();
        let folders =
            arguments[skipped..].iter().take_while(|argument| !argument.starts_with(['-', '(', '!']));
        let mut found: Vec<String> = folders.map(|folder| format!("{folder}/found{UNKNOWN}")).collect();
        if found.is_empty() {
            found.push(format!("./found{UNKNOWN}"));
        }
        let mut rest = arguments;
        while let Some(place) = rest
            .iter()
            .position(|argument| matches!(argument.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"))
        {
            rest = &rest[place + 1..];
            let end =
                rest.iter().position(|argument| matches!(argument.as_str(), ";" | "+")).unwrap_or(rest.len());
            for found in found.iter().take(ITEMS_MAX) {
                let inner: Vec<String> =
                    rest[..end].iter().map(|argument| argument.replace("{}", found)).collect();
                self.in_child(|reader| reader.fields_run(&inner, &Flow::default()));
            }
            rest = &rest[end..];
        }
        found.join("\n") + "\n"
    }

    fn xargs(&mut self, arguments: &[String], flow: &Flow) {
        let mut at = 0;
        let mut replaced = None;
        while let Some(argument) = arguments.get(at).filter(|argument| argument.starts_with('-')) {
            match argument.as_str() {
                "-I" | "--replace" => {
                    replaced = arguments.get(at + 1).cloned();
                    at += 1;
                }
                "-i" => replaced = Some("{}".to_owned()),
                "-n" | "-P" | "-L" | "-d" | "-E" | "-s" | "-a" | "--max-args" | "--max-procs"
                | "--delimiter" | "--arg-file" => at += 1,
                option => {
                    replaced = option
                        .strip_prefix("-I")
                        .or(option.strip_prefix("--replace="))
                        .map(str::to_owned)
                        .or(replaced)
                }
            }
            at += 1;
        }
        let Some(inner) = arguments.get(at..).filter(|inner| !inner.is_empty()) else { return };
        let input = flow.input.as_deref().map_or_else(|| UNKNOWN.to_string(), str::to_owned);
        let items: Vec<String> = input
            .split(|char: char| char.is_whitespace() || char == '\0')
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect();
        let child = Flow { into: flow.into.clone(), is_fed: false, ..Flow::default() };
        match replaced {
            Some(mark) if !mark.is_empty() => {
                for item in items.iter().take(ITEMS_MAX) {
                    let inner: Vec<String> =
                        inner.iter().map(|argument| argument.replace(&mark, item)).collect();
                    self.in_child(|reader| reader.fields_run(&inner, &child));
                }
            }
            _ => {
                let inner: Vec<String> =
                    inner.iter().cloned().chain(items.into_iter().take(self.limits.fields)).collect();
                self.in_child(|reader| reader.fields_run(&inner, &child));
            }
        }
    }

    fn parallel(&mut self, arguments: &[String], flow: &Flow) {
        let start =
            arguments.iter().position(|argument| !argument.starts_with('-')).unwrap_or(arguments.len());
        let inner: Vec<String> =
            arguments[start..].iter().filter(|argument| *argument != ":::").cloned().collect();
        let text = marks::plain(&inner.join(" "));
        self.in_child(|reader| reader.script(&text, flow));
    }
}

/// Returns the value of an option that is given apart (`-c text`), joined (`--command=text`) or at a cluster's end (`-lc text`).
fn option_value<'a>(arguments: &'a [String], short: &str, long: &str) -> Option<&'a str> {
    let letter = short.trim_start_matches('-');
    for (place, argument) in arguments.iter().enumerate() {
        if let Some(value) = argument.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
        let is_cluster =
            argument.starts_with('-') && !argument.starts_with("--") && argument.ends_with(letter);
        if is_cluster || argument == long {
            return arguments.get(place + 1).map(String::as_str);
        }
        if let Some(value) = argument.strip_prefix(short).filter(|value| !value.is_empty()) {
            return Some(value);
        }
    }
    None
}
