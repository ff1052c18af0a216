//! What speaks for and against an agent, and who is left out.

use crate::fleets::{agent, ids, router, router_with, small, task};
use spalla_router::{Condition, Constraints, Micro, Options, Question, Stage, Weights};

#[test]
fn the_score_is_the_sum_of_the_terms_that_are_told() {
    let answer = router(small()).route(&task("Write a Dockerfile for the container"));
    let best = &answer.candidates[0];
    assert_eq!((best.id.as_str(), answer.stage), ("docker-expert", Stage::Keywords));
    assert_eq!(best.score, best.terms.total());
    assert!(best.terms.keyword > Micro::ZERO && best.terms.regex > Micro::ZERO);
    let found: Vec<_> = best.matched.iter().map(|one| (one.by, one.trigger.as_str(), one.at)).collect();
    assert_eq!(found, [(Stage::Keywords, "container", 27), (Stage::Regex, r"\bdocker[- ]?files?\b", 8)]);
}

#[test]
fn ties_go_to_the_id_that_comes_first_and_are_ambiguous() {
    let agents = ["b", "c", "a"].map(|id| agent(id, "x", &["parser"]));
    let answer = router(agents.into()).route(&task("mend the parser"));
    assert_eq!(
        (ids(&answer), answer.ambiguous, answer.margin),
        (vec!["a", "b", "c"], true, Some(Micro::ZERO))
    );
}

#[test]
fn a_clear_margin_is_not_ambiguous() {
    let answer = router(small()).route(&task("cargo says the borrow checker is right about this rust code"));
    assert_eq!((ids(&answer)[0], answer.ambiguous), ("rust-engineer", false));
}

#[test]
fn whoever_is_called_by_name_is_meant() {
    let answer = router(small()).route(&task("let the python pro look at it"));
    assert_eq!(ids(&answer), ["python-pro"]);
}

#[test]
fn what_an_agent_is_not_for_counts_against_it() {
    let answer = router(small()).route(&task("port this python module to rust"));
    assert_eq!(ids(&answer), ["rust-engineer", "python-pro"]);
    assert_eq!(answer.candidates[1].terms.penalties.conflicts, Micro::of(0.5));
}

#[test]
fn of_keywords_with_ranks_the_first_count_in_full_and_later_ones_less() {
    let words: Vec<String> = ["socket.io", "latency"]
        .map(String::from)
        .into_iter()
        .chain((0..9).map(|n| format!("w{n}x")))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["browsers"]).collect();
    let mut engineer = agent("push-engineer", "core", &words);
    engineer.details.ranked_keywords = words.iter().map(|word| (*word).to_owned()).collect();
    let tester = agent("tester", "quality", &["browser", "click"]);
    let router = router(vec![engineer, tester]);
    let keyword = |text: &str, place: usize| router.route(&task(text)).candidates[place].terms.keyword;
    let (first, one) =
        (keyword("use socket.io", 0), router.route(&task("click it")).candidates[0].terms.keyword);
    assert_eq!(first, one, "the first counts as one that has no rank");
    assert_eq!(keyword("measure latency", 0), first.times(Micro::of_millionths(909_091)));
    let answer = router.route(&task("open all browsers"));
    assert_eq!(ids(&answer), ["tester", "push-engineer"]);
    assert!(answer.candidates[1].terms.keyword < answer.candidates[0].terms.keyword.times(Micro::of(0.5)));
    assert_eq!(answer.candidates[1].score, answer.candidates[1].terms.total());
}

#[test]
fn the_name_of_an_agent_counts_in_full_wherever_it_stands_among_its_keywords() {
    let words = ["one", "two", "three", "rust engineers"];
    let plain = agent("rust-engineer", "core", &words);
    let mut ranked = plain.clone();
    ranked.details.ranked_keywords = words.map(String::from).into();
    let score = |one| router(vec![one]).route(&task("ask the rust engineer")).candidates[0].score;
    assert_eq!(score(plain), score(ranked));
}

#[test]
fn an_agent_that_may_use_no_tool_is_left_out_where_one_is_needed() {
    let mut silent = agent("silent", "core", &["docker"]);
    silent.details.tools_restricted = vec!["*".into()];
    let mut wish = task("docker");
    assert_eq!(ids(&router(vec![silent.clone()]).route(&wish)), ["silent"]);
    wish.constraints.tools = vec!["Read".into()];
    assert!(ids(&router(vec![silent]).route(&wish)).is_empty());
}

fn constrained(constraints: Constraints) -> Question {
    Question { constraints, ..task("review the python code in the docker image") }
}

