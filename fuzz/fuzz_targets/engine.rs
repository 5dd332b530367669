//! Sequences of calls against the model, through the engine, under AddressSanitizer.

#![no_main]

use kmem_model::{Rust, Watch, replay};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static GLOBAL: Watch = Watch;

fuzz_target!(|bytes: &[u8]| {
    replay::<Rust>(bytes);
});
