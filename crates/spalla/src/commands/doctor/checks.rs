//! The checks themselves. Each looks and changes nothing: what a server would make is not made here.

use super::{Check, Status};
use crate::adapters;
use crate::client::{Client, locate};
use crate::config::{Settings, location, without_password};
use crate::data_folder::DataFolder;
use crate::escapes::{Escapes, attempt_escapes};
use crate::failure::in_words;
use crate::programs::{self, Call};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use spalla_adapter::definition::Definition;
use spalla_store::Location;
use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// How long a program may take to say its version, in milliseconds.
const VERSION_MS: i64 = 10_000;
/// How long a database may take to answer.
const REACH: Duration = Duration::from_secs(3);
/// Below this many bytes of free disk a person should look; below the second nothing works for long.
const DISK_LOW: u64 = 2 << 30;
const DISK_FULL: u64 = 200 << 20;
/// How every SQLite file begins.
const SQLITE_HEAD: &[u8; 16] = b"SQLite format 3\0";
/// Postgres' own port.
const POSTGRES_PORT: u16 = 5432;

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, status: Status::Ok, detail: detail.into(), mend: None }
}

fn warn(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Check {
    Check { name, status: Status::Warn, detail: detail.into(), mend: Some(mend.into()) }
}

fn fail(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Check {
    Check { name, status: Status::Fail, detail: detail.into(), mend: Some(mend.into()) }
}

/// Makes every check, in the order in which a server needs what is checked.
pub(super) async fn all(settings: &Settings) -> Vec<Check> {
    let mut checks =
        vec![git().await, shell(settings).await, data(settings), scratchpads(settings), disk(settings)];
    checks.push(store(settings).await);
    checks.push(server(settings).await);
    checks.extend(agents(settings));
    checks.push(sandbox(settings).await);
    checks
}

async fn git() -> Check {
    const MEND: &str = "install git: repositories are mirrored with it";
    match call("git", &["--version"]).await {
        Ok(answer) if answer.is_good() => ok("git", answer.first_line()),
        Ok(answer) => fail("git", answer.complaint(), MEND),
        Err(why) => fail("git", why, MEND),
    }
}

async fn shell(settings: &Settings) -> Check {
    let shell = settings.worker.shell.display().to_string();
    let mend = "name a shell that works with AGENT_SHELL";
    match call(&shell, &["-c", "exit 0"]).await {
        Ok(answer) if answer.is_good() => ok("shell", shell),
        Ok(answer) => fail("shell", format!("{shell}: {}", answer.complaint()), mend),
        Err(why) => fail("shell", why, mend),
    }
}

async fn call(program: &str, args: &[&str]) -> Result<programs::Answer, String> {
    let call = Call { program, args, folder: Path::new("/"), env: &[], timeout_ms: VERSION_MS };
    programs::call(call).await.map_err(|failure| failure.to_string())
}

/// Returns the folder itself, or the nearest above it that is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn data(settings: &Settings) -> Check {
    let (folder, shown) = (DataFolder::at(&settings.data), settings.data.display());
    let near = existing(&settings.data);
    if let Err(errno) = access(&near, AccessFlags::W_OK | AccessFlags::X_OK) {
        let why = in_words(&std::io::Error::from(errno));
        return fail(
            "data folder",
            format!("{} can't be written: {why}", near.display()),
            "name another with --data DIR",
        );
    }
    if near != settings.data {
        return ok("data folder", format!("{shown} (made at the first start)"));
    }
    match folder.open_to_others() {
        Ok(open) if open.is_empty() => ok("data folder", shown.to_string()),
        Ok(open) => {
            let paths: Vec<String> = open.iter().map(|path| path.display().to_string()).collect();
            warn(
                "data folder",
                format!("others can use {}", paths.join(", ")),
                format!("run: chmod -R go= {shown}"),
            )
        }
        Err(error) => {
            fail("data folder", format!("{shown} can't be read: {}", in_words(&error)), "mend its mode")
        }
    }
}

/// Looks at whom the folders of scratchpads belong to, and whom they let in.
fn scratchpads(settings: &Settings) -> Check {
    const NAME: &str = "scratchpads";
    match crate::scratchpads::of(settings).check() {
        Ok((count, faults)) => match faults.as_slice() {
            [] => ok(NAME, format!("{count}, with the owner and the mode that they should have")),
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
                warn(NAME, format!("{} {}{more}", first.path.display(), first.what), first.mend.clone())
            }
        },
        Err(error) => fail(NAME, error.to_string(), "mend its mode"),
    }
}

