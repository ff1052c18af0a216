//! What the settings promise: precedence, origins, ranges, suggestions, and no secret shown.

use super::*;

fn sources(files: &[&Path], env: &[(&str, &str)], flags: &[(&'static str, &'static str, &str)]) -> Sources {
    Sources {
        data_default: "/home/me/.local/share/spalla".into(),
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        dot_env: Vec::new(),
        flags: flags.iter().map(|(name, flag, text)| Override { name, flag, text: (*text).into() }).collect(),
    }
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn complaint(sources: Sources) -> String {
    Config::load(sources).unwrap_err().to_string()
}

#[test]
fn every_setting_has_a_default_and_a_place() {
    let config = Config::load(sources(&[], &[], &[])).unwrap();
    assert_eq!(config.settings.listen.to_string(), "127.0.0.1:18080");
    assert_eq!(config.settings.data, Path::new("/home/me/.local/share/spalla"));
    assert!(config.shown().iter().all(|shown| shown.source == "default" && !shown.value.is_null()));
    assert!(KEYS.iter().all(|key| !key.doc.is_empty() && !key.doc.contains('\n')));
}

#[test]
fn every_variable_that_is_promised_sets_something() {
    let promised = [
        ("ORCH_URL", "http://x"),
        ("ORCH_TOKEN", "t"),
        ("ORCH_DATABASE_URL", "sqlite:///x"),
        ("ORCH_SECRET_KEY", "k"),
        ("ORCH_REQUIRE_APPROVAL", "false"),
        ("ORCH_MAX_RETRIES", "7"),
        ("ORCH_BACKOFF_BASE_SECONDS", "7"),
        ("ORCH_BACKOFF_JITTER_SECONDS", "7"),
        ("ORCH_SCHEDULER_BACKGROUND_INTERVAL", "7"),
        ("ORCH_RATE_LIMIT_PER_MIN", "7"),
        ("ORCH_CORS_ORIGINS", "*"),
        ("AGENT_ID", "w"),
        ("AGENT_INTERVAL", "7"),
        ("AGENT_TICK_INTERVAL", "7"),
        ("AGENT_SHELL", "/bin/x"),
        ("AGENT_STEPS", "x"),
        ("AGENT_SECRET_KEY", "k"),
        ("AGENT_HEARTBEAT_INTERVAL", "7"),
        ("AGENT_CLAIM_TTL", "7"),
        ("CODEX_ERROR_BACKOFF", "7"),
        ("CODEX_CONTEXT_REMAINING", "15%"),
        ("LANGCACHE_ENABLED", "true"),
        ("SCRATCHPAD_ENABLED", "0"),
    ];
    let set = Config::load(sources(&[], &promised, &[])).unwrap().shown();
    for (name, _) in promised {
        let source = format!("environment {name}");
        assert_eq!(set.iter().filter(|shown| shown.source == source).count(), 1, "{name}");
    }
    for (name, value) in [
        ("CODEX_CONTEXT_REMAINING", "101%"),
        ("CODEX_CONTEXT_REMAINING", "-1"),
        ("ORCH_RATE_LIMIT_PER_MIN", "-1"),
        ("AGENT_TICK_INTERVAL", "soon"),
        ("CODEX_ERROR_BACKOFF", "-1"),
        ("LANGCACHE_ENABLED", "maybe"),
    ] {
        let said = complaint(sources(&[], &[(name, value)], &[]));
        assert!(said.contains("it must be"), "{name}={value}: {said}");
    }
}

#[test]
fn each_switch_of_each_agent_is_set_on_and_off_by_its_variable() {
    for agent in ["codex", "claude", "gemini"] {
        for (switch, default) in [
            ("enable_web_search", false),
            ("enable_caching", true),
            ("enable_process_reuse", true),
            ("enable_task_batching", true),
            ("enable_adaptive_budgeting", true),
        ] {
            let name = format!("{agent}.{switch}");
            let variable = format!("{}__{}", agent.to_uppercase(), switch.to_uppercase());
            let shown = |env: &[(&str, &str)]| {
                let all = Config::load(sources(&[], env, &[])).unwrap().shown();
                let found = all.into_iter().find(|shown| shown.name == name).unwrap();
                (found.value, found.source)
            };
            assert_eq!(shown(&[]), (default.into(), "default".into()), "{name}");
            for (text, on) in [("on", true), ("off", false)] {
                let wanted = (on.into(), format!("environment {variable}"));
                assert_eq!(shown(&[(&variable, text)]), wanted, "{name}");
            }
            assert!(
                complaint(sources(&[], &[(&variable, "maybe")], &[])).contains("true or false"),
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_said_of_an_agents_calls_is_wished_and_nothing_else() {
    let unsaid = Config::load(sources(&[], &[], &[])).unwrap().settings.wishes();
    assert_eq!(unsaid.keys().collect::<Vec<_>>(), ["claude", "codex", "gemini"]);
    let none = Adapter { web_search: Some(false), ..Adapter::default() };
    assert!(unsaid.values().all(|said| *said == none), "{unsaid:?}");
    for agent in ["codex", "claude", "gemini"] {
        let upper = agent.to_uppercase();
        let names =
            ["MODEL", "PROFILE", "COMMAND", "ENABLE_WEB_SEARCH"].map(|name| format!("{upper}__{name}"));
        let env = [
            (names[0].as_str(), "m"),
            (names[1].as_str(), "p"),
            (names[2].as_str(), r#"["npx", "-y", "x"]"#),
            (names[3].as_str(), "1"),
        ];
        let said = Config::load(sources(&[], &env, &[])).unwrap().settings.wishes();
        let wanted = Adapter {
            model: Some("m".into()),
            profile: Some("p".into()),
            web_search: Some(true),
            command: ["npx", "-y", "x"].map(str::to_owned).into(),
            ..Adapter::default()
        };
        assert_eq!(said[agent], wanted);
        assert_eq!(said.values().filter(|said| **said == none).count(), 2);
    }
}

#[test]
fn a_command_is_a_list_of_words_that_begins_with_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.toml", "[codex]\ncommand = ['/opt/codex', '-v']\n");
    let settings = Config::load(sources(&[&path], &[], &[])).unwrap().settings;
    assert_eq!(settings.codex.command, ["/opt/codex", "-v"]);
    for wrong in ["codex", r#"{"a": 1}"#, r#"["codex", 1]"#, r#"[" "]"#, r#"["a\u0000"]"#, r#""codex""#] {
        let said = complaint(sources(&[], &[("CODEX__COMMAND", wrong)], &[]));
        assert!(said.starts_with("CODEX__COMMAND is ") && said.contains("it must be"), "{wrong}: {said}");
    }
    let path = file(&folder, "b.toml", "[codex]\nmodel = \"a\\u0000\"\n");
    assert!(complaint(sources(&[&path], &[], &[])).contains("without NUL"));
    let path = file(&folder, "c.toml", "[codex]\nmodle = 'a'\n");
    assert!(complaint(sources(&[&path], &[], &[])).contains("did you mean `codex.model`?"));
}

#[test]
fn flags_win_over_environment_over_project_file_over_user_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let user = file(
        &folder,
        "user.toml",
        "max_retries = 1\nmax_takeovers = 1\nrequire_approval = false\nlog = \"user\"\n",
    );
    let project = file(
        &folder,
        "spalla.toml",
        "max_retries = 2\nmax_takeovers = 2\nrequire_approval = true\n[worker]\nid = \"w\"\n",
    );
    let env = [("ORCH_MAX_RETRIES", "3"), ("ORCH_MAX_TAKEOVERS", "3"), ("RUST_LOG", "")];
    let flags = [("max_retries", "--max-retries", "4")];
    let config = Config::load(sources(&[&user, &project], &env, &flags)).unwrap();
    let settings = &config.settings;
    assert_eq!((settings.max_retries, settings.max_takeovers, settings.require_approval), (4, 3, true));
    assert_eq!((settings.log.as_str(), settings.worker.id.as_str()), ("user", "w"));
    let source = |name: &str| config.shown().into_iter().find(|shown| shown.name == name).unwrap().source;
    assert_eq!(source("max_retries"), "flag --max-retries");
    assert_eq!(source("max_takeovers"), "environment ORCH_MAX_TAKEOVERS");
    assert_eq!(source("require_approval"), format!("file {}", project.display()));
    assert_eq!(source("worker.id"), format!("file {}", project.display()));
    assert_eq!(source("log"), format!("file {}", user.display()));
    assert_eq!(source("auth"), "default");
}

#[test]
fn the_folders_variables_win_over_its_settings_and_the_environment_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let project = file(&folder, "spalla.toml", "max_retries = 1\nmax_takeovers = 1\n");
    let env = [("ORCH_MAX_RETRIES", "3"), ("ORCH_TOKEN", "")];
    let variables = [("ORCH_MAX_RETRIES", "2"), ("ORCH_MAX_TAKEOVERS", "2"), ("ORCH_TOKEN", "t")];
    let dot_env = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = Config::load(Sources { dot_env, ..sources(&[&project], &env, &[]) }).unwrap();
    let settings = &config.settings;
    assert_eq!((settings.max_retries, settings.max_takeovers, settings.token.as_str()), (3, 2, "t"));
    let source = |name: &str| config.shown().iter().find(|shown| shown.name == name).unwrap().source.clone();
    assert_eq!(source("max_retries"), "environment ORCH_MAX_RETRIES");
    assert_eq!(source("max_takeovers"), "file .env ORCH_MAX_TAKEOVERS");
}

#[test]
fn a_wrong_key_is_an_error_with_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let near = file(&folder, "a.toml", "max_retires = 1\n");
    assert!(
        complaint(sources(&[&near], &[], &[]))
            .ends_with("no setting `max_retires`; did you mean `max_retries`?")
    );
    let nested = file(&folder, "b.toml", "[worker]\nshel = \"/bin/sh\"\n");
    assert!(complaint(sources(&[&nested], &[], &[])).contains("did you mean `worker.shell`?"));
    let far = file(&folder, "c.toml", "zzz = 1\n");
    assert!(complaint(sources(&[&far], &[], &[])).contains("`spalla config show` lists all of them"));
}

#[test]
fn a_value_out_of_range_says_where_it_stands_and_what_may_stand_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.toml", "max_retries = 1000\n");
    let expected =
        format!("max_retries is 1000 (file {}), and it must be a whole number from 0 to 100", path.display());
    assert!(complaint(sources(&[&path], &[], &[])).starts_with(&expected));
    let wrong = [("ORCH_REQUIRE_APPROVAL", "maybe")];
    assert_eq!(
        complaint(sources(&[], &wrong, &[])),
        "ORCH_REQUIRE_APPROVAL is \"maybe\", and it must be true or false"
    );
    let wrong = [("listen", "--listen", "here")];
    assert!(
        complaint(sources(&[], &[], &wrong)).starts_with("--listen is \"here\", and it must be an address")
    );
    let broken = file(&folder, "b.toml", "max_retries = \n");
    assert!(complaint(sources(&[&broken], &[], &[])).starts_with("reading the settings in "));
    let list = file(&folder, "c.toml", "listen = [1]\n");
    assert!(complaint(sources(&[&list], &[], &[])).contains("is a list or a table"));
}

#[test]
fn a_table_without_keys_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.toml", "[worker]\n# id = 'mine'\n");
    assert_eq!(Config::load(sources(&[&path], &[], &[])).unwrap().settings.worker.id, "");
    let path = file(&folder, "b.toml", "[work]\n");
    assert!(complaint(sources(&[&path], &[], &[])).contains("there is no setting `work`"));
    let path = file(&folder, "c.toml", "\"worker.id\" = 'mine'\n");
    assert!(complaint(sources(&[&path], &[], &[])).contains("there is no setting `\"worker.id\"`"));
}

