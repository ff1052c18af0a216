//! What the README of a scratchpad says: what it is for, whose it is, and for how long it is kept.

use crate::record::Record;
use spalla_domain::Timestamp;

/// Writes the README; what the template says of its own follows.
pub(crate) fn of(record: &Record, expires_at: Option<Timestamp>, template: &str) -> String {
    let mut text = format!("# {}\n\n", line(&record.task));
    let mut say = |name: &str, value: &str| text.push_str(&format!("- {name}: {}\n", line(value)));
    say("Scratchpad", record.id.as_str());
    say("Task", &record.task);
    say("Session", record.session.as_deref().unwrap_or("none"));
    say("Agent", record.agent.as_deref().unwrap_or("none"));
    if let Some(target) = &record.target {
        say("Target", &target.path.to_string_lossy());
    }
    if let Some(commit) = record.target.as_ref().and_then(|target| target.commit.as_deref()) {
        say("Commit", commit);
    }
    say("Template", &record.template);
    say("Created", &record.created_at.to_string());
    if let Some(expires_at) = expires_at {
        say("Kept until", &expires_at.to_string());
    }
    text.push_str(
        "\nTests go into `test/`, what is to stay into `output/`, everything else into `drafts/`.\n",
    );
    if record.target.is_some() {
        text.push_str(
            "`work/` is a copy of the target: what is changed there changes nothing in the target.\n",
        );
    }
    if !template.trim().is_empty() {
        text.push('\n');
        text.push_str(template);
    }
    text
}

/// A task is one line here, whatever is in it.
fn line(text: &str) -> String {
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
