//! Searches the memory of this process for strings, without a plain copy of them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The strings to search for, each combined with a random pad, so that the search does not find this list.
pub struct Needles {
    pad: [u8; Self::PAD],
    /// The padded strings by their first bytes, padded too.
    by_prefix: HashMap<u64, Vec<Box<[u8]>>>,
    known: HashSet<Box<[u8]>>,
    /// One bit for each hash value of a prefix, to skip most of memory quickly.
    filter: Vec<u64>,
    /// The number of strings that were left out, because they are shorter than [`Needles::MIN`].
    pub too_short: usize,
}

impl Needles {
    const PAD: usize = 64;
    /// Shorter strings occur by chance: in code, in names, in other words.
    const MIN: usize = 9;
    const PREFIX: usize = 8;
    const FILTER_BITS: u32 = 20;

    pub fn new() -> Self {
        let mut pad = [0; Self::PAD];
        // A zero byte in the pad would leave a byte of the string unchanged.
        let filled = getrandom::fill(&mut pad);
        assert!(filled.is_ok(), "the system provides random bytes");
        pad.iter_mut().for_each(|byte| *byte |= 0x80);
        let filter = vec![0; 1 << (Self::FILTER_BITS - 6)];
        Needles { pad, by_prefix: HashMap::new(), known: HashSet::new(), filter, too_short: 0 }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn add(&mut self, text: &str) {
        if text.len() < Self::MIN {
            self.too_short += 1;
            return;
        }
        let padded: Box<[u8]> =
            text.bytes().zip(self.pad.iter().cycle()).map(|(byte, pad)| byte ^ pad).collect();
        if self.known.insert(padded.clone()) {
            let prefix = prefix(&padded);
            let (word, bit) = Self::filter_bit(prefix);
            self.filter[word] |= bit;
            self.by_prefix.entry(prefix).or_default().push(padded);
        }
    }

    fn filter_bit(prefix: u64) -> (usize, u64) {
        let hash = prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Self::FILTER_BITS);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    /// The strings that begin at the start of these bytes.
    fn matches_at(&self, bytes: &[u8]) -> usize {
        let prefix = prefix(bytes) ^ prefix(&self.pad);
        let (word, bit) = Self::filter_bit(prefix);
        if self.filter[word] & bit == 0 {
            return 0;
        }
        let Some(needles) = self.by_prefix.get(&prefix) else { return 0 };
        let begins = |needle: &[u8]| {
            bytes.len() >= needle.len()
                && needle
                    .iter()
                    .zip(bytes)
                    .zip(self.pad.iter().cycle())
                    .all(|((n, byte), pad)| *n == byte ^ pad)
        };
        needles.iter().filter(|needle| begins(needle)).count()
    }

    fn longest(&self) -> usize {
        self.known.iter().map(|needle| needle.len()).max().unwrap_or(0)
    }
}

fn prefix(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |first: &[u8; Needles::PREFIX]| u64::from_ne_bytes(*first))
}

pub struct Found {
    pub copies: usize,
    pub scanned: usize,
}

/// Counts the copies of the strings in the readable memory of this process, without the buffer of this search.
pub fn copies(needles: &Needles) -> io::Result<Found> {
    let memory = File::open("/proc/self/mem")?;
    let overlap = needles.longest().max(Needles::PREFIX) - 1;
    // Allocated before the map is read, so that the map includes it. Zeroed afterwards, because the secrets pass through it.
    let mut buffer = vec![0u8; (1 << 20) + overlap];
    let own = buffer.as_ptr().addr()..buffer.as_ptr().addr() + buffer.len();
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut found = Found { copies: 0, scanned: 0 };
    for line in maps.lines() {
        let Some((start, end)) = readable(line) else { continue };
        let (before, after) = (start..end.min(own.start).max(start), start.max(own.end).min(end)..end);
        let parts =
            if own.start >= end || own.end <= start { [start..end, end..end] } else { [before, after] };
        for part in parts {
            search(needles, &memory, part, &mut buffer, overlap, &mut found);
        }
    }
    buffer.fill(0);
    Ok(found)
}

/// The addresses in a line of the map, if they are readable. Two of the kernel's pages are listed but not readable.
fn readable(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    if !fields.next()?.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
        return None;
    }
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

fn search(
    needles: &Needles,
    memory: &File,
    part: std::ops::Range<usize>,
    buffer: &mut [u8],
    overlap: usize,
    found: &mut Found,
) {
    let mut at = part.start;
    while at < part.end {
        let want = buffer.len().min(part.end - at);
        let read = match memory.read_at(&mut buffer[..want], at as u64) {
            Ok(read) if read > 0 => read,
            // A page that is mapped but has no memory.
            _ => {
                at += 4096;
                continue;
            }
        };
        // Strings that begin in the overlap are counted in the next round, which reads the overlap again.
        let end = at + read == part.end || read < want;
        let starts = if end { read } else { read - overlap };
        for start in 0..starts {
            found.copies += needles.matches_at(&buffer[start..read]);
        }
        found.scanned += starts;
        at += starts.max(1);
    }
}
