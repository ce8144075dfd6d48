//! Day 0 of an installation: a configuration, its keys and secrets, the GitHub App, and what it is started from. Each step
//! leaves alone what is there, so it may be run again at any time.

pub(crate) mod answers;
pub(crate) mod app;
pub(crate) mod ask;
pub(crate) mod checks;
pub(crate) mod import;
pub(crate) mod keys;
mod output;
mod report;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config_file::{ConfigFile, Source, Target, Tenants, render};
use crate::platform::fetch_tenants;
use crate::report::Trouble;
use crate::secrets::Secrets;
use answers::Given;
use app::Way;
use ask::Ask;
use report::Report;

/// What the user decides.
#[derive(Debug)]
pub(crate) struct Options {
    /// The configuration, made if it is not there.
    pub(crate) path: PathBuf,
    /// Plan files of ofc-bootstrap to make it from.
    pub(crate) from: Vec<PathBuf>,
    /// What was given and is not asked.
    pub(crate) given: Given,
    /// Where units or manifests go.
    pub(crate) output: Option<PathBuf>,
    /// The local page's port.
    pub(crate) app_port: u16,
}

/// What was done, and what to do next.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) config: ConfigFile,
    /// For the person.
    pub(crate) text: String,
}

/// Does all of it.
///
/// # Errors
/// When something cannot be made; what was made before stays and is not made again.
pub(crate) async fn run(
    options: &Options,
    ask: &mut Ask<'_>,
    show: &mut (dyn FnMut(&str) -> anyhow::Result<()> + Send),
) -> anyhow::Result<Done> {
    let mut report = Report::default();
    let (config, imported) = configuration(options, ask, &mut report)?;
    take_over(&config, imported, &mut report)?;
    let secrets = keys::make(&config, &mut report)?;
    if config.target == Target::Up && keys::first_sealing_key(&config.data())? {
        report.changed(format!("made the first key for sealing secrets in {}/sealing-keys", config.data().display()));
    }
    let way = ask.is_person().then(|| Way::new(options.app_port, show));
    let app = match &config.source {
        Source::Github(github) if github.app.id.is_none() => {
            app::make(&config, github, &secrets, way, &mut report).await?
        }
        _ => None,
    };
    let tenants = list(&config, &mut report).await;
    let folder = options.output.clone().unwrap_or_else(|| match config.target {
        Target::Kubernetes => config.data(),
        Target::Up | Target::Systemd => config.folder.clone(),
    });
    let path = &options.path;
    let given = output::Given { config: &config, path, secrets: &secrets, app: app.as_ref(), tenants, folder: &folder };
    let next = output::write(&given, &mut report)?;
    let hook = webhook(&config);
    let text = format!("{}\n{hook}{next}", report.render());
    Ok(Done { config, text })
}

type Values = Vec<(&'static str, SecretString)>;

/// The configuration that is there, or a new one.
fn configuration(options: &Options, ask: &mut Ask<'_>, report: &mut Report) -> anyhow::Result<(ConfigFile, Values)> {
    let shown = options.path.display();
    if options.path.exists() {
        if !options.from.is_empty() || options.given.domain.is_some() {
            return Err(Trouble::usage(format!("{shown} is there already, and is not changed"))
                .hint("edit it, or write another: --config FILE")
                .into());
        }
        let config = ConfigFile::load(&options.path)?;
        if options.given.target.is_some_and(|target| target != config.target) {
            return Err(Trouble::usage(format!("{shown} has the target {}", config.target))
                .hint("change it there, or write another: --config FILE")
                .into());
        }
        return Ok((config, Values::new()));
    }
    let whole = std::path::absolute(&options.path)?;
    let folder = whole.parent().map(Path::to_owned).unwrap_or_default();
    let (config, secrets) = if options.from.is_empty() {
        (answers::configuration(ask, &options.given, folder.clone())?, Values::new())
    } else {
        let imported = import::import(&options.from, options.given.target, folder.clone())?;
        for (field, reason) in &imported.left_out {
            report.note(format!("not taken over: {field}: {reason}"));
        }
        (imported.config, imported.secrets)
    };
    let text = render(&config);
    // What was asked or imported keeps to the same rules as what is written by hand.
    let config = ConfigFile::parse(&text, folder).map_err(|unusable| {
        let lines: String = unusable.0.iter().map(|line| format!("\n  {line}")).collect();
        Trouble::new(format!("the answers do not make a configuration:{lines}\n{text}"))
            .hint(format!("write it to {shown}, mend it, and run `ofc init` again"))
    })?;
    report.put(&options.path, &text, 0o644)?;
    Ok((config, secrets))
}

/// Keeps imported secrets, unless there are others already.
fn take_over(config: &ConfigFile, values: Values, report: &mut Report) -> anyhow::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let folder = config.secrets();
    crate::data_dir::private_dir(&folder)?;
    let secrets = Secrets::existing(folder);
    for (name, value) in values {
        if secrets.keep(name, || Ok(value.expose_secret().to_owned()))? {
            report.changed(format!("took over {}", secrets.path(name).display()));
        }
    }
    Ok(())
}

/// The tenant list of a cluster, whose functions read it as a secret.
async fn list(config: &ConfigFile, report: &mut Report) -> Option<String> {
    match &config.tenants {
        Tenants::At(url) if config.target == Target::Kubernetes => match fetch_tenants(url).await {
            Ok(text) => Some(text),
            Err(error) => {
                let cause = sdk::failure::chain(&error);
                report.missing(format!("the secret customers: {cause}; run `ofc init` again when it can be had"));
                None
            }
        },
        tenants => tenants.text(),
    }
}

/// What only a person can do at the host.
fn webhook(config: &ConfigFile) -> String {
    let url = format!("{}{}", config.public_url("system"), config.source.webhook_path());
    let file = config.secrets().join(config.source.webhook_secret());
    match &config.source {
        Source::Github(github) if github.app.id.is_some() => {
            format!("The App's webhook at GitHub: {url}\n  with the secret in {}\n", file.display())
        }
        Source::Gitlab(_) => {
            format!("A webhook at GitLab (docs/gitlab.md, step 4): {url}\n  with the secret in {}\n", file.display())
        }
        Source::Github(_) | Source::Local => String::new(),
    }
}

#[cfg(test)]
mod tests;
