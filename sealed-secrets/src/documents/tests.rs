use proptest::prelude::*;

use super::*;

/// What kubeseal writes, in its present release.
const KUBESEAL: &str = "\
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  creationTimestamp: null
  name: alice-db
  namespace: openfaas-fn
spec:
  encryptedData:
    password: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq
    url: AgAr
  template:
    metadata:
      creationTimestamp: null
      name: alice-db
      namespace: openfaas-fn
    type: Opaque
";

fn read(text: &str) -> Result<Vec<SealedSecret>, String> {
    parse(text, &Limits::default()).map_err(|error| error.to_string())
}

/// kubeseal's document with a text in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(KUBESEAL.contains(old), "{old}");
    KUBESEAL.replacen(old, new, 1)
}

fn refused(text: &str) -> String {
    read(text).unwrap_err()
}

fn secret(name: &str) -> SealedSecret {
    let encrypted_data = [("password".to_owned(), "AgBy".to_owned())].into();
    SealedSecret {
        name: name.to_owned(),
        namespace: "openfaas-fn".to_owned(),
        encrypted_data,
        ..SealedSecret::default()
    }
}

#[test]
fn kubeseals_files_are_read() {
    let all = read(&KUBESEAL.repeat(2).replacen("alice-db", "alice-mail", 2)).unwrap();
    assert_eq!(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["alice-mail", "alice-db"]);
    assert_eq!(all[1].namespace, "openfaas-fn");
    assert_eq!(all[1].encrypted_data.keys().collect::<Vec<_>>(), ["password", "url"]);
    assert_eq!(all[1].encrypted_data["url"], "AgAr");
    // Older releases.
    let older = with("  template:\n", "  template:\n    data: null\n    immutable: false\n") + "status: {}\n";
    assert_eq!(read(&older).unwrap(), all[1..]);
    let json = r#"{"kind": "SealedSecret", "apiVersion": "bitnami.com/v1alpha1", "metadata": {"name": "alice-db",
        "namespace": "openfaas-fn", "creationTimestamp": null}, "spec": {"template": {"metadata": {"name": "alice-db",
        "namespace": "openfaas-fn", "creationTimestamp": null}, "data": null}, "encryptedData":
        {"password": "AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq", "url": "AgAr"}}}"#;
    assert_eq!(read(json).unwrap(), all[1..]);
}

#[test]
fn a_file_may_be_empty_and_a_document_too() {
    for empty in ["", "\n", "# nothing yet\n", "---\n---\n# x\n", "---\n~\n"] {
        assert_eq!(read(empty).unwrap(), [], "{empty:?}");
    }
    assert_eq!(read(&format!("# mine\n{KUBESEAL}...\n---\n")).unwrap().len(), 1);
    assert_eq!(read(&KUBESEAL.replace('\n', "\r\n")).unwrap(), read(KUBESEAL).unwrap());
}

#[test]
fn what_is_not_sealed_is_said_so_plainly() {
    let plain = "kind: Secret\napiVersion: v1\nmetadata: {name: a}\nstringData: {password: hunter2}\n";
    insta::assert_snapshot!(refused(plain), @"line 1: this secret is not sealed: everybody who can read the repository can read its values. Seal it with `ofc seal`; if it was pushed anywhere, its values have to be changed");
    let error = refused(&with("AgAr", "hunter-2"));
    insta::assert_snapshot!(error, @"line 11: the value of 'url' is not sealed: put it in with `ofc seal`; if it is a real one and was pushed, it has to be changed");
    for value in ["''", "12", "[a]", "{a: b}", "true", "'a b'"] {
        assert!(refused(&with("AgAr", value)).contains("'url' is not sealed"), "{value}");
    }
    let copy =
        with("  name:", "  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: hunter2\n  name:");
    assert!(refused(&copy).contains("in the clear") && !refused(&copy).contains("hunter2"));
}

