//! Random sequences of calls, each on both faces of kmem, compared with the model. Then each allocation of each sequence is refused in
//! turn.

use std::collections::BTreeMap;

use kmem_model::{C, Face, Rust, Watch, replay, run};
use proptest::prelude::*;

#[global_allocator]
static GLOBAL: Watch = Watch;

fn sequences(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #[test]
    fn the_engine_does_what_the_model_says(bytes in sequences(3000)) {
        run::<Rust>(&bytes, None);
    }

    #[test]
    fn the_c_functions_do_what_the_model_says(bytes in sequences(3000)) {
        run::<C>(&bytes, None);
    }
}

/// Refuses each request of a sequence in turn. The call then changes nothing, and succeeds when it is repeated.
fn refused_at_every_point<F: Face>(bytes: &[u8]) {
    let requests = run::<F>(bytes, None).requests;
    for at in 0..requests {
        run::<F>(bytes, Some(at));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_is_lost_whichever_allocation_of_the_engine_fails(bytes in sequences(1200)) {
        refused_at_every_point::<Rust>(&bytes);
    }

    #[test]
    fn nothing_is_lost_whichever_allocation_of_the_c_functions_fails(bytes in sequences(1200)) {
        refused_at_every_point::<C>(&bytes);
    }
}

/// The inputs that the fuzzer kept: each reaches code that the others do not.
#[test]
fn the_corpus_of_the_fuzz_targets_runs_clean() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");
    let mut sequences = 0;
    for target in ["engine", "c_functions"] {
        for entry in std::fs::read_dir(format!("{corpus}/{target}")).expect("a corpus") {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a sequence");
            replay::<Rust>(&bytes);
            replay::<C>(&bytes);
            sequences += 1;
        }
    }
    assert!(sequences > 100, "{sequences} sequences");
}

/// A model that makes no calls never disagrees.
#[test]
fn random_sequences_reach_every_kind_of_step() {
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let mut state = 1u64;
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..3000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        for (step, times) in run::<Rust>(&bytes, None).steps {
            *steps.entry(step).or_default() += times;
        }
    }
    println!("{steps:#?}");
    for step in [
        "a cell freed twice",
        "a handle of another kind",
        "a handle with another cell",
        "adopt",
        "adopt a reference",
        "adopt a static",
        "adopt a tree",
        "adopt refused",
        "an interior pointer",
        "another method's",
        "append",
        "append its own",
        "array",
        "cell",
        "copy",
        "counted cell",
        "disown",
        "disown a tree",
        "empty",
        "end a pool",
        "end the node of a pool",
        "fell",
        "free",
        "heap cell",
        "hook",
        "hosted pool",
        "let a child go",
        "let go",
        "look",
        "look at a pool",
        "make a pool a root",
        "make a root",
        "move",
        "move a pool",
        "move a pool that is zeroed",
        "move children",
        "move what was adopted",
        "move refused",
        "node",
        "nothing to disown",
        "nothing to let go of",
        "own",
        "own a reference",
        "own a tree",
        "own refused",
        "pool",
        "pool in a buffer",
        "refused",
        "refused as a source",
        "reserve",
        "resize",
        "resize a parent",
        "resize in place",
        "resize in place what is zeroed",
        "resize of a pool",
        "resize refused",
        "resize what is zeroed",
        "set a destructor",
        "shred",
        "taint",
        "take a destructor away",
        "rename",
        "taint a pool",
        "taint a source",
        "taint the node of a pool",
        "unhook",
        "up",
    ] {
        assert!(steps.get(step).is_some_and(|&times| times > 20), "{step}: {:?}", steps.get(step));
    }
}
