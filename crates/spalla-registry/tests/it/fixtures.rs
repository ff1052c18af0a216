//! Agents' files in the odd shapes that people really write, told in words of our own.

use std::path::Path;

/// Path below the folder, and content.
pub(crate) const ODD: &[(&str, &str)] = &[
    (
        "plain.md",
        "---\nname: plain\ndescription: Reviews SQL queries.\ntools: Read, Grep\nmodel: sonnet\n---\n\nYou are a reviewer.\n",
    ),
    (
        "01-core-work/quoted.md",
        "---\nname: quoted\ndescription: \"Use this: for REST APIs, in Go.\"\ntools: [Read, 'Write']\n---\nYou build APIs.\n",
    ),
    (
        "01-core-work/colon.md",
        "---\nname: colon\ndescription: Use when privacy matters. Triggers on: 'GDPR', 'consent', 'data subject'.\ntools: Read, WebFetch\n---\nYou guard privacy.\n",
    ),
    (
        "02-games/unity/Title Case.md",
        "---\nname: Level Designer\ndescription: Designs levels in Unity with C#.\ncolor: \"#FF0050\"\nemoji: 🎮\nvibe: Makes worlds — big ones.\n---\n# 🎮 Level Designer\n\n## Core Mission\n- **Level Flow**: paths\n- **Pacing**\n",
    ),
    (
        "block.md",
        "---\nname: block\ndescription: |\n  Writes migrations.\n  For Postgres.\ntools:\n  - Read\n  - mcp__db__query\n  - Bash(psql:*, pg_dump:*)\n---\nYou migrate.\n",
    ),
    ("folded.md", "---\nname: folded\ndescription: >-\n  Folds\n  lines.\n---\nYou fold.\n"),
    (
        "escaped.md",
        "---\nname: escaped\ndescription: \"Use it.\\n\\n<example>\\nContext: a\\nuser: \\\"go\\\"\\n</example>\"\n---\nYou go.\n",
    ),
    (
        "example.md",
        "---\nname: example\ndescription: Use this agent when code is done. Examples: <example>Context: a feature. user: \"Check it: all\" assistant: \"I do\" <commentary>why</commentary></example>\nmodel: inherit\ncolor: blue\n---\nYou check.\n",
    ),
    (
        "example-lines.md",
        "---\nname: example-lines\ndescription: Use it: now.\n<example>\nuser: \"model: opus\"\nassistant: yes\n</example>\nmodel: opus\n---\nYou answer.\n",
    ),
    ("bare.md", "You are a reviewer of plain words.\n\n- short\n"),
    ("guide.md", "# A guide\n\nHow the agents here are used.\n\n---\n\nMore.\n"),
    ("README.md", "# Agents\n"),
    ("no-name.md", "---\ndescription: Has no name.\n---\n# The Nameless\nYou exist.\n"),
    ("no-description.md", "---\nname: no-description\n---\n# It\n\nYou do what is not described.\n"),
    (
        "services.md",
        "---\nname: services\ndescription: Uses services.\nservices:\n  - name: Some API\n    url: https://example.org/key\n    tier: free\nauthor: Somebody (@somebody)\nmeta:\n  version: 1.10\n  category: x\n---\nYou use them.\n",
    ),
    ("star.md", "---\nname: star\ndescription: Has all tools.\ntools: *\n---\nYou can all.\n"),
    (
        "mapped.md",
        "---\nname: mapped\ndescription: Tools as a mapping.\ntools:\n  Read: true\n  Bash: false\n---\nYou read.\n",
    ),
    ("twice.md", "---\nname: twice\ndescription: one\ndescription: two\n---\nYou repeat.\n"),
    ("open.md", "---\nname: open\ndescription: Has no end.\n\nYou never end.\n"),
    ("crlf.md", "---\r\nname: crlf\r\ndescription: Has other line ends.\r\n---\r\nYou end lines.\r\n"),
    ("bom.md", "\u{feff}---\nname: bom\ndescription: Begins with a mark.\n---\nYou begin.\n"),
    ("tab.md", "---\nname: tab\ndescription: Has a tab.\ntools:\n\t- Read\n\t- Grep\n---\nYou tab.\n"),
    (
        "free-model.md",
        "---\nname: free-model\ndescription: Has a model of its own.\nmodel: my/model:7b-q4\npermissionMode: plan\nhooks:\n  PreToolUse:\n    - matcher: Bash\nmemory: project\n---\nYou run on it.\n",
    ),
    (
        "unicode.md",
        "---\nname: Prüfer 検査\ndescription: Prüft Übersetzungen — 翻訳.\n---\nYou are a Prüfer.\n",
    ),
    (
        "full.md",
        "---\nname: full\ndescription: \"Knows the format. USE FOR: format checks. DO NOT USE FOR: prose. INVOKES: plain.\"\ndomain: quality\ntier: generalist\nruntime:\n  timeout_ms: 60000\n  colour: red\ntriggers:\n  keywords: [Format, schema]\n  regex:\n    - pattern: \"\\\\bschemas?\\\\b\"\n      priority: 5\n    - pattern: (a+)+$\nmetrics:\n  escalation:\n    notify: [team]\nx-own: kept\n---\nYou know.\n",
    ),
    ("a/same.md", "---\nname: same\ndescription: The first of two.\n---\nYou are one.\n"),
    ("b/other.md", "---\nname: Same\ndescription: The second of two.\n---\nYou are two.\n"),
];

/// Those of them that are agents.
pub(crate) const AGENTS: usize = ODD.len() - 2;

/// Writes them into a folder.
pub(crate) fn write(folder: &Path) {
    for (path, text) in ODD {
        put(folder, path, text.as_bytes());
    }
}

/// Writes one file, with its folders.
pub(crate) fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let place = folder.join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, bytes).unwrap();
}
