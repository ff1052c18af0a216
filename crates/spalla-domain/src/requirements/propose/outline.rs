//! The shape of a text: its sections, points and sentences in their order, as Markdown and habit write them.

use super::title;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::BTreeMap;

/// The node that everything else stands in.
pub(super) const ROOT: usize = 0;
/// Deeper points stand beside those of this depth: nobody plans deeper.
const DEPTH_MAX: usize = 8;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading, or the text as a whole.
    Section,
    /// A point of a list, or a row of a table.
    Point,
    /// A sentence, or a part of one that follows another.
    Sentence,
}

/// One piece of the text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// What it stands in; always earlier in the list.
    pub(super) parent: usize,
    /// How many nodes it stands in.
    depth: usize,
    /// Its words on one line, without marks.
    pub(super) text: String,
    /// What else is said of it: further paragraphs, code, details.
    pub(super) notes: Vec<String>,
    /// Of a section: the sentences that ask for nothing.
    pub(super) prose: Vec<String>,
    /// Whether it comes after the one before it in the same parent.
    pub(super) follows: bool,
    /// Whether its box is ticked.
    pub(super) is_done: bool,
    /// Whether it only names what stands under it.
    pub(super) is_group: bool,
    /// Whether nothing stands under it.
    pub(super) is_leaf: bool,
    /// Of a section: the level of its heading.
    level: u8,
}

/// Reads a text into its nodes; the first is the root, and every other comes after what it stands in.
pub(super) fn read(text: &str) -> Vec<Node> {
    let text = normal(text);
    let mut reader = Reader::new();
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    for event in Parser::new_ext(&text, options) {
        reader.take(event);
    }
    reader.flush();
    settle(reader.nodes)
}

/// Removes the indentation that all lines share, and writes as Markdown does what people write otherwise: the bullets of
/// other editors, and headings that are only bold or end with a colon.
fn normal(text: &str) -> String {
    let said = || text.lines().filter(|line| !line.trim().is_empty());
    let indent = said().map(|line| line.len() - line.trim_start_matches(' ').len()).min().unwrap_or(0);
    let mut lines: Vec<String> =
        text.lines().map(|line| bulleted(line.get(indent..).unwrap_or_default())).collect();
    let mut is_followed_by_point = false;
    let mut is_fenced = false;
    for line in lines.iter_mut().rev().filter(|line| !line.trim().is_empty()) {
        is_fenced ^= line.trim_start().starts_with("```");
        if let Some(heading) = heading(line, is_followed_by_point).filter(|_| !is_fenced) {
            *line = format!("\n###### {heading}\n");
            is_followed_by_point = false;
        } else {
            is_followed_by_point = is_point(line);
        }
    }
    lines.join("\n")
}

fn bulleted(line: &str) -> String {
    let words = line.trim_start();
    let indent = &line[..line.len() - words.len()];
    match words.chars().next().filter(|c| "•◦▪‣·–—●○■".contains(*c)) {
        Some(bullet) if words[bullet.len_utf8()..].starts_with([' ', '\t']) => {
            format!("{indent}-{}", &words[bullet.len_utf8()..])
        }
        _ => line.to_owned(),
    }
}

/// Returns the words of a line that is a heading by habit: all of it bold, or with a colon before a list.
fn heading(line: &str, is_followed_by_point: bool) -> Option<&str> {
    let bold = |mark| line.trim_end().trim_end_matches(':').strip_prefix(mark)?.strip_suffix(mark);
    let is_plain = |words: &&str| !words.contains(['*', '_']) && words.starts_with(char::is_alphanumeric);
    let is_bare = line.starts_with(|c: char| c.is_alphanumeric()) && !is_point(line);
    bold("**")
        .or_else(|| bold("__"))
        .filter(is_plain)
        .or_else(|| line.trim_end().strip_suffix(':').filter(|_| is_bare && is_followed_by_point))
}

fn is_point(line: &str) -> bool {
    let words = line.trim_start();
    let digits = words.bytes().take_while(u8::is_ascii_digit).count();
    let rest = if digits > 0 {
        words[digits..].strip_prefix(['.', ')'])
    } else {
        words.strip_prefix(['-', '*', '+'])
    };
    rest.is_some_and(|rest| rest.starts_with([' ', '\t']))
}

/// Returns a text on one line: without control characters and doubled spaces, without marks at its ends.
pub(super) fn clean(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").trim_matches(['*', '_', '#', '|', '~', '>', ' ']).to_owned()
}

struct Reader {
    nodes: Vec<Node>,
    /// The headings that are open, from the outermost.
    sections: Vec<usize>,
    /// Whether the last section in each one has a number.
    numbered: BTreeMap<usize, bool>,
    /// The lists that are open: whether numbered, and whether a point has come already.
    lists: Vec<(bool, bool)>,
    /// The points that are open.
    points: Vec<usize>,
    buffer: String,
    heading: Option<u8>,
    is_table_head: bool,
    /// How many open tags there are whose words do not count.
    silent: usize,
}

