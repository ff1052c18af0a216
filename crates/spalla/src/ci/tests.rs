//! What is written for CI is valid whatever an agent or a command says.

use super::gathered::{Case, Gathered, Suite, Verdict};
use super::{Found, Hidden, Level, Runner, annotate, bounded, junit, sarif, summary, write};
use proptest::prelude::*;
use serde_json::{Value, json};

fn case(name: &str, verdict: Verdict) -> Case {
    Case { class: "spalla.work.codex".into(), name: name.into(), duration_ms: 1_500, verdict, place: None }
}

fn gathered(cases: Vec<Case>, found: Vec<Found>) -> Gathered {
    let suites = vec![Suite { name: "spalla orch_1".into(), began_at: Some(0), cases }];
    Gathered {
        session: "orch_1".into(),
        goal: "Mend it".into(),
        exit: 1,
        status: "failed".into(),
        suites,
        found,
        ..Gathered::default()
    }
}

fn found(message: &str, file: Option<&str>, line: Option<u32>) -> Found {
    Found {
        rule: "complaint".into(),
        level: Level::Error,
        message: message.into(),
        file: file.map(Into::into),
        line,
        column: None,
    }
}

/// Tells whether a text is a well-formed XML document, as far as this writer writes one: elements that nest, attributes in
/// double quotes, the five entities and numbered characters, and no character that XML 1.0 does not know.
fn is_xml(text: &str) -> bool {
    let is_known = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    let Some(mut rest) = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") else {
        return false;
    };
    let mut open: Vec<&str> = Vec::new();
    while let Some(begin) = rest.find('<') {
        if !is_text(&rest[..begin]) {
            return false;
        }
        // No value holds the end of a tag: it is written as an entity.
        let Some(end) = rest.find('>') else { return false };
        let tag = &rest[begin + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let parts: Vec<&str> = attributes.split('"').collect();
        let are_texts = parts
            .iter()
            .skip(1)
            .step_by(2)
            .all(|value| is_text(value) && !value.contains(['\n', '\t', '\r']));
        if name.is_empty() || parts.len().is_multiple_of(2) || !are_texts {
            return false;
        }
        if !is_empty {
            open.push(name);
        }
    }
    open.is_empty() && rest.trim().is_empty() && text.chars().all(is_known)
}

fn is_text(text: &str) -> bool {
    let mut parts = text.split('&');
    !parts.next().unwrap_or_default().contains(['<', '>'])
        && parts.all(|part| {
            let entity = part.split_once(';').map_or("", |(entity, _)| entity);
            ["amp", "lt", "gt", "quot"].contains(&entity)
                || entity.strip_prefix('#').is_some_and(|n| n.parse::<u32>().is_ok())
        })
}

proptest! {
    #[test]
    fn junit_is_well_formed_whatever_comes(name in any::<String>(), why in any::<String>(), file in any::<String>()) {
        let cases = vec![
            Case { place: Some((file, 3)), ..case(&name, Verdict::Failed(why.clone())) },
            case(&why, Verdict::Skipped(name.clone())),
            case(&name, Verdict::Broken(why)),
            case("fine", Verdict::Passed),
        ];
        let text = junit::document(&gathered(cases, vec![]));
        prop_assert!(is_xml(&text), "{}", text);
        prop_assert!(text.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"6.000\""));
    }

    #[test]
    fn an_annotation_is_one_line_whatever_comes(message in any::<String>(), file in any::<String>()) {
        let lines = annotate::lines(&gathered(vec![], vec![found(&message, Some(&file), Some(1))]));
        prop_assert_eq!(lines.len(), 1);
        prop_assert!(!lines[0].contains(['\n', '\r', '\u{1b}']), "{:?}", lines[0]);
        // The properties end where they are meant to.
        let properties = lines[0].strip_prefix("::error ").and_then(|rest| rest.split_once("::")).map(|(all, _)| all);
        prop_assert_eq!(properties.map(|all| all.split(',').count()), Some(3));
    }

    #[test]
    fn a_text_is_bounded_between_characters(text in any::<String>(), max in 8_usize..64) {
        let short = bounded(&text, max);
        prop_assert!(short == text || short.len() <= max + 64);
    }

    #[test]
    fn a_place_in_sarif_is_a_reference(file in any::<String>(), message in any::<String>()) {
        let document = sarif::document(&gathered(vec![], vec![found(&message, Some(&file), Some(2))]));
        let result = &document["runs"][0]["results"][0];
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap_or_default();
        prop_assert!(uri.is_ascii() && !uri.contains([' ', ':', '?', '#', '<']), "{}", uri);
        prop_assert!(result["message"]["text"].as_str().is_some_and(|text| !text.trim().is_empty()));
    }
}

