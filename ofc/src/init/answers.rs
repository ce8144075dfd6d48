//! A new configuration from a few questions.

use std::path::PathBuf;

use of_router::Domain;

use super::ask::Ask;
use crate::config_file::{
    Acme, AppSettings, ConfigFile, GITHUB, Github, Gitlab, Listen, Registry, SignIn, Source, Store, Target, Tenants,
    Tls, parse_address,
};
use crate::report::Trouble;

/// What was given as options, and is not asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) domain: Option<String>,
    pub(crate) target: Option<Target>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    Local,
    Github,
    Gitlab,
}

/// Asks for what has no sensible default. The answers are checked again as the file that they make.
///
/// # Errors
/// When nobody answers, or what was answered does not go together.
pub(crate) fn configuration(ask: &mut Ask<'_>, given: &Given, folder: PathBuf) -> anyhow::Result<ConfigFile> {
    let domain = match &given.domain {
        Some(domain) => parse_domain(domain).map_err(|sentence| Trouble::usage(format!("--domain {sentence}")))?,
        None => ask.line("Domain below which functions are served", "localhost", parse_domain)?,
    };
    let target = match given.target {
        Some(target) => target,
        None => ask.choice("What it runs as", Target::WORDS, "up")?,
    };
    let hosts = [("local", Host::Local), ("github", Host::Github), ("gitlab", Host::Gitlab)];
    let usual = if domain.as_str() == "localhost" { "local" } else { "github" };
    let source = source(ask, ask_host(ask_words(target, &hosts), usual))?;
    let tenants = if source == Source::Local { Tenants::OfTheHost } else { tenants(ask)? };
    let sign_in = sign_in(ask, &source)?;
    let tls = tls(ask, &domain, target)?;
    let registry = registry(ask, target)?;
    let store = if target == Target::Kubernetes { bucket(ask)? } else { Store::Directory };
    let config = base(folder, domain, target);
    let listen = Listen::usual(&tls);
    Ok(ConfigFile { source, tenants, sign_in, tls, listen, registry, store, ..config })
}

/// What an installation has that says nothing.
pub(crate) fn base(folder: PathBuf, domain: Domain, target: Target) -> ConfigFile {
    ConfigFile {
        folder,
        domain,
        build_branch: None,
        target,
        data: target.usual_data(),
        listen: Listen::usual(&Tls::Off),
        source: Source::Local,
        tenants: Tenants::OfTheHost,
        operators: Vec::new(),
        sign_in: SignIn::Local,
        tls: Tls::Off,
        registry: None,
        store: Store::Directory,
        limits: Vec::new(),
        scale_to_zero: true,
        templates: Vec::new(),
        dockerfiles: true,
        prometheus: None,
        sealing_key_days: crate::config_file::SEALING_KEY_DAYS,
    }
}

fn parse_domain(text: &str) -> Result<Domain, String> {
    text.parse::<Domain>().map_err(|error| error.to_string())
}

