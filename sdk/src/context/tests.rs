use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::template::{self, Language, Store};

struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    /// A template `py` and a repository with one handler.
    fn new() -> Self {
        let lab = Self { dir: tempfile::tempdir().unwrap() };
        lab.write("templates/py/Dockerfile", "FROM scratch\n");
        lab.write("templates/py/template.yml", "language: py\nfprocess: python3 index.py\nbuild_options:\n- name: dev\n  packages: [make, gcc]\n- name: web\n  packages: [gcc, curl]\n");
        lab.write("templates/py/index.py", "print()\n");
        lab.write("templates/py/function/requirements.txt", "\n");
        lab.write("repo/fn/handler.py", "def handle(): pass\n");
        lab
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn language(&self, lang: &str) -> Language {
        let tree = Tree::new(Folder::new(self.dir.path().join("templates")));
        template::resolve(lang, &[Store::new(tree, RelPath::root(), None)]).unwrap()
    }

    fn plan_with(&self, lang: &str, handler: &str, copy: &[&str], limits: Limits) -> Result<Plan, ContextError> {
        let copy: Vec<String> = copy.iter().map(|path| (*path).to_owned()).collect();
        Plan::lay_out(&Ingredients {
            repository: &Tree::new(Folder::new(self.dir.path().join("repo"))),
            language: &self.language(lang),
            handler,
            copy: &copy,
            build_args: &BTreeMap::new(),
            build_secrets: &BTreeMap::new(),
            build_options: &[],
            limits: &limits,
        })
    }

    fn plan(&self, handler: &str) -> Result<Plan, ContextError> {
        self.plan_with("py", handler, &[], Limits::default())
    }

    fn refusal(&self, handler: &str) -> String {
        self.plan(handler).unwrap_err().to_string()
    }
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.paths().collect()
}

#[test]
fn the_handler_lies_over_the_template() {
    let lab = Lab::new();
    lab.write("repo/fn/sub/x.py", "x");
    let plan = lab.plan("./fn").unwrap();
    assert_eq!(
        paths(&plan),
        [
            "Dockerfile",
            "function/handler.py",
            "function/requirements.txt",
            "function/sub/x.py",
            "index.py",
            "template.yml"
        ]
    );
    lab.write("repo/fn/requirements.txt", "flask\n");
    let own = lab.plan("fn").unwrap();
    assert_eq!(paths(&own), paths(&plan));
    assert_ne!(own.digest().unwrap(), plan.digest().unwrap());
}

#[test]
fn a_dockerfile_function_is_its_folder() {
    let lab = Lab::new();
    lab.write("repo/df/Dockerfile", "FROM scratch\n");
    lab.write("repo/df/build/x", "left out");
    let plan = lab.plan_with("Dockerfile", "df", &[], Limits::default()).unwrap();
    assert_eq!(paths(&plan), ["Dockerfile"]);
    let error = lab.plan_with("dockerfile", "fn", &[], Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "there is no Dockerfile in 'fn'");
}

#[test]
fn the_whole_repository_as_handler_leaves_git_out() {
    let lab = Lab::new();
    for path in [".git/config", "sub/.git", "build/fn/x", "template/py/Dockerfile", "keep/build/x", ".github/w.yml"] {
        lab.write(&format!("repo/{path}"), "x");
    }
    let plan = lab.plan("./").unwrap();
    let own: Vec<&str> = plan.paths().filter_map(|path| path.strip_prefix("function/")).collect();
    assert_eq!(own, [".github/w.yml", "fn/handler.py", "keep/build/x", "requirements.txt"]);
}

#[test]
fn s15_a_handler_outside_the_repository_is_refused() {
    let lab = Lab::new();
    lab.write("secret/key", "s");
    assert_eq!(lab.refusal("../secret"), "handler: '../secret' leaves the repository: name a path inside it");
    assert!(lab.refusal("/etc").contains("absolute path"));
    assert_eq!(
        lab.refusal("nothing"),
        "handler: 'nothing' is not in the repository: check the spelling and whether it is committed"
    );
    assert_eq!(lab.refusal("fn/handler.py"), "handler: 'fn/handler.py' is not a folder");
    assert!(lab.refusal(".git").contains("git's own folder"));
}

