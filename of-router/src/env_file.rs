//! A file of variables beside those of the process.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sdk::Env;

/// The process's variables and secrets, and over them what `file` says.
///
/// # Errors
/// When the file cannot be read, or a line of it is not `NAME=VALUE`, empty or a comment (`#`).
pub(crate) fn read(file: Option<&Path>) -> Result<Env> {
    let env = Env::from_process();
    let Some(file) = file else { return Ok(env) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(env.with_vars(parse(&text)?))
}

fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let pair = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            // The line itself stays out of the message: it may hold what nobody should see.
            let (name, value) = pair.with_context(|| format!("line {} is not NAME=VALUE", index + 1))?;
            ensure!(!name.is_empty(), "line {} names nothing", index + 1);
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_are_names_and_values() {
        let read = parse("# a comment\n\ndomain = example.com\nx=a=b\n").unwrap();
        assert_eq!(read, [("domain".into(), "example.com".into()), ("x".into(), "a=b".into())]);
        assert!(parse("domain example.com").unwrap_err().to_string().contains("line 1"));
        assert!(parse("a=1\n=x").unwrap_err().to_string().contains("line 2"));
    }
}
