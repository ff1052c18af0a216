//! Every form of a secret, alone, overlapping, in JSON and in streams, and the laws of redaction.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

const AWS: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn redactor(secrets: &[(&str, &str)]) -> Redactor {
    let secrets: Vec<_> = secrets.iter().map(|(name, text)| (*name, Secret::from(*text))).collect();
    Redactor::new(secrets.iter().map(|(name, secret)| (*name, secret))).unwrap()
}

fn redacted(secrets: &[(&str, &str)], text: &str) -> String {
    redactor(secrets).redact(text).into_owned()
}

/// Redacts in pieces; returns what came out with each, and at the end.
fn streamed(redactor: &Arc<Redactor>, pieces: &[&[u8]]) -> Vec<String> {
    let mut stream = RedactorStream::new(Arc::clone(redactor));
    let mut texts = Vec::new();
    for piece in pieces {
        let mut out = Vec::new();
        stream.push(piece, &mut out);
        texts.push(String::from_utf8(out).unwrap());
    }
    let mut out = Vec::new();
    stream.finish(&mut out);
    texts.push(String::from_utf8(out).unwrap());
    texts
}

#[test]
fn a_secret_is_masked_by_its_name_wherever_it_stands() {
    let secrets = [("TOKEN", "hunter22"), ("KEY", AWS)];
    let text = format!("a hunter22 b={AWS};hunter22hunter22!");
    let expected = "a [redacted:TOKEN] b=[redacted:KEY];[redacted:TOKEN][redacted:TOKEN]!";
    assert_eq!(redacted(&secrets, &text), expected);
    assert!(matches!(redactor(&secrets).redact("nothing of it: hunter 22"), Cow::Borrowed(_)));
}

#[test]
fn base64_is_masked_in_both_alphabets_at_every_place_of_a_longer_text() {
    let redactor = redactor(&[("K", AWS)]);
    for engine in [&STANDARD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "\n", "ab", ", more of it"] {
                let text = format!("<{}>", engine.encode(format!("{before}{AWS}{after}")));
                let masked = redactor.redact(&text);
                let rest = masked.replace("[redacted:K]", "");
                let left = engine.encode(before).len() + engine.encode(after).len() + 4;
                assert!(masked.contains("[redacted:K]") && rest.len() <= left, "{text} became {masked}");
            }
        }
    }
    let basic = STANDARD.encode("user:hunter22");
    assert_eq!(redacted(&[("P", "hunter22")], &format!("Basic {basic}")), "Basic dXNlcj[redacted:P]==");
}

#[test]
fn hexadecimal_percent_and_json_forms_are_masked_as_programs_write_them() {
    let secrets = [("S", "p/ß \"q\"\n<\\>+é=~'🔑")];
    let written = [
        // Python's quote, quote_plus and json.dumps, JavaScript's encodeURIComponent and encodeURI, lower-case hex.
        "p/%C3%9F%20%22q%22%0A%3C%5C%3E%2B%C3%A9%3D~%27%F0%9F%94%91",
        "p%2F%C3%9F+%22q%22%0A%3C%5C%3E%2B%C3%A9%3D~%27%F0%9F%94%91",
        "p%2F%C3%9F%20%22q%22%0A%3C%5C%3E%2B%C3%A9%3D~'%F0%9F%94%91",
        "p/%C3%9F%20%22q%22%0A%3C%5C%3E+%C3%A9=~'%F0%9F%94%91",
        "p%2f%c3%9f%20%22q%22%0a%3c%5c%3e%2b%c3%a9%3d~%27%f0%9f%94%91",
        "%70%2F%C3%9F%20%22%71%22%0A%3C%5C%3E%2B%C3%A9%3D%7E%27%F0%9F%94%91",
        r#"p/ß \"q\"\n<\\>+é=~'🔑"#,
        r#"p\/ß \"q\"\n<\\>+é=~'🔑"#,
        r#"p/\u00df \"q\"\n<\\>+\u00e9=~'\ud83d\udd11"#,
        r#"p\/\u00DF \"q\"\n<\\>+\u00E9=~'\uD83D\uDD11"#,
        r#"p/ß \"q\"\n\u003c\\\u003e+é=~'🔑"#,
        r#"p/ß \\\"q\\\"\\n<\\\\>+é=~'🔑"#,
        "702fc39f202271220a3c5c3e2bc3a93d7e27f09f9491",
        "702FC39F202271220A3C5C3E2BC3A93D7E27F09F9491",
    ];
    for text in written {
        assert_eq!(redacted(&secrets, &format!("({text})")), "([redacted:S])", "{text}");
    }
    let every = |upper: bool| {
        let unit = |unit: u16| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        secrets[0].1.encode_utf16().map(unit).collect::<String>()
    };
    assert_eq!(redacted(&secrets, &(every(true) + &every(false))), "[redacted:S][redacted:S]");
}

