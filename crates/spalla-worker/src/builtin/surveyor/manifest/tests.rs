//! Manifests of every ecosystem, and what is read of them.

use super::*;

fn names(manifest: &Manifest, scope: Scope) -> Vec<&str> {
    let of_scope = manifest.dependencies.iter().filter(|declared| declared.scope == scope);
    of_scope.map(|declared| declared.name.as_str()).collect()
}

#[test]
fn cargo_manifest_gives_scopes_sources_and_targets() {
    let text = r#"
        [package]
        name = "app"
        version = "1.2.3"
        [[bin]]
        name = "tool"
        path = "cmd/tool.rs"
        [dependencies]
        serde = "1"
        ours = { path = "../ours" }
        json = { package = "serde_json", version = "1" }
        extra = { version = "2", optional = true }
        shared.workspace = true
        [target.'cfg(unix)'.dev-dependencies]
        nix = "0.3"
        [workspace.dependencies]
        shared = { path = "shared" }
    "#;
    let manifest = read("crates/app/Cargo.toml", text).expect("parses");
    assert_eq!(manifest.package.as_deref(), Some("app"));
    assert_eq!(
        names(&manifest, Scope::Normal),
        ["json", "ours", "serde", "shared"].map(|n| if n == "json" { "serde_json" } else { n })
    );
    assert_eq!(names(&manifest, Scope::Optional), ["extra"]);
    assert_eq!(names(&manifest, Scope::Dev), ["nix"]);
    assert_eq!(manifest.targets[0].place, "crates/app/cmd/tool.rs");
    assert_eq!(manifest.shared[0].folder.as_deref(), Some("shared"));
    let json = manifest.dependencies.iter().find(|d| d.name == "serde_json").expect("declared");
    assert_eq!(json.alias.as_deref(), Some("json"));
}

#[test]
fn npm_manifest_gives_dependencies_binaries_and_scripts() {
    let text = r#"{"name":"@x/app","bin":"cli.js","main":"./index.js",
        "dependencies":{"left":"^1","own":"workspace:*"},"devDependencies":{"jest":"29","left":"^1"},
        "scripts":{"test":"jest"}}"#;
    let manifest = read("web/package.json", text).expect("parses");
    assert_eq!(names(&manifest, Scope::Normal), ["left", "own"]);
    assert_eq!(names(&manifest, Scope::Dev), ["jest"]);
    let places: Vec<&str> = manifest.targets.iter().map(|target| target.place.as_str()).collect();
    assert_eq!(places, ["web/cli.js", "web/index.js"]);
    assert_eq!(manifest.scripts, [(String::from("test"), String::from("jest"))]);
}

#[test]
fn python_manifests_of_every_form_are_read() {
    let project = "[project]\nname='a'\ndependencies=['Flask[async]>=2; python_version>\"3\"','x']\n[project.scripts]\nrun='a:main'\n[tool.pytest.ini_options]\n[tool.poetry.group.dev.dependencies]\nblack='*'\n";
    let manifest = read("pyproject.toml", project).expect("parses");
    assert_eq!(names(&manifest, Scope::Normal), ["Flask", "x"]);
    assert_eq!(manifest.dependencies[0].requirement, ">=2");
    assert_eq!(names(&manifest, Scope::Dev), ["black"]);
    assert_eq!(manifest.targets[0].place, "a:main");
    assert!(manifest.tools.contains(&String::from("pytest")));

    let list = read("requirements-dev.txt", "# x\n-r base.txt\npytest==8.0 # why\n").expect("reads");
    assert_eq!(names(&list, Scope::Dev), ["pytest"]);
    let script = read("setup.py", "setup(name='b', install_requires=['a>=1', \"c\"])").expect("reads");
    assert_eq!(names(&script, Scope::Normal), ["a", "c"]);
    let cfg = read("setup.cfg", "[metadata]\nname = d\n[options]\ninstall_requires =\n    e>=1\n    f\n")
        .expect("reads");
    assert_eq!((cfg.package.as_deref(), names(&cfg, Scope::Normal)), (Some("d"), vec!["e", "f"]));
}

#[test]
fn go_manifest_tells_direct_from_indirect() {
    let text = "module ex.org/m\nrequire a.b/c v1.0.0\nrequire (\n\td.e/f v2.0.0 // indirect\n\tex.org/own v0.0.0\n)\nreplace ex.org/own => ./own\n";
    let manifest = read("go.mod", text).expect("parses");
    assert_eq!(names(&manifest, Scope::Normal), ["a.b/c", "ex.org/own"]);
    assert_eq!(names(&manifest, Scope::Indirect), ["d.e/f"]);
    assert_eq!(manifest.dependencies[2].folder.as_deref(), Some("./own"));
}

