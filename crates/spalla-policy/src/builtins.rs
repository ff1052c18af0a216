//! What the shell does itself: it changes its folder, its variables and its arguments.

use crate::marks;
use crate::output;
use crate::reader::{Flow, Reader};
use crate::state::FOLDER;
use crate::targets::{absolute, normal};
use crate::wrappers;

impl Reader<'_> {
    /// Sets a variable to each line of a known input, as a loop would.
    pub(crate) fn read(&mut self, arguments: &[String], flow: &Flow) {
        let names: Vec<&String> = arguments.iter().filter(|argument| wrappers::is_name(argument)).collect();
        match (names.as_slice(), &flow.input) {
            ([name], Some(input)) => {
                let lines = input.lines().map(|line| vec![line.trim().to_owned()]).collect();
                self.state.set_all(name, lines);
            }
            _ => names.into_iter().for_each(|name| self.state.forget(name)),
        }
    }

    /// Follows what the shell itself does.
    pub(crate) fn builtin(&mut self, name: &str, arguments: &[String]) {
        match name {
            "cd" | "pushd" | "chdir" => self.change_folder(arguments),
            "popd" => self.state.forget(FOLDER),
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                for (name, value) in arguments.iter().filter_map(|argument| argument.split_once('=')) {
                    self.state.set(name.trim_end_matches('+'), marks::plain(value));
                }
            }
            "mapfile" | "readarray" | "getopts" | "unset" | "let" => {
                let names = arguments.iter().map(|argument| argument.split('=').next().unwrap_or(argument));
                for name in names.filter(|name| wrappers::is_name(name) && *name != FOLDER) {
                    self.state.forget(name);
                }
            }
            "printf" => {
                if let [option, variable, rest @ ..] = arguments
                    && option == "-v"
                {
                    let printed = output::of("printf", rest, None, "").unwrap_or_default();
                    self.state.set(variable, printed);
                }
            }
            "set" => {
                if let Some(place) = arguments.iter().position(|argument| argument == "--") {
                    self.state.arguments = Some(arguments[place + 1..].to_vec());
                } else if arguments.first().is_some_and(|argument| !argument.starts_with(['-', '+'])) {
                    self.state.arguments = Some(arguments.to_vec());
                }
            }
            "shift" => {
                let many = arguments.first().map_or(Ok(1), |many| many.parse::<usize>());
                let shifted = self.state.arguments.take().zip(many.ok());
                self.state.arguments =
                    shifted.map(|(arguments, many)| arguments.into_iter().skip(many).collect());
            }
            "alias" => {
                for (name, text) in arguments.iter().filter_map(|argument| argument.split_once('=')) {
                    let text = marks::plain(text);
                    self.state.set_alias(name, &text);
                    self.in_child(|reader| reader.script(&text, &Flow::default()));
                }
            }
            _ => {}
        }
    }

    /// Goes to another folder, as `cd` does.
    pub(crate) fn change_folder(&mut self, arguments: &[String]) {
        let target = arguments.iter().find(|argument| !argument.starts_with('-') || argument.len() == 1);
        let folder = match target.map(String::as_str) {
            None => self.state.elements("HOME", self.reading).and_then(|home| home.first().cloned()),
            Some("-") => None,
            Some(target) => absolute(target, &self.folder()).map(|path| normal(&path)),
        };
        match folder {
            Some(folder) => self.state.set(FOLDER, folder),
            None => self.state.forget(FOLDER),
        }
    }
}
