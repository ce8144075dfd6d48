//! `ofc.yml`: all that an operator decides about one installation, in one file. `docs/init.md` describes it.
//!
//! No secret is in it. Secrets are files of their own, which `ofc init` makes.

mod address;
mod app_record;
mod edge;
mod images;
mod render;
mod section;
mod sign_in;
mod source;
mod tenants;
pub(crate) mod tree;

use std::fmt;
use std::path::{Path, PathBuf};

use of_router::Domain;
use url::Url;

pub(crate) use address::parse_address;
pub(crate) use app_record::{AppRecord, FILE as APP_RECORD};
pub(crate) use edge::{Acme, Listen, Tls};
pub(crate) use images::{Registry, Store};
pub(crate) use render::{quoted, render};
pub(crate) use section::{Problems, Section};
pub(crate) use sign_in::SignIn;
pub(crate) use source::{AppSettings, GITHUB, Github, Gitlab, Source};
pub(crate) use tenants::Tenants;

use crate::report::Trouble;

/// Its name unless the user says otherwise.
pub(crate) const NAME: &str = "ofc.yml";
/// A key for sealing secrets is used so long, in days.
pub(crate) const SEALING_KEY_DAYS: u64 = 30;
const MAX_BRANCH: usize = 250;

/// What a user may bound, the variable that does, and the largest value.
const LIMITS: &[(&str, &str, u64)] = &[
    ("memory_mb", "function_memory_limit_mb", 1 << 20),
    ("memory_mb_max", "function_memory_limit_mb_max", 1 << 20),
    ("cpu_milli", "function_cpu_limit_milli", 1 << 20),
    ("cpu_milli_max", "function_cpu_limit_milli_max", 1 << 20),
    ("replicas_max", "scaling_max_limit", 1000),
    ("functions", "max_functions", 1000),
    ("builds", "build_parallelism", 64),
];

/// What an installation runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// `ofc up` by hand.
    Up,
    /// `ofc up` as a service of systemd's.
    Systemd,
    /// Containers in a cluster.
    Kubernetes,
}

impl Target {
    pub(crate) const WORDS: &[(&str, Self)] =
        &[("up", Self::Up), ("systemd", Self::Systemd), ("kubernetes", Self::Kubernetes)];