fn disk(settings: &Settings) -> Check {
    const MEND: &str = "make room, or name a folder on another disk with --data DIR";
    let near = existing(&settings.data);
    let free = match statvfs(&near) {
        Ok(found) => found.blocks_available().saturating_mul(found.fragment_size()),
        Err(errno) => {
            return warn("disk", format!("{}: {errno}", near.display()), "see whether the disk is there");
        }
    };
    let detail = format!("{:.1} GiB free at {}", free as f64 / f64::from(1 << 30), near.display());
    match free {
        free if free < DISK_FULL => fail("disk", detail, MEND),
        free if free < DISK_LOW => warn("disk", detail, MEND),
        _ => ok("disk", detail),
    }
}

async fn store(settings: &Settings) -> Check {
    match location(&settings.database, &settings.data) {
        Err(failure) => fail("store", failure.to_string(), "correct ORCH_DATABASE_URL"),
        Ok(Location::Sqlite(path)) => sqlite(&path),
        Ok(Location::Postgres(url)) => postgres(&url).await,
        Ok(Location::Memory(_)) => ok("store", "in memory"),
    }
}

fn sqlite(path: &Path) -> Check {
    let shown = path.display();
    let mut head = [0; SQLITE_HEAD.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ok("store", format!("{shown} (made at the first start)"))
        }
        Err(error) => fail(
            "store",
            format!("{shown} can't be read: {}", in_words(&error)),
            "mend its mode, or move it away",
        ),
        Ok(()) if &head != SQLITE_HEAD => {
            fail("store", format!("{shown} is no SQLite database"), "move it away")
        }
        Ok(()) if access(path, AccessFlags::W_OK).is_err() => {
            fail("store", format!("{shown} can't be written"), "mend its mode")
        }
        Ok(()) => ok("store", format!("SQLite in {shown}")),
    }
}

/// Looks whether the database server answers; logging in is the server's own first step.
async fn postgres(url: &str) -> Check {
    let shown = without_password(url);
    let mend = "start it, or name another with ORCH_DATABASE_URL";
    let answered = match postgres_address(url) {
        Some(PostgresAt::Tcp(host, port)) => {
            let connect = TcpStream::connect((host, port));
            tokio::time::timeout(REACH, connect).await.map(|connected| connected.map(drop))
        }
        Some(PostgresAt::Socket(path)) => {
            let connect = UnixStream::connect(path);
            tokio::time::timeout(REACH, connect).await.map(|connected| connected.map(drop))
        }
        None => return fail("store", format!("{shown} names no host"), "correct ORCH_DATABASE_URL"),
    };
    match answered {
        Ok(Ok(())) => ok("store", format!("Postgres answers at {shown} (without logging in)")),
        Ok(Err(error)) => fail("store", format!("{shown}: {}", in_words(&error)), mend),
        Err(_) => fail("store", format!("{shown} does not answer within {REACH:?}"), mend),
    }
}

/// Where a database server listens.
#[derive(Debug, PartialEq, Eq)]
enum PostgresAt {
    Tcp(String, u16),
    Socket(PathBuf),
}

