//! `ofc completions`.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  source <(ofc completions bash)
  ofc completions zsh > ~/.zfunc/_ofc
  ofc completions fish > ~/.config/fish/completions/ofc.fish";

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Known,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        Ok(crate::terminal::print(&self.render())?)
    }

    fn render(&self) -> String {
        let shell = match self.shell {
            Known::Bash => Shell::Bash,
            Known::Zsh => Shell::Zsh,
            Known::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut crate::Cli::command(), "ofc", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_the_subcommands() {
        for shell in [Known::Bash, Known::Zsh, Known::Fish] {
            let script = Completions { shell }.render();
            assert!(script.contains("doctor") && script.contains("link"), "{shell:?}");
        }
    }
}
