//! What upstream's own code sealed opens here, and everything that is wrong with a sealed value is told apart.
//!
//! The other direction was tried by hand: `HybridDecrypt` of the same version opens what `seal` makes, with keys of 2,048 and
//! 4,096 bits, one made by `KeyPair::generate` among them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sealed_secrets::{
    Certificate, CertificateError, Damage, Keyring, MAX_VALUE_BYTES, OpenError, Scope, SealError, seal,
};
use secrecy::ExposeSecret;

const FIRST: &str = include_str!("../upstream/first.pem");
const SECOND: &str = include_str!("../upstream/second.pem");
const SHORT: &str = include_str!("../upstream/short.pem");
const VALUES: &str = include_str!("../upstream/values.txt");
const HERE: (&str, &str) = ("openfaas-fn", "alice-db");

struct Vector {
    key: &'static str,
    label: &'static str,
    value: Vec<u8>,
    sealed: &'static str,
}

fn vectors() -> impl Iterator<Item = Vector> {
    VALUES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [key, label, value, sealed] = fields[..] else { panic!("{line}") };
        let or_empty = |text| if text == "-" { "" } else { text };
        Vector { key, label: or_empty(label), value: hex::decode(or_empty(value)).unwrap(), sealed }
    })
}

fn both() -> Keyring {
    Keyring::from_pem(&format!("{FIRST}{SECOND}")).unwrap()
}

fn labelled(label: &str) -> &'static str {
    vectors().find(|vector| vector.key == "first" && vector.label == label).unwrap().sealed
}

fn refused(sealed: &str) -> OpenError {
    both().open(HERE.0, HERE.1, sealed).unwrap_err()
}

#[test]
fn upstreams_values_open_with_whichever_key_fits() {
    let keys = both();
    let opened = vectors().filter(|vector| vector.label == "openfaas-fn/alice-db").map(|vector| {
        let opened = keys.open(HERE.0, HERE.1, vector.sealed).unwrap();
        assert_eq!(opened.value.expose_secret(), vector.value, "{}", vector.key);
        let own = if vector.key == "first" { FIRST } else { SECOND };
        assert_eq!(opened.fingerprint, Certificate::from_pem(own).unwrap().fingerprint());
    });
    assert_eq!(opened.count(), 4);
}

#[test]
fn wider_scopes_are_named_and_never_opened() {
    assert_eq!(refused(labelled("openfaas-fn")), OpenError::WiderScope(Scope::Namespace));
    assert_eq!(refused(labelled("")), OpenError::WiderScope(Scope::Cluster));
}

#[test]
fn another_name_or_namespace_is_told_where_it_is_guessed() {
    let error = refused(labelled("openfaas-fn/bob-db"));
    insta::assert_snapshot!(error, @"no key of this stage opens it as openfaas-fn/alice-db: it was sealed for another stage, or for another name or namespace; seal it again with this stage's certificate and exactly this name");
    let guesses = [("openfaas-fn", "db"), ("", ""), ("openfaas-fn", "bob-db")];
    let better = both().explain(error.clone(), labelled("openfaas-fn/bob-db"), guesses);
    insta::assert_snapshot!(better, @"it was sealed for openfaas-fn/bob-db and stands under openfaas-fn/alice-db: seal it again with the name that it is to have");
    assert_eq!(both().explain(error.clone(), labelled("other/alice-db"), guesses), error);
    let damaged = OpenError::Damaged(Damage::Base64);
    assert_eq!(both().explain(damaged.clone(), labelled("openfaas-fn/bob-db"), guesses), damaged);
}

#[test]
fn another_stages_key_opens_nothing() {
    let other = Keyring::from_pem(SECOND).unwrap();
    for vector in vectors().filter(|vector| vector.key == "first") {
        assert!(matches!(other.open(HERE.0, HERE.1, vector.sealed), Err(OpenError::Elsewhere { .. })));
    }
}

