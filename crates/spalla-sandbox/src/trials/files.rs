//! Ways to reach files that are not the command's, and to leave too much.

use super::{Ground, Outcome, look_back};
use rustix::fs::{AtFlags, Mode, OFlags, Timestamps, XattrFlags};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// Files of the minimal `/dev`, and what is private in it.
const OWN_DEVICES: [&str; 12] =
    ["null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm"];
/// What may be shown of a home.
const TOOLCHAIN_FOLDERS: [&str; 8] = [".cargo", ".rustup", ".pyenv", ".nvm", ".rbenv", ".deno", ".bun", "go"];
const MEBIBYTE: usize = 1024 * 1024;

fn secret(path: &Path) -> Outcome {
    match fs::read_to_string(path) {
        Ok(text) => Outcome::Escaped(format!("read {} bytes of {}", text.len(), path.display())),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

pub(super) fn read_outside(ground: &Ground) -> Outcome {
    secret(&ground.outside.join("secret"))
}

/// What only root may read, although it lies where everything else may be read.
pub(super) fn read_shadow(_: &Ground) -> Outcome {
    secret(Path::new("/etc/shadow"))
}

pub(super) fn write_system(_: &Ground) -> Outcome {
    let path = format!("/usr/local/share/.spalla-trial-{}", std::process::id());
    let outcome = Outcome::of(File::create_new(&path));
    let _ = fs::remove_file(path);
    outcome
}

pub(super) fn write_outside(ground: &Ground) -> Outcome {
    Outcome::of(fs::write(ground.outside.join("planted"), "x"))
}

pub(super) fn remove_outside(ground: &Ground) -> Outcome {
    Outcome::of(fs::remove_file(ground.outside.join("doomed")))
}

pub(super) fn rename_outside(ground: &Ground) -> Outcome {
    fs::write("planted", "x").map_or_else(
        |error| Outcome::Held(error.to_string()),
        |()| Outcome::of(fs::rename("planted", ground.outside.join("renamed"))),
    )
}

pub(super) fn chmod_outside(ground: &Ground) -> Outcome {
    Outcome::of(fs::set_permissions(ground.outside.join("secret"), Permissions::from_mode(0o644)))
}

pub(super) fn xattr_outside(ground: &Ground) -> Outcome {
    Outcome::of(rustix::fs::setxattr(
        ground.outside.join("secret"),
        c"user.spalla",
        b"x",
        XattrFlags::empty(),
    ))
}

pub(super) fn times_outside(ground: &Ground) -> Outcome {
    let time = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Outcome::of(rustix::fs::utimensat(
        rustix::fs::CWD,
        ground.outside.join("secret"),
        &times,
        AtFlags::empty(),
    ))
}

/// To whom it belongs already: its owner may do that.
pub(super) fn owner_outside(ground: &Ground) -> Outcome {
    let own = rustix::process::geteuid().as_raw();
    Outcome::of(std::os::unix::fs::chown(ground.outside.join("secret"), Some(own), None))
}

pub(super) fn truncate_outside(ground: &Ground) -> Outcome {
    let opened = fs::OpenOptions::new().write(true).open(ground.outside.join("secret"));
    Outcome::of(opened.and_then(|file| file.set_len(0)))
}

/// A way out that is no link itself: a folder on the way to the file is one.
pub(super) fn link_in_folders(ground: &Ground) -> Outcome {
    let _ = fs::remove_file("way");
    match symlink(&ground.outside, "way") {
        Ok(()) => secret(Path::new("way/../outside/secret")),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

pub(super) fn read_through_link(ground: &Ground) -> Outcome {
    let _ = fs::remove_file("link");
    match symlink(ground.outside.join("secret"), "link") {
        Ok(()) => secret(Path::new("link")),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

pub(super) fn hard_link(ground: &Ground) -> Outcome {
    let _ = fs::remove_file("hard-link");
    Outcome::of(fs::hard_link(ground.outside.join("secret"), "hard-link"))
}

/// The places of others: homes, state, what is mounted. Toolchains are shown where they are, also in a home.
pub(super) fn see_home(ground: &Ground) -> Outcome {
    let mut seen = Vec::new();
    for place in ["/root", "/home", "/opt", "/var/lib", "/var/log", "/sys", "/boot", "/mnt", "/srv", "/tmp"] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_toolchain = TOOLCHAIN_FOLDERS.iter().any(|name| path.ends_with(name));
            // What leads to the workspace and the program is there, too.
            let is_own = [std::env::current_dir(), std::env::current_exe()]
                .iter()
                .any(|own| own.as_ref().is_ok_and(|own| own.starts_with(&path)));
            if !is_toolchain && (!is_own || ground.outside.starts_with(&path) && ground.outside.exists()) {
                seen.push(path.display().to_string());
            }
        }
    }
    if seen.is_empty() { Outcome::Held("nothing is there".into()) } else { Outcome::Escaped(seen.join(" ")) }
}

pub(super) fn devices(_: &Ground) -> Outcome {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !OWN_DEVICES.contains(&name.as_str()))
        .collect();
    match names.as_slice() {
        [] => Outcome::Held("only those that lead nowhere".into()),
        some => Outcome::Escaped(some.join(" ")),
    }
}

pub(super) fn setuid_chmod(_: &Ground) -> Outcome {
    let made = fs::write("planted", "x");
    Outcome::of(made.and_then(|()| fs::set_permissions("planted", Permissions::from_mode(0o4755))))
}

pub(super) fn setuid_open(_: &Ground) -> Outcome {
    let _ = fs::remove_file("planted-open");
    let mode = Mode::from_raw_mode(0o4755);
    let made = rustix::fs::open("planted-open", OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, mode);
    match made.map_err(io::Error::from).and_then(|file| File::from(file).metadata()) {
        Ok(found) if found.mode() & 0o4000 != 0 => Outcome::Escaped("a file that runs as its owner".into()),
        Ok(_) => Outcome::Held("the file has no such bit".into()),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// A program in the workspace that runs as its owner, who is somebody else.
pub(super) fn setuid_run(_: &Ground) -> Outcome {
    let before = rustix::process::geteuid().as_raw().to_string();
    let run = std::process::Command::new("./setuid-id").arg("-u").output();
    match run {
        Ok(output) if output.status.success() => {
            let after = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if after == before {
                Outcome::Held(format!("still user {after}"))
            } else {
                Outcome::Escaped(format!("user {after}"))
            }
        }
        Ok(output) => Outcome::Held(output.status.to_string()),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// Writes so many MiB, in files of 4.
pub(super) fn fill_disk(ground: &Ground) -> Outcome {
    let chunk = vec![7; 4 * MEBIBYTE];
    let write = || -> io::Result<()> {
        (0..ground.amount.div_ceil(4)).try_for_each(|number| fs::write(format!("fill-{number}"), &chunk))?;
        look_back();
        Ok(())
    };
    Outcome::of(write())
}

pub(super) fn fill_inodes(ground: &Ground) -> Outcome {
    let write = || -> io::Result<()> {
        for number in 0..ground.amount {
            fs::write(format!("inode-{number}"), "")?;
        }
        look_back();
        Ok(())
    };
    Outcome::of(write())
}

/// Writes so many MiB into files that have no name any more.
pub(super) fn fill_unlinked(ground: &Ground) -> Outcome {
    let chunk = vec![7; 4 * MEBIBYTE];
    let write = || -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for _ in 0..ground.amount.div_ceil(4) {
            let mut file = File::create("unlinked")?;
            fs::remove_file("unlinked")?;
            file.write_all(&chunk)?;
            files.push(file);
        }
        look_back();
        Ok(files)
    };
    Outcome::of(write())
}

/// Writes so many MiB into one file.
pub(super) fn one_large_file(ground: &Ground) -> Outcome {
    let chunk = vec![7; MEBIBYTE];
    let write = || -> io::Result<()> {
        let mut file = File::create("large")?;
        (0..ground.amount).try_for_each(|_| file.write_all(&chunk))
    };
    Outcome::of(write())
}
