//! Inference, case by case.

use super::*;

/// Infers with the given files, `name` or `name=text`, on a machine with every program.
fn lines(title: &str, files: &[&str]) -> Result<Vec<String>, NotInferred> {
    inferred(title, &[], files, &|_| true).map(|i| i.steps.into_iter().map(|s| s.run).collect())
}

fn inferred(
    title: &str,
    labels: &[&str],
    files: &[&str],
    installed: &dyn Fn(&str) -> bool,
) -> Result<Inferred, NotInferred> {
    let labels: Vec<String> = labels.iter().map(|&l| l.to_owned()).collect();
    let split = |file: &str| file.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let names: Vec<String> =
        files.iter().map(|f| split(f).map_or_else(|| (*f).to_owned(), |(n, _)| n)).collect();
    let text = |name: &str| {
        assert!(TEXTS.contains(&name), "whoever looks does not know that {name} is read");
        files.iter().filter_map(|f| split(f)).find(|(n, _)| n == name).map(|(_, text)| text)
    };
    infer(&Surroundings { title, labels: &labels, names: &names, text: &text, installed })
}

#[test]
fn each_ecosystem_has_its_own_words_for_a_verb() {
    let package =
        r#"package.json={"scripts": {"build": "tsc", "test": "jest"}, "devDependencies": {"jest": "1"}}"#;
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("Build it", &["Cargo.toml"], &["cargo build"]),
        ("Lint and test", &["Cargo.toml"], &["cargo clippy --all-targets -- -D warnings", "cargo test"]),
        ("test, then build", &[package, "package-lock.json"], &["npm ci", "npm run build", "npm run test"]),
        ("test", &[package, "pnpm-lock.yaml"], &["pnpm install --frozen-lockfile", "pnpm run test"]),
        ("test", &[package, "yarn.lock"], &["yarn install --frozen-lockfile", "yarn run test"]),
        ("test", &[package, "yarn.lock", ".yarnrc.yml"], &["yarn install --immutable", "yarn run test"]),
        ("test", &[package], &["npm install", "npm run test"]),
        ("test", &["pyproject.toml=[tool.pytest]"], &["python3 -m pytest"]),
        ("test", &["pyproject.toml=pytest", "uv.lock"], &["uv run python3 -m pytest"]),
        ("test", &["setup.py", "tests"], &["python3 -m unittest discover tests"]),
        ("Run the tests", &["a.py", "test_a.py"], &["python3 -m pytest"]),
        ("test", &["Cargo.toml", "test_a.py"], &["cargo test"]),
        ("lint", &["pyproject.toml"], &["ruff check ."]),
        ("build the package", &["setup.py"], &["python3 -m build"]),
        ("Build, test", &["go.mod"], &["go build ./...", "go test ./..."]),
        ("Run the tests", &["build.gradle.kts", "gradlew"], &["./gradlew --no-daemon --console=plain test"]),
        ("Build", &["pom.xml"], &["mvn --batch-mode package -DskipTests"]),
        ("Build", &["Dockerfile"], &["docker build ."]),
        ("Deploy", &["compose.yaml"], &["docker compose up --detach --build"]),
        ("Plan", &["main.tf"], &["tofu init -input=false", "tofu plan -input=false"]),
        ("terraform plan", &["main.tf"], &["terraform init -input=false", "terraform plan -input=false"]),
        ("apply", &["main.tofu"], &["tofu init -input=false", "tofu apply -input=false -auto-approve"]),
    ];
    for (title, files, expected) in cases {
        assert_eq!(lines(title, files).as_deref(), Ok(&expected.map_strings()[..]), "{title} with {files:?}");
    }
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for &[&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|&s| s.to_owned()).collect()
    }
}

#[test]
fn only_scripts_that_package_json_has_are_run() {
    let stub = r#"package.json={"scripts": {"build": "tsc", "test": "echo \"Error: no test specified\" && exit 1"}}"#;
    assert_eq!(
        lines("anything", &[stub]).unwrap(),
        ["npm run build"],
        "no dependencies, so nothing to install"
    );
    assert!(matches!(lines("test", &[stub]), Err(NotInferred::UnknownVerb { verb: "test", .. })));
    assert!(matches!(lines("build", &["package.json={"]), Err(NotInferred::UnknownVerb { .. })));
}

