use std::process::{Command, Stdio};

use super::*;

fn packed(log: &[u8]) -> Bytes {
    let mut packer = Packer::default();
    for piece in log.chunks(100_000) {
        packer.add(piece).unwrap();
    }
    packer.finish().unwrap()
}

fn table(object: &[u8]) -> io::Result<Table> {
    Table::read(&object[object.len().saturating_sub(MAX_TABLE)..], object.len() as u64)
}

fn read(object: &[u8], wanted: Range<u64>) -> io::Result<Bytes> {
    let table = table(object)?;
    let members = table.members(&wanted)?;
    let place = members.place();
    members.unpack(&object[place.start as usize..place.end as usize], &wanted)
}

fn lines(bytes: usize) -> Vec<u8> {
    (0..).flat_map(|number: u32| format!("line {number}\n").into_bytes()).take(bytes).collect()
}

#[test]
fn every_range_is_read_back() {
    for bytes in [1, MEMBER - 1, MEMBER, MEMBER + 1, 3 * MEMBER, 3 * MEMBER + 7] {
        let log = lines(bytes);
        let object = packed(&log);
        assert_eq!(table(&object).unwrap().bytes, bytes as u64);
        for (start, end) in [(0, bytes), (0, 1), (bytes - 1, bytes), (bytes / 2, bytes), (bytes / 3, bytes / 3 + 1)] {
            assert_eq!(read(&object, start as u64..end as u64).unwrap(), log[start..end], "{start}..{end} of {bytes}");
        }
    }
    assert_eq!(table(&packed(b"")).unwrap().bytes, 0);
}

#[test]
fn any_gzip_reads_it() {
    let log = lines(2 * MEMBER + 99);
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let object = packed(&log);
    assert!(object.len() < log.len() / 2);
    let writer = std::thread::spawn(move || input.write_all(&object).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, log);
}

#[test]
fn the_longest_log_has_a_table_that_fits() {
    let mut packer =
        Packer { lengths: vec![1; MAX_MEMBERS], bytes: (MAX_MEMBERS * MEMBER) as u64, ..Packer::default() };
    packer.object = vec![0; MAX_MEMBERS];
    let object = packer.finish().unwrap();
    assert_eq!(object.len(), MAX_MEMBERS + MAX_TABLE);
    assert_eq!(table(&object).unwrap().starts.len(), MAX_MEMBERS + 1);
    let longer = Packer { lengths: vec![1; MAX_MEMBERS + 1], ..Packer::default() };
    assert!(longer.finish().is_err());
}

#[test]
fn what_is_broken_or_hostile_is_refused() {
    let good = packed(&lines(2 * MEMBER + 5));
    for length in [0, 5, 20, good.len() - 1] {
        assert!(table(&good[..length]).is_err(), "{length} bytes");
    }
    for place in (good.len() - 45)..good.len() {
        let mut bad = good.to_vec();
        bad[place] ^= 0x41;
        let _ = read(&bad, 0..1).map(drop);
        let _ = read(&bad, 2 * MEMBER as u64..2 * MEMBER as u64 + 5).map(drop);
    }
    let mut count = good.to_vec();
    let at = good.len() - TAIL.len() - 4;
    count[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(table(&count).is_err());
    let mut bomb = packed(&vec![0; 20 * MEMBER]).to_vec();
    // One member that unpacks to much more than a member has.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 20 * MEMBER]).unwrap();
    let member = encoder.finish().unwrap();
    bomb.splice(..0, member.iter().copied());
    assert!(table(&bomb).is_err(), "the table does not fit the object");
    let table = Table { starts: vec![0, member.len() as u64], bytes: 5 };
    let members = table.members(&(0..5)).unwrap();
    assert_eq!(members.unpack(&member, &(0..5)).unwrap(), vec![0; 5]);
    assert!(members.unpack(&member, &(0..MEMBER as u64 + 1)).is_err(), "no more than a member is unpacked");
    assert!(table.members(&(MEMBER as u64..MEMBER as u64 + 1)).is_err());
}
