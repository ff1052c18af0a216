//! What the settings promise of agents' runs: tables `[slo.NAME]`, each of a definition, an alias or a command line.

use figment::value::Value;
use serde::Deserialize;
use spalla_domain::slo::{SLOS_MAX, Slo, Slos};

/// The longest name of an agent, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The longest latency that can be promised, in milliseconds: a month.
const LATENCY_MS_MAX: u64 = 31 * 86_400_000;

/// One promise as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    latency_ms: Option<u64>,
    success_pct: Option<f64>,
}

/// Reads the tables; the error says which is wrong, and why. Whether somebody bears the name is known when they work.
pub(crate) fn read(value: &Value) -> Result<Slos, String> {
    let tables = value.as_dict().ok_or("it must be a table of agents, such as [slo.backend-architect]")?;
    if tables.len() > SLOS_MAX {
        return Err(format!("it must have {SLOS_MAX} agents at most"));
    }
    let mut slos = Slos::new();
    for (name, value) in tables {
        let wrong = |why: String| format!("the slo of {name:?} is wrong: {why}");
        if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(wrong(format!("a name has 1 to {NAME_BYTES_MAX} bytes")));
        }
        let Written { latency_ms, success_pct } = value
            .deserialize()
            .map_err(|error| wrong(error.to_string().lines().collect::<Vec<_>>().join(" ")))?;
        if latency_ms.is_some_and(|ms| !(1..=LATENCY_MS_MAX).contains(&ms)) {
            return Err(wrong(format!("latency_ms is a whole number from 1 to {LATENCY_MS_MAX}")));
        }
        if success_pct.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
            return Err(wrong("success_pct is a number from 0 to 100".into()));
        }
        if latency_ms.is_none() && success_pct.is_none() {
            return Err(wrong("it promises nothing: say latency_ms, success_pct, or both".into()));
        }
        let success_permille = success_pct.map(|percent| (percent * 10.0).round() as u16);
        slos.insert(name.clone(), Slo { latency_ms, success_permille });
    }
    Ok(slos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(tables: serde_json::Value) -> Result<Slos, String> {
        read(&Value::serialize(tables).unwrap())
    }

    #[test]
    fn a_promise_is_of_a_time_a_share_or_both() {
        let slos = of(
            json!({"architect": {"latency_ms": 90_000, "success_pct": 97.5}, "codex": {"success_pct": 90}}),
        );
        let wanted = [
            ("architect".to_owned(), Slo { latency_ms: Some(90_000), success_permille: Some(975) }),
            ("codex".to_owned(), Slo { latency_ms: None, success_permille: Some(900) }),
        ];
        assert_eq!(slos.unwrap(), Slos::from(wanted));
        assert_eq!(of(json!({})).unwrap(), Slos::new());
    }

    #[test]
    fn a_promise_that_says_something_else_is_named() {
        for wrong in [
            json!({"a": {}}),
            json!({"a": {"latency": 5}}),
            json!({"a": {"latency_ms": 0}}),
            json!({"a": {"latency_ms": -5}}),
            json!({"a": {"success_pct": 101}}),
            json!({"a": {"success_pct": "many"}}),
            json!({"": {"success_pct": 1}}),
        ] {
            assert!(of(wrong.clone()).unwrap_err().contains("is wrong"), "{wrong}");
        }
        assert!(of(json!([])).is_err());
    }
}
