//! A platform with one good function live, and the proof that bad input leaves it alone.

use end_to_end::{Container, Options, Platform, Pushed, Repository, login, options};

/// What the good function answers.
pub(crate) const GOOD: &str = "good";

/// A platform, a repository, and what is live from it.
pub(crate) struct Live {
    pub(crate) platform: Platform,
    pub(crate) repository: Repository,
    good: String,
    containers: Vec<Container>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self::with(options!())
    }

    pub(crate) fn with(options: Options) -> Self {
        let platform = Platform::start(options);
        let repository = Repository::with(&login("alice"), "app", &[("a", GOOD)]);
        repository.deploy(&platform);
        let (good, containers) = (repository.head(), platform.containers());
        Self { platform, repository, good, containers }
    }

    /// Commits and pushes what was changed, expects the refusal, and takes the change back. These words must be in
    /// the failed status, and in the audit trail.
    pub(crate) fn refused(&self, words: &str) -> Pushed {
        let sha = self.repository.commit("Bad");
        let pushed = self.repository.push(&self.platform);
        assert!(pushed.ok, "git itself takes the push: {pushed}");
        assert!(pushed.says("FAILED: ") && pushed.says(words), "'{words}' is not in: {pushed}");
        assert!(pushed.last().ends_with("What was live is untouched."), "{pushed}");
        let stack = &self.platform.checks(&self.repository, &sha)["stack-deploy"];
        assert_eq!(stack.conclusion, "failure", "{stack:?}");
        self.platform.wait_for_audit(&sha, words);
        self.is_untouched();
        self.repository.restore(&self.good);
        pushed
    }

    /// What was live is as it was, and nothing else is there.
    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        let answer = self.platform.get(self.repository.owner(), "/a");
        assert_eq!((answer.status, answer.text.as_str()), (200, GOOD));
        self.platform.wait_for_containers(&[&format!("{}-a", self.repository.owner())]);
        assert_eq!(self.platform.containers(), self.containers);
        self.platform.wait_for_no_work();
    }
}
