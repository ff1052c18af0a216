//! Puts a command line together from an adapter, from what the installed program can do, and from what is wished.

use crate::definition::{Definition, Part, PromptBy, WishName};
use crate::installed::Installed;
use crate::tools::ToolRules;
use spalla_domain::adapter::{Adapter, Approval};

/// What is wished of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// How free it is.
    pub guard: Guard,
    /// The model; its own choice where none is wished.
    pub model: Option<String>,
    /// The profile of its configuration.
    pub profile: Option<String>,
    /// Whether it may search the web; its own choice where nothing is wished.
    pub web_search: Option<bool>,
    /// Folders beside the one it works in.
    pub folders: Vec<String>,
    /// Tools that it may use without asking.
    pub tools: Vec<String>,
    /// The tools of its own that it has at all, divided by commas; all of them where nothing is wished.
    pub built_in_tools: Option<String>,
    /// Tools that it may not use.
    pub no_tools: Vec<String>,
    /// The shape of the answer, as JSON, and the file that has it.
    pub schema: Option<(String, String)>,
    /// The file that names servers of tools.
    pub mcp_file: Option<String>,
    /// The conversation that goes on.
    pub resume: Option<String>,
    /// Arguments that are added.
    pub args: Vec<String>,
    /// A program with its first arguments in the place of the adapter's program.
    pub command: Vec<String>,
}

/// How free a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guard {
    /// It asks nobody, since the walls around it are Spalla's.
    #[default]
    Bypass,
    /// It asks before each tool that is not harmless, and is answered by the list of its tools.
    Listed,
    /// Its own guards stay on.
    Guarded,
    /// It changes nothing.
    ReadOnly,
}

impl Guard {
    /// Returns how free a call is: as somebody says, or else by whether walls stand around it. Without walls of ours its own
    /// are the only ones, and have to keep a reviewer from the change.
    pub fn of(approval: Option<Approval>, is_walled: bool, is_review: bool) -> Self {
        let asks_nobody = approval.map_or(is_walled, |approval| approval == Approval::Bypass);
        match (asks_nobody, is_review) {
            (true, _) => Self::Bypass,
            (false, true) => Self::ReadOnly,
            (false, false) => Self::Guarded,
        }
    }

    /// Returns how free it is with a list of tools: what would ask nobody asks whoever has the list.
    #[must_use]
    pub const fn with_list(self) -> Self {
        match self {
            Self::Bypass => Self::Listed,
            other => other,
        }
    }
}

/// Returns what counts of what is said of an agent's calls: first what a work item says, then what the operator does. The
/// operator's no to the web is a default, which a program without such a switch does not have to hear.
pub fn said(definition: &Definition, item: Adapter, operator: Option<&Adapter>) -> Adapter {
    let mut operator = operator.cloned().unwrap_or_default();
    let has_no = definition.takes(WishName::NoWebSearch);
    operator.web_search = operator.web_search.filter(|wanted| *wanted || has_no);
    item.or(operator)
}

impl Wishes {
    /// Adds the list of the tools that an agent may use. The tool by which the web is searched has a switch of its own.
    #[must_use]
    pub fn with_tools(mut self, rules: &ToolRules, definition: &Definition) -> Self {
        self.built_in_tools = rules.built_in().map(|names| names.join(","));
        self.tools.extend(rules.allowed().unwrap_or_default().iter().cloned());
        self.no_tools.extend(rules.restricted().iter().cloned());
        if !rules.has("WebSearch") && definition.takes(WishName::NoWebSearch) {
            self.web_search = Some(false);
        }
        self
    }
}

impl From<Adapter> for Wishes {
    fn from(said: Adapter) -> Self {
        let Adapter { model, profile, web_search, args, command, .. } = said;
        Self { model, profile, web_search, args, command, ..Self::default() }
    }
}

/// A call, ready to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it reads.
    pub stdin: String,
    /// What was wished and is not there: the installed program has no such flag, or the adapter says nothing of it.
    pub unmet: Vec<WishName>,
}

impl CommandLine {
    /// Returns the wishes that are not met and that a person should know of.
    pub fn missed<'a>(&'a self, definition: &'a Definition) -> impl Iterator<Item = WishName> + 'a {
        self.unmet.iter().copied().filter(|wish| match wish {
            // A reviewer that can't be held to a shape is told it in words.
            WishName::Schema => false,
            // Nobody wished these but the worker itself: a program without guards and lists of folders needs neither.
            WishName::Bypass | WishName::Listed | WishName::Folder => definition.takes(*wish),
            // What a program can't be held to is watched, and told where it happens.
            WishName::ToolList | WishName::NoTool => false,
            _ => true,
        })
    }
}

