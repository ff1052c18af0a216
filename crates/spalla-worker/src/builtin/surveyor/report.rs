//! Writes a report to a folder: each file appears whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::survey::{Error, Survey};
use super::{markdown, picture};
use spalla_crash::crash_point;

/// Where the parts of a report are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPaths {
    /// For people.
    pub markdown: PathBuf,
    /// For programs: everything, also what the Markdown leaves out.
    pub json: PathBuf,
    /// The picture of the internal dependencies.
    pub picture: PathBuf,
}

/// Writes `report.md`, `report.json` and `dependencies.svg` to a folder, which is made if need be.
///
/// The Markdown comes last: whoever finds it finds the others too.
pub fn write_report(survey: &Survey, folder: &Path) -> Result<ReportPaths, Error> {
    crash_point!("worker.report.folder.create", fs::create_dir_all(folder))
        .map_err(|source| Error::Write { path: folder.to_path_buf(), source })?;
    let paths = ReportPaths {
        markdown: folder.join("report.md"),
        json: folder.join("report.json"),
        picture: folder.join("dependencies.svg"),
    };
    let mut json = serde_json::to_string_pretty(survey).map_err(Error::Encode)?;
    json.push('\n');
    write_whole(&paths.picture, &picture::to_svg(survey))?;
    write_whole(&paths.json, &json)?;
    write_whole(&paths.markdown, &markdown::to_markdown(survey))?;
    Ok(paths)
}

fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_path_buf(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".report-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Temporary files are for their owner alone; a report is for whoever may read the folder.
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut file = crash_point!("worker.report.create", builder.tempfile_in(folder)).map_err(failed)?;
    crash_point!("worker.report.write", file.write_all(text.as_bytes())).map_err(failed)?;
    crash_point!("worker.report.sync", file.as_file().sync_all()).map_err(failed)?;
    crash_point!("worker.report.rename", file.persist(path)).map_err(|error| failed(error.error))?;
    Ok(())
}
