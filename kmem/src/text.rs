//! Text without `core::fmt`, which would be most of a small library, and without allocation.

/// A buffer of text, which is written a few lines at a time.
pub(crate) struct Text<'w> {
    write: &'w mut dyn FnMut(&str),
    bytes: [u8; ROOM],
    len: usize,
}

const ROOM: usize = 256;

impl<'w> Text<'w> {
    pub(crate) fn new(write: &'w mut dyn FnMut(&str)) -> Self {
        Text { write, bytes: [0; ROOM], len: 0 }
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, text: &str) {
        let place = |len: usize| len..len + text.len();
        if self.bytes.get(place(self.len)).is_none() {
            self.flush();
        }
        match self.bytes.get_mut(place(self.len)) {
            Some(room) => {
                // SAFETY: [text] the room is as long as the text. `copy_from_slice` would check that and keep a panic.
                unsafe { room.as_mut_ptr().copy_from_nonoverlapping(text.as_ptr(), text.len()) };
                self.len += text.len();
            }
            None => (self.write)(text),
        }
    }

    /// Writes a template. Each `#` becomes the next number. A `~` becomes the `s` of a plural, unless the number before it is one.
    #[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
    #[inline(never)]
    pub(crate) fn push_filled(&mut self, template: &str, numbers: &[usize]) {
        let (mut numbers, mut number, mut start) = (numbers.iter(), 0, 0);
        let bytes = template.as_bytes();
        for (at, &byte) in bytes.iter().enumerate() {
            if byte != b'#' && byte != b'~' {
                continue;
            }
            self.push_characters(bytes.get(start..at));
            start = at + 1;
            if byte == b'#' {
                number = numbers.next().copied().unwrap_or(0);
                self.push_digits(number, 10);
            } else if number != 1 {
                self.push("s");
            }
        }
        self.push_characters(bytes.get(start..));
    }

    #[inline(never)]
    pub(crate) fn push_hex(&mut self, number: usize) {
        self.push("0x");
        self.push_digits(number, 16);
    }

    #[inline(never)]
    fn push_digits(&mut self, mut number: usize, base: usize) {
        // 20 digits hold the largest number in base ten.
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            if let Some(place) = digits.get_mut(first) {
                let digit = (number % base) as u8;
                *place = if digit < 10 { b'0' + digit } else { b'a' + (digit - 10) };
            }
            number /= base;
            if number == 0 {
                break;
            }
        }
        let digits = digits.get(first..).unwrap_or(&[]);
        // SAFETY: [text] these are digits.
        self.push(unsafe { core::str::from_utf8_unchecked(digits) });
    }

    /// Writes a JSON string. Bytes that are not UTF-8 become U+FFFD. Characters that control a terminal, break the line or change the
    /// direction of text are escaped too, since reports are printed.
    #[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
    pub(crate) fn push_quoted(&mut self, text: &[u8]) {
        self.push("\"");
        let mut plain = text;
        let mut len = 0;
        while let Some(rest @ [_, ..]) = plain.get(len..) {
            let (code, size) = first_character(rest);
            if code.is_none_or(is_escaped) {
                self.push_characters(plain.get(..len));
                match code {
                    Some(code) => self.push_escaped(code),
                    None => self.push("\u{fffd}"),
                }
                plain = rest.get(size..).unwrap_or(&[]);
                len = 0;
            } else {
                len += size;
            }
        }
        self.push_characters(Some(plain));
        self.push("\"");
    }

    /// Appends bytes in which [`first_character`] found only characters.
    #[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
    fn push_characters(&mut self, bytes: Option<&[u8]>) {
        // SAFETY: [text] each character of them is valid UTF-8.
        self.push(unsafe { core::str::from_utf8_unchecked(bytes.unwrap_or(&[])) });
    }

    #[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
    fn push_escaped(&mut self, code: u32) {
        const SHORT: &[u8; 7] = b"\"\\\n\r\t\x08\x0c";
        self.push("\\");
        match SHORT.iter().position(|&short| u32::from(short) == code) {
            Some(at) => self.push("\"\\nrtbf".get(at..=at).unwrap_or("")),
            None => {
                self.push(match code {
                    ..0x10 => "u000",
                    0x10..0x100 => "u00",
                    _ => "u",
                });
                self.push_digits(code as usize, 16);
            }
        }
    }

    #[inline(never)]
    fn flush(&mut self) {
        // First, so that it is not called again if this unwinds.
        let len = core::mem::take(&mut self.len);
        let bytes = self.bytes.get(..len).unwrap_or(&[]);
        // SAFETY: [text] the buffer holds whole strings, one after the other.
        (self.write)(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
}

/// Returns the first character of `bytes` and its length. If the bytes are not UTF-8, returns `None` and the number of bytes that one
/// U+FFFD replaces. The code is smaller than that of `utf8_chunks`.
#[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
fn first_character(bytes: &[u8]) -> (Option<u32>, usize) {
    let Some((&first, rest)) = bytes.split_first() else { return (None, 0) };
    // The bytes that follow the first, and the values that the second may have.
    let (more, mut allowed) = match first {
        0..=0x7f => return (Some(first.into()), 1),
        0xc2..=0xdf => (1, 0x80..=0xbf),
        0xe0 => (2, 0xa0..=0xbf),
        0xed => (2, 0x80..=0x9f),
        0xe1..=0xef => (2, 0x80..=0xbf),
        0xf0 => (3, 0x90..=0xbf),
        0xf4 => (3, 0x80..=0x8f),
        0xf1..=0xf3 => (3, 0x80..=0xbf),
        _ => return (None, 1),
    };
    let mut code = u32::from(first) & (0x3f >> more);
    for at in 0..more {
        match rest.get(at) {
            Some(&byte) if allowed.contains(&byte) => code = code << 6 | u32::from(byte & 0x3f),
            _ => return (None, at + 1),
        }
        allowed = 0x80..=0xbf;
    }
    (Some(code), more + 1)
}

/// Returns true for quotation marks, backslashes, control characters (C0, DEL, C1), line breaks, and marks of text direction. Above U+00FF,
/// all of them are in U+2000 to U+2FFF.
#[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
fn is_escaped(code: u32) -> bool {
    matches!(code, 0x22 | 0x5c | 0..=0x1f | 0x7f..=0x9f | 0x2028..=0x202e | 0x2066..=0x2069)
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        if self.len > 0 {
            self.flush();
        }
    }
}

