use std::time::Duration;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn time(text: &str) -> DateTime<Utc> {
    format!("2026-03-04T{text}Z").parse().unwrap()
}

fn candidate(name: &str, schedule: &str, since: &str) -> Candidate {
    let annotations = [("topic", "cron-function"), ("schedule", schedule)];
    Candidate {
        id: FunctionId::new(name, "openfaas-fn"),
        annotations: annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        since: time(since),
    }
}

/// The times that a function is called for, when it is looked at at these times.
fn runs(book: &mut Book, candidate: &Candidate, looks: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for look in looks {
        for run in book.due(time(look), std::slice::from_ref(candidate)) {
            book.done(&run);
            all.push(run.at.format("%H:%M").to_string());
        }
    }
    if let Some(page) = book.changed_page() {
        page.write().unwrap();
    }
    all
}

#[test]
fn every_time_is_run_once_and_none_before_the_deployment() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(dir.path(), HOUR);
    let function = candidate("f", "*/2 * * * *", "10:00:30");
    let looks = ["10:00:31", "10:01:00", "10:02:00.001", "10:02:30", "10:03:00", "10:04:59", "10:05:00", "10:06:00"];
    assert_eq!(runs(&mut book, &function, &looks), ["10:02", "10:04", "10:06"]);
}

#[test]
fn a_restart_neither_repeats_nor_loses_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let function = candidate("f", "* * * * *", "10:00:30");
    assert_eq!(runs(&mut Book::open(dir.path(), HOUR), &function, &["10:01:00"]), ["10:01"]);
    assert!(runs(&mut Book::open(dir.path(), HOUR), &function, &["10:01:02"]).is_empty());
    assert_eq!(runs(&mut Book::open(dir.path(), HOUR), &function, &["10:02:00", "10:02:01"]), ["10:02"]);
}

#[test]
fn of_missed_runs_the_latest_is_made_up_once_if_it_is_not_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let (often, rare) = (candidate("often", "*/10 * * * *", "01:00:00"), candidate("rare", "0 3 * * *", "01:00:00"));
    let mut book = Book::open(dir.path(), HOUR);
    assert_eq!(runs(&mut book, &often, &["01:10:00"]), ["01:10"]);
    let mut book = Book::open(dir.path(), HOUR);
    assert_eq!(runs(&mut book, &often, &["04:25:00", "04:25:01", "04:26:00"]), ["04:20"]);
    assert_eq!(runs(&mut book, &rare, &["04:25:00"]), [""; 0], "more than an hour ago");
    let mut patient = Book::open(dir.path(), 24 * HOUR);
    assert_eq!(runs(&mut patient, &rare, &["05:00:00"]), [""; 0], "it was skipped for good");
    let other = candidate("other", "0 3 * * *", "01:00:00");
    assert_eq!(runs(&mut patient, &other, &["05:00:00", "05:01:00"]), ["03:00"]);
    let mut strict = Book::open(dir.path(), Duration::ZERO);
    let strictly = candidate("strict", "0 3 * * *", "01:00:00");
    assert_eq!(runs(&mut strict, &strictly, &["03:00:59"]), ["03:00"], "that is on time");
}

#[test]
fn another_schedule_counts_from_its_deployment_and_a_new_version_with_the_same_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(dir.path(), HOUR);
    assert_eq!(runs(&mut book, &candidate("f", "0 * * * *", "09:30:00"), &["10:00:00"]), ["10:00"]);
    let other = candidate("f", "30 * * * *", "10:40:00");
    assert_eq!(runs(&mut book, &other, &["10:41:00", "11:30:00"]), ["11:30"]);
    let again = candidate("f", "30 * * * *", "11:30:10");
    assert_eq!(runs(&mut book, &again, &["11:31:00", "12:30:00"]), ["12:30"]);
}

#[test]
fn a_clock_that_was_wrong_does_not_silence_a_function() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(dir.path(), HOUR);
    let function = candidate("f", "* * * * *", "08:00:00");
    assert_eq!(runs(&mut book, &function, &["23:00:00"]), ["23:00"], "so it said");
    assert_eq!(runs(&mut book, &function, &["09:00:00", "09:01:00", "09:02:00"]), ["09:01", "09:02"]);
    // A second put back repeats nothing.
    assert_eq!(runs(&mut book, &function, &["09:03:00.1", "09:02:59.9", "09:03:00.2"]), ["09:03"]);
}

#[test]
fn what_is_gone_is_forgotten_and_what_is_damaged_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let function = candidate("f", "* * * * *", "10:00:00");
    let mut book = Book::open(dir.path(), HOUR);
    runs(&mut book, &function, &["10:01:00"]);
    let written = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert!(written.contains("f.openfaas-fn") && written.contains("2026-03-04T10:01:00Z"), "{written}");
    book.forget_others(&[]);
    book.changed_page().unwrap().write().unwrap();
    assert!(book.changed_page().is_none());
    assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), "{}");
    std::fs::write(dir.path().join(FILE), "{nonsense").unwrap();
    assert!(Book::open(dir.path(), HOUR).entries.is_empty());
    assert_eq!(std::fs::read_to_string(dir.path().join("cron.json.damaged")).unwrap(), "{nonsense");
}

#[test]
fn a_schedule_of_an_earlier_release_that_cannot_be_read_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::open(dir.path(), HOUR);
    assert!(runs(&mut book, &candidate("f", "nonsense", "10:00:00"), &["10:01:00", "10:02:00"]).is_empty());
}