#[test]
fn only_targets_that_the_makefile_has_are_made_and_they_come_before_the_languages() {
    let makefile =
        "Makefile=CC := gcc\nFLAGS = a:b\n.PHONY: lint\nall: out\n\techo build: x\ntest unit: all\n";
    assert_eq!(lines("build and test", &[makefile, "Cargo.toml"]).unwrap(), ["make all", "make test"]);
    assert_eq!(
        lines("lint", &[makefile, "Cargo.toml"]).unwrap(),
        ["cargo clippy --all-targets -- -D warnings"]
    );
    assert!(matches!(lines("deploy", &[makefile]), Err(NotInferred::UnknownVerb { verb: "deploy", .. })));
}

#[test]
fn every_language_of_the_workspace_takes_part_unless_the_title_names_one() {
    assert_eq!(lines("build", &["Cargo.toml", "go.mod"]).unwrap(), ["cargo build", "go build ./..."]);
    assert_eq!(lines("build the cargo part", &["Cargo.toml", "go.mod"]).unwrap(), ["cargo build"]);
    assert_eq!(lines("build the docker image", &["Cargo.toml", "Dockerfile"]).unwrap(), ["docker build ."]);
    assert_eq!(lines("build", &["Cargo.toml", "Dockerfile"]).unwrap(), ["cargo build"]);
}

#[test]
fn without_a_verb_what_is_known_of_build_and_test_is_done() {
    let found = inferred("Look after it", &[], &["Cargo.toml"], &|_| true).unwrap();
    assert_eq!(found.steps, ["cargo build", "cargo test"].map(Step::shell));
    assert_eq!(
        found.why,
        "the title and labels name no verb, so what is known of build and test is done: \
         build by cargo build (Cargo.toml); test by cargo test (Cargo.toml)"
    );
}

#[test]
fn a_label_asks_like_the_title() {
    let found = inferred("nightly", &["lint"], &["go.mod"], &|_| true).unwrap();
    assert_eq!(found.steps, ["go vet ./..."].map(Step::shell));
    assert_eq!(found.why, "the title and labels say lint: lint by go vet ./... (go.mod)");
}

#[test]
fn what_can_not_be_inferred_is_an_error_that_says_to_write_a_recipe() {
    for (title, files) in
        [("Deploy to production", &["Cargo.toml"][..]), ("build and deploy", &["go.mod"]), ("x", &[])]
    {
        let message = lines(title, files).unwrap_err().to_string();
        assert!(message.contains("write a recipe"), "{message}");
    }
    assert_eq!(
        lines("Deploy to production", &["Cargo.toml"]).unwrap_err().to_string(),
        "there is no recipe, and steps can't be inferred: the title or a label says \"deploy\", and the workspace's \
         top folder does not say how (Cargo.toml); write a recipe with the steps"
    );
}

#[test]
fn two_ways_to_deploy_are_refused_unless_one_is_named() {
    let files = ["compose.yaml", "main.tf"];
    assert!(matches!(lines("deploy", &files), Err(NotInferred::Ambiguous { .. })));
    assert_eq!(lines("deploy by docker", &files).unwrap(), ["docker compose up --detach --build"]);
}

#[test]
fn what_the_project_does_not_say_is_told_without_a_word_of_recipes() {
    let unknown = lines("test", &["notes.txt"]).unwrap_err();
    assert_eq!(unknown.found(), "it holds no project file that is known");
    assert_eq!(lines("deploy", &["Cargo.toml"]).unwrap_err().found(), "Cargo.toml");
}

#[test]
fn what_is_installed_decides_between_twins() {
    let tests = inferred("test", &[], &["test_a.py"], &|_| false).unwrap();
    assert_eq!(tests.steps[0].run, "python3 -m unittest discover");
    let plan = inferred("plan", &[], &["main.tf"], &|program| program == "terraform").unwrap();
    assert_eq!(plan.steps[1].run, "terraform plan -input=false");
    let build = inferred("build", &[], &["Dockerfile"], &|program| program == "podman").unwrap();
    assert_eq!(build.steps[0].run, "podman build .");
}
