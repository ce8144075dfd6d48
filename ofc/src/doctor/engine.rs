//! What the container engine says about itself.

use std::path::Path;

use bollard::Docker;
use bollard::models::{SystemInfo, SystemVersion};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Finding, machine};

/// The images that the built-in templates start from.
const BASE_IMAGES: [&str; 2] = ["debian:bookworm-slim", "rust:1.95-slim-bookworm"];
/// The first API version whose engine has BuildKit.
const BUILDKIT_SINCE: (u32, u32) = (1, 39);
/// Signatures and commit times stand more than this.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

pub(super) async fn examine() -> Vec<Finding> {
    let docker = match crate::engine::connect().await {
        Ok(docker) => docker,
        Err(error) => {
            let advice = "install and start Docker (Debian: apt-get install docker.io; here: scripts/engine start), or set DOCKER_HOST";
            return vec![Finding::fail("container engine", format!("{error:#}"), advice)];
        }
    };
    let (version, info) = tokio::join!(docker.version(), docker.info());
    let (Ok(version), Ok(info)) = (version, info) else {
        return vec![Finding::fail(
            "container engine",
            "it answers, but not about itself",
            "look at the engine's own log",
        )];
    };
    vec![about(&version), buildkit(&version), disk(&info), clock(&info, Utc::now()), base_images(&docker).await]
}

fn about(version: &SystemVersion) -> Finding {
    let name = version.platform.as_ref().map(|platform| platform.name.as_str()).filter(|name| !name.is_empty());
    let number = version.version.as_deref().unwrap_or("of unknown version");
    let api = version.api_version.as_deref().unwrap_or("?");
    Finding::ok("container engine", format!("{} {number} (API {api})", name.unwrap_or("Docker")))
}

fn buildkit(version: &SystemVersion) -> Finding {
    let advice = "use Docker Engine 18.09 or later: builds here run on its BuildKit";
    let components = version.components.iter().flatten();
    if components.into_iter().any(|component| component.name.contains("Podman")) {
        return Finding::fail("BuildKit", "Podman has none", advice);
    }
    let api = version.api_version.as_deref().and_then(parse_version);
    match api {
        Some(api) if api >= BUILDKIT_SINCE => Finding::ok("BuildKit", "built into the engine"),
        _ => Finding::fail("BuildKit", "this engine is too old to have it", advice),
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn disk(info: &SystemInfo) -> Finding {
    match info.docker_root_dir.as_deref().map(Path::new) {
        Some(folder) if folder.exists() => machine::free_space("disk for images", folder),
        // An engine in a virtual machine or elsewhere: its disk is not ours to measure.
        _ => Finding::ok("disk for images", "the engine keeps them elsewhere"),
    }
}

fn clock(info: &SystemInfo, now: DateTime<Utc>) -> Finding {
    let theirs = info.system_time.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let Some(theirs) = theirs else {
        return Finding::warn("clock", "the engine does not say its time", "none; builds may show odd times");
    };
    let off = (now - theirs.with_timezone(&Utc)).abs();
    if off <= CLOCK_TOLERANCE {
        Finding::ok("clock", "agrees with the engine's")
    } else {
        let advice = "set both by NTP; a virtual machine that slept often lags: restart it";
        Finding::warn("clock", format!("{} s off the engine's", off.num_seconds()), advice)
    }
}

async fn base_images(docker: &Docker) -> Finding {
    let mut missing = Vec::new();
    for image in BASE_IMAGES {
        if docker.inspect_image(image).await.is_err() {
            missing.push(image);
        }
    }
    if missing.is_empty() {
        return Finding::ok("base images", BASE_IMAGES.join(", "));
    }
    let advice = "the first build pulls them; scripts/base-images gets or makes them now, without a registry too";
    Finding::warn("base images", format!("not here: {}", missing.join(", ")), advice)
}

#[cfg(test)]
mod tests {
    use bollard::models::SystemVersionComponents;

    use super::super::Verdict;
    use super::*;

    fn version(api: &str, component: &str) -> SystemVersion {
        let component = SystemVersionComponents { name: component.into(), version: "1".into(), details: None };
        SystemVersion { api_version: Some(api.into()), components: Some(vec![component]), ..SystemVersion::default() }
    }

    #[test]
    fn an_engine_without_buildkit_will_not_do() {
        assert_eq!(buildkit(&version("1.41", "Engine")).verdict, Verdict::Ok);
        assert_eq!(buildkit(&version("1.38", "Engine")).verdict, Verdict::Fail);
        assert_eq!(buildkit(&version("1.41", "Podman Engine")).verdict, Verdict::Fail);
        assert_eq!(buildkit(&version("new", "Engine")).verdict, Verdict::Fail);
    }

    #[test]
    fn a_clock_that_lags_is_told() {
        let now = "2024-05-01T12:00:00Z".parse().unwrap();
        let info = |time: &str| SystemInfo { system_time: Some(time.into()), ..SystemInfo::default() };
        assert_eq!(clock(&info("2024-05-01T14:00:03.5+02:00"), now).verdict, Verdict::Ok);
        assert_eq!(clock(&info("2024-05-01T11:00:00Z"), now).detail, "3600 s off the engine's");
        assert_eq!(clock(&SystemInfo::default(), now).verdict, Verdict::Warn);
    }
}
