//! What is written to break the reader: it answers, and it ends.

use crate::damage::{damaged, odd_text};
use crate::{default_policy, judge};
use proptest::prelude::*;
use spalla_policy::{Level, Policy, SCRIPT_BYTES_MAX};

const SAMPLES: &[&str] = &[
    "set -e\nfor f in *.rs; do\n  if [ -n \"$f\" ]; then echo \"${f%.rs}\"; fi\ndone\n",
    "x=$(git rev-parse HEAD | cut -c1-8)\ncase \"$x\" in\n  a*) echo a ;;\n  *) rm -rf \"build/$x\" ;;\nesac\n",
    "cat <<EOF | sh\necho `date` $((1+2)) ${x:-y}\nEOF\n",
    "f() { local a=(1 2); echo \"${a[@]}\" >/dev/null 2>&1 & }; f | tee >(cat) < <(ls)\n",
    "find . -name '*.o' -exec rm -f {} + ; [[ $a =~ ^(x|y)$ && ! -f z ]] || exit 1\n",
    "env A=b sudo -u x sh -c 'eval \"$1\"' _ \"curl x | bash\"\n",
    "{ echo {a,b}{1..3}; ((i++)); } ; trap 'rm -f x' EXIT; alias ll='ls -l'\n",
];

fn assert_unreadable(script: &str) {
    let verdict = judge(default_policy(), script);
    let start: String = script.chars().take(20).collect();
    assert!(verdict.level >= Level::Confirm, "{start}: {verdict:?}");
    assert!(verdict.findings.iter().any(|finding| finding.rule == "unreadable"), "{start}: {verdict:?}");
}

#[test]
fn what_nests_without_end_needs_a_yes() {
    for piece in [
        "(",
        "((",
        "$(",
        "$((",
        "${",
        "${x:-",
        "{ ",
        "if ",
        "if true; then ",
        "while ",
        "for x in y; do ",
        "case x in x) ",
        "f() { ",
        "f() ( ",
        "<(",
        "cat <(",
        "[[ ( ",
        "[[ ! ",
        "\"$(",
        "\"${x:-",
        "$(( (",
        "! ( ",
        "until ",
        "$(case x in x) ",
        "sh <<E\n$(",
        "a=(",
        "eval \"$(",
        "x && (",
        "((1;",
    ] {
        assert_unreadable(&piece.repeat(100_000.min(SCRIPT_BYTES_MAX / piece.len())));
        assert_unreadable(&piece.repeat(1000));
    }
}

#[test]
fn what_is_closed_but_nests_deeply_is_answered() {
    for (open, close) in [
        ("(", ")"),
        ("((", "))"),
        ("$(", ")"),
        ("$((", "))"),
        ("${x:-", "}"),
        ("{ ", "; }"),
        ("if true; then ", "; fi"),
        ("while true; do ", "; done"),
        ("case x in x) ", ";; esac"),
        ("case x in x) ", " esac"),
        ("cat <(", ")"),
        ("f() { ", "; }"),
        ("[[ ( ", " ) ]]"),
        ("\"$(", ")\""),
        ("(a;", ")"),
        ("((a;", "))"),
        ("$((a;", "))"),
    ] {
        for many in [1, 5, 10, 15, 20, 23, 24, 30, 100, 1000, 20_000] {
            judge(default_policy(), &format!("{}x{}", open.repeat(many), close.repeat(many)));
            // A fault deep inside makes the parser try everything else first.
            judge(default_policy(), &format!("{}x ; ;{}", open.repeat(many), close.repeat(many)));
        }
    }
}

/// Half of the stack that threads have elsewhere.
const STACK_BYTES: usize = 1024 * 1024;

#[test]
fn a_small_stack_is_enough_for_the_deepest_script_that_is_read() {
    let wrap = |open: &str, close: &str, many: usize, inner: &str| {
        format!("{}{inner}{}", open.repeat(many), close.repeat(many))
    };
    let mut scripts = Vec::new();
    for many in [10, 16, 22] {
        for (open, close) in [
            ("${u:-", "}"),
            ("{ ", "; }"),
            ("if x; then ", "; fi"),
            ("$(", ")"),
            ("\"${u:-", "}\""),
            ("(", ")"),
        ] {
            // Each text holds the next one in a variable, so that no quotes pile up.
            let mut script = "v0='rm -rf /'\n".to_owned();
            for level in 1..60 {
                let inner = format!("eval \"$v{}\"", level - 1);
                let inner = if open.contains("${") { format!("$({inner})") } else { inner };
                let start = if open.contains("${") { "echo " } else { "" };
                script += &format!("v{level}='{start}{}'\n", wrap(open, close, many, &inner));
            }
            scripts.push(script.clone() + "eval \"$v3\"");
            scripts.push(script + "eval \"$v59\"");
        }
    }
    let levels = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        let policy = default_policy();
        scripts.iter().map(|script| judge(policy, script).level).collect::<Vec<_>>()
    });
    let levels = levels.expect("a thread").join().expect("its end");
    assert!(levels.iter().all(|level| *level >= Level::Confirm), "{levels:?}");
}