/// Puts the call of a prompt together.
pub fn command_line(
    definition: &Definition,
    installed: &Installed,
    wishes: &Wishes,
    prompt: &str,
) -> CommandLine {
    let template = &definition.command;
    let (mut program, mut args) = match wishes.command.split_first() {
        Some((program, first)) => (program.clone(), first.to_vec()),
        None => (definition.program.clone(), vec![]),
    };
    if program.is_empty() {
        program.clone_from(&definition.program);
    }
    args.extend(template.first.iter().cloned());
    let applies = |part: &&Part| {
        part.unless.is_none_or(|unless| wishes.of(unless).is_empty())
            && part.flag.as_ref().is_none_or(|flag| installed.has(flag))
    };
    for part in template.parts.iter().filter(applies) {
        match part.when {
            None => args.extend(part.args.iter().cloned()),
            Some(when) => {
                for value in wishes.of(when) {
                    args.extend(part.args.iter().map(|arg| value.fill(arg)));
                }
            }
        }
    }
    args.extend(wishes.args.iter().cloned());
    args.extend(template.last.iter().cloned());
    let stdin = match definition.prompt {
        PromptBy::Stdin => prompt.to_owned(),
        // It is said once the agent listens.
        PromptBy::Dialogue => String::new(),
        PromptBy::Argument => {
            args.push(prompt.to_owned());
            String::new()
        }
    };
    CommandLine { program, args, stdin, unmet: unmet(definition, installed, wishes) }
}

fn unmet(definition: &Definition, installed: &Installed, wishes: &Wishes) -> Vec<WishName> {
    let is_met = |name: WishName| {
        let is_said = definition.is_dialogue() && definition.output.says(name);
        is_said
            || definition.command.parts.iter().any(|part| {
                part.when == Some(name) && part.flag.as_ref().is_none_or(|flag| installed.has(flag))
            })
    };
    WISHES.into_iter().filter(|name| !wishes.of(*name).is_empty() && !is_met(*name)).collect()
}

const WISHES: [WishName; 15] = [
    WishName::Bypass,
    WishName::Listed,
    WishName::Guarded,
    WishName::ReadOnly,
    WishName::Model,
    WishName::Profile,
    WishName::WebSearch,
    WishName::NoWebSearch,
    WishName::Folder,
    WishName::Tool,
    WishName::ToolList,
    WishName::NoTool,
    WishName::Schema,
    WishName::Mcp,
    WishName::Resume,
];

/// What stands for the places in arguments.
#[derive(Debug, Clone, Default)]
struct Value<'a>(Vec<(&'static str, &'a str)>);

impl Value<'_> {
    /// Fills the places of an argument, each once: what is filled in is never looked at again.
    fn fill(&self, arg: &str) -> String {
        let mut filled = String::with_capacity(arg.len());
        let mut rest = arg;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            let found = self.0.iter().find(|(place, _)| rest.starts_with(place));
            let (place, value) =
                found.map_or((&rest[..1], &rest[..1]), |(place, value)| (&rest[..place.len()], value));
            filled.push_str(value);
            rest = &rest[place.len()..];
        }
        filled.push_str(rest);
        filled
    }
}

