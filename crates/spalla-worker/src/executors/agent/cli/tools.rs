//! The server of tools that an agent is given: this program as `spalla mcp`, which the agent starts inside its walls with the
//! run's own token. Whatever keeps it from being given keeps no run from going on.

use super::home::{Home, hold, write_file};
use crate::coordinator::{Grant, places_here};
use crate::questions::heartbeat;
use crate::run::Run;
use serde_json::{Value, json};
use spalla_adapter::definition::{Definition, ToolServers, WishName};
use spalla_adapter::listen::ToolServer;
use spalla_sandbox::{Network, Policy, Preset};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long it may take to be given the run's token; an agent that has to wait longer begins without.
const GRANT_TIMEOUT: Duration = Duration::from_secs(10);
/// What the server of tools is called in an agent's configuration.
const NAME: &str = "spalla";
/// The file that names it where a command line takes one.
const FILE: &str = "spalla-mcp.json";
/// The file with the run's token, in the home, where a program remembers the configuration that names the server of tools.
pub(super) const TOKEN_FILE: &str = "spalla-token";

/// Gives the agent the server of tools, where its program takes one and the server can be reached from inside.
pub(super) async fn give(run: &Run<'_>, definition: &Definition, home: &mut Home) {
    let Some(program) = run.options.tools.clone().filter(|program| program.is_file()) else { return };
    let takes_file = definition.takes(WishName::Mcp);
    let hears_of_it = definition.is_dialogue() && definition.output.says(WishName::Mcp);
    let has_file = definition.home.tool_servers.is_some();
    if !(takes_file || has_file || hears_of_it) || !has_network(run, &home.folder) {
        return;
    }
    let Some((grant, places)) = granted(run).await else { return };
    run.log.masks().add([("SPALLA_API_TOKEN", &grant.token)]);
    let env = variables(&grant);
    let is_remembered = definition.home.tool_servers.as_ref().is_some_and(|servers| servers.is_remembered);
    let told = match is_remembered {
        true => by_file(&grant, &home.folder),
        false => Ok(env.clone()),
    };
    let told = match told {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(agent = %definition.title, %error, "the agent is not given the tools of the server");
            return;
        }
    };
    let entry = json!({"command": program.to_string_lossy(), "args": ["mcp"], "env": BTreeMap::from(told)});
    let written = match &definition.home.tool_servers {
        Some(servers) => hold(&home.folder, &definition.home.folder)
            .and_then(|held| add(&held.path(), servers, entry).map(|()| None)),
        None if takes_file => name_alone(&home.folder.join(FILE), entry).map(Some),
        None => {
            let (command, args) = (program.to_string_lossy().into_owned(), vec!["mcp".to_owned()]);
            home.server = Some(ToolServer { name: NAME.to_owned(), command, args, env: env.into() });
            Ok(None)
        }
    };
    match written {
        Ok(file) => {
            home.mcp_file = file.map(|file| file.to_string_lossy().into_owned());
            home.tools.push(program);
            home.servers.extend(places);
        }
        Err(error) => {
            let name = &definition.title;
            tracing::warn!(agent = %name, %error, "the agent is not given the tools of the server");
        }
    }
}