#[test]
fn damage_is_told_apart() {
    let sealed = labelled("openfaas-fn/alice-db");
    let bytes = STANDARD.decode(sealed).unwrap();
    let damage = |bytes: &[u8]| refused(&STANDARD.encode(bytes));
    assert_eq!(damage(&bytes[..bytes.len() - 1]), OpenError::Damaged(Damage::Changed));
    let tag_cut = 2 + 512 + 15;
    assert_eq!(damage(&bytes[..tag_cut]), OpenError::Damaged(Damage::Truncated));
    assert_eq!(damage(&bytes[..1]), OpenError::Damaged(Damage::Truncated));
    assert_eq!(damage(&[]), OpenError::Damaged(Damage::Truncated));
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(damage(&flipped), OpenError::Damaged(Damage::Changed));
    flipped[100] ^= 1;
    assert!(matches!(damage(&flipped), OpenError::Elsewhere { .. }), "a broken RSA part looks like another key's");
    assert_eq!(refused("correct horse battery staple"), OpenError::Damaged(Damage::Base64));
    assert_eq!(refused(&sealed[..sealed.len() - 1]), OpenError::Damaged(Damage::Base64));
    assert_eq!(refused(&"A".repeat(3 * MAX_VALUE_BYTES)), OpenError::Damaged(Damage::TooLong));
    insta::assert_snapshot!(OpenError::Damaged(Damage::Changed), @"it was changed after it was sealed: seal it again");
}

#[test]
fn line_breaks_in_a_sealed_value_do_not_matter() {
    let mut broken = labelled("openfaas-fn/alice-db").to_owned();
    broken.insert_str(76, "\r\n");
    broken.push('\n');
    assert!(both().open(HERE.0, HERE.1, &broken).is_ok());
}

#[test]
fn what_is_sealed_here_opens_here_and_only_there() {
    let keys = both();
    let certificate = Certificate::from_pem(SECOND).unwrap();
    let sealed = seal(&certificate, HERE.0, HERE.1, b"value").unwrap();
    assert_ne!(sealed, seal(&certificate, HERE.0, HERE.1, b"value").unwrap());
    assert_eq!(keys.open(HERE.0, HERE.1, &sealed).unwrap().value.expose_secret(), b"value");
    for (namespace, name) in
        [("openfaas-fn", "alice-d"), ("openfaas", "alice-db"), ("openfaas-fn/alice", "db"), ("", "")]
    {
        assert!(matches!(keys.open(namespace, name, &sealed), Err(OpenError::Elsewhere { .. })), "{namespace}/{name}");
    }
}

#[test]
fn nothing_is_sealed_for_no_name_nor_beyond_the_limit() {
    let certificate = Certificate::from_pem(SECOND).unwrap();
    for (namespace, name) in [("", "a"), ("a", ""), ("a/b", "c"), ("a", "b/c")] {
        assert_eq!(seal(&certificate, namespace, name, b"v"), Err(SealError::Name));
    }
    let long = vec![0; MAX_VALUE_BYTES + 1];
    assert_eq!(seal(&certificate, "a", "b", &long), Err(SealError::TooLong(MAX_VALUE_BYTES + 1)));
    let longest = seal(&certificate, "a", "b", &long[1..]).unwrap();
    let opened = Keyring::from_pem(SECOND).unwrap().open("a", "b", &longest).unwrap();
    assert_eq!(opened.value.expose_secret().len(), MAX_VALUE_BYTES);
}

#[test]
fn keys_that_are_too_short_are_refused() {
    assert_eq!(Certificate::from_pem(SHORT).unwrap_err(), CertificateError::KeySize(1024));
    assert!(Keyring::from_pem(SHORT).is_err());
}

#[test]
fn nothing_that_is_shown_has_a_value_or_a_key() {
    let keys = both();
    let opened = keys.open(HERE.0, HERE.1, labelled("openfaas-fn/alice-db")).unwrap();
    let shown = format!("{opened:?} {keys:?}");
    let key = FIRST.lines().nth(1).unwrap();
    assert!(!shown.contains("horse") && !shown.contains("104, 111, 114") && !shown.contains(key), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_sealed_comes_back(value in proptest::collection::vec(any::<u8>(), 0..2000), name in "[a-z][a-z0-9-]{0,20}") {
        let keys = Keyring::from_pem(SECOND).unwrap();
        let sealed = seal(keys.newest(), HERE.0, &name, &value).unwrap();
        let opened = keys.open(HERE.0, &name, &sealed).unwrap();
        prop_assert_eq!(opened.value.expose_secret(), &value[..]);
    }

    #[test]
    fn no_change_goes_unnoticed(at in 0_usize..300, bit in 0_u8..8) {
        let keys = Keyring::from_pem(SECOND).unwrap();
        let mut bytes = STANDARD.decode(seal(keys.newest(), HERE.0, HERE.1, b"a value of some length, 42 bytes of it....").unwrap()).unwrap();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 1 << bit;
        prop_assert!(keys.open(HERE.0, HERE.1, &STANDARD.encode(bytes)).is_err());
    }

    #[test]
    fn no_text_upsets_it(text in ".{0,200}") {
        let keys = Keyring::from_pem(SECOND).unwrap();
        prop_assert!(keys.open(HERE.0, HERE.1, &text).is_err());
    }
}