#[test]
fn s16_links_out_of_the_repository_are_refused() {
    let lab = Lab::new();
    lab.write("secret/key", "s");
    for (number, target) in
        ["../../secret", "/etc/passwd", "../../../../../../etc/passwd", "x/../../../secret", "../.git/config"]
            .iter()
            .enumerate()
    {
        lab.link(target, &format!("repo/h{number}/bad"));
        let error = lab.refusal(&format!("h{number}"));
        assert!(error.contains("bad") || error.contains(".git"), "{target}: {error}");
    }
    lab.link("../secret", "repo/whole");
    assert_eq!(lab.refusal("whole"), "the link 'whole' leaves the repository: links must stay inside the repository");
}

#[test]
fn s16_links_through_links_do_not_gain_height() {
    let lab = Lab::new();
    lab.write("secret/key", "s");
    // By text `deep/..` stays two folders down; by the file system `deep` leads to the root.
    lab.link("../..", "repo/a/b/deep");
    lab.link("deep/../secret", "repo/a/b/out");
    assert!(lab.refusal("a/b").contains("leaves the repository") || lab.refusal("a/b").contains("back to a folder"));
    lab.link("a/b/deep/../secret", "repo/h/out");
    assert!(lab.plan("h").is_err());
}

#[test]
fn links_that_stay_inside_give_their_content() {
    let lab = Lab::new();
    lab.write("repo/shared/lib.py", "lib");
    lab.link("../shared/lib.py", "repo/fn/lib.py");
    lab.link("../shared", "repo/fn/shared");
    let plan = lab.plan("fn").unwrap();
    assert!(paths(&plan).contains(&"function/lib.py") && paths(&plan).contains(&"function/shared/lib.py"));
    let bytes = plan.write_tar("img", &[], Vec::new()).unwrap();
    assert!(
        tar::Archive::new(&bytes[..]).entries().unwrap().all(|entry| !entry
            .unwrap()
            .header()
            .entry_type()
            .is_symlink())
    );
}

#[test]
fn circles_and_dead_links_are_refused() {
    let lab = Lab::new();
    lab.link("loop", "repo/h1/loop");
    assert!(lab.refusal("h1").contains("round in circles"));
    lab.link("..", "repo/h2/sub/up");
    assert!(lab.refusal("h2").contains("leads back to a folder around it"));
    lab.link("gone.py", "repo/h3/dead");
    assert_eq!(
        lab.refusal("h3"),
        "the link 'h3/dead' points to 'gone.py', which is not in the repository: links must stay inside the repository"
    );
}

