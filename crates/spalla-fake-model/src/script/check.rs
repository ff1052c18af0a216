//! What a script's form can't say: rules that could never do what they are written for are refused.

use super::{Act, Error, Kind, Rule, Script, Spell};

/// Nobody waits longer for one answer; a script that says so has a slip in it.
const DELAY_MS_MAX: u64 = 600_000;

/// Returns the script, or the first thing about it that makes no sense.
pub(super) fn sensible(script: Script) -> Result<Script, Error> {
    if script.rules.is_empty() {
        return Err(Error::Sense { rule: "1".to_owned(), what: "there is none".to_owned() });
    }
    for (index, rule) in script.rules.iter().enumerate() {
        complaint(rule).map_or(Ok(()), |what| Err(Error::Sense { rule: script.name_of(index), what }))?;
    }
    Ok(script)
}

fn complaint(rule: &Rule) -> Option<String> {
    if rule.then.is_empty() {
        return Some("it has no acts".to_owned());
    }
    if rule.when.nth == Some(0) {
        return Some("`nth` counts from 1".to_owned());
    }
    if let Some(name) = rule.when.headers.keys().find(|name| name.chars().any(char::is_uppercase)) {
        return Some(format!("the header `{name}` has to be in small letters"));
    }
    rule.then.iter().enumerate().find_map(|(index, act)| {
        let is_last = index + 1 == rule.then.len();
        wrong(act, is_last).map(|what| format!("act {}: {what}", index + 1))
    })
}

fn wrong(act: &Act, is_last: bool) -> Option<String> {
    let what = match act {
        Act::Write { path, .. } if path.is_empty() || path.ends_with('/') => "`path` names no file",
        Act::Write { path, .. } if path.contains(['\n', '\0']) => "`path` has a line break in it",
        Act::Run(command) if command.trim().is_empty() => "there is no command",
        Act::Call { tool, .. } if tool.is_empty() => "`tool` is empty",
        Act::Call { arguments, .. } if !arguments.is_object() && !arguments.is_string() => {
            "`arguments` is neither an object nor a string"
        }
        Act::DelayMs(ms) if *ms > DELAY_MS_MAX => "a delay of more than ten minutes",
        Act::Usage(tokens) if tokens.cached > tokens.input => "more tokens cached than read",
        Act::Usage(tokens) if tokens.reasoning > tokens.output => "more tokens of reasoning than said",
        Act::Drip { bytes: 0, .. } => "a drip of no bytes",
        Act::Refuse(_) if !is_last => "nothing can follow a refusal",
        Act::Fail(fail) if fail.kind == Kind::BadRequest && fail.in_stream => {
            "a bad request is refused before a stream begins"
        }
        Act::Fail(fail) if fail.status.is_some_and(|status| !(400..=599).contains(&status)) => {
            "`status` is no error"
        }
        Act::Fail(fail) if fail.status.is_some() && fail.in_stream => {
            "an error within a stream has no status of its own"
        }
        Act::Fail(fail) => return never(fail.spell()),
        Act::Hang(hang) => return never(hang.spell()),
        Act::Cut(spell) | Act::Garble(spell) => return never(*spell),
        _ => return None,
    };
    Some(what.to_owned())
}

fn never(spell: Spell) -> Option<String> {
    let is_never = spell.times == Some(0) || spell.seconds == Some(0);
    is_never.then(|| "a fault that lasts for no request".to_owned())
}
