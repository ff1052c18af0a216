//! The format's own examples, refusals, rotation, and the laws of encryption.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// The key, the time and the token of the format's own examples.
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const AT: Timestamp = Timestamp::from_ms(499_162_800_000);
const TOKEN: &str =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

fn key() -> FernetKey {
    FernetKey::parse(KEY).unwrap()
}

fn other_key(byte: u8) -> FernetKey {
    FernetKey::from_bytes(Zeroizing::new([byte; KEY_BYTES]))
}

fn counting_iv() -> [u8; IV_BYTES] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}

#[test]
fn a_token_is_what_the_format_says_byte_for_byte() {
    assert_eq!(key().encrypt(&"hello".into(), AT, counting_iv()), TOKEN);
    assert_eq!(key().decrypt(TOKEN), Ok("hello".into()));
}

#[test]
fn what_the_format_calls_invalid_is_refused_each_for_its_own_reason() {
    let incorrect_mac = "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==";
    let too_short = "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==";
    let no_base64 = "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==";
    let half_a_block =
        "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm";
    let wrong_padding = "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==";
    let wrong_iv = "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==";
    let refused = |token| key().decrypt(token).unwrap_err();
    assert_eq!([incorrect_mac, too_short].map(refused), [Error::Unverified, Error::Unverified]);
    let shapeless = [no_base64, half_a_block, wrong_padding, wrong_iv, "", "gAAA"];
    assert_eq!(shapeless.map(refused), [const { Error::Malformed }; 6]);
}

#[test]
fn age_and_future_are_no_reasons_to_refuse_what_lies_at_rest() {
    let far_future = "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==";
    let expired = "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==";
    assert_eq!([far_future, expired].map(|token| key().decrypt(token)), [Ok("".into()), Ok("".into())]);
    let before_1970 = key().encrypt(&"a".into(), Timestamp::from_ms(-5_000), [0; IV_BYTES]);
    assert_eq!(key().decrypt(&before_1970), Ok("a".into()));
}

#[test]
fn a_signed_token_of_another_version_is_refused() {
    let mut token = URL_SAFE.decode(TOKEN).unwrap();
    token.truncate(token.len() - MAC_BYTES);
    token[0] = 0x81;
    let mac = key().mac(&token).finalize().into_bytes();
    token.extend(mac);
    assert_eq!(key().decrypt(&URL_SAFE.encode(&token)), Err(Error::Malformed));
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    let short = &KEY[..40];
    let standard = KEY.replace('_', "/");
    let long = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4AAAA=";
    for text in ["", "password", short, &standard, long, "ключ", &"A".repeat(10_000), &KEY[..43]] {
        let said = FernetKey::parse(text).unwrap_err().to_string();
        assert!(text.is_empty() || !said.contains(text), "{said}");
    }
    assert_eq!(FernetKey::parse(&format!(" {KEY}\n")).unwrap().to_text(), KEY.into());
    assert_eq!(KeyRing::parse(" \n").unwrap_err(), Error::NoKey);
}

#[test]
fn a_key_shows_its_id_and_nothing_else() {
    let ring = KeyRing::new(key(), [other_key(1)]);
    let shown = format!("{ring:?}");
    assert!(shown.contains(key().id()) && key().id().len() == 8, "{shown}");
    assert!(!shown.contains(&KEY[..8]) && shown.len() < 100, "{shown}");
}

#[test]
fn the_newest_key_seals_and_every_key_of_the_ring_opens() {
    let old = KeyRing::new(key(), []);
    let sealed = old.seal(&"hello".into(), AT, counting_iv());
    assert_eq!(sealed, format!("{}:{TOKEN}", key().id()));
    let rotated = KeyRing::new(other_key(7), [key()]);
    assert_eq!(rotated.open(&sealed), Ok("hello".into()));
    assert_eq!((old.is_outdated(&sealed), rotated.is_outdated(&sealed)), (Ok(false), Ok(true)));
    let resealed = rotated.reseal(&sealed, AT, [9; IV_BYTES]).unwrap().unwrap();
    assert_eq!(rotated.reseal(&resealed, AT, [9; IV_BYTES]), Ok(None));
    let without_old = KeyRing::new(other_key(7), []);
    assert_eq!(without_old.open(&resealed), Ok("hello".into()));
    assert_eq!(without_old.open(&sealed), Err(Error::UnknownKey { id: key().id().to_owned() }));
}

#[test]
fn a_ring_is_written_newest_first_and_holds_a_key_once() {
    let second = other_key(2).to_text();
    let text = format!("{KEY}\n{},{KEY}\n", second.expose_text().unwrap());
    let ring = KeyRing::parse(&text).unwrap();
    assert_eq!(ring.newest().id(), key().id());
    let both = KeyRing::new(other_key(3), [other_key(2)]).with_older(ring);
    assert_eq!(format!("{both:?}").matches("FernetKey(").count(), 3);
    let sealed = KeyRing::new(key(), []).seal(&"x".into(), AT, [0; IV_BYTES]);
    assert_eq!(both.open(&sealed), Ok("x".into()));
}

#[test]
fn what_is_not_sealed_is_refused() {
    let ring = KeyRing::new(key(), []);
    let id = key().id().to_owned();
    for text in ["", ":", TOKEN, &format!("{id}{TOKEN}"), &format!("{id}:"), &format!("{}:{TOKEN}", &id[1..])]
    {
        assert!(ring.open(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_encrypted_comes_back(
        plain in vec(any::<u8>(), 0..100),
        bytes in any::<[u8; KEY_BYTES]>(),
        iv in any::<[u8; IV_BYTES]>(),
        at in any::<i64>(),
    ) {
        let ring = KeyRing::new(FernetKey::from_bytes(Zeroizing::new(bytes)), []);
        let sealed = ring.seal(&plain.clone().into(), Timestamp::from_ms(at), iv);
        prop_assert_eq!(ring.open(&sealed), Ok(plain.into()));
        let again = FernetKey::parse(ring.newest().to_text().expose_text().unwrap()).unwrap();
        prop_assert_eq!(again.id(), ring.newest().id());
    }

    #[test]
    fn a_token_that_is_changed_anywhere_or_meets_another_key_is_refused(
        plain in vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let token = key().encrypt(&plain.into(), AT, counting_iv());
        prop_assert_eq!(other_key(1).decrypt(&token), Err(Error::Unverified));
        let mut bytes = URL_SAFE.decode(&token).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_eq!(key().decrypt(&URL_SAFE.encode(&bytes)), Err(Error::Unverified));
        prop_assert!(key().decrypt(&URL_SAFE.encode(&bytes[..at])).is_err());
    }
}
