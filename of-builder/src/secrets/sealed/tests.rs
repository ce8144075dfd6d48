use secrecy::ExposeSecret as _;

use super::*;

/// Made by the real `faas-cli secret keygen`.
const KEY: &str = "Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUE=";
/// Made with it by the real `faas-cli secret seal`.
const VECTOR: &str = "version: v1
algorithm: nacl/box
key_id: elZ06m5w
public_key: pzsiwF/FiVo2TkDIqueRQ46MgeqoNIiTSnIHao4DJxQ=
secrets:
    binary: iWHWj3JUZAZ7LFLTSQZGcteEaAwV3u3OGJhWz2Q+CPPwzLE6X5opW7qvOCiEsPPPfw==
    empty: BfWPZIDeh18miReba5B8yJ+bLSVYWLo+ekX7WGHCxOnVA799AmDFcA==
    netrc: rw6Vw2LLtXxwNZ8m2gG1/07BUjXwnS4//XEYVF9VcyZy6g8vA+FdRLrr91DrbMGXrtP3ZBbtRnI3dseIo1xUudnF0UjuzLMBsDye393i8FfOFVbDb5sNpnA=
    npm_token: 6qcogzTik5m1AAVFm+iRR7k5+VkfLoVLyN34ovf+WbKczc7shNMb/IMHGjbW+Y5+9MFX/DfOC3Y=
";

fn key() -> BuilderKey {
    BuilderKey::parse(&KEY.into()).unwrap()
}

fn refusal(file: &str) -> String {
    open(file.as_bytes(), &key()).unwrap_err().to_string()
}

#[test]
fn what_faas_cli_sealed_opens() {
    let opened = open(VECTOR.as_bytes(), &key()).unwrap();
    let value = |id: &str| opened[id].expose_secret();
    assert_eq!(value("npm_token"), b"npm_s3cr3t-value");
    assert_eq!(value("netrc"), b"machine example.com\n  login me\n  password s3cr3t\n");
    assert_eq!((value("binary"), value("empty")), (&b"\xff\xfe\0binary"[..], &b""[..]));
    assert_eq!(opened.len(), 4);
    assert!(!format!("{opened:?}").contains("115"), "a value is shown");
}

#[test]
fn a_file_without_a_key_id_is_tried() {
    let without = VECTOR.replace("key_id: elZ06m5w\n", "");
    assert_eq!(open(without.as_bytes(), &key()).unwrap().len(), 4);
    let other = BuilderKey::parse(&"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()).unwrap();
    let error = open(without.as_bytes(), &other).unwrap_err();
    insta::assert_snapshot!(error, @"the build secret 'binary' cannot be opened: it is damaged, or sealed for another builder's key");
}

#[test]
fn another_key_version_or_algorithm_is_said_plainly() {
    insta::assert_snapshot!(refusal(&VECTOR.replace("key_id: elZ06m5w", "key_id: AAAAAAAA")),
        @"the build secrets are sealed for the key 'AAAAAAAA', and this builder's is elZ06m5w: seal them anew for the key at /publickey");
    insta::assert_snapshot!(refusal(&VECTOR.replace("version: v1", "version: v2")),
        @"com.openfaas.secrets has the version 'v2', and this builder reads v1");
    insta::assert_snapshot!(refusal(&VECTOR.replace("nacl/box", "rot13")),
        @"com.openfaas.secrets is sealed by 'rot13', and this builder opens nacl/box");
    insta::assert_snapshot!(refusal("{}"), @"com.openfaas.secrets has the version '', and this builder reads v1");
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let line = VECTOR.lines().find(|line| line.contains("npm_token")).unwrap();
    let sealed = STANDARD.decode(line.trim().strip_prefix("npm_token: ").unwrap()).unwrap();
    let with = |bytes: &[u8]| VECTOR.replace(line, &format!("    npm_token: '{}'", STANDARD.encode(bytes)));
    for at in 0..sealed.len() {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        let error = refusal(&with(&bytes));
        assert!(error.starts_with("the build secret 'npm_token' cannot be opened"), "{at}: {error}");
    }
    for end in [0, 10, NONCE_BYTES, NONCE_BYTES + 15, sealed.len() - 1] {
        assert!(refusal(&with(&sealed[..end])).starts_with("the build secret 'npm_token' cannot be opened"), "{end}");
    }
    assert!(refusal(&VECTOR.replace("npm_token: 6qco", "npm_token: *qco")).contains("expected YAML"));
    assert!(refusal(&VECTOR.replace("npm_token: 6qco", "npm_token: '!qco'")).contains("expected YAML"));
    assert!(refusal(&VECTOR.replace("npm_token: 6qco", "npm_token: _qco")).contains("'npm_token' cannot be opened"));
}

#[test]
fn a_senders_key_that_is_none_is_refused() {
    for public in ["''", "AAAA", "x"] {
        let file = VECTOR.replace("pzsiwF/FiVo2TkDIqueRQ46MgeqoNIiTSnIHao4DJxQ=", public);
        assert_eq!(refusal(&file), "the public_key of com.openfaas.secrets is not 32 bytes in base64");
    }
}

#[test]
fn ids_and_their_number_are_bounded() {
    let head = VECTOR.split("secrets:").next().unwrap();
    let many: String = (0..65).map(|n| format!("    s{n}: AAAA\n")).collect();
    assert_eq!(refusal(&format!("{head}secrets:\n{many}")), "there are 65 build secrets, and at most 64 are accepted");
    for id in ["''", "'a b'", "\"a\\nb\"", "é", &"x".repeat(254)] {
        assert!(refusal(&format!("{head}secrets:\n    {id}: AAAA\n")).ends_with("cannot be the id of a build secret"));
    }
}

#[test]
fn what_is_no_such_yaml_is_refused_without_being_quoted() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for file in ["[s3cr3t", "s3cr3t", "secrets: [s3cr3t]", "secrets: {a: {b: s3cr3t}}", "a: 1\na: s3cr3t", bomb] {
        let error = refusal(file);
        assert!(
            error.starts_with("com.openfaas.secrets is not the expected YAML") && !error.contains("s3cr3t"),
            "{error}"
        );
    }
    assert!(open(b"\xff", &key()).is_err());
}
