//! What can be written, what becomes of it, and what is refused.

use super::*;

fn read(words: &[&str]) -> Result<Vec<Injection>, String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    Injection::read_all(&words, &mut Vec::new()).map_err(|error| error.to_string())
}

fn one(word: &str) -> Injection {
    read(&[word]).unwrap().remove(0)
}

#[test]
fn a_host_that_is_known_is_told_of_in_its_programs_variables() {
    let found = one("api.openai.com=OPENAI_API_KEY");
    assert_eq!((found.host.as_str(), found.scheme), ("api.openai.com", Scheme::Https));
    assert_eq!((found.header.as_str(), found.prefix.as_str()), ("authorization", "Bearer "));
    let told: BTreeMap<String, String> = found.base_urls().collect();
    assert_eq!(told["OPENAI_BASE_URL"], "http://127.0.0.1:3129/v1");
    let found = one("https://API.Anthropic.com:443/=ANTHROPIC_API_KEY");
    assert_eq!((found.host.as_str(), found.header.as_str()), ("api.anthropic.com", "x-api-key"));
    let told: Vec<_> = found.base_urls().collect();
    assert_eq!(told, [("ANTHROPIC_BASE_URL".to_owned(), "http://127.0.0.1:3129".to_owned())]);
}

#[test]
fn each_known_host_has_a_door_of_its_own() {
    let words = ["api.openai.com=A", "127.0.0.1:3130=B", "openrouter.ai=C", "api.groq.com=D"];
    let mut relays = vec!["127.0.0.1:3131".parse().unwrap()];
    let words = words.map(str::to_owned);
    let found = Injection::read_all(&words, &mut relays).unwrap();
    let doors: Vec<String> = found.iter().map(|injection| injection.listen[0].to_string()).collect();
    assert_eq!(doors, ["127.0.0.1:3129", "127.0.0.1:3130", "127.0.0.1:3132", "127.0.0.1:3133"]);
    assert_eq!(relays.len(), 1);
}

#[test]
fn a_server_on_this_machine_is_found_where_it_is_and_its_relay_gives_way() {
    let mut relays: Vec<SocketAddr> =
        ["127.0.0.1:8080", "[::1]:8080", "127.0.0.1:9"].map(|at| at.parse().unwrap()).into();
    let words = ["localhost:8080=ANTHROPIC_API_KEY".to_owned()];
    let found = Injection::read_all(&words, &mut relays).unwrap().remove(0);
    assert_eq!((found.host.as_str(), found.scheme), ("localhost:8080", Scheme::Http));
    assert_eq!(found.listen, ["127.0.0.1:8080", "[::1]:8080"].map(|at| at.parse().unwrap()));
    assert_eq!((found.header.as_str(), found.base_urls.len()), ("x-api-key", 0));
    assert_eq!(relays, ["127.0.0.1:9".parse().unwrap()]);
    for (word, host, listen) in [
        ("127.0.0.1:8080=K", "127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://127.0.0.1:8080/=K", "127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://127.0.0.2=K", "127.0.0.2", "127.0.0.2:80"),
        ("[::1]:8080=K", "[::1]:8080", "[::1]:8080"),
    ] {
        let found = one(word);
        assert_eq!((found.host.as_str(), found.scheme), (host, Scheme::Http), "{word}");
        assert_eq!(found.listen, [listen.parse().unwrap()], "{word}");
    }
}

#[test]
fn another_host_is_named_by_its_url() {
    let found = one("https://llm.example:8443/openai/v1/=OPENAI_API_KEY");
    assert_eq!((found.host.as_str(), found.scheme), ("llm.example:8443", Scheme::Https));
    let told: BTreeMap<String, String> = found.base_urls().collect();
    assert_eq!(told["OPENAI_BASE_URL"], "http://127.0.0.1:3129/openai/v1");
    let found = one("https://localhost:8443=MY_KEY");
    assert_eq!((found.scheme, found.base_urls.len()), (Scheme::Https, 0));
    assert_eq!((found.header.as_str(), found.prefix.as_str()), ("authorization", "Bearer "));
    assert_eq!(found.listen, ["127.0.0.1:3129".parse().unwrap()]);
}

#[test]
fn what_can_not_be_read_is_refused_with_what_can() {
    for (word, wanted) in [
        ("api.openai.com", "names no variable"),
        ("api.openai.com=", "is no name of a variable"),
        ("api.openai.com=9KEY", "is no name of a variable"),
        ("api.openai.com=A-B", "is no name of a variable"),
        ("=KEY", "is no host"),
        ("a b=KEY", "is no host"),
        ("https://user@host=KEY", "is no host"),
        ("ftp://host=KEY", "is no way to a host"),
        ("llm.example=KEY", "hosts that are known: api.openai.com, api.anthropic.com"),
        ("10.0.0.1:80=KEY", "hosts that are known"),
        ("http://llm.example=KEY", "in the clear"),
        ("http://10.0.0.1:80=KEY", "in the clear"),
        ("https://llm.example/\u{e9}=OPENAI_API_KEY", "is no way"),
        ("127.0.0.1:0=KEY", "is no way"),
        ("127.0.0.1:3128=KEY", "is taken inside"),
    ] {
        let error = read(&[word]).unwrap_err();
        assert!(error.contains(wanted), "{word}: {error}");
    }
}

#[test]
fn hosts_that_get_in_each_others_way_are_refused() {
    for (words, wanted) in [
        (["api.openai.com=A", "https://api.openai.com=B"], "api.openai.com is named twice"),
        (["api.openai.com=A", "https://llm.example/v1=OPENAI_API_KEY"], "can't name two hosts"),
        (["localhost:80=A", "127.0.0.1:80=B"], "is taken inside"),
    ] {
        let error = read(&words).unwrap_err();
        assert!(error.contains(wanted), "{words:?}: {error}");
    }
    let many: Vec<String> = (0..17).map(|number| format!("https://h{number}.test=KEY")).collect();
    let error = Injection::read_all(&many, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("more than 16 hosts"), "{error}");
    assert!(Injection::read_all(&many[1..], &mut Vec::new()).is_ok());
}

#[test]
fn a_policy_that_was_written_by_hand_is_held_to_the_same() {
    let good = one("api.openai.com=OPENAI_API_KEY");
    let changes: [fn(&mut Injection); 9] = [
        |injection| injection.host = "API.openai.com/x".into(),
        |injection| injection.host = "api.openai.com:443".into(),
        |injection| injection.scheme = Scheme::Http,
        |injection| injection.variable = "A\n".into(),
        |injection| injection.header = "x: y\r\nz".into(),
        |injection| injection.prefix = "Bearer\r\n".into(),
        |injection| injection.listen = vec!["10.0.0.1:80".parse().unwrap()],
        |injection| injection.listen.clear(),
        |injection| drop(injection.base_urls.insert("A".into(), "@evil.test/".into())),
    ];
    assert!(check_all(std::slice::from_ref(&good), &[]).is_ok());
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(check_all(&[bad], &[]).is_err(), "{number}");
    }
    assert!(check_all(std::slice::from_ref(&good), &good.listen).is_err());
}
