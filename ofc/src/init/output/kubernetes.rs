//! Manifests for a cluster, in the order of their names, and the stack's environment files. What runs in the cluster, the
//! OpenFaaS chart and `stack.yml` bring; here are the namespaces, secrets, rights and walls that they stand on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

use super::{Given, MADE, folder, stack};
use crate::config_file::quoted;
use crate::init::keys::{AUTH_KEY, S3, SEALING_KEYS};
use crate::init::report::Report;
use crate::report::Trouble;
use crate::secrets::{
    AUTH_CLIENT, BUILDER as BUILDER_SECRET, BUILDER_KEY, FOREIGN_APP_KEY, GATEWAY_PASSWORD, GATEWAY_USER, GITLAB_TOKEN,
    GITLAB_WEBHOOK, PAYLOAD, Secrets, WEBHOOK,
};

/// The namespace of gateway, router and of-auth.
const SYSTEM: &str = "openfaas";
/// That of functions.
const FUNCTIONS: &str = "openfaas-fn";
/// That of the image builder, which needs more than others may have.
pub(super) const BUILDER: &str = "openfaas-builder";

/// Secrets of functions, each with one key of its own name.
const OF_FUNCTIONS: &[&str] = &[
    GATEWAY_PASSWORD,
    GATEWAY_USER,
    BUILDER_SECRET,
    WEBHOOK,
    GITLAB_TOKEN,
    GITLAB_WEBHOOK,
    PAYLOAD,
    FOREIGN_APP_KEY,
    S3[0],
    S3[1],
    SEALING_KEYS,
    "slack-url",
];
/// Those of services.
const OF_SERVICES: &[&str] = &[GATEWAY_PASSWORD, GATEWAY_USER, AUTH_KEY, AUTH_CLIENT, PAYLOAD];

pub(super) fn write(given: &Given<'_>, report: &mut Report) -> anyhow::Result<String> {
    let at = given.folder;
    report.put(&at.join("00-namespaces.yaml"), &format!("{MADE}\n{NAMESPACES}"), 0o644)?;
    report.put(&at.join("10-secrets.yaml"), &secrets(given)?, 0o600)?;
    report.put(&at.join("20-import-secrets.yaml"), &format!("{MADE}\n{RIGHTS}"), 0o644)?;
    report.put(&at.join("30-network-policies.yaml"), &format!("{MADE}\n{WALLS}"), 0o644)?;
    let stack_folder = at.join("stack");
    folder(&stack_folder, false)?;
    for (name, text) in stack::files(given.config, given.app) {
        report.put(&stack_folder.join(name), &text, 0o644)?;
    }
    let shown = at.display();
    Ok(format!(
        "Set it up:\n  kubectl apply -f {shown}            (10-secrets.yaml has secrets in it: keep it out of git)\n  \
         cp {shown}/stack/*.yml <this repository>/ && faas-cli up -f stack.yml\n"
    ))
}

const NAMESPACES: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: openfaas
  labels:
    access: openfaas-system
    role: openfaas-system
---
apiVersion: v1
kind: Namespace
metadata:
  name: openfaas-builder
  labels:
    role: openfaas-builder
    # Rootless BuildKit needs a seccomp profile of its own.
    pod-security.kubernetes.io/enforce: privileged
---
apiVersion: v1
kind: Namespace
metadata:
  name: openfaas-fn
  annotations:
    openfaas: \"1\"
  labels:
    role: openfaas-fn
    pod-security.kubernetes.io/enforce: baseline
    pod-security.kubernetes.io/warn: restricted
";

/// What import-secrets may do with the Kubernetes backend: sealed secrets, and reading what the controller made of them.
const RIGHTS: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: import-secrets
  namespace: openfaas-fn
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: import-secrets
  namespace: openfaas-fn