#[test]
fn every_part_that_is_not_taken_says_what_to_do() {
    let spec = |line: &str| refused(&with("spec:\n", &format!("spec:\n  {line}\n")));
    let template = |line: &str| refused(&with("    type: Opaque", &format!("    {line}")));
    let note = |line: &str| refused(&with("      name:", &format!("      annotations:\n        {line}\n      name:")));
    let outer = |line: &str| refused(&with("  name:", &format!("  annotations:\n    {line}\n  name:")));
    insta::assert_snapshot!(spec("data: AgBy"), @"line 9: 'spec.data' is of an old form that seals all values as one: seal the secret again");
    insta::assert_snapshot!(spec("encryptedDat: {}"), @"line 9: 'encryptedDat' is no part of 'spec'");
    insta::assert_snapshot!(template("data: {url: '{{ .password }}'}"), @"line 17: 'spec.template.data' is not taken: seal the finished values, one for each key");
    insta::assert_snapshot!(template("type: kubernetes.io/tls"), @"line 17: functions mount secrets of the type Opaque alone: seal it with 'type: Opaque'");
    insta::assert_snapshot!(template("immutable: true"), @"line 17: an immutable secret could not be changed by a push: remove 'immutable'");
    insta::assert_snapshot!(template("stringData: {}"), @"line 17: 'stringData' is no part of 'spec.template'");
    insta::assert_snapshot!(outer("sealedsecrets.bitnami.com/cluster-wide: 'true'"), @"line 7: a secret that is sealed cluster-wide could be used under other names: seal it in the strict scope");
    insta::assert_snapshot!(note("sealedsecrets.bitnami.com/namespace-wide: true"), @"line 16: a secret that is sealed namespace-wide could be used under other names: seal it in the strict scope");
    insta::assert_snapshot!(note("sealedsecrets.bitnami.com/patch: 'true'"), @"line 16: the annotation sealedsecrets.bitnami.com/patch is not taken: remove it");
    insta::assert_snapshot!(note("a: 1"), @"line 16: the values of annotations are text: put this one in quotes");
    insta::assert_snapshot!(refused(&with("      name: alice-db", "      name: bob-db")), @"line 15: 'spec.template.metadata.name' differs from 'metadata.name': a secret has one name");
}

#[test]
fn other_documents_and_missing_parts_are_refused() {
    insta::assert_snapshot!(refused(&with("kind: SealedSecret", "kind: ConfigMap")), @"line 3: only documents with 'kind: SealedSecret' may be in the file: move this one elsewhere");
    insta::assert_snapshot!(refused(&with("v1alpha1", "v1")), @"line 2: 'apiVersion' has to be bitnami.com/v1alpha1");
    insta::assert_snapshot!(refused(&with("kind: SealedSecret\n", "")), @"line 2: 'kind' is missing: is this a sealed secret?");
    insta::assert_snapshot!(refused(&with("  namespace: openfaas-fn\n", "")), @"line 5: 'metadata.namespace' is missing: a value is sealed for one namespace, for example openfaas-fn");
    insta::assert_snapshot!(refused(&with("    password: AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq\n    url: AgAr\n", "")), @"line 9: the secret has no values: remove the document, or seal some");
    insta::assert_snapshot!(refused("- a\n- b\n"), @"line 1: a sealed secret ('apiVersion: bitnami.com/v1alpha1') has to be a mapping ('key: value')");
    for name in ["Alice", "a_b", "-a", "a-", "''", "a..b", "a/b", "1.5", &"a".repeat(254)] {
        assert!(
            refused(&with("  name: alice-db", &format!("  name: {name}"))).contains("'metadata.name' needs"),
            "{name}"
        );
    }
}

#[test]
fn keys_are_file_names() {
    for key in ["tls.crt", "API_KEY", "-x", ".env", "a", &"k".repeat(128)] {
        assert!(read(&with("    url:", &format!("    {key}:"))).is_ok(), "{key}");
    }
    for key in ["..", ".", "../x", "..data", "a/b", "'a b'", "'é'", "''", "\"a\\0\"", &"k".repeat(129)] {
        let error = refused(&with("    url:", &format!("    {key}:")));
        assert!(error.starts_with("line 11: the key '") && error.contains("is no file name"), "{key}: {error}");
    }
}

#[test]
fn doubles_are_refused_with_both_places() {
    insta::assert_snapshot!(refused(&KUBESEAL.repeat(2)), @"line 19: the secret alice-db is there already in line 2: put its keys together");
    insta::assert_snapshot!(refused(&with("    url:", "    password:")), @"line 11: the key 'password' is there twice");
    assert_eq!(read(&(KUBESEAL.to_owned() + &KUBESEAL.replace("openfaas-fn", "other"))).unwrap().len(), 2);
}

