//! What a webhook comes to.

use sdk::event::PushEvent;
use sdk::garbage::GarbageRequest;
use sdk::id::Owner;

/// What is to be done about a webhook.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A commit is to be deployed, if its owner is a tenant.
    Deploy(Box<PushEvent>),
    /// Functions are to go.
    Collect(Collection),
    /// There is nothing to do; the audit trail hears of it where the owner is a tenant.
    Note(Note),
    /// It does not concern this platform; the sentence says why.
    Ignore(String),
}

/// Functions that are to go. Whether their owner is still a tenant does not matter: only its own can be meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Collection {
    /// One for each repository, or one for all.
    pub(crate) requests: Vec<GarbageRequest>,
    /// What happened.
    pub(crate) note: Note,
}

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// To whom.
    pub(crate) owner: Owner,
    /// The owner's number at the host.
    pub(crate) owner_id: u64,
    /// To which repository; empty where it is none or several.
    pub(crate) repo: String,
    /// Who did it.
    pub(crate) actor: String,
    /// What, in a sentence.
    pub(crate) sentence: String,
}
