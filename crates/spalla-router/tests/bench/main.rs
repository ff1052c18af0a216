//! Measures the router and its embedding; prints a line of JSON a figure. Run through `bench/route/run.sh`, or by hand:
//! `cargo test --release -p spalla-router --test bench -- decide AGENTS.json…`.

#[path = "../it/fleets.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod fleets;

mod accuracy;
mod decide;
mod meaning;
mod measure;
mod published;

/// The program has the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--nocapture").collect();
    let Some((what, rest)) = words.split_first() else {
        eprintln!(
            "say decide FILE…, same, meaning COUNT, embed, published COUNT, or accuracy TASKS PUBLISHED"
        );
        std::process::exit(2);
    };
    match (what.as_str(), rest) {
        ("decide", files) => files.iter().for_each(|file| decide::file(file)),
        ("same", []) => decide::same(),
        ("meaning", [count]) => meaning::routes(count.parse().expect("a number")),
        ("embed", []) => meaning::embed(),
        ("published", [count]) => published::first_route(count.parse().expect("a number")),
        ("accuracy", [tasks, folder]) => accuracy::measure(tasks, folder),
        _ => panic!("nothing is called so: {words:?}"),
    }
}