#[test]
fn a_number_may_be_written_whole_or_with_a_fraction() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "a.toml", "backoff_base_seconds = 2\n");
    let env = [("ORCH_SCHEDULER_BACKGROUND_INTERVAL", "0"), ("ORCH_BACKOFF_JITTER_SECONDS", "0.5")];
    let settings = Config::load(sources(&[&path], &env, &[])).unwrap().settings;
    assert_eq!((settings.backoff_base_seconds, settings.backoff_jitter_seconds), (2.0, 0.5));
    assert_eq!(settings.background_interval_seconds, 0.0);
}

#[test]
fn health_checks_are_tables_in_a_file_and_json_in_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        "spalla.toml",
        "[[health_checks]]\nname = \"cache\"\ncheck = \"tcp\"\ntarget = \"localhost:6379\"\n",
    );
    let config = Config::load(sources(&[&path], &[], &[])).unwrap();
    assert_eq!(config.settings.health_checks().unwrap()[0].name, "cache");
    let shown = config.shown().into_iter().find(|shown| shown.name == "health_checks").unwrap();
    assert_eq!(shown.value[0]["target"], "localhost:6379");
    let env =
        [("ORCH_HEALTH_CHECKS", r#"[{"name": "git", "check": "command", "target": ["git", "status"]}]"#)];
    let config = Config::load(sources(&[&path], &env, &[])).unwrap();
    assert_eq!(config.settings.health_checks().unwrap()[0].name, "git");
    let wrong = [("ORCH_HEALTH_CHECKS", r#"[{"name": "git"}]"#)];
    assert!(complaint(sources(&[], &wrong, &[])).contains("check 1 is wrong"));
    let wrong = [("ORCH_HEALTH_CHECKS", "git")];
    assert!(complaint(sources(&[], &wrong, &[])).contains("it must be JSON"));
}

#[test]
fn requests_are_limited_and_foreign_pages_kept_out_unless_somebody_says_otherwise() {
    let settings = Config::load(sources(&[], &[], &[])).unwrap().settings;
    assert_eq!((settings.rate_limit_per_minute, settings.cors().unwrap()), (1_000, Cors::None));
    let env =
        [("ORCH_RATE_LIMIT_PER_MIN", "0"), ("ORCH_CORS_ORIGINS", "https://a.example, http://localhost:5173")];
    let settings = Config::load(sources(&[], &env, &[])).unwrap().settings;
    let origins = Cors::Origins(vec!["https://a.example".into(), "http://localhost:5173".into()]);
    assert_eq!((settings.rate_limit_per_minute, settings.cors().unwrap()), (0, origins));
}

#[test]
fn secrets_are_never_shown() {
    let env = [
        ("ORCH_TOKEN", "12345678"),
        ("ORCH_SECRET_KEY", "12345678"),
        ("ORCH_DATABASE_URL", "postgres://me:pa55@host/db"),
        ("SPALLA_LOG", "info"),
        ("AGENT_SECRET_KEY", "87654321"),
        ("SPALLA_SERVER_TOKEN", "x"),
        ("AGENT_SECRET_KEY", "87654321"),
    ];
    let shown = Config::load(sources(&[], &env, &[])).unwrap().shown();
    let value = |name: &str| shown.iter().find(|shown| shown.name == name).unwrap().value.clone();
    for name in ["token", "server_token", "secret_key", "worker.secret_key"] {
        assert_eq!(value(name), "(hidden)", "{name}");
    }
    assert_eq!(value("database"), "postgres://me:(hidden)@host/db");
    assert_eq!(without_password("a:b@c"), "a:b@c");
    for (url, shown) in [
        ("postgres://host/db?user=me&password=pw", "postgres://host/db?user=me&password=(hidden)"),
        ("postgres://me:p/w@x@host/db", "postgres://me:(hidden)@host/db"),
        ("postgres://me:pass:w/rd@host/db", "postgres://me:(hidden)@host/db"),
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
    ] {
        assert_eq!(without_password(url), shown);
    }
}

#[test]
fn database_urls_name_a_file_or_a_server() {
    let data = Path::new("/data");
    let sqlite = |path: &str| Location::Sqlite(path.into());
    assert_eq!(location("", data).unwrap(), sqlite("/data/spalla.db"));
    assert_eq!(location("sqlite:///tmp/a.db", data).unwrap(), sqlite("/tmp/a.db"));
    assert_eq!(location("sqlite:////tmp/a.db", data).unwrap(), sqlite("/tmp/a.db"));
    assert_eq!(location("sqlite://a.db", data).unwrap(), sqlite("a.db"));
    for url in ["postgres://me@host/db", "postgresql://me@host/db", "postgresql+asyncpg://me@host/db"] {
        assert_eq!(
            location(url, data).unwrap(),
            Location::Postgres("postgresql://me@host/db".into()),
            "{url}"
        );
    }
    for url in ["mysql://me@host/db", "spalla.db", "sqlite://", "postgres://"] {
        assert!(location(url, data).unwrap_err().to_string().contains("no URL that Spalla can use"), "{url}");
    }
}