/// Returns the whole text of a report.
#[cfg(all(feature = "heap", any(feature = "pool", feature = "arena", feature = "tree")))]
pub(crate) fn written(report: impl FnOnce(&mut dyn FnMut(&str))) -> alloc::string::String {
    let mut written = alloc::string::String::new();
    report(&mut |text| written.push_str(text));
    written
}

#[cfg(all(test, any(feature = "pool", feature = "arena", feature = "tree")))]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    fn written(work: impl FnOnce(&mut Text<'_>)) -> String {
        let mut written = String::new();
        let mut write = |text: &str| written.push_str(text);
        work(&mut Text::new(&mut write));
        written
    }

    #[test]
    fn numbers_are_written_as_the_formatting_machinery_does() {
        for number in [0, 1, 9, 10, 255, 4096, usize::MAX - 1, usize::MAX] {
            let plural = if number == 1 { "" } else { "s" };
            assert_eq!(
                written(|text| text.push_filled("a # b~, #~.", &[0, number])),
                std::format!("a 0 bs, {number}{plural}.")
            );
            assert_eq!(written(|text| text.push_hex(number)), std::format!("{number:#x}"));
        }
    }

    #[test]
    fn text_longer_than_the_buffer_is_written_in_order() {
        let long = "x".repeat(1000);
        assert_eq!(written(|text| (0..100).for_each(|_| text.push("abcdefg"))), "abcdefg".repeat(100));
        assert_eq!(
            written(|text| {
                text.push("a");
                text.push(&long);
                text.push("b")
            }),
            std::format!("a{long}b")
        );
    }

    #[test]
    fn quotes_and_controls_and_invalid_utf8_are_escaped() {
        let quoted = |bytes: &[u8]| written(|text| text.push_quoted(bytes));
        assert_eq!(quoted(b"plain"), r#""plain""#);
        assert_eq!(quoted(b"a\"b\\c\n\r\t\x08\x0c\x01\x1f"), r#""a\"b\\c\n\r\t\b\f\u0001\u001f""#);
        assert_eq!(quoted("\u{7f}a\u{80}\u{9f}\u{a0}".as_bytes()), "\"\\u007fa\\u0080\\u009f\u{a0}\"");
        let turning = "\u{2027}\u{2028}\u{2029}\u{202a}\u{202e}\u{202f}\u{2065}\u{2066}\u{2069}\u{206a}";
        let expected = "\u{2027}\\u2028\\u2029\\u202a\\u202e\u{202f}\u{2065}\\u2066\\u2069\u{206a}";
        assert_eq!(quoted(turning.as_bytes()), std::format!("\"{expected}\""));
        assert_eq!(quoted("é\u{1f511}".as_bytes()), "\"é\u{1f511}\"");
        assert_eq!(quoted(b"a\xffb\xc3"), "\"a\u{fffd}b\u{fffd}\"");
        assert_eq!(quoted(b""), r#""""#);
    }

    #[test]
    fn characters_are_found_as_the_standard_library_finds_them() {
        // Every three bytes that may begin a character, before each of these.
        for last in [0, 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc0] {
            for first in 0..=0xff {
                for second in [0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0] {
                    for third in [0, 0x7f, 0x80, 0xa8, 0xbf, 0xc0, 0xff] {
                        let bytes = [first, second, third, last];
                        let chunk = bytes.utf8_chunks().next().expect("a chunk");
                        let expected = match chunk.valid().chars().next() {
                            Some(c) => (Some(u32::from(c)), c.len_utf8()),
                            None => (None, chunk.invalid().len()),
                        };
                        assert_eq!(first_character(&bytes), expected, "{bytes:x?}");
                        assert_eq!(first_character(&bytes[..1]).0.is_some(), first < 0x80);
                    }
                }
            }
        }
    }
}
