//! Sequences of calls against the model, through the engine, under AddressSanitizer.

#![no_main]

use kmem_model::{Rust, Watch, run};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static GLOBAL: Watch = Watch;

// The first two bytes say which allocation is refused.
fuzz_target!(|bytes: (u16, &[u8])| {
    let (refuse, sequence) = bytes;
    run::<Rust>(sequence, (refuse < 1000).then_some(refuse.into()));
});
