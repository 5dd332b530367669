//! The command: its forms, its files and its failures.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::written::{EXAMPLE, Written, example, output};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kmem-view"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    // A command that refuses its arguments does not read: that its input is closed early is no fault.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("ended")
}

#[track_caller]
fn writes(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn fails(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text")
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn each_form_is_what_the_library_writes() {
    let snapshot = example();
    assert_eq!(writes(&["--text"], EXAMPLE), output(|out| snapshot.text(out, None)));
    assert_eq!(writes(&["--text", "--depth", "0", "-"], EXAMPLE), output(|out| snapshot.text(out, Some(0))));
    assert_eq!(writes(&["--dot", "--depth", "0"], EXAMPLE), output(|out| snapshot.dot(out, Some(0))));
    assert_eq!(writes(&["--html"], EXAMPLE), output(|out| snapshot.html(out, None)));
    assert_eq!(writes(&[], EXAMPLE), output(|out| snapshot.html(out, None)));
}

#[test]
fn files_are_read_compared_and_written() {
    let (older, newer, out) = (scratch("older.json"), scratch("newer.json"), scratch("grew.txt"));
    fs::write(&older, Written::default().json()).expect("written");
    fs::write(&newer, EXAMPLE).expect("written");
    let [older, newer, file] = [&older, &newer, &out].map(|path| path.to_str().expect("text"));
    assert_eq!(writes(&["--text", "--diff", older, newer, "-o", file], ""), "");
    let grew = fs::read_to_string(&out).expect("written");
    assert!(grew.starts_with(
        "+4096 bytes with headers (0 to 4096), +1 cells (0 to 1): tree \"request\" / store \"lines\"\n"
    ));
    assert!(grew.ends_with("in all +6472 bytes with headers (0 to 6472), +16 cells (0 to 16)\n"));
}

#[test]
fn a_failure_names_what_failed_and_writes_nothing() {
    assert_eq!(
        fails(&["--text"], "{\"kmem\":2}"),
        "kmem-view: standard input: the snapshot has version 2 of the format, and this program reads version 1\n"
    );
    assert!(fails(&["no such file"], "").starts_with("kmem-view: no such file: "));
    assert!(
        fails(&["-o", "no such directory/page"], EXAMPLE).starts_with("kmem-view: no such directory/page: ")
    );
    assert!(fails(&["--text", "--dot"], EXAMPLE).contains("cannot be used with"));
}
