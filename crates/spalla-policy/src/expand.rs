//! Expands words as the shell would, as far as it can be told before the script runs: literal variables, parameters with
//! defaults, the output of `echo` and `printf`. What can't be told is a mark in the result.

use crate::marks::{self, UNKNOWN};
use crate::reader::{Flow, Reader};
use crate::rewrite::{self, Part};
use crate::state::VALUE_BYTES_MAX;
use crate::words::{self, Atom};

impl Reader<'_> {
    /// Expands a word to the fields that it becomes.
    pub(crate) fn fields(&mut self, word: &str) -> Vec<String> {
        let mut fields = Vec::new();
        for atoms in words::braces(words::split(word)) {
            fields.extend(self.split_fields(&atoms));
        }
        fields
    }

    /// Expands a word where it is not split: in assignments, here-strings and tests.
    pub(crate) fn text(&mut self, word: &str) -> String {
        let atoms = words::split(word);
        let text = self.join_atoms(&atoms);
        marks::plain(&text)
    }

    /// Expands text as between double quotes.
    pub(crate) fn quoted_text(&mut self, text: &str) -> String {
        let Ok(rewritten) = rewrite::rewrite_quoted(text, &mut self.parts) else {
            return UNKNOWN.to_string();
        };
        let atoms = words::split_quoted(&rewritten);
        self.join_atoms(&atoms)
    }

    fn here_text(&mut self, text: &str) -> String {
        let expanded = self.quoted_text(text);
        if expanded == UNKNOWN.to_string()
            && text.len() > 1
            && rewrite::rewrite_quoted(text, &mut self.parts).is_err()
        {
            self.unreadable(text, "a substitution in a here-document is not closed");
        }
        expanded
    }

    /// Expands a word that stands within `${…}`.
    fn inner_text(&mut self, text: &str) -> String {
        match rewrite::rewrite(text, &mut self.parts) {
            Ok(rewritten) => self.text(&rewritten),
            Err(_) => UNKNOWN.to_string(),
        }
    }

    fn join_atoms(&mut self, atoms: &[Atom]) -> String {
        let mut text = self.tilde(atoms).unwrap_or_default();
        let skipped = usize::from(!text.is_empty());
        for atom in &atoms[skipped..] {
            match atom {
                Atom::Char(char, true) => text.push(*char),
                Atom::Char(char, false) => text.push(marks::unquoted(*char)),
                Atom::Empty => {}
                Atom::Variable(..) | Atom::Part(..) => text.push_str(&self.value(atom).join(" ")),
            }
            if text.len() > VALUE_BYTES_MAX {
                return UNKNOWN.to_string();
            }
        }
        text
    }

    /// Returns the home folder if the word begins with an unquoted tilde that means it.
    fn tilde(&self, atoms: &[Atom]) -> Option<String> {
        match (atoms.first()?, atoms.get(1)) {
            (Atom::Char('~', false), None | Some(Atom::Char('/', _))) => {
                self.state.elements("HOME", self.reading)?.first().cloned()
            }
            // Somebody else's home: not known, and nowhere near the workspace.
            (Atom::Char('~', false), Some(Atom::Char(char, false))) if char.is_ascii_alphabetic() => {
                Some("/home/".to_owned())
            }
            _ => None,
        }
    }

    fn split_fields(&mut self, atoms: &[Atom]) -> Vec<String> {
        let separators =
            self.state.elements("IFS", self.reading).map_or_else(|| " \t\n".to_owned(), |ifs| ifs.join(" "));
        let mut fields = Vec::new();
        let mut field: Option<String> = self.tilde(atoms);
        let skipped = usize::from(field.is_some());
        for atom in &atoms[skipped..] {
            match atom {
                Atom::Char(char, is_quoted) => {
                    field.get_or_insert_default().push(if *is_quoted {
                        *char
                    } else {
                        marks::unquoted(*char)
                    });
                }
                Atom::Empty => {
                    field.get_or_insert_default();
                }
                Atom::Variable(_, true) | Atom::Part(_, true) => {
                    let elements = self.value(atom);
                    if elements.is_empty() && matches!(atoms, [Atom::Empty, _]) {
                        field = None;
                    }
                    for (place, element) in elements.into_iter().enumerate() {
                        if place > 0 {
                            fields.extend(field.take());
                        }
                        field.get_or_insert_default().push_str(&element);
                    }
                }
                Atom::Variable(_, false) | Atom::Part(_, false) => {
                    for (place, element) in self.value(atom).into_iter().enumerate() {
                        if place > 0 {
                            fields.extend(field.take());
                        }
                        for char in element.chars() {
                            if separators.contains(char)
                                || (separators.contains(UNKNOWN) && char.is_whitespace())
                            {
                                fields.extend(field.take());
                            } else {
                                field.get_or_insert_default().push(marks::unquoted(char));
                            }
                        }
                    }
                }
            }
            if fields.len() > self.limits.fields
                || field.as_ref().is_some_and(|field| field.len() > VALUE_BYTES_MAX)
            {
                return vec![UNKNOWN.to_string()];
            }
        }
        fields.extend(field);
        fields
    }

    /// Returns what a variable or a part stands for.
    fn value(&mut self, atom: &Atom) -> Vec<String> {
        match atom {
            Atom::Variable(name, _) => self.variable(name),
            Atom::Part(number, is_quoted) => match self.parts.get(*number).cloned() {
                Some(Part::Command(text)) => {
                    let output = self.substitution(&text);
                    vec![output]
                }
                Some(Part::Arithmetic(text)) => {
                    self.quoted_text(&text);
                    vec![UNKNOWN.to_string()]
                }
                Some(Part::Parameter(text)) => self.parameter(&text, *is_quoted),
                Some(Part::Here(text, true)) => vec![self.here_text(&text)],
                Some(Part::Here(text, false)) => vec![text],
                None => vec![UNKNOWN.to_string()],
            },
            Atom::Char(..) | Atom::Empty => Vec::new(),
        }
    }

    fn substitution(&mut self, text: &str) -> String {
        let state = self.state.clone();
        let flow = Flow { into: self.taken_by.clone(), ..Flow::default() };
        let output = self.script(text, &flow);
        self.state = state;
        output.trim_end_matches('\n').to_owned()
    }

    /// Returns the elements of a variable or special parameter.
    fn variable(&mut self, name: &str) -> Vec<String> {
        let unknown = || vec![UNKNOWN.to_string()];
        match name {
            "@" | "*" => self.state.arguments.clone().unwrap_or_else(unknown),
            "0" => self.state.elements("0", self.reading).cloned().unwrap_or_else(unknown),
            "#" | "?" | "-" | "$" | "!" => unknown(),
            name if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                match (&self.state.arguments, name.parse::<usize>()) {
                    (Some(arguments), Ok(place)) => {
                        vec![arguments.get(place.saturating_sub(1)).cloned().unwrap_or_default()]
                    }
                    _ => unknown(),
                }
            }
            name => match self.state.elements(name, self.reading) {
                Some(elements) => elements.first().map_or_else(Vec::new, |first| vec![first.clone()]),
                None if name == "IFS" => vec![" \t\n".to_owned()],
                None => unknown(),
            },
        }
    }

    /// Expands what stands between the braces of `${…}`.
    fn parameter(&mut self, text: &str, is_quoted: bool) -> Vec<String> {
        let unknown = vec![UNKNOWN.to_string()];
        if text.starts_with('#') && text.len() > 1 {
            return unknown;
        }
        let (text, is_indirect) = match text.strip_prefix('!') {
            Some(rest) if !rest.is_empty() => (rest, true),
            _ => (text, false),
        };
        let is_name = |char: char| char == '_' || char.is_ascii_alphanumeric();
        let end = match text.chars().next() {
            Some(char) if is_name(char) => text.find(|char| !is_name(char)).unwrap_or(text.len()),
            Some(char) => char.len_utf8(),
            None => return unknown,
        };
        let (name, mut rest) = text.split_at(end);
        let mut elements = self.variable(name);
        if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            rest = after;
            elements = self.indexed(name, index);
        }
        if is_indirect {
            elements = match elements.first() {
                Some(target) if !marks::is_unknown(target) => {
                    let target = target.clone();
                    self.variable(&target)
                }
                _ => unknown.clone(),
            };
        }
        if rest.is_empty() {
            return elements;
        }
        self.operation(name, elements, rest, is_quoted)
    }

    fn indexed(&mut self, name: &str, index: &str) -> Vec<String> {
        let unknown = vec![UNKNOWN.to_string()];
        let elements = self.state.elements(name, self.reading).cloned();
        match (index, elements) {
            ("@" | "*", Some(elements)) => elements,
            (index, Some(elements)) => match index.trim().parse::<usize>() {
                Ok(place) => vec![elements.get(place).cloned().unwrap_or_default()],
                Err(_) => unknown,
            },
            _ => {
                // An index is arithmetic: commands in it run.
                self.quoted_text(index);
                unknown
            }
        }
    }

    fn operation(&mut self, name: &str, elements: Vec<String>, rest: &str, is_quoted: bool) -> Vec<String> {
        let is_known = !elements.iter().any(|element| marks::is_unknown(element));
        let is_set = is_known && elements.iter().any(|element| !element.is_empty());
        let operator =
            rest.strip_prefix(':').filter(|rest| rest.starts_with(['-', '=', '+', '?'])).unwrap_or(rest);
        let word = operator.get(1..).unwrap_or_default();
        let expanded = |reader: &mut Self| {
            if is_quoted { reader.quoted_text(word) } else { reader.inner_text(word) }
        };
        match operator.chars().next() {
            Some('-' | '=') => {
                let default = expanded(self);
                if is_set {
                    return elements;
                }
                if operator.starts_with('=') {
                    self.state.set(name, default.clone());
                }
                vec![default]
            }
            Some('+') => {
                let alternative = expanded(self);
                if is_set || !is_known { vec![alternative] } else { vec![String::new()] }
            }
            Some('?') => {
                expanded(self);
                elements
            }
            _ => {
                let word = self.quoted_text(rest.get(1..).unwrap_or_default());
                let edited =
                    |element: &String| edit(element, rest, &word).unwrap_or_else(|| UNKNOWN.to_string());
                elements.iter().map(edited).collect()
            }
        }
    }
}

