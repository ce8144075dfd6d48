//! What the pusher, the audit trail and the push's record get to know. Nobody else reports of a push, so that nothing old is told last;
//! and whatever was begun is ended here, also when the push is broken off.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sdk::audit::Auditor;
use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::history::FunctionRecord;
use sdk::id::FunctionName;
use sdk::stack::Stack;
use sdk::status::{Annotation, FunctionState, Reporter, STACK_CONTEXT, State, Status};

use crate::git::About;
use crate::pretty_url::PrettyUrl;
use crate::problem::Problem;
use crate::record::{Record, now};

/// Statuses and audit lines of one push.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) event: &'a PushEvent,
    pub(crate) call: &'a CallId,
    pub(crate) reporter: Reporter,
    auditor: &'a Auditor,
    pretty_url: &'a PrettyUrl,
    board: Mutex<Board>,
    record: Option<Record>,
}

/// The stack's functions and how far each got.
#[derive(Debug, Default)]
struct Board {
    file: String,
    rows: Vec<Row>,
    /// As it was last told.
    told: Vec<FunctionState>,
}

#[derive(Debug)]
struct Row {
    state: FunctionState,
    /// Where its name stands in the stack file.
    line: u32,
    began: Option<Instant>,
    record: FunctionRecord,
}

/// What is told of a failure besides its sentence.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    pub(crate) log: String,
    pub(crate) annotations: Vec<Annotation>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        event: &'a PushEvent,
        call: &'a CallId,
        reporter: Reporter,
        auditor: &'a Auditor,
        pretty_url: &'a PrettyUrl,
    ) -> Self {
        Self { event, call, reporter, auditor, pretty_url, board: Mutex::default(), record: None }
    }

    /// The same; all that it gets to know is in this record, too.
    #[must_use]
    pub(crate) fn in_record(self, record: Option<Record>) -> Self {
        Self { record, ..self }
    }

    /// Waits until everything is told or given up.
    pub(crate) async fn flush(&self) {
        let recorded = async {
            if let Some(record) = &self.record {
                record.flush().await;
            }
        };
        tokio::join!(self.reporter.flush(), recorded);
    }

    /// The commit is read.
    pub(crate) fn describe(&self, about: &About) {
        if let Some(record) = &self.record {
            record.update(|record| {
                record.author.clone_from(&about.author);
                record.message.clone_from(&about.message);
            });
        }
    }

    /// Functions that the stack does not have any more were removed.
    pub(crate) fn removed(&self, functions: Vec<FunctionName>) {
        if let Some(record) = &self.record {
            record.update(|record| record.removed = functions);
        }
    }

    /// Changes the board, and the record with it.
    fn on_board(&self, change: impl FnOnce(&mut Board)) {
        let functions = {
            let mut board = self.board();
            change(&mut board);
            board.rows.iter().map(|row| row.record.clone()).collect()
        };
        if let Some(record) = &self.record {
            record.update(|record| record.functions = functions);
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stack file is read: these functions are to be deployed.
    pub(crate) fn expect(&self, file: &str, stack: &Stack) {
        let row = |function: &sdk::stack::Function| Row {
            state: FunctionState::new(&function.name, State::Queued, "waits"),
            line: u32::try_from(function.position.line).unwrap_or(u32::MAX),
            began: None,
            record: FunctionRecord {
                name: function.name.clone(),
                state: State::Queued,
                description: "waits".to_owned(),
                unchanged: false,
                began: None,
                ended: None,
            },
        };
        self.on_board(|board| {
            board.file = file.to_owned();
            board.rows = stack.functions.iter().map(row).collect();
        });
    }

    /// The status of the whole stack.
    pub(crate) fn stack(&self, state: State, title: impl AsRef<str>) {
        self.stack_with(state, title.as_ref(), Vec::new());
    }

    fn stack_with(&self, state: State, title: &str, annotations: Vec<Annotation>) {
        let functions = {
            let mut board = self.board();
            board.told = board.states();
            board.told.clone()
        };
        if let Some(record) = &self.record {
            record.update(|record| {
                record.state = state;
                title.clone_into(&mut record.description);
                record.ended = state.is_final().then(now);
            });
        }
        let status = Status::new(self.event, STACK_CONTEXT, state, title);
        self.reporter.report(status.with_functions(functions).with_annotations(annotations));
    }

    /// The status of the whole stack, if a function got further since it was told.
    pub(crate) fn progress(&self) {
        // What is deployed anew is no push of the stack.
        if !self.event.restart.is_empty() {
            return;
        }
        let (changed, done, all) = {
            let board = self.board();
            let states = board.states();
            let done = states.iter().filter(|function| function.state.is_final()).count();
            (states != board.told, done, states.len())
        };
        if changed {
            self.stack(State::InProgress, format!("{done} of {all} functions done"));
        }
    }

    /// Work on a function begins.
    pub(crate) fn begin(&self, function: &FunctionName, title: &str) {
        let row = FunctionState::new(function, State::InProgress, title);
        self.on_board(|board| board.put(row, Some(Instant::now())));
        self.reporter.report(Status::new(self.event, function.as_str(), State::InProgress, title));
    }

    /// A function is live.
    pub(crate) fn live(&self, function: &FunctionName) {
        let url = self.pretty_url.of(&self.event.owner, function);
        self.succeed(function, &format!("live at {url}"), url);
    }

    /// A function was live before as it is now.
    pub(crate) fn unchanged(&self, function: &FunctionName) {
        self.on_board(|board| board.keep(function));
        self.succeed(function, "unchanged", self.pretty_url.of(&self.event.owner, function));
    }

    fn succeed(&self, function: &FunctionName, title: &str, url: String) {
        let row = FunctionState { url: Some(url.clone()), ..FunctionState::new(function, State::Success, title) };
        self.on_board(|board| board.put(row, None));
        self.reporter.report(Status::new(self.event, function.as_str(), State::Success, title).with_url(url));
    }

    /// A function ended otherwise.
    pub(crate) fn end(&self, function: &FunctionName, how: State, title: &str, detail: Detail) {
        self.on_board(|board| board.put(FunctionState::new(function, how, title), None));
        let status = Status::new(self.event, function.as_str(), how, title);
        self.reporter.report(status.with_log(&detail.log).with_annotations(detail.annotations));
    }

    /// The push ended without an error: what was not begun stays as it is.
    pub(crate) fn conclude(&self, how: State, sentence: &str) {
        self.end_the_rest(State::Neutral, sentence, sentence);
        self.stack(how, sentence);
    }

    /// The push failed.
    pub(crate) fn fail(&self, problem: &Problem) {
        let sentence = problem.sentence();
        let annotations = self.annotations(problem);
        if let Some(culprit) = problem.culprit() {
            let detail = Detail { annotations: annotations.clone(), ..Detail::default() };
            self.end(culprit, State::Failure, &sentence, detail);
        }
        self.end_the_rest(State::Failure, &sentence, "not tried");
        self.stack_with(State::Failure, &sentence, annotations);
    }

    /// Ends what has no end yet: what was begun, and what was not.
    fn end_the_rest(&self, begun: State, begun_title: &str, waiting_title: &str) {
        let open: Vec<(FunctionName, bool)> = {
            let board = self.board();
            let open = board.rows.iter().filter(|row| !row.state.state.is_final());
            open.map(|row| (row.state.name.clone(), row.began.is_some())).collect()
        };
        for (function, has_begun) in open {
            match has_begun {
                true => self.end(&function, begun, begun_title, Detail::default()),
                // Nobody was told that it would come: a line in the stack's table will do.
                false => {
                    let row = FunctionState::new(&function, State::Neutral, waiting_title);
                    self.on_board(|board| board.put(row, None));
                }
            }
        }
    }

    /// A line of the audit trail.
    pub(crate) async fn audit(&self, message: impl Into<String>) {
        self.auditor.push(self.event, message, self.call).await;
    }

    /// A remark on the line of the stack file where the function's name stands.
    pub(crate) fn on_function(&self, function: &FunctionName, message: impl Into<String>) -> Option<Annotation> {
        let board = self.board();
        let row = board.rows.iter().find(|row| row.state.name == *function)?;
        Some(Annotation { path: board.file.clone(), line: row.line, message: message.into() })
    }

    /// The lines that a problem is about.
    fn annotations(&self, problem: &Problem) -> Vec<Annotation> {
        match problem {
            Problem::Functions { failed, .. } => failed.iter().flat_map(|one| one.annotations.clone()).collect(),
            _ => {
                let places = problem.places();
                let function = || problem.culprit().and_then(|name| self.on_function(name, problem.to_string()));
                if places.is_empty() { function().into_iter().collect() } else { places }
            }
        }
    }
}

impl Board {
    fn states(&self) -> Vec<FunctionState> {
        self.rows.iter().map(|row| row.state.clone()).collect()
    }

    /// A function is as it was before.
    fn keep(&mut self, function: &FunctionName) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.state.name == *function) {
            row.record.unchanged = true;
        }
    }

    /// What is live or failed took as long as it is since it was begun.
    fn put(&mut self, state: FunctionState, begins: Option<Instant>) {
        let Some(row) = self.rows.iter_mut().find(|row| row.state.name == state.name) else { return };
        row.began = begins.or(row.began);
        row.record = FunctionRecord {
            state: state.state,
            description: state.title.clone(),
            began: begins.map(|_| now()).or(row.record.began),
            ended: state.state.is_final().then(now),
            ..row.record.clone()
        };
        let millis = row.began.filter(|_| state.state.is_final()).map(|began| began.elapsed().as_millis());
        row.state = FunctionState { millis: millis.and_then(|millis| u64::try_from(millis).ok()), ..state };
    }
}

#[cfg(test)]
mod tests;
