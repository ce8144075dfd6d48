//! Files of secrets in parts as a stage takes them: it bounds how much one question may hold, since opening takes time.

use sealed_secrets::SealedSecret;
use sealed_secrets::documents::to_yaml;

/// Documents, values and bytes of one question; a stage takes somewhat more.
const MOST: (usize, usize, usize) = (50, 100, 400 * 1024);

/// The documents in parts, in their order. One with many values is divided; its parts have its name.
pub(crate) fn parts(documents: &[SealedSecret]) -> Vec<Vec<SealedSecret>> {
    let mut parts: Vec<Vec<SealedSecret>> = Vec::new();
    let (mut values, mut bytes) = (0, 0);
    for slice in documents.iter().flat_map(slices) {
        let (more_values, more_bytes) = (slice.encrypted_data.len(), to_yaml(&slice).len());
        let fits =
            |part: &Vec<_>| part.len() < MOST.0 && values + more_values <= MOST.1 && bytes + more_bytes <= MOST.2;
        match parts.last_mut().filter(|part| fits(part)) {
            // A document's own parts never meet in one question, where they would be one name twice.
            Some(part) if part.last().is_none_or(|last: &SealedSecret| last.name != slice.name) => {
                part.push(slice);
                values += more_values;
                bytes += more_bytes;
            }
            _ => {
                parts.push(vec![slice]);
                (values, bytes) = (more_values, more_bytes);
            }
        }
    }
    parts
}

fn slices(document: &SealedSecret) -> Vec<SealedSecret> {
    let mut slices: Vec<SealedSecret> = Vec::new();
    let mut bytes = 0;
    for (key, sealed) in &document.encrypted_data {
        let full =
            |slice: &&mut SealedSecret| slice.encrypted_data.len() == MOST.1 || bytes + sealed.len() > MOST.2 / 2;
        if slices.last_mut().is_none_or(|slice| full(&slice)) {
            slices.push(SealedSecret { encrypted_data: Default::default(), ..document.clone() });
            bytes = 0;
        }
        if let Some(slice) = slices.last_mut() {
            slice.encrypted_data.insert(key.clone(), sealed.clone());
        }
        bytes += sealed.len();
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, keys: usize, length: usize) -> SealedSecret {
        let values = (0..keys).map(|key| (format!("k{key:04}"), "A".repeat(length)));
        SealedSecret {
            name: name.into(),
            namespace: "fn".into(),
            encrypted_data: values.collect(),
            ..Default::default()
        }
    }

    fn sizes(documents: &[SealedSecret]) -> Vec<Vec<usize>> {
        let parts = parts(documents);
        for part in &parts {
            let text: usize = part.iter().map(|document| to_yaml(document).len()).sum();
            assert!(text < 512 * 1024 || part.len() == 1 && part[0].encrypted_data.len() == 1, "{text}");
        }
        parts.iter().map(|part| part.iter().map(|document| document.encrypted_data.len()).collect()).collect()
    }

    #[test]
    fn few_go_together_and_many_are_divided() {
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[document("a", 1, 700), document("b", 2, 700)]), [[1, 2]]);
        assert_eq!(sizes(&[document("a", 250, 700), document("b", 2, 700)]), [vec![100], vec![100], vec![50, 2]]);
        assert_eq!(sizes(&[document("a", 3, 300_000)]), [[1], [1], [1]]);
        let many: Vec<_> = (0..120).map(|n| document(&format!("s{n}"), 1, 700)).collect();
        assert_eq!(sizes(&many).iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
        let all: usize = parts(&many).iter().flatten().map(|document| document.encrypted_data.len()).sum();
        assert_eq!(all, 120);
    }
}
