//! Files that runs leave, from an embedded and from a remote worker, fetched by the command line.

use crate::databases::{Database, on_both};
use crate::process::{Home, Server, Setup, worker};
use serde_json::{Value, json};
use std::fs;

on_both!(what_a_step_names_is_kept_by_either_kind_of_worker_and_fetched_by_its_path);

async fn what_a_step_names_is_kept_by_either_kind_of_worker_and_fetched_by_its_path(database: Database) {
    for args in [&["up", "--auth", "none"][..], &["serve", "--auth", "none"]] {
        let home = Home::new();
        let server = Server::start(&home, &Setup { database: &database, args, env: &[] });
        let rest = &server.rest;
        let remote = (args[0] == "serve").then(|| worker(&home, &rest.url, &[]));
        let project = rest.project(None).await;
        let recipe = "steps:\n  - run: mkdir -p 'dist/a b' && head -c 600000 /dev/urandom > 'dist/a b/ä.bin'; \
                      ln -s /etc/passwd dist/link; echo hi > dist/hi.txt\n    artifacts: [dist/**]\n";
        let item = rest.item(json!({"project_id": project, "title": "leave", "recipe": recipe})).await;
        rest.enqueue(item).await;
        rest.until_status(item, "succeeded").await;
        let run = rest.runs(item).await[0].clone();
        let left = run["result"]["artifacts"].as_array().unwrap();
        assert!(left.len() == 2 && left.iter().all(|file| file["kept"] == true), "{run}");
        let (id, url) = (run["id"].to_string(), rest.url.as_str());
        let listed = home.run(&["runs", "artifacts", &id, "--json", "--server", url]).good();
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let mut shown: Vec<[&Value; 2]> =
            listed.iter().map(|file| [&file["path"], &file["sha256"]]).collect();
        shown.reverse();
        assert_eq!(shown, left.iter().map(|file| [&file["path"], &file["sha256"]]).collect::<Vec<_>>());
        let saved = home.path("saved");
        let place = saved.to_str().unwrap();
        home.run(&["runs", "artifact", &id, "dist/a b/ä.bin", "-o", place, "--server", url]).good();
        let made =
            fs::read(format!("{}/dist/a b/ä.bin", run["result"]["workspace"].as_str().unwrap())).unwrap();
        assert_eq!((made.len(), fs::read(&saved).unwrap() == made), (600_000, true));
        let printed = home.run(&["runs", "artifact", &id, "dist/hi.txt", "--server", url]).good();
        assert_eq!(printed, "hi\n");
        let none = home.run(&["runs", "artifact", &id, "dist/none", "-o", place, "--server", url]);
        assert!(none.status == Some(2) && none.stderr.contains("dist/none does not exist"), "{none:?}");
        drop(remote);
    }
}
