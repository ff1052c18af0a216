//! What a turn came to. Words count only where they are told as the end of a turn, on the standard error of a process
//! that failed, or as a denial: an agent that writes about rate limits has none.

use super::{Ended, folders};
use crate::definition::{Definition, Exit};
use crate::heard::{Denied, DeniedBy, TurnEnd};
use crate::listen::Format;
use crate::trouble::{Cause, Certainty, Trouble};
use jiff::Timestamp;

/// Exit codes by which a shell or a launcher tells of a signal that ended the program, the ones of a crash or a kill.
const OF_SIGNALS: [i32; 10] = [129, 132, 133, 134, 135, 136, 137, 139, 143, 159];
/// Exit codes by which a shell says that there is no such program, or none that it may start.
const NO_PROGRAM: [i32; 2] = [126, 127];

/// What a turn came to.
pub(super) enum What<'a> {
    /// It ended by itself, and nothing stood in its way.
    Done,
    /// Somebody stopped it.
    Interrupted,
    /// It ended by itself, and what a command was denied on the way is behind it.
    Passed(&'a Denied),
    /// Something around the work ended it.
    Trouble {
        /// Why.
        cause: Cause,
        /// What was said.
        text: String,
        /// When it is over.
        resets_at: Option<Timestamp>,
    },
    /// It was kept from something.
    Denied {
        /// How: by its folders, or otherwise.
        cause: Cause,
        /// What it was denied.
        denied: Vec<&'a Denied>,
    },
}

/// Finds out what a turn came to.
pub(super) fn what<'a>(adapter: &Definition, ended: &Ended<'a>) -> What<'a> {
    if let Some(found) = told(ended.troubles) {
        return found;
    }
    if ended.end == Some(TurnEnd::Interrupted) {
        return What::Interrupted;
    }
    if is_over_well(adapter, ended) { of_a_whole_turn(adapter, ended) } else { of_a_failure(adapter, ended) }
}

/// The trouble that ended the turn, if it has a name. What was denied is looked at with the denials.
fn told<'a>(troubles: &[Trouble]) -> Option<What<'a>> {
    let last = troubles.iter().rev().find(|trouble| trouble.is_final)?;
    let is_known = last.cause != Cause::Unknown && last.certainty > Certainty::Guessed;
    (is_known && !is_denial(last.cause)).then(|| of_trouble(last))
}

/// A command line that tells of the ends of its turns has to have told of this one. One that prints words or events of
/// its own says with its exit code that it is done.
fn is_over_well(adapter: &Definition, ended: &Ended<'_>) -> bool {
    match ended.end {
        // A process that is kept for further turns is ended by a signal, after the turn.
        Some(TurnEnd::Completed) => matches!(ended.exit_code, Some(0) | None),
        None => !tells_ends(adapter) && ended.exit_code == Some(0),
        Some(TurnEnd::Failed | TurnEnd::Interrupted) => false,
    }
}

fn tells_ends(adapter: &Definition) -> bool {
    !matches!(adapter.output, Format::Text | Format::JsonlEvents)
}

/// What a turn that ended by itself was denied.
///
/// A guard's denial always matters: the agent wanted a tool or a path and was kept from it, whatever it did instead and
/// whatever it says of it. Words in the output of a failed command matter less, since a command may fail on purpose, be
/// tried once more in another way, or print words about permissions that it was made for. They count as a side step only
/// where four things hold together: the turn ended by itself, something is different from before, a later step about the
/// same succeeded, and the answer does not say that something is missing. If one is not so, the last that is known of the
/// agent is that it was kept from something, and a person looks. That such a side step was not the very thing that was
/// wanted is not known here; the acceptance of the work item says so.
///
/// Words on the standard error of a process that did not fail are nobody's denial.
fn of_a_whole_turn<'a>(adapter: &Definition, ended: &Ended<'a>) -> What<'a> {
    if let Some(found) = by_guard(adapter, ended.denied) {
        return found;
    }
    // What is told once more of a guard's denial only takes that back.
    let is_twin =
        |one: &Denied| ended.denied.iter().any(|other| other.by == DeniedBy::Guard && is_same(other, one));
    let is_output = |one: &&Denied| matches!(one.by, DeniedBy::Output { .. }) && !is_twin(one);
    let outputs: Vec<&Denied> = ended.denied.iter().filter(is_output).collect();
    let open: Vec<&Denied> =
        outputs.iter().copied().filter(|denied| denied.by != DeniedBy::Output { was_passed: true }).collect();
    match (outputs.first(), open.is_empty(), ended.has_changed) {
        (None, ..) => What::Done,
        (Some(first), true, true) => What::Passed(first),
        (Some(_), true, false) => of_outputs(adapter, outputs),
        (Some(_), false, _) => of_outputs(adapter, open),
    }
}

