//! `spalla man`: manual pages, from the same definitions as the command line itself.

use crate::cli::{absolute, definition};
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use clap::Args;
use clap_mangen::Man as Page;
use std::fs;
use std::path::{Path, PathBuf};

/// Prints the manual page of spalla, or writes the pages of all commands into a folder.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder that gets a page for every command, such as ~/.local/share/man/man1
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> Result<Exit> {
        match self.out {
            None => output::bytes(&rendered(&Page::new(definition()))?)?,
            Some(folder) => {
                let folder = absolute(&folder)?;
                let count = write_all(&folder)?;
                output::line(format_args!("{count} pages are in {}", folder.display()))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn write_all(folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder).map_err(file("making", folder))?;
    let pages = pages();
    for page in &pages {
        let path = folder.join(page.get_filename());
        let text = rendered(page)?;
        fs::write(&path, text).map_err(file("writing", &path))?;
    }
    Ok(pages.len())
}

/// Returns a page for the program and for each of its commands, whatever their depth.
fn pages() -> Vec<Page> {
    let mut top = definition();
    top.build();
    let mut open = vec![top];
    let mut pages = Vec::new();
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        pages.push(Page::new(command).source(concat!("spalla ", env!("CARGO_PKG_VERSION"))));
    }
    pages
}

fn rendered(page: &Page) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let rendered = page.render(&mut text);
    rendered.map_err(|error| Failure::failed(format!("rendering {}: {error}", page.get_filename())))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every command with the names of those above it, joined as pages are called.
    fn commands() -> BTreeSet<String> {
        let mut open = vec![(String::new(), definition())];
        let mut names = BTreeSet::new();
        while let Some((above, command)) = open.pop() {
            let name = format!("{above}{}", command.get_name());
            let below = format!("{name}-");
            open.extend(command.get_subcommands().map(|command| (below.clone(), command.clone())));
            names.insert(format!("{name}.1"));
        }
        names
    }

    #[test]
    fn every_command_has_a_page_that_says_what_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("man1");
        let count = write_all(&below).unwrap();
        let written: BTreeSet<String> =
            fs::read_dir(&below).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!((written.len(), &written), (count, &commands()));
        for name in written {
            let text = fs::read_to_string(below.join(&name)).unwrap();
            for wanted in [".TH ", ".SH NAME", ".SH SYNOPSIS", "Exit status:"] {
                assert!(text.contains(wanted), "{name}: {wanted}\n{text}");
            }
        }
    }

    #[test]
    fn the_main_page_names_every_command() {
        let text = String::from_utf8(rendered(&Page::new(definition())).unwrap()).unwrap();
        for command in definition().get_subcommands() {
            assert!(text.contains(&command.get_name().replace('-', "\\-")), "{}", command.get_name());
        }
    }
}
