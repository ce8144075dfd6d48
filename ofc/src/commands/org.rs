//! `ofc org`.

use anyhow::Context;
use clap::{Args, Subcommand};
use of_git::{Memberships, Organisations, Role};

use crate::locate::Which;
use crate::terminal::{self, print};

const EXAMPLES: &str = "\
Examples:
  ofc org add acme alice --role admin
  ofc org add acme bob           Bob may call acme's functions that are for members
  ofc org remove acme bob
  ofc org ls";

/// Say who belongs to which organisation at the platform's git host
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Org {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make somebody a member, or change the role
    Add {
        #[command(flatten)]
        who: Who,
        #[arg(long, default_value = "member", help = "admin, member or billing_manager")]
        role: Role,
    },
    /// Make somebody a member no longer
    Remove {
        #[command(flatten)]
        who: Who,
    },
    /// List all members
    Ls {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
struct Who {
    /// The organisation's login
    organisation: String,
    /// The person's login
    login: String,
    #[command(flatten)]
    which: Which,
}

impl Org {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let text = match self.what {
            What::Add { who, role } => who.set(Some(role))?,
            What::Remove { who } => who.set(None)?,
            What::Ls { which } => render(&of(&which)?.read().context("the organisations cannot be read")?),
        };
        Ok(print(&text)?)
    }
}

fn of(which: &Which) -> anyhow::Result<Organisations> {
    Ok(Organisations::at(&which.data()?.git()))
}

impl Who {
    fn set(&self, role: Option<Role>) -> anyhow::Result<String> {
        const EXAMPLE: &str = "ofc org add acme alice";
        let organisation = super::tenant(&self.organisation, EXAMPLE)?;
        let login = super::tenant(&self.login, EXAMPLE)?;
        let set = of(&self.which)?.set(&organisation, &login, role);
        let changed = set.context("the organisations cannot be changed")?;
        let is = match role {
            Some(role) => format!("{role} of {organisation}"),
            None => format!("no member of {organisation}"),
        };
        let since = if changed { "from the next login on" } else { "as before" };
        Ok(format!("{login} is {is}, {since}\n"))
    }
}

fn render(all: &Memberships) -> String {
    if all.is_empty() {
        return "There are no organisations. Make one: ofc org add ORGANISATION LOGIN --role admin\n".to_owned();
    }
    let heading = ["ORGANISATION", "LOGIN", "ROLE"].map(str::to_owned).to_vec();
    let rows = all.iter().map(|((org, login), role)| vec![org.to_string(), login.to_string(), role.to_string()]);
    terminal::table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_listed_by_organisation() {
        let folder = tempfile::tempdir().unwrap();
        let organisations = Organisations::at(folder.path());
        assert!(render(&organisations.read().unwrap()).contains("ofc org add"));
        for (org, login, role) in [("beta", "alice", Role::Member), ("acme", "bob", Role::Admin)] {
            organisations.set(&org.parse().unwrap(), &login.parse().unwrap(), Some(role)).unwrap();
        }
        insta::assert_snapshot!(render(&organisations.read().unwrap()), @r"
        ORGANISATION  LOGIN  ROLE
        acme          bob    admin
        beta          alice  member
        ");
    }
}