impl Reader {
    fn new() -> Self {
        let root = node(Kind::Section, ROOT, 0, String::new());
        Self {
            nodes: vec![root],
            sections: vec![ROOT],
            numbered: BTreeMap::new(),
            lists: Vec::new(),
            points: Vec::new(),
            buffer: String::new(),
            heading: None,
            is_table_head: false,
            silent: 0,
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) if self.silent == 0 => self.buffer.push_str(&text),
            Event::SoftBreak | Event::HardBreak if self.silent == 0 => self.buffer.push('\n'),
            Event::TaskListMarker(true) => {
                if let Some(&point) = self.points.last() {
                    self.nodes[point].is_done = true;
                }
            }
            Event::Rule => self.flush(),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.flush();
                self.heading = Some(*level as u8);
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push((first.is_some(), false));
            }
            Tag::Item => {
                self.flush();
                let follows = self.lists.last_mut().is_some_and(|(is_numbered, has_point)| {
                    let follows = *is_numbered && *has_point;
                    *has_point = true;
                    follows
                });
                self.open_point(follows);
            }
            Tag::TableHead => self.is_table_head = true,
            Tag::TableRow => self.open_point(false),
            Tag::Paragraph | Tag::CodeBlock(_) => self.flush(),
            Tag::Strikethrough | Tag::MetadataBlock(_) | Tag::HtmlBlock => self.silent += 1,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Paragraph => self.flush(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::Item => {
                self.flush();
                self.points.pop();
            }
            TagEnd::CodeBlock => {
                let code = std::mem::take(&mut self.buffer);
                let last = self.points.last().copied().unwrap_or(self.nodes.len() - 1);
                self.nodes[last].notes.push(code.trim_end().to_owned());
            }
            TagEnd::TableHead => {
                self.is_table_head = false;
                self.buffer.clear();
            }
            TagEnd::TableCell => self.buffer.push_str(": "),
            TagEnd::TableRow => {
                self.buffer.truncate(self.buffer.trim_end_matches([':', ' ']).len());
                self.flush();
                self.points.pop();
            }
            TagEnd::Strikethrough | TagEnd::MetadataBlock(_) | TagEnd::HtmlBlock => {
                self.silent = self.silent.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn parent(&self) -> usize {
        self.points.last().or(self.sections.last()).copied().unwrap_or(ROOT)
    }

    fn add(&mut self, kind: Kind, text: String, follows: bool) -> usize {
        let mut parent = self.parent();
        while self.nodes[parent].depth >= DEPTH_MAX {
            parent = self.nodes[parent].parent;
        }
        let depth = self.nodes[parent].depth + 1;
        self.nodes.push(Node { follows, ..node(kind, parent, depth, text) });
        self.nodes.len() - 1
    }

    fn open_point(&mut self, follows: bool) {
        let point = self.add(Kind::Point, String::new(), follows);
        self.points.push(point);
    }

    /// Gives what was read to where it belongs.
    fn flush(&mut self) {
        let raw = std::mem::take(&mut self.buffer);
        let heading = self.heading.take();
        let text = clean(&raw);
        if text.is_empty() || self.is_table_head {
            return;
        }
        if let Some(level) = heading {
            return self.open_section(level, text);
        }
        match self.points.last().copied() {
            Some(point) if self.nodes[point].text.is_empty() => self.fill(point, &text),
            Some(point) => self.nodes[point].notes.push(raw.trim().to_owned()),
            None => self.paragraph(&raw),
        }
    }

    /// Gives a point its words; what follows by a word of order is a point of its own.
    fn fill(&mut self, point: usize, text: &str) {
        let mut parts = title::clauses(text).into_iter();
        self.nodes[point].text = parts.next().unwrap_or_default();
        let is_done = self.nodes[point].is_done;
        for part in parts {
            let node = &self.nodes[point];
            let next = Node { follows: true, is_done, ..node_beside(node, part) };
            self.nodes.push(next);
        }
    }

    fn open_section(&mut self, level: u8, text: String) {
        self.points.clear();
        while let Some(&open) = self.sections.last().filter(|open| self.nodes[**open].level >= level) {
            debug_assert!(open != ROOT, "the root has no level");
            self.sections.pop();
        }
        let is_numbered = title::is_numbered(&text);
        let follows = self.numbered.insert(self.parent(), is_numbered) == Some(true) && is_numbered;
        let section = self.add(Kind::Section, title::without_number(&text).to_owned(), follows);
        self.nodes[section].level = level;
        self.sections.push(section);
    }

    fn paragraph(&mut self, raw: &str) {
        for sentence in title::sentences(raw) {
            let starts_after = title::starts_after(&sentence);
            for (index, clause) in title::clauses(&sentence).into_iter().enumerate() {
                self.add(Kind::Sentence, clause, index > 0 || starts_after);
            }
        }
    }
}

fn node(kind: Kind, parent: usize, depth: usize, text: String) -> Node {
    Node {
        kind,
        parent,
        depth,
        text,
        notes: Vec::new(),
        prose: Vec::new(),
        follows: false,
        is_done: false,
        is_group: false,
        is_leaf: true,
        level: 0,
    }
}

fn node_beside(other: &Node, text: String) -> Node {
    node(other.kind, other.parent, other.depth, text)
}

/// Decides what can only be told when all is read: groups, leaves, details, prose.
fn settle(mut nodes: Vec<Node>) -> Vec<Node> {
    for at in 1..nodes.len() {
        let parent = nodes[at].parent;
        nodes[parent].is_leaf = false;
    }
    for at in 1..nodes.len() {
        let node = &mut nodes[at];
        let names_only = node.text.ends_with(':') || title::is_name(&node.text);
        node.is_group = node.kind == Kind::Point && !node.is_leaf && names_only;
        let (kind, parent, text, is_leaf) = (node.kind, node.parent, node.text.clone(), node.is_leaf);
        match kind {
            Kind::Sentence if !title::asks(&text) => nodes[parent].prose.push(text),
            Kind::Point if is_leaf && nodes[parent].kind == Kind::Point && title::is_detail(&text) => {
                // A detail is no work of its own: it is said of what it stands under.
                nodes[parent].notes.push(format!("- {text}"));
                nodes[at].text.clear();
            }
            _ => {}
        }
    }
    nodes
}
