//! Worktrees of real repositories, and what they leave untouched.

use crate::fake::{Wanted, recipe};
use crate::site::{Site, Working, bytes_beneath};
use serde_json::Value;
use spalla_domain::RunId;
use spalla_domain::claim::Completion;
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::Executor;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Git as the person uses it, with settings that would show if they were believed.
fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=P", "-c", "user.email=p@example.org", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes a repository with one commit.
fn repository(site: &Site, name: &str) -> PathBuf {
    let path = site.path(name);
    std::fs::create_dir(&path).unwrap();
    git(&path, &["init", "--quiet"]);
    std::fs::write(path.join("file"), "committed\n").unwrap();
    git(&path, &["add", "."]);
    git(&path, &["commit", "--quiet", "-m", "first"]);
    path
}

fn on(repository: &Path, yaml: &str) -> Wanted {
    Wanted { repository: Some(repository.display().to_string()), ..recipe(yaml) }
}

fn result(completion: &Completion) -> Value {
    serde_json::from_str(completion.result.as_ref().unwrap().get()).unwrap()
}

/// Runs one work item after another on a worker with so many slots.
async fn run_on(site: &Site, worker: &Working, wanted: Wanted) -> (RunId, Completion) {
    let run = site.fake.add(wanted);
    let completion = site.fake.ended(run).await;
    assert!(worker.handle.status().running <= 1);
    (run, completion)
}

#[tokio::test]
async fn a_run_works_on_a_commit_and_leaves_the_persons_checkout_as_it_was() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    // Uncommitted work, a hook and a file system monitor that must never run.
    std::fs::write(repository.join("file"), "uncommitted\n").unwrap();
    std::fs::write(repository.join("untracked"), "x").unwrap();
    let trap = site.path("trap");
    for hook in ["post-checkout", "pre-commit", "post-commit", "reference-transaction", "trap"] {
        let file = repository.join(".git/hooks").join(hook);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("#!/bin/sh\necho {hook} >> {}\n", trap.display())).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    git(&repository, &["config", "core.fsmonitor", ".git/hooks/trap"]);
    git(&repository, &["config", "uploadpack.packObjectsHook", ".git/hooks/trap"]);
    let head = git(&repository, &["-c", "core.fsmonitor=false", "rev-parse", "HEAD"]);
    let _ = std::fs::remove_file(&trap);
    let before = bytes_beneath(&repository);

    // What is proven is that a push has nowhere to go.
    let unasked = std::sync::Arc::new(spalla_policy::Policy::preset("none").unwrap());
    let mut worker = site.start_with(|options| options.command_policy = unasked);
    let yaml = "steps: ['cat file; ls; git status --short; echo changed > file; echo new > new', \
                'git -c user.name=W -c user.email=w@x -c core.hooksPath=/dev/null commit -qam work; git push origin HEAD:refs/heads/stray']";
    let (run, completion) = run_on(&site, &worker, on(&repository, yaml)).await;
    assert!(!completion.success, "the push has nowhere to go");
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["committed", "file"]);
    assert_eq!(result(&completion)["commit"], head);
    let said = site.fake.lines(run, Stream::System);
    let workspace = site.data().join("scratchpads/item-1/run-1-1");
    let expected =
        format!("workspace {}: a worktree of {} at commit {head}", workspace.display(), repository.display());
    assert!(said.contains(&expected), "{said:#?}");
    assert_eq!(std::fs::read_to_string(workspace.join("new")).unwrap(), "new\n", "files stay");
    worker.stop().await;
    assert!(bytes_beneath(&repository) == before, "the person's repository was changed");
    assert!(!trap.exists(), "{}", std::fs::read_to_string(&trap).unwrap_or_default());
}

