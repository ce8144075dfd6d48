//! `ofc seal verify`.

use clap::Args;
use sdk::sealing::VerifiedSecret;

use super::{SealedFile, plain};
use crate::locate;
use crate::report::Exit;
use crate::seal::file;
use crate::seal::stage::Stage;
use crate::terminal::{self, print};

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    sealed: SealedFile,
    /// The stage's address [default: the platform that runs here]
    #[arg(long, value_name = "URL")]
    stage: Option<String>,
    #[command(flatten)]
    which: locate::Which,
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (_, documents) = file::documents(&self.sealed.file)?;
        let stage = Stage::find(self.stage.as_deref(), &self.which)?;
        let told = super::super::block_on(stage.verify(&documents))?;
        print(&render(&told, &stage.name))?;
        if told.iter().all(|secret| secret.opens) { Ok(()) } else { Err(Exit(1).into()) }
    }
}

fn render(told: &[VerifiedSecret], stage: &str) -> String {
    if told.is_empty() {
        return "There is no secret in the file.\n".to_owned();
    }
    let mut rows = vec![["SECRET", "KEYS", "AT THE STAGE"].map(str::to_owned).to_vec()];
    rows.extend(told.iter().map(|secret| vec![plain(&secret.name), secret.keys.len().to_string(), state(secret)]));
    let mut text = terminal::table(&rows);
    let old = told.iter().any(|secret| secret.keys.values().any(|key| !key.newest));
    let bad = told.iter().filter(|secret| !secret.opens).count();
    if bad > 0 {
        text.push_str(&format!("{stage} does not open {bad} of {}.\n", told.len()));
    } else if old {
        text.push_str(&format!("{stage} opens all. `ofc seal rotate` seals them to its newest certificate.\n"));
    } else {
        text.push_str(&format!("{stage} opens all.\n"));
    }
    text
}

fn state(secret: &VerifiedSecret) -> String {
    if !secret.opens {
        return plain(&secret.problem);
    }
    let old: Vec<String> = secret.keys.iter().filter(|(_, key)| !key.newest).map(|(key, _)| plain(key)).collect();
    if old.is_empty() {
        "opens".to_owned()
    } else {
        format!("opens; sealed to an older certificate: {}", old.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use sdk::sealing::SealedTo;

    use super::*;

    fn secret(name: &str, problem: &str, keys: &[(&str, bool)]) -> VerifiedSecret {
        let key = |(key, newest): &(&str, bool)| {
            ((*key).to_owned(), SealedTo { fingerprint: "ab12".to_owned(), newest: *newest })
        };
        let keys = keys.iter().map(key).collect();
        VerifiedSecret { name: name.to_owned(), opens: problem.is_empty(), problem: problem.to_owned(), keys }
    }

    #[test]
    fn it_says_what_opens_and_what_is_old_and_what_is_wrong() {
        let good = secret("alice-db", "", &[("password", true), ("url", true)]);
        let old = secret("alice-mail", "", &[("token", false)]);
        let bad = secret("alice-x", "alice-x: it was sealed for another stage\u{1b}", &[]);
        insta::assert_snapshot!(render(&[good.clone(), old.clone(), bad], "https://system.example.com"), @r"
        SECRET      KEYS  AT THE STAGE
        alice-db    2     opens
        alice-mail  1     opens; sealed to an older certificate: token
        alice-x     0     alice-x: it was sealed for another stage
        https://system.example.com does not open 1 of 3.
        ");
        assert!(
            render(&[good.clone(), old], "s")
                .ends_with("s opens all. `ofc seal rotate` seals them to its newest certificate.\n")
        );
        assert!(render(&[good], "s").ends_with("s opens all.\n"));
        assert_eq!(render(&[], "s"), "There is no secret in the file.\n");
    }
}
