//! `layout.sh` on build contexts as faas-cli puts them together, and the starter beside the template.

#![expect(clippy::unwrap_used, reason = "test helper")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A folder that holds the template and one function made from the starter.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        project.copy(&template(), "template/rust");
        project.copy(&template().join("function"), "hello");
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        assert!(
            Command::new("cp")
                .arg("-RL")
                .arg(from)
                .arg(to)
                .status()
                .unwrap()
                .success()
        );
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What faas-cli does before a build: the template, the handler in it, the copied folders in the handler.
    fn shrinkwrap(&self, copied: &[&str]) {
        self.copy(&template(), "context");
        fs::remove_dir_all(self.path("context/function")).unwrap();
        self.copy(&self.path("hello"), "context/function");
        for folder in copied {
            self.copy(&self.path(folder), &format!("context/function/{folder}"));
        }
    }

    fn layout(&self, step: &str, from: &str, to: &str) -> Output {
        let script = template().join("layout.sh");
        Command::new("sh")
            .arg(script)
            .arg(step)
            .arg(self.path(from))
            .arg(self.path(to))
            .output()
            .unwrap()
    }

    fn lay_out(&self) {
        for (step, from, to) in [("sources", "context", "src"), ("plan", "src", "plan")] {
            let output = self.layout(step, from, to);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn refused(&self) -> String {
        let output = self.layout("sources", "context", "src");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// Names of the packages that cargo finds in a laid-out workspace.
    fn members(&self, folder: &str) -> Vec<String> {
        let output = cargo(
            &self.path(folder),
            &["metadata", "--offline", "--no-deps", "--format-version", "1"],
        );
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let mut names: Vec<_> = packages
            .iter()
            .map(|package| package["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }
}

fn cargo(folder: &Path, args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn the_starter_passes_its_tests_beside_the_template() {
    let project = Project::new();
    // The versions that are compiled already.
    project.copy(&template().join("Cargo.lock"), "hello/Cargo.lock");
    let output = cargo(&project.path("hello"), &["test", "--offline", "--lib"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 passed"));
}

#[test]
fn a_function_of_any_name_becomes_the_process() {
    let project = Project::new();
    let manifest = project
        .read("hello/Cargo.toml")
        .replace("name = \"function\"", "name = \"ada-greets\"");
    project.write("hello/Cargo.toml", &manifest);
    project.shrinkwrap(&[]);
    project.lay_out();
    assert!(project.read("src/main/Cargo.toml").contains("package = \"ada-greets\""));
    assert_eq!(project.members("src"), ["ada-greets", "function-main"]);
}

#[test]
fn the_plan_has_no_sources_of_the_handler() {
    let project = Project::new();
    project.shrinkwrap(&[]);
    project.lay_out();
    assert_eq!(project.read("plan/function/src/lib.rs"), "fn main() {}\n");
    assert_eq!(
        project.read("plan/function/Cargo.toml"),
        project.read("src/function/Cargo.toml")
    );
    assert!(
        project
            .read("plan/template/rust/runtime/src/lib.rs")
            .contains("pub use run::run")
    );
    assert!(project.path("plan/Cargo.lock").exists() && !project.path("src/Cargo.lock").exists());
    assert_eq!(project.members("plan"), project.members("src"));
}

#[test]
fn targets_that_a_manifest_names_are_planned() {
    let project = Project::new();
    let manifest = project.read("hello/Cargo.toml") + "\n[[bin]]\nname = \"tool\"\npath = \"tools/tool.rs\"\n";
    project.write("hello/Cargo.toml", &manifest);
    project.write("hello/tools/tool.rs", "fn main() { println!(\"real\") }\n");
    project.write("hello/build.rs", "fn main() { println!(\"real\") }\n");
    project.shrinkwrap(&[]);
    project.lay_out();
    for target in ["tools/tool.rs", "build.rs"] {
        assert_eq!(project.read(&format!("plan/function/{target}")), "fn main() {}\n");
    }
    project.members("plan");
}

#[test]
fn copied_folders_go_where_the_manifests_say() {
    let project = Project::new();
    let needs = "\n[dependencies.shared]\npath = \"../libs/shared\"\n";
    project.write("hello/Cargo.toml", &(project.read("hello/Cargo.toml") + needs));
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    project.write(
        "libs/shared/Cargo.toml",
        &(package("shared") + "[dependencies]\ndeeper = { path = \"../deeper\" }\n"),
    );
    project.write("libs/shared/src/lib.rs", "");
    project.write("libs/deeper/Cargo.toml", &package("deeper"));
    project.write("libs/deeper/src/lib.rs", "");
    project.write("data/words.txt", "not named by anything");
    project.shrinkwrap(&["libs", "data"]);
    project.lay_out();
    assert_eq!(
        project.members("src"),
        ["deeper", "function", "function-main", "shared"]
    );
    assert!(project.path("src/function/data/words.txt").exists());
}

#[test]
fn a_copied_folder_may_bring_the_root_manifest() {
    let project = Project::new();
    let root = "[workspace]\nresolver = \"3\"\nmembers = [\n    \"sdk\",\n    \"hello\",\n    \"elsewhere\",\n]\n\
                exclude = [\"template\", \"more\"]\n\n[workspace.package]\nversion = \"7.0.0\"\nedition = \"2024\"\n\n\
                [workspace.dependencies]\nsdk = { path = \"sdk\" }\naxum = { version = \"0.8\", default-features = false }\n\
                openfaas-runtime = { path = \"template/rust/runtime\" }\nelsewhere = { path = \"elsewhere\" }\n";
    let inherits =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion.workspace = true\nedition.workspace = true\n");
    let needs = "[dependencies]\nsdk.workspace = true\naxum.workspace = true\nopenfaas-runtime.workspace = true\n";
    project.write("hello/Cargo.toml", &(inherits("hello") + needs));
    project.write("sdk/Cargo.toml", &inherits("sdk"));
    project.write("sdk/src/lib.rs", "");
    project.write("sdk/workspace.toml", root);
    project.write(
        "sdk/workspace.lock",
        &fs::read_to_string(template().join("Cargo.lock")).unwrap(),
    );
    project.shrinkwrap(&["sdk"]);
    project.lay_out();
    let laid_out = project.read("src/Cargo.toml");
    assert!(
        !laid_out.contains("\"more\"") && laid_out.contains("version = \"7.0.0\""),
        "{laid_out}"
    );
    assert_eq!(project.members("src"), ["function-main", "hello", "sdk"]);
}

#[test]
fn what_is_not_a_function_is_refused_in_a_sentence() {
    let project = Project::new();
    fs::remove_file(project.path("hello/src/lib.rs")).unwrap();
    project.shrinkwrap(&[]);
    assert!(
        project
            .refused()
            .contains("the handler has no src/lib.rs; it must export")
    );
    fs::remove_file(project.path("context/function/Cargo.toml")).unwrap();
    assert!(project.refused().contains("the handler has no Cargo.toml"));
}