#[test]
fn bytes_that_are_no_text_are_masked_as_they_are_and_as_logs_show_them() {
    let secret = Secret::from(b"\xff\xfeab".to_vec());
    let redactor = Redactor::new([("B", &secret)]).unwrap();
    assert_eq!(&*redactor.redact_bytes(b"<\xff\xfeab>"), b"<[redacted:B]>");
    assert_eq!(redactor.redact("<\\xFF\\xFEab>"), "<[redacted:B]>");
}

#[test]
fn a_short_secret_counts_only_as_a_word_and_an_empty_one_not_at_all() {
    let secrets = [("A", "abc"), ("EMPTY", ""), ("BLANK", " \n "), ("PIN", "7")];
    assert_eq!(redacted(&secrets, "abc,xabc abcx x=abc"), "[redacted:A],xabc abcx x=[redacted:A]");
    assert_eq!(
        redacted(&secrets, "7 17 7.5 _7 é7 (7)"),
        "[redacted:PIN] 17 [redacted:PIN].5 _7 é7 ([redacted:PIN])"
    );
    assert_eq!(redacted(&secrets, "YWJj 616263 6162634"), "[redacted:A] [redacted:A] 6162634");
    assert!(redactor(&secrets[1..3]).is_empty());
    // Where a long secret looks like a form of a short one, the long one is masked inside words all the same.
    assert!(!redacted(&[("A", "abc"), ("B", "YWJj")], "xYWJjx").contains("YWJj"));
}

#[test]
fn of_overlapping_secrets_nothing_is_left_and_the_first_is_named() {
    let secrets = [("A", "abcdef"), ("B", "defghi"), ("C", "abcd")];
    assert_eq!(redacted(&secrets, "<abcdefghi abcd>"), "<[redacted:A] [redacted:C]>");
    assert_eq!(redacted(&[("A", "aaaa")], "aaaaaaa"), "[redacted:A]");
}

#[test]
fn a_secret_of_several_lines_is_masked_line_by_line() {
    let key = "-----BEGIN KEY-----\r\nMIIEvQIBADANBgkq\r\n  hkiG9w0BAQEFAASC\n}\n";
    let secrets = [("PEM", key)];
    assert_eq!(redacted(&secrets, &format!("<{key}>")), "<[redacted:PEM]>");
    assert_eq!(redacted(&secrets, &format!("<{}>", key.trim_end())), "<[redacted:PEM]>");
    assert_eq!(redacted(&secrets, "x MIIEvQIBADANBgkq }"), "x [redacted:PEM] }");
    assert_eq!(redacted(&secrets, "    hkiG9w0BAQEFAASC"), "    [redacted:PEM]");
}

#[test]
fn what_tools_wrap_is_masked_in_every_line_but_a_short_last_one() {
    let key = "0123456789 a long secret of more than one line in base64 and in hexadecimal digits 9876543210";
    let redactor = redactor(&[("K", key)]);
    for (text, width) in [
        (STANDARD.encode(key), 76),
        (STANDARD.encode(format!("{key}\n")), 64),
        (key.bytes().map(|byte| format!("{byte:02x}")).collect(), 60),
    ] {
        for line in text.as_bytes().chunks(width) {
            let line = std::str::from_utf8(line).unwrap();
            let masked = redactor.redact(line).replace("[redacted:K]", "");
            assert!(masked.len() <= "Cg==".len() || line.len() < 16, "{line} became {masked}");
        }
    }
}

