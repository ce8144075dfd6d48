//! One unit that runs `ofc up --config`, its user, and its environment. Secrets come as systemd's credentials: the service
//! reads them from a folder in memory, and their files stay root's.

use std::fmt::Write as _;
use std::path::Path;

use super::{Given, MADE};
use crate::config_file::{APP_RECORD, ConfigFile};
use crate::init::report::Report;
use crate::report::Trouble;

const UNIT: &str = "ofc.service";
const USERS: &str = "ofc.sysusers.conf";
const ENVIRONMENT: &str = "ofc.env";

pub(super) fn write(given: &Given<'_>, report: &mut Report) -> anyhow::Result<String> {
    let program = std::env::current_exe()?;
    let program = program.canonicalize().unwrap_or(program);
    let folder = given.folder;
    report.put(&folder.join(UNIT), &unit(given, &program)?, 0o644)?;
    report.put(&folder.join(USERS), &users(given.config)?, 0o644)?;
    // The operator's own from here on.
    let environment = folder.join(ENVIRONMENT);
    if !environment.exists() {
        report.put(&environment, ENVIRONMENT_TEXT, 0o644)?;
    }
    let shown = folder.display();
    Ok(format!(
        "Start it, as root:\n  install -m 644 {shown}/{USERS} /etc/sysusers.d/ofc.conf && systemd-sysusers\n  \
         install -m 644 {shown}/{UNIT} /etc/systemd/system/ && systemctl daemon-reload\n  systemctl enable --now ofc\n"
    ))
}

const ENVIRONMENT_TEXT: &str = "\
# Variables of the service. This file is yours: `ofc init` does not change it.
# Which log lines are kept, in the syntax of tracing-subscriber:
OFC_LOG=info
# Another engine than the local one:
# DOCKER_HOST=unix:///run/docker.sock
";

fn users(config: &ConfigFile) -> anyhow::Result<String> {
    let home = word(&config.data())?;
    Ok(format!("{MADE}\nu ofc - \"OpenFaaS Cloud\" {home}\nm ofc docker\n"))
}

/// The unit. Its credentials are the files that are there now.
fn unit(given: &Given<'_>, program: &Path) -> anyhow::Result<String> {
    let config = given.config;
    let (program, path, data) = (argument(program)?, argument(&absolute(given.path)?)?, argument(&config.data())?);
    let mut text = format!("{MADE}\n{HEAD}");
    let _ = writeln!(
        text,
        "ExecStart={program} up --config {path} --data {data} --secrets ${{CREDENTIALS_DIRECTORY}} --log-format json --quiet"
    );
    let _ = writeln!(text, "EnvironmentFile=-{}", specifiers(&absolute(&given.folder.join(ENVIRONMENT))?)?);
    for name in credentials(&config.secrets())? {
        let _ = writeln!(text, "LoadCredential={name}:{}", specifiers(&config.secrets().join(&name))?);
    }
    match config.data().strip_prefix("/var/lib") {
        Ok(below) => {
            let _ = writeln!(text, "StateDirectory={}\nStateDirectoryMode=0700", word(below)?);
        }
        Err(_) => {
            let _ = writeln!(text, "ReadWritePaths={}", word(&config.data())?);
        }
    }
    if [config.listen.http.port(), config.listen.https.port()].iter().any(|port| *port < 1024) && config.tls.is_ours() {
        text.push_str("AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n");
    } else {
        text.push_str("CapabilityBoundingSet=\n");
    }
    text.push_str(TAIL);
    Ok(text)
}

const HEAD: &str = "
[Unit]
Description=OpenFaaS Cloud
Wants=network-online.target
After=network-online.target docker.service

[Service]
User=ofc
Group=ofc
SupplementaryGroups=docker
Restart=on-failure
RestartSec=5
# The platform promises to be gone after ten seconds.
TimeoutStopSec=20
LimitNOFILE=65536
";

const TAIL: &str = "\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
UMask=0077

[Install]
WantedBy=multi-user.target
";

