//! What is read late: an agent's own file, and the table of meanings that the program carries.

use super::read_bounded;
use crate::failure::in_words;
use spalla_embedding::{Embedding, shipped};
use spalla_registry::read::DEFINITION_BYTES_MAX;
use spalla_router::{Details, Source, Told};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest file of an agent: the longest that is published.
const FILE_BYTES_MAX: usize = DEFINITION_BYTES_MAX;
/// What an agent's id is followed by in the name of its file.
const FILE_END: &str = ".codex.yaml";

/// The files of a folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Finds the file of an agent. The names are those of an index that anybody may have written, and lead down only.
    fn path(&self, agent: Told<'_>) -> Option<PathBuf> {
        let parts = [agent.domain, agent.subdomain].into_iter().filter(|part| !part.is_empty());
        let mut path = self.folder.clone();
        for part in parts.chain([agent.id]) {
            let leads_down = !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', '\0']);
            path.push(leads_down.then_some(part)?);
        }
        path.set_file_name(format!("{}{FILE_END}", agent.id));
        Some(path)
    }
}

impl Source for Files {
    fn details(&self, agent: Told<'_>) -> Result<Details, String> {
        let path = self.path(agent).ok_or("its domain or id names no file")?;
        let said = |why: String| format!("{}: {why}", path.display());
        let bytes = read_bounded(&path, FILE_BYTES_MAX).map_err(|error| said(in_words(&error)))?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(said(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|error| said(error.to_string()))?;
        Details::parse(&text).map_err(|why| said(why.lines().next().unwrap_or_default().to_owned()))
    }

    fn embedding(&self) -> Result<Arc<Embedding>, String> {
        embedding()
    }
}

/// Loads the table of meanings that the program carries.
pub(super) fn embedding() -> Result<Arc<Embedding>, String> {
    let table = shipped().ok_or("this program was built without the feature embedding")?;
    Embedding::load(table).map(Arc::new).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_down_only() {
        let files = Files::in_folder(Path::new("/agents"));
        let path = |domain, subdomain, id| {
            files.path(Told { id, domain, subdomain }).map(|path| path.display().to_string())
        };
        assert_eq!(path("web", "", "a.b").unwrap(), "/agents/web/a.b.codex.yaml");
        assert_eq!(path("web", "css", "a").unwrap(), "/agents/web/css/a.codex.yaml");
        for (domain, id) in
            [("..", "a"), ("web", "../a"), ("web", ""), ("/etc", "a"), ("web", ".a"), ("a\0", "b")]
        {
            assert_eq!(path(domain, "", id), None, "{domain} {id}");
        }
    }
}
