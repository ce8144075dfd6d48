//! What stops the start, and what it leaves on the disk.

use std::os::unix::fs::PermissionsExt;

use of_auth::Config;
use sdk::Env;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{PAYLOAD_SECRET, Service, until};

async fn start(folder: &std::path::Path, own: &[(&str, &str)], customers: &str) -> anyhow::Result<()> {
    let list = folder.join("customers.txt");
    std::fs::write(&list, customers)?;
    let (data, list) = (folder.join("data").display().to_string(), list.display().to_string());
    let mut variables = vec![
        ("domain", "example.com"),
        ("auth_public_url", "https://auth.system.example.com"),
        ("data_dir", &data),
        ("gateway_url", "http://127.0.0.1:1"),
        ("client_id", "x"),
        ("customers_path", &list),
    ];
    variables.extend(own);
    let secrets = [("payload-secret", PAYLOAD_SECRET), ("of-client-secret", "y")];
    let config = Config::from_env(&Env::from_map(variables, secrets)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    stop.cancel();
    of_auth::serve(config, listener, stop).await
}

#[tokio::test]
async fn s2_without_a_tenant_list_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    assert!(start(folder.path(), &[], "alice\n").await.is_ok());
    let empty = start(folder.path(), &[], "").await.unwrap_err().to_string();
    assert!(empty.contains("customers_path"), "{empty}");
    let html = start(folder.path(), &[], "<html>502 Bad Gateway</html>\n").await.unwrap_err().to_string();
    assert!(html.contains("customers_path"), "{html}");
    let missing = start(folder.path(), &[("customers_path", "/nowhere")], "alice\n").await.unwrap_err().to_string();
    assert!(missing.contains("customers_path"), "{missing}");
}

#[tokio::test]
async fn a_tenant_list_from_an_address_is_kept_in_a_new_data_directory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/customers", listener.local_addr().unwrap());
    let list = axum::Router::new().route("/customers", axum::routing::get(async || "alice\n"));
    tokio::spawn(async move { axum::serve(listener, list).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), &[("customers_path", ""), ("customers_url", &url)], "").await.unwrap();
    assert!(folder.path().join("data/customers").exists());
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), &[], "alice\n").await.unwrap();
    let file = folder.path().join("data/auth.db");
    // What its log still holds would be put in the place of what is damaged here.
    until(|| !folder.path().join("data/auth.db-wal").exists()).await;
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..4096].fill(b'x');
    std::fs::write(&file, &bytes).unwrap();
    let error = format!("{:#}", start(folder.path(), &[], "alice\n").await.unwrap_err());
    assert!(error.contains("auth.db is damaged") && error.contains("bring a copy back"), "{error}");
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let service = Service::start().await;
    service.signed_in("alice").await;
    let data = service.folder.path().join("data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("auth.db")));
    for file in files {
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
}

#[tokio::test]
async fn one_process_at_a_time_has_the_file() {
    let service = Service::start().await;
    service.signed_in("alice").await;
    let error = start(service.folder.path(), &[], "alice\n").await.unwrap_err();
    assert!(format!("{error:#}").contains("does another of-auth use it?"), "{error:#}");
}
