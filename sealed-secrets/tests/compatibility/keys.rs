//! Keys: made here, read from files, told apart.

use std::fs;

use chrono::{DateTime, Duration, Utc};
use sealed_secrets::{Certificate, CertificateError, KeyError, KeyPair, Keyring, KeyringError, seal};
use secrecy::ExposeSecret;

use super::{FIRST, SECOND};

fn day(text: &str) -> DateTime<Utc> {
    format!("{text}T00:00:00Z").parse().unwrap()
}

/// The part of a PEM text with the key, and the one with the certificate.
fn halves(pem: &str) -> (&str, &str) {
    pem.split_at(pem.find("-----BEGIN CERTIFICATE").unwrap())
}

/// A certificate for the second key that is good from then on for a year.
fn signed(from: &str) -> String {
    let key = KeyPair::from_pem(SECOND).unwrap().to_pem();
    let key = rcgen::KeyPair::from_pem_and_sign_algo(halves(key.expose_secret()).0, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::default();
    let from = day(from);
    params.not_before = std::time::SystemTime::from(from).into();
    params.not_after = std::time::SystemTime::from(from + Duration::days(365)).into();
    params.self_signed(&key).unwrap().pem()
}

#[test]
fn a_new_key_has_4096_bits_and_ten_years_and_comes_back_from_its_file() {
    let now = day("2026-11-30");
    let made = KeyPair::generate(now, KeyPair::usual_end(now) - now).unwrap();
    let certificate = made.certificate();
    assert_eq!((certificate.not_before(), certificate.not_after()), (now, day("2036-11-27")));
    let pem = made.to_pem();
    let lines: Vec<&str> = pem.expose_secret().lines().filter(|line| line.starts_with("-----BEGIN")).collect();
    assert_eq!(lines, ["-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----"]);
    let ring = Keyring::from_pem(pem.expose_secret()).unwrap();
    assert_eq!(ring.newest(), certificate);
    let sealed = seal(&Certificate::from_pem(&certificate.to_pem()).unwrap(), "fn", "alice-db", b"v").unwrap();
    // Two bytes with the length of the RSA part: 512. The third character has two bits of what follows in it.
    assert!(sealed.starts_with("Ag") && sealed[2..].starts_with(['A', 'B', 'C', 'D']), "{sealed}");
    assert_eq!(ring.open("fn", "alice-db", &sealed).unwrap().value.expose_secret(), b"v");
    assert!(!format!("{made:?}").contains(pem.expose_secret().lines().nth(1).unwrap()));
}

#[test]
fn the_newest_certificate_seals_and_every_key_opens() {
    let (key, _) = halves(SECOND);
    let older = format!("{key}{}", signed("2020-01-01"));
    let newer = format!("{key}{}", signed("2030-01-01"));
    let ring = Keyring::from_pem(&format!("{older}{FIRST}{}", signed("2030-01-01"))).unwrap();
    assert_eq!(ring.certificates().len(), 2);
    assert_eq!(ring.newest(), &Certificate::from_pem(FIRST).unwrap());
    let ring = Keyring::from_pem(&format!("{FIRST}{newer}")).unwrap();
    assert_eq!(ring.newest().not_before(), day("2030-01-01"));
}

#[test]
fn a_folder_is_read_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(matches!(Keyring::from_dir(&at("none")), Err(KeyringError::Unreadable(..))));
    fs::write(at("README"), "not a key").unwrap();
    assert!(matches!(Keyring::from_dir(folder.path()), Err(KeyringError::Empty)));
    fs::write(at("1.pem"), FIRST).unwrap();
    fs::write(at("2.pem"), SECOND).unwrap();
    fs::write(at("copy.pem"), SECOND).unwrap();
    assert_eq!(Keyring::from_dir(folder.path()).unwrap().certificates().len(), 2);
    fs::write(at("3.pem"), &FIRST[..1000]).unwrap();
    let error = Keyring::from_dir(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("3.pem is no sealing key"), "{error}");
    fs::write(at("3.pem"), "x".repeat(70_000)).unwrap();
    assert!(matches!(Keyring::from_dir(folder.path()), Err(KeyringError::Unreadable(..))));
    fs::write(at("3.pem"), format!("{FIRST}{SECOND}")).unwrap();
    assert!(matches!(Keyring::from_dir(folder.path()), Err(KeyringError::File(_, KeyError::Mismatch))));
}

#[test]
fn a_key_needs_its_own_certificate() {
    let ((first, certificate), (second, other)) = (halves(FIRST), halves(SECOND));
    let refused = |text: &str| KeyPair::from_pem(text).unwrap_err();
    assert!(matches!(refused(first), KeyError::Certificate(CertificateError::Missing)));
    assert!(matches!(refused(certificate), KeyError::MissingKey));
    assert!(matches!(refused(""), KeyError::MissingKey));
    assert!(matches!(refused(&format!("{first}{other}")), KeyError::Mismatch));
    assert!(matches!(refused(&first.replace("-----END RSA", "-----END")), KeyError::Damaged));
    assert!(matches!(refused(&FIRST.replace("RSA PRIVATE", "ENCRYPTED PRIVATE")), KeyError::MissingKey));
    assert!(matches!(refused(&FIRST.replace("RSA PRIVATE", "PRIVATE")), KeyError::BadKey));
    assert!(KeyPair::from_pem(&format!("{certificate}\nsome words\n{second}{first}")).is_err(), "two keys");
    assert!(KeyPair::from_pem(&format!("{certificate}\nsome words\n{first}")).is_ok());
}

#[test]
fn a_certificate_is_read_and_has_its_time() {
    let certificate = Certificate::from_pem(halves(FIRST).1).unwrap();
    assert_eq!(certificate.fingerprint().len(), 64);
    assert_eq!(Certificate::from_pem(&certificate.to_pem()).unwrap(), certificate);
    assert_eq!(certificate.to_pem().trim(), halves(FIRST).1.trim());
    assert_eq!(certificate.check_valid(day("2030-01-01")), Ok(()));
    let late = certificate.check_valid(day("2040-01-01")).unwrap_err();
    assert_eq!(late, CertificateError::Expired(certificate.not_after()));
    let early = certificate.check_valid(day("2020-01-01")).unwrap_err();
    assert_eq!(early, CertificateError::NotYet(certificate.not_before()));
}

#[test]
fn what_is_no_certificate_for_sealing_is_refused() {
    let refused = |text: &str| Certificate::from_pem(text).unwrap_err();
    assert_eq!(refused("hello"), CertificateError::Missing);
    assert_eq!(refused(halves(FIRST).0), CertificateError::Missing);
    assert_eq!(refused(&"x".repeat(70_000)), CertificateError::TooLong);
    let cut = halves(SECOND).1.replacen("MII", "", 1);
    assert_eq!(refused(&cut), CertificateError::Damaged);
    assert_eq!(refused(&halves(SECOND).1[..200]), CertificateError::Damaged);
    let elliptic = rcgen::KeyPair::generate().unwrap();
    let elliptic = rcgen::CertificateParams::default().self_signed(&elliptic).unwrap().pem();
    assert_eq!(refused(&elliptic), CertificateError::NotRsa);
}
