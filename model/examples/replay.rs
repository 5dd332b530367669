//! Runs recorded sequences, files or folders of them, through both faces of kmem, and prints their outcomes.
//!
//! With `KMEM_MODEL_TRACE` set it prints each step before it is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kmem_model::{C, Rust, Watch, replay};

#[global_allocator]
static GLOBAL: Watch = Watch;

fn files(of: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !of.is_dir() {
        return Ok(vec![of.to_owned()]);
    }
    std::fs::read_dir(of)?.map(|entry| Ok(entry?.path())).collect()
}

fn main() -> std::io::Result<()> {
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sequences = 0;
    for argument in std::env::args_os().skip(1) {
        for file in files(Path::new(&argument))? {
            let bytes = std::fs::read(file)?;
            replay::<C>(&bytes);
            for (step, times) in replay::<Rust>(&bytes).steps {
                *steps.entry(step).or_default() += times;
            }
            sequences += 1;
        }
    }
    println!("{sequences} sequences");
    for (step, times) in steps {
        println!("{times:8} {step}");
    }
    Ok(())
}
