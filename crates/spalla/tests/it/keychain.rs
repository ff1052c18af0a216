//! The keys of secrets in the keychain of the desktop: a real keyring on a bus of its own.

use crate::process::{Ended, Home, PATIENCE, ended};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The password of the keyring.
const PASSWORD: &str = "open sesame";

/// A session's bus with GNOME's keyring on it; both are ended with it.
struct Desktop {
    bus: Child,
    keyring: Option<Child>,
    address: String,
    folder: PathBuf,
}

impl Desktop {
    /// Starts a bus that starts no program by itself.
    fn new(home: &Home) -> Self {
        let folder = home.path("desktop");
        fs::create_dir(&folder).expect("a folder");
        let config = folder.join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            folder.join("bus").display()
        );
        fs::write(&config, text).expect("its configuration");
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address"]);
        let mut bus = command.stdout(Stdio::piped()).spawn().expect("dbus-daemon, of the package dbus");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().expect("its output")).read_line(&mut address).expect("its address");
        Self { bus, keyring: None, address: address.trim().to_owned(), folder }
    }

    /// Starts the keyring, and opens it with a password.
    fn unlock(&mut self) {
        self.start_keyring(Some(PASSWORD));
    }

    fn start_keyring(&mut self, password: Option<&str>) {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).args(password.map(|_| "--unlock"));
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address).env("HOME", &self.folder);
        command.env("XDG_DATA_HOME", self.folder.join("data")).env("XDG_RUNTIME_DIR", &self.folder);
        command.env_remove("DISPLAY").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keyring = command.spawn().expect("gnome-keyring-daemon, of the package gnome-keyring");
        let mut stdin = keyring.stdin.take().expect("its input");
        stdin.write_all(password.unwrap_or_default().as_bytes()).expect("the password");
        drop(stdin);
        self.keyring = Some(keyring);
        self.wait_for_keyring();
    }

    /// The bus itself says when somebody has the name.
    fn wait_for_keyring(&self) {
        let mut command = Command::new("dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
        command.args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        let start = std::time::Instant::now();
        loop {
            let told = ended(command.output().expect("dbus-send"));
            if told.stdout.contains("true") {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the keyring is not on the bus: {told:?}");
            pause();
        }
    }

    fn end_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            let _ = keyring.kill();
            let _ = keyring.wait();
        }
    }

    /// Calls the binary with the keychain as the place of keys.
    fn call(&self, home: &Home, args: &[&str]) -> Ended {
        let mut command = home.command(args);
        command.env("ORCH_SECRET_KEY_STORE", "keychain").env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        ended(command.output().expect("the binary runs"))
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.end_keyring();
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "another process has no signal to wait for")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

fn key_file(home: &Home) -> String {
    fs::read_to_string(home.data().join("secret.key")).expect("the key file").trim().to_owned()
}

fn key_id(told: Ended) -> String {
    let told: serde_json::Value = serde_json::from_str(&told.good()).expect("JSON");
    told["key_id"].as_str().expect("a key").to_owned()
}

#[test]
fn a_key_lives_in_the_keychain_and_moves_into_it_and_out_of_it_again() {
    let home = Home::new();
    let mut desktop = Desktop::new(&home);
    desktop.unlock();
    let rotate = ["secrets", "rotate", "--json"];
    // Out of the file, and into the keychain.
    key_id(home.run(&rotate));
    let of_file = key_file(&home);
    let first = key_id(desktop.call(&home, &rotate));
    assert_eq!(key_file(&home), "keychain");
    // Another one, which opens with the keychain alone.
    let second = key_id(desktop.call(&home, &rotate));
    assert_ne!(first, second);
    let kept: Vec<_> =
        walk(&home.data()).into_iter().filter(|bytes| holds(bytes, of_file.as_bytes())).collect();
    assert!(kept.is_empty(), "the key of the file is still in the data folder");
    // Back into the file: what the keychain had is read once more, and then it has none.
    let mut back = home.command(&rotate);
    back.env("DBUS_SESSION_BUS_ADDRESS", &desktop.address);
    let third = key_id(ended(back.output().expect("the binary runs")));
    assert_ne!(second, third);
    assert_eq!(key_file(&home).len(), 44);
    assert_eq!(key_id(home.run(&rotate)).len(), third.len());
}

#[test]
fn a_keychain_that_is_away_locked_or_lost_is_said_with_the_mend_and_replaces_no_key() {
    let home = Home::new();
    let mut desktop = Desktop::new(&home);
    let rotate = ["secrets", "rotate"];
    let refused = |told: Ended, what: &str| {
        assert_eq!(told.status, Some(2), "{told:?}");
        assert!(told.stderr.contains(what) && told.stderr.contains("ORCH_SECRET_KEY"), "{}", told.stderr);
    };
    let mut without_bus = home.command(&rotate);
    without_bus.env("ORCH_SECRET_KEY_STORE", "keychain");
    refused(ended(without_bus.output().expect("it runs")), "DBUS_SESSION_BUS_ADDRESS names no session's bus");
    refused(desktop.call(&home, &rotate), "no program offers the Secret Service");
    desktop.unlock();
    desktop.call(&home, &rotate).good();
    assert_eq!(key_file(&home), "keychain");
    desktop.end_keyring();
    desktop.start_keyring(None);
    refused(desktop.call(&home, &rotate), "locked");
    assert_eq!(key_file(&home), "keychain");
    // A keychain that has forgotten is not taken for a new beginning.
    desktop.end_keyring();
    fs::remove_dir_all(desktop.folder.join("data")).expect("the keyring is lost");
    desktop.unlock();
    let told = desktop.call(&home, &rotate);
    assert_eq!(told.status, Some(2), "{told:?}");
    assert!(told.stderr.contains("the keychain has none for this folder"), "{}", told.stderr);
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn walk(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.file_type().expect("its kind").is_dir() {
            true => found.extend(walk(&entry.path())),
            false => found.extend(fs::read(entry.path())),
        }
    }
    found
}
