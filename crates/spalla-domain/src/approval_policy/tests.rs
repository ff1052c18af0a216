//! Which work items a policy holds, and what is no policy.

use super::*;

const POLICY: &str = "\
rules:
  - name: production
    when: {title: \"*prod*\"}
    require: {kind: deploy, role: lead, count: 2}
  - when: {label: \"deploy:*\", project: 7}
    require: {kind: start}
  - name: clusters
    when: {command: \"kubectl delete*\"}
    require: {kind: command}
  - name: secrets
    when: {path: \"infra/*.tf\", project: \"Shop*\"}
    require: {kind: secret}
";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The rules that hold for an item of project 7, `Shop front`.
fn holding(title: &str, labels: &[&str], commands: &[&str], paths: &[&str]) -> Vec<String> {
    let (labels, commands, paths) = (words(labels), words(commands), words(paths));
    let subject = Subject {
        project_id: ProjectId(7),
        project_name: "Shop front",
        title,
        labels: &labels,
        commands: &commands,
        paths: &paths,
    };
    required(&Policy::parse(POLICY).unwrap(), &subject)
        .into_iter()
        .map(|requirement| requirement.rule)
        .collect()
}

#[test]
fn a_rule_holds_when_all_its_conditions_do() {
    assert_eq!(holding("Build", &[], &[], &[]), [""; 0]);
    assert_eq!(holding("Deploy to PROD", &["deploy:prod"], &[], &[]), ["production", "rule 2"]);
    assert_eq!(holding("x", &["Deploy:staging"], &[], &["infra/main.tf"]), ["rule 2", "secrets"]);
    assert_eq!(holding("x", &[], &[], &["infra/deep/main.tf"]), [""; 0]);
    assert_eq!(holding("x", &[], &[], &["./infra/main.tf"]), ["secrets"]);
}

#[test]
fn a_command_is_found_among_others() {
    for run in [
        "kubectl delete ns x",
        "cd a && kubectl delete ns x",
        "set -e\nkubectl delete pod y\n",
        "true; (kubectl delete z)",
        "echo $(kubectl delete z)",
    ] {
        assert_eq!(holding("x", &[], &[run], &[]), ["clusters"], "{run}");
    }
    assert_eq!(holding("x", &[], &["kubectl get ns"], &[]), [""; 0]);
}

#[test]
fn what_is_required_is_who_has_to_say_yes() {
    let policy = Policy::parse(POLICY).unwrap();
    let subject = Subject {
        project_id: ProjectId(1),
        project_name: "",
        title: "prod",
        labels: &[],
        commands: &[],
        paths: &[],
    };
    assert_eq!(
        required(&policy, &subject),
        [Requirement {
            rule: "production".into(),
            kind: Kind::Deploy,
            need: Need { role: Some("lead".into()), count: 2 }
        }]
    );
    assert_eq!(required(&Policy::default(), &subject), []);
}

#[test]
fn a_policy_is_data_that_reads_back_the_same() {
    let policy = Policy::parse(POLICY).unwrap();
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(Policy::parse(&json).unwrap(), policy);
    assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
    assert_eq!(Policy::parse(" \n").unwrap(), Policy::default());
}

#[test]
fn what_is_no_policy_is_refused_in_words() {
    let rule = |when: &str, require: &str| format!("rules: [{{name: r, when: {when}, require: {require}}}]");
    for (yaml, part) in [
        (rule("{title: x, author: y}", "{kind: start}"), "author"),
        (rule("{title: x}", "{kind: start, by: y}"), "by"),
        (rule("{title: x}", "{kind: launch}"), "launch"),
        (rule("{}", "{kind: start}"), "r: when has no condition"),
        (rule("{title: \"[\"}", "{kind: start}"), "\"[\" is no pattern"),
        (rule("{title: \"\"}", "{kind: start}"), "pattern is empty"),
        (rule("{title: x}", "{kind: start, count: 0}"), "count is 0"),
        (rule("{title: x}", "{kind: start, count: 17}"), "count is 17"),
        (rule("{title: x}", "{kind: start, role: \" \"}"), "role"),
        ("rulez: []".to_owned(), "rulez"),
        (format!("# {}", "x".repeat(POLICY_BYTES_MAX)), "bytes"),
    ] {
        let refusal = Policy::parse(&yaml).unwrap_err();
        assert!(refusal.code == Code::Invalid && refusal.detail.contains(part), "{part}: {}", refusal.detail);
    }
    let many = Policy { rules: vec![Policy::parse(POLICY).unwrap().rules[0].clone(); RULES_MAX + 1] };
    assert!(many.check().is_err());
}