/// What commands said that failed: that something was not allowed, or that the machine lacks something, which nobody can allow.
fn of_outputs<'a>(adapter: &Definition, denied: Vec<&'a Denied>) -> What<'a> {
    let is_lack = |denied: &&&Denied| adapter.trouble.cause_of(&denied.reason) == Some(Cause::Machine);
    match denied.iter().find(is_lack) {
        Some(lack) => trouble(Cause::Machine, lack.reason.clone()),
        None => What::Denied { cause: Cause::Denied, denied },
    }
}

/// What is known of a turn or a process that failed, from what says most to what says least.
fn of_a_failure<'a>(adapter: &Definition, ended: &Ended<'a>) -> What<'a> {
    let is_told = ended.troubles.iter().rfind(|trouble| trouble.is_final);
    // What was told of the end says more than the warnings and retries before it.
    let said = last(ended.troubles, |cause| !is_denial(cause)).filter(|_| is_told.is_none());
    let is_by_signal = is_told.is_none() && ended.exit_code.is_none_or(|code| OF_SIGNALS.contains(&code));
    // One that still tried again was ended because it did not stop by itself.
    if is_by_signal && !said.is_some_and(|said| is_tried_again(said.cause)) {
        let words = said.map_or_else(String::new, |said| format!("; the last words: {}", said.text));
        return trouble(Cause::Crashed, format!("a signal ended the process{words}"));
    }
    if let Some(said) = said {
        let before = || before_a_request(adapter, ended, said);
        return behind(said, ended.denied).or_else(before).unwrap_or_else(|| of_trouble(said));
    }
    // A conversation that began and has no end broke off, whatever it was denied before.
    if is_told.is_none() && ended.end.is_none() && ended.thread.is_some() {
        let code = ended.exit_code.map_or_else(String::new, |code| format!(", exit status {code}"));
        return trouble(Cause::Crashed, format!("the process ended within a turn{code}"));
    }
    if let Some(found) = by_guard(adapter, ended.denied) {
        return found;
    }
    if !ended.denied.is_empty() {
        return What::Denied { cause: Cause::Denied, denied: ended.denied.iter().collect() };
    }
    let of_exit = |exit: &&Exit| is_told.is_none() && Some(exit.code) == ended.exit_code;
    if let Some(exit) = adapter.exits.iter().find(of_exit) {
        return trouble(exit.cause, format!("the process ended with the exit status {}", exit.code));
    }
    match (is_told, ended.exit_code) {
        (Some(told), _) => of_trouble(told),
        (None, Some(code)) if NO_PROGRAM.contains(&code) => trouble(
            Cause::Machine,
            format!("the program was not found or may not be started: exit status {code}"),
        ),
        (None, code) => {
            if let Some(guessed) =
                ended.troubles.iter().rfind(|trouble| trouble.certainty == Certainty::Guessed)
            {
                return before_a_request(adapter, ended, guessed).unwrap_or_else(|| of_trouble(guessed));
            }
            let code = code.map_or_else(String::new, |code| format!(", exit status {code}"));
            trouble(Cause::Unknown, format!("the process ended and said nothing of it{code}"))
        }
    }
}

