//! Converts and publishes a folder, once or with changes; prints a line of JSON a figure. By hand:
//! `cargo test --workspace --test converter -- publish SOURCE OUT`, or `… -- changes SOURCE OUT COUNT`, which changes files of SOURCE.

use serde_json::json;
use spalla_registry::convert::{self, Converted, Memory};
use spalla_registry::publish::{self, Changes, Memory as Published};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// The program has the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AT: &str = "2026-01-01T00:00:00Z";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--nocapture").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["publish", source, out] => drop(Conversion::new(source, out).run("cold")),
        ["changes", source, out, count] => changes(source, out, count.parse().expect("a number")),
        _ => {
            eprintln!("say publish SOURCE OUT, or changes SOURCE OUT COUNT");
            std::process::exit(2);
        }
    }
}

struct Conversion<'a> {
    source: &'a Path,
    out: &'a Path,
    memory: Memory,
    published: Published,
}

impl<'a> Conversion<'a> {
    fn new(source: &'a str, out: &'a str) -> Self {
        let (memory, published) = (Memory::default(), Published::of_a_watch());
        Self { source: Path::new(source), out: Path::new(out), memory, published }
    }

    /// Converts and publishes, and says how long each part took.
    fn run(&mut self, what: &str) -> (Converted, Changes) {
        let jobs = std::thread::available_parallelism().map_or(1, Into::into);
        let mut taken = Vec::new();
        let (begun, began_ns) = (Instant::now(), cpu_ns());
        let mut since = begun;
        let mut lap = |name: &str| {
            let now = Instant::now();
            taken.push((name.to_owned(), json!(ms(now - since))));
            since = now;
        };
        let sources = convert::read(self.source, None, jobs, &mut self.memory).expect("a folder");
        lap("read_ms");
        let converted = convert::convert(&sources, AT, jobs, &mut self.memory);
        lap("convert_ms");
        let changes =
            publish::publish_again(&converted.files, self.out, &mut self.published).expect("published");
        lap("publish_ms");
        let wall_ms = ms(begun.elapsed());
        let mut figure = json!({
            "metric": "conversion", "what": what, "agents": converted.definitions.len(), "wall_ms": wall_ms,
            "cpu_ms": (cpu_ns() - began_ns) as f64 / 1e6, "written": changes.written.len(),
        });
        figure.as_object_mut().expect("an object").extend(taken);
        println!("{figure}");
        (converted, changes)
    }
}

/// Changes one file after another, each by a heading that no other has.
fn changes(source: &str, out: &str, count: usize) {
    let mut conversion = Conversion::new(source, out);
    let (first, _) = conversion.run("cold");
    let path = |definition: &spalla_registry::definition::Definition| {
        definition.source().and_then(|source| source["path"].as_str().map(str::to_owned))
    };
    let paths: Vec<String> = first.definitions.values().filter_map(|one| path(one)).collect();
    drop(first);
    for number in 0..count {
        let file = conversion.source.join(&paths[number * 7919 % paths.len()]);
        let mut file = std::fs::OpenOptions::new().append(true).open(file).expect("a source");
        write!(file, "\n## Zebra {number}\n").expect("written");
        conversion.run("a change");
    }
}

fn ms(taken: std::time::Duration) -> f64 {
    (taken.as_secs_f64() * 1e4).round() / 10.0
}

/// Returns the processor time of this process, in nanoseconds, to a hundredth of a second.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("the system's figures");
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10_000_000
}
