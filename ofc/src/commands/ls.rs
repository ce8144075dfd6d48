//! `ofc ls`.

use clap::Args;
use sdk::gateway::FunctionStatus;
use sdk::labels;

use crate::instance::Record;
use crate::locate::Which;
use crate::terminal;

const EXAMPLES: &str = "\
Examples:
  ofc ls
  ofc ls --all                   The platform's own functions too";

/// List the functions that are deployed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Ls {
    /// The platform's own functions too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
}

impl Ls {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (data, record) = self.which.running()?;
        let gateway = super::gateway(&data, &record)?;
        let mut functions = super::block_on(async { Ok(gateway.list().await?) })?;
        functions.retain(|function| self.all || !is_platforms(function));
        Ok(terminal::print(&render(&functions, &record))?)
    }
}

fn is_platforms(function: &FunctionStatus) -> bool {
    function.labels.get(labels::ROLE).is_some_and(|role| role == labels::SYSTEM_ROLE)
}

fn render(functions: &[FunctionStatus], record: &Record) -> String {
    if functions.is_empty() {
        return "Nothing is deployed. In a repository with a stack.yml: ofc link OWNER/REPOSITORY && git push ofc main\n".into();
    }
    let heading = ["FUNCTION", "STATE", "REPLICAS", "INVOCATIONS", "COMMIT", "URL"].map(str::to_owned).to_vec();
    let mut rows = vec![heading];
    rows.extend(functions.iter().map(|function| row(function, record)));
    terminal::table(&rows)
}

fn row(function: &FunctionStatus, record: &Record) -> Vec<String> {
    let state = match (function.replicas, function.available_replicas) {
        (0, _) => "stopped",
        (_, 0) => "not ready",
        _ => "live",
    };
    let (name, url) = place(function, record);
    let commit = function.labels.get(labels::GIT_SHA).and_then(|sha| sha.get(..7)).unwrap_or("-");
    let replicas = format!("{}/{}", function.available_replicas, function.replicas);
    vec![name, state.into(), replicas, function.invocation_count.to_string(), commit.into(), url]
}

/// A function's name as its owner knows it, and its address: a tenant's by its owner and its name in stack.yml, any other by
/// its name at the gateway.
pub(super) fn place(function: &FunctionStatus, record: &Record) -> (String, String) {
    match own(function) {
        Some((owner, name)) => (format!("{owner}/{name}"), format!("{}/{name}", record.url(owner))),
        None => (function.name.clone(), format!("{}/function/{}", record.gateway_url(), function.name)),
    }
}

/// The name alone.
pub(super) fn full_name(function: &FunctionStatus) -> String {
    own(function).map_or_else(|| function.name.clone(), |(owner, name)| format!("{owner}/{name}"))
}

fn own(function: &FunctionStatus) -> Option<(&str, &str)> {
    let owner = function.labels.get(labels::GIT_OWNER).filter(|_| function.labels.contains_key(labels::GIT_CLOUD))?;
    Some((owner, function.name.strip_prefix(owner.as_str())?.strip_prefix('-')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, replicas: u64, available: u64, labels: &[(&str, &str)]) -> FunctionStatus {
        FunctionStatus {
            name: name.into(),
            replicas,
            available_replicas: available,
            invocation_count: 12.0,
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            ..FunctionStatus::default()
        }
    }

    #[test]
    fn a_function_is_shown_as_its_owner_knows_it() {
        let record = Record::sample();
        let alice = [(labels::GIT_CLOUD, "1"), (labels::GIT_OWNER, "alice"), (labels::GIT_SHA, "0123456789abcdef")];
        let functions = [
            function("alice-hello", 1, 1, &alice),
            function("alice-slow", 1, 0, &alice),
            function("by-hand", 0, 0, &[]),
        ];
        insta::assert_snapshot!(render(&functions, &record), @r"
        FUNCTION     STATE      REPLICAS  INVOCATIONS  COMMIT   URL
        alice/hello  live       1/1       12           0123456  http://alice.localhost:8000/hello
        alice/slow   not ready  0/1       12           0123456  http://alice.localhost:8000/slow
        by-hand      stopped    0/0       12           -        http://127.0.0.1:8080/function/by-hand
        ");
        assert!(render(&[], &record).contains("git push"));
    }
}
