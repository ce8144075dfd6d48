//! What has to be done for each function, by comparison with what the gateway says is deployed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sdk::context::{Ingredients, Plan, Tree};
use sdk::deploy::Settings;
use sdk::event::PushEvent;
use sdk::gateway::FunctionStatus;
use sdk::id::{FunctionName, ServiceName};
use sdk::labels;
use sdk::secrets::{Known, SecretName};
use sdk::stack::{Function, Stack};
use sdk::template::{self, Store};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::environment::environment;
use crate::image_name::image_name;
use crate::problem::Problem;
use crate::secrets;

/// Digits of a digest in a label.
const LABEL_DIGITS: usize = 40;

/// One function and what has to be done for it.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) function: FunctionName,
    pub(crate) settings: Settings,
    pub(crate) build_digest: String,
    pub(crate) deploy_digest: String,
    pub(crate) action: Action,
    /// Where its Dockerfile is in the repository; `None` where it is a template's.
    pub(crate) dockerfile: Option<String>,
    /// Secrets that it needs and that are not there: it cannot be deployed now.
    pub(crate) missing: BTreeSet<SecretName>,
}

impl Work {
    /// True if there is nothing to do for it.
    pub(crate) fn is_done(&self) -> bool {
        self.missing.is_empty() && matches!(self.action, Action::Unchanged)
    }
}

/// What has to be done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Nothing: the same image with the same settings is deployed.
    Unchanged,
    /// Deploy an image that is there with new settings.
    Redeploy(String),
    /// Build under this name, and deploy.
    Build(String, Box<Plan>),
}

/// Where an image would come from.
struct Image {
    digest: String,
    source: Action,
    /// The template's process.
    fprocess: Option<String>,
    dockerfile: Option<String>,
}

/// All that planning looks at.
pub(crate) struct Planner<'a> {
    pub(crate) config: &'a Config,
    pub(crate) event: &'a PushEvent,
    pub(crate) repository: &'a Arc<Tree>,
    pub(crate) stores: &'a [Arc<Store>],
    pub(crate) deployed: HashMap<String, FunctionStatus>,
    /// Of the secrets that the functions mount.
    pub(crate) secrets: &'a Known,
}