rules:
  - apiGroups: [\"bitnami.com\"]
    resources: [\"sealedsecrets\"]
    verbs: [\"get\", \"list\", \"watch\", \"create\", \"update\", \"patch\", \"delete\"]
  - apiGroups: [\"\"]
    resources: [\"secrets\"]
    verbs: [\"get\", \"list\"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: import-secrets
  namespace: openfaas-fn
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: import-secrets
subjects:
  - kind: ServiceAccount
    name: import-secrets
    namespace: openfaas-fn
";

/// Tenants' functions are called by the system, and call the internet: neither each other, nor the cluster, nor a cloud's
/// metadata.
const WALLS: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: functions
  namespace: openfaas-fn
spec:
  podSelector: {}
  policyTypes: [\"Ingress\"]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              role: openfaas-system
        - podSelector:
            matchLabels:
              role: openfaas-system
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: tenants-egress
  namespace: openfaas-fn
spec:
  podSelector:
    matchExpressions:
      - key: role
        operator: NotIn
        values: [\"openfaas-system\"]
  policyTypes: [\"Egress\"]
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - {protocol: UDP, port: 53}
        - {protocol: TCP, port: 53}
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
            except:
              - 10.0.0.0/8
              - 100.64.0.0/10
              - 127.0.0.0/8
              - 169.254.0.0/16
              - 172.16.0.0/12
              - 192.168.0.0/16
        - ipBlock:
            cidr: ::/0
            except:
              - ::1/128
              - fc00::/7
              - fe80::/10
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: system
  namespace: openfaas
spec:
  podSelector: {}
  policyTypes: [\"Ingress\"]
  ingress:
    - from:
        - podSelector: {}
        - namespaceSelector:
            matchLabels:
              role: openfaas-fn
          podSelector:
            matchLabels:
              role: openfaas-system
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: of-router
  namespace: openfaas
spec:
  podSelector:
    matchLabels:
      app: of-router
  policyTypes: [\"Ingress\"]
  ingress:
    - ports:
        - {protocol: TCP, port: 8080}
        - {protocol: TCP, port: 8443}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: builder
  namespace: openfaas-builder
spec:
  podSelector: {}
  policyTypes: [\"Ingress\"]
  ingress:
    - from:
        - podSelector: {}
        - namespaceSelector:
            matchLabels:
              role: openfaas-fn
          podSelector:
            matchLabels:
              role: openfaas-system
";

/// All Secret objects, by namespace and name.
fn secrets(given: &Given<'_>) -> anyhow::Result<String> {
    let kept = given.secrets;
    let mut text = format!("{MADE}\n# Secrets: apply it, and keep it out of git.\n");
    let mut first = true;
    let mut add = |namespace: &str, name: &str, kind: &str, values: &BTreeMap<String, Vec<u8>>| {
        if !std::mem::take(&mut first) {
            text.push_str("---\n");
        }
        let _ = writeln!(text, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {namespace}");
        let _ = writeln!(text, "type: {kind}\ndata:");
        for (key, value) in values {
            let _ = writeln!(text, "  {}: {}", quoted(key), STANDARD.encode(value));
        }
    };
    for (namespace, names) in [(SYSTEM, OF_SERVICES), (FUNCTIONS, OF_FUNCTIONS)] {
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        for name in names.iter().filter(|name| kept.has(name)) {
            all.push(((*name).to_owned(), value(kept, name)?));
        }
        all.extend(given.tenants.iter().map(|list| ("customers".to_owned(), list.clone().into_bytes())));
        all.sort();
        for (name, value) in all {
            add(namespace, &name, "Opaque", &BTreeMap::from([(name.clone(), value)]));
        }
    }
    // The chart's own gateway reads both from one.
    let both = [GATEWAY_USER, GATEWAY_PASSWORD].map(|name| value(kept, name).map(|value| (name.to_owned(), value)));
    add(SYSTEM, "basic-auth", "Opaque", &both.into_iter().collect::<anyhow::Result<_>>()?);
    // The builder calls its own secret by the name that its protocol has.
    add(BUILDER, "payload-secret", "Opaque", &BTreeMap::from([(PAYLOAD.to_owned(), value(kept, BUILDER_SECRET)?)]));
    add(BUILDER, BUILDER_KEY, "Opaque", &BTreeMap::from([(BUILDER_KEY.to_owned(), value(kept, BUILDER_KEY)?)]));
    if let Some(config) = registry(given)? {
        let of = |key: &str| BTreeMap::from([(key.to_owned(), config.clone())]);
        add(BUILDER, "registry-secret", "Opaque", &of("config.json"));
        add(FUNCTIONS, "registry-pull-secret", "kubernetes.io/dockerconfigjson", &of(".dockerconfigjson"));
        text.push_str(PULL);
    }
    Ok(text)
}

/// Functions are pulled by the account that their pods have.
const PULL: &str = "\
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: default
  namespace: openfaas-fn
automountServiceAccountToken: false
imagePullSecrets:
  - name: registry-pull-secret
";

fn value(secrets: &Secrets, name: &str) -> anyhow::Result<Vec<u8>> {
    Ok(secrets.get(name)?.expose_secret().as_bytes().to_vec())
}

/// The registry's credentials, and those of no other registry that the file may have.
fn registry(given: &Given<'_>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(registry) = &given.config.registry else { return Ok(None) };
    let Some(file) = registry.credentials.as_ref().map(|file| given.config.at(file)) else { return Ok(None) };
    crate::init::checks::registry::only(&file, registry.host()).map(Some).map_err(|error| {
        let advice = error.advice(registry.host());
        Trouble::new("the registry's credentials cannot be written into a manifest").hint(advice).because(error).into()
    })
}

#[cfg(test)]
mod tests;
