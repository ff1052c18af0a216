//! The hosts of models whose ways are known: which header carries a credential there, and by which variables programs
//! are told where the host is.

/// The header of a credential that has none of its own, and what stands in front of it there.
const BEARER: Form = Form { header: "authorization", prefix: "Bearer " };

/// How a credential is shown to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The header, in small letters.
    pub(super) header: &'static str,
    /// What stands in front of it.
    pub(super) prefix: &'static str,
}

/// A host that is known.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name.
    pub(super) host: &'static str,
    /// How a key is shown to it.
    form: Form,
    /// The variables in which its programs look for a key.
    keys: &'static [&'static str],
    /// The variables by which they are told where it is.
    pub(super) base_urls: &'static [&'static str],
    /// What stands behind the address in these.
    pub(super) path: &'static str,
}

/// All of them. A variable stands here only where the host's own programs, or most others, read it.
pub(super) const KNOWN: &[Known] = &[
    Known {
        host: "api.openai.com",
        form: BEARER,
        keys: &["OPENAI_API_KEY"],
        base_urls: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        path: "/v1",
    },
    Known {
        host: "api.anthropic.com",
        form: Form { header: "x-api-key", prefix: "" },
        keys: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"],
        base_urls: &["ANTHROPIC_BASE_URL"],
        path: "",
    },
    Known {
        host: "generativelanguage.googleapis.com",
        form: Form { header: "x-goog-api-key", prefix: "" },
        keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        base_urls: &["GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"],
        path: "",
    },
    Known {
        host: "openrouter.ai",
        form: BEARER,
        keys: &["OPENROUTER_API_KEY"],
        base_urls: &["OPENROUTER_BASE_URL"],
        path: "/api/v1",
    },
    // Its programs agree on no variable.
    Known { host: "api.mistral.ai", form: BEARER, keys: &["MISTRAL_API_KEY"], base_urls: &[], path: "" },
    // Its own program adds the path.
    Known {
        host: "api.groq.com",
        form: BEARER,
        keys: &["GROQ_API_KEY"],
        base_urls: &["GROQ_BASE_URL"],
        path: "",
    },
    Known {
        host: "api.deepseek.com",
        form: BEARER,
        keys: &["DEEPSEEK_API_KEY"],
        base_urls: &["DEEPSEEK_BASE_URL"],
        path: "",
    },
];

impl Known {
    /// Finds a host by its name.
    pub(super) fn by_host(host: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.host == host)
    }

    /// Finds the host whose programs look for their key in a variable.
    pub(super) fn by_variable(variable: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.keys.contains(&variable))
    }
}

/// Returns how the credential of a variable is shown: as the host wants it of keys, where it is known. A token is always
/// shown as one.
pub(super) fn form_of(known: Option<&Known>, variable: &str) -> Form {
    match known {
        Some(known) if !variable.ends_with("_TOKEN") => known.form,
        _ => BEARER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_as_its_host_wants_it_and_a_token_as_a_token() {
        for (variable, header, prefix) in [
            ("OPENAI_API_KEY", "authorization", "Bearer "),
            ("ANTHROPIC_API_KEY", "x-api-key", ""),
            ("ANTHROPIC_AUTH_TOKEN", "authorization", "Bearer "),
            ("GEMINI_API_KEY", "x-goog-api-key", ""),
            ("GOOGLE_API_KEY", "x-goog-api-key", ""),
            ("WHATEVER", "authorization", "Bearer "),
        ] {
            let form = form_of(Known::by_variable(variable), variable);
            assert_eq!((form.header, form.prefix), (header, prefix), "{variable}");
        }
    }

    #[test]
    fn what_is_known_of_a_host_can_stand_in_a_request_and_in_a_url() {
        for known in KNOWN {
            assert!(known.path.is_empty() || known.path.starts_with('/') && !known.path.ends_with('/'));
            assert!(known.form.header.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            assert_eq!(Known::by_host(known.host).unwrap().host, known.host);
        }
    }
}
