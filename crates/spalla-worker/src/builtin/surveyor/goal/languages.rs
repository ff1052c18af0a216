//! Goals in other languages: the few words that decide are put into English, where a verb shows which language it is. What is
//! not known stays as it is, and then the goal names nothing that is measured, which is said.

/// The words of one language. A goal is of it where one of its verbs stands in it.
struct Language {
    verbs: &'static [(&'static str, &'static str)],
    others: &'static [(&'static str, &'static str)],
}

const GERMAN: Language = Language {
    verbs: &[
        ("analysiere", "analyze"),
        ("analysieren", "analyze"),
        ("untersuche", "examine"),
        ("untersuchen", "examine"),
        ("zeige", "show"),
        ("zeig", "show"),
        ("liste", "list"),
        ("finde", "find"),
        ("prüfe", "check"),
        ("zähle", "count"),
        ("beschreibe", "describe"),
        ("teste", "test"),
        ("baue", "build"),
        ("berichte", "report"),
        ("behebe", "fix"),
        ("füge", "add"),
        ("schreibe", "write"),
        ("schreib", "write"),
        ("erstelle", "create"),
        ("implementiere", "implement"),
        ("ändere", "change"),
        ("entferne", "remove"),
        ("erkläre", "explain"),
        ("verbessere", "improve"),
        ("starte", "run"),
    ],
    others: &[
        ("und", "and"),
        ("dann", "then"),
        ("die", "the"),
        ("der", "the"),
        ("das", "the"),
        ("den", "the"),
        ("alle", "all"),
        ("bitte", "please"),
        ("nicht", "not"),
        ("keine", "no"),
        ("warum", "why"),
        ("struktur", "structure"),
        ("aufbau", "structure"),
        ("architektur", "architecture"),
        ("codebasis", "codebase"),
        ("quellcode", "codebase"),
        ("abhängigkeiten", "dependencies"),
        ("sprachen", "languages"),
        ("sicherheit", "security"),
        ("risiken", "risks"),
        ("verlauf", "history"),
        ("bericht", "report"),
        ("überblick", "overview"),
        ("projekt", "project"),
    ],
};

const FRENCH: Language = Language {
    verbs: &[
        ("analysez", "analyze"),
        ("analyser", "analyze"),
        ("examinez", "examine"),
        ("exécute", "run"),
        ("exécutez", "run"),
        ("exécuter", "run"),
        ("lance", "run"),
        ("lancez", "run"),
        ("montre", "show"),
        ("montrez", "show"),
        ("trouve", "find"),
        ("vérifie", "check"),
        ("corrige", "fix"),
        ("corrigez", "fix"),
        ("ajoute", "add"),
        ("ajoutez", "add"),
        ("écris", "write"),
        ("crée", "create"),
        ("implémente", "implement"),
        ("explique", "explain"),
        ("améliore", "improve"),
        ("supprime", "remove"),
    ],
    others: &[
        ("et", "and"),
        ("puis", "then"),
        ("les", "the"),
        ("la", "the"),
        ("le", "the"),
        ("du", "the"),
        ("pas", "not"),
        ("pourquoi", "why"),
        ("code", "codebase"),
        ("dépendances", "dependencies"),
        ("sécurité", "security"),
        ("risques", "risks"),
        ("langages", "languages"),
        ("rapporte", "report"),
        ("rapport", "report"),
        ("projet", "project"),
        ("dépôt", "repository"),
    ],
};

const SPANISH: Language = Language {
    verbs: &[
        ("analiza", "analyze"),
        ("analice", "analyze"),
        ("analizar", "analyze"),
        ("examina", "examine"),
        ("ejecuta", "run"),
        ("ejecute", "run"),
        ("ejecutar", "run"),
        ("muestra", "show"),
        ("encuentra", "find"),
        ("verifica", "check"),
        ("compila", "build"),
        ("informa", "report"),
        ("corrige", "fix"),
        ("arregla", "fix"),
        ("añade", "add"),
        ("agrega", "add"),
        ("escribe", "write"),
        ("crea", "create"),
        ("implementa", "implement"),
        ("explica", "explain"),
        ("mejora", "improve"),
        ("elimina", "remove"),
    ],
    others: &[
        ("y", "and"),
        ("luego", "then"),
        ("las", "the"),
        ("los", "the"),
        ("la", "the"),
        ("el", "the"),
        ("no", "not"),
        ("código", "codebase"),
        ("estructura", "structure"),
        ("pruebas", "tests"),
        ("dependencias", "dependencies"),
        ("seguridad", "security"),
        ("riesgos", "risks"),
        ("informe", "report"),
        ("proyecto", "project"),
    ],
};

/// Chinese has no blanks between words.
const CHINESE: [(&str, &str); 16] = [
    ("代码库", " codebase "),
    ("代码", " codebase "),
    ("分析", " analyze "),
    ("结构", " structure "),
    ("依赖", " dependencies "),
    ("运行", " run "),
    ("执行", " run "),
    ("测试", " tests "),
    ("报告", " report "),
    ("修复", " fix "),
    ("添加", " add "),
    ("实现", " implement "),
    ("修改", " change "),
    ("解释", " explain "),
    ("并且", " and "),
    ("并", " and "),
];

/// Puts the words that decide into English.
pub(super) fn in_english(goal: &str) -> String {
    let mut goal = goal.to_owned();
    for (foreign, english) in CHINESE {
        goal = goal.replace(foreign, english);
    }
    let goal = goal.replace(['，', '。', '；', '：', '、'], ", ");
    let words: Vec<String> = goal.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
    // "Führe … aus" runs what is there, and "führe … ein" introduces what is not.
    let runs = words.iter().any(|word| word == "aus" || word == "durch");
    let known = |language: &&Language| words.iter().any(|word| knows(language.verbs, word).is_some());
    let is_run = |word: &str| (runs && matches!(word, "führe" | "führ")).then_some("run");
    let language = [&GERMAN, &FRENCH, &SPANISH].into_iter().find(known);
    let language = language.or_else(|| words.iter().any(|word| is_run(word).is_some()).then_some(&GERMAN));
    let Some(language) = language else { return goal };
    replaced(&goal, &|word| {
        is_run(word).or_else(|| knows(language.verbs, word)).or_else(|| knows(language.others, word))
    })
}

fn knows(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(foreign, _)| *foreign == word).map(|(_, english)| *english)
}

/// Replaces words, and leaves what stands between them.
fn replaced(text: &str, known: &dyn Fn(&str) -> Option<&'static str>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut word = String::new();
    let end = |word: &mut String, result: &mut String| {
        result.push_str(known(&word.to_lowercase()).unwrap_or(word));
        word.clear();
    };
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.push(c);
        } else {
            end(&mut word, &mut result);
            result.push(c);
        }
    }
    end(&mut word, &mut result);
    result
}
