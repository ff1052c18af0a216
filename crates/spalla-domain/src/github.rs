//! GitHub, as far as it can be computed: whether what it sends is its own, which issue becomes work, and in which words an
//! issue reaches an agent. What people write there is hostile until somebody has said otherwise.

mod issue;
mod words;

pub use issue::{Admission, Issue, Refused};
pub use words::{code_block, inline, visible};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a signature begins with.
const SCHEME: &str = "sha256=";

/// Tells whether a body was signed with a secret, as `X-Hub-Signature-256` says; compared in constant time.
pub fn is_signed(secret: &[u8], body: &[u8], signature: &str) -> bool {
    let Some(given) = signature.strip_prefix(SCHEME).and_then(bytes) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.update(body);
    !secret.is_empty() && mac.verify_slice(&given).is_ok()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    is_hex.then(|| (0..digits.len()).step_by(2).map_while(pair).collect())
}

/// Tells whether a text is the name of a repository, `owner/name`, and nothing that leads elsewhere.
pub fn is_repository(text: &str) -> bool {
    let is_word = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=100).contains(&word.len()) && word.bytes().all(plain) && !word.bytes().all(|byte| byte == b'.')
    };
    text.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name))
}

/// Returns the repository, as `owner/name`, that the address of a remote leads to on a host; none where it leads elsewhere.
pub fn repository_of_remote(remote: &str, host: &str) -> Option<String> {
    let remote = remote.trim();
    let rest = match remote.split_once("://") {
        Some((_, rest)) => rest,
        // The short form of ssh: user@host:path.
        None => remote,
    };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.strip_prefix(host)?;
    let path = rest.strip_prefix(':').or_else(|| rest.strip_prefix('/'))?;
    // A port stands before the path.
    let path = match path.split_once('/') {
        Some((port, path))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && path.contains('/') =>
        {
            path
        }
        _ => path,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    is_repository(path).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's own documentation.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn a_signature_is_that_of_the_body_and_of_nothing_else() {
        assert!(is_signed(SECRET, b"Hello, World!", SIGNATURE));
        assert!(is_signed(SECRET, b"Hello, World!", &SIGNATURE.to_uppercase().replace("SHA256", "sha256")));
        assert!(!is_signed(SECRET, b"Hello, World", SIGNATURE));
        assert!(!is_signed(b"another", b"Hello, World!", SIGNATURE));
        for odd in ["", "sha256=", "sha1=757107", &SIGNATURE[..70], &format!("{SIGNATURE}0"), "sha256=é"] {
            assert!(!is_signed(SECRET, b"Hello, World!", odd), "{odd}");
        }
    }

    #[test]
    fn without_a_secret_nothing_is_signed() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(b"x");
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!is_signed(b"", b"x", &format!("sha256={digits}")));
    }

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        assert!(is_repository("ada/engine") && is_repository("a.b/c_d-e"));
        for odd in ["", "ada", "/x", "ada/", "ada/../x", "ada/..", "a b/c", "ada/x/y", "ada/x?y", "ada/x#y"] {
            assert!(!is_repository(odd), "{odd}");
        }
    }

    #[test]
    fn a_remote_names_the_repository_in_every_spelling() {
        for remote in [
            "https://github.com/ada/engine.git",
            "https://github.com/ada/engine/",
            "https://ada:pass@github.com/ada/engine",
            "git@github.com:ada/engine.git",
            "ssh://git@github.com/ada/engine.git",
            "ssh://git@github.com:22/ada/engine.git\n",
        ] {
            assert_eq!(repository_of_remote(remote, "github.com").as_deref(), Some("ada/engine"), "{remote}");
        }
        for odd in [
            "https://github.com.example/ada/engine",
            "https://example.org/github.com/ada/engine",
            "/srv/ada/engine",
        ] {
            assert_eq!(repository_of_remote(odd, "github.com"), None, "{odd}");
        }
    }
}
