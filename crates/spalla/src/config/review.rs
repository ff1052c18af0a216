//! The policy of reviews in the settings: rules, a quorum, and weights.

use figment::value::Value;
use spalla_domain::review::Policy;

/// Reads the policy; what it leaves out is as built in. The error says what is wrong.
pub(crate) fn read(value: &Value) -> Result<Policy, String> {
    value.as_dict().ok_or("it must be a table of rules, quorum and weights")?;
    let policy: Policy = value.deserialize().map_err(|error| error.to_string())?;
    policy.check().map_or(Ok(policy), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(table: serde_json::Value) -> Result<Policy, String> {
        read(&Value::serialize(table).unwrap())
    }

    #[test]
    fn what_is_left_out_is_as_built_in() {
        assert_eq!(of(json!({})).unwrap(), Policy::default());
        let own = of(json!({"quorum": 2, "weights": {"codex": 0.5}})).unwrap();
        assert_eq!((own.quorum, own.weights["codex"], own.rules), (2, 0.5, Policy::default().rules));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (wrong, why) in [
            (json!([]), "table"),
            (json!({"rule": []}), "rule"),
            (json!({"rules": [{"name": "a", "then": "MAYBE"}]}), "MAYBE"),
            (json!({"rules": []}), "0 rules"),
            (json!({"weights": {"codex": -1}}), "-1"),
        ] {
            let said = of(wrong.clone()).unwrap_err();
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }
}
