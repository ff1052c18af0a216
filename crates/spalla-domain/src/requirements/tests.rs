//! What becomes of visions, and what a person may do with a draft.

use super::*;
use crate::damage::{damaged, odd_text};
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn draft(status: Status) -> RequirementsDraft {
    RequirementsDraft {
        id: DraftId(3),
        project_id: ProjectId(1),
        vision_version: 2,
        status,
        items: vec![Item::new("Build it")],
        created_at: NOW,
        updated_at: NOW,
        decided_at: None,
    }
}

fn titles(text: &str) -> Vec<String> {
    propose(text).into_iter().map(|item| item.title).collect()
}

/// Shows each item as `title [category labels] <- what comes first`.
fn shown(text: &str) -> Vec<String> {
    propose(text)
        .iter()
        .map(|item| {
            let mut kind = vec![item.category.clone().unwrap_or_default()];
            kind.extend(item.labels.clone());
            let after: Vec<String> = item.depends_on.iter().map(ToString::to_string).collect();
            let after = if after.is_empty() { String::new() } else { format!(" <- {}", after.join(" ")) };
            format!("{} [{}]{after}", item.title, kind.join(" "))
        })
        .collect()
}

#[test]
fn a_vision_says_something_and_is_bounded() {
    let next = |newest, text: &str| Vision::next(ProjectId(1), newest, text.to_owned(), NOW);
    assert_eq!(next(None, "x").unwrap().version, 1);
    assert_eq!(next(Some(4), "x").unwrap().version, 5);
    for bad in ["", " \n\t", "\u{1}\n", &"x".repeat(VISION_BYTES_MAX + 1)] {
        assert_eq!(next(None, bad).unwrap_err().code, Code::Invalid);
    }
}

#[test]
fn a_draft_is_edited_until_it_is_decided_once() {
    for (command, status) in [
        (Command::Edit, Status::Proposed),
        (Command::Approve, Status::Approved),
        (Command::Reject, Status::Rejected),
    ] {
        assert_eq!(transition(&draft(Status::Proposed), command), Ok(status));
        for decided in [Status::Approved, Status::Rejected] {
            let refusal = transition(&draft(decided), command).unwrap_err();
            assert_eq!(refusal.code, Code::AlreadyDecided);
            assert!(refusal.detail.contains(decided.as_str()), "{}", refusal.detail);
        }
    }
}

#[test]
fn every_problem_of_an_edited_draft_is_found_and_names_its_item() {
    let item =
        |title: &str, depends_on: &[usize]| Item { depends_on: depends_on.to_vec(), ..Item::new(title) };
    let long = Item { description: Some("x".repeat(DESCRIPTION_BYTES_MAX + 1)), ..Item::new("long") };
    let urgent = Item { priority: 10, ..Item::new("urgent") };
    let agent = Item { executor: Some(Executor::Agent), ..Item::new("who?") };
    let problems =
        check(vec![item(" ", &[]), item("far", &[9]), long, urgent, agent, item("self", &[5])]).unwrap_err();
    let places: Vec<Option<usize>> = problems.iter().map(|problem| problem.item).collect();
    assert_eq!(places, [0, 1, 2, 3, 4, 5].map(Some));
    assert_eq!(problems[1].to_string(), "items[1]: depends_on names item 9; the draft has items 0 to 5");
    assert_eq!(check(Vec::new()).unwrap_err()[0].item, None);
    assert!(check(vec![Item::new("x"); ITEMS_MAX + 1]).is_err());
}

#[test]
fn a_circle_of_a_draft_is_shown_from_its_first_item() {
    let item = |depends_on: &[usize]| Item { depends_on: depends_on.to_vec(), ..Item::new("x") };
    let problems = check(vec![item(&[]), item(&[3]), item(&[1]), item(&[0, 2]), item(&[1])]).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].item, Some(1));
    assert!(problems[0].message.contains("1 -> 3 -> 2 -> 1"), "{}", problems[0].message);
}

#[test]
fn what_is_kept_of_an_edited_draft_has_its_normal_form() {
    let labels = ["b", "a", "b"].map(str::to_owned).to_vec();
    let second = Item { labels, depends_on: vec![0, 0], ..Item::new("b") };
    let checked = check(vec![Item::new("a"), second]).unwrap();
    assert_eq!((checked[1].labels.join(" "), &checked[1].depends_on), ("a b".to_owned(), &vec![0]));
}