impl Planner<'_> {
    /// Plans every function, or refuses the push before anything is built.
    pub(crate) fn plan(&self, stack: &Stack) -> Result<Vec<Work>, Problem> {
        stack.functions.iter().map(|function| self.function(stack, function)).collect()
    }

    /// Plans functions that are to be as they are deployed, but for their secrets: nothing is built, and no template is
    /// asked. Those that are not deployed any more are left out.
    pub(crate) fn restart(&self, stack: &Stack) -> Result<Vec<Work>, Problem> {
        stack.functions.iter().filter_map(|function| self.again(function).transpose()).collect()
    }

    fn again(&self, function: &Function) -> Result<Option<Work>, Problem> {
        let Some(deployed) = self.deployed(function)? else { return Ok(None) };
        // As deployed: the template may have another process by now.
        let fprocess = Some(deployed.env_process.clone()).filter(|process| !process.is_empty());
        let build_digest = deployed.labels.get(labels::BUILD_DIGEST).cloned().unwrap_or_default();
        let source = Action::Redeploy(deployed.image.clone());
        let image = Image { digest: build_digest, source, fprocess, dockerfile: None };
        self.work(function, image, Some(deployed), secrets::wanted(function)).map(Some)
    }

    fn function(&self, stack: &Stack, function: &Function) -> Result<Work, Problem> {
        let deployed = self.deployed(function)?;
        self.work(function, self.source(stack, function)?, deployed, secrets::needed(function))
    }

    /// What is deployed under the function's name, which has to be its owner's.
    fn deployed(&self, function: &Function) -> Result<Option<&FunctionStatus>, Problem> {
        let refused = |problem: String| Problem::Function { function: function.name.clone(), problem };
        let name = ServiceName::of(&self.event.owner, &function.name).map_err(|error| refused(error.to_string()))?;
        if sdk::reserved::is_function(&name) {
            return Err(refused(format!("the name '{name}' belongs to the platform: rename the function")));
        }
        let deployed = self.deployed.get(name.as_str());
        if deployed.is_some_and(|deployed| !self.is_owners(deployed)) {
            return Err(refused(format!("the name '{name}' is held by someone else: rename the function")));
        }
        Ok(deployed)
    }

    fn work(
        &self,
        function: &Function,
        image: Image,
        deployed: Option<&FunctionStatus>,
        needed: impl Iterator<Item = SecretName>,
    ) -> Result<Work, Problem> {
        let Image { digest: build_digest, source, fprocess, dockerfile } = image;
        let settings = self.settings(function, fprocess)?;
        let deploy_digest = digest(&serde_json::to_vec(&settings).map_err(|error| Problem::Machine(error.into()))?);
        let action = self.action(deployed, &build_digest, &deploy_digest, source);
        let missing = needed.filter(|name| self.secrets.missing.contains(name)).collect();
        Ok(Work { function: function.name.clone(), settings, build_digest, deploy_digest, action, dockerfile, missing })
    }

    fn source(&self, stack: &Stack, function: &Function) -> Result<Image, Problem> {
        let refused =
            |problem: &str| Err(Problem::Function { function: function.name.clone(), problem: problem.to_owned() });
        if function.skip_build {
            if !self.config.images_allowed {
                return refused(
                    "'skip_build' is not allowed on this platform: remove it, so that the function is built from its code",
                );
            }
            let image = function.image.clone().unwrap_or_default();
            let digest = digest(format!("image {image}").as_bytes());
            return Ok(Image { digest, source: Action::Redeploy(image), fprocess: None, dockerfile: None });
        }
        if function.is_dockerfile() && !self.config.dockerfile_allowed {
            return refused(
                "'lang: dockerfile' is not allowed on this platform: use a template, or ask its operator for enable_dockerfile_lang",
            );
        }
        let language = template::resolve(&function.lang, self.stores);
        let language = language.map_err(|problem| Problem::Template { function: function.name.clone(), problem })?;
        let context = |problem| Problem::Context { function: function.name.clone(), problem };
        let plan = Plan::lay_out(&Ingredients {
            repository: self.repository,
            language: &language,
            handler: &function.handler,
            copy: &stack.copy,
            build_args: &function.build_args,
            build_options: &function.build_options,
            build_secrets: &function.build_secrets,
            limits: &self.config.context,
        });
        let plan = plan.map_err(context)?;
        let digest = plan.digest().map_err(context)?;
        let files = plan.lfs_pointers(self.repository).map_err(context)?;
        if !files.is_empty() {
            return Err(Problem::Pointers { function: function.name.clone(), files });
        }
        let image = image_name(&self.config.registry, self.event, &function.name, &digest);
        let dockerfile = plan.dockerfile(self.repository).map_err(context)?;
        let plan = if self.event.rebuild { plan.anew() } else { plan };
        Ok(Image {
            digest: digest.label(),
            source: Action::Build(image, Box::new(plan)),
            fprocess: language.fprocess().map(str::to_owned),
            dockerfile,
        })
    }

    fn settings(&self, function: &Function, fprocess: Option<String>) -> Result<Settings, Problem> {
        let mut secrets = function.secrets.clone();
        secrets.sort();
        secrets.dedup();
        let known = |name: SecretName| Some((name.clone(), self.secrets.found.get(&name)?.clone()));
        Ok(Settings {
            env_process: function.fprocess.clone().or(fprocess),
            environment: environment(function, self.repository)?,
            secrets,
            mounted: secrets::wanted(function).filter_map(known).collect(),
            labels: function.labels.clone(),
            annotations: function.annotations.clone(),
            limits: function.limits.clone(),
            requests: function.requests.clone(),
            read_only_root_filesystem: function.read_only_root_filesystem,
        })
    }

    fn action(
        &self,
        deployed: Option<&FunctionStatus>,
        build_digest: &str,
        deploy_digest: &str,
        source: Action,
    ) -> Action {
        let Some(deployed) = deployed.filter(|_| !self.event.rebuild) else { return source };
        let label = |name: &str| deployed.labels.get(name).map(String::as_str);
        if label(labels::BUILD_DIGEST) != Some(build_digest) {
            return source;
        }
        let private = if self.event.private { "1" } else { "0" };
        // What was deployed before repositories had numbers is not deployed again only to get one.
        let same_place = label(labels::GIT_REPO) == Some(&labels::value(self.event.repo.as_str()))
            && label(labels::GIT_REPO_ID).is_none_or(|known| known == self.event.repo_id.to_string())
            && label(labels::GIT_PRIVATE).is_none_or(|known| known == private);
        match source {
            _ if label(labels::DEPLOY_DIGEST) == Some(deploy_digest) && same_place => Action::Unchanged,
            Action::Build(..) if !deployed.image.is_empty() => Action::Redeploy(deployed.image.clone()),
            source => source,
        }
    }

    /// By number and host, never by a name's beginning.
    fn is_owners(&self, deployed: &FunctionStatus) -> bool {
        let label = |name: &str| deployed.labels.get(name).map(String::as_str);
        label(labels::GIT_OWNER_ID) == Some(&self.event.owner_id.to_string())
            && label(labels::GIT_SCM) == Some(&labels::value(&self.event.host))
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut digits = hex::encode(Sha256::digest(bytes));
    digits.truncate(LABEL_DIGITS);
    digits
}
