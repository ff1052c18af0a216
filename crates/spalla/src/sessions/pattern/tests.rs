//! Plans and what each pattern makes of them.

use super::*;

fn plan(text: &str) -> Vec<PlanItem> {
    spalla_domain::plan::read(text, &[]).unwrap().items
}

fn one() -> Vec<PlanItem> {
    plan(
        r#"{"items": [{"key": "a", "prompt": "do it"}, {"key": "b", "prompt": "then this", "depends_on": ["a"]}]}"#,
    )
}

fn of(pattern: &str, agents: &[&str], target: &Path) -> Result<Vec<PlanItem>> {
    let agents: Vec<String> = agents.iter().map(|agent| (*agent).to_owned()).collect();
    unfolded(one(), &pattern.parse().unwrap(), (&agents, target))
}

fn keys(items: &[PlanItem]) -> Vec<&str> {
    items.iter().map(|item| item.key.as_str()).collect()
}

#[test]
fn one_after_another_each_builds_on_the_one_before_it() {
    let items = plan(
        r#"{"items": [{"key": "a", "prompt": "x", "depends_on": ["c"]}, {"key": "b", "prompt": "x"}, {"key": "c", "prompt": "x"}]}"#,
    );
    let ordered = in_order(items.clone(), &Pattern::Sequential);
    let chain: Vec<(&str, Vec<&str>)> = ordered
        .iter()
        .map(|item| (item.key.as_str(), item.depends_on.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(chain, [("b", vec![]), ("c", vec!["b"]), ("a", vec!["c"])]);
    assert_eq!(in_order(items.clone(), &Pattern::Parallel), items);
}

#[test]
fn a_pattern_reads_as_it_is_written_and_says_what_there_is() {
    for text in ["parallel", "sequential", "pipeline", "tournament:4", "debate", "map-reduce:src/**/*.rs"] {
        assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
    }
    assert_eq!("tournament".parse::<Pattern>(), Ok(Pattern::Tournament(3)));
    for text in ["", "tournament:1", "tournament:x", "map-reduce", "map-reduce:[", "debate:2", "party"] {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
}

#[test]
fn a_tournament_lets_agents_try_in_turn_and_what_builds_on_a_piece_still_names_it() {
    let items = of("tournament:3", &["codex", "claude"], Path::new("/")).unwrap();
    assert_eq!(keys(&items), ["a.try-1", "a.try-2", "a.try-3", "b.try-1", "b.try-2", "b.try-3"]);
    let agents: Vec<&str> = items[..3].iter().filter_map(|item| item.agent.as_deref()).collect();
    assert_eq!(agents, ["codex", "claude", "codex"]);
    assert_eq!(items[3].depends_on, ["a"]);
    assert_eq!(items[0].part.contest.as_deref(), Some("a"));
    assert!(of("tournament:3", &[], Path::new("/")).is_err());
}

#[test]
fn in_a_debate_each_hears_all_before_one_does_it() {
    let items = of("debate", &["codex", "claude"], Path::new("/")).unwrap();
    let wanted = ["a.position-codex", "a.position-claude", "a.reply-codex", "a.reply-claude", "a"];
    assert_eq!(keys(&items)[..5], wanted);
    assert_eq!(items[2].part.hears, wanted[..2]);
    assert_eq!(
        (&items[4].part.hears[..], items[4].part.answers),
        (&wanted[2..4].iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()[..], false)
    );
    assert!(items[..4].iter().all(|item| item.part.answers));
    assert!(of("debate", &["codex"], Path::new("/")).is_err());
}

#[test]
fn files_are_divided_among_the_agents_and_brought_together() {
    let target = tempfile::tempdir().unwrap();
    for name in ["src/a.rs", "src/b.rs", "src/deep/c.rs", "README.md"] {
        let path = target.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let items = of("map-reduce:src/**/*.rs", &["codex"], target.path()).unwrap();
    assert_eq!(keys(&items)[..3], ["a.map-1", "a.map-2", "a"]);
    assert!(items[0].prompt.ends_with("- src/a.rs\n- src/b.rs\n"), "{}", items[0].prompt);
    assert!(items[1].prompt.ends_with("- src/deep/c.rs\n"));
    assert_eq!(items[2].part.hears, ["a.map-1", "a.map-2"]);
    assert!(of("map-reduce:*.nothing", &["codex"], target.path()).is_err());
}
