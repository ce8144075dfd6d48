//! What an upload is known by, where an image that was made from the same one may be taken again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use sha2::{Digest as _, Sha256};

const BUFFER: usize = 256 * 1024;

/// The digest of an archive without its sealed secrets, which are other bytes each time they are sealed, and with the
/// ids of those secrets. A value that changed is no reason to build, and none to go by either.
pub(crate) fn fingerprint(mut file: &File, sealed: &Range<u64>, ids: &[String]) -> io::Result<String> {
    let mut sum = Sha256::new();
    sum.update((ids.len() as u64).to_be_bytes());
    for id in ids {
        sum.update((id.len() as u64).to_be_bytes());
        sum.update(id);
    }
    file.seek(SeekFrom::Start(0))?;
    add(&mut sum, file.take(sealed.start))?;
    file.seek(SeekFrom::Start(sealed.end))?;
    add(&mut sum, file.take(u64::MAX))?;
    Ok(hex::encode(sum.finalize()))
}

fn add(sum: &mut Sha256, mut part: impl Read) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match part.read(&mut buffer)? {
            0 => return Ok(()),
            count => sum.update(&buffer[..count]),
        }
    }
}
