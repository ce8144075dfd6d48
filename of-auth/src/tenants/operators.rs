//! Who runs this installation.

use std::collections::HashSet;

use sdk::{Invalid, Reader};

use super::bindings::Account;

/// The accounts of operators. They are numbers only: a login that is given up can be somebody else's tomorrow.
#[derive(Debug)]
pub(super) struct Operators(HashSet<Account>);

impl Operators {
    /// `operators`: `<host>/<number>` each, separated by commas. The host must be the provider's.
    pub(super) fn read(reader: &Reader<'_>, host: &str) -> Result<Self, Invalid> {
        let accounts = reader.list("operators").into_iter().map(|text| {
            account(&text, host).map_err(|reason| reader.invalid("operators", format!("'{text}' {reason}")))
        });
        accounts.collect::<Vec<_>>().into_iter().collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn contains(&self, account: &Account) -> bool {
        self.0.contains(account)
    }
}

fn account(text: &str, provider: &str) -> Result<Account, String> {
    let (host, number) =
        text.split_once('/').ok_or_else(|| format!("is not of the form <host>/<number>, such as {provider}/42"))?;
    if host != provider {
        return Err(format!("is at another host than the identity provider, which is {provider}"));
    }
    match number.parse::<u64>() {
        Ok(id) if id > 0 && number.bytes().all(|b| b.is_ascii_digit()) => Ok(Account { host: host.to_owned(), id }),
        _ => Err("does not end in an account's number. Logins are not accepted, because a login that is given up \
                  can be taken by anybody; GitHub tells the number at /users/<login> of its API, GitLab at \
                  /api/v4/users?username=<login>"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use sdk::Env;

    use super::*;

    fn read(value: &str) -> Result<Operators, String> {
        let env = Env::from_map([("operators", value)], [] as [(&str, &str); 0]);
        let reader = env.reader();
        let operators = Operators::read(&reader, "github.com");
        reader.finish().map_err(|error| error.to_string())?;
        Ok(operators.unwrap())
    }

    #[test]
    fn operators_are_numbers_at_the_providers_host() {
        let operators = read("github.com/42, github.com/7").unwrap();
        let at = |host: &str, id| operators.contains(&Account { host: host.into(), id });
        assert!(at("github.com", 42) && at("github.com", 7));
        assert!(!at("github.com", 43) && !at("gitlab.com", 42));
        assert!(!read("").unwrap().contains(&Account { host: "github.com".into(), id: 42 }));
    }

    #[test]
    fn a_login_is_refused_with_the_reason() {
        for wrong in ["github.com/alice", "github.com/0", "github.com/+1", "github.com/", "github.com/1/2"] {
            assert!(read(wrong).unwrap_err().contains("Logins are not accepted"), "{wrong}");
        }
        assert!(read("42").unwrap_err().contains("<host>/<number>"));
        assert!(read("gitlab.com/42").unwrap_err().contains("another host"));
    }
}
