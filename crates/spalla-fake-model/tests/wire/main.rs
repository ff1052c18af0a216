//! The server as its clients see it: over real sockets, in each of the protocols.

mod anthropic;
mod document;
mod faults;
mod gemini;
mod hostile;
mod journal;
mod openai;
mod program;
mod world;
