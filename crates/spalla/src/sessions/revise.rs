//! A plan in the person's own editor, as the JSON that `--plan` reads.

use super::agents::Agents;
use super::plan::of_text;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use spalla_domain::plan::{Plan, PlanItem, written};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Lets a person change a plan. One that can't be used is theirs to mend.
pub(super) fn revise(items: Vec<PlanItem>, agents: &Agents) -> Result<Vec<PlanItem>> {
    let editor = editor()?;
    let named = tempfile::Builder::new().prefix("spalla-plan-").suffix(".json").tempfile();
    let mut copy = named.map_err(file("making a file for the plan", &std::env::temp_dir()))?;
    let text = written(&Plan { items });
    copy.write_all(text.as_bytes()).map_err(file("writing the plan", copy.path()))?;
    loop {
        edit(&editor, copy.path())?;
        let text = std::fs::read_to_string(copy.path()).map_err(file("reading the plan", copy.path()))?;
        if text.trim().is_empty() {
            return Err(Failure::new(Exit::Stopped, "the plan is empty: nothing was started"));
        }
        match of_text(&text, agents) {
            Ok(items) => return Ok(items),
            Err(wrong) => {
                let failure = Failure::usage(format!("the plan can't be used: {wrong}"));
                if !output::can_ask() || !output::confirm(&format!("{failure}. Change it again?"))? {
                    return Err(failure);
                }
            }
        }
    }
}

/// Returns the editor that the person chose, as words of a shell.
fn editor() -> Result<String> {
    let chosen = ["VISUAL", "EDITOR"].iter().filter_map(|name| std::env::var(name).ok());
    let chosen = chosen.map(|words| words.trim().to_owned()).find(|words| !words.is_empty());
    let usual = output::can_ask().then(|| "vi".to_owned());
    chosen.or(usual).ok_or_else(|| {
        Failure::usage("--revise-plan: no editor is named, and there is no terminal for one").mend(
            "set EDITOR, change it on the page with --revise-plan=page, or hand the plan in with --plan FILE",
        )
    })
}

fn edit(editor: &str, path: &Path) -> Result<()> {
    // As git does it: the words are the shell's, the path is one argument.
    let ended = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path).status();
    let ended = ended.map_err(file("starting the editor for", path))?;
    if ended.success() {
        return Ok(());
    }
    Err(Failure::new(Exit::Stopped, format!("the editor {editor:?} ended with {ended}: nothing was started")))
}