#[test]
fn special_files_are_refused() {
    let lab = Lab::new();
    fs::create_dir_all(lab.dir.path().join("repo/h")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(lab.dir.path().join("repo/h/sock")).unwrap();
    assert!(lab.refusal("h").starts_with("'h/sock' is a socket"));
}

#[test]
fn bounds_are_kept() {
    let lab = Lab::new();
    for number in 0..20 {
        lab.write(&format!("repo/many/{number}"), "0123456789");
    }
    let refusal = |limits| lab.plan_with("py", "many", &[], limits).unwrap_err().to_string();
    assert!(refusal(Limits { max_files: 10, ..Limits::default() }).contains("more than 10 files"));
    assert!(refusal(Limits { max_files: 22, ..Limits::default() }).contains("24 files and may have 22"));
    assert!(refusal(Limits { max_total_bytes: 100, ..Limits::default() }).contains("100 bytes"));
    assert!(refusal(Limits { max_file_bytes: 9, ..Limits::default() }).contains("may have 9 bytes"));
    lab.write("repo/deep/a/b/c/d/e", "x");
    let deep = lab.plan_with("py", "deep", &[], Limits { max_depth: 3, ..Limits::default() }).unwrap_err();
    assert!(deep.to_string().contains("3 folders inside each other"));
}

#[test]
fn copies_lie_in_the_handler_at_their_own_path() {
    let lab = Lab::new();
    lab.write("repo/sdk/src/lib.rs", "x");
    lab.write("repo/one.txt", "x");
    let plan = lab.plan_with("py", "fn", &["./sdk", "one.txt"], Limits::default()).unwrap();
    assert!(paths(&plan).contains(&"function/sdk/src/lib.rs") && paths(&plan).contains(&"function/one.txt"));
    let error = lab.plan_with("py", "fn", &["nope"], Limits::default()).unwrap_err().to_string();
    assert!(error.starts_with("configuration.copy: 'nope' is not in the repository"), "{error}");
    lab.link("/etc", "repo/etc");
    assert!(lab.plan_with("py", "fn", &["etc"], Limits::default()).is_err());
}

#[test]
fn a_file_where_the_template_has_a_folder_is_refused() {
    let lab = Lab::new();
    lab.write("templates/py/function/static/a", "x");
    lab.write("repo/fn/static", "x");
    assert!(lab.refusal("fn").starts_with("'function/static' is a file in one place and a folder in another"));
}

#[test]
fn the_digest_sees_content_names_modes_and_arguments_and_nothing_else() {
    let lab = Lab::new();
    let digest = || lab.plan("fn").unwrap().digest().unwrap();
    let first = digest();
    assert_eq!(first, digest());
    assert_eq!((first.label().len(), first.tag().len(), first.to_string().len()), (40, 12, 64));
    let handler = lab.dir.path().join("repo/fn/handler.py");
    fs::File::open(&handler).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(first, digest(), "times do not count");
    fs::set_permissions(&handler, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(first, digest(), "only the execute bit counts");
    fs::set_permissions(&handler, fs::Permissions::from_mode(0o755)).unwrap();
    let executable = digest();
    assert_ne!(first, executable);
    fs::rename(&handler, handler.with_file_name("other.py")).unwrap();
    assert_ne!(executable, digest());
}

#[test]
fn build_options_become_one_sorted_argument() {
    let lab = Lab::new();
    let language = lab.language("py");
    let repository = Tree::new(Folder::new(lab.dir.path().join("repo")));
    let lay_out = |options: &[&str]| {
        Plan::lay_out(&Ingredients {
            repository: &repository,
            language: &language,
            handler: "fn",
            copy: &[],
            build_args: &BTreeMap::from([("ADDITIONAL_PACKAGE".to_owned(), "zip".to_owned())]),
            build_secrets: &BTreeMap::new(),
            build_options: &options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>(),
            limits: &Limits::default(),
        })
    };
    assert_eq!(lay_out(&["web", "dev"]).unwrap().build_args()["ADDITIONAL_PACKAGE"], "curl gcc make zip");
    let error = lay_out(&["x"]).unwrap_err().to_string();
    assert_eq!(error, "the template 'py' has no build option 'x': available are dev, web");
}

#[test]
fn the_tar_is_the_same_every_time_and_of_the_builders_form() {
    let lab = Lab::new();
    lab.write("repo/fn/run.sh", "#!/bin/sh\n");
    fs::set_permissions(lab.dir.path().join("repo/fn/run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    lab.write(&format!("repo/fn/{}/{}", "d".repeat(90), "f".repeat(120)), "long");
    let plan = lab.plan("fn").unwrap();
    let bytes = plan.write_tar("reg/o/r-fn:abc", &[("first.json", b"{}")], Vec::new()).unwrap();
    assert_eq!(
        bytes,
        lab.plan("fn").unwrap().write_tar("reg/o/r-fn:abc", &[("first.json", b"{}")], Vec::new()).unwrap()
    );
    let mut names = Vec::new();
    for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
        let mode = header.mode().unwrap();
        assert_eq!(
            mode,
            if path.ends_with("run.sh") || header.entry_type().is_dir() { 0o755 } else { 0o644 },
            "{path}"
        );
        if path == "com.openfaas.docker.config" {
            let config: serde_json::Value = serde_json::from_reader(&mut entry).unwrap();
            assert_eq!(config, serde_json::json!({"image": "reg/o/r-fn:abc"}));
        }
        names.push(path);
    }
    assert_eq!(names[..3], ["first.json", "com.openfaas.docker.config", "context/"]);
    assert!(
        names.iter().any(|name| name == "context/function/handler.py") && names.iter().any(|name| name.len() > 200)
    );
}

/// The plan of `fn` with these build secrets, each `id=secret` or `id=secret/key`.
fn with_build_secrets(lab: &Lab, secrets: &[&str]) -> Plan {
    let reference = |text: &str| {
        let (secret, key) = text.split_once('/').map_or((text, None), |(secret, key)| (secret, Some(key.to_owned())));
        crate::secrets::SecretRef { secret: secret.parse().unwrap(), key }
    };
    let pairs = secrets.iter().map(|pair| pair.split_once('=').unwrap());
    let build_secrets = pairs.map(|(id, text)| (id.to_owned(), reference(text))).collect();
    Plan { build_secrets, ..lab.plan("fn").unwrap() }
}

#[test]
fn the_digest_covers_which_secrets_a_build_gets_and_never_what_they_are() {
    let lab = Lab::new();
    let digest = |secrets: &[&str]| with_build_secrets(&lab, secrets).digest().unwrap();
    assert_eq!(digest(&[]), lab.plan("fn").unwrap().digest().unwrap());
    let all = [&[][..], &["a=npm"], &["b=npm"], &["a=npm2"], &["a=npm/x"], &["a=npm", "b=npm"]];
    let digests: std::collections::HashSet<String> = all.iter().map(|secrets| digest(secrets).to_string()).collect();
    assert_eq!(digests.len(), all.len());
    let sealed = with_build_secrets(&lab, &["a=npm"]).with_sealed("version: v1".to_owned());
    assert_eq!(sealed.digest().unwrap(), digest(&["a=npm"]));
}

#[test]
fn sealed_build_secrets_lie_between_the_config_and_the_context() {
    let lab = Lab::new();
    let plan = with_build_secrets(&lab, &["a=npm"]);
    let error = plan.write_tar("img", &[], Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "the build secrets are not sealed for the builder");
    let bytes = plan.with_sealed("version: v1\n".to_owned()).write_tar("img", &[], Vec::new()).unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let names: Vec<String> =
        (archive.entries().unwrap()).map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names[..3], ["com.openfaas.docker.config", "com.openfaas.secrets", "context/"]);
    assert!(!lab.plan("fn").unwrap().write_tar("img", &[], Vec::new()).unwrap().windows(8).any(|w| w == b".secrets"));
}

#[test]
fn small_files_are_read_as_bounded_text() {
    let lab = Lab::new();
    lab.write("repo/stack.yml", "\u{feff}a: b");
    fs::write(lab.dir.path().join("repo/bin"), [0xff, 0xfe]).unwrap();
    let tree: Arc<Tree> = Tree::new(Folder::new(lab.dir.path().join("repo")));
    let read = |path: &str, max| tree.read_text(&path.parse().unwrap(), max);
    assert_eq!(read("stack.yml", 100).unwrap().unwrap(), "a: b");
    assert!(read("absent", 100).unwrap().is_none());
    assert_eq!(read("stack.yml", 3).unwrap_err().to_string(), "'stack.yml' has 7 bytes and may have 3 bytes");
    assert_eq!(read("bin", 9).unwrap_err().to_string(), "'bin' is not UTF-8 text");
    assert!(read("fn", 9).is_err());
    assert!(Path::new("repo").is_relative());
}
