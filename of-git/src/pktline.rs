//! Git's packet lines: four hexadecimal digits of length, then the content.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The packet that ends a list of packets.
pub(crate) const FLUSH: &[u8] = b"0000";
/// The most content that fits one packet of a side band, without the band's number.
const MAX_BAND: usize = 65515;
/// An empty packet of the data band, which git itself uses to keep a connection alive.
pub(crate) const KEEP_ALIVE: &[u8] = b"0005\x01";

/// The band that carries the protocol.
pub(crate) const DATA: u8 = 1;
/// The band whose text git shows after `remote:`.
pub(crate) const PROGRESS: u8 = 2;

/// One packet as it came, with its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    /// The end of a list.
    Flush,
    /// Content or a delimiter; the four digits are still in front.
    Data(Bytes),
}

impl Packet {
    /// The content without the length.
    pub(crate) fn content(&self) -> &[u8] {
        match self {
            Self::Flush => &[],
            Self::Data(raw) => raw.get(4..).unwrap_or_default(),
        }
    }
}

/// Bytes that are no packet line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream holds something that is no packet line of git's protocol")]
pub(crate) struct Malformed;

/// Takes the next whole packet off the buffer; `None` until more bytes have come.
pub(crate) fn take(buffer: &mut BytesMut) -> Result<Option<Packet>, Malformed> {
    let Some(digits) = buffer.get(..4) else { return Ok(None) };
    let text = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    let length = usize::from_str_radix(text, 16).map_err(|_| Malformed)?;
    match length {
        0 => {
            buffer.advance(4);
            Ok(Some(Packet::Flush))
        }
        1..=3 => Ok(Some(Packet::Data(buffer.split_to(4).freeze()))),
        _ if buffer.len() < length => Ok(None),
        _ => Ok(Some(Packet::Data(buffer.split_to(length).freeze()))),
    }
}

/// Appends one packet.
pub(crate) fn put(out: &mut BytesMut, content: &[u8]) {
    out.put_slice(format!("{:04x}", content.len() + 4).as_bytes());
    out.put_slice(content);
}

/// Content on a side band, in as many packets as it needs.
pub(crate) fn band(number: u8, content: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(content.len() + 5);
    for part in content.chunks(MAX_BAND) {
        out.put_slice(format!("{:04x}", part.len() + 5).as_bytes());
        out.put_u8(number);
        out.put_slice(part);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in_however_they_are_cut() {
        let mut whole = BytesMut::new();
        put(&mut whole, b"one\n");
        whole.extend_from_slice(FLUSH);
        whole.extend_from_slice(b"0001");
        put(&mut whole, b"");
        let mut buffer = BytesMut::new();
        let mut seen = Vec::new();
        for byte in whole {
            buffer.put_u8(byte);
            while let Some(packet) = take(&mut buffer).unwrap() {
                seen.push(packet);
            }
        }
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[0].content(), b"one\n");
        assert_eq!(seen[1], Packet::Flush);
        assert_eq!(seen[2], Packet::Data(Bytes::from_static(b"0001")));
        assert_eq!(seen[3].content(), b"");
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for text in ["PACK", "+001", " 004", "00g0", "\u{1}000"] {
            assert_eq!(take(&mut BytesMut::from(text)), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn long_content_is_cut_into_packets_of_the_allowed_size() {
        let sent = band(PROGRESS, &vec![b'x'; MAX_BAND + 1]);
        let mut buffer = BytesMut::from(&sent[..]);
        let Some(Packet::Data(first)) = take(&mut buffer).unwrap() else { panic!("no packet") };
        assert_eq!(first.len(), 65520);
        let Some(Packet::Data(second)) = take(&mut buffer).unwrap() else { panic!("no packet") };
        assert_eq!(&second[..], b"0006\x02x");
    }
}
