//! The gateway as a program of its own; see `process`.

mod process;

use clap::Parser;

use process::{Arguments, Inherited, Program, Signals};

fn main() -> anyhow::Result<()> {
    // All of this before there is a second thread: threads inherit which signals are blocked, and the environment
    // may be changed only now. The program's path is asked for before somebody puts another program there.
    let program = Program::of_this_process()?;
    let arguments = Arguments::parse();
    let inherited = Inherited::take();
    Signals::block()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(process::run(&program, &arguments, inherited))
}