#[test]
fn a_name_that_is_odd_or_tells_a_secret_is_not_shown() {
    for name in ["", "a b", "é", "x]y", &"N".repeat(65), "hunter22", "my-hunter22-x", "aHVudGVyMjI"] {
        assert_eq!(redacted(&[(name, "hunter22")], "<hunter22>"), "<***>", "{name}");
    }
    let all = redactor(&[("A", "hunter22"), ("hunter22", "other secret")]);
    assert_eq!(all.redact("other secret, hunter22"), "***, [redacted:A]");
    assert_eq!(format!("{all:?}"), r#"Redactor(["[redacted:A]", "***"])"#);
}

#[test]
fn json_is_masked_in_keys_and_values_and_loses_no_member() {
    let redactor = redactor(&[("T", "hunter22"), ("PIN", "12345678"), ("ONE", "1")]);
    let mut value = json!({
        "hunter22": [1, true, null, "x hunter22", 12345678, 123456789],
        "HUNTER22": {"aHVudGVyMjI=": 1, "hunter22": {"a": "b"}},
        "cost": 1.5,
    });
    redactor.redact_json(&mut value);
    let expected = json!({
        "[redacted:T]": [1, true, null, "x [redacted:T]", "[redacted:PIN]", 123456789],
        "HUNTER22": {"[redacted:T]=": 1, "[redacted:T]": {"a": "b"}},
        "cost": 1.5,
    });
    assert_eq!(value, expected);
    let mut twice = json!({"hunter22": 1, "68756e7465723232": 2, "other": 3});
    redactor.redact_json(&mut twice);
    assert_eq!(twice.as_object().unwrap().len(), 3);
    assert!(!twice.to_string().contains("hunter22") && twice.to_string().contains("[redacted:T] (2)"));
}

#[test]
fn secrets_that_are_too_long_together_are_refused() {
    let half = Secret::from(vec![b'x'; SECRETS_BYTES_MAX / 2 + 1]);
    let refused = Redactor::new([("A", &half), ("B", &half)]).unwrap_err();
    assert_eq!(refused, Error::TooLong { bytes: SECRETS_BYTES_MAX + 2 });
}

#[test]
fn a_stream_withholds_what_may_become_a_secret_and_nothing_else() {
    let redactor = Arc::new(redactor(&[("T", "hunter22")]));
    assert_eq!(streamed(&redactor, &[b"a line\n", b"hun ", b"x\n"]), ["a line\n", "hun ", "x\n", ""]);
    assert_eq!(streamed(&redactor, &[b"a hunt", b"er22 b\n"]), ["a ", "[redacted:T] b\n", ""]);
    assert_eq!(streamed(&redactor, &[b"= hunter2"]), ["= ", "hunter2"]);
    assert_eq!(
        streamed(&redactor, &[b"= hunter22", b"hunter22\n"]),
        ["= ", "[redacted:T][redacted:T]\n", ""]
    );
    let nothing = Arc::new(Redactor::new([("A", &Secret::from(""))]).unwrap());
    assert_eq!(streamed(&nothing, &[b"abc", b"d"]), ["abc", "d", ""]);
}

/// Secrets of few letters, so that they meet, overlap and repeat.
fn few_letters() -> impl Strategy<Value = Vec<String>> {
    vec("[ab1 =]{0,7}", 0..4)
}

/// Text of the same letters, with forms of the secrets in it.
fn text_around(secrets: Vec<String>) -> impl Strategy<Value = (Vec<String>, String)> {
    let forms: Vec<String> = secrets
        .iter()
        .flat_map(|secret| forms::forms_of(secret.as_bytes()))
        .map(|form| String::from_utf8(form.bytes).unwrap())
        .chain(["a".into()])
        .collect();
    let piece = prop_oneof![1 => "[ab1 =%YWJ\\\\]{0,4}", 1 => prop::sample::select(forms)];
    (Just(secrets), vec(piece, 0..8).prop_map(|pieces| pieces.concat()))
}

fn named(secrets: &[String]) -> Vec<(String, Secret)> {
    secrets.iter().enumerate().map(|(at, text)| (format!("N{at}"), Secret::from(text.as_str()))).collect()
}

proptest! {
    #[test]
    fn where_a_stream_is_cut_does_not_matter(
        (secrets, text) in few_letters().prop_flat_map(text_around),
        mut cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let secrets = named(&secrets);
        let redactor = Arc::new(Redactor::new(secrets.iter().map(|(name, secret)| (name, secret))).unwrap());
        cuts.sort_by_key(|cut| cut.index(text.len() + 1));
        let ends = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([text.len()]);
        let mut begin = 0;
        let pieces: Vec<&[u8]> = ends
            .map(|end| {
                let piece = &text.as_bytes()[begin..end];
                begin = end;
                piece
            })
            .collect();
        prop_assert_eq!(streamed(&redactor, &pieces).concat(), redactor.redact(&text).into_owned());
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(streamed(&redactor, &bytes).concat(), redactor.redact(&text).into_owned());
    }

    #[test]
    fn outside_the_labels_no_form_of_a_secret_is_left((secrets, text) in few_letters().prop_flat_map(text_around)) {
        let secrets = named(&secrets);
        let redactor = Redactor::new(secrets.iter().map(|(name, secret)| (name, secret))).unwrap();
        let masked = redactor.redact(&text);
        for rest in masked.split("[redacted:").flat_map(|part| part.split(']')) {
            for (_, secret) in secrets.iter().filter(|(_, secret)| secret.len() >= 4) {
                let forms = forms::forms_of(secret.expose()).into_iter();
                for form in forms.filter(|form| form.bytes.len() >= 4 && form.edges != Edges::Word) {
                    let form = String::from_utf8(form.bytes).unwrap();
                    prop_assert!(!rest.contains(&form), "{form:?} is left in {masked:?}");
                }
            }
        }
    }
}

#[test]
fn where_a_text_was_cut_the_beginning_of_a_secret_goes_with_the_end() {
    let redactor = redactor(&[("TOKEN", "hunter2-hunter2"), ("KEY", AWS)]);
    for (text, expected) in [
        ("say hunter2-hunter2 and hunter2-hun", "say [redacted:TOKEN] and "),
        (&AWS[..20], ""),
        ("say nothing.", "say nothing."),
    ] {
        assert_eq!(redactor.redact_cut(text), expected);
    }
}