/// The names of all secrets, sorted. Only plain names are ours.
fn credentials(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours =
            name == APP_RECORD || name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if ours && entry.file_type()?.is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn absolute(path: &Path) -> anyhow::Result<std::path::PathBuf> {
    Ok(std::path::absolute(path)?)
}

/// A path as one argument of a command, where variables are replaced.
fn argument(path: &Path) -> anyhow::Result<String> {
    Ok(word(path)?.replace('$', "$$"))
}

/// A path as one word of a list.
fn word(path: &Path) -> anyhow::Result<String> {
    let text = specifiers(path)?.replace('\\', "\\\\").replace('"', "\\\"");
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-%".contains(&b));
    Ok(if plain { text } else { format!("\"{text}\"") })
}

/// A path where nothing is quoted.
fn specifiers(path: &Path) -> anyhow::Result<String> {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.replace('%', "%%")),
        _ => Err(Trouble::new(format!("systemd cannot be told the path {}", path.display())).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::secrets::Secrets;

    fn made(folder: &Path, more: &str) -> String {
        let text = format!("domain: example.com\ntarget: systemd\n{more}");
        let path = folder.join("ofc.yml");
        std::fs::write(&path, &text).unwrap();
        let config = ConfigFile::load(&path).unwrap();
        let secrets = Secrets::existing(config.secrets());
        crate::data_dir::private_dir(&config.secrets()).unwrap();
        for name in ["payload-secret", "github-app.json", ".half-written.new"] {
            std::fs::write(config.secrets().join(name), "value").unwrap();
        }
        let given = Given { config: &config, path: &path, secrets: &secrets, app: None, tenants: None, folder };
        let mut report = Report::default();
        super::write(&given, &mut report).unwrap();
        let first = report.changes;
        super::write(&given, &mut report).unwrap();
        assert_eq!((first, report.changes), (3, 3), "again, nothing changes");
        std::fs::read_to_string(folder.join(UNIT)).unwrap()
    }

    fn shown(text: &str, folder: &Path) -> String {
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        text.replace(&program.display().to_string(), "OFC").replace(&folder.display().to_string(), "HERE")
    }

    #[test]
    fn the_unit_has_every_secret_as_a_credential() {
        let folder = tempfile::tempdir().unwrap();
        let text = made(folder.path(), "tls: {mode: acme, accept_terms: true}\n");
        insta::assert_snapshot!(shown(&text, folder.path()), @r#"
        # Made by `ofc init` from ofc.yml; it makes this file again when that changes.

        [Unit]
        Description=OpenFaaS Cloud
        Wants=network-online.target
        After=network-online.target docker.service

        [Service]
        User=ofc
        Group=ofc
        SupplementaryGroups=docker
        Restart=on-failure
        RestartSec=5
        # The platform promises to be gone after ten seconds.
        TimeoutStopSec=20
        LimitNOFILE=65536
        ExecStart=OFC up --config HERE/ofc.yml --data /var/lib/ofc --secrets ${CREDENTIALS_DIRECTORY} --log-format json --quiet
        EnvironmentFile=-HERE/ofc.env
        LoadCredential=github-app.json:HERE/secrets/github-app.json
        LoadCredential=payload-secret:HERE/secrets/payload-secret
        StateDirectory=ofc
        StateDirectoryMode=0700
        AmbientCapabilities=CAP_NET_BIND_SERVICE
        CapabilityBoundingSet=CAP_NET_BIND_SERVICE
        NoNewPrivileges=yes
        ProtectSystem=strict
        ProtectHome=read-only
        PrivateTmp=yes
        PrivateDevices=yes
        ProtectKernelTunables=yes
        ProtectKernelModules=yes
        ProtectControlGroups=yes
        RestrictSUIDSGID=yes
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
        LockPersonality=yes
        UMask=0077

        [Install]
        WantedBy=multi-user.target
        "#);
    }

    #[test]
    fn systemd_itself_takes_it() {
        let found = Command::new("systemd-analyze").arg("--version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            eprintln!("there is no systemd-analyze here");
            return;
        }
        for more in ["tls: {mode: acme, accept_terms: true}\n", "data: /srv/o f%c\n"] {
            let folder = tempfile::tempdir().unwrap();
            made(folder.path(), more);
            let output =
                Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(folder.path().join(UNIT)).output();
            let output = output.unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let about_us: Vec<_> = said.lines().filter(|line| line.contains("ofc.service")).collect();
            assert!(about_us.is_empty(), "{about_us:?}");
        }
    }

    #[test]
    fn words_of_a_unit_are_safe() {
        assert_eq!(argument(Path::new("/a b/%n$x\"")).unwrap(), "\"/a b/%%n$$x\\\"\"");
        assert_eq!(word(Path::new("/a/$x")).unwrap(), "\"/a/$x\"");
        assert!(word(Path::new("/a\nExecStart=/bin/false")).is_err());
    }
}