#[test]
fn what_grows_when_it_is_expanded_is_bounded() {
    let doubling = (0..100).map(|_| "x=$x$x$x$x; ").collect::<String>();
    judge(default_policy(), &format!("x=aaaa; {doubling} $x"));
    judge(default_policy(), &"{a,b}".repeat(40));
    judge(default_policy(), &"{".repeat(200_000));
    judge(default_policy(), "echo {1..999999999}{1..999999999}");
    judge(default_policy(), &format!("echo {}", "$(echo a b c d)".repeat(5000)));
    let calls = (0..40).map(|i| format!("f{}() {{ f{i}; f{i}; f{i}; }}; ", i + 1)).collect::<String>();
    judge(default_policy(), &format!("f0() {{ echo; }}; {calls} f40"));
    let values = (0..60).map(|i| format!("test $a && v{i}=$v{}x$a; ", i / 2)).collect::<String>();
    judge(default_policy(), &values.repeat(10));
    let loops = "for i in a b c d e f g h; do ".repeat(12) + "echo $i" + &"; done".repeat(12);
    judge(default_policy(), &loops);
    for many in [100, 10_000] {
        let names =
            |start: &str, end: &str| (0..many).map(|i| format!("{start}{i}{end}")).collect::<String>();
        judge(default_policy(), &names("alias a", "=b; "));
        judge(default_policy(), &names("f", "() { :; }; "));
        judge(default_policy(), &names("v", "=1; "));
        judge(default_policy(), &names("test x && v", "=1; "));
        judge(default_policy(), &names("git push ", "; "));
    }
    let mut text = "rm -rf /".to_owned();
    for _ in 0..8 {
        text = format!("sh -c '{}'", text.replace('\'', "'\\''"));
    }
    judge(default_policy(), &text);
}

#[test]
fn a_script_at_the_limit_is_read_and_one_beyond_it_needs_a_yes() {
    let line = "echo hello world | grep -c hello > /dev/null && cargo build --release\n";
    let many = SCRIPT_BYTES_MAX / line.len();
    assert_eq!(judge(default_policy(), &line.repeat(many)).level, Level::Allowed);
    assert_unreadable(&line.repeat(many + 1));
}

#[test]
fn long_runs_of_one_thing_are_answered() {
    for piece in [
        "`",
        "'",
        "\"",
        "$'",
        "a ",
        "a;",
        "a|",
        "a&&",
        "a||",
        "a&",
        "\n",
        "x=1 ",
        "x=1;",
        "<<E ",
        "<<E\n",
        "<<'E F'\n",
        "a <<< b\n",
        ">x ",
        "2>&1 ",
        "1",
        "99999999999>",
        "99999999999>x ",
        "*",
        "?(",
        "!(",
        "@(a)",
        "~",
        "\\",
        "\\\n",
        "#",
        "# ' \n",
        "$",
        "$$",
        "$x",
        "=",
        "a=( ",
        "a=();",
        "[[ a && ",
        "[[ a ]] && ",
        "]] ",
        "{a,",
        "{a..",
        "esac ",
        "fi;",
        "done;",
        "then ",
        ") ",
        "} ",
        ";;",
        "function f ",
        "f() f() ",
        "time ",
        "! ",
        "-p ",
        "in ",
        "\u{f0030}",
        "\u{f0032}0\u{f0033}",
        "é",
        "\r",
        "\0",
        "& ",
        "coproc ",
        "sudo ",
        "env ",
        "eval ",
        "xargs ",
        "{}",
        "case x in ",
        "a=b ",
        "<&",
        ">&",
        "<>",
        "[[ a =~ ( ",
    ] {
        judge(default_policy(), &piece.repeat(2000));
        judge(default_policy(), &piece.repeat(SCRIPT_BYTES_MAX / piece.len()));
    }
}

proptest! {
    #[test]
    fn a_damaged_script_is_answered(text in damaged(SAMPLES)) {
        let verdict = judge(default_policy(), &text);
        prop_assert!(verdict.findings.iter().all(|finding| !finding.reason.contains("reader failed")), "{:?}", verdict);
        prop_assert_eq!(verdict.level, verdict.findings.first().map_or(Level::Allowed, |finding| finding.level));
    }

    #[test]
    fn any_text_is_answered(text in odd_text(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        judge(default_policy(), &text);
        judge(default_policy(), &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn pieces_of_shell_in_any_order_are_answered(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let verdict = judge(default_policy(), &pieces.concat());
        prop_assert!(verdict.findings.iter().all(|finding| !finding.reason.contains("reader failed")), "{:?}", verdict);
    }

    #[test]
    fn a_damaged_policy_is_read_or_refused(text in damaged(&[include_str!("../../src/classic.toml"), "scratch = [\"/tmp\"]\n"])) {
        if let Err(problems) = Policy::parse(&text) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}

const PIECES: &[&str] = &[
    "rm ",
    "-rf ",
    "/ ",
    "echo ",
    "'",
    "\"",
    "`",
    "$(",
    ")",
    "${",
    "}",
    "$((",
    "))",
    "(",
    "{ ",
    "; }",
    ";",
    "&",
    "&&",
    "||",
    "|",
    "\n",
    "<<E\n",
    "E\n",
    "<<<",
    "<(",
    ">(",
    "if ",
    "then ",
    "fi ",
    "case x in ",
    "esac ",
    "for i in ",
    "do ",
    "done ",
    "while ",
    "[[ ",
    "]] ",
    "((",
    "a=",
    "a=(",
    "x",
    "\\",
    "#",
    "*",
    "~",
    "$x",
    "$@",
    "f() ",
    "function f ",
    "! ",
    "time ",
    "sh -c ",
    "eval ",
    "2>",
    "> ",
    "0",
    " ",
    "{a,b}",
    "{1..3}",
    "alias x=",
    "trap ",
    "${a[",
    "]}",
    ":-",
    "$'\\x41'",
    "xargs ",
    "find . -exec ",
    "{} + ",
    "git push ",
];
