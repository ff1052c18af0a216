//! The demo: from nothing to a deployed sample and a report, twice in a row.

use crate::process::{Home, text};

#[test]
fn the_demo_works_twice_in_a_row() {
    let home = Home::new();
    let data = home.path("shown");
    for _ in 0..2 {
        let ended = home.run(&["demo", "--data", text(&data)]);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        for wanted in [
            "waits for a person",
            "/approve",
            "All four succeeded",
            "tier 5: ",
            "report: ",
            "spalla up --data",
        ] {
            assert!(ended.stdout.contains(wanted), "{wanted:?} is missing in {}", ended.stdout);
        }
        assert!(!ended.stdout.contains('\u{1b}'), "plain lines");
    }
}

#[test]
fn without_a_data_folder_the_demo_makes_one_of_its_own() {
    let home = Home::new();
    let ended = home.run(&["demo"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let folders = std::fs::read_dir(home.data()).expect("the data folder");
    let names: Vec<String> =
        folders.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|name| name.starts_with("demo-2")), "{names:?}");
}
