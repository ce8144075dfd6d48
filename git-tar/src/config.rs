//! What git-tar is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use sdk::call::Functions;
use sdk::gateway::Gateway;
use sdk::{ConfigError, Env, context, stack};
use url::Url;

use crate::git;
use crate::hosts::Hosts;
use crate::pretty_url::PrettyUrl;

const MIB: u64 = 1024 * 1024;

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `gateway_url` and the secret `payload-secret`: the other functions.
    pub(crate) functions: Functions,
    /// `gateway_url` and the secrets `basic-auth-user`, `basic-auth-password`: what is deployed.
    pub(crate) gateway: Gateway,
    /// `git_hosts` and `gitlab_instance`, and the credentials for them; see [`Hosts::read`].
    pub(crate) hosts: Hosts,
    /// `build_branch`: the branch whose sealed secrets hold; each repository's default branch where unset.
    pub(crate) build_branch: Option<String>,
    /// `gateway_pretty_url`: where functions can be called.
    pub(crate) pretty_url: PrettyUrl,
    /// `push_repository_url`: what comes before `<owner>/<repository>-<function>` in an image's name.
    pub(crate) registry: String,
    /// `template_directory`: the templates that come with the platform, one folder each.
    pub(crate) template_directory: Option<PathBuf>,
    /// `custom_templates`: git URLs, perhaps with `#ref`, of further templates.
    pub(crate) custom_templates: Vec<TemplateUrl>,
    /// `template_refresh`: how old the knowledge of a template repository's head may be.
    pub(crate) template_refresh: Duration,
    /// `cache_directory`: where template repositories are kept; the work directory where unset.
    pub(crate) cache_directory: Option<PathBuf>,
    /// `work_directory`: where commits are kept while they are deployed; the system's where unset.
    pub(crate) work_directory: Option<PathBuf>,
    /// `enable_dockerfile_lang`: repositories may bring Dockerfiles and templates of their own.
    pub(crate) dockerfile_allowed: bool,
    /// `allow_submodules`: submodules of the same host and owner are fetched.
    pub(crate) submodules_allowed: bool,
    /// `allow_images`: functions may name an image instead of code.
    pub(crate) images_allowed: bool,
    /// `build_parallelism`: how many functions of a push are built at the same time.
    pub(crate) build_parallelism: usize,
    /// `build_timeout`: one call of buildshiprun.
    pub(crate) build_timeout: Duration,
    /// The time for a whole push. It ends before the caller's patience does, or nobody would hear how it went.
    pub(crate) push_timeout: Duration,
    /// `max_functions`, `max_stack_bytes`.
    pub(crate) stack: stack::Limits,
    /// `max_context_bytes`, `max_context_files`, `max_file_bytes`.
    pub(crate) context: context::Limits,
    /// `max_fetch_bytes`, `max_unpacked_bytes`, `max_objects`, `fetch_timeout`, `stall_timeout`.
    pub(crate) git: git::Limits,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Names every variable and secret that is missing or wrong.
    pub fn read(env: &Env) -> Result<Self, ConfigError> {
        let r = env.reader();
        let (functions, gateway, hosts) = (Functions::read(&r), Gateway::read(&r), Hosts::read(&r));
        let (build_branch, pretty_url) = (r.optional::<String>("build_branch"), PrettyUrl::read(&r));
        let custom_templates = TemplateUrl::read_list(&r);
        let registry = r.or("push_repository_url", String::new());
        let (template_directory, cache_directory) = (r.optional("template_directory"), r.optional("cache_directory"));
        let (work_directory, template_refresh) =
            (r.optional("work_directory"), r.duration_or("template_refresh", Duration::from_secs(600)));
        let dockerfile_allowed = r.flag("enable_dockerfile_lang", false);
        let images_allowed = r.flag("allow_images", false);
        let submodules_allowed = r.flag("allow_submodules", false);
        let build_parallelism = r.or("build_parallelism", 2usize);
        let build_timeout = r.duration_or("build_timeout", Duration::from_secs(900));
        let push_timeout = r.duration_or("push_timeout", Duration::from_secs(14 * 60));
        let stack = stack_limits(&r);
        let context = context_limits(&r);
        let git = git_limits(&r);
        r.finish()?;
        Ok(Self {
            functions: functions?,
            gateway: gateway?,
            hosts: hosts?,
            build_branch: build_branch?,
            pretty_url: pretty_url?,
            registry: registry?,
            template_directory: template_directory?,
            custom_templates: custom_templates?,
            template_refresh: template_refresh?,
            cache_directory: cache_directory?,
            work_directory: work_directory?,
            dockerfile_allowed: dockerfile_allowed?,
            images_allowed: images_allowed?,
            submodules_allowed: submodules_allowed?,
            build_parallelism: build_parallelism?.clamp(1, 64),
            build_timeout: build_timeout?,
            push_timeout: push_timeout?,
            stack: stack?,
            context: context?,
            git: git?,
        })
    }
}

