//! What the operator may write, and what is said of the rest.

use github_app::fake_github::app_key;
use github_app::{App, Client};
use sdk::Env;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn env(vars: &[(&str, &str)], secrets: &[(&str, &str)]) -> Env {
    Env::from_map(vars.iter().copied(), secrets.iter().copied())
}

fn base(vars: &[(&str, &str)]) -> Result<String, String> {
    let env = env(vars, &[("github-token", "t")]);
    let reader = env.reader();
    match Client::read(&reader) {
        Ok(client) => Ok(client.map(|client| client.api().base().to_string()).unwrap_or_default()),
        Err(_) => Err(reader.finish().map_or_else(|error| error.problems()[0].name.clone(), |()| String::new())),
    }
}

#[test]
fn the_api_is_where_the_site_is() {
    let fine = [
        (vec![], "https://api.github.com/"),
        (vec![("github_url", "https://github.com")], "https://api.github.com/"),
        (vec![("github_url", "https://github.example.com/")], "https://github.example.com/api/v3"),
        (vec![("github_url", "https://a.com"), ("github_api_url", "http://b.com:81/x/")], "http://b.com:81/x/"),
    ];
    for (vars, expected) in fine {
        assert_eq!(base(&vars).as_deref(), Ok(expected));
    }
    for bad in ["ftp://x", "https://user:pass@x/", "https://x/?token=1", "mailto:x", "nonsense"] {
        assert_eq!(base(&[("github_api_url", bad)]), Err("github_api_url".to_owned()), "{bad}");
    }
    assert_eq!(base(&[("github_url", "nonsense")]), Err("github_url".to_owned()));
}

#[test]
fn an_app_is_an_id_and_a_key_or_nothing() {
    let pem = app_key().pkcs1();
    let named = |vars: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let env = env(vars, secrets);
        let reader = env.reader();
        let found = App::read(&reader).map(|app| app.is_some());
        found.map_err(|_| reader.finish().map_or_else(|error| error.problems()[0].name.clone(), |()| String::new()))
    };
    assert_eq!(named(&[], &[]), Ok(false));
    assert_eq!(named(&[("github_app_id", "12")], &[("private-key", &pem)]), Ok(true));
    assert_eq!(named(&[("github_app_id", "Iv23abc.x")], &[("private-key", &pem)]), Ok(true));
    let elsewhere = [("github_app_id", "12"), ("private_key_filename", "app.pem")];
    assert_eq!(named(&elsewhere, &[("app.pem", &pem)]), Ok(true));
    let bad: [(Pairs<'_>, Pairs<'_>, &str); 5] = [
        (&[("github_app_id", "12")], &[], "private-key"),
        (&elsewhere, &[("private-key", &pem)], "app.pem"),
        (&[], &[("private-key", &pem)], "github_app_id"),
        (&[("github_app_id", "../12")], &[("private-key", &pem)], "github_app_id"),
        (&[("github_app_id", "12")], &[("private-key", "no key")], "private-key"),
    ];
    for (vars, secrets, name) in bad {
        assert_eq!(named(vars, secrets), Err(name.to_owned()));
    }
}
