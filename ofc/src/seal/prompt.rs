//! Asking for a value at the terminal without showing it.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretSlice;
use secrecy::zeroize::Zeroizing;

use crate::report::Trouble;

/// The longest line that is typed or pasted, in bytes.
const LONGEST: usize = 64 * 1024;
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: [u8; 2] = [8, 127];

/// Asks for the value of a key.
///
/// # Errors
/// When there is no terminal, or somebody interrupts.
pub(crate) fn ask(key: &str) -> anyhow::Result<SecretSlice<u8>> {
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|cause| {
        Trouble::usage("there is no terminal to ask at")
            .hint(format!("hand the value over through a pipe: --stdin {key}"))
            .because(cause)
    })?;
    let quiet = Quiet::begin(&terminal)?;
    write!(&terminal, "Value of {key} (not shown): ")?;
    let line = read_line(&mut (&terminal).take(2 * LONGEST as u64));
    drop(quiet);
    writeln!(&terminal)?;
    match line {
        Ok(line) if line.is_empty() => Err(Trouble::new(format!("no value was given for {key}")).into()),
        Ok(line) => Ok(line.to_vec().into()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Trouble::new("interrupted").into()),
        Err(error) => Err(Trouble::new(format!("the value of {key} cannot be read")).because(error).into()),
    }
}

/// A terminal that shows nothing and sends every byte; as before when dropped. It also sends Ctrl-C, so that nobody is left
/// with a shell that does not show what is typed.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// One line, edited as far as that is possible unseen.
fn read_line(input: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = [0];
    loop {
        if input.read(&mut byte)? == 0 {
            return Ok(line);
        }
        match byte[0] {
            b'\n' | b'\r' | END => return Ok(line),
            INTERRUPT => return Err(io::ErrorKind::Interrupted.into()),
            byte if BACKSPACE.contains(&byte) => remove_character(&mut line),
            _ if line.len() == LONGEST => return Err(io::Error::other("it is too long: give it in a file")),
            byte => line.push(byte),
        }
    }
}

/// Takes back what one key wrote, which may be several bytes.
fn remove_character(line: &mut Vec<u8>) {
    let is_rest = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    while line.pop_if(|byte| is_rest(byte)).is_some() {}
    line.pop();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> io::Result<Vec<u8>> {
        read_line(&mut &bytes[..]).map(|line| line.to_vec())
    }

    #[test]
    fn a_line_ends_where_somebody_ends_it() {
        for end in [&b"\r"[..], b"\n", b"\x04", b""] {
            assert_eq!(typed(&[&b"hunter2"[..], end].concat()).unwrap(), b"hunter2");
        }
        assert_eq!(typed(b"a\nb").unwrap(), b"a");
    }

    #[test]
    fn backspace_takes_whole_characters_back() {
        assert_eq!(typed("ab\u{7f}ü\u{8}c\n".as_bytes()).unwrap(), b"ac");
        assert_eq!(typed(b"\x7f\x7fa\n").unwrap(), b"a");
    }

    #[test]
    fn ctrl_c_is_no_value_and_neither_is_a_book() {
        assert_eq!(typed(b"hunt\x03er\n").unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert!(typed(&vec![b'a'; LONGEST + 1]).is_err());
        assert_eq!(typed(&vec![b'a'; LONGEST]).unwrap().len(), LONGEST);
    }
}
