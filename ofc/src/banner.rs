//! The first thing that somebody sees of a running platform.

use std::path::Path;
use std::time::Duration;

use sdk::id::Owner;
use secrecy::ExposeSecret;

use crate::data_dir::DataDir;
use crate::instance::Record;
use crate::login_link;
use crate::terminal::{FAINT, STRONG, duration};

/// What is where, and what to type next.
///
/// # Errors
/// When the key of login links cannot be read.
pub fn render(record: &Record, data: &DataDir, owner: &Owner, took: Duration) -> anyhow::Result<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = data.root().strip_prefix(&here).unwrap_or(data.root());
    if let Some(host) = record.foreign_host() {
        return Ok(text_of_foreign(record, shown, &host.url, &duration(took)));
    }
    let link = login_link::make(data, record, owner)?;
    Ok(text(record, shown, owner, link.expose_secret(), &duration(took)))
}

fn text(record: &Record, data: &Path, owner: &Owner, link: &str, took: &str) -> String {
    let data = data.display();
    format!(
        "
{STRONG}OpenFaaS Cloud is up{STRONG:#} {FAINT}({took}){FAINT:#}

  Functions  {functions}/<function>
  Git        {git}/<owner>/<repository>.git
  Gateway    {gateway}   {FAINT}user admin; `ofc password` shows how to log in{FAINT:#}
  Log        {data}/ofc.log

Sign in as {owner}, once and within 15 minutes {FAINT}(`ofc login-link` makes another link){FAINT:#}:

    {STRONG}{link}{STRONG:#}

Next, in a git repository with a stack.yml:

    {STRONG}ofc link {owner}/<repository>{STRONG:#}
    {STRONG}git push ofc main{STRONG:#}

",
        functions = record.url("<owner>"),
        git = record.git_url(),
        gateway = record.gateway_url(),
    )
}

/// The same where repositories are elsewhere.
fn text_of_foreign(record: &Record, data: &Path, host: &str, took: &str) -> String {
    format!(
        "
{STRONG}OpenFaaS Cloud is up{STRONG:#} {FAINT}({took}){FAINT:#}

  Functions  {functions}/<function>
  Git        {host}
  Sign-in    {auth}/
  Gateway    {gateway}   {FAINT}user admin; `ofc password` shows how to log in{FAINT:#}
  Log        {data}/ofc.log

Webhooks are awaited at {STRONG}{system}{STRONG:#}

",
        functions = record.url("<owner>"),
        host = host.trim_end_matches('/'),
        auth = record.auth_url(),
        gateway = record.gateway_url(),
        data = data.display(),
        system = record.url("system"),
    )
}

/// An owner to name in examples: the user's own name, if it may be one.
pub fn example_owner(user: Option<&str>) -> Owner {
    let usable = |owner: &Owner| !sdk::reserved::is_login(owner);
    #[expect(clippy::unwrap_used, reason = "the text is a constant")]
    let alice = || "alice".parse().unwrap();
    user.and_then(|user| user.parse().ok()).filter(usable).unwrap_or_else(alice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_where_and_what_to_do() {
        let record = Record::sample();
        let link = "http://git.localhost:8000/login/link/alice.1.2.3";
        let text = text(&record, Path::new(".ofc"), &example_owner(Some("Alice")), link, "340 ms");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text), @r"

        OpenFaaS Cloud is up (340 ms)

          Functions  http://<owner>.localhost:8000/<function>
          Git        http://git.localhost:8000/<owner>/<repository>.git
          Gateway    http://127.0.0.1:8080   user admin; `ofc password` shows how to log in
          Log        .ofc/ofc.log

        Sign in as alice, once and within 15 minutes (`ofc login-link` makes another link):

            http://git.localhost:8000/login/link/alice.1.2.3

        Next, in a git repository with a stack.yml:

            ofc link alice/<repository>
            git push ofc main

        ");
    }

    #[test]
    fn where_repositories_are_elsewhere_it_says_where() {
        let text = text_of_foreign(&Record::sample(), Path::new(".ofc"), "https://github.com/", "340 ms");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text), @r#"

        OpenFaaS Cloud is up (340 ms)

          Functions  http://<owner>.localhost:8000/<function>
          Git        https://github.com
          Sign-in    http://auth.system.localhost:8000/
          Gateway    http://127.0.0.1:8080   user admin; `ofc password` shows how to log in
          Log        .ofc/ofc.log

        Webhooks are awaited at http://system.localhost:8000
        "#);
    }

    #[test]
    fn names_of_the_platform_are_no_example() {
        assert_eq!(example_owner(Some("git")).as_str(), "alice");
        assert_eq!(example_owner(Some("_apt")).as_str(), "alice");
        assert_eq!(example_owner(None).as_str(), "alice");
        assert_eq!(example_owner(Some("bob")).as_str(), "bob");
    }
}
