//! The values of a secret, from wherever they are given. Nothing of them is in a message.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sealed_secrets::MAX_VALUE_BYTES;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::prompt;
use crate::report::Trouble;

/// The longest file of `KEY=VALUE` lines, in bytes.
const MAX_ENV_FILE: usize = MAX_VALUE_BYTES;

/// Where values come from.
#[derive(Debug, clap::Args)]
pub(crate) struct Sources {
    /// Ask for the value of a key, without showing it
    #[arg(long, value_name = "KEY")]
    pub(crate) prompt: Vec<String>,
    /// Read the value of a key from standard input; the line end after it does not count
    #[arg(long, value_name = "KEY")]
    pub(crate) stdin: Option<String>,
    /// A file as it is; its name is the key, unless one is given
    #[arg(short = 'i', long, value_name = "[KEY=]FILE")]
    pub(crate) from_file: Vec<String>,
    /// A file with a line KEY=VALUE for each key; empty lines and those with # do not count
    #[arg(long, value_name = "FILE")]
    pub(crate) from_env_file: Vec<PathBuf>,
    /// A value in the command line, where your shell's history and everybody's list of processes have it
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = hidden)]
    pub(crate) literal: Vec<SecretString>,
}

/// A value of the command line that no message about wrong arguments repeats.
fn hidden(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// Values by key.
pub(crate) type Values = BTreeMap<String, SecretSlice<u8>>;

impl Sources {
    /// All values.
    ///
    /// # Errors
    /// When there is none, one cannot be read or is too long, or a key is given twice or is no file name.
    pub(crate) fn read(&self, stdin: &mut impl Read) -> anyhow::Result<Values> {
        let mut values = Gathered::default();
        for literal in &self.literal {
            let (key, value) = literal.expose_secret().split_once('=').ok_or_else(|| {
                Trouble::usage("a --literal has no '='")
                    .hint("write it as --literal KEY=VALUE, or better: --prompt KEY")
            })?;
            values.add(key, value.as_bytes().to_vec().into())?;
        }
        for given in &self.from_file {
            let (key, path) = key_and_path(given)?;
            values.add(&key, file(&path, MAX_VALUE_BYTES)?)?;
        }
        for path in &self.from_env_file {
            add_lines(&mut values, path)?;
        }
        if let Some(key) = &self.stdin {
            values.expect(key)?;
            let value = bounded(stdin, MAX_VALUE_BYTES + 2).map_err(|cause| unreadable("standard input", cause))?;
            values.add(key, without_line_end(value))?;
        }
        for key in &self.prompt {
            // Before anybody types something that is then refused.
            values.expect(key)?;
            values.add(key, prompt::ask(key)?)?;
        }
        if values.0.is_empty() {
            return Err(Trouble::usage("there is nothing to seal")
                .hint("give a value: --prompt KEY asks for it, --from-file FILE and --stdin KEY read it")
                .into());
        }
        Ok(values.0)
    }
}

#[derive(Default)]
struct Gathered(Values);

impl Gathered {
    fn expect(&self, key: &str) -> anyhow::Result<()> {
        if !sealed_secrets::documents::is_file_name(key) {
            let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Trouble::usage(format!("the key '{shown}' is no file name"))
                .hint("functions read a value from a file of its key's name: use letters, digits, '-', '_' and '.'")
                .into());
        }
        if self.0.contains_key(key) {
            return Err(Trouble::usage(format!("the key '{key}' is given twice")).into());
        }
        Ok(())
    }

    fn add(&mut self, key: &str, value: SecretSlice<u8>) -> anyhow::Result<()> {
        self.expect(key)?;
        if value.expose_secret().len() > MAX_VALUE_BYTES {
            return Err(Trouble::new(format!("the value of '{key}' is longer than 1 MiB, which is the most")).into());
        }
        if let Entry::Vacant(free) = self.0.entry(key.to_owned()) {
            free.insert(value);
        }
        Ok(())
    }
}

/// What is before the first `=` is a key if it looks like one; else all of it is a path.
fn key_and_path(given: &str) -> anyhow::Result<(String, PathBuf)> {
    if let Some((key, path)) = given.split_once('=')
        && !key.contains('/')
    {
        return Ok((key.to_owned(), path.into()));
    }
    let path = PathBuf::from(given);
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let name = name.ok_or_else(|| {
        Trouble::usage(format!("'{given}' names no file")).hint("write it as --from-file FILE or --from-file KEY=FILE")
    })?;
    Ok((name, path))
}

fn file(path: &Path, limit: usize) -> anyhow::Result<SecretSlice<u8>> {
    let read = File::open(path).and_then(|file| bounded(file, limit + 1));
    let value = read.map_err(|cause| unreadable(&path.display().to_string(), cause))?;
    if value.len() > limit {
        return Err(Trouble::new(format!("{} is longer than 1 MiB, which is the most", path.display())).into());
    }
    Ok(value.to_vec().into())
}

fn add_lines(values: &mut Gathered, path: &Path) -> anyhow::Result<()> {
    let content = file(path, MAX_ENV_FILE)?;
    let shown = path.display();
    let text = std::str::from_utf8(content.expose_secret())
        .map_err(|_| Trouble::new(format!("{shown} is not UTF-8")).hint("for binary values: --from-file KEY=FILE"))?;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let place = format!("line {} of {shown}", number + 1);
        let (key, value) = line.split_once('=').ok_or_else(|| {
            Trouble::new(format!("{place} has no '='")).hint("each line is KEY=VALUE; no value goes over several lines")
        })?;
        if value.len() > 1 && (is_quoted(value, '"') || is_quoted(value, '\'')) {
            let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
            anstream::eprintln!(
                "note: the quotes of {shown} are a part of the value, as in docker's and kubectl's files"
            );
        }
        values.add(key.trim(), value.as_bytes().to_vec().into()).map_err(|error| error.context(place))?;
    }
    Ok(())
}

fn is_quoted(value: &str, quote: char) -> bool {
    value.starts_with(quote) && value.ends_with(quote)
}

fn bounded(from: impl Read, limit: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `echo value | ofc seal` means the value; who means the line end has it in a file.
fn without_line_end(mut value: Zeroizing<Vec<u8>>) -> SecretSlice<u8> {
    if value.pop_if(|byte| *byte == b'\n').is_some() {
        value.pop_if(|byte| *byte == b'\r');
    }
    value.to_vec().into()
}

fn unreadable(what: &str, cause: std::io::Error) -> Trouble {
    Trouble::new(format!("{what} cannot be read")).because(cause)
}

#[cfg(test)]
mod tests;
