//! Questions to the person at the terminal, each with an answer that is taken when nothing is typed.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};

use crate::report::Trouble;

/// A line of an answer is shorter.
const MAX_ANSWER: u64 = 4096;
/// Wrong answers to one question before it is given up.
const ATTEMPTS: usize = 5;

/// Somebody who answers, or nobody.
pub(crate) enum Ask<'a> {
    /// A person.
    Person { input: Box<dyn BufRead + 'a>, output: Box<dyn Write + 'a> },
    /// Nobody: what is usual is taken.
    Nobody,
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_person() { "Person" } else { "Nobody" })
    }
}

impl Ask<'_> {
    /// The person at the terminal, unless there is none or `yes` was said to everything.
    pub(crate) fn terminal(yes: bool) -> Self {
        if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Self::Nobody;
        }
        Self::Person { input: Box::new(io::BufReader::new(io::stdin())), output: Box::new(io::stderr()) }
    }

    /// True if somebody can be asked.
    pub(crate) fn is_person(&self) -> bool {
        matches!(self, Self::Person { .. })
    }

    /// Asks until the answer can be understood; nothing typed means `usual`.
    ///
    /// # Errors
    /// When the terminal is gone, or no answer can be understood.
    pub(crate) fn line<T>(
        &mut self,
        question: &str,
        usual: &str,
        understand: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let Self::Person { input, output } = self else {
            return understand(usual).map_err(|sentence| Trouble::new(format!("{question}: {sentence}")).into());
        };
        for _ in 0..ATTEMPTS {
            if usual.is_empty() {
                write!(output, "{question}: ")?;
            } else {
                write!(output, "{question} [{usual}]: ")?;
            }
            output.flush()?;
            let mut answer = String::new();
            if io::Read::take(&mut *input, MAX_ANSWER).read_line(&mut answer)? == 0 {
                return Err(Trouble::new("the terminal was closed before all was answered")
                    .hint("nothing was written; run it again, or write ofc.yml by hand (docs/init.md)")
                    .into());
            }
            let answer = if answer.trim().is_empty() { usual } else { answer.trim() };
            match understand(answer) {
                Ok(understood) => return Ok(understood),
                Err(sentence) => writeln!(output, "  {sentence}")?,
            }
        }
        Err(Trouble::new(format!("'{question}' has no answer")).into())
    }

    /// Asks for one of some words.
    ///
    /// # Errors
    /// As [`Ask::line`].
    pub(crate) fn choice<T: Copy>(&mut self, question: &str, words: &[(&str, T)], usual: &str) -> anyhow::Result<T> {
        let names = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.line(&format!("{question} ({names})"), usual, |answer| {
            let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(answer));
            found.map(|(_, value)| *value).ok_or_else(|| format!("it has to be one of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> (Ask<'_>, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
        #[derive(Clone)]
        struct Shown(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Shown {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let shown = Shown(std::sync::Arc::default());
        let kept = shown.0.clone();
        (Ask::Person { input: Box::new(text.as_bytes()), output: Box::new(shown) }, kept)
    }

    #[test]
    fn wrong_answers_are_asked_again_and_none_means_the_usual_one() {
        let (mut ask, shown) = typed("nine\n\n");
        let number = ask.line("How many", "3", |text| text.parse::<u8>().map_err(|_| "a number, please".into()));
        assert_eq!(number.unwrap(), 3);
        let shown = String::from_utf8(shown.lock().unwrap().clone()).unwrap();
        assert_eq!(shown, "How many [3]:   a number, please\nHow many [3]: ");
        let (mut ask, _) = typed("GitLab\n");
        assert_eq!(ask.choice("Which", &[("github", 1), ("gitlab", 2)], "github").unwrap(), 2);
    }

    #[test]
    fn a_closed_terminal_ends_it_and_nobody_takes_the_usual_one() {
        let (mut ask, _) = typed("");
        assert!(ask.line("How many", "3", |text| Ok(text.to_owned())).unwrap_err().to_string().contains("closed"));
        let (mut ask, _) = typed("x\nx\nx\nx\nx\nx\n");
        assert!(ask.choice("Which", &[("a", 1)], "a").unwrap_err().to_string().contains("no answer"));
        assert_eq!(Ask::Nobody.choice("Which", &[("a", 1)], "a").unwrap(), 1);
    }
}