/// What was called wrong before there was any conversation was called so by the command line itself, and no service.
fn before_a_request<'a>(adapter: &Definition, ended: &Ended<'_>, said: &Trouble) -> Option<What<'a>> {
    let is_before = tells_ends(adapter) && ended.thread.is_none() && ended.end.is_none();
    let is_wrong = said.cause == Cause::BadRequest && said.certainty < Certainty::Clear;
    (is_before && is_wrong).then(|| trouble(Cause::Usage, said.text.clone()))
}

/// What the system did not allow, where that is why a program broke, or why it could not read a file of its own.
fn behind<'a>(said: &Trouble, denied: &'a [Denied]) -> Option<What<'a>> {
    let is_named = |denied: &Denied| denied.paths.iter().any(|path| said.text.contains(path.as_str()));
    let is_behind = |denied: &&Denied| match said.cause {
        Cause::Crashed => denied.by == DeniedBy::Stderr,
        Cause::Usage => denied.by == DeniedBy::Stderr && is_named(denied),
        _ => false,
    };
    let denied: Vec<_> = denied.iter().filter(is_behind).collect();
    (!denied.is_empty()).then_some(What::Denied { cause: Cause::Denied, denied })
}

/// What guards denied. Where paths and tools were denied, the paths come first: without them a tool helps little. The
/// tools come next time, with their own cause.
fn by_guard<'a>(adapter: &Definition, denied: &'a [Denied]) -> Option<What<'a>> {
    let is_outside = |denied: &&Denied| {
        let is_called_so = adapter.trouble.own_cause_of(&denied.reason) == Some(Cause::OutsideWorkspace);
        is_called_so || folders::is_beside_what_was_allowed(denied)
    };
    let by_guard = denied.iter().filter(|one| one.by == DeniedBy::Guard && !is_passed(one, denied));
    let (outside, other): (Vec<_>, Vec<_>) = by_guard.partition(is_outside);
    match (outside.is_empty(), other.is_empty()) {
        (true, true) => None,
        (false, _) => Some(What::Denied { cause: Cause::OutsideWorkspace, denied: outside }),
        (true, false) => Some(What::Denied { cause: Cause::Denied, denied: other }),
    }
}

/// Tells whether what a guard denied is told once more of what was got past.
fn is_passed(one: &Denied, all: &[Denied]) -> bool {
    all.iter().any(|other| other.by == DeniedBy::Output { was_passed: true } && is_same(one, other))
}

fn is_same(one: &Denied, other: &Denied) -> bool {
    let is_of_paths = !one.paths.is_empty() && other.paths == one.paths;
    let is_of_input = one.input.is_some() && other.input == one.input && other.tool == one.tool;
    // The standard error tells the reason once more, with the name of the tool before it.
    let is_of_reason = !other.reason.is_empty() && one.reason.contains(&other.reason);
    is_of_reason && (is_of_paths || is_of_input)
}

/// The last trouble with a name that the turn did not end with; one that is vague counts where all are.
fn last(troubles: &[Trouble], is_wanted: impl Fn(Cause) -> bool) -> Option<&Trouble> {
    let is_known =
        |trouble: &&Trouble| trouble.cause != Cause::Unknown && trouble.certainty > Certainty::Guessed;
    let is_wanted = |trouble: &&Trouble| !trouble.is_final && is_known(trouble) && is_wanted(trouble.cause);
    let wanted = || troubles.iter().rev().filter(is_wanted);
    wanted().find(|trouble| trouble.certainty == Certainty::Clear).or_else(|| wanted().next())
}

fn is_denial(cause: Cause) -> bool {
    matches!(cause, Cause::Denied | Cause::OutsideWorkspace)
}

/// What command lines try again by themselves.
fn is_tried_again(cause: Cause) -> bool {
    matches!(cause, Cause::Network | Cause::ServerError | Cause::Overloaded | Cause::RateLimit | Cause::Quota)
}

fn of_trouble<'a>(of: &Trouble) -> What<'a> {
    What::Trouble { cause: of.cause, text: of.text.clone(), resets_at: of.resets_at }
}

fn trouble<'a>(cause: Cause, text: String) -> What<'a> {
    What::Trouble { cause, text, resets_at: None }
}
