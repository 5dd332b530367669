//! Input that is not a snapshot is refused, and the reason names the fault and its place.

use std::io::{self, Read};

use kmem_view::{Error, Snapshot};

use crate::written::{EXAMPLE, output};

#[track_caller]
fn refused(json: &str) -> String {
    Snapshot::read(json.as_bytes()).expect_err("refused").to_string()
}

/// The example with one change.
#[track_caller]
fn example_with(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from));
    EXAMPLE.replacen(from, to, 1)
}

#[test]
fn bytes_that_are_not_json_are_refused_with_line_and_column() {
    assert_eq!(refused(""), "this is not a snapshot: EOF while parsing a value at line 1 column 0");
    assert_eq!(refused("\u{7f}ELF"), "this is not a snapshot: expected value at line 1 column 1");
    assert_eq!(
        refused("[]"),
        "this is not a snapshot: invalid type: sequence, expected a snapshot at line 1 column 1"
    );
    assert!(refused(&EXAMPLE[..300]).starts_with("this is not a snapshot: EOF while parsing"));
    assert!(refused(&format!("{EXAMPLE}x")).contains("trailing characters at line 7 column 1"));
}

#[test]
fn another_version_is_reported_even_if_the_rest_is_unreadable() {
    for json in [
        r#"{"kmem":7,"cells":"elsewhere"}"#,
        r#"{"cells":[],"total":{"cells":0,"size":0,"block":0},"kmem":7}"#,
    ] {
        assert!(matches!(Snapshot::read(json.as_bytes()), Err(Error::Version(7))), "{json}");
    }
}

#[test]
fn a_missing_field_is_named() {
    assert!(
        refused(r#"{"cells":[],"total":{"cells":0,"size":0,"block":0}}"#).contains("missing field `kmem`")
    );
    assert!(
        refused(r#"{"kmem":1,"total":{"cells":0,"size":0,"block":0}}"#).contains("missing field `cells`")
    );
    assert!(refused(r#"{"kmem":1,"cells":[]}"#).contains("missing field `total`"));
    let no_size = refused(&example_with("\"size\":64,", ""));
    assert!(no_size.contains("missing field `size` at line 3"), "{no_size}");
    assert!(refused(&example_with("\"peak\":9", "\"peek\":9")).contains("a store without"));
}

#[test]
fn an_invalid_value_is_named() {
    assert!(refused(&example_with("\"tree\"", "\"bush\"")).contains("unknown variant `bush`"));
    assert!(refused(&example_with("\"pool\"", "\"pond\"")).contains("unknown variant `pond`"));
    assert!(refused(&example_with("0x55d0c0ffee40", "55d0c0ffee40")).contains("a hexadecimal address"));
    assert!(refused(&example_with("\"size\":24", "\"size\":-24")).contains("expected u64"));
    assert!(refused(&example_with("\"kind\":\"ref\"", "\"kind\":\"heap\"")).contains("not of kind `ref`"));
    assert!(refused(&example_with("\"refs\":3", "\"refs\":3,\"live\":3")).contains("not a store"));
    assert!(
        refused(&example_with("\"adopted\":true,", "")).contains("`holder` of a cell that is not adopted")
    );
    assert!(refused(&example_with("\"holder\":88", "\"holder\":201")).contains("a `holder` that is larger"));
    assert!(
        refused(&example_with("\"kmem\":1,", "\"kmem\":1,\"kmem\":1,")).contains("duplicate field `kmem`")
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let json = example_with("\"kmem\":1,", "\"kmem\":1,\"at\":[{\"a\":1}],").replacen(
        "\"depth\":1,",
        "\"depth\":1,\"x\":[],",
        1,
    );
    assert_eq!(Snapshot::read(json.as_bytes()).expect("a snapshot").cells().len(), 4);
}

#[test]
fn a_depth_jumps_by_no_more_than_one() {
    let error = Snapshot::read(example_with("\"depth\":1", "\"depth\":2").as_bytes()).expect_err("refused");
    assert!(matches!(error, Error::Depth { cell: 1, depth: 2, most: 1 }));
    assert_eq!(error.to_string(), "cell 1 has depth 2, but at most 1 is valid there");
    let error = Snapshot::read(example_with("\"depth\":0", "\"depth\":1").as_bytes()).expect_err("refused");
    assert!(matches!(error, Error::Depth { cell: 0, depth: 1, most: 0 }));
}

#[test]
fn totals_agree_with_the_cells() {
    for (from, to, what) in [
        ("\"cells\":16", "\"cells\":4", "the total of `cells` is 4, but the sum over the cells is 16"),
        ("\"size\":1280", "\"size\":1281", "the total of `size` is 1281, but the sum over the cells is 1280"),
        ("\"block\":6472", "\"block\":0", "the total of `block` is 0, but the sum over the cells is 6472"),
    ] {
        assert_eq!(refused(&example_with(from, to)), what);
    }
    let huge = example_with("\"size\":64", "\"size\":18446744073709551615");
    assert_eq!(
        refused(&huge),
        "the total of `size` is 1280, but the sum over the cells does not fit into 64 bits"
    );
}

#[test]
fn a_reader_that_fails_is_not_blamed_on_the_snapshot() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let error = Snapshot::read(EXAMPLE.as_bytes()[..200].chain(Broken)).expect_err("refused");
    assert!(matches!(&error, Error::Read(why) if why.to_string().contains("the disk is gone")), "{error}");
}

#[test]
fn a_damaged_snapshot_is_refused_or_drawn() {
    let (mut refused, mut drawn) = (0, 0);
    for index in 0..EXAMPLE.len() {
        for byte in *b"\"}0-9,\\" {
            let mut json = EXAMPLE.as_bytes().to_vec();
            json[index] = byte;
            let Ok(snapshot) = Snapshot::read(&json[..]) else {
                refused += 1;
                continue;
            };
            for depth in [None, Some(0), Some(u32::MAX)] {
                assert!(!output(|out| snapshot.text(out, depth)).is_empty());
                assert!(!output(|out| snapshot.dot(out, depth)).is_empty());
            }
            assert!(!output(|out| snapshot.html(out, None)).is_empty());
            drawn += 1;
        }
    }
    assert!(refused > 2000 && drawn > 300, "{refused} {drawn}");
}
