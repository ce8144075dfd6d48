//! The process of a function's container.

use std::process::ExitCode;

fn main() -> ExitCode {
    openfaas_runtime::run(function::router)
}
