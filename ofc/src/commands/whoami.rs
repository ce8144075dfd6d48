//! `ofc whoami`.

use clap::Args;
use sdk::identity::{Identity, Role};

use crate::account::{self, Me};
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::print;

/// Say who you are at a platform; exit code 1 if you are not signed in
#[derive(Debug, Args)]
pub struct Whoami {
    /// The platform's address [default: the one that runs here, else the only one that you are signed in at]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl Whoami {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (service, _, credential) = account::signed_in(self.url.as_deref(), &self.which)?;
        let me = super::block_on(service.me(&credential))?.ok_or_else(|| {
            Trouble::new(format!("your token for {} does not count any more", service.origin()))
                .hint("sign in again with `ofc login`")
        })?;
        Ok(print(&render(&me, &service.origin()))?)
    }
}

fn render(me: &Me, origin: &str) -> String {
    let Identity { login, organisations, operator, .. } = &me.who;
    let mut text = format!("login          {login} ({})\nplatform       {origin}\n", me.who.subject());
    for organisation in organisations {
        let role = match organisation.role {
            Role::Viewer => "viewer",
            Role::Member => "member",
            Role::Owner => "owner",
        };
        text.push_str(&format!("organisation   {} ({role})\n", organisation.login));
    }
    if *operator {
        text.push_str("operator       of this platform\n");
    }
    text.push_str(&format!("token for      {}\n", me.scopes.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_and_what() {
        let me: Me = serde_json::from_str(
            r#"{"host": "git.localhost", "id": 1, "login": "alice", "subject": "git.localhost/1", "operator": true,
                "organisations": [{"id": 7, "login": "acme", "role": "member"}], "scopes": ["invoke", "read"]}"#,
        )
        .unwrap();
        insta::assert_snapshot!(render(&me, "http://auth.system.localhost:8000"), @r"
        login          alice (git.localhost/1)
        platform       http://auth.system.localhost:8000
        organisation   acme (member)
        operator       of this platform
        token for      invoke, read
        ");
    }
}
