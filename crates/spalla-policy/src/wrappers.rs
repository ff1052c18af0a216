//! Programs that run the program that their arguments name: `env`, `nice`, `sudo`, `xargs` and their like.

/// How a program's own arguments end and those of the program that it runs begin.
struct Wrapper {
    names: &'static [&'static str],
    /// Its options that take the next argument.
    values: &'static [&'static str],
    /// How many words of its own stand before the program.
    words: usize,
    /// Whether `NAME=value` may stand before the program.
    assigns: bool,
}

const WRAPPERS: &[Wrapper] = &[
    wrapper(
        &[
            "builtin",
            "nohup",
            "coproc",
            "busybox",
            "toybox",
            "chronic",
            "unbuffer",
            "command",
            "time",
            "catchsegv",
        ],
        &["-f", "-o", "--format", "--output"],
        0,
    ),
    // Its short options are letters alone, of which others take a value.
    wrapper(&["setsid", "npx", "bunx", "corepack"], &["--package"], 0),
    wrapper(&["exec"], &["-a"], 0),
    Wrapper { assigns: true, ..wrapper(&["env"], &["-u", "-C", "-a", "--unset", "--chdir", "--argv0"], 0) },
    wrapper(&["nice"], &["-n", "--adjustment"], 0),
    wrapper(&["ionice"], &["-c", "-n", "--class", "--classdata"], 0),
    wrapper(&["timeout"], &["-s", "-k", "--signal", "--kill-after"], 1),
    wrapper(&["stdbuf"], &["-i", "-o", "-e", "--input", "--output", "--error"], 0),
    Wrapper {
        assigns: true,
        ..wrapper(
            &["sudo"],
            &[
                "-u",
                "-g",
                "-C",
                "-h",
                "-p",
                "-r",
                "-t",
                "-T",
                "-U",
                "-D",
                "-R",
                "--user",
                "--group",
                "--chdir",
                "--host",
                "--prompt",
                "--role",
                "--type",
                "--chroot",
                "--close-from",
                "--command-timeout",
                "--other-user",
            ],
            0,
        )
    },
    wrapper(&["doas"], &["-u", "-C", "-a"], 0),
    wrapper(
        &["chroot", "taskset", "chrt", "gosu", "su-exec", "flock"],
        &["-w", "-E", "-T", "-P", "-D", "--timeout", "--conflict-exit-code"],
        1,
    ),
    wrapper(
        &["unshare", "nsenter"],
        &["-t", "-S", "-G", "-R", "-w", "--target", "--setuid", "--setgid", "--root", "--wd"],
        0,
    ),
    wrapper(
        &[
            "setpriv",
            "prlimit",
            "numactl",
            "dbus-run-session",
            "fakeroot",
            "xvfb-run",
            "linux32",
            "linux64",
            "setarch",
        ],
        &["-n", "-s", "--reuid", "--regid", "-N", "-m"],
        0,
    ),
    wrapper(
        &["strace", "ltrace"],
        &["-e", "-o", "-s", "-a", "-p", "-u", "-E", "-P", "-I", "-b", "-O", "-S", "-X"],
        0,
    ),
    wrapper(&["runuser"], &["-u", "-g", "-G", "--user", "--group"], 0),
    wrapper(
        &["systemd-run"],
        &[
            "-p",
            "-u",
            "-M",
            "-H",
            "-E",
            "--unit",
            "--property",
            "--uid",
            "--gid",
            "--setenv",
            "--slice",
            "--working-directory",
        ],
        0,
    ),
];

const fn wrapper(names: &'static [&'static str], values: &'static [&'static str], words: usize) -> Wrapper {
    Wrapper { names, values, words, assigns: false }
}

/// Returns the program that a command runs and its arguments, if the command is a wrapper and runs one.
pub(crate) fn unwrap<'a>(program: &str, arguments: &'a [String]) -> Option<&'a [String]> {
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&program))?;
    let is_question = |argument: &String| matches!(argument.as_str(), "-v" | "-V" | "--list");
    if matches!(program, "command" | "busybox") && arguments.first().is_some_and(is_question) {
        return None;
    }
    let mut at = 0;
    let mut words = wrapper.words;
    while let Some(argument) = arguments.get(at) {
        if argument == "--" {
            at += 1;
            // What it wants for itself may stand behind the mark as well.
            at += words;
            break;
        } else if argument.starts_with('-') && argument.len() > 1 {
            at += if wrapper.values.contains(&argument.as_str()) { 2 } else { 1 };
        } else if wrapper.assigns && is_assignment(argument) {
            at += 1;
        } else if words > 0 {
            words -= 1;
            at += 1;
        } else {
            break;
        }
    }
    arguments.get(at..).filter(|rest| !rest.is_empty())
}

/// Whether an argument sets a variable: `NAME=value`.
pub(crate) fn is_assignment(argument: &str) -> bool {
    argument.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// Whether text is a variable's name.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |char: char| char == '_' || char.is_ascii_alphanumeric();
    !text.is_empty() && text.chars().all(is_part) && !text.starts_with(|char: char| char.is_ascii_digit())
}
