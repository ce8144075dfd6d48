use super::*;

fn secret() -> SecretString {
    SecretString::from("shared")
}

fn headers(pairs: [(&'static str, String); 2]) -> HeaderMap {
    pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
}

#[test]
fn what_was_signed_is_believed() {
    let key = Key::derive(&secret(), "git-tar");
    let headers = headers(key.sign(&Method::POST, b"message", Duration::from_secs(60)));
    assert_eq!(key.verify(&Method::POST, &headers, b"message"), Ok(()));
}

#[test]
fn any_other_part_is_refused() {
    let key = Key::derive(&secret(), "git-tar");
    let good = headers(key.sign(&Method::POST, b"message", Duration::from_secs(60)));
    assert_eq!(key.verify(&Method::PUT, &good, b"message"), Err(SignatureError::Wrong));
    assert_eq!(key.verify(&Method::POST, &good, b"massage"), Err(SignatureError::Wrong));
    let other_function = Key::derive(&secret(), "buildshiprun");
    assert_eq!(other_function.verify(&Method::POST, &good, b"message"), Err(SignatureError::Wrong));
    let other_secret = Key::derive(&SecretString::from("other"), "git-tar");
    assert_eq!(other_secret.verify(&Method::POST, &good, b"message"), Err(SignatureError::Wrong));
    let mut later = good.clone();
    later.insert(EXPIRES_HEADER, "99999999999".parse().unwrap());
    assert_eq!(key.verify(&Method::POST, &later, b"message"), Err(SignatureError::Wrong));
}

#[test]
fn missing_or_malformed_headers_are_refused() {
    let key = Key::derive(&secret(), "git-tar");
    assert_eq!(key.verify(&Method::POST, &HeaderMap::new(), b""), Err(SignatureError::Missing));
    let mut bad = headers(key.sign(&Method::POST, b"", Duration::from_secs(60)));
    bad.insert(SIGNATURE_HEADER, "v1=zz".parse().unwrap());
    assert_eq!(key.verify(&Method::POST, &bad, b""), Err(SignatureError::Wrong));
    bad.insert(SIGNATURE_HEADER, "sha1=00".parse().unwrap());
    assert_eq!(key.verify(&Method::POST, &bad, b""), Err(SignatureError::Missing));
}

#[test]
fn a_replay_after_the_end_is_refused() {
    let key = Key::derive(&secret(), "git-tar");
    let expired = now().as_secs() - 1;
    let signature = key.message(&Method::POST, expired, Sha256::digest(b"m").into()).finalize().into_bytes();
    let headers =
        headers([(EXPIRES_HEADER, expired.to_string()), (SIGNATURE_HEADER, format!("v1={}", hex::encode(signature)))]);
    assert_eq!(key.verify(&Method::POST, &headers, b"m"), Err(SignatureError::Expired));
}

#[test]
fn github_headers_are_checked() {
    // The example of GitHub's own documentation on validating webhook deliveries.
    let secret = SecretString::from("It's a Secret to Everybody");
    let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(sha256_header(&secret, b"Hello, World!"), header);
    assert!(sha256_header_is_right(&secret, header, b"Hello, World!"));
    for wrong in ["", "sha256=", "sha1=00", "sha256=zz", &header[..70]] {
        assert!(!sha256_header_is_right(&secret, wrong, b"Hello, World!"), "{wrong}");
    }
}
