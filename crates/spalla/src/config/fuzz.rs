//! What foreign files, variables and URLs can do to the settings.

use super::*;
use crate::damage::{damaged, odd_text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const FILES: &[&str] = &[
    "max_retries = 1\nrequire_approval = false\nlog = \"info\"\nbackoff_base_seconds = 1.5\n[worker]\nid = \"w\"\nconcurrency = 2\n",
    "listen = '127.0.0.1:0'\nauth = \"none\"\nworker = {id = \"é\", shell = \"/bin/sh\"}\norchestrate.log_level = \"x\"\n",
    "[worker]\n# id = 'mine'\n",
    "\"worker.id\" = 'mine'\n",
];

fn complains(failure: &Failure) -> Result<(), TestCaseError> {
    let text = failure.to_string();
    prop_assert!(!text.trim().is_empty() && !text.contains("reading the settings: "), "{}", text);
    Ok(())
}

proptest! {
    #[test]
    fn a_damaged_file_of_settings_is_read_or_refused_with_its_name(text in damaged(FILES)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spalla.toml");
        std::fs::write(&path, &text).unwrap();
        let files = vec![path.clone()];
        if let Err(failure) = Config::load(Sources { data_default: "/d".into(), files, ..Sources::default() }) {
            complains(&failure)?;
            prop_assert!(failure.to_string().contains(&path.display().to_string()), "{}", failure);
        }
    }

    #[test]
    fn a_damaged_file_of_variables_is_passed_over_or_refused_by_the_variables_name(
        text in damaged(&[
            "# mine\nORCH_MAX_RETRIES=4\nexport ORCH_TOKEN=\"a b\"\nORCH_URL='http://x'\n",
            "SPALLA_LISTEN=127.0.0.1:1\nAGENT_CLAIM_TTL=60 # long\nX=${HOME}\nWHAT IS\n",
        ]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, &text).unwrap();
        let dot_env = sources::read_dot_env(&path);
        if let Err(failure) = Config::load(Sources { data_default: "/d".into(), dot_env, ..Sources::default() }) {
            complains(&failure)?;
            prop_assert!(KEYS.iter().flat_map(|key| key.env).any(|name| failure.to_string().contains(name)), "{}", failure);
        }
    }

    #[test]
    fn whatever_a_variable_or_a_flag_says_is_a_setting_or_refused_by_name(
        key in select(KEYS.iter().collect::<Vec<_>>()),
        text in prop_oneof![
            damaged(&["127.0.0.1:18080", "[::1]:0", "true", "1", "0.5", "token", "json", "http://h", "sqlite:///a"]), odd_text(),
        ],
    ) {
        let flags = vec![Override { name: key.name, flag: "--it", text: text.clone() }];
        let env = key.env.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
        for sources in [Sources { flags, ..Sources::default() }, Sources { env, ..Sources::default() }] {
            match Config::load(Sources { data_default: "/d".into(), ..sources }) {
                Ok(config) => prop_assert_eq!(config.shown().len(), KEYS.len()),
                Err(failure) => {
                    complains(&failure)?;
                    prop_assert!(!key.secret || text.len() < 4 || !failure.to_string().contains(&text));
                }
            }
        }
    }

    #[test]
    fn a_database_is_found_or_refused_and_its_password_is_never_shown(
        url in prop_oneof![damaged(&["postgres://me@host/db", "sqlite:///a/b.db", "sqlite+x:////a", "postgresql://"]), odd_text()],
        secret in "[a-z/@:%]{0,4}S3CRET[a-z/@:%]{0,4}",
        form in select(vec!["postgres://me:{}@host:5432/db", "postgres://host/db?user=me&password={}", "mysql://a:{}@b"]),
    ) {
        if let Err(failure) = location(&url, Path::new("/d")) {
            complains(&failure)?;
        }
        let url = form.replace("{}", &secret);
        let shown = location(&url, Path::new("/d")).map_or_else(|failure| failure.to_string(), |_| String::new());
        prop_assert!(!(without_password(&url) + &shown).contains("S3CRET"), "{} is shown as {}", url, without_password(&url));
    }

    #[test]
    fn hosts_that_are_named_are_words_without_spaces_around_them(parts in vec(odd_text(), 0..4)) {
        let flags = vec![Override { name: "hosts", flag: "--hosts", text: parts.join(",") }];
        let config = Config::load(Sources { data_default: "/d".into(), flags, ..Sources::default() }).unwrap();
        prop_assert!(config.settings.served_hosts().iter().all(|host| !host.is_empty() && host.trim() == host));
    }
}
