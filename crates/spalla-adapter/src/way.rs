//! The ways in which one program can be spoken with: the one that its adapter begins with, and the one for a program that
//! is too old for it, or does not do what is wished in it.

use crate::command_line::{Wishes, command_line};
use crate::definition::{CommandTemplate, Definition, PromptBy};
use crate::installed::Installed;
use crate::listen::Format;
use serde::Deserialize;

/// Another way to call the program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// What it prints then.
    pub output: Format,
    /// How it takes the prompt then.
    pub prompt: PromptBy,
    /// How it is called then.
    #[serde(default)]
    pub command: CommandTemplate,
}

impl Definition {
    /// Tells whether it is spoken with while it works.
    pub fn is_dialogue(&self) -> bool {
        self.prompt == PromptBy::Dialogue
    }

    /// Returns the adapter with its other way in the place of the first; none where there is no other.
    pub fn other_way(&self) -> Option<Self> {
        let Fallback { output, prompt, command } = self.fallback.clone()?;
        Some(Self { output, prompt, command, needs: None, fallback: None, ..self.clone() })
    }

    /// Returns the adapter as this program is called for these wishes: in its other way where it lacks what the first one
    /// needs, or where that one leaves more of the wishes open.
    pub fn way(&self, installed: &Installed, wishes: &Wishes) -> Self {
        let Some(other) = self.other_way() else { return self.clone() };
        let lacks = self.needs.as_ref().is_some_and(|flag| !installed.has(flag));
        let open = |way: &Self| command_line(way, installed, wishes, "").missed(way).count();
        if lacks || open(self) > open(&other) { other } else { self.clone() }
    }

    /// Refuses a way of speaking that the output is not made for.
    pub(crate) fn check_ways(&self) -> Result<(), (&'static str, String)> {
        check("prompt", self.prompt, self.output)?;
        match &self.fallback {
            Some(other) => check("fallback.prompt", other.prompt, other.output),
            None if self.needs.is_some() => {
                Err(("needs", "there is no [fallback] for programs without that flag".into()))
            }
            None => Ok(()),
        }
    }
}

fn check(key: &'static str, prompt: PromptBy, output: Format) -> Result<(), (&'static str, String)> {
    match (prompt == PromptBy::Dialogue, output.may_be_dialogue(), output.is_dialogue_alone()) {
        (true, false, _) => {
            let what = "it is \"dialogue\" with the outputs \"acp\", \"app-server\" and \"claude-stream-json\" alone";
            Err((key, what.into()))
        }
        (false, _, true) => Err((key, "it is \"dialogue\" with this output, and nothing else".into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::built_in;

    fn built(name: &str) -> Definition {
        built_in().unwrap().into_iter().find(|definition| definition.name == name).unwrap()
    }

    #[test]
    fn a_program_that_lacks_what_a_dialogue_needs_is_called_in_the_other_way() {
        for (name, old, way) in [
            ("codex", "codex-cli 0.58.0", Format::CodexJsonl),
            ("claude", "2.0.1 (Claude Code)", Format::ClaudeStreamJson),
            ("gemini", "0.11.0", Format::GeminiStreamJson),
        ] {
            let definition = built(name);
            let of = |version| definition.way(&Installed::read(&definition, version, ""), &Wishes::default());
            assert!(of("").is_dialogue(), "{name}");
            assert_eq!((of(old).is_dialogue(), of(old).output), (false, way), "{name}");
            assert!(of(old).other_way().is_none(), "{name}");
        }
    }

    #[test]
    fn a_wish_that_a_dialogue_has_no_way_for_is_met_in_the_other_way() {
        let definition = built("codex");
        let newest = Installed::read(&definition, "", "");
        let of = |wishes: Wishes| definition.way(&newest, &wishes).output;
        let schema = Some(("{}".to_owned(), "/f".to_owned()));
        let said = Wishes {
            model: Some("m".into()),
            web_search: Some(true),
            folders: vec!["/a".into()],
            schema,
            resume: Some("t".into()),
            ..Wishes::default()
        };
        assert_eq!(of(said), Format::AppServer);
        assert_eq!(of(Wishes { profile: Some("work".into()), ..Wishes::default() }), Format::CodexJsonl);
    }

    #[test]
    fn a_way_of_speaking_that_an_output_is_not_made_for_is_refused() {
        let least = "name = 'a'\ntitle = 't'\nprogram = 'p'\ninstall = 'i'\n";
        for (text, wanted) in [
            ("output = 'text'\nprompt = 'dialogue'\n", "line 6, prompt: it is \"dialogue\" with the outputs"),
            ("output = 'acp'\nprompt = 'stdin'\n", "line 6, prompt: it is \"dialogue\" with this output"),
            (
                "output = 'acp'\nprompt = 'dialogue'\nneeds = '--acp'\n",
                "line 7, needs: there is no [fallback]",
            ),
            (
                "output = 'text'\nprompt = 'stdin'\n[fallback]\noutput = 'app-server'\nprompt = 'stdin'\n",
                "line 9, fallback.prompt: ",
            ),
        ] {
            let error = Definition::parse(&format!("{least}{text}")).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let both = "output = 'claude-stream-json'\nprompt = 'dialogue'\n[fallback]\noutput = 'text'\nprompt = 'argument'\n";
        assert!(Definition::parse(&format!("{least}{both}")).is_ok());
    }
}
