//! The templates that a stack may use: the repository's own where Dockerfiles are allowed, the platform's,
//! and those of the git repositories that the operator lists. The latter are fetched like any commit, when a
//! function needs one, and kept per repository and commit.

mod cache;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sdk::context::{Folder, RelPath, Tree};
use sdk::id::CommitSha;
use sdk::stack::Stack;
use sdk::template::{DOCKERFILE, LangRef, Store};
use sha2::{Digest, Sha256};

use crate::config::{Config, TemplateUrl};
use crate::git::{CommitTree, GitError, Remote};
use crate::problem::Problem;
use crate::repository::WorkFolders;

/// States of template repositories that are remembered. Users may name states (`lang@ref`), so there is a bound.
const MAX_REMEMBERED: usize = 64;
/// The folder of a repository that has its templates.
const TEMPLATE_FOLDER: &str = "template";

/// All places that have templates.
pub(crate) struct Templates {
    http: reqwest::Client,
    platform: Option<Arc<Store>>,
    cache: PathBuf,
    work: WorkFolders,
    remembered: Mutex<HashMap<TemplateUrl, Arc<Slot>>>,
}

/// One state of a template repository. Whoever holds the lock is fetching it.
type Slot = tokio::sync::Mutex<Option<Remembered>>;

struct Remembered {
    store: Arc<Store>,
    commit: CommitSha,
    checked: Instant,
}

impl Templates {
    /// Opens what is on disk.
    pub(crate) fn new(config: &Config, http: reqwest::Client, work: WorkFolders) -> std::io::Result<Self> {
        let cache = config.cache_directory.clone().unwrap_or_else(|| work.base().to_owned()).join("git-tar-templates");
        std::fs::create_dir_all(&cache)?;
        let platform = config.template_directory.as_ref().map(|folder| {
            let tree = Tree::new(Folder::new(folder));
            Store::new(tree, RelPath::root(), None)
        });
        Ok(Self { http, platform, cache, work, remembered: Mutex::default() })
    }

    /// The stores that the stack's functions need, in the order in which they are asked.
    pub(crate) async fn stores(
        &self,
        config: &Config,
        stack: &Stack,
        repository: &Arc<Tree>,
    ) -> Result<Vec<Arc<Store>>, Problem> {
        let named = named_sources(config, stack)?;
        let own = config.dockerfile_allowed.then(|| TEMPLATE_FOLDER.parse().ok()).flatten();
        let own = own.map(|folder| Store::new(Arc::clone(repository), folder, None));
        let mut stores: Vec<Arc<Store>> = own.into_iter().chain(self.platform.clone()).collect();
        let missing = missing(stack, &stores)?;
        if missing.is_empty() {
            return Ok(stores);
        }
        for source in named.iter().chain(&config.custom_templates) {
            stores.push(self.state(config, source).await?);
        }
        let references: BTreeSet<String> = missing.into_iter().filter_map(|lang| lang.reference).collect();
        for reference in references {
            stores.extend(self.at_reference(config, &reference).await?);
        }
        Ok(stores)
    }

