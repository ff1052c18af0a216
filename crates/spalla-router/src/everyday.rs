//! Words that tasks of every kind have: rare as they may be among the agents, they say little about which one is meant.

use crate::score::Micro;
use std::collections::HashSet;
use std::sync::LazyLock;

/// How much one of them says, beside a word of a field.
const SAYS: Micro = Micro::of_millionths(350_000);

/// The everyday words of requests: what is done, how, when, and with what, in any field.
const WORDS: &str = "able about above accept access account across act action active actual add address adjust after \
    again against age agree ahead all allow alone already also although always among amount and another \
    answer any anything appear apply area around arrange ask assign at available away back bad base \
    based basic be because become before begin behind believe below best better between big bit board \
    body book both bottom break bring broad broken build business but buy by call can care carry case \
    catch cause center certain chance change check choice choose clean clear client close code come \
    command common company compare complete concern condition connect consider contain content context \
    continue control convert cool copy correct cost could count course cover create current customer cut \
    data date day deal decide deep define deliver demand depend describe detail determine develop \
    difference different difficult direct discover discuss do document down draft draw drive drop due \
    during each early easy edit effect effort either end enough ensure enter entire error establish even \
    event every exact example except exist expect experience explain extra face fact fail fall far fast \
    feature feel few field file fill final find fine finish first fit fix follow for form format free \
    frequent friend from full fun function further future gain general get give go goal good great group \
    grow guide hand handle happen hard have head heavy help here hide high hire hit hold home hour house \
    how huge idea identify if impact implement important improve in include increase information initial \
    input inside instead interest into issue it item job join just keep key kind know large last late \
    launch lead learn least leave left length less let level life light like likely limit line link list \
    little live load local logic long look lose lot low main maintain make manage many map mark match \
    matter may mean measure meet member mention message method middle might mind minute miss mix mode \
    model modern month more most move much multiple must my name narrow near need net never new news \
    next nice no normal note nothing now number object of off offer office often old on once one only \
    open operate option or order organise organize other our out output outside over own page paper part \
    pass past path pattern pay people perform perhaps person phase pick picture piece place plan play \
    please point position possible post posts power practice prepare present prevent price print problem \
    process produce product program project propose protect prove provide public pull purpose push put \
    quality question quick quiet quite raise range rate rather reach read ready real reason receive \
    recent record reduce refer reference regular relate release remain remove repeat replace report \
    repository request require research resource response rest result return review rich right rise role \
    room rule run safe same save say scale scope score screen search second section see seem select sell \
    send sense separate serve service set setup several shape share short should show side sign similar \
    simple since single site situation size skill slow small so social some something soon sort source \
    space speak special specific speed spend split stage staging stand standard start state stay step \
    still stop store story strategy strong structure study style subject such suggest support sure \
    surface system table take talk target task team tell ten term text than that the their them then \
    there these they thing think this those thought through time to today together tool top total touch \
    toward track trade training tree trip trouble true try turn type under understand unit until up \
    update upgrade upon us use user users usual value various version very view visit wait walk want \
    watch way week well what when where whether which while who whole why wide will win window wish with \
    within without wonder word work worker workflow world worth would write wrong year yes yet you your";

/// Returns how much a word or phrase says: one in full, unless it is a single everyday word.
pub(crate) fn says(folded: &str) -> Micro {
    if words().contains(folded) { SAYS } else { Micro::ONE }
}

fn words() -> &'static HashSet<&'static str> {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split_ascii_whitespace().collect());
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_words_say_less_and_phrases_of_them_do_not() {
        assert_eq!((says("write"), says("kubernetes"), says("write code")), (SAYS, Micro::ONE, Micro::ONE));
    }

    #[test]
    fn the_words_are_sorted_and_stand_once() {
        let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
        assert!(
            words.is_sorted_by(|one, other| one < other),
            "{:?}",
            words.windows(2).find(|pair| pair[0] >= pair[1])
        );
    }
}
