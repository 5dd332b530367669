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
    // A command that refuses its arguments does not read its input, so the write may fail.
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
fn each_form_equals_that_of_the_library() {
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
        "+6472 bytes with headers (0 to 6472), +16 cells (0 to 16): all; 5 paths below are new, the heaviest tree \"request\"\n"
    ));
    assert!(grew.ends_with("in all +6472 bytes with headers (0 to 6472), +16 cells (0 to 16)\n"));
}

#[test]
fn a_failure_names_what_failed_and_writes_nothing() {
    assert_eq!(
        fails(&["--text"], "{\"kmem\":2}"),
        "kmem-view: standard input: the snapshot has version 2 of the format; this program reads version 1\n"
    );
    assert!(fails(&["no such file"], "").starts_with("kmem-view: no such file: "));
    assert!(
        fails(&["-o", "no such directory/page"], EXAMPLE).starts_with("kmem-view: no such directory/page: ")
    );
    assert!(fails(&["--text", "--dot"], EXAMPLE).contains("cannot be used with"));
}

#[test]
fn several_files_are_joined_and_compared_with_several() {
    let (server, client, grown) = (scratch("server.json"), scratch("client.json"), scratch("grown.json"));
    for (path, name, size) in [(&server, "server", 10), (&client, "client", 20), (&grown, "client", 25)] {
        let mut written = Written::default();
        written.tree(0, name, size);
        fs::write(path, written.json()).expect("written");
    }
    let [server, client, grown] = [&server, &client, &grown].map(|path| path.to_str().expect("text"));
    assert_eq!(
        writes(&["--text", server, client], ""),
        "tree \"server\", 10 bytes\ntree \"client\", 20 bytes\n2 cells, 30 bytes, 190 with headers\n"
    );
    assert!(
        writes(&[server, client], "")
            .contains("<title>server.json, client.json: 190 bytes with headers in 2 cells</title>")
    );
    let compared = [grown, server, "--diff", client, "--diff", server];
    assert!(writes(&compared, "").contains("<title>client.json, server.json to grown.json, server.json: grew by 5 bytes with headers, the same number of cells</title>"));
}

#[test]
fn a_page_is_not_written_to_a_terminal() {
    let page = scratch("snapshot.json");
    fs::write(&page, EXAMPLE).expect("written");
    // `script` runs a command on a terminal of its own.
    let on_terminal = |arguments: &str| {
        let command = format!("{} {} {arguments}", env!("CARGO_BIN_EXE_kmem-view"), page.display());
        Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output()
    };
    let Ok(output) = on_terminal("") else {
        eprintln!("left out: there is no `script` here");
        return;
    };
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(said.contains("write it to a file with -o") && !said.contains("<html"), "{said}");
    assert!(on_terminal("--text").expect("run").status.success());
}

#[test]
fn the_help_gives_the_exit_statuses() {
    let help = writes(&["--help"], "");
    for status in
        ["0 if the output was written", "1 if a file cannot be read", "2 if the arguments are wrong"]
    {
        assert!(help.replace('\n', " ").contains(status), "{help}");
    }
    assert_eq!(run(&["--no-such-option"], "").status.code(), Some(2));
    assert_eq!(run(&[], "no snapshot").status.code(), Some(1));
}
