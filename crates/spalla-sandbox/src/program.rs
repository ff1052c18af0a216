//! The program of a command: where it is, and what of it has to be seen for it to run.

use crate::refusal::Error;
use crate::toolchains::is_wide;
use crate::view::{Access, View};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How far one interpreter may name another one.
const INTERPRETERS_MAX: usize = 4;
/// How much of a file is read for the name of its interpreter, in bytes; the kernel reads as much.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// Finds a program as a shell would from that folder with that search path.
pub(crate) fn find(program: &str, search_path: &str, folder: &Path) -> Result<PathBuf, Error> {
    let missing = |reason: &str| Error::Program { program: program.to_owned(), reason: reason.to_owned() };
    if program.is_empty() {
        return Err(missing("it has no name"));
    }
    if program.contains('/') {
        let path = folder.join(program);
        return match fs::metadata(&path) {
            Ok(found) if is_program(&found) => Ok(path),
            Ok(_) => Err(missing("it is not an executable file")),
            Err(error) => Err(missing(&error.to_string())),
        };
    }
    std::env::split_paths(search_path)
        .map(|place| folder.join(place).join(program))
        .find(|path| fs::metadata(path).is_ok_and(|found| is_program(&found)))
        .ok_or_else(|| missing("not found on the search path"))
}

fn is_program(found: &fs::Metadata) -> bool {
    found.is_file() && found.permissions().mode() & 0o111 != 0
}

/// Shows a program, the package that it is part of, and its interpreter. Returns the path to execute. Of what lies where
/// commands write, nothing is believed: no link of it is followed, and no interpreter that it names is shown.
pub(crate) fn show(
    view: &mut View,
    path: &Path,
    search_path: &str,
    home: Option<&Path>,
) -> Result<PathBuf, Error> {
    let failed = |source| Error::Path { path: path.to_owned(), source };
    let mut start = None;
    let mut path = path.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        if is_foreign(view, &path) {
            start.get_or_insert(path);
            break;
        }
        let real = fs::canonicalize(&path).map_err(failed)?;
        if !view.shows(&real) {
            view.read(package_of(&real, home));
        }
        // Some programs are told what to be by the path they are called at, so that is kept where it can be.
        let seen = if view.leads(&path) { path.clone() } else { real.clone() };
        start.get_or_insert(seen);
        match interpreter(&real, search_path) {
            Some(next) => path = next,
            None => break,
        }
    }
    Ok(start.unwrap_or_default())
}

/// Tells whether commands could have put a path there: the file, a link to it, or a folder on the way.
fn is_foreign(view: &View, path: &Path) -> bool {
    let folders = path.ancestors().skip(1).filter_map(|folder| fs::canonicalize(folder).ok());
    let real = fs::canonicalize(path).ok();
    folders.chain(real).any(|place| view.access(&place) == Some(Access::Write))
}

/// Returns what has to be seen besides the program itself: the folder into which it was installed, if that is its own.
fn package_of(program: &Path, home: Option<&Path>) -> PathBuf {
    let modules = program.ancestors().filter(|folder| folder.ends_with("node_modules")).last();
    let marked = program
        .ancestors()
        .skip(1)
        .take(3)
        .find(|folder| folder.join("package.json").exists() || folder.join("pyvenv.cfg").exists());
    let folder = program.parent();
    let installed = folder.filter(|folder| folder.ends_with("bin")).and_then(Path::parent);
    let is_own = |folder: &&Path| !is_wide(folder, home) && !is_hidden_in(folder, home);
    let package = modules.or(marked).or(installed).filter(is_own);
    package.unwrap_or(program).to_owned()
}

/// What lies hidden in the home may hold an agent's credentials beside the agent.
fn is_hidden_in(folder: &Path, home: Option<&Path>) -> bool {
    let real_home = home.and_then(|home| fs::canonicalize(home).ok());
    folder.parent() == real_home.as_deref()
        && folder.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with('.'))
}

/// Returns the interpreter that a script names in its first line.
fn interpreter(script: &Path, search_path: &str) -> Option<PathBuf> {
    let mut line = Vec::new();
    // A pipe in the place of a script would be waited for.
    if !is_program(&fs::metadata(script).ok()?) {
        return None;
    }
    File::open(script).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    // The kernel divides words at these and at nothing else.
    let mut words = std::str::from_utf8(line).ok()?.split([' ', '\t']).filter(|word| !word.is_empty());
    let first = Path::new(words.next()?);
    if first.ends_with("env") {
        let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        return find(name, search_path, Path::new("/")).ok();
    }
    fs::metadata(first).is_ok_and(|found| is_program(&found)).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_program_brings_its_package_and_its_interpreter() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let interpreter = script(&place, "lang/bin/lang", "\x7fELF");
        let agent =
            script(&place, "lib/node_modules/agent/cli.js", &format!("#!{}\n", interpreter.display()));
        let mut view = View::default();
        let start = show(&mut view, &agent, "", None).unwrap();
        assert_eq!(start, agent);
        assert!(view.shows(&place.join("lib/node_modules/agent/rest.js")));
        assert!(view.shows(&place.join("lang/lib/of-the-language")));
        assert!(!view.shows(&place.join("lib/else")));
    }

    #[test]
    fn what_lies_where_commands_write_brings_nothing_along() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let secret = script(&place, "secret/tool", "\x7fELF");
        let workspace = place.join("workspace");
        let script = |name: &str, text: String| script(&workspace, name, &text);
        let named = script("named", format!("#!{}\n", secret.display()));
        std::os::unix::fs::symlink(place.join("secret"), workspace.join("link")).unwrap();
        let linked = script("linked", format!("#!{}\x0cx\n", workspace.join("link").display()));
        let through = workspace.join("link/tool");
        std::os::unix::fs::symlink(&secret, workspace.join("direct")).unwrap();
        for program in [named, linked, workspace.join("direct"), through] {
            let mut view = View::default();
            view.write(workspace.clone());
            assert_eq!(show(&mut view, &program, "", None).unwrap(), program);
            assert!(!view.shows(&secret), "{}", program.display());
        }
    }

    #[test]
    fn the_words_of_a_first_line_are_divided_as_the_kernel_does() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let wanted = script(&place, "a\x0cb", "\x7fELF");
        script(&place, "a", "\x7fELF");
        let text = format!("#! \t{}\targument\n", wanted.display());
        let script = script(&place, "script", &text);
        assert_eq!(interpreter(&script, ""), Some(wanted));
    }

    #[test]
    fn a_program_in_a_hidden_folder_of_the_home_comes_alone() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let agent = script(&home, ".agent/bin/agent", "\x7fELF");
        let mut view = View::default();
        show(&mut view, &agent, "", Some(&home)).unwrap();
        assert!(view.shows(&agent));
        assert!(!view.shows(&home.join(".agent/credentials.json")));
    }

    #[test]
    fn what_is_not_there_is_named_with_the_reason() {
        let error = find("no-such-program", "/usr/bin", Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "starting \"no-such-program\": not found on the search path");
        assert!(find("/etc/passwd", "", Path::new("/")).is_err());
    }
}