#[test]
fn constraints_leave_out_whoever_does_not_fit() {
    let router = router(small());
    let route = |constraints| ids(&router.route(&constrained(constraints))).join(" ");
    assert_eq!(route(Constraints::default()), "docker-expert python-pro code-reviewer");
    let domain = Constraints { domain: Some("languages".into()), ..Constraints::default() };
    assert_eq!(route(domain), "python-pro");
    let tools = |tool: &str| Constraints { tools: vec![tool.into()], ..Constraints::default() };
    assert_eq!(route(tools("bash")), "docker-expert");
    assert_eq!(route(tools("Write")), "docker-expert python-pro code-reviewer");
    let excluded = Constraints { excluded: vec!["docker-expert".into()], ..Constraints::default() };
    assert_eq!(route(excluded), "python-pro code-reviewer");
}

#[test]
fn memory_is_read_by_its_owner_and_by_those_it_is_shared_with() {
    let mut agents = small();
    agents[2].details.share_with = vec!["code-reviewer".into()];
    let constraints = Constraints { memory_of: Some("python-pro".into()), ..Constraints::default() };
    let answer = router(agents).route(&constrained(constraints));
    assert_eq!((ids(&answer), answer.filtered), (vec!["python-pro", "code-reviewer"], 1));
}

#[test]
fn who_is_down_is_left_out_and_who_is_busy_pays() {
    let router = router(small());
    let mut question = constrained(Constraints::default());
    let down = Condition { is_down: true, ..Condition::default() };
    let busy =
        Condition { is_broken: true, busy: Micro::ONE, policy: Micro::of(0.25), ..Condition::default() };
    question.conditions = [("docker-expert".to_owned(), down), ("code-reviewer".to_owned(), busy)].into();
    let answer = router.route(&question);
    assert_eq!(ids(&answer), ["python-pro", "code-reviewer"]);
    let penalties = answer.candidates[1].terms.penalties;
    assert_eq!((penalties.load, penalties.policy), (Micro::of(1.3), Micro::of(0.25)));
}

#[test]
fn how_agents_stand_is_part_of_the_question_and_its_version_of_the_answer() {
    let router = router(["a", "b"].map(|id| agent(id, "x", &["parser"])).to_vec());
    let well = task("mend the parser");
    let failing = Condition { failing: Micro::ONE, ..Condition::default() };
    let conditions = [("a".to_owned(), failing)].into();
    let badly = Question { conditions, standing: Some("slo-1".into()), ..well.clone() };
    let answer = router.route(&badly);
    assert_eq!((ids(&answer), answer.standing.as_deref()), (vec!["b", "a"], Some("slo-1")));
    assert_eq!(answer.candidates[1].terms.penalties.load, Micro::of(0.3));
    let answer = router.route(&well);
    assert_eq!((ids(&answer), answer.standing.as_deref()), (vec!["a", "b"], None));
    // What is remembered of one is no answer to the other.
    let other = Question { standing: Some("slo-2".into()), ..badly.clone() };
    assert_eq!(router.route(&other).standing.as_deref(), Some("slo-2"));
}

#[test]
fn what_was_learned_decides_between_equals() {
    let agents = || ["a", "b"].map(|id| agent(id, "x", &["parser"])).to_vec();
    let rewards = [("b".to_owned(), Micro::of(0.9))].into();
    let weights = Weights { version: "7".into(), rewards };
    let answer = router_with(agents(), Options::default(), weights).route(&task("mend the parser"));
    assert_eq!((ids(&answer), answer.weights.as_str(), answer.ambiguous), (vec!["b", "a"], "7", false));
    let mut known = agents();
    known[1].details.prior = Some(Micro::of(0.6));
    assert_eq!(ids(&router(known).route(&task("mend the parser"))), ["b", "a"]);
}

#[test]
fn a_domain_that_much_points_to_gains() {
    let mut agents: Vec<_> = (0..5).map(|n| agent(&format!("m{n}"), "marketing", &["campaign"])).collect();
    agents.push(agent("a-loner", "finance", &["campaign"]));
    let answer = router(agents).route(&task("plan the campaign"));
    assert_eq!(ids(&answer), ["m0", "m1", "m2"]);
    assert!(answer.candidates[0].terms.domain > Micro::of(0.3));
}

#[test]
fn only_so_many_candidates_are_told() {
    let options = Options { candidates: 1, ..Options::default() };
    let agents = ["a", "b"].map(|id| agent(id, "x", &["parser"])).to_vec();
    let answer = router_with(agents, options, Weights::default()).route(&task("mend the parser"));
    assert_eq!((ids(&answer), answer.ambiguous), (vec!["a"], true));
}
