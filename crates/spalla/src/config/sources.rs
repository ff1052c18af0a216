//! Where settings come from, lowest first: defaults, the user's file, `./spalla.toml`, `./.env`, the environment, flags.

use super::keys::{KEYS, Key};
use crate::failure::{Failure, Result};
use crate::likeness::nearest;
use etcetera::BaseStrategy;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::path::{Path, PathBuf};

/// A value that a flag sets.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    /// The setting.
    pub(crate) name: &'static str,
    /// The flag, as it is typed.
    pub(crate) flag: &'static str,
    /// The value, as it is typed.
    pub(crate) text: String,
}

/// Everything that settings are read from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The data folder where nobody says otherwise.
    pub(crate) data_default: PathBuf,
    /// Files, the later winning; those that do not exist are passed over.
    pub(crate) files: Vec<PathBuf>,
    /// The environment's variables.
    pub(crate) env: Vec<(String, String)>,
    /// The variables of the current folder's `.env`; those of the environment itself win.
    pub(crate) dot_env: Vec<(String, String)>,
    /// What the command line says.
    pub(crate) flags: Vec<Override>,
}

/// The file of the current folder.
const PROJECT_FILE: &str = "spalla.toml";
/// The current folder's file of variables.
const DOT_ENV: &str = ".env";
/// How it is named as a place.
const DOT_ENV_PLACE: &str = "file .env";
/// How many lines of it are read: far more than people write.
const DOT_ENV_LINES_MAX: usize = 10_000;

/// Returns the folder of what a person keeps for Spalla; none where nobody knows where their home is.
pub(crate) fn config_folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("spalla"))
}

impl Sources {
    /// Returns this process's own sources.
    pub(crate) fn of_process(flags: Vec<Override>) -> Result<Self> {
        let base = etcetera::choose_base_strategy().map_err(|error| {
            Failure::usage(format!("the home folder is not known: {error}"))
                .mend("set HOME, or name --data DIR")
        })?;
        Ok(Self {
            data_default: base.data_dir().join("spalla"),
            files: vec![base.config_dir().join("spalla").join("config.toml"), PathBuf::from(PROJECT_FILE)],
            env: crate::programs::variables().collect(),
            dot_env: read_dot_env(Path::new(DOT_ENV)),
            flags,
        })
    }

    /// Lays the sources over each other.
    pub(super) fn merge(self) -> Result<Figment> {
        let mut figment = Figment::new();
        for key in KEYS.iter() {
            let default = match key.name {
                "data" => Ok(Value::from(self.data_default.display().to_string())),
                _ => key.kind.parse(key.default),
            };
            let value =
                default.map_err(|wrong| Failure::failed(format!("the default of {}: {wrong}", key.name)))?;
            figment = figment.merge(One { key, value, source: "default".into() });
        }
        for path in self.files.iter().filter(|path| path.exists()) {
            figment = figment.merge(File { path, values: read_file(path)? });
        }
        for key in KEYS.iter() {
            for (place, variables) in [(DOT_ENV_PLACE, &self.dot_env), ("environment", &self.env)] {
                if let Some((value, source)) = variable(key, place, variables)? {
                    figment = figment.merge(One { key, value, source });
                }
            }
        }
        for given in self.flags {
            figment = figment.merge(flag(given)?);
        }
        Ok(figment)
    }
}

/// Reads the variable that sets a key; an empty one is as good as none.
fn variable(key: &'static Key, place: &str, env: &[(String, String)]) -> Result<Option<(Value, String)>> {
    let set = |name: &&str| env.iter().find(|(set, value)| set == name && !value.is_empty());
    let Some((name, text)) = key.env.iter().find_map(set) else { return Ok(None) };
    let shown = if key.secret { "a value" } else { text.as_str() };
    let said = if place == DOT_ENV_PLACE { format!(" ({place})") } else { String::new() };
    let value = key
        .kind
        .parse(text)
        .map_err(|wrong| Failure::usage(format!("{name} is {shown:?}{said}, and {wrong}")))?;
    Ok(Some((value, format!("{place} {name}"))))
}