#[test]
fn an_item_is_read_with_its_defaults_and_no_unknown_keys() {
    let item: Item = serde_json::from_str(r#"{"title": "Build it"}"#).unwrap();
    assert_eq!(item, Item::new("Build it"));
    assert!(serde_json::from_str::<Item>(r#"{"title": "x", "after": [1]}"#).is_err());
}

#[test]
fn sections_bullets_and_boxes_become_items_and_what_is_done_or_left_out_does_not() {
    let text = "\
# Photo app

A place for pictures of the family. It is used on phones.

## API
- [ ] Endpoint for uploads
- [x] Health endpoint
- List pictures by album
  - with paging
  - sorted by date

## Non-goals
- Video

## Quality
* Write unit tests for the upload endpoint
* README

## Rollout to AWS
- Deploy the API
";
    assert_eq!(
        shown(text),
        [
            "Implement Endpoint for uploads [build]",
            "List pictures by album [build]",
            "Write unit tests for the upload endpoint [test] <- 0",
            "Write README [docs]",
            "Deploy the API [deploy aws] <- 1 2",
        ]
    );
}

#[test]
fn numbers_and_nesting_and_words_give_the_order() {
    let text = "\
1. Design the schema
2. Build the API
   - Build the login
   - Build the search
3. Announce it
";
    assert_eq!(
        shown(text),
        [
            "Design the schema [design]",
            "Build the API [build] <- 2 3",
            "Build the login [build] <- 0",
            "Build the search [build] <- 0",
            "Announce it [build] <- 1",
        ]
    );
}

#[test]
fn plain_sentences_become_items_in_the_order_that_their_words_give() {
    let text = "We need an API for orders. Users can pay by card, e.g. with a debit card. Once the API is done, build the \
                web page. Then test the checkout. The service must not log card numbers. Deploy to k8s after the tests \
                pass. It was an idea of Anna's.";
    assert_eq!(
        shown(text),
        [
            "Add an API for orders [build]",
            "Let users pay by card, e.g. with a debit card [build]",
            "Build the web page [build] <- 0",
            "Test the checkout [test] <- 1 2 4",
            "Make sure the service does not log card numbers [build]",
            "Deploy to k8s after the tests pass [deploy k8s] <- 3",
        ]
    );
}

#[test]
fn titles_are_imperative_whatever_the_words_were() {
    let cases = [
        ("I want to export reports", "Export reports"),
        ("please add a login page.", "Add a login page"),
        ("The API must return JSON", "Make the API return JSON"),
        ("Pages must be fast", "Make sure pages are fast"),
        ("The page should be fast", "Make sure the page is fast"),
        ("Admins should be able to remove users", "Let admins remove users"),
        ("Supports dark mode", "Support dark mode"),
        ("There should be an audit log", "Add an audit log"),
        ("To-do: fix the header", "Fix the header"),
        ("Login page", "Implement Login page"),
        ("A login page", "Implement a login page"),
        ("We want it to be fast", "Make sure it is fast"),
        ("It should send mails", "Send mails"),
        ("CI pipeline", "Set up CI pipeline"),
        ("API reference docs", "Write API reference docs"),
        ("When a user logs in, show the page", "Show the page when a user logs in"),
        ("Next.js frontend", "Implement Next.js frontend"),
        ("The data is encrypted", "Make sure the data is encrypted"),
        ("**Bold** and `code` words", "Implement Bold and code words"),
        ("写一个登录页面", "写一个登录页面"),
        ("Änderungen anzeigen", "Änderungen anzeigen"),
    ];
    for (text, title) in cases {
        assert_eq!(titles(&format!("- {text}")), [title], "{text}");
    }
}

#[test]
fn phases_follow_one_another() {
    let text = "# Plan\n## Phase 1: Basics\n- Build a\n- Build b\n## Phase 2: More\n- Build c\n## Later\n- Build d\n";
    assert_eq!(
        shown(text),
        ["Build a [build]", "Build b [build]", "Build c [build] <- 0 1", "Build d [build]"]
    );
}

#[test]
fn a_long_title_is_cut_and_the_description_keeps_the_words() {
    let text = format!("- Build {}", "something large ".repeat(20));
    let item = propose(&text).remove(0);
    assert!(
        item.title.chars().count() <= PROPOSED_TITLE_CHARS && item.title.ends_with('…'),
        "{}",
        item.title
    );
    assert_eq!(item.description.as_deref(), Some(text[2..].trim()));
}

#[test]
fn what_is_said_of_an_item_stands_in_its_description() {
    let text =
        "## Shop\nCustomers are in a hurry.\n\n- Cart\n\n  It keeps for a week.\n\n  ```\n  cart()\n  ```\n";
    let item = propose(text).remove(0);
    assert_eq!(
        item.description.as_deref(),
        Some("Cart\n\nIt keeps for a week.\n\ncart()\n\nPart of: Shop\n\nCustomers are in a hurry.")
    );
}

#[test]
fn urgency_is_read_from_the_words() {
    let priorities = |text: &str| propose(text).into_iter().map(|item| item.priority).collect::<Vec<_>>();
    assert_eq!(
        priorities("- Fix it ASAP\n- (P1) Build it\n- Nice to have: add a theme\n- Add b"),
        [9, 7, 3, 5]
    );
}

#[test]
fn a_text_without_any_piece_of_work_is_one_item_with_all_its_words() {
    for text in
        ["Photo app", "# Photo app", "```\nx\n```", "---", "- [x] Build it", "# Non-goals\n- Video", "🦀"]
    {
        let items = propose(text);
        assert_eq!(items.len(), 1, "{text}: {items:?}");
        assert!(check(items.clone()).is_ok(), "{text}: {items:?}");
    }
    assert_eq!(titles("# Photo app"), ["Implement Photo app"]);
    assert_eq!(propose(" \n"), []);
}

#[test]
fn more_than_a_draft_holds_is_kept_in_its_last_item() {
    let text: String = (0..ITEMS_MAX + 50).map(|n| format!("- Build part {n}\n")).collect();
    let items = propose(&text);
    assert_eq!(items.len(), ITEMS_MAX);
    assert_eq!(items[ITEMS_MAX - 1].title, "Work out the remaining 51 points");
    assert!(items[ITEMS_MAX - 1].description.as_ref().unwrap().ends_with("- Build part 249"));
}

const VISIONS: &[&str] = &[
    "# A\n\nWe need b, then test it. Once b is done, deploy to AWS.\n\n## 1. C\n- [ ] d\n  1. e\n  2. f before d\n- [x] g\n",
    "1. Build a\n2) Test a after step 1\n\n| Feature | Why |\n|---|---|\n| Login | safe |\n\n> quote\n\n~~gone~~\n",
    "• Users must be able to x; y should not be z.\n    • deeper\n---\ntitle: t\n---\n",
];

proptest! {
    #[test]
    fn any_text_becomes_a_draft_that_keeps_the_rules_and_always_the_same_one(
        text in prop_oneof![damaged(VISIONS), odd_text(), Just(VISIONS.concat())],
    ) {
        let items = propose(&text);
        if check_text(&text).is_err() {
            return Ok(());
        }
        prop_assert!((1..=ITEMS_MAX).contains(&items.len()));
        for item in &items {
            prop_assert!(item.title.chars().count() <= PROPOSED_TITLE_CHARS, "{}", item.title);
            prop_assert!(!item.title.chars().any(char::is_control));
        }
        prop_assert_eq!(propose(&text), items.clone());
        prop_assert!(check(items).is_ok());
    }

    #[test]
    fn a_checked_draft_can_be_put_in_an_order(edges in vec((0..8_usize, 0..8_usize), 0..16)) {
        let mut items = vec![Item::new("x"); 8];
        for (child, parent) in edges {
            items[child].depends_on.push(parent);
        }
        let Ok(items) = check(items) else { return Ok(()) };
        let mut done = vec![false; items.len()];
        for _ in 0..items.len() {
            let next = (0..items.len()).find(|at| !done[*at] && items[*at].depends_on.iter().all(|p| done[*p]));
            prop_assert!(next.is_some());
            done[next.unwrap_or(0)] = true;
        }
    }
}

#[test]
fn what_is_done_already_holds_nothing_and_joins_no_lists() {
    let text = "- Build a\n\nThe rest:\n\n1. [x] Build b\n2. Build c\n3. [x] Build d\n4. Build e\n";
    assert_eq!(shown(text), ["Build a [build]", "Build c [build]", "Build e [build] <- 1"]);
    let text = "- Build a\n\n1. [x] Build b\n2. Build c\n";
    assert_eq!(shown(text), ["Build a [build]", "Build c [build]"]);
}

#[test]
fn headings_by_habit_are_headings() {
    let text = "Backend:\n- API\n- Data model\nFrontend:\n- Login page\n\n**Phase 1**\n- Build a\n\n**Phase 2**\n- Build b\n";
    assert_eq!(
        shown(text),
        [
            "Implement API [build]",
            "Implement Data model [build]",
            "Implement Login page [build]",
            "Build a [build]",
            "Build b [build] <- 3"
        ]
    );
    assert_eq!(propose(text)[2].description.as_deref(), Some("Login page\n\nPart of: Frontend"));
}

#[test]
fn a_deployment_in_the_same_breath_comes_after_what_it_deploys() {
    let text = "Build the shop and deploy it to GCP. Let users build and deploy things.";
    let expected = ["Build the shop [build]", "Deploy it to GCP [deploy gcp] <- 0 2"];
    assert_eq!(shown(text)[..2], expected);
}

#[test]
fn words_about_order_say_nothing_of_what_a_point_is_about() {
    let text = "- Extract billing\n- Extract users (depends on billing)\n- Write tests for billing\n- Deploy billing before \
                extracting users\n";
    assert_eq!(
        shown(text),
        [
            "Extract billing [build]",
            "Extract users (depends on billing) [build] <- 0 3",
            "Write tests for billing [test] <- 0",
            "Deploy billing before extracting users [deploy] <- 2"
        ]
    );
}
