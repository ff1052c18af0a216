//! The private home of a run's agent: what of the person's own configuration it gets, and what of the environment. It is the
//! run's alone and goes with it.

use super::keys::{self, Keys};
use super::pool::Seat;
use super::tools::TOKEN_FILE;
use crate::beneath::Beneath;
use crate::run::Run;
use spalla_adapter::definition::{Definition, KeysOfFile};
use spalla_adapter::listen::ToolServer;
use spalla_crash::crash_point;
use spalla_domain::secret::Secret;
use spalla_sandbox::loopback_servers;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The largest file of a configuration that is handed on, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The folder for an agent's notes, in its home.
const SCRATCH: &str = "scratchpad";

/// An agent's home.
#[derive(Debug)]
pub(super) struct Home {
    /// Where it is.
    pub(super) folder: PathBuf,
    /// The agent's variables.
    pub(super) env: BTreeMap<String, String>,
    /// The hosts where its models are, beside those that the adapter names.
    pub(super) hosts: Vec<String>,
    /// Servers of models on this machine's loopback device.
    pub(super) servers: Vec<SocketAddr>,
    /// Programs that it starts besides its own.
    pub(super) tools: Vec<PathBuf>,
    /// The file that names servers of tools.
    pub(super) mcp_file: Option<String>,
    /// The server of tools, where it is named in the conversation.
    pub(super) server: Option<ToolServer>,
    /// Whether it goes with its seat, and not with this.
    is_of_seat: bool,
}

impl Home {
    /// Makes the home of a run's agent and fills it: a new one, or the one of its seat, in which a process may live that
    /// reads its configuration anew.
    pub(super) fn make(run: &Run<'_>, definition: &Definition, seat: Option<&Seat>) -> io::Result<Self> {
        let own = || std::path::absolute(run.options.data_dir.join("homes").join(run.label()));
        let folder = seat.map_or_else(own, |seat| Ok(seat.home()))?;
        if !seat.is_some_and(Seat::is_warm) {
            clear(&folder)?;
        }
        clear(&folder.join(SCRATCH))?;
        clear(&folder.join(TOKEN_FILE))?;
        make_folder(&folder.join(SCRATCH))?;
        let own = folder.join(&definition.home.folder);
        let held = hold(&folder, &definition.home.folder)?;
        // What an earlier run wrote there is nobody's configuration.
        remove_files(definition, &held.path())?;
        let outside = &run.options.environment;
        let theirs = configuration(definition, outside);
        let mut opening = match &theirs {
            Some(theirs) => copy_files(definition, theirs, &held.path())?,
            None => Keys::new(),
        };
        // What the files say is asked of the person's: the copies, an agent that had the home before may write.
        let mut env = variables(definition, theirs.as_deref(), outside);
        opening.extend(keys::of_variables(&env, &named_variables(definition, theirs.as_deref())));
        run.log.masks().add(opening.iter().map(|(name, value)| (name.as_str(), value)));
        env.insert("HOME".into(), folder.to_string_lossy().into_owned());
        if let Some(variable) = &definition.home.variable {
            let place = if definition.home.is_parent { &folder } else { &own };
            env.insert(variable.clone(), place.to_string_lossy().into_owned());
        }
        let urls = base_urls(definition, theirs.as_deref(), &env);
        let (hosts, servers) = places(&urls);
        Ok(Self {
            folder,
            env,
            hosts,
            servers,
            tools: Vec::new(),
            mcp_file: None,
            server: None,
            is_of_seat: seat.is_some(),
        })
    }

    /// Returns the folder for the agent's notes.
    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.join(SCRATCH)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.is_of_seat {
            return;
        }
        // There may be a login in it.
        if let Err(error) = clear(&self.folder) {
            tracing::warn!(home = %self.folder.display(), %error, "an agent's home was not removed");
        }
    }
}

/// Removes the homes that an earlier worker's runs left, and the repositories in which their changes were taken. What is left in
/// a seat of a run's files goes back to its folder before.
pub(crate) fn sweep(data_dir: &Path) -> io::Result<()> {
    crate::scratchpad::bring_back(&data_dir.join("pool"), &data_dir.join("scratchpads"));
    ["homes", "changes", "pool"].into_iter().try_for_each(|name| clear(&data_dir.join(name)))
}

fn clear(folder: &Path) -> io::Result<()> {
    crate::scratchpad::remove_tree(folder)
}

