//! PEM blocks, as far as keys and certificates need them: no headers, no encryption.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const LINE: usize = 64;

/// One block. What it holds may be secret, so it is wiped.
pub(crate) struct Block {
    pub(crate) label: String,
    content: Zeroizing<Vec<u8>>,
}

/// A block that ends early, ends as another one, or is not base64.
#[derive(Debug)]
pub(crate) struct Broken;

impl Block {
    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }
}

/// All blocks of a text, in order; lines outside of blocks are passed over.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, Broken> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) else { continue };
        let mut body = Zeroizing::new(String::new());
        loop {
            let line = lines.next().ok_or(Broken)?;
            if let Some(rest) = line.strip_prefix(END) {
                if rest.strip_suffix(DASHES) != Some(label) {
                    return Err(Broken);
                }
                break;
            }
            body.push_str(line);
        }
        let content = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| Broken)?);
        blocks.push(Block { label: label.to_owned(), content });
    }
    Ok(blocks)
}

/// A block, with a line feed at the end.
pub(crate) fn write(label: &str, content: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(content));
    let mut text = String::with_capacity(body.len() + body.len() / LINE + 128);
    text.push_str(&format!("{BEGIN}{label}{DASHES}\n"));
    for at in (0..body.len()).step_by(LINE) {
        text.push_str(&body[at..body.len().min(at + LINE)]);
        text.push('\n');
    }
    text.push_str(&format!("{END}{label}{DASHES}\n"));
    text
}
