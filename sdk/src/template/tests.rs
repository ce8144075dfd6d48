use super::*;
use crate::context::{Folder, RelPath, Tree};

fn store(names: &[(&str, &str)], reference: Option<&str>) -> (tempfile::TempDir, Arc<Store>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, spec) in names {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("template.yml"), spec).unwrap();
    }
    let tree = Tree::new(Folder::new(dir.path()));
    (dir, Store::new(tree, RelPath::root(), reference.map(str::to_owned)))
}

fn template(language: Language) -> Arc<Template> {
    match language {
        Language::Template(template) => template,
        Language::Dockerfile => panic!("a template was expected"),
    }
}

#[test]
fn the_first_store_wins() {
    let (_one, first) = store(&[("py", "fprocess: first")], None);
    let (_two, second) =
        store(&[("py", "fprocess: second"), ("go", "handler_folder: src/fn\nwelcome_message: |\n  hi\n")], None);
    let stores = [first, second];
    assert_eq!(resolve("py", &stores).unwrap().fprocess(), Some("first"));
    let go = template(resolve("go", &stores).unwrap());
    assert_eq!(go.handler_folder().as_str(), "src/fn");
    assert_eq!(template(resolve("py", &stores).unwrap()).handler_folder().as_str(), "function");
}

#[test]
fn an_unknown_template_names_those_that_there_are() {
    let (_dir, store) = store(&[("py", ""), ("go", ""), (".git", "")], None);
    let error = resolve("ruby", &[store]).unwrap_err().to_string();
    assert_eq!(error, "there is no template 'ruby': available are dockerfile, go, py");
}

#[test]
fn a_reference_means_that_state_only() {
    let (_one, main) = store(&[("py", "fprocess: main")], None);
    let (_two, tagged) = store(&[("py", "fprocess: tagged")], Some("1.0"));
    let stores = [main, tagged];
    assert_eq!(resolve("py@1.0", &stores).unwrap().fprocess(), Some("tagged"));
    assert_eq!(resolve("py", &stores).unwrap().fprocess(), Some("main"));
    assert!(resolve("py@2.0", &stores).unwrap_err().to_string().contains("'py@2.0'"));
}

#[test]
fn names_cannot_be_paths() {
    for bad in ["../py", "a/b", ".git", "py@", "py@../x", "py@-x", "", "a b", "py@a@b"] {
        assert!(matches!(resolve(bad, &[]), Err(TemplateError::BadName { .. })), "{bad}");
    }
    assert!(matches!(resolve("Dockerfile", &[]).unwrap(), Language::Dockerfile));
}

#[test]
fn broken_templates_are_told_from_missing_ones() {
    let (_dir, store) =
        store(&[("bad", "build_options: 3"), ("out", "handler_folder: ../../x"), ("empty", "# nothing\n")], None);
    let stores = [store];
    assert!(resolve("bad", &stores).unwrap_err().to_string().starts_with("the template 'bad' is broken: template.yml"));
    assert!(resolve("out", &stores).unwrap_err().to_string().contains("leaves the repository"));
    assert_eq!(resolve("empty", &stores).unwrap().fprocess(), None);
}
