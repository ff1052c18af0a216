//! Tables that are made up, and what becomes of broken ones.

use super::*;
use proptest::prelude::*;

/// Packs words, each with a weight and the axis that it points along.
pub(crate) fn packed(words: &[(&str, u16, usize)]) -> Vec<u8> {
    let vocabulary: String = words.iter().map(|(word, ..)| format!("{word}\n")).collect();
    let mut payload = Vec::new();
    for number in [words.len(), DIMENSIONS, vocabulary.len()] {
        payload.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    words.iter().for_each(|(_, weight, _)| payload.extend(weight.to_le_bytes()));
    payload.extend(vocabulary.as_bytes());
    for (.., axis) in words {
        let mut row = [0; DIMENSIONS];
        row[*axis] = 127;
        payload.extend(row);
    }
    file(&payload)
}

fn file(payload: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend(blake3::hash(payload).as_bytes());
    file.extend((payload.len() as u64).to_le_bytes());
    file.extend(zstd::bulk::compress(payload, 1).unwrap());
    file
}

fn small() -> Vec<u8> {
    packed(&[("fix", 100, 0), ("test", 100, 1), ("##s", 50, 2), ("the", 1, 3)])
}

#[test]
fn a_text_is_the_weighted_sum_of_its_words() {
    let embedding = Embedding::load(&small()).unwrap();
    let vector = embedding.embed("Fix the tests");
    assert_eq!(vector.values[..5], [127, 127, 63, 1, 0]);
    assert_eq!(vector, embedding.embed("tests, fix THE"), "there is no comma in this vocabulary");
    assert!(embedding.embed("fix").cosine(&vector) > embedding.embed("the").cosine(&vector));
}

#[test]
fn a_text_without_a_known_word_is_like_nothing() {
    let embedding = Embedding::load(&small()).unwrap();
    for text in ["", "   ", "xyzzy", "\u{0}", "🦀"] {
        assert_eq!(embedding.embed(text).scale, 0.0, "{text:?}");
    }
}

#[test]
fn of_a_long_text_the_beginning_counts() {
    let embedding = Embedding::load(&small()).unwrap();
    let beginning = "fix ".repeat(TOKENS_MAX);
    assert_eq!(embedding.embed(&format!("{beginning}{}", "test ".repeat(9_999))), embedding.embed("fix"));
    let spaces = " ".repeat(TEXT_BYTES_MAX);
    assert_eq!(embedding.embed(&format!("{spaces}fix")).scale, 0.0);
    assert_eq!(embedding.embed(&format!("{}ü fix", " ".repeat(TEXT_BYTES_MAX - 1))).scale, 0.0);
}

#[test]
fn the_table_that_is_shipped_is_the_one_that_was_built() {
    let embedding = Embedding::load(include_bytes!("../../assets/minilm-256.bin")).unwrap();
    let digest: String = embedding.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, crate::SHIPPED_DIGEST);
    let alike = |one: &str, other: &str| embedding.embed(one).cosine(&embedding.embed(other));
    assert!(
        alike("mend the failing test", "repair a broken test")
            > alike("mend the failing test", "paint a house")
    );
}

#[test]
fn what_is_no_table_is_refused_with_its_reason() {
    let good = small();
    let refused = |bytes: &[u8]| Embedding::load(bytes).unwrap_err();
    assert_eq!(refused(b""), LoadError::Foreign);
    assert_eq!(refused(&[b"SPALLA", &good[6..]].concat()), LoadError::Foreign);
    let mut huge = good.clone();
    huge[HEAD_BYTES - 1] = 1;
    assert_eq!(
        refused(&huge),
        LoadError::TooLarge { bytes: u64::from_le_bytes(huge[48..56].try_into().unwrap()) }
    );
    let mut other = good.clone();
    other[20] ^= 1;
    assert!(matches!(refused(&other), LoadError::Damaged { .. }));
    assert!(matches!(refused(&good[..good.len() - 3]), LoadError::Packed(_)));
    assert_eq!(refused(&file(b"short")), LoadError::Misshapen);
    assert_eq!(refused(&packed(&[("a", WEIGHT_MAX + 1, 0)])), LoadError::Misshapen);
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Embedding::load(&bytes);
        let _ = Embedding::load(&file(&bytes));
    }

    #[test]
    fn no_text_brings_it_down(text in "\\PC{0,60}|[a-zäß漢 .]{0,60}") {
        let embedding = Embedding::load(&small()).unwrap();
        let vector = embedding.embed(&text);
        prop_assert_eq!(vector.clone(), embedding.embed(&text.to_uppercase().to_lowercase()));
        prop_assert!(vector.cosine(&vector) == 0.0 || (vector.cosine(&vector) - 1.0).abs() < 1e-5);
    }
}