#[tokio::test]
async fn the_next_run_sees_the_newest_commit_and_nothing_of_the_run_before() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    let mut worker = site.start();
    let yaml =
        "steps: ['cat file; ls; touch left; mkdir -p closed/deep; chmod 500 closed; git checkout -q -b fix']";
    let (_, first) = run_on(&site, &worker, on(&repository, yaml)).await;
    assert!(first.success, "{first:?}");
    std::fs::write(repository.join("file"), "newer\n").unwrap();
    git(&repository, &["commit", "--quiet", "-am", "second"]);
    git(&repository, &["tag", "v2"]);
    let (run, second) = run_on(&site, &worker, on(&repository, yaml)).await;
    assert!(second.success, "the branch of the first run is gone: {second:?}");
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["newer", "file"]);
    assert_ne!(result(&first)["commit"], result(&second)["commit"]);
    let left: Vec<_> = std::fs::read_dir(site.data().join("scratchpads/item-1"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["run-2-1"]);
    let (run, third) =
        run_on(&site, &worker, Wanted { item: 2, ..on(&repository, "steps: [git describe --tags]") }).await;
    assert!(third.success);
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["v2"]);
    worker.stop().await;
}

#[tokio::test]
async fn the_log_says_that_submodules_are_not_checked_out() {
    let site = Site::new();
    let (inner, outer) = (repository(&site, "inner"), repository(&site, "outer"));
    let url = inner.display().to_string();
    git(&outer, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "part"]);
    git(&outer, &["commit", "--quiet", "-m", "with a part"]);
    let mut worker = site.start();
    let (run, completion) = run_on(&site, &worker, on(&outer, "steps: [ls part]")).await;
    assert!(completion.success, "{completion:?}");
    let said = site.fake.lines(run, Stream::System);
    assert!(said.iter().any(|line| line.starts_with("its submodules are not checked out")), "{said:?}");
    let (run, _) = run_on(&site, &worker, Wanted { item: 2, ..on(&inner, "steps: [ls]") }).await;
    let said = site.fake.lines(run, Stream::System);
    assert!(!said.iter().any(|line| line.contains("submodules")), "{said:?}");
    worker.stop().await;
}

#[tokio::test]
async fn runs_of_one_project_at_once_do_not_see_each_other() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    let yaml = "steps: ['pwd > where; git add where; git -c user.name=W -c user.email=w@x commit -qm x; test \"$(cat where)\" = \"$(pwd)\"; git log --oneline | wc -l']";
    let runs: Vec<_> = (1..=8).map(|item| site.fake.add(Wanted { item, ..on(&repository, yaml) })).collect();
    let mut worker = site.start_with(|options| options.concurrency = 8);
    for run in runs {
        let completion = site.fake.ended(run).await;
        assert!(completion.success, "{completion:?}");
        assert_eq!(site.fake.lines(run, Stream::Stdout), ["2"]);
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_mirror_that_is_half_made_or_broken_is_made_anew() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    let mirror = site.data().join("repositories/1.git");
    std::fs::create_dir_all(site.data().join("repositories/1.new/objects")).unwrap();
    let mut worker = site.start();
    assert!(run_on(&site, &worker, on(&repository, "steps: [cat file]")).await.1.success);

    // Every object is gone, and a new commit makes the mirror notice.
    std::fs::remove_dir_all(mirror.join("objects")).unwrap();
    let (_, completion) = run_on(&site, &worker, on(&repository, "steps: [cat file]")).await;
    assert!(completion.success, "{completion:?}");

    std::fs::write(mirror.join("HEAD"), "nonsense").unwrap();
    let (_, completion) = run_on(&site, &worker, on(&repository, "steps: [cat file]")).await;
    assert!(completion.success, "{completion:?}");

    // A lock that a killed git left behind.
    git(&repository, &["commit", "--quiet", "--allow-empty", "-m", "second"]);
    std::fs::write(mirror.join("refs/spalla/default.lock"), "").unwrap();
    let (_, completion) = run_on(&site, &worker, on(&repository, "steps: [cat file]")).await;
    assert!(completion.success, "{completion:?}");
    worker.stop().await;
}