fn postgres_address(url: &str) -> Option<PostgresAt> {
    let url = reqwest::Url::parse(url).ok()?;
    let parameter = |wanted: &str| {
        url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let port = url.port().or_else(|| parameter("port")?.parse().ok()).unwrap_or(POSTGRES_PORT);
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .map(|host| host.replace("%2F", "/").replace("%2f", "/"));
    let host = parameter("host").or(host)?;
    if host.starts_with('/') {
        return Some(PostgresAt::Socket(Path::new(&host).join(format!(".s.PGSQL.{port}"))));
    }
    Some(PostgresAt::Tcp(host.trim_matches(['[', ']']).to_owned(), port))
}

/// Looks whether the server of this data folder answers, or else whether one could listen.
async fn server(settings: &Settings) -> Check {
    let own = Settings { url: String::new(), ..settings.clone() };
    if let Some(known) = DataFolder::at(&settings.data).server() {
        let place = locate(&own, None).and_then(Client::new);
        return match place {
            Ok(client) if client.get("/health").await.is_ok() => {
                ok("server", format!("process {} answers at {}", known.pid, known.url))
            }
            Ok(_) => warn(
                "server",
                format!("process {} at {} does not answer", known.pid, known.url),
                "if it was killed, the next start puts that right",
            ),
            Err(failure) => fail("server", failure.to_string(), "see `spalla token show`"),
        };
    }
    match TcpListener::bind(settings.listen) {
        Ok(_) => ok("port", format!("{} is free", settings.listen)),
        Err(error) => fail(
            "port",
            format!("{}: {}", settings.listen, in_words(&error)),
            "choose another with --listen ADDR:PORT",
        ),
    }
}

/// Looks which agents' command lines are installed, and which files of adapters can't be used.
fn agents(settings: &Settings) -> Vec<Check> {
    let library = match adapters::library(settings) {
        Ok(library) => library,
        Err(failure) => return vec![fail("agents", failure.to_string(), "install Spalla again")],
    };
    let (wishes, environment) = (settings.wishes(), programs::variables().collect());
    let definitions = library.definitions();
    let is_installed = |one: &&Definition| programs::find(adapters::program_of(one, &wishes)).is_some();
    let found = definitions.iter().filter(is_installed).map(|one| {
        let login = if adapters::has_login(one, &environment) { "" } else { " (no login was found)" };
        format!("{}{login}", one.name)
    });
    let found: Vec<String> = found.collect();
    let also = if found.is_empty() { String::new() } else { format!("; installed: {}", found.join(", ")) };
    let mut checks = vec![ok("agents", format!("the built-in surveyor and verifier{also}"))];
    let broken = library.broken().iter().map(|one| {
        warn("adapters", format!("{} is not used: {}", one.file, one.why), "correct it, or move it away")
    });
    checks.extend(broken);
    checks
}

/// Tries ten real escapes.
async fn sandbox(settings: &Settings) -> Check {
    if settings.sandbox.preset == "none" {
        let why = "switched off by the setting sandbox.preset: commands of runs have no walls";
        return warn("sandbox", why, "set it to default, unless nothing foreign ever runs here");
    }
    let missing = settings.sandbox.allow_degraded.join(", ");
    let also = if missing.is_empty() { missing } else { format!("; may be missing: {missing}") };
    match attempt_escapes(settings).await {
        Escapes::Held(count) => ok("sandbox", format!("{count} of {count} escapes held{also}")),
        Escapes::Worked(names) => {
            let mend = "trust no foreign code on this machine; `spalla sandbox explain` shows each attempt";
            fail("sandbox", format!("escapes that worked: {}{also}", names.join(", ")), mend)
        }
        Escapes::NotTried(why) => warn("sandbox", why, "commands of runs are refused until this is mended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_server_is_found_by_host_or_by_socket() {
        let tcp = |host: &str, port| Some(PostgresAt::Tcp(host.into(), port));
        assert_eq!(postgres_address("postgresql://me@host/db"), tcp("host", 5432));
        assert_eq!(postgres_address("postgresql://me:pw@[::1]:77/db"), tcp("::1", 77));
        let socket = Some(PostgresAt::Socket("/run/pg/.s.PGSQL.77".into()));
        assert_eq!(postgres_address("postgresql:///db?host=/run/pg&port=77"), socket);
        assert_eq!(postgres_address("postgresql://me@%2Frun%2Fpg:77/db"), socket);
        assert_eq!(postgres_address("postgresql:///db"), None);
    }

    #[test]
    fn a_file_that_is_no_database_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spalla.db");
        assert_eq!(sqlite(&path).status, Status::Ok);
        std::fs::write(&path, "no database at all, only text").unwrap();
        assert_eq!(sqlite(&path).status, Status::Fail);
    }
}