#[test]
fn maven_and_gradle_dependencies_are_read() {
    let pom = "<project><parent><artifactId>up</artifactId></parent><artifactId>app</artifactId><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>1</version><exclusions><exclusion><groupId>no</groupId></exclusion></exclusions></dependency><dependency><groupId>g</groupId><artifactId>t</artifactId><scope>test</scope></dependency></dependencies></project>";
    let manifest = read("pom.xml", pom).expect("parses");
    assert_eq!(manifest.package.as_deref(), Some("app"));
    assert_eq!((names(&manifest, Scope::Normal), names(&manifest, Scope::Dev)), (vec!["g:a"], vec!["g:t"]));

    let gradle = "dependencies {\n  implementation(\"g:a:1\")\n  testImplementation 'g:t:2'\n  api project(':lib:inner')\n  implementation(libs.kotlin.stdlib)\n}\n";
    let manifest = read("app/build.gradle.kts", gradle).expect("parses");
    assert_eq!(names(&manifest, Scope::Normal), ["g:a", "inner", "kotlin-stdlib"]);
    assert_eq!(manifest.dependencies[2].folder.as_deref(), Some("../lib/inner"));
    let catalog = read(
        "gradle/libs.versions.toml",
        "[versions]\nk='2'\n[libraries]\nkotlin-stdlib={module='o.k:stdlib',version.ref='k'}\n",
    )
    .expect("parses");
    assert_eq!(
        (catalog.shared[0].name.as_str(), catalog.shared[0].requirement.as_str()),
        ("o.k:stdlib", "2")
    );
}

#[test]
fn plain_lists_are_read() {
    let table = [
        ("Gemfile", "gem 'rails', '~> 7'\n", "rails"),
        ("x.gemspec", "s.name = 'x'\ns.add_dependency 'rack'\n", "rack"),
        ("composer.json", "{\"require\":{\"php\":\">=8\",\"a/b\":\"1\"}}", "a/b"),
        ("mix.exs", "  {:plug, \"~> 1.0\"},\n", "plug"),
        ("pubspec.yaml", "name: x\ndependencies:\n  http: ^1.0\n", "http"),
        ("a.csproj", "<PackageReference Include=\"Serilog\" Version=\"3\" />", "Serilog"),
        ("Dockerfile", "FROM rust:1 AS build\nFROM build\nFROM scratch\n", "rust"),
        (".github/workflows/ci.yml", "    - uses: actions/checkout@v4\n", "actions/checkout"),
    ];
    for (path, text, expected) in table {
        let manifest = read(path, text).unwrap_or_else(|| panic!("{path} is read"));
        let names: Vec<&str> = manifest.dependencies.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, [expected], "{path}");
    }
}

#[test]
fn lock_files_are_counted_and_duplicates_named() {
    let cargo = "[[package]]\nname='a'\nversion='1'\n[[package]]\nname='a'\nversion='2'\n[[package]]\nname='b'\nversion='1'\n";
    let lock = read_lock("Cargo.lock", Some(cargo)).expect("known");
    assert_eq!((lock.packages, lock.duplicates[0].versions.len()), (Some(3), 2));
    let npm = r#"{"packages":{"":{},"node_modules/a":{"version":"1"},"node_modules/b/node_modules/a":{"version":"2"}}}"#;
    assert_eq!(read_lock("package-lock.json", Some(npm)).expect("known").packages, Some(2));
    let pnpm = "packages:\n\n  '@a/b@1.0.0':\n    x: y\n\n  c@2.0.0:\n    x: y\n";
    assert_eq!(read_lock("pnpm-lock.yaml", Some(pnpm)).expect("known").packages, Some(2));
    assert_eq!(read_lock("yarn.lock", None).expect("known").packages, None);
}

#[test]
fn broken_manifest_is_no_manifest() {
    for (path, text) in [("Cargo.toml", "[["), ("package.json", "[]"), ("go.mod", ""), ("pom.xml", "")] {
        assert_eq!(read(path, text), None, "{path}");
    }
}

#[test]
fn password_in_a_requirement_is_taken_out() {
    let text = "[dependencies]\nx = { git = \"https://me:hG7kd92xQw@git.internal.net/x\" }\n";
    let manifest = read("Cargo.toml", text).expect("parses");
    assert!(!manifest.dependencies[0].requirement.contains("hG7kd92xQw"));
}