#[tokio::test]
async fn another_repository_setting_is_followed() {
    let site = Site::new();
    let (one, two) = (repository(&site, "one"), repository(&site, "two"));
    std::fs::write(two.join("second"), "").unwrap();
    git(&two, &["add", "."]);
    git(&two, &["commit", "--quiet", "-m", "second"]);
    let mut worker = site.start();
    for (repository, files) in [(&one, &["file"][..]), (&two, &["file", "second"]), (&one, &["file"])] {
        let (run, _) = run_on(&site, &worker, on(repository, "steps: [ls]")).await;
        assert_eq!(site.fake.lines(run, Stream::Stdout), files);
    }
    // By URL there is a remote to push to, as anywhere.
    let url = Wanted {
        repository: Some(format!("file://{}", one.display())),
        ..recipe("steps: [git remote get-url origin]")
    };
    let (run, _) = run_on(&site, &worker, url).await;
    assert_eq!(site.fake.lines(run, Stream::Stdout), [format!("file://{}", one.display())]);
    worker.stop().await;
}

#[tokio::test]
async fn a_repository_that_will_not_do_fails_with_the_exact_reason() {
    let site = Site::new();
    let plain = site.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let empty = site.path("empty");
    std::fs::create_dir(&empty).unwrap();
    git(&empty, &["init", "--quiet"]);
    let repository = repository(&site, "repo");
    std::fs::create_dir(repository.join("sub")).unwrap();
    std::fs::create_dir_all(site.path("broken/.git")).unwrap();
    let cases = [
        (
            plain.display().to_string(),
            ErrorClass::Validation,
            "is a folder, but not a git repository; run `git init`",
        ),
        (empty.display().to_string(), ErrorClass::Validation, "is empty: its HEAD names no commit"),
        (repository.join("sub").display().to_string(), ErrorClass::Validation, "name its top folder"),
        (
            site.path("broken").display().to_string(),
            ErrorClass::Validation,
            "does not appear to be a git repository",
        ),
        (format!("file://{}", site.path("none").display()), ErrorClass::Validation, "can't be read"),
        ("http://127.0.0.1:1/x.git".into(), ErrorClass::Network, "can't be reached"),
        ("http://me:secret@127.0.0.1:1/x.git".into(), ErrorClass::Network, "http://***@127.0.0.1:1/x.git"),
    ];
    let mut worker = site.start();
    for (url, class, words) in cases {
        let (run, completion) =
            run_on(&site, &worker, Wanted { repository: Some(url), ..recipe("steps: [ls]") }).await;
        let error = completion.error.unwrap();
        assert!(error.class == class && error.message.contains(words), "{error:?}");
        assert!(!error.message.contains("secret"), "{error:?}");
        assert!(!site.fake.lines(run, Stream::System).concat().contains("secret"));
    }
    worker.stop().await;
}

#[tokio::test]
async fn steps_are_inferred_from_the_worktree_and_the_log_says_why() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    std::fs::write(repository.join("Makefile"), "test:\n\techo tested\n").unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "make"]);
    let mut worker = site.start();
    let wanted = || Wanted { repository: Some(repository.display().to_string()), ..Wanted::default() };
    let (run, completion) = run_on(&site, &worker, Wanted { title: "Run the tests", ..wanted() }).await;
    assert!(completion.success, "{completion:?}");
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["echo tested", "tested"]);
    let said = site.fake.lines(run, Stream::System);
    assert!(said.iter().any(|line| line.contains("test by make test (Makefile)")), "{said:#?}");
    let (_, completion) = run_on(&site, &worker, Wanted { title: "Deploy it", ..wanted() }).await;
    assert!(completion.error.unwrap().message.contains("says \"deploy\""));
    worker.stop().await;
}

fn surveyor(repository: Option<String>, title: &'static str) -> Wanted {
    Wanted { title, executor: Executor::Agent, agent: Some("surveyor"), repository, ..Wanted::default() }
}

