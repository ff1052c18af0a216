//! From a request to its answer: the first rule that fits, the acts that are due, the faults that still last.

use crate::answer::{Answer, Call, Piece};
use crate::asked::Asked;
use crate::counters::{Counters, Visits};
use crate::position::{self, Placed};
use crate::provider::Provider;
use crate::reply::{Faults, Reply, Silence};
use crate::script::{Act, Script, When};
use crate::tools::{self, File, Wish};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is said where a list of acts ends with a tool.
const CLOSING: &str = "Done.";

/// What is answered and why.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The rule that answers.
    pub(crate) rule: Option<String>,
    /// The answer in a few words.
    pub(crate) summary: String,
    /// What goes out.
    pub(crate) reply: Reply,
}

/// Decides what a request is answered.
pub(crate) fn decide(
    script: &Script,
    counters: &mut Counters,
    asked: &Asked,
    headers: &BTreeMap<String, String>,
) -> Decision {
    let visits = counters.visit(asked);
    let fitting = script.rules.iter().position(|rule| fits(&rule.when, asked, headers, visits));
    let Some(index) = fitting else { return unanswered(asked) };
    let calls_a_tool = |act: &Act| match act {
        Act::Write { .. } | Act::Run(_) | Act::Call { .. } => true,
        Act::Json(_) => tools::structured_schema(&asked.tools).is_some(),
        _ => false,
    };
    let due = position::due(&script.rules[index].then, &asked.results, calls_a_tool);
    let (summary, reply) = Turn::new(index, asked).play(&due, counters);
    Decision { rule: Some(script.name_of(index)), summary, reply }
}

fn fits(when: &When, asked: &Asked, headers: &BTreeMap<String, String>, visits: Visits) -> bool {
    let is_in = |pattern: &Option<crate::script::Pattern>, text: &str| {
        pattern.as_ref().is_none_or(|pattern| pattern.is_in(text))
    };
    when.provider.is_none_or(|provider| provider == asked.dialect.provider())
        && is_in(&when.key, &asked.key)
        && is_in(&when.model, &asked.model)
        && is_in(&when.user, &asked.user)
        && is_in(&when.system, &asked.system)
        && when
            .headers
            .iter()
            .all(|(name, pattern)| headers.get(name).is_some_and(|value| pattern.is_in(value)))
        && when.nth.is_none_or(|nth| nth == visits.within(when.per))
        && when.tool_result.is_none_or(|wanted| wanted != asked.results.is_empty())
}

fn unanswered(asked: &Asked) -> Decision {
    let words: String = asked.user.chars().take(200).collect();
    let message =
        format!("no rule of the script fits this request; the last words of the user are: {words:?}");
    let reply = asked.dialect.provider().refuse(400, &message);
    Decision { rule: None, summary: "no rule".to_owned(), reply }
}

/// One answer while it is put together.
struct Turn<'a> {
    rule: usize,
    asked: &'a Asked,
    answer: Answer,
    faults: Faults,
    summary: Vec<String>,
}

impl<'a> Turn<'a> {
    fn new(rule: usize, asked: &'a Asked) -> Self {
        let answer = Answer { pieces: Vec::new(), usage: None };
        Self { rule, asked, answer, faults: Faults::default(), summary: Vec::new() }
    }