    /// The operator's repositories in a state that a function names. Those that do not have it are passed over.
    async fn at_reference(&self, config: &Config, reference: &str) -> Result<Vec<Arc<Store>>, Problem> {
        let mut stores = Vec::new();
        for source in &config.custom_templates {
            let source = TemplateUrl { url: source.url.clone(), reference: Some(reference.to_owned()) };
            match self.state(config, &source).await {
                Ok(store) => stores.push(store),
                Err(Problem::Refused(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(stores)
    }

    /// One state of a template repository, asked after at most every `template_refresh`.
    async fn state(&self, config: &Config, source: &TemplateUrl) -> Result<Arc<Store>, Problem> {
        let slot = self.slot(source);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.checked.elapsed() < config.template_refresh) {
            return Ok(Arc::clone(&known.store));
        }
        match self.refresh(config, source, slot.as_ref()).await {
            Ok(fresh) => Ok(Arc::clone(&slot.insert(fresh).store)),
            Err(problem) => match slot.as_mut() {
                // A template host that is down must not stop pushes that use what is known.
                Some(known) if problem.is_worth_a_retry() => {
                    tracing::warn!(repository = %source.url, error = sdk::failure::chain(&problem), "Templates could not be refreshed; the known state is used");
                    known.checked = Instant::now();
                    Ok(Arc::clone(&known.store))
                }
                _ => Err(problem),
            },
        }
    }

    async fn refresh(
        &self,
        config: &Config,
        source: &TemplateUrl,
        known: Option<&Remembered>,
    ) -> Result<Remembered, Problem> {
        let git = |problem| Problem::Git { what: format!("the templates at {}", source.url), problem };
        let remote =
            Remote::new(self.http.clone(), source.url.clone(), config.hosts.fixed(), config.git).map_err(git)?;
        let commit = commit_of(&remote, source).await?;
        let checked = Instant::now();
        if let Some(known) = known.filter(|known| known.commit == commit) {
            return Ok(Remembered { store: Arc::clone(&known.store), commit, checked });
        }
        let folder = self.folder(source, &commit);
        if !folder.exists() {
            let fresh = self.work.create()?;
            remote.fetch(&commit, fresh.path()).await.map_err(git)?;
            cache::keep(fresh.path(), &folder).map_err(Problem::Machine)?;
            cache::prune(&self.cache, &folder);
        }
        let tree = CommitTree::open(&folder, &commit, ()).map_err(git)?;
        let template = TEMPLATE_FOLDER.parse().unwrap_or_default();
        let store = Store::new(Tree::new(tree), template, source.reference.clone());
        tracing::info!(repository = %source.url, commit = commit.short(), "Templates fetched");
        Ok(Remembered { store, commit, checked })
    }

    fn slot(&self, source: &TemplateUrl) -> Arc<Slot> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED && !remembered.contains_key(source) {
            remembered.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(remembered.entry(source.clone()).or_default())
    }

    fn folder(&self, source: &TemplateUrl, commit: &CommitSha) -> PathBuf {
        let named = format!("{}#{}", source.url, source.reference.as_deref().unwrap_or_default());
        self.cache.join(format!("{}-{commit}", hex::encode(&Sha256::digest(named)[..8])))
    }
}

/// The commit that a source means.
async fn commit_of(remote: &Remote, source: &TemplateUrl) -> Result<CommitSha, Problem> {
    let refused = |what: String| Problem::Refused(format!("the template repository {} {what}", source.url));
    let names = match source.reference.as_deref() {
        None => vec!["HEAD".to_owned()],
        Some(reference) => match reference.strip_prefix("sha-") {
            Some(sha) => {
                return sha.parse().map_err(|_| refused(format!("is asked for '{reference}': give all 40 digits")));
            }
            None => vec![format!("refs/heads/{reference}"), format!("refs/tags/{reference}")],
        },
    };
    let head = remote.head_of(&names).await;
    let head = head.map_err(|problem| Problem::Git { what: format!("the templates at {}", source.url), problem })?;
    let shown = source.reference.as_deref().unwrap_or("default branch");
    let head = head.ok_or_else(|| refused(format!("has no '{shown}'")))?;
    head.parse().map_err(|_| Problem::Git { what: source.url.to_string(), problem: GitError::Protocol("no commit id") })
}

/// The sources that the stack names, each of which must be one of the operator's repositories.
fn named_sources(config: &Config, stack: &Stack) -> Result<Vec<TemplateUrl>, Problem> {
    let mut named: Vec<TemplateUrl> = Vec::new();
    for template in stack.templates.iter().filter(|template| !template.source.is_empty()) {
        let refused = |problem: String| Problem::Refused(format!("configuration.templates: {problem}"));
        let source: TemplateUrl = template.source.parse().map_err(refused)?;
        let known = config.custom_templates.iter().find(|known| known.same_repository(&source));
        let known = known.ok_or_else(|| {
            refused(format!(
                "{} is not a template repository of this platform: ask its operator to add it to custom_templates",
                source.url
            ))
        })?;
        if let Some(reference) = source.reference.filter(|reference| known.reference.as_ref() != Some(reference)) {
            let sentence = format!(
                "{} is offered, but not at '{reference}': write 'lang: {}@{reference}' and leave '#{reference}' out",
                source.url, template.name
            );
            return Err(refused(sentence));
        }
        if !named.contains(known) {
            named.push(known.clone());
        }
    }
    Ok(named)
}

/// The languages that none of the stores has.
fn missing(stack: &Stack, stores: &[Arc<Store>]) -> Result<Vec<LangRef>, Problem> {
    let mut missing = Vec::new();
    for function in stack
        .functions
        .iter()
        .filter(|function| !function.skip_build && !function.lang.eq_ignore_ascii_case(DOCKERFILE))
    {
        let problem = |problem| Problem::Template { function: function.name.clone(), problem };
        let lang: LangRef = function.lang.parse().map_err(problem)?;
        let mut found = false;
        for store in stores.iter().filter(|_| lang.reference.is_none()) {
            found = found || store.template(&lang.name).map_err(problem)?.is_some();
        }
        if !found {
            missing.push(lang);
        }
    }
    Ok(missing)
}
