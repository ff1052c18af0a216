//! The agents' command lines that this machine knows: those that are built in, and those of the `*.toml` files that a person
//! has in `adapters/` of the configuration folder and of the data folder.

use crate::config::Settings;
use crate::failure::{Failure, Result, in_words};
use etcetera::BaseStrategy;
use spalla_adapter::definition::{Definition, FILE_BYTES_MAX};
use spalla_adapter::library::Library;
use spalla_domain::adapter::Adapter;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// The folder of a person's adapters, in the configuration folder and in the data folder.
const FOLDER: &str = "adapters";
/// How many files of one folder are read: far more than people have.
const FILES_MAX: usize = 200;

/// Returns all adapters that are known with these settings.
pub(crate) fn library(settings: &Settings) -> Result<Library> {
    let config = etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("spalla"));
    let folders = config.into_iter().chain([settings.data.clone()]).map(|folder| folder.join(FOLDER));
    of_folders(&folders.collect::<Vec<_>>())
}

fn of_folders(folders: &[PathBuf]) -> Result<Library> {
    let library = Library::built_in();
    let mut library = library.map_err(|error| Failure::failed(format!("the built-in adapters: {error}")))?;
    for folder in folders {
        add_folder(&mut library, folder);
    }
    Ok(library)
}

/// Tells the log of the files that can't be used.
pub(crate) fn warn_of_broken(library: &Library) {
    for broken in library.broken() {
        tracing::warn!("the adapter {} is not used: {}", broken.file, broken.why);
    }
}

/// Adds the files of a folder by their names; a folder that is not there has none.
fn add_folder(library: &mut Library, folder: &Path) {
    let shown = folder.display().to_string();
    let mut files = match files(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return library.add(&shown, Err(in_words(&error))),
    };
    files.sort();
    if files.len() > FILES_MAX {
        let count = files.len();
        library.add(&shown, Err(format!("it has {count} adapters; the first {FILES_MAX} are read")));
    }
    for path in files.iter().take(FILES_MAX) {
        library.add(&path.display().to_string(), read(path));
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = paths.collect::<std::io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| is_adapter(path)).collect())
}

/// Editors keep files of their own beside it, whose names begin with a dot.
fn is_adapter(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    path.extension().is_some_and(|end| end == "toml") && !is_hidden
}

fn read(path: &Path) -> Result<String, String> {
    let why = |error: std::io::Error| in_words(&error);
    let data = fs::metadata(path).map_err(why)?;
    // Whatever waits for a writer would be waited for without end.
    if !data.is_file() {
        return Err("it is no file".into());
    }
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX as u64 + 1;
    File::open(path).map_err(why)?.take(limit).read_to_end(&mut bytes).map_err(why)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {FILE_BYTES_MAX} are read", data.len()));
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))
}

/// Returns the program that is called as an agent: that of the operator's own command, or the adapter's.
pub(crate) fn program_of<'a>(definition: &'a Definition, wishes: &'a BTreeMap<String, Adapter>) -> &'a str {
    let own = wishes.get(&definition.name).and_then(|said| said.command.first());
    own.unwrap_or(&definition.program)
}

/// Tells whether anything speaks for a login: a variable that holds a key, or a file that the program keeps one in.
pub(crate) fn has_login(definition: &Definition, environment: &BTreeMap<String, String>) -> bool {
    let is_set = |name: &String| environment.get(name).is_some_and(|value| !value.trim().is_empty());
    if definition.login.variables.iter().any(is_set) {
        return true;
    }
    let home = &definition.home;
    let named = home.variable.as_ref().and_then(|variable| environment.get(variable));
    let named =
        named.map(|path| if home.is_parent { Path::new(path).join(&home.folder) } else { path.into() });
    let usual = || environment.get("HOME").map(|person| Path::new(person).join(&home.folder));
    let folder = named.or_else(usual);
    folder.is_some_and(|folder| definition.login.files.iter().any(|file| folder.join(file).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str) -> String {
        format!(
            "name = '{name}'\ntitle = 't'\nprogram = 'p'\ninstall = 'i'\noutput = 'text'\nprompt = 'stdin'\n"
        )
    }

    #[test]
    fn files_of_both_folders_are_read_and_broken_ones_are_told_by_name() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["config", "data", "none"].map(|name| root.path().join(name));
        for folder in &folders[..2] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(folders[0].join("b.toml"), own("first")).unwrap();
        fs::write(folders[0].join("c.toml"), [0xff, 0xfe]).unwrap();
        fs::write(folders[0].join("notes.md"), "no adapter").unwrap();
        fs::write(folders[0].join(".#b.toml"), "no adapter").unwrap();
        fs::create_dir(folders[0].join("d.toml")).unwrap();
        fs::write(folders[1].join("a.toml"), own("first")).unwrap();
        fs::write(folders[1].join("e.toml"), own("second")).unwrap();
        fs::write(folders[1].join("f.toml"), " ".repeat(FILE_BYTES_MAX + 1)).unwrap();
        let library = of_folders(&folders).unwrap();
        let names: Vec<_> = library.definitions().into_iter().map(|one| one.name).collect();
        assert_eq!(names[6..], ["first", "second"]);
        let broken: Vec<_> =
            library.broken().iter().map(|one| (one.file.as_str(), one.why.as_str())).collect();
        let at = |number: usize, name: &str| folders[number].join(name).display().to_string();
        let wanted = [
            (at(0, "c.toml"), "not UTF-8"),
            (at(0, "d.toml"), "no file"),
            (at(1, "a.toml"), "b.toml"),
            (at(1, "f.toml"), "at most"),
        ];
        assert_eq!(broken.len(), wanted.len(), "{broken:?}");
        for ((file, why), (wanted_file, part)) in broken.iter().zip(&wanted) {
            assert!(file == wanted_file && why.contains(part), "{file}: {why}");
        }
    }

    #[test]
    fn a_login_is_a_key_or_a_file() {
        let codex =
            of_folders(&[]).unwrap().definitions().into_iter().find(|one| one.name == "codex").unwrap();
        let home = tempfile::tempdir().unwrap();
        let environment = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let folder = home.path().to_str().unwrap();
        assert!(!has_login(&codex, &environment(&[("CODEX_HOME", folder), ("OPENAI_API_KEY", " ")])));
        assert!(has_login(&codex, &environment(&[("OPENAI_API_KEY", "k")])));
        fs::write(home.path().join("auth.json"), "{}").unwrap();
        assert!(has_login(&codex, &environment(&[("CODEX_HOME", folder)])));
    }
}