fn make_folder(path: &Path) -> io::Result<()> {
    crash_point!("worker.home.create", fs::DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// A folder that is held open: what is done in it is done there, also where somebody puts another one or a link in its place.
pub(super) struct HeldFolder(fs::File);

impl HeldFolder {
    /// Returns a path that leads there as long as this is held.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Holds a folder beneath a home, and makes it where it is not there. An agent that had the home before may have put a link in its
/// place, which leads wherever it likes and is not followed.
pub(super) fn hold(home: &Path, inner: &str) -> io::Result<HeldFolder> {
    if inner.is_empty() {
        return fs::File::open(home).map(HeldFolder);
    }
    let beneath = Beneath::open(home)?;
    let folder = beneath.folder(inner).or_else(|_| {
        let first = inner.split('/').next().unwrap_or(inner);
        clear(&home.join(first))?;
        make_folder(&home.join(inner))?;
        beneath.folder(inner)
    });
    folder.map(HeldFolder)
}

/// Returns where a person's own configuration of the program is.
fn configuration(definition: &Definition, outside: &BTreeMap<String, String>) -> Option<PathBuf> {
    let home = &definition.home;
    if home.folder.is_empty() {
        return None;
    }
    let named = home.variable.as_ref().and_then(|variable| outside.get(variable)).map(PathBuf::from);
    let named = named.map(|path| if home.is_parent { path.join(&home.folder) } else { path });
    let usual = || outside.get("HOME").map(|person| Path::new(person).join(&home.folder));
    named.or_else(usual).filter(|folder| folder.is_dir())
}

/// Removes the files that would be taken from a person's configuration, and that names servers of tools.
fn remove_files(definition: &Definition, own: &Path) -> io::Result<()> {
    let tools = definition.home.tool_servers.as_ref().map(|servers| servers.file.as_str());
    for entry in fs::read_dir(own)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_one =
            definition.home.files.iter().map(String::as_str).chain(tools).any(|pattern| fits(pattern, &text));
        if is_one {
            clear(&entry.path())?;
        }
    }
    Ok(())
}

/// Copies what matters; returns what is in it of what opens something.
fn copy_files(definition: &Definition, from: &Path, to: &Path) -> io::Result<Keys> {
    let mut opening = Keys::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else { continue };
        if definition.home.files.iter().any(|pattern| fits(pattern, text)) {
            let bytes = copy_file(&entry.path(), &to.join(&name))?;
            opening.extend(keys::of_file(text, bytes.expose()));
        }
    }
    Ok(opening)
}

/// Copies an ordinary file; anything else in its place, and a file too large to be a configuration, is left out.
fn copy_file(from: &Path, to: &Path) -> io::Result<Secret> {
    let data = fs::metadata(from)?;
    if !data.is_file() || data.len() > FILE_BYTES_MAX {
        tracing::warn!(file = %from.display(), "this file of an agent's configuration is not handed on");
        return Ok(Secret::from(Vec::new()));
    }
    let mut bytes = Vec::new();
    fs::File::open(from)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let bytes = Secret::from(bytes);
    write_file(to, bytes.expose())?;
    Ok(bytes)
}

/// Writes a file that is its owner's alone, in the place of whatever is there; a link is not followed.
pub(super) fn write_file(to: &Path, bytes: &[u8]) -> io::Result<()> {
    crash_point!("worker.home.file.write", {
        clear(to)?;
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(to);
        opened.and_then(|mut file| io::Write::write_all(&mut file, bytes))
    })
}

/// Tells whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

/// Returns the variables that files of its configuration name.
fn named_variables(definition: &Definition, theirs: Option<&Path>) -> BTreeSet<String> {
    values_of(&definition.environment.named_in, theirs).collect()
}

/// Chooses the variables that the program gets.
fn variables(
    definition: &Definition,
    theirs: Option<&Path>,
    outside: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let environment = &definition.environment;
    let named = named_variables(definition, theirs);
    let is_theirs = |name: &str| {
        environment.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
            || environment.names.iter().any(|wanted| wanted == name)
            || named.contains(name)
    };
    let mut all = environment.set.clone();
    let theirs = outside.iter().filter(|(name, _)| is_theirs(name));
    // Two underscores make a setting of Spalla's own.
    let theirs = theirs.filter(|(name, _)| !name.contains("__"));
    all.extend(theirs.map(|(name, value)| (name.clone(), value.clone())));
    all
}

/// Returns what keys of configuration files say: texts, and the texts of tables beneath them.
fn values_of<'a>(files: &'a [KeysOfFile], folder: Option<&'a Path>) -> impl Iterator<Item = String> + 'a {
    files.iter().flat_map(move |wanted| {
        let text = folder.map(|folder| fs::read_to_string(folder.join(&wanted.file)).unwrap_or_default());
        let text = text.unwrap_or_default();
        let parsed: serde_json::Value = match wanted.file.ends_with(".toml") {
            true => toml::from_str(&text).unwrap_or_default(),
            false => serde_json::from_str(&text).unwrap_or_default(),
        };
        let mut found = Vec::new();
        look_for(&parsed, &wanted.keys, &mut found);
        found
    })
}

fn look_for(value: &serde_json::Value, keys: &[String], found: &mut Vec<String>) {
    use serde_json::Value::{Array, Object, String as Text};
    match value {
        Object(members) => {
            for (name, member) in members {
                match member {
                    Text(text) if keys.contains(name) => found.push(text.clone()),
                    Object(texts) if keys.contains(name) => {
                        found.extend(texts.values().filter_map(|text| text.as_str().map(str::to_owned)));
                    }
                    other => look_for(other, keys, found),
                }
            }
        }
        Array(all) => all.iter().for_each(|value| look_for(value, keys, found)),
        _ => {}
    }
}

/// Returns the addresses of models that variables and files name.
fn base_urls(definition: &Definition, theirs: Option<&Path>, env: &BTreeMap<String, String>) -> Vec<String> {
    let named = definition.network.base_urls.iter().filter_map(|name| env.get(name).cloned());
    named.chain(values_of(&definition.home.base_urls, theirs)).collect()
}

/// Divides addresses into servers on this machine and hosts elsewhere.
fn places(urls: &[String]) -> (Vec<String>, Vec<SocketAddr>) {
    let (mut hosts, mut servers) = (Vec::new(), Vec::new());
    for url in urls {
        let here = loopback_servers(&BTreeMap::from([("OPENAI_BASE_URL".to_owned(), url.clone())]));
        if here.is_empty() {
            hosts.extend(host_of(url));
        }
        servers.extend(here);
    }
    servers.sort_unstable();
    servers.dedup();
    (hosts, servers)
}

fn host_of(url: &str) -> Option<String> {
    let place = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let place = place.rsplit('@').next()?;
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_adapter::definition::built_in;

    fn adapter(name: &str) -> Definition {
        built_in().unwrap().into_iter().find(|definition| definition.name == name).unwrap()
    }

    #[test]
    fn only_the_variables_that_an_adapter_names_reach_its_program() {
        let own = tempfile::tempdir().unwrap();
        fs::write(
            own.path().join("config.toml"),
            "[model_providers.x]\nenv_key = 'MY_KEY'\nbase_url = 'http://127.0.0.1:8080/v1'\n\
             env_http_headers = { 'X-Team' = 'TEAM_TOKEN' }\n",
        )
        .unwrap();
        let outside =
            ["MY_KEY", "TEAM_TOKEN", "CODEX_X", "CODEX__MODEL", "OTHER", "AWS_SECRET", "OPENAI_API_KEY"];
        let outside: BTreeMap<_, _> = outside.map(|name| (name.to_owned(), "v".to_owned())).into();
        let codex = adapter("codex");
        let names: Vec<_> = variables(&codex, Some(own.path()), &outside).into_keys().collect();
        assert_eq!(names, ["CODEX_X", "MY_KEY", "OPENAI_API_KEY", "TEAM_TOKEN"]);
        assert_eq!(base_urls(&codex, Some(own.path()), &BTreeMap::new()), ["http://127.0.0.1:8080/v1"]);
    }

    #[test]
    fn addresses_are_servers_here_or_hosts_elsewhere() {
        let (hosts, servers) =
            places(&["http://127.0.0.1:8080/v1".into(), "https://models.example.org:443/x".into()]);
        assert_eq!(hosts, ["models.example.org"]);
        assert_eq!(servers, ["127.0.0.1:8080".parse().unwrap()]);
    }

    #[test]
    fn a_link_in_a_home_leads_nobody_to_the_files_of_a_person() {
        let (home, person) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(person.path().join("config.toml"), "theirs").unwrap();
        fs::write(person.path().join("token"), "theirs").unwrap();
        let codex = adapter("codex");
        std::os::unix::fs::symlink(person.path(), home.path().join(".codex")).unwrap();
        let held = hold(home.path(), ".codex").unwrap();
        remove_files(&codex, &held.path()).unwrap();
        write_file(&held.path().join("config.toml"), b"ours").unwrap();
        // Also where it is put there while the folder is held, or in the place of a file.
        fs::rename(home.path().join(".codex"), home.path().join("away")).unwrap();
        std::os::unix::fs::symlink(person.path(), home.path().join(".codex")).unwrap();
        write_file(&held.path().join("auth.json"), b"ours").unwrap();
        std::os::unix::fs::symlink(person.path().join("token"), home.path().join("token")).unwrap();
        write_file(&home.path().join("token"), b"ours").unwrap();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(person.path().join("config.toml")), "theirs");
        assert_eq!(read(person.path().join("token")), "theirs");
        assert_eq!(read(home.path().join("token")), "ours");
        assert_eq!(read(home.path().join("away/config.toml")), "ours");
        assert!(home.path().join("away/auth.json").is_file() && !person.path().join("auth.json").exists());
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("*.config.toml", "work.config.toml") && fits("a", "a") && fits("a*", "a"));
        assert!(!fits("*.config.toml", "config.toml") && !fits("a", "ab") && !fits("ab*ba", "aba"));
    }
}
