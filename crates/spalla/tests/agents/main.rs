//! Whole sessions with the real agent CLIs and a model that is played: `make test-agents` installs the CLIs and runs this where
//! only loopback can be reached.

mod dialogue;
mod kept;
mod one_agent;
mod several;
mod stopped;
mod workshop;

#[expect(dead_code, reason = "the other tests of these CLIs use the rest of it")]
#[path = "../../../spalla-fake-model/tests/agents/world.rs"]
mod world;
