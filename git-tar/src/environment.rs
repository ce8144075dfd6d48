//! `environment` and `environment_file` of a function, put together as faas-cli does: a file wins over what is
//! written in the stack file, and a later file over an earlier one.

use std::collections::BTreeMap;
use std::sync::Arc;

use sdk::context::{RelPath, Tree};
use sdk::stack::{Function, StackError, parse_environment};

use crate::problem::Problem;

/// The largest environment file in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// All variables of a function.
pub(crate) fn environment(function: &Function, repository: &Arc<Tree>) -> Result<BTreeMap<String, String>, Problem> {
    let mut variables = function.environment.clone();
    for file in &function.environment_files {
        variables.extend(read(function, file, repository)?);
    }
    Ok(variables)
}

fn read(function: &Function, file: &str, repository: &Arc<Tree>) -> Result<BTreeMap<String, String>, Problem> {
    let refused = |problem: String| Problem::Function {
        function: function.name.clone(),
        problem: format!("environment_file: {problem}"),
    };
    let path: RelPath = file.parse().map_err(|error: sdk::context::InvalidPath| refused(error.to_string()))?;
    let text = repository.read_text(&path, MAX_FILE).map_err(|error| refused(error.to_string()))?;
    let text = text.ok_or_else(|| refused(format!("'{path}' is not in the repository")))?;
    parse_environment(&text).map_err(|problem: StackError| refused(format!("'{path}': {problem}")))
}