impl Wishes {
    /// Returns what stands for a wish, once for each time that it is wished.
    fn of(&self, name: WishName) -> Vec<Value<'_>> {
        let is = |is: bool| if is { vec![Value::default()] } else { vec![] };
        match name {
            WishName::Bypass => is(self.guard == Guard::Bypass),
            WishName::Listed => is(self.guard == Guard::Listed),
            WishName::Guarded => is(self.guard == Guard::Guarded),
            WishName::ReadOnly => is(self.guard == Guard::ReadOnly),
            WishName::WebSearch => is(self.web_search == Some(true)),
            WishName::NoWebSearch => is(self.web_search == Some(false)),
            WishName::Model => self.model.iter().map(|value| Value(vec![("{model}", value)])).collect(),
            WishName::Profile => self.profile.iter().map(|value| Value(vec![("{profile}", value)])).collect(),
            WishName::Folder => self.folders.iter().map(|value| Value(vec![("{folder}", value)])).collect(),
            WishName::Tool => self.tools.iter().map(|value| Value(vec![("{tool}", value)])).collect(),
            WishName::ToolList => {
                self.built_in_tools.iter().map(|value| Value(vec![("{tools}", value)])).collect()
            }
            WishName::NoTool => self.no_tools.iter().map(|value| Value(vec![("{tool}", value)])).collect(),
            WishName::Mcp => self.mcp_file.iter().map(|value| Value(vec![("{mcp_file}", value)])).collect(),
            WishName::Resume => self.resume.iter().map(|value| Value(vec![("{resume}", value)])).collect(),
            WishName::Schema => {
                let schema = self.schema.iter();
                schema.map(|(json, file)| Value(vec![("{schema_file}", file), ("{schema}", json)])).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::built_in;

    fn built(name: &str) -> Definition {
        built_in().unwrap().into_iter().find(|definition| definition.name == name).unwrap()
    }

    fn newest(definition: &Definition) -> Installed {
        Installed::read(definition, "", "")
    }

    fn words_of(definition: &Definition, wishes: &Wishes) -> String {
        let line = command_line(definition, &newest(definition), wishes, "the prompt");
        assert_eq!(line.stdin, if definition.is_dialogue() { "" } else { "the prompt" });
        format!("{} {}", line.program, line.args.join(" "))
    }

    /// The call in which the program is spoken with.
    fn spoken(name: &str, wishes: &Wishes) -> String {
        words_of(&built(name), wishes)
    }

    /// The call of a program that can't be spoken with.
    fn words(name: &str, wishes: &Wishes) -> String {
        words_of(&built(name).other_way().unwrap(), wishes)
    }

    #[test]
    fn each_command_line_is_called_as_its_newest_version_wants() {
        let wishes =
            Wishes { model: Some("m".into()), folders: vec!["/a".into(), "/b".into()], ..Wishes::default() };
        assert_eq!(
            words("codex", &wishes),
            "codex exec --json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox --add-dir /a \
             --add-dir /b --model m -"
        );
        assert_eq!(
            words("claude", &wishes),
            "claude --print --verbose --output-format stream-json --strict-mcp-config --dangerously-skip-permissions \
             --add-dir /a --add-dir /b --model m"
        );
        assert_eq!(
            words("gemini", &wishes),
            "gemini --output-format stream-json --skip-trust --approval-mode yolo --include-directories /a \
             --include-directories /b --model m"
        );
        assert_eq!(spoken("codex", &wishes), "codex app-server -c features.shell_snapshot=false");
        assert_eq!(
            spoken("claude", &wishes),
            "claude --print --verbose --input-format stream-json --output-format stream-json --strict-mcp-config \
             --dangerously-skip-permissions --add-dir /a --add-dir /b --model m"
        );
        assert_eq!(
            spoken("gemini", &wishes),
            "gemini --acp --skip-trust --approval-mode yolo --include-directories /a --include-directories /b --model m"
        );
        for name in ["codex", "claude", "gemini"] {
            let definition = built(name);
            let line = command_line(&definition, &newest(&definition), &wishes, "");
            assert_eq!(line.unmet, [], "{name}");
        }
    }

    #[test]
    fn a_reviewer_is_called_so_that_it_changes_nothing() {
        let wishes = Wishes { guard: Guard::ReadOnly, ..Wishes::default() };
        assert!(words("codex", &wishes).contains("--sandbox read-only"));
        assert!(words("claude", &wishes).contains("--permission-mode plan"));
        assert!(words("gemini", &wishes).contains("--approval-mode plan"));
        for name in ["codex", "claude", "gemini"] {
            for line in [words(name, &wishes), spoken(name, &wishes)] {
                assert!(!line.contains("yolo") && !line.contains("dangerously"), "{line}");
            }
        }
        assert!(spoken("claude", &wishes).contains("--permission-mode plan"));
        assert!(spoken("gemini", &wishes).contains("--approval-mode plan"));
    }

    #[test]
    fn a_flag_that_the_program_lacks_is_left_out_and_told() {
        let definition = built("codex").other_way().unwrap();
        let old = Installed::read(&definition, "codex-cli 0.58.0", "");
        let wishes = Wishes { folders: vec!["/a".into()], tools: vec!["t".into()], ..Wishes::default() };
        let line = command_line(&definition, &old, &wishes, "");
        assert!(!line.args.iter().any(|arg| arg == "--add-dir"));
        assert_eq!(line.unmet, [WishName::Folder, WishName::Tool]);
        assert_eq!(line.missed(&definition).collect::<Vec<_>>(), line.unmet);
        let text = built("text");
        let line = command_line(&text, &newest(&text), &wishes, "");
        assert_eq!(line.unmet, [WishName::Bypass, WishName::Folder, WishName::Tool]);
        assert_eq!(line.missed(&text).collect::<Vec<_>>(), [WishName::Tool]);
    }

    #[test]
    fn a_resumed_conversation_keeps_what_it_was_begun_with() {
        let wishes = Wishes {
            resume: Some("thread".into()),
            guard: Guard::Guarded,
            folders: vec!["/a".into()],
            ..Wishes::default()
        };
        assert_eq!(words("codex", &wishes), "codex exec resume thread --json --skip-git-repo-check -");
    }

    #[test]
    fn an_item_comes_before_the_operator_and_both_before_the_adapter() {
        let says = |model: &str, web_search| Adapter {
            model: Some(model.into()),
            web_search: Some(web_search),
            ..Adapter::default()
        };
        let operator = says("theirs", false);
        let of = |name: &str, item| words(name, &Wishes::from(said(&built(name), item, Some(&operator))));
        let line = of("codex", says("own", true));
        assert!(line.contains("--model own") && line.contains("web_search=\"live\""), "{line}");
        let line = of("codex", Adapter::default());
        assert!(line.contains("--model theirs") && line.contains("web_search=\"disabled\""), "{line}");
        assert!(of("claude", Adapter::default()).contains("--disallowedTools WebSearch"));
        let gemini = built("gemini");
        assert_eq!(said(&gemini, Adapter::default(), Some(&operator)).web_search, None);
        assert_eq!(said(&gemini, says("m", false), Some(&operator)).web_search, Some(false));
        let unsaid = words("codex", &Wishes::from(said(&built("codex"), Adapter::default(), None)));
        assert!(!unsaid.contains("--model") && !unsaid.contains("web_search"), "{unsaid}");
    }

    #[test]
    fn a_call_is_free_behind_walls_unless_somebody_says_otherwise() {
        use Approval::{Bypass, Guarded};
        assert_eq!(Guard::of(None, true, true), Guard::Bypass);
        assert_eq!(Guard::of(None, false, false), Guard::Guarded);
        assert_eq!(Guard::of(None, false, true), Guard::ReadOnly);
        assert_eq!(Guard::of(Some(Guarded), true, false), Guard::Guarded);
        assert_eq!(Guard::of(Some(Bypass), false, true), Guard::Bypass);
    }

    #[test]
    fn a_list_of_tools_is_said_in_the_way_that_each_command_line_has() {
        let tools = spalla_domain::agent_policy::Tools {
            allowed: ["Read", "Bash(git:*)", "mcp__github"].map(str::to_owned).into(),
            restricted: vec!["Bash(git push:*)".into()],
        };
        let rules = ToolRules::of(&tools).unwrap();
        let wishes = |name: &str| {
            let guard = Guard::of(None, true, false).with_list();
            Wishes { guard, ..Wishes::default() }.with_tools(&rules, &built(name))
        };
        let line = spoken("claude", &wishes("claude"));
        for part in [
            "--permission-prompt-tool stdio",
            "--permission-mode default",
            "--tools Bash,Read",
            "--allowedTools Read --allowedTools Bash(git:*) --allowedTools mcp__github",
            "--disallowedTools Bash(git push:*)",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let line = words("claude", &wishes("claude"));
        assert!(line.contains("--permission-mode default") && !line.contains("stdio"), "{line}");
        for line in [spoken("claude", &wishes("claude")), spoken("gemini", &wishes("gemini"))] {
            assert!(!line.contains("dangerously") && !line.contains("yolo"), "{line}");
        }
        assert!(spoken("gemini", &wishes("gemini")).contains("--approval-mode default"));
        assert!(spoken("codex", &wishes("codex")).contains("web_search=\"disabled\""));
        let all = ToolRules::of(&spalla_domain::agent_policy::Tools {
            allowed: vec!["*".into()],
            restricted: vec!["WebFetch".into()],
        });
        let line = spoken("claude", &Wishes::default().with_tools(&all.unwrap(), &built("claude")));
        assert!(line.contains("--disallowedTools WebFetch") && !line.contains("--tools"), "{line}");
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let value = Value(vec![("{model}", "{folder}"), ("{folder}", "x")]);
        assert_eq!(value.fill("a{model}b{other}{"), "a{folder}b{other}{");
    }

    #[test]
    fn another_command_takes_the_place_of_the_program_alone() {
        let wishes = Wishes {
            command: vec!["npx".into(), "codex".into()],
            args: vec!["-c".into(), "a=1".into()],
            ..Wishes::default()
        };
        let line = words("codex", &wishes);
        assert!(line.starts_with("npx codex exec --json") && line.ends_with("-c a=1 -"), "{line}");
    }
}