/// Returns how the server of tools finds this one.
fn variables(grant: &Grant) -> [(String, String); 2] {
    let token = grant.token.expose_text().unwrap_or_default();
    [("SPALLA_API_URL", grant.url.as_str()), ("SPALLA_API_TOKEN", token)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Writes the token into a file of its own; returns how the server of tools finds this one by it, which is the same for every
/// run that has this home.
fn by_file(grant: &Grant, home: &Path) -> io::Result<[(String, String); 2]> {
    let file = home.join(TOKEN_FILE);
    write_file(&file, grant.token.expose_text().unwrap_or_default().as_bytes())?;
    let file = file.to_string_lossy().into_owned();
    Ok([("SPALLA_API_URL".to_owned(), grant.url.clone()), ("SPALLA_API_TOKEN_FILE".to_owned(), file)])
}

/// Tells whether what the agent starts reaches a server on this machine.
fn has_network(run: &Run<'_>, folder: &Path) -> bool {
    match run.options.sandbox.preset.unwrap_or(Preset::Agent) {
        Preset::None => true,
        preset => Policy::new(preset, folder.to_owned()).network != Network::None,
    }
}

/// Returns the run's token, and where the server is; none where it is not on this machine.
async fn granted(run: &Run<'_>) -> Option<(Grant, Vec<SocketAddr>)> {
    let asked = tokio::time::timeout(GRANT_TIMEOUT, run.coordinator.grant(heartbeat(run))).await;
    let grant = match asked {
        Ok(Ok(grant)) => grant?,
        Ok(Err(error)) => {
            tracing::warn!(run = %run.assignment.run_id, %error, "the run's agent is given no token");
            return None;
        }
        Err(_) => {
            tracing::warn!(run = %run.assignment.run_id, "the run's agent is given no token in time");
            return None;
        }
    };
    let places = places_here(&grant.url);
    (!places.is_empty()).then_some((grant, places))
}

/// Writes the file that names the server of tools and nothing else.
fn name_alone(path: &Path, entry: Value) -> io::Result<PathBuf> {
    write_file(path, json!({"mcpServers": {NAME: entry}}).to_string().as_bytes())?;
    Ok(path.to_owned())
}

/// Adds the server of tools to the agent's own configuration, of which this is the run's copy.
fn add(folder: &Path, servers: &ToolServers, mut entry: Value) -> io::Result<()> {
    let path = folder.join(&servers.file);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let more = serde_json::to_value(&servers.entry).map_err(io::Error::other)?;
    if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
        entry.extend(more);
    }
    let is_toml = servers.file.ends_with(".toml");
    let mut all: Value = match (is_toml, text.trim().is_empty()) {
        (_, true) => json!({}),
        (true, false) => toml::from_str(&text).map_err(io::Error::other)?,
        (false, false) => serde_json::from_str(&text).map_err(io::Error::other)?,
    };
    let members = all.as_object_mut().ok_or_else(|| io::Error::other("the configuration is no table"))?;
    let known = members.entry(servers.key.clone()).or_insert_with(|| json!({}));
    let known =
        known.as_object_mut().ok_or_else(|| io::Error::other(format!("{} is no table", servers.key)))?;
    known.insert(NAME.to_owned(), entry);
    let text = match is_toml {
        true => toml::to_string(&all).map_err(io::Error::other)?,
        false => all.to_string(),
    };
    write_file(&path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(file: &str, key: &str) -> ToolServers {
        let entry = toml::from_str("tool_timeout_sec = 60").unwrap();
        ToolServers { file: file.into(), key: key.into(), entry, is_remembered: false }
    }

    fn entry() -> Value {
        json!({"command": "/bin/spalla", "args": ["mcp"], "env": {"SPALLA_API_TOKEN": "t"}})
    }

    #[test]
    fn what_stands_in_a_configuration_stays_beside_the_tools() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(
            &path,
            "model = 'x'\n[mcp_servers.own]\ncommand = 'mine'\n[model_providers.p]\nenv_key = 'K'\n",
        )
        .unwrap();
        add(folder.path(), &servers("config.toml", "mcp_servers"), entry()).unwrap();
        let read: Value = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!((&read["model"], &read["mcp_servers"]["own"]["command"]), (&json!("x"), &json!("mine")));
        assert_eq!(read["model_providers"]["p"]["env_key"], "K");
        let spalla = &read["mcp_servers"]["spalla"];
        assert_eq!((&spalla["args"], &spalla["tool_timeout_sec"]), (&json!(["mcp"]), &json!(60)));
    }

    #[test]
    fn a_configuration_that_is_not_there_is_made_and_one_that_can_t_be_read_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let servers = servers("settings.json", "mcpServers");
        add(folder.path(), &servers, entry()).unwrap();
        let read: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(read["mcpServers"]["spalla"]["env"]["SPALLA_API_TOKEN"], "t");
        for odd in ["// words\n{}", "[1]", r#"{"mcpServers": 1}"#] {
            fs::write(&path, odd).unwrap();
            assert!(add(folder.path(), &servers, entry()).is_err(), "{odd}");
            assert_eq!(fs::read_to_string(&path).unwrap(), odd);
        }
    }

    #[test]
    fn only_its_owner_reads_the_file_with_the_token() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = name_alone(&folder.path().join(FILE), entry()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
