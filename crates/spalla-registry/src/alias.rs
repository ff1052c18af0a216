//! An alias is an agent under another name, with some of its fields said otherwise. The agent itself stays as it is.

use crate::definition::Definition;
use crate::id;
use crate::schema;
use serde_json::Value;

/// An alias as it is written: `[alias.NAME]` of the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The agent's id.
    pub id: String,
    /// What is said otherwise, in the form of a definition.
    pub overrides: Value,
    /// The domain of the agent when this was said, as far as it is known: its generalist stands in should the agent go.
    pub domain: Option<String>,
}

/// Fields that make an agent the one that it is.
const FIXED: &[&str] = &["/schema_version", "/agent/id", "/agent/instance_alias", "/provenance", "/x-source"];

/// Makes the definition of an alias; the error says what is wrong with it.
pub fn apply(base: &Definition, name: &str, overrides: &Value) -> Result<Definition, String> {
    if !id::is_id(name) {
        return Err(format!("{name:?} is no name of an alias: small letters, digits, and - between them"));
    }
    if !overrides.is_object() && !overrides.is_null() {
        return Err("overrides is a mapping, in the form of a definition".into());
    }
    if let Some(fixed) = FIXED.iter().find(|pointer| overrides.pointer(pointer).is_some()) {
        return Err(format!("{} can't be said otherwise", fixed[1..].replace('/', ".")));
    }
    let mut whole = serde_json::to_value(base).map_err(|error| error.to_string())?;
    merge(&mut whole, overrides);
    if let Some((pointer, _)) = schema::take_unknown(&mut whole).into_iter().next() {
        return Err(format!("{} is no field of a definition", pointer[1..].replace('/', ".")));
    }
    if let Some((pointer, why)) = schema::faults(&whole).into_iter().next() {
        return Err(format!("{}: {why}", pointer.trim_start_matches('/').replace('/', ".")));
    }
    let mut made: Definition = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    made.agent.instance_alias = Some(name.to_owned());
    Ok(made)
}

/// Mappings are put together; anything else takes the place of what was there.
fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Agent, Classification};
    use serde_json::json;

    fn base() -> Definition {
        let classification =
            Classification { domain: "x".into(), subdomain: None, tier: "specialist".into() };
        let (id, name, description) = ("a".into(), "A".into(), "d".into());
        let mut base = Definition::new(Agent {
            id,
            name,
            instance_alias: None,
            classification,
            description,
            long_description: None,
        });
        base.triggers.keywords = vec!["one".into(), "two".into()];
        base.runtime.timeout_ms = Some(5);
        base
    }

    #[test]
    fn overrides_change_the_alias_and_never_the_agent() {
        let base = base();
        let before = base.clone();
        let overrides = json!({"runtime": {"autonomy_level": 0.2}, "triggers": {"keywords": ["three"]}});
        let made = apply(&base, "careful", &overrides).unwrap();
        assert_eq!(base, before);
        assert_eq!(made.agent.instance_alias.as_deref(), Some("careful"));
        assert_eq!((made.runtime.timeout_ms, made.runtime.autonomy_level), (Some(5), Some(0.2)));
        assert_eq!(made.triggers.keywords, ["three"]);
    }

    #[test]
    fn what_makes_the_agent_can_not_be_said_otherwise() {
        for (name, overrides, part) in [
            ("b", json!({"agent": {"id": "b"}}), "agent.id"),
            ("b", json!({"runtime": {"autonomy_level": 7}}), "autonomy_level"),
            ("b", json!({"runtime": {"colour": 7}}), "runtime.colour"),
            ("b", json!([1]), "mapping"),
            ("../b", json!({}), "no name"),
        ] {
            let why = apply(&base(), name, &overrides).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }
}
