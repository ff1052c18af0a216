//! What simple programs print, where that can be told from their arguments: what `$(echo rm)` stands for.

use crate::marks::{self, UNKNOWN};
use crate::words::escape;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Returns what a program prints; `None`: that can't be told.
pub(crate) fn of(program: &str, arguments: &[String], input: Option<&str>, folder: &str) -> Option<String> {
    match program {
        "true" | ":" | "test" | "[" | "cd" | "set" | "export" | "unset" | "mkdir" | "rm" | "cp" | "mv"
        | "touch" | "chmod" | "exit" | "return" | "shift" | "trap" | "alias" | "read" | "sleep" | "local"
        | "declare" | "readonly" => Some(String::new()),
        "pwd" => Some(format!("{folder}\n")),
        "echo" => Some(echo(arguments)),
        "printf" => Some(printf(arguments)),
        "cat" if arguments.iter().all(|argument| argument == "-") => input.map(str::to_owned),
        "tee" => input.map(str::to_owned),
        "which" | "command" | "type" => {
            arguments.last().filter(|name| !name.starts_with('-')).map(|name| format!("{name}\n"))
        }
        "base64" => decoded(arguments, input?),
        _ => None,
    }
}

fn echo(arguments: &[String]) -> String {
    let is_option = |argument: &&String| {
        argument.len() > 1
            && argument
                .strip_prefix('-')
                .is_some_and(|letters| letters.chars().all(|letter| "neE".contains(letter)))
    };
    let options: Vec<&String> = arguments.iter().take_while(is_option).collect();
    let text = marks::plain(&arguments[options.len()..].join(" "));
    let mut text = if options.iter().any(|option| option.contains('e')) { escaped(&text) } else { text };
    if !options.iter().any(|option| option.contains('n')) {
        text.push('\n');
    }
    text
}

fn escaped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut escaped = String::new();
    let mut at = 0;
    while at < chars.len() {
        at += 1;
        if chars[at - 1] == '\\' {
            let rest = &chars[at..];
            let (char, used) =
                if rest.first() == Some(&'0') { escape(&rest[..rest.len().min(4)]) } else { escape(rest) };
            escaped.extend(char);
            at += used;
        } else {
            escaped.push(chars[at - 1]);
        }
    }
    escaped
}

fn printf(arguments: &[String]) -> String {
    let Some((format, arguments)) = arguments.split_first() else { return String::new() };
    let format = escaped(&marks::plain(format));
    let mut rest = arguments.iter();
    let mut printed = String::new();
    for _ in 0..=arguments.len() {
        let before = rest.len();
        let mut chars = format.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                printed.push(char);
                continue;
            }
            match chars.next() {
                Some('s' | 'd' | 'i' | 'c') => {
                    printed.push_str(&marks::plain(rest.next().map_or("", String::as_str)))
                }
                Some('b') => {
                    printed.push_str(&escaped(&marks::plain(rest.next().map_or("", String::as_str))))
                }
                Some('%') => printed.push('%'),
                _ => return UNKNOWN.to_string(),
            }
            if printed.len() > crate::state::VALUE_BYTES_MAX {
                return UNKNOWN.to_string();
            }
        }
        if rest.len() == 0 || rest.len() == before {
            break;
        }
    }
    printed
}

fn decoded(arguments: &[String], input: &str) -> Option<String> {
    let decodes = arguments
        .iter()
        .any(|argument| matches!(argument.as_str(), "-d" | "-D" | "--decode" | "-di" | "-id"));
    if !decodes || marks::is_unknown(input) {
        return None;
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let text: String = input.split_whitespace().collect();
    String::from_utf8(engine.decode(text).ok()?).ok().map(|text| marks::clean(&text))
}