/// Edits a known value: substrings, replacements and prefixes without patterns, and case.
fn edit(value: &str, operation: &str, word: &str) -> Option<String> {
    if marks::is_unknown(value) || marks::is_unknown(word) {
        return None;
    }
    let is_literal = |pattern: &str| !pattern.contains(['*', '?', '[', '\\', '\'', '"']);
    match operation.chars().next()? {
        ':' => {
            let (offset, length) = word.split_once(':').unwrap_or((word, "9999999"));
            let (offset, length) = (offset.trim().parse().ok()?, length.trim().parse().ok()?);
            Some(value.chars().skip(offset).take(length).collect())
        }
        '/' => {
            let (pattern, by) =
                word.trim_start_matches('/').split_once('/').unwrap_or((word.trim_start_matches('/'), ""));
            let is_plain = is_literal(pattern) && !pattern.is_empty() && !pattern.starts_with(['#', '%']);
            is_plain.then(|| {
                if word.starts_with('/') {
                    value.replace(pattern, by)
                } else {
                    value.replacen(pattern, by, 1)
                }
            })
        }
        '#' => {
            let pattern = word.trim_start_matches('#');
            is_literal(pattern).then(|| value.strip_prefix(pattern).unwrap_or(value).to_owned())
        }
        '%' => {
            let pattern = word.trim_start_matches('%');
            is_literal(pattern).then(|| value.strip_suffix(pattern).unwrap_or(value).to_owned())
        }
        '^' if word == "^" => Some(value.to_uppercase()),
        ',' if word == "," => Some(value.to_lowercase()),
        _ => None,
    }
}