#[test]
fn sarif_has_what_its_readers_ask_for() {
    let all = vec![found("unused", Some("src/a b.rs"), Some(3)), found("no place", None, None)];
    let cases = vec![case("Mend it", Verdict::Failed("it did not compile".into()))];
    let document = sarif::document(&gathered(cases, all));
    let run = &document["runs"][0];
    assert_eq!((&document["version"], &run["tool"]["driver"]["name"]), (&json!("2.1.0"), &json!("spalla")));
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"], json!({"uri": "src/a%20b.rs", "uriBaseId": "%SRCROOT%"}));
    assert_eq!(place["region"], json!({"startLine": 3}));
    assert_eq!((&results[1]["locations"], &results[2]["ruleId"]), (&Value::Null, &json!("work-failed")));
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn annotations_are_written_as_github_reads_them() {
    let all = vec![found("50% of\nit: bad", Some("a,b:c.rs"), Some(7)), found("elsewhere", None, None)];
    assert_eq!(
        annotate::lines(&gathered(vec![], all)),
        ["::error file=a%2Cb%3Ac.rs,line=7,title=complaint::50%25 of%0Ait: bad"]
    );
    let many = (0..30).map(|_| found("x", Some("a"), Some(1))).collect();
    assert_eq!(annotate::lines(&gathered(vec![], many)).len(), 10, "GitHub shows no more of a step");
}

#[test]
fn a_summary_runs_nothing_of_what_it_shows() {
    let cases = vec![case("a | b <script>@all", Verdict::Failed("see ![x](http://e.org) `y`".into()))];
    let text =
        summary::document(&Gathered { goal: "```\n# not a heading".into(), ..gathered(cases, vec![]) });
    assert!(text.contains("````text\n```\n# not a heading\n````"), "{text}");
    assert!(!text.contains("<script>") && !text.contains("![x]") && !text.contains("@all"), "{text}");
}

#[test]
fn no_secret_reaches_a_file_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "ghp_0123456789abcdefSECRET";
    let hidden = Hidden::new([("GITHUB_TOKEN".to_owned(), secret.to_owned())]).unwrap();
    let cases = vec![case(secret, Verdict::Failed(format!("https://x:{secret}@h and 5oaq{secret}")))];
    let mut all = gathered(cases, vec![found(secret, Some(&format!("src/{secret}.rs")), Some(1))]);
    all.goal = format!("use {secret}");
    let paths = write(all, &hidden, folder.path(), &Runner::default()).unwrap();
    for path in [&paths.junit, &paths.sarif, &paths.summary] {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains(secret) && text.contains("GITHUB"), "{}: {text}", path.display());
    }
}

#[test]
fn the_runners_summary_gets_one_more() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("step");
    std::fs::write(&summary, "before\n").unwrap();
    let runner = Runner { is_actions: false, summary: Some(summary.clone()) };
    let hidden = Hidden::new([]).unwrap();
    for _ in 0..2 {
        write(gathered(vec![], vec![]), &hidden, &folder.path().join("out"), &runner).unwrap();
    }
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("before\n") && text.matches("## ").count() == 2, "{text}");
    assert!(!folder.path().join("out/summary.md").exists());
}