#[tokio::test]
async fn the_surveyor_reads_a_folder_in_place_and_writes_its_report_elsewhere() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    std::fs::write(repository.join("main.rs"), "fn main() {}\n// TODO: more\n").unwrap();
    let before = bytes_beneath(&repository);
    let mut worker = site.start();
    let path = Some(repository.display().to_string());
    let (run, completion) = run_on(&site, &worker, surveyor(path, "Survey the code base")).await;
    assert!(completion.success, "{completion:?}");
    let result = result(&completion);
    let report = site.data().join("reports/run-1/report.md");
    assert_eq!(result["report"], report.display().to_string());
    for member in ["report", "report_json", "picture"] {
        assert!(Path::new(result[member].as_str().unwrap()).is_file(), "{member}");
    }
    assert!(
        std::fs::read_to_string(report).unwrap().contains("main.rs"),
        "what is not committed is surveyed too"
    );
    let said = site.fake.lines(run, Stream::System);
    assert!(said.iter().any(|line| line.contains("in place; it is only read")), "{said:#?}");
    assert!(bytes_beneath(&repository) == before);

    let plain = site.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let path = Some(plain.display().to_string());
    assert!(
        run_on(&site, &worker, surveyor(path, "anything")).await.1.success,
        "a folder without git is enough"
    );
    let url = Some(format!("file://{}", repository.display()));
    assert!(run_on(&site, &worker, surveyor(url, "List the entry points")).await.1.success);
    worker.stop().await;
}

#[tokio::test]
async fn an_agent_says_plainly_what_it_can_not_do() {
    let site = Site::new();
    let path = Some(repository(&site, "repo").display().to_string());
    let mut worker = site.start();
    let cases = [
        (surveyor(None, "Survey"), "the project has no repository to survey"),
        (
            surveyor(path, "Implement a login page"),
            "the surveyor can't pursue the goal alone: it asks for something",
        ),
        (
            Wanted { agent: Some("nobody"), ..surveyor(None, "x") },
            "there is no agent \"nobody\" on this worker; it has surveyor",
        ),
        (Wanted { executor: Executor::External, ..Wanted::default() }, "the executor is external"),
    ];
    for (wanted, words) in cases {
        let (_, completion) = run_on(&site, &worker, wanted).await;
        let error = completion.error.unwrap();
        assert!(error.class == ErrorClass::Validation && error.message.contains(words), "{error:?}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn nothing_that_a_run_plants_in_its_repository_runs_outside() {
    let site = Site::new();
    let repository = repository(&site, "repo");
    let (trap, mirror) = (site.path("trap"), site.data().join("repositories/1.git"));
    // Everything by which git runs a program: each would leave the trap behind, outside.
    let plant = format!(
        "set -e; echo 'touch {0}' > trap.sh; chmod +x trap.sh; mkdir -p .git/hooks; \
         for hook in post-checkout pre-commit reference-transaction post-index-change; do cp trap.sh .git/hooks/$hook; done; \
         git config core.fsmonitor \"$PWD/trap.sh\"; git config core.pager \"$PWD/trap.sh\"; \
         git config filter.x.clean \"$PWD/trap.sh\"; git config filter.x.smudge \"$PWD/trap.sh\"; \
         git config diff.external \"$PWD/trap.sh\"; git config gpg.program \"$PWD/trap.sh\"; \
         git config log.showSignature true; git config core.sshCommand \"$PWD/trap.sh\"; \
         echo '* filter=x diff=x' > .gitattributes; echo changed > file; \
         ln -s {1} out; ! touch {1}/planted 2>/dev/null; mkdir -p deep/er; chmod 000 deep",
        trap.display(),
        mirror.display()
    );
    let mut worker = site.start();
    let recipe = serde_json::json!({ "steps": [{ "run": plant, "artifacts": ["**"] }] }).to_string();
    let (_, first) = run_on(&site, &worker, on(&repository, &recipe)).await;
    assert!(first.success, "{first:?}");
    let workspace = site.data().join("scratchpads/item-1/run-1-1");
    // The surveyor reads what the run left; the next run clears it away.
    let left = Some(workspace.display().to_string());
    let (_, surveyed) = run_on(&site, &worker, Wanted { item: 2, ..surveyor(left, "anything") }).await;
    assert!(surveyed.success, "{surveyed:?}");
    let (run, second) = run_on(&site, &worker, on(&repository, "steps: [cat file; ls -A]")).await;
    assert!(second.success, "{second:?}");
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["committed", ".git", "file"]);
    worker.stop().await;
    assert!(!trap.exists() && !mirror.join("planted").exists() && mirror.join("HEAD").exists());
}
