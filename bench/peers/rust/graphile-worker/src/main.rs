//! graphile_worker, the Rust port of graphile-worker, through its public interface; `PGURL` names an empty database.

mod measured;

#[tokio::main]
async fn main() -> measure::Outcome {
    measured::run(&std::env::var("PGURL")?).await
}