/// Reads a file of variables. It is mostly there for other programs, so lines that can't be read are theirs.
pub(super) fn read_dot_env(path: &Path) -> Vec<(String, String)> {
    if !path.is_file() {
        return Vec::new();
    }
    let lines = dotenvy::from_path_iter(path).into_iter().flatten();
    lines.take(DOT_ENV_LINES_MAX).filter_map(Result::ok).collect()
}

fn flag(given: Override) -> Result<One> {
    let key = KEYS.iter().find(|key| key.name == given.name);
    let key = key
        .ok_or_else(|| Failure::failed(format!("{} sets {}, which is no setting", given.flag, given.name)))?;
    let wrong = |wrong| Failure::usage(format!("{} is {:?}, and {wrong}", given.flag, given.text));
    let value = key.kind.parse(&given.text).map_err(wrong)?;
    Ok(One { key, value, source: format!("flag {}", given.flag) })
}

/// Reads a file and refuses keys that do not exist.
fn read_file(path: &Path) -> Result<Dict> {
    let text =
        std::fs::read_to_string(path).map_err(crate::failure::file("reading the settings in", path))?;
    let data = Toml::string(&text).data().map_err(|error| {
        Failure::usage(format!(
            "reading the settings in {}: {}",
            path.display(),
            one_line(&error.to_string())
        ))
    })?;
    let values = data.into_iter().next().map(|(_, values)| values).unwrap_or_default();
    for name in names(&values, "") {
        // A table whose keys are all commented out says nothing.
        let is_empty_table = matches!(values.get(&name), Some(Value::Dict(_, keys)) if keys.is_empty())
            && KEYS.iter().any(|key| key.name.starts_with(&format!("{name}.")));
        if !is_empty_table && !KEYS.iter().any(|key| key.name == name) {
            let failure = Failure::usage(format!("{}: there is no setting `{name}`", path.display()));
            return Err(match nearest(&name, KEYS.iter().map(|key| key.name)) {
                Some(near) => failure.mend(format!("did you mean `{near}`?")),
                None => failure.mend("`spalla config show` lists all of them"),
            });
        }
    }
    Ok(values)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the names of all values, those in tables with the table's name in front.
fn names(values: &Dict, table: &str) -> Vec<String> {
    // A dot inside a quoted name divides nothing.
    let quoted = |name: &str| if name.contains('.') { format!("{name:?}") } else { name.to_owned() };
    // A table that is one setting holds no others.
    let is_setting = |name: &str| KEYS.iter().any(|key| key.name == name);
    let named = values.iter().map(|(name, value)| (format!("{table}{}", quoted(name)), value));
    let below = named.map(|(name, value)| match value {
        Value::Dict(_, inner) if !inner.is_empty() && !is_setting(&name) => names(inner, &format!("{name}.")),
        _ => vec![name],
    });
    below.flatten().collect()
}

/// One value with its origin.
struct One {
    key: &'static Key,
    value: Value,
    source: String,
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let nested = figment::util::nest(self.key.name, self.value.clone());
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// The values of a file.
struct File<'a> {
    path: &'a Path,
    values: Dict,
}

impl Provider for File<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("file {}", self.path.display()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_variables_of_its_own() {
        let mut names: Vec<_> = KEYS.iter().flat_map(|key| key.env).collect();
        assert!(KEYS.iter().all(|key| !key.env.is_empty()));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_file_of_variables_may_hold_what_other_programs_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DOT_ENV);
        std::fs::write(&path, "# mine\nORCH_MAX_RETRIES=4\nwhat is this\nexport ORCH_TOKEN=\"a b\"\n")
            .unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read_dot_env(&path), [pair("ORCH_MAX_RETRIES", "4"), pair("ORCH_TOKEN", "a b")]);
        assert_eq!(read_dot_env(folder.path()), []);
        assert_eq!(read_dot_env(&folder.path().join("none")), []);
    }
}