/// In a cluster there is no git host of the platform's own.
fn ask_words(target: Target, hosts: &[(&'static str, Host)]) -> Vec<(&'static str, Host)> {
    hosts.iter().copied().filter(|(_, host)| target != Target::Kubernetes || *host != Host::Local).collect()
}

type HostQuestion = (Vec<(&'static str, Host)>, &'static str);

fn ask_host(words: Vec<(&'static str, Host)>, usual: &'static str) -> HostQuestion {
    let usual = if words.iter().any(|(word, _)| *word == usual) { usual } else { "github" };
    (words, usual)
}

fn source(ask: &mut Ask<'_>, (words, usual): HostQuestion) -> anyhow::Result<Source> {
    match ask.choice("Where repositories are", &words, usual)? {
        Host::Local => Ok(Source::Local),
        Host::Github => {
            let url = ask.line("Address of GitHub", GITHUB, parse_address)?;
            let organisation =
                ask.line("Organisation that shall own the GitHub App (empty: yourself)", "", optional)?;
            let app = AppSettings { organisation, public: true, ..AppSettings::default() };
            Github::at(url, None, app).map(Source::Github).ok_or_else(|| Trouble::new("GitHub has no address").into())
        }
        Host::Gitlab => {
            let url = ask.line("Address of GitLab", "https://gitlab.com", parse_address)?;
            Ok(Source::Gitlab(Gitlab { url, topic: None }))
        }
    }
}

fn optional(text: &str) -> Result<Option<String>, String> {
    match text {
        "" => Ok(None),
        login if login.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => Ok(Some(login.to_owned())),
        _ => Err("a login has letters, digits and hyphens".to_owned()),
    }
}

fn tenants(ask: &mut Ask<'_>) -> anyhow::Result<Tenants> {
    ask.line("Who may deploy: logins with commas between, or the address of a list", "", |text| {
        if text.contains("://") {
            return parse_address(text).map(Tenants::At);
        }
        let all: Vec<String> = text.split(',').map(|login| login.trim().to_owned()).filter(|l| !l.is_empty()).collect();
        let tenants = sdk::customers::parse(&all.join("\n")).map_err(|error| error.cause.to_string())?;
        if tenants.is_empty() { Err("at least one login is needed".to_owned()) } else { Ok(Tenants::List(all)) }
    })
}

fn sign_in(ask: &mut Ask<'_>, source: &Source) -> anyhow::Result<SignIn> {
    match source {
        Source::Local => Ok(SignIn::Local),
        Source::Github(github) => Ok(SignIn::Github { url: github.url.clone(), client_id: None }),
        Source::Gitlab(gitlab) => {
            let question = "Application id at GitLab by which people sign in (empty: nobody signs in)";
            let client_id = ask.line(question, "", |text| Ok(text.to_owned()))?;
            let url = gitlab.url.clone();
            Ok(if client_id.is_empty() { SignIn::Off } else { SignIn::Gitlab { url, client_id } })
        }
    }
}

#[derive(Clone, Copy)]
enum Encryption {
    Off,
    Proxy,
    Files,
    Acme,
}

fn tls(ask: &mut Ask<'_>, domain: &Domain, target: Target) -> anyhow::Result<Tls> {
    use Encryption::{Acme as ByAcme, Files, Off, Proxy};
    if domain.as_str() == "localhost" || domain.as_str().ends_with(".localhost") {
        return Ok(Tls::Off);
    }
    if target == Target::Kubernetes {
        return Ok(Tls::Proxy);
    }
    let words = [("acme", ByAcme), ("files", Files), ("proxy", Proxy), ("off", Off)];
    match ask.choice("Who ends encryption", &words, "acme")? {
        Off => Ok(Tls::Off),
        Proxy => Ok(Tls::Proxy),
        Files => {
            let path = |text: &str| if text.is_empty() { Err("a file".to_owned()) } else { Ok(PathBuf::from(text)) };
            let certificate = ask.line("Certificate (PEM)", "/etc/ofc/tls.crt", path)?;
            Ok(Tls::Files { certificate, private_key: ask.line("Its private key (PEM)", "/etc/ofc/tls.key", path)? })
        }
        ByAcme => acme(ask),
    }
}

fn acme(ask: &mut Ask<'_>) -> anyhow::Result<Tls> {
    let email = ask.line("Mail address for the authority (empty: none)", "", |text| match text {
        "" => Ok(None),
        mail if mail.contains('@') && !mail.contains([' ', ',', ':']) => Ok(Some(mail.to_owned())),
        _ => Err("it is no mail address".to_owned()),
    })?;
    let yes_no = [("yes", true), ("no", false)];
    let staging = ask.choice("Try it with Let's Encrypt's staging first", &yes_no, "yes")?;
    if !ask.choice("Have you read Let's Encrypt's terms of service, and accept them", &yes_no, "no")? {
        return Err(Trouble::new("without accepted terms there are no certificates by ACME")
            .hint("read https://letsencrypt.org/repository/ and answer yes, or choose files or proxy")
            .into());
    }
    Ok(Tls::Acme(Acme { email, staging, directory: None, ca_file: None, dns_hook: None }))
}

fn registry(ask: &mut Ask<'_>, target: Target) -> anyhow::Result<Option<Registry>> {
    let needed = target == Target::Kubernetes;
    let question = if needed { "Registry of images" } else { "Registry of images (empty: they stay on this machine)" };
    let prefix = ask.line(question, "", |text| match text.trim_end_matches('/') {
        "" if needed => Err("a cluster needs one, such as ghcr.io/acme".to_owned()),
        "" => Ok(None),
        prefix if Registry::is_prefix(prefix) => Ok(Some(format!("{prefix}/"))),
        _ => Err("it has to be like ghcr.io/acme, in lower case".to_owned()),
    })?;
    let Some(prefix) = prefix else { return Ok(None) };
    let credentials =
        ask.line("File with its credentials, as docker login writes it", "~/.docker/config.json", |text| {
            Ok(PathBuf::from(text))
        })?;
    Ok(Some(Registry { prefix, credentials: Some(credentials) }))
}

fn bucket(ask: &mut Ask<'_>) -> anyhow::Result<Store> {
    let url = ask.line("Address of the S3 service for logs", "https://s3.amazonaws.com", |text| {
        text.parse::<url::Url>().map_err(|error| error.to_string())
    })?;
    let region = ask.line("Its region", "us-east-1", |text| Ok(text.to_owned()))?;
    let bucket =
        ask.line("Bucket", "", |text| if text.is_empty() { Err("a name".to_owned()) } else { Ok(text.to_owned()) })?;
    Ok(Store::S3 { url, region, bucket })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file::render;

    fn asked(answers: &str, given: &Given) -> anyhow::Result<ConfigFile> {
        let mut ask = Ask::Person { input: Box::new(answers.as_bytes()), output: Box::new(std::io::sink()) };
        configuration(&mut ask, given, PathBuf::from("/etc/ofc"))
    }

    #[test]
    fn few_answers_make_an_installation() {
        let answers = "example.com\nsystemd\n\n\nacme\nacme, alice\n\nops@example.com\n\nyes\nghcr.io/acme\n\n";
        let config = asked(answers, &Given::default()).unwrap();
        let text = render(&config);
        assert_eq!(ConfigFile::parse(&text, PathBuf::from("/etc/ofc")).unwrap(), config);
        insta::assert_snapshot!(text, @r#"
        # One installation of OpenFaaS Cloud; docs/init.md describes every key.
        domain: "example.com"
        target: systemd
        source:
          host: github
          url: "https://github.com/"
          app:
            organisation: "acme"
            public: true
        tenants:
          - "acme"
          - "alice"
        sign_in:
          provider: github
          url: "https://github.com/"
        tls:
          mode: acme
          accept_terms: true
          email: "ops@example.com"
          staging: true
        registry:
          prefix: "ghcr.io/acme/"
          credentials: "~/.docker/config.json"
        "#);
    }

    #[test]
    fn in_a_cluster_repositories_are_elsewhere() {
        let given = Given { domain: Some("a.io".into()), target: Some(Target::Kubernetes) };
        let config = asked("local\ngitlab\n\nalice\nclient\nghcr.io/a\n\n\n\nlogs\n", &given).unwrap();
        assert!(matches!((&config.source, &config.tls), (Source::Gitlab(_), Tls::Proxy)));
        assert!(ConfigFile::parse(&render(&config), PathBuf::new()).is_ok());
    }

    #[test]
    fn terms_that_nobody_accepts_are_no_certificates() {
        let given = Given { domain: Some("a.io".into()), target: Some(Target::Up) };
        let error = asked("local\nacme\n\n\nno\n", &given).unwrap_err();
        assert!(crate::report::render(&error).contains("terms"), "{error}");
        let wrong = Given { domain: Some("-a".into()), target: None };
        assert!(asked("", &wrong).unwrap_err().to_string().starts_with("--domain has to be"));
    }
}