    /// Where everything is kept, unless the file says otherwise.
    pub(crate) fn usual_data(self) -> PathBuf {
        PathBuf::from(match self {
            Self::Up => crate::data_dir::DEFAULT,
            Self::Systemd => "/var/lib/ofc",
            Self::Kubernetes => "ofc-kubernetes",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS.iter().find(|(_, target)| target == self).map_or("", |(word, _)| word))
    }
}

/// The file, checked. Paths are as they are written; [`ConfigFile::at`] says what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    /// The file's own folder, from which paths are counted.
    pub(crate) folder: PathBuf,
    /// `domain`: functions are served below it.
    pub(crate) domain: Domain,
    /// `build_branch`: the branch that is deployed; each repository's default branch where unset.
    pub(crate) build_branch: Option<String>,
    /// `target`.
    pub(crate) target: Target,
    /// `data`: where the platform keeps everything; in a cluster, where `ofc init` keeps secrets and manifests.
    pub(crate) data: PathBuf,
    /// `listen`.
    pub(crate) listen: Listen,
    /// `source`: where repositories are.
    pub(crate) source: Source,
    /// `tenants`: who may deploy.
    pub(crate) tenants: Tenants,
    /// `operators`: `<host>/<number>` of who runs the installation.
    pub(crate) operators: Vec<String>,
    /// `sign_in`: who people are known by.
    pub(crate) sign_in: SignIn,
    /// `tls`.
    pub(crate) tls: Tls,
    /// `registry`: where images go; on one machine they may stay in its engine.
    pub(crate) registry: Option<Registry>,
    /// `store`: where build logs and sealed secrets are kept.
    pub(crate) store: Store,
    /// `limits`, by the variable's name.
    pub(crate) limits: Vec<(&'static str, u64)>,
    /// `scale_to_zero`: functions may ask for it.
    pub(crate) scale_to_zero: bool,
    /// `templates`: git URLs of templates beside those that come with the platform.
    pub(crate) templates: Vec<String>,
    /// `dockerfiles`: repositories may bring Dockerfiles of their own.
    pub(crate) dockerfiles: bool,
    /// `prometheus`: who is asked how functions do; the gateway's own history where unset.
    pub(crate) prometheus: Option<Url>,
    /// `sealing_key_days`: how long a key for sealing secrets is used; 0 for ever.
    pub(crate) sealing_key_days: u64,
}

/// Why a text is no configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) Vec<String>);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or something in it is wrong; all of it is told.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = read_bounded(path).map_err(|cause| {
            Trouble::new(format!("the configuration {shown} cannot be read"))
                .hint("make one with `ofc init`, or name it: --config FILE")
                .because(cause)
        })?;
        let whole = std::path::absolute(path)?;
        let folder = whole.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&text, folder).map_err(|unusable| {
            let lines: String = unusable.0.iter().map(|line| format!("\n  {line}")).collect();
            Trouble::new(format!("the configuration {shown} cannot be used:{lines}"))
                .hint("docs/init.md describes every key")
                .into()
        })
    }

    /// Reads a text.
    ///
    /// # Errors
    /// All that is wrong, in the order of the text.
    pub(crate) fn parse(text: &str, folder: PathBuf) -> Result<Self, Unusable> {
        let root = tree::read(text).map_err(|error| Unusable(vec![error.to_string()]))?;
        let problems = Problems::default();
        let read = Self::read(Section::root(&root, &problems), folder);
        let problems = problems.into_sorted();
        match read {
            Some(read) if problems.is_empty() => Ok(read),
            _ => Err(Unusable(problems.iter().map(ToString::to_string).collect())),
        }
    }

    fn read(root: Section<'_>, folder: PathBuf) -> Option<Self> {
        let domain = root.required::<Domain>("domain");
        let build_branch = branch(&root);
        let target = root.choice("target", Target::WORDS).unwrap_or(Target::Up);
        let data = root.text("data").map_or_else(|| target.usual_data(), PathBuf::from);
        let source = Source::read(&root, target);
        let tenants = Tenants::read(&root, source.as_ref());
        let operators = tenants::operators(&root);
        let sign_in = SignIn::read(&root, source.as_ref());
        let tls = Tls::read(&root, target);
        let listen = Listen::read(&root, tls.as_ref());
        let registry = Registry::read(&root, target);
        let store = Store::read(&root, target);
        let (limits, scale_to_zero) = limits(&root);
        let templates = templates(&root);
        let dockerfiles = root.flag("dockerfiles").unwrap_or(true);
        let prometheus = root.parsed("prometheus").filter(|url| images::is_service(&root, "prometheus", url));
        let sealing_key_days = root.number("sealing_key_days", 0, 3650).unwrap_or(SEALING_KEY_DAYS);
        root.finish();
        Some(Self {
            folder,
            domain: domain?,
            build_branch,
            target,
            data,
            listen: listen?,
            source: source?,
            tenants: tenants?,
            operators,
            sign_in: sign_in?,
            tls: tls?,
            registry: registry?,
            store: store?,
            limits,
            scale_to_zero,
            templates,
            dockerfiles,
            prometheus,
            sealing_key_days,
        })
    }

    /// What a path of the file means: relative ones are counted from the file's folder, `~/` from the user's.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        let home = sdk::Env::from_process().var("HOME").map(PathBuf::from);
        match (path.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.folder.join(path),
        }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.at(&self.data)
    }

    /// Where `ofc init` keeps secrets: with the data, or, for a service that gets them from systemd, beside this file.
    pub(crate) fn secrets(&self) -> PathBuf {
        match self.target {
            Target::Up | Target::Kubernetes => self.data().join("secrets"),
            Target::Systemd => self.folder.join("secrets"),
        }
    }

    /// `http` or `https`: what users type.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls == Tls::Off && self.target != Target::Kubernetes { "http" } else { "https" }
    }

    /// The public address of a host below the domain, without a path.
    pub(crate) fn public_url(&self, host: &str) -> String {
        let port = match (&self.tls, self.target) {
            (Tls::Off, Target::Up | Target::Systemd) => self.listen.http.port(),
            (Tls::Files { .. } | Tls::Acme(_), Target::Up | Target::Systemd) => self.listen.https.port(),
            _ => 443,
        };
        let scheme = self.scheme();
        match (scheme, port) {
            ("https", 443) | ("http", 80) => format!("{scheme}://{host}.{}", self.domain),
            _ => format!("{scheme}://{host}.{}:{port}", self.domain),
        }
    }
}

/// Reads a file of at most [`tree::MAX_BYTES`].
pub(crate) fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let limit = u64::try_from(tree::MAX_BYTES).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() > tree::MAX_BYTES {
        return Err(std::io::Error::other("it is larger than any configuration"));
    }
    Ok(text)
}

/// Whether a text may be a branch by git's rules, as far as they matter in a comparison.
pub(crate) fn is_branch(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\,".contains(c);
    !text.is_empty() && text.len() <= MAX_BRANCH && !text.chars().any(forbidden)
}

/// The branch that is deployed.
fn branch(root: &Section<'_>) -> Option<String> {
    let branch = root.text("build_branch")?;
    if !is_branch(&branch) {
        root.wrong("build_branch", "has to be the name of one branch, such as main");
        return None;
    }
    Some(branch)
}

fn limits(root: &Section<'_>) -> (Vec<(&'static str, u64)>, bool) {
    let section = root.section("limits");
    let read = |(key, variable, most): &(&'static str, &'static str, u64)| {
        section.number(key, 1, *most).map(|number| (*variable, number))
    };
    let limits = LIMITS.iter().filter_map(read).collect();
    let scale_to_zero = section.flag("scale_to_zero").unwrap_or(true);
    section.finish();
    (limits, scale_to_zero)
}

fn templates(root: &Section<'_>) -> Vec<String> {
    let all = root.list("templates").into_iter().map(|at| at.value);
    let (good, bad): (Vec<_>, Vec<_>) = all.partition(|text| {
        let url = parse_address(text.split('#').next().unwrap_or_default());
        url.is_ok() && !text.contains(',')
    });
    for text in bad {
        root.wrong("templates", format!("has '{text}': it has to be like https://host/path#ref"));
    }
    good
}

#[cfg(test)]
mod tests;