fn stack_limits(r: &sdk::Reader<'_>) -> Result<stack::Limits, sdk::Invalid> {
    let default = stack::Limits::default();
    let (bytes, functions) = (r.or("max_stack_bytes", default.max_bytes), r.or("max_functions", default.max_functions));
    Ok(stack::Limits { max_bytes: bytes?, max_functions: functions? })
}

fn context_limits(r: &sdk::Reader<'_>) -> Result<context::Limits, sdk::Invalid> {
    let default = context::Limits::default();
    let total = r.or("max_context_bytes", default.max_total_bytes);
    let files = r.or("max_context_files", default.max_files);
    let file = r.or("max_file_bytes", default.max_file_bytes);
    Ok(context::Limits { max_total_bytes: total?, max_files: files?, max_file_bytes: file?, ..default })
}

fn git_limits(r: &sdk::Reader<'_>) -> Result<git::Limits, sdk::Invalid> {
    let pack = r.or("max_fetch_bytes", 256 * MIB);
    let unpacked = r.or("max_unpacked_bytes", 1024 * MIB);
    let objects = r.or("max_objects", 200_000u32);
    let timeout = r.duration_or("fetch_timeout", Duration::from_secs(120));
    let stall = r.duration_or("stall_timeout", Duration::from_secs(30));
    Ok(git::Limits {
        max_pack_bytes: pack?,
        max_unpacked_bytes: unpacked?,
        max_objects: objects?,
        timeout: timeout?,
        stall: stall?,
    })
}

/// A template repository and perhaps the branch, tag or `sha-…` that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TemplateUrl {
    /// The repository.
    pub(crate) url: Url,
    /// The state; its default branch where unset.
    pub(crate) reference: Option<String>,
}

impl TemplateUrl {
    fn read_list(r: &sdk::Reader<'_>) -> Result<Vec<Self>, sdk::Invalid> {
        let parsed: Result<Vec<_>, String> = r.list("custom_templates").iter().map(|text| text.parse()).collect();
        parsed.map_err(|problem| r.invalid("custom_templates", problem))
    }

    /// True if both are the same repository, whatever their state.
    pub(crate) fn same_repository(&self, other: &Self) -> bool {
        let path = |url: &Url| url.path().trim_end_matches('/').trim_end_matches(".git").to_ascii_lowercase();
        self.url.origin() == other.url.origin() && path(&self.url) == path(&other.url)
    }
}

impl std::str::FromStr for TemplateUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        let mut url: Url = text.parse().map_err(|_| format!("'{shown}' is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() || url.query().is_some() {
            return Err(format!("'{shown}' is not of the form https://host/path#ref"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a template's URL has a user name or password in it; remove it".to_owned());
        }
        let reference = url.fragment().filter(|fragment| !fragment.is_empty()).map(str::to_owned);
        url.set_fragment(None);
        Ok(Self { url, reference })
    }
}
