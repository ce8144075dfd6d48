//! What has to hold for every request, whoever made it. The fuzz target and the tests run it.

use super::*;

/// The platform's functions that can be reached at all their paths.
const PUBLIC: [&str; 3] = ["github-event", "gitlab-event", "system-dashboard"];

/// The host of all that is the platform's own.
const SYSTEM_HOST: &str = "system.example.com";

/// Decides on a request made of arbitrary bytes, the host before the first line break and the path behind it.
///
/// # Panics
/// When a decision means anything else to a server that decodes and cleans paths than to this one.
#[cfg_attr(not(feature = "fuzzing"), expect(unreachable_pub, reason = "the fuzz target is another crate"))]
pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (authority, path) = text.split_once('\n').unwrap_or((&text, "/"));
    let Ok(host) = domain::host_of(authority) else { return };
    let (ours, customs) = place();
    let decided = decide(&ours, &customs, &host, path);
    assert_eq!(decided, decide(&ours, &customs, &host, path), "{authority:?} {path:?}: two decisions");
    let upper = authority.to_ascii_uppercase();
    let again = domain::host_of(&upper).map(|host| decide(&ours, &customs, &host, path));
    assert_eq!(again, Ok(decided.clone()), "{authority:?} {path:?}: the case of a host means something");
    let Ok(route) = decided else { return };
    let seen = clean(&decode(&decode(path)));
    let says = format!("{authority:?} {path:?} is {route:?}");
    match route {
        Route::Function(target) => {
            let label = host.strip_suffix(".example.com");
            let owner = if target.at_home { label } else { Some("alice").filter(|_| host == "www.alice.com") };
            assert_eq!(owner, Some(target.owner.as_str()), "{says}");
            assert!(target.service.as_str().starts_with(&format!("{}-", target.owner)), "{says}");
            assert!(!sdk::reserved::is_function(&target.service), "{says}");
            is_within(&target.path, target.service.as_str(), &says);
            is_repeatable(&ours, &customs, &host, path, &target);
        }
        Route::Event { path } | Route::Dashboard { path } => {
            assert_eq!(host, SYSTEM_HOST, "{says}");
            let name = path.split('/').nth(2).unwrap_or_default();
            assert!(PUBLIC.contains(&name), "{says}");
            is_within(&path, name, &says);
        }
        Route::Badge { path: to } => {
            assert_eq!((host.as_str(), &to), (SYSTEM_HOST, &at_badges(path)), "{says}");
            let parts: Vec<_> = path.split('/').collect();
            assert!(matches!(parts.as_slice(), ["", "badge", _, _, file] if file.ends_with(".svg")), "{says}");
            // No byte of it means anything to anybody.
            let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'/' | b'.');
            assert!(path.bytes().all(is_plain) && path.matches('.').count() == 1, "{says}");
            is_within(&to, "system-dashboard", &says);
        }
        Route::Certificate { path: to } => {
            assert_eq!((host.as_str(), to.as_str()), (SYSTEM_HOST, "/function/import-secrets/v1/cert.pem"), "{says}");
            assert!(matches!(path, "/v1/cert.pem" | "/dashboard/api/pub-cert.pem"), "{says}");
            is_within(&to, SECRETS_FUNCTION, &says);
        }
        Route::Secrets { path: to, is_read } => {
            assert_eq!((host.as_str(), to.as_str()), (SYSTEM_HOST, &*at_import_secrets(path)), "{says}");
            let known = matches!((path, is_read), ("/v1/report", true) | ("/v1/verify" | "/v1/rotate", false));
            assert!(known, "{says}");
            is_within(&to, SECRETS_FUNCTION, &says);
        }
        Route::Auth => {
            let closed = ["/q/", "/internal/"].iter().any(|folder| seen.starts_with(folder));
            assert!(!closed, "{says}");
            assert!(host == "auth.system.example.com" || seen.starts_with("/.ofc/"), "{says}");
        }
        Route::Git => assert!(host == "git.example.com" && !seen.starts_with("/api/"), "{says}"),
        Route::About => assert_eq!(seen, "//", "{says}"),
        Route::Health => assert_eq!(seen, "/healthz/", "{says}"),
    }
}

/// What a worker remembers by the first part of a path is what would be decided on anew.
fn is_repeatable(ours: &Domain, customs: &Customs, host: &str, path: &str, target: &Target) {
    if !target.is_by_first_part() {
        return;
    }
    let (name, rest) = first_part(path);
    for rest in [rest, "", "/", "/x", "/.ofc/login", "/healthz"] {
        let path = format!("/{name}{rest}");
        let Ok(Route::Function(other)) = decide(ours, customs, host, &path) else {
            panic!("{host} {path} is no function")
        };
        let said = at_gateway(&target.service, rest);
        assert_eq!((&other.owner, &other.service, other.path), (&target.owner, &target.service, said), "{host} {path}");
    }
}

/// What is forwarded is what was decided on, also after another server has cleaned it up.
fn is_within(path: &str, function: &str, says: &str) {
    let folder = format!("/function/{function}/");
    assert!(format!("{path}/").starts_with(&folder), "{says}");
    assert!(clean(&decode(&decode(path))).starts_with(&folder), "{says}");
    let uri: http::Uri = path.parse().unwrap_or_else(|_| panic!("{says}, which is no target"));
    assert_eq!((uri.path(), uri.query(), uri.authority()), (path, None, None), "{says}");
}

fn place() -> (Domain, Customs) {
    let service = "alice-shop".parse().unwrap_or_else(|_| unreachable!());
    let owner = "alice".parse().unwrap_or_else(|_| unreachable!());
    let custom = crate::customs::Custom { owner, service, proven: None };
    let domain = "example.com".parse().unwrap_or_else(|_| unreachable!());
    (domain, [("www.alice.com".to_owned(), custom)].into())
}

/// Every encoded byte as it is.
pub(crate) fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut index = 0;
    while index < bytes.len() {
        let hex = path.get(index + 1..index + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[index], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                index += 3;
            }
            (byte, _) => {
                out.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Cuts parameters, takes backslashes for slashes and resolves dots: the most that any server does.
pub(crate) fn clean(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let path = path.replace('\\', "/");
    for part in path.split('/').map(|part| part.split(';').next().unwrap_or_default()) {
        match part {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    format!("/{}/", out.join("/"))
}

#[cfg(test)]
mod fuzz;
