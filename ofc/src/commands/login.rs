//! `ofc login`.

use clap::Args;
use sdk::Env;

use crate::account::{self, Credential, Credentials};
use crate::locate::Which;
use crate::terminal::{STRONG, Step, print};

const EXAMPLES: &str = "\
Examples:
  ofc login                                  At the platform that runs here
  ofc login --url https://example.com        At another one
  ofc login --scopes invoke                  A token that may only call functions";

/// Sign in at a platform, in a browser, and keep an API token for it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Login {
    /// The platform's address [default: the one that runs here]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What the token may be used for
    #[arg(long, value_delimiter = ',', default_value = "invoke,read,write")]
    scopes: Vec<session::protocol::Scope>,
    #[command(flatten)]
    which: Which,
}

impl Login {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // Before anybody has to confirm something: can the token be kept?
        let mut kept = Credentials::open(&Env::from_process())?;
        let service = account::service(self.url.as_deref(), &self.which)?;
        let scopes: Vec<String> = self.scopes.iter().map(word).collect();
        let text = super::block_on(async {
            let mut step = None;
            let show = |address: &str, code: &str| {
                print(&format!(
                    "To sign in, open\n\n    {STRONG}{address}{STRONG:#}\n\nand confirm the code {STRONG}{code}{STRONG:#}\n\n"
                ))?;
                step = Some(Step::begin("Waiting for the browser"));
                Ok(())
            };
            let token = account::sign_in(&service, &name(), &scopes, show, tokio::time::sleep).await?;
            drop(step);
            let credential = Credential { token };
            let me = service.me(&credential).await?;
            if let Some(before) = kept.keep(&service.origin(), credential)? {
                // It is of no use to anybody any more; that it is gone is not worth failing for.
                let _ = service.revoke(&before).await;
            }
            let login = me.map(|me| me.who.login.to_string()).unwrap_or_default();
            let path = kept.path().display();
            Ok(format!(
                "You are signed in as {STRONG}{login}{STRONG:#} at {}. The token is in {path}; `ofc logout` revokes it.\n",
                service.origin()
            ))
        })?;
        Ok(print(&text)?)
    }
}

fn word(scope: &session::protocol::Scope) -> String {
    use session::protocol::Scope;
    match scope {
        Scope::Invoke => "invoke",
        Scope::Read => "read",
        Scope::Write => "write",
    }
    .to_owned()
}

/// What the token is called where its owner sees all of them.
fn name() -> String {
    let system = rustix::system::uname();
    let host: String = system.nodename().to_string_lossy().chars().filter(|c| !c.is_control()).take(40).collect();
    format!("ofc on {host}")
}
