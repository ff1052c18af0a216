//! Project files of .NET.

use std::sync::LazyLock;

use regex::Regex;

use super::{Declared, Ecosystem, Manifest, Scope};
use crate::builtin::surveyor::paths;

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"<(PackageReference|ProjectReference)\s+[^>]*?Include\s*=\s*"([^"]+)"([^>]*)>"#)
        .expect("constant pattern")
});
static VERSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"Version\s*=\s*"([^"]+)""#).expect("constant pattern"));

/// Reads a project file: packages, and references to other projects.
pub(super) fn read(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(path, Ecosystem::Nuget);
    manifest.package = Some(paths::stem(path).to_owned());
    for captures in REFERENCE.captures_iter(text) {
        let target = captures[2].replace('\\', "/");
        let declared = if &captures[1] == "ProjectReference" {
            let folder = Some(paths::folder(&target).to_owned());
            Declared { folder, ..Declared::new(paths::stem(&target), "", Scope::Normal) }
        } else {
            let version = VERSION.captures(&captures[3]).map(|found| found[1].to_owned());
            Declared::new(&captures[2], version.unwrap_or_default(), Scope::Normal)
        };
        manifest.dependencies.push(declared);
    }
    Some(manifest)
}
