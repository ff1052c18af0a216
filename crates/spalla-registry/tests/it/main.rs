//! The registry as its users meet it: real folders, real files.

mod schema;