#[test]
fn limits_are_kept() {
    let many = |count: usize| (0..count).map(|n| to_yaml(&secret(&format!("s-{n}")))).collect::<String>();
    assert_eq!(read(&many(256)).unwrap().len(), 256);
    let too_many = "a file may have 256 secrets with 1000 values at most: divide them among several repositories";
    assert!(refused(&many(257)).ends_with(too_many));
    assert!(refused(&many(1000)).ends_with(too_many));
    let mut wide = secret("wide");
    wide.encrypted_data = (0..1001).map(|n| (format!("k{n}"), "AgBy".to_owned())).collect();
    assert!(refused(&to_yaml(&wide)).ends_with(too_many));
    let long = format!("#{}", "x".repeat(2 * 1024 * 1024));
    assert!(refused(&long).starts_with("the file has 2097153 bytes"));
    assert!(refused(&with("AgAr", &"A".repeat(1_500_000))).contains("longer than any sealed value"));
}

#[test]
fn bombs_are_refused() {
    let lol = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
               d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert!(refused(lol).contains("larger or deeper than any sealed secret"), "{}", refused(lol));
    let deep = format!("a: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert!(read(&deep).is_err());
    let long = with("AgAr", &format!("AgAr\n{}", "    k: &k v\n".repeat(200)));
    assert!(read(&long).is_err());
    let wide: String = (0..30_000).map(|n| format!("k{n}: v\n")).collect();
    assert!(refused(&wide).contains("larger or deeper"));
}

#[test]
fn broken_yaml_is_placed_and_repeats_nothing_of_the_file() {
    let broken = KUBESEAL.to_owned() + &with("alice-db", "alice-x").replace("    url: AgAr", "    url: \"hunter2");
    let error = refused(&broken);
    assert!(error.starts_with("line ") && !error.contains("hunter2"), "{error}");
    insta::assert_snapshot!(refused("%YAML 1.2\n---\na: b\n"), @"line 1: YAML directives ('%') are not taken: remove the line");
    assert!(read("a: b\n...\nc: d\n").is_err());
    assert!(read("a: b\r---\rc: d\r").is_err());
    assert!(read("a: *nothing\n").unwrap_err().contains("line 1"));
    assert!(read("\u{0}").is_err());
}

#[test]
fn writing_is_deterministic_and_reads_back() {
    let mut document = secret("alice-db");
    document.set_fingerprint("ab12");
    document.set_stage("https://system.example.com");
    document.encrypted_data.insert("no".to_owned(), "AgA+/=".to_owned());
    document.template_labels.insert("team".to_owned(), "a \"b\"\n\u{7f}ü".to_owned());
    insta::assert_snapshot!(to_yaml(&document), @r#"
    ---
    apiVersion: bitnami.com/v1alpha1
    kind: SealedSecret
    metadata:
      annotations:
        com.openfaas.cloud/sealing-certificate: ab12
        com.openfaas.cloud/sealing-stage: "https://system.example.com"
      name: alice-db
      namespace: openfaas-fn
    spec:
      encryptedData:
        "no": AgA+/=
        password: AgBy
      template:
        metadata:
          labels:
            team: "a \"b\"\u000A\u007Fü"
          name: alice-db
          namespace: openfaas-fn
        type: Opaque
    "#);
    assert_eq!(read(&to_yaml(&document)).unwrap(), [document]);
}

#[test]
fn a_document_is_added_and_the_rest_stays_byte_for_byte() {
    let text = put("", &secret("alice-db")).unwrap();
    assert_eq!(text, to_yaml(&secret("alice-db")));
    let before = "# ours\r\n---   # kept\n".to_owned() + KUBESEAL.trim_start_matches("---\n").trim_end();
    let after = put(&before, &secret("alice-mail")).unwrap();
    assert_eq!(after, format!("{before}\n{}", to_yaml(&secret("alice-mail"))));
    assert_eq!(put(&after, &secret("alice-mail")).unwrap(), after);
}

#[test]
fn a_document_is_replaced_between_its_comments() {
    let third = with("alice-db", "alice-mail").replace("alice-db", "alice-mail");
    let text = format!("# top\n{}# after db\n\n---\n# the mail\n{}", KUBESEAL, &third[4..]);
    let replaced = put(&text, &secret("alice-db")).unwrap();
    assert_eq!(
        replaced,
        format!("# top\n{}# after db\n\n---\n# the mail\n{}", to_yaml(&secret("alice-db")), &third[4..])
    );
    let last = put(&text, &secret("alice-mail")).unwrap();
    assert_eq!(
        last,
        format!("# top\n{KUBESEAL}# after db\n\n---\n# the mail\n{}", &to_yaml(&secret("alice-mail"))[4..])
    );
    // Without a marker, and with content on the marker's line.
    let bare = put(&KUBESEAL[4..], &secret("alice-db")).unwrap();
    assert_eq!(bare, &to_yaml(&secret("alice-db"))[4..]);
    let json = "--- {\"kind\": \"SealedSecret\", \"apiVersion\": \"bitnami.com/v1alpha1\", \"metadata\": {\"name\": \"alice-db\", \
                \"namespace\": \"openfaas-fn\"}, \"spec\": {\"encryptedData\": {\"a\": \"AgBy\"}}}\n";
    assert_eq!(put(json, &secret("alice-db")).unwrap(), to_yaml(&secret("alice-db")));
}

#[test]
fn nothing_is_put_into_a_file_that_is_not_understood_nor_what_would_not_be_read() {
    assert!(put("kind: ConfigMap\napiVersion: v1\n", &secret("alice-db")).is_err());
    assert!(put(KUBESEAL, &secret("Alice")).unwrap_err().message.contains("metadata.name"));
    let empty = SealedSecret { encrypted_data: BTreeMap::new(), ..secret("alice-x") };
    assert!(put(KUBESEAL, &empty).unwrap_err().message.contains("no values"));
}

#[test]
fn several_are_put_at_once_or_none() {
    let text = put(KUBESEAL, &secret("alice-mail")).unwrap() + "# end\n";
    let mut changed = [secret("alice-x"), secret("alice-mail"), secret("alice-db")];
    for document in &mut changed {
        document.set_fingerprint("ab12");
    }
    let after = put_all(&text, &changed).unwrap();
    let [x, mail, db] = changed.each_ref().map(to_yaml);
    assert_eq!(after, format!("{db}{mail}# end\n{x}"));
    changed[0].name = "Bad".to_owned();
    assert!(put_all(&text, &changed).is_err());
    let twice = put_all("", &[secret("alice-x"), secret("alice-x")]);
    assert!(twice.unwrap_err().message.contains("there already"));
}

fn document() -> impl Strategy<Value = SealedSecret> {
    let texts = || proptest::collection::btree_map("[a-z./]{1,12}", any::<String>(), 0..3);
    let values =
        proptest::collection::btree_map("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,10}", "[A-Za-z0-9+/]{1,80}={0,2}", 1..4);
    ("[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8})?", texts(), texts(), texts(), values).prop_map(
        |(name, labels, annotations, template_labels, encrypted_data)| SealedSecret {
            name,
            namespace: "openfaas-fn".to_owned(),
            labels,
            annotations,
            template_labels,
            template_annotations: BTreeMap::new(),
            encrypted_data,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_written_reads_back(document in document()) {
        let text = to_yaml(&document);
        prop_assert_eq!(read(&text), Ok(vec![document]), "{}", text);
    }

    #[test]
    fn putting_touches_one_document(all in proptest::collection::vec(document(), 1..5), which in any::<prop::sample::Index>()) {
        let distinct: BTreeMap<String, SealedSecret> = all.into_iter().map(|one| (one.name.clone(), one)).collect();
        let text = put_all("", &distinct.into_values().collect::<Vec<_>>()).unwrap();
        let before = read(&text).unwrap();
        let at = which.index(before.len());
        let mut changed = before[at].clone();
        changed.encrypted_data.insert("new".to_owned(), "AgBy".to_owned());
        let after = put(&text, &changed).unwrap();
        let mut expected = before;
        expected[at] = changed;
        prop_assert_eq!(read(&after), Ok(expected));
    }

    #[test]
    fn no_text_upsets_the_reader(text in "[-#:a \n{}\\[\\]'\"&*|>.%?!]{0,200}") {
        let _ = read(&text);
        let pieces = pieces::of(&text);
        prop_assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), text);
    }
}