    fn play(mut self, due: &[Placed<'_>], counters: &mut Counters) -> (String, Reply) {
        if let Some(wish) = self.asked.results.last().and_then(|last| tools::poll(&self.asked.tools, last)) {
            self.summary.push("wait for the command".to_owned());
            let id = position::wait_id(self.prefix(), self.asked.mark());
            self.answer.pieces.push(Piece::Call(wish.with_id(id)));
            return self.done();
        }
        for (index, act) in due {
            if let Some(failed) = self.act((self.rule, *index), act, counters) {
                return (self.summary.join("; "), Reply { faults: self.faults, ..failed });
            }
        }
        if self.answer.pieces.is_empty() {
            self.say(CLOSING);
        }
        self.done()
    }

    fn done(self) -> (String, Reply) {
        let reply = self.asked.dialect.answer(self.asked, &self.answer);
        (self.summary.join("; "), Reply { faults: self.faults, ..reply })
    }

    /// Carries out one act; returns what goes out where it ends the answer early.
    fn act(&mut self, place: (usize, usize), act: &Act, counters: &mut Counters) -> Option<Reply> {
        match act {
            Act::Say(text) => self.say(text),
            Act::Think(text) => {
                self.summary.push("think".to_owned());
                self.answer.pieces.push(Piece::Think(text.clone()));
            }
            Act::Refuse(text) => {
                self.summary.push("refuse".to_owned());
                self.answer.pieces.push(Piece::Refuse(text.clone()));
            }
            Act::Write { path, text, replaces } => {
                let file = File { path, text, replaces: *replaces };
                let wishes = tools::write(&self.asked.tools, self.asked.folder.as_deref(), file);
                self.call(wishes, &format!("write {path}"));
            }
            Act::Run(command) => {
                let wishes = tools::run(&self.asked.tools, command).into_iter().collect();
                self.call(wishes, &format!("run {command}"));
            }
            Act::Call { tool, arguments } => {
                self.call(vec![tools::call(&self.asked.tools, tool, arguments)], &format!("call {tool}"));
            }
            Act::Json(value) => return self.json(value),
            Act::Usage(tokens) => self.answer.usage = Some(*tokens),
            Act::DelayMs(ms) => self.faults.delay_ms += ms,
            Act::Drip { bytes, every_ms } => self.faults.drip = Some((*bytes, *every_ms)),
            Act::Fail(fail) => {
                let since_ms = counters.meet(self.asked, place, fail.spell())?;
                self.summary.push(format!("fail: {:?}", fail.kind));
                return Some(self.asked.dialect.fail(self.asked, fail, since_ms));
            }
            Act::Cut(spell) => {
                counters.meet(self.asked, place, *spell)?;
                self.summary.push("cut".to_owned());
                self.faults.cut = true;
            }
            Act::Garble(spell) => {
                counters.meet(self.asked, place, *spell)?;
                self.summary.push("garble".to_owned());
                self.faults.garble = true;
            }
            Act::Hang(hang) => {
                counters.meet(self.asked, place, hang.spell())?;
                self.summary.push("hang".to_owned());
                self.faults.hang = Some(if hang.midway { Silence::Midway } else { Silence::Whole });
            }
        }
        None
    }

    fn say(&mut self, text: &str) {
        let beginning: String = text.chars().take(80).collect();
        self.summary.push(format!("say {beginning}"));
        self.answer.pieces.push(Piece::Say(text.to_owned()));
    }

    /// Calls tools; where the CLI offers none for it, the model can only say so.
    fn call(&mut self, wishes: Vec<Wish>, what: &str) {
        if wishes.is_empty() {
            self.say(&format!("I have no tool here to {what}."));
            return;
        }
        self.summary.push(what.to_owned());
        for (index, wish) in wishes.into_iter().enumerate() {
            let id = position::call_id(self.prefix(), self.asked.mark(), index);
            self.answer.pieces.push(Piece::Call(wish.with_id(id)));
        }
    }

    /// Answers with a value; one that does not match the schema is a slip in the script, and no provider would say it.
    fn json(&mut self, value: &Value) -> Option<Reply> {
        let schema = tools::structured_schema(&self.asked.tools).or_else(|| self.asked.schema.clone());
        if let Some(complaint) = schema.and_then(|schema| mismatch(&schema, value)) {
            self.summary.push("json that does not match".to_owned());
            let message =
                format!("the script's json does not match the schema that was asked for: {complaint}");
            return Some(self.asked.dialect.provider().refuse(400, &message));
        }
        match tools::structured(&self.asked.tools, value) {
            Some(wish) => self.call(vec![wish], "json"),
            None => self.say(&value.to_string()),
        }
        None
    }

    /// Returns how the provider begins the ids of calls.
    fn prefix(&self) -> &'static str {
        match self.asked.dialect.provider() {
            Provider::Anthropic => "toolu",
            Provider::Openai | Provider::Gemini => "call",
        }
    }
}

impl Wish {
    fn with_id(self, id: String) -> Call {
        Call { id, tool: self.tool, namespace: self.namespace, input: self.input }
    }
}

fn mismatch(schema: &Value, value: &Value) -> Option<String> {
    match jsonschema::validator_for(schema) {
        Ok(validator) => validator.validate(value).err().map(|error| error.to_string()),
        Err(error) => Some(format!("the schema itself is wrong: {error}")),
    }
}

#[cfg(test)]
mod tests;
