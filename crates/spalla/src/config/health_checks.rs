//! The health checks of the settings: a list of tables, read into checks that can't be wrong.

use figment::value::Value;
use serde::Deserialize;
use spalla_server::{Builtin, Check, HealthCheck};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many checks there may be: each is a task of its own.
const CHECKS_MAX: usize = 100;
/// The longest name, in letters: it is a label of the metrics.
const NAME_LETTERS_MAX: usize = 64;
/// The shortest and the longest time between two looks, in seconds.
const INTERVAL: (f64, f64) = (1.0, 86_400.0);
/// The shortest and the longest time for one look, in seconds.
const TIMEOUT: (f64, f64) = (0.1, 60.0);

/// One check as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    check: Kind,
    target: Target,
    #[serde(default = "default_interval")]
    interval_seconds: f64,
    #[serde(default = "default_timeout")]
    timeout_seconds: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Http,
    Tcp,
    Command,
    Builtin,
}

/// One word, or a program with its arguments.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Target {
    Word(String),
    Words(Vec<String>),
}

fn default_interval() -> f64 {
    30.0
}

fn default_timeout() -> f64 {
    2.0
}

/// Reads the list; the error says which check is wrong, and why.
pub(crate) fn read(value: &Value) -> Result<Vec<HealthCheck>, String> {
    let values = value.as_array().ok_or("it must be a list of checks")?;
    if values.len() > CHECKS_MAX {
        return Err(format!("it must have {CHECKS_MAX} checks at most"));
    }
    let mut names = BTreeSet::new();
    let checks = values.iter().enumerate().map(|(place, value)| {
        let wrong = |why: String| format!("check {} is wrong: {why}", place + 1);
        let written: Written = value.deserialize().map_err(|error| wrong(error.to_string()))?;
        let check = written.into_check().map_err(wrong)?;
        if !names.insert(check.name.clone()) {
            return Err(wrong(format!("there is another one named {:?}", check.name)));
        }
        Ok(check)
    });
    checks.collect()
}

impl Written {
    fn into_check(self) -> Result<HealthCheck, String> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if self.name.is_empty() || self.name.len() > NAME_LETTERS_MAX || !self.name.chars().all(plain) {
            return Err(format!("name has 1 to {NAME_LETTERS_MAX} letters, digits, -, _ and ."));
        }
        Ok(HealthCheck {
            name: self.name,
            interval: seconds("interval_seconds", self.interval_seconds, INTERVAL)?,
            timeout: seconds("timeout_seconds", self.timeout_seconds, TIMEOUT)?,
            check: target(self.check, self.target)?,
        })
    }
}

fn seconds(name: &str, seconds: f64, (min, max): (f64, f64)) -> Result<Duration, String> {
    if (min..=max).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("{name} is a number from {min} to {max}"))
    }
}

fn target(kind: Kind, target: Target) -> Result<Check, String> {
    match (kind, target) {
        (Kind::Http, Target::Word(url)) if url.starts_with("http://") => Ok(Check::Http(url)),
        (Kind::Http, _) => Err("target is an http:// URL".into()),
        (Kind::Tcp, Target::Word(address)) if is_address(&address) => Ok(Check::Tcp(address)),
        (Kind::Tcp, _) => Err("target is HOST:PORT".into()),
        (Kind::Command, Target::Word(program)) if !program.is_empty() => Ok(Check::Command(vec![program])),
        (Kind::Command, Target::Words(words)) if words.first().is_some_and(|word| !word.is_empty()) => {
            Ok(Check::Command(words))
        }
        (Kind::Command, _) => Err("target is a program, or a list of a program and its arguments".into()),
        (Kind::Builtin, Target::Word(name)) => builtin(&name),
        (Kind::Builtin, Target::Words(_)) => Err("target is one of store, worker, disk, agents".into()),
    }
}

fn builtin(name: &str) -> Result<Check, String> {
    let builtin = match name {
        "store" => Builtin::Store,
        "worker" => Builtin::Worker,
        "disk" => Builtin::Disk,
        "agents" => Builtin::Agents,
        _ => return Err("target is one of store, worker, disk, agents".into()),
    };
    Ok(Check::Builtin(builtin))
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checks(json: serde_json::Value) -> Result<Vec<HealthCheck>, String> {
        read(&Value::serialize(json).unwrap())
    }

    #[test]
    fn checks_are_read_with_their_defaults() {
        let read = checks(json!([
            {"name": "api", "check": "http", "target": "http://127.0.0.1:1/ready"},
            {"name": "cache", "check": "tcp", "target": "localhost:6379", "interval_seconds": 5, "timeout_seconds": 0.5},
            {"name": "git", "check": "command", "target": ["git", "--version"]},
            {"name": "disk", "check": "builtin", "target": "disk"},
        ]));
        let read = read.unwrap();
        assert_eq!((read[0].interval, read[0].timeout), (Duration::from_secs(30), Duration::from_secs(2)));
        assert_eq!(
            read[1],
            HealthCheck {
                name: "cache".into(),
                interval: Duration::from_secs(5),
                timeout: Duration::from_millis(500),
                check: Check::Tcp("localhost:6379".into()),
            }
        );
        assert_eq!(read[2].check, Check::Command(vec!["git".into(), "--version".into()]));
        assert_eq!(read[3].check, Check::Builtin(Builtin::Disk));
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        let good = json!({"name": "a", "check": "tcp", "target": "h:1"});
        let with = |name: &str, value: serde_json::Value| {
            let mut check = good.clone();
            check[name] = value;
            json!([good.clone(), check])
        };
        for (name, value, why) in [
            ("name", json!("a"), "there is another one named"),
            ("name", json!("a b"), "name has 1 to 64"),
            ("check", json!("ping"), "ping"),
            ("target", json!("h"), "target is HOST:PORT"),
            ("target", json!(["h:1"]), "target is HOST:PORT"),
            ("interval_seconds", json!(0), "interval_seconds is a number from 1"),
            ("timeout_seconds", json!(61), "timeout_seconds is a number from 0.1"),
            ("odd", json!(1), "odd"),
        ] {
            let error = checks(with(name, value)).unwrap_err();
            assert!(error.starts_with("check 2 is wrong: ") && error.contains(why), "{name}: {error}");
        }
        for (check, target) in [("http", "https://a"), ("command", ""), ("builtin", "cpu")] {
            assert!(checks(json!([{"name": "a", "check": check, "target": target}])).is_err(), "{check}");
        }
        assert_eq!(checks(json!({"name": "a"})), Err("it must be a list of checks".into()));
    }
}
