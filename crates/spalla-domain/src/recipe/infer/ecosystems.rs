//! What each build tool calls building, testing, linting, deploying, planning and applying, as one table.

use super::{Surroundings, Verb};
use serde_json::Value;

/// Who is asked first: what the project's people wrote for this purpose, then its languages, then what packs or
/// hosts the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    OwnTargets,
    Language,
    Infrastructure,
}

/// One build tool.
pub(super) struct Ecosystem {
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// The words of a title that mean this one and no other.
    pub(super) words: &'static [&'static str],
    /// Returns the file that shows that the workspace uses it.
    pub(super) marker: fn(&Surroundings<'_>) -> Option<String>,
    /// Returns the commands that a verb means; none when it knows no such verb.
    pub(super) commands: fn(&Surroundings<'_>, Verb) -> Vec<String>,
}

pub(super) static ECOSYSTEMS: [Ecosystem; 9] = [
    Ecosystem {
        name: "Make",
        level: Level::OwnTargets,
        words: &["makefile"],
        marker: |from| from.first_of(&["GNUmakefile", "Makefile", "makefile"]),
        commands: make,
    },
    Ecosystem {
        name: "Cargo",
        level: Level::Language,
        words: &["cargo", "rust"],
        marker: |from| from.first_of(&["Cargo.toml"]),
        commands: cargo,
    },
    Ecosystem {
        name: "Node",
        level: Level::Language,
        words: &["npm", "pnpm", "yarn", "node", "javascript", "typescript"],
        marker: |from| from.first_of(&["package.json"]),
        commands: node,
    },
    Ecosystem {
        name: "Python",
        level: Level::Language,
        words: &["python", "pytest", "ruff"],
        marker: |from| {
            from.first_of(&["pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "requirements.txt"])
                .or_else(|| scripts_with_tests(from))
        },
        commands: python,
    },
    Ecosystem {
        name: "Go",
        level: Level::Language,
        words: &["golang"],
        marker: |from| from.first_of(&["go.mod", "go.work"]),
        commands: go,
    },
    Ecosystem {
        name: "Gradle",
        level: Level::Language,
        words: &["gradle"],
        marker: |from| {
            from.first_of(&["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"])
        },
        commands: gradle,
    },
    Ecosystem {
        name: "Maven",
        level: Level::Language,
        words: &["maven", "mvn"],
        marker: |from| from.first_of(&["pom.xml"]),
        commands: maven,
    },
    Ecosystem {
        name: "Docker",
        level: Level::Infrastructure,
        words: &["docker", "image", "container", "compose"],
        marker: |from| {
            from.first_of(&COMPOSE_FILES).or_else(|| from.first_of(&["Dockerfile", "Containerfile"]))
        },
        commands: docker,
    },
    Ecosystem {
        name: "OpenTofu or Terraform",
        level: Level::Infrastructure,
        words: &["tofu", "opentofu", "terraform"],
        marker: |from| from.first_ending(".tofu").or_else(|| from.first_ending(".tf")),
        commands: tofu,
    },
];

/// The files whose texts say how; of all others the names are enough.
pub(super) const TEXTS: [&str; 12] = [
    "GNUmakefile",
    "Makefile",
    "makefile",
    "package.json",
    "pom.xml",
    ".terraform.lock.hcl",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "requirements.txt",
    "requirements-dev.txt",
    "dev-requirements.txt",
];

const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

fn lines(commands: &[&str]) -> Vec<String> {
    commands.iter().map(|&command| command.to_owned()).collect()
}

fn make(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let text = from
        .first_of(&["GNUmakefile", "Makefile", "makefile"])
        .and_then(|file| (from.text)(&file))
        .unwrap_or_default();
    let has = |target: &str| make_targets(&text).any(|t| t == target);
    let fallback = match verb {
        Verb::Build => "all",
        Verb::Test => "check",
        _ => "",
    };
    let target = [verb.as_str(), fallback].into_iter().find(|target| has(target));
    target.map(|target| format!("make {target}")).into_iter().collect()
}

/// Finds the targets that a Makefile names in so many words.
fn make_targets(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.starts_with(['\t', ' ', '#', '.']))
        .filter_map(|line| line.split_once(':'))
        .filter(|(left, right)| !right.starts_with('=') && !right.starts_with(":=") && !left.contains('='))
        .flat_map(|(left, _)| left.split_whitespace())
}

fn cargo(_: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    match verb {
        Verb::Lint => lines(&["cargo clippy --all-targets -- -D warnings"]),
        Verb::Build => lines(&["cargo build"]),
        Verb::Test => lines(&["cargo test"]),
        Verb::Plan | Verb::Apply | Verb::Deploy => Vec::new(),
    }
}

fn node(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let package = (from.text)("package.json").and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let Some(package) = package else { return Vec::new() };
    let script = package["scripts"][verb.as_str()].as_str();
    // The script that `npm init` writes only says that there are no tests, and fails.
    if script.is_none_or(|script| script.trim().is_empty() || script.contains("no test specified")) {
        return Vec::new();
    }
    let (program, install) = node_package_tool(from, package["packageManager"].as_str().unwrap_or_default());
    let needs_install = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]
        .iter()
        .any(|key| package[*key].as_object().is_some_and(|some| !some.is_empty()));
    let mut commands = Vec::new();
    if needs_install || !package["workspaces"].is_null() {
        commands.push(install.to_owned());
    }
    commands.push(format!("{program} run {}", verb.as_str()));
    commands
}

fn node_package_tool(from: &Surroundings<'_>, declared: &str) -> (&'static str, &'static str) {
    if from.has("pnpm-lock.yaml") {
        ("pnpm", "pnpm install --frozen-lockfile")
    } else if from.has("yarn.lock") {
        let newer =
            from.has(".yarnrc.yml") || declared.starts_with("yarn@") && !declared.starts_with("yarn@1.");
        ("yarn", if newer { "yarn install --immutable" } else { "yarn install --frozen-lockfile" })
    } else if from.has("package-lock.json") || from.has("npm-shrinkwrap.json") {
        ("npm", "npm ci")
    } else if declared.starts_with("pnpm@") {
        ("pnpm", "pnpm install")
    } else if declared.starts_with("yarn@") {
        ("yarn", "yarn install")
    } else {
        ("npm", "npm install")
    }
}

fn python(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    const SETTINGS: [&str; 6] = [
        "pyproject.toml",
        "setup.cfg",
        "tox.ini",
        "requirements.txt",
        "requirements-dev.txt",
        "dev-requirements.txt",
    ];
    let (prefix, build) = if from.has("uv.lock") {
        ("uv run ", "uv build")
    } else if from.has("poetry.lock") {
        ("poetry run ", "poetry build")
    } else {
        ("", "python3 -m build")
    };
    let packaged = from.has("pyproject.toml") || from.has("setup.py");
    let pytest = from.has("pytest.ini") || from.has("conftest.py") || from.mentions(&SETTINGS, "pytest");
    let flake8 = from.has(".flake8") || from.mentions(&SETTINGS, "flake8");
    let ruff = from.has("ruff.toml") || from.has(".ruff.toml") || from.mentions(&SETTINGS, "ruff");
    match verb {
        Verb::Build if packaged => lines(&[build]),
        Verb::Test if pytest => vec![format!("{prefix}python3 -m pytest")],
        Verb::Test if from.has("tests") || from.has("test") => {
            let folder = if from.has("tests") { "tests" } else { "test" };
            vec![format!("{prefix}python3 -m unittest discover {folder}")]
        }
        Verb::Test if scripts_with_tests(from).is_some() => {
            // What carries out tests of both kinds, where it is there.
            let is_there = (from.installed)("pytest");
            let runner = if is_there { "python3 -m pytest" } else { "python3 -m unittest discover" };
            vec![format!("{prefix}{runner}")]
        }
        Verb::Lint if flake8 && !ruff => vec![format!("{prefix}python3 -m flake8")],
        Verb::Lint => vec![format!("{prefix}ruff check .")],
        _ => Vec::new(),
    }
}

/// Returns the first file of tests beside scripts in Python, where nothing else says what the project is built by: many have no more.
fn scripts_with_tests(from: &Surroundings<'_>) -> Option<String> {
    const OTHERS: [&str; 9] = [
        "Cargo.toml",
        "package.json",
        "go.mod",
        "go.work",
        "build.gradle",
        "build.gradle.kts",
        "settings.gradle",
        "settings.gradle.kts",
        "pom.xml",
    ];
    let is_test = |name: &&String| {
        let stem = name.strip_suffix(".py");
        stem.is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"))
    };
    from.names.iter().find(is_test).filter(|_| from.first_of(&OTHERS).is_none()).cloned()
}

fn go(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let linter = from.first_of(&[".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json"]);
    match verb {
        Verb::Lint if linter.is_some() => lines(&["golangci-lint run"]),
        Verb::Lint => lines(&["go vet ./..."]),
        Verb::Build => lines(&["go build ./..."]),
        Verb::Test => lines(&["go test ./..."]),
        Verb::Plan | Verb::Apply | Verb::Deploy => Vec::new(),
    }
}

fn gradle(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let program = if from.has("gradlew") { "./gradlew" } else { "gradle" };
    let tasks = match verb {
        Verb::Lint => "check --exclude-task test",
        Verb::Build => "assemble",
        Verb::Test => "test",
        Verb::Plan | Verb::Apply | Verb::Deploy => return Vec::new(),
    };
    // A daemon would outlive the step, and be ended with it.
    vec![format!("{program} --no-daemon --console=plain {tasks}")]
}

fn maven(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let program = if from.has("mvnw") { "./mvnw" } else { "mvn" };
    let goals = match verb {
        Verb::Lint if from.mentions(&["pom.xml"], "checkstyle") => "checkstyle:check",
        Verb::Build => "package -DskipTests",
        Verb::Test => "test",
        Verb::Deploy if from.mentions(&["pom.xml"], "<distributionManagement>") => "deploy",
        _ => return Vec::new(),
    };
    vec![format!("{program} --batch-mode {goals}")]
}

fn docker(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let podman = !(from.installed)("docker") && (from.installed)("podman");
    let program = if podman { "podman" } else { "docker" };
    let compose = from.first_of(&COMPOSE_FILES).is_some();
    match verb {
        Verb::Build if compose => vec![format!("{program} compose build")],
        Verb::Build => vec![format!("{program} build .")],
        Verb::Deploy if compose => vec![format!("{program} compose up --detach --build")],
        _ => Vec::new(),
    }
}

fn tofu(from: &Surroundings<'_>, verb: Verb) -> Vec<String> {
    let program = tofu_program(from);
    let init = format!("{program} init -input=false");
    match verb {
        Verb::Lint => vec![format!("{program} fmt -check -recursive")],
        Verb::Build | Verb::Test => {
            vec![format!("{program} init -input=false -backend=false"), format!("{program} validate")]
        }
        Verb::Plan => vec![init, format!("{program} plan -input=false")],
        Verb::Apply | Verb::Deploy => vec![init, format!("{program} apply -input=false -auto-approve")],
    }
}

/// Chooses between the two programs: by the files, then by the title, then by what is installed.
fn tofu_program(from: &Surroundings<'_>) -> &'static str {
    let title = from.title.to_lowercase();
    if from.first_ending(".tofu").is_some() || from.has(".opentofu-version") || title.contains("tofu") {
        "tofu"
    } else if from.has(".terraform-version")
        || title.contains("terraform")
        || from.mentions(&[".terraform.lock.hcl"], "registry.terraform.io")
        || !(from.installed)("tofu")
    {
        "terraform"
    } else {
        "tofu"
    }
}
