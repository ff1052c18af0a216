//! The fake model as a program of its own, for tests that start programs.

fn main() -> anyhow::Result<()> {
    spalla_fake_model::run()
}
