//! What reports of tests in a workspace say, in JUnit's XML: those that Maven and Gradle write where they always do.

use super::files;
use crate::beneath::Beneath;
use crate::builtin::verifier::{Tests, junit_xml};
use std::io::Read as _;
use std::path::Path;

/// Where they are.
const PATTERNS: [&str; 3] = [
    "**/target/surefire-reports/TEST-*.xml",
    "**/target/failsafe-reports/TEST-*.xml",
    "**/build/test-results/**/TEST-*.xml",
];
/// The largest report that is read, in bytes; what a test printed may stand in it.
const REPORT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How much is read in all, in bytes.
const ALL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Reads the reports; none where there are none.
pub(super) fn read(workspace: &Path) -> Option<Tests> {
    let beneath = Beneath::open(workspace).ok()?;
    let patterns = PATTERNS.map(str::to_owned);
    let mut left = ALL_BYTES_MAX;
    let mut reports = Vec::new();
    for file in files::find(&patterns, workspace).artifacts {
        if file.bytes > REPORT_BYTES_MAX || file.bytes > left {
            continue;
        }
        left -= file.bytes;
        let mut bytes = Vec::new();
        let opened = beneath.file(&file.path).ok();
        if opened.is_some_and(|opened| opened.take(REPORT_BYTES_MAX).read_to_end(&mut bytes).is_ok()) {
            reports.push(junit_xml::read(&String::from_utf8_lossy(&bytes)));
        }
    }
    (!reports.is_empty()).then(|| junit_xml::sum(reports))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::verifier::Counts;
    use std::fs;

    #[test]
    fn reports_of_all_modules_are_summed_and_other_files_are_not_read() {
        let workspace = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = workspace.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(read(workspace.path()), None);
        put(
            "a/target/surefire-reports/TEST-x.A.xml",
            "<testsuite><testcase name='a'/><testcase name='b'><skipped/></testcase></testsuite>",
        );
        put(
            "b/build/test-results/test/TEST-x.B.xml",
            "<testsuite><testcase name='c'><error type='E'/></testcase></testsuite>",
        );
        put("c/TEST-x.C.xml", "<testsuite><testcase name='d'/></testsuite>");
        assert_eq!(read(workspace.path()).unwrap().counts, Counts { passed: 1, failed: 1, skipped: 1 });
    }
}
