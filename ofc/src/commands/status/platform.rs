//! `ofc status` about the platform itself.

use serde::Serialize;

use crate::commands;
use crate::instance::{self, Record, State};
use crate::locate::Which;
use crate::report::Trouble;
use crate::terminal::print;

#[derive(Debug, Serialize)]
struct Report {
    running: bool,
    data: String,
    #[serde(flatten)]
    record: Option<Record>,
    functions: Option<usize>,
}

pub(super) fn run(which: &Which, json: bool) -> anyhow::Result<()> {
    let data = which.data()?;
    let record = match instance::state(&data)? {
        State::Running(record) => Some(*record),
        State::Between { .. } | State::Stopped => None,
    };
    let functions = match &record {
        Some(record) => {
            let gateway = commands::gateway(&data, record)?;
            commands::block_on(async { Ok(gateway.list().await?) }).ok().map(|functions| functions.len())
        }
        None => None,
    };
    let report = Report { running: record.is_some(), data: data.root().display().to_string(), record, functions };
    if json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        print(&render(&report))?;
    }
    if report.running { Ok(()) } else { Err(Trouble::new("the platform does not run").hint("ofc up").into()) }
}

fn render(report: &Report) -> String {
    let Some(record) = &report.record else {
        return format!("data       {}\n", report.data);
    };
    let functions =
        report.functions.map_or_else(|| "the gateway does not answer".to_owned(), |count| count.to_string());
    format!(
        "process    {} (ofc {})\ndata       {}\nfunctions  {functions}, the platform's own included\nrouter     {}/<function>\ngit        {}/<owner>/<repository>.git\nsign-in    {}/\ngateway    {}\n",
        record.pid,
        record.version,
        report.data,
        record.url("<owner>"),
        record.git_url(),
        record.auth_url(),
        record.gateway_url(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_things_are() {
        let record = Record::sample();
        let report = Report { running: true, data: "/srv/.ofc".into(), record: Some(record), functions: Some(13) };
        insta::assert_snapshot!(render(&report), @r"
        process    42 (ofc 0.1.0)
        data       /srv/.ofc
        functions  13, the platform's own included
        router     http://<owner>.localhost:8000/<function>
        git        http://git.localhost:8000/<owner>/<repository>.git
        sign-in    http://auth.system.localhost:8000/
        gateway    http://127.0.0.1:8080
        ");
    }
}
