//! The published schema and the types are one.

use spalla_registry::schema;

/// `SPALLA_WRITE_SCHEMA=1` writes the published schema anew.
#[test]
fn the_published_schema_is_that_of_the_types() {
    let generated = serde_json::to_string_pretty(&schema::generated()).unwrap() + "\n";
    if std::env::var_os("SPALLA_WRITE_SCHEMA").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/agent.json");
        std::fs::write(path, &generated).unwrap();
        return;
    }
    assert!(schema::text() == generated, "write it anew with SPALLA_WRITE_SCHEMA=1 and this test");
}
