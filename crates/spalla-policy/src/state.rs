//! What is known of a shell's variables, functions and folder while its script is read. A variable has every value that it
//! may have: two after an `if` that sets it on both sides.

use crate::marks::UNKNOWN;
use brush_parser::ast::CompoundCommand;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most values that are kept of one variable.
pub(crate) const VALUES_MAX: usize = 8;
/// The longest value that is kept, in bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 16 * 1024;
/// The most functions and the most aliases that are kept; what the others do is read where they are made.
const NAMES_MAX: usize = 256;
/// The most variables that are kept.
const VARIABLES_MAX: usize = 512;
/// The most that is kept of all variables, in bytes.
const BYTES_MAX: usize = 256 * 1024;
/// The name under which the folder is kept.
pub(crate) const FOLDER: &str = "PWD";

/// What is known of a shell.
#[derive(Clone, Default)]
pub(crate) struct State {
    variables: Rc<BTreeMap<String, Vec<Vec<String>>>>,
    bytes: usize,
    /// Functions by name.
    pub(crate) functions: Rc<BTreeMap<String, Rc<CompoundCommand>>>,
    /// Aliases by name.
    pub(crate) aliases: Rc<BTreeMap<String, String>>,
    /// `$1` and what follows; `None`: unknown.
    pub(crate) arguments: Option<Vec<String>>,
}

impl State {
    /// Returns the values of a variable, each with its elements; one unknown value if nothing is known.
    pub(crate) fn values(&self, name: &str) -> Vec<Vec<String>> {
        self.variables.get(name).cloned().unwrap_or_else(|| vec![vec![UNKNOWN.to_string()]])
    }

    /// Returns the elements of a variable's value in one of the readings, or nothing if it was never set here.
    pub(crate) fn elements(&self, name: &str, reading: usize) -> Option<&Vec<String>> {
        let values = self.variables.get(name)?;
        values.get(reading.min(values.len().saturating_sub(1)))
    }

    /// Sets a variable to one value.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.set_all(name, vec![vec![value]]);
    }

    /// Sets a variable to every value that it may have.
    pub(crate) fn set_all(&mut self, name: &str, mut values: Vec<Vec<String>>) {
        let size = |values: &[Vec<String>]| values.iter().flatten().map(String::len).sum::<usize>();
        let bytes = size(&values);
        let freed = self.variables.get(name).map_or(0, |values| size(values));
        values.dedup();
        if bytes > VALUE_BYTES_MAX
            || self.bytes - freed + bytes > BYTES_MAX
            || values.len() > VALUES_MAX
            || values.is_empty()
        {
            values = vec![vec![UNKNOWN.to_string()]];
        }
        if self.variables.len() < VARIABLES_MAX || self.variables.contains_key(name) {
            self.bytes = self.bytes - freed + size(&values);
            Rc::make_mut(&mut self.variables).insert(name.to_owned(), values);
        }
    }

    /// Keeps a function.
    pub(crate) fn set_function(&mut self, name: &str, body: Rc<CompoundCommand>) {
        if self.functions.len() < NAMES_MAX || self.functions.contains_key(name) {
            Rc::make_mut(&mut self.functions).insert(name.to_owned(), body);
        }
    }

    /// Keeps an alias.
    pub(crate) fn set_alias(&mut self, name: &str, text: &str) {
        if self.aliases.len() < NAMES_MAX || self.aliases.contains_key(name) {
            Rc::make_mut(&mut self.aliases).insert(name.to_owned(), text.to_owned());
        }
    }

    /// Forgets a variable's value.
    pub(crate) fn forget(&mut self, name: &str) {
        self.set(name, UNKNOWN.to_string());
    }

    /// Returns how many readings there are: enough for each value of each variable to come up.
    pub(crate) fn readings(&self) -> usize {
        self.variables.values().map(Vec::len).max().unwrap_or(1).max(1)
    }

    /// Returns how many folders there may be.
    pub(crate) fn folders(&self) -> usize {
        self.variables.get(FOLDER).map_or(1, Vec::len)
    }

    /// Whether the same is known.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same_variables =
            Rc::ptr_eq(&self.variables, &other.variables) || self.variables == other.variables;
        let is_same_body = |(name, body): (&String, &Rc<CompoundCommand>)| {
            other.functions.get(name).is_some_and(|other| Rc::ptr_eq(body, other))
        };
        let is_same_functions = Rc::ptr_eq(&self.functions, &other.functions)
            || (self.functions.len() == other.functions.len() && self.functions.iter().all(is_same_body));
        is_same_variables
            && is_same_functions
            && self.aliases == other.aliases
            && self.arguments == other.arguments
    }

    /// Adds what would be known had another branch been taken.
    pub(crate) fn join(&mut self, other: &Self) {
        if !Rc::ptr_eq(&self.variables, &other.variables) {
            let mut names: Vec<String> =
                self.variables.keys().chain(other.variables.keys()).cloned().collect();
            names.sort_unstable();
            names.dedup();
            for name in &names {
                if self.variables.get(name) == other.variables.get(name) {
                    continue;
                }
                let mut values = self.values(name);
                for value in other.values(name) {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
                self.set_all(name, values);
            }
        }
        if !Rc::ptr_eq(&self.functions, &other.functions) {
            let functions = Rc::make_mut(&mut self.functions);
            for (name, body) in other.functions.iter() {
                functions.entry(name.clone()).or_insert_with(|| Rc::clone(body));
            }
        }
        if !Rc::ptr_eq(&self.aliases, &other.aliases) {
            let aliases = Rc::make_mut(&mut self.aliases);
            for (name, text) in other.aliases.iter() {
                aliases.entry(name.clone()).or_insert_with(|| text.clone());
            }
        }
        if self.arguments != other.arguments {
            self.arguments = None;
        }
    }
}
