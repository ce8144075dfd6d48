#!/bin/sh
# Puts the parts of a build context where their paths lead.
#
#   layout.sh sources CONTEXT SRC   what faas-cli put together -> a cargo workspace
#   layout.sh plan SRC PLAN         that workspace without its sources: enough to compile what it depends on
#
# A developer's function lies beside ./template, and names its neighbours by relative paths (`../template/rust/runtime`,
# `../sdk`). In the context it lies in ./function, inside the template, and `configuration.copy` has put its
# neighbours inside it. SRC is laid out as the developer's folder is:
#
#   SRC/function   SRC/main   SRC/template/rust/runtime   SRC/<neighbour>
set -eu

die() {
  echo "layout.sh: $*" >&2
  exit 1
}

# The value of a key in a manifest's [package] table.
package_key() {
  awk -v key="$2" '
    /^\[/ { in_package = ($0 ~ /^\[package\]/) }
    in_package && $1 == key && $2 == "=" { gsub(/"/, "", $3); print $3; exit }
  ' "$1"
}

# Paths of other folders that a manifest names, relative to SRC.
neighbours() {
  folder=$(dirname "$1")
  sed -n 's/.*path *= *"\([^"]*\)".*/\1/p' "$1" | while read -r path; do
    path=$(realpath -m --relative-to="$SRC" "$folder/$path")
    case $path in
      .. | ../* | . | template | template/*) ;;
      *) echo "$path" ;;
    esac
  done
}

# Moves SRC/function/<path> to SRC/<path>, if it was copied there and is not in place yet.
move() {
  [ -d "$SRC/function/$1" ] && [ ! -e "$SRC/$1" ] || return 0
  mkdir -p "$(dirname "$SRC/$1")"
  mv "$SRC/function/$1" "$SRC/$1"
  moved=yes
}

move_neighbours() {
  for root in "$SRC"/function/*/workspace.toml; do
    [ -f "$root" ] && move "$(basename "$(dirname "$root")")"
  done
  adopt_workspace
  moved=yes
  # What has moved may name others.
  while [ "$moved" = yes ]; do
    moved=no
    for manifest in $(manifests) $([ ! -f "$SRC/Cargo.toml" ] || echo "$SRC/Cargo.toml"); do
      for path in $(neighbours "$manifest"); do
        move "$path"
      done
    done
  done
}

# Manifests of the packages in SRC.
manifests() {
  find "$SRC" -mindepth 2 -name Cargo.toml -not -path "$SRC/template/*" -not -path '*/target/*' | sort
}

# A neighbour may bring the root manifest and lock file that the packages inherit from.
adopt_workspace() {
  for root in "$SRC"/*/workspace.toml; do
    [ -f "$root" ] || continue
    [ ! -f "$SRC/Cargo.toml" ] || die "both $from and $root want to be the root manifest; copy only one of their folders"
    from=$root
    cp "$root" "$SRC/Cargo.toml"
    [ ! -f "${root%.toml}.lock" ] || cp "${root%.toml}.lock" "$SRC/Cargo.lock"
  done
}

# The root manifest, with the packages that are here as its only members.
write_root() {
  [ -f "$SRC/Cargo.toml" ] || printf '[workspace]\nresolver = "3"\n' >"$SRC/Cargo.toml"
  members=
  for manifest in $(manifests); do
    members="$members\"$(realpath --relative-to="$SRC" "$(dirname "$manifest")")\", "
  done
  awk -v members="$members" '
    /^\[/ { in_workspace = ($0 ~ /^\[workspace\]/); inside = 0 }
    in_workspace && /^(members|exclude|default-members) *=/ { inside = 1 }
    inside { if (/\]/) inside = 0; next }
    { print }
    /^\[workspace\]/ { print "members = [" members "]"; print "exclude = [\"template\"]" }
  ' "$SRC/Cargo.toml" >"$SRC/Cargo.toml.new"
  mv "$SRC/Cargo.toml.new" "$SRC/Cargo.toml"
}

# Without versions of its own, a function is built with those that the runtime was tested with.
write_lock() {
  if [ -f "$SRC/function/Cargo.lock" ] && [ ! -f "$SRC/Cargo.lock" ]; then
    mv "$SRC/function/Cargo.lock" "$SRC/Cargo.lock"
  fi
  [ -f "$SRC/Cargo.lock" ] || [ ! -f "$CONTEXT/Cargo.lock" ] || cp "$CONTEXT/Cargo.lock" "$SRC/Cargo.lock"
}

sources() {
  CONTEXT=$(realpath "$1") SRC=$(realpath -m "$2")
  manifest=$CONTEXT/function/Cargo.toml
  [ -f "$manifest" ] || die "the handler has no Cargo.toml; a function in Rust is a library package (faas-cli new --lang rust)"
  [ -f "$CONTEXT/function/src/lib.rs" ] || grep -q '^\[lib\]' "$manifest" ||
    die "the handler has no src/lib.rs; it must export 'pub fn router(env: &Env) -> Result<axum::Router, ConfigError>'"
  name=$(package_key "$manifest" name)
  [ -n "$name" ] || die "the handler's Cargo.toml has no [package] with a name"
  mkdir -p "$SRC/template/rust"
  cp -R "$CONTEXT/function" "$CONTEXT/main" "$SRC/"
  cp -R "$CONTEXT/runtime" "$CONTEXT/Cargo.toml" "$SRC/template/rust/"
  [ ! -d "$SRC/function/.cargo" ] || mv "$SRC/function/.cargo" "$SRC/.cargo"
  move_neighbours
  write_root
  write_lock
  sed -i -e "s|^function = .*|function = { path = \"../function\", package = \"$name\" }|" \
    -e 's|^openfaas-runtime = .*|openfaas-runtime = { path = "../template/rust/runtime" }|' "$SRC/main/Cargo.toml"
}

# An empty source for each target that a manifest has or names.
stub() {
  from=$(dirname "$1") to=$PLAN/$(realpath --relative-to="$SRC" "$(dirname "$1")")
  mkdir -p "$to"
  cp "$1" "$to/Cargo.toml"
  {
    (cd "$from" && ls src/lib.rs src/main.rs src/bin/*.rs build.rs 2>/dev/null) || true
    sed -n 's/.*path *= *"\([^"]*\.rs\)".*/\1/p' "$1"
    sed -n 's/^build *= *"\([^"]*\)".*/\1/p' "$1"
  } | while read -r target; do
    mkdir -p "$(dirname "$to/$target")"
    echo 'fn main() {}' >"$to/$target"
  done
}

plan() {
  SRC=$(realpath "$1") PLAN=$(realpath -m "$2")
  mkdir -p "$PLAN"
  cp -R "$SRC/template" "$SRC/Cargo.toml" "$PLAN/"
  [ ! -d "$SRC/.cargo" ] || cp -R "$SRC/.cargo" "$PLAN/"
  # Only here: the versions that the dependencies were compiled in are the ones to stay with.
  [ ! -f "$SRC/Cargo.lock" ] || mv "$SRC/Cargo.lock" "$PLAN/"
  for manifest in $(manifests); do
    stub "$manifest"
  done
}

case ${1:-} in
  sources | plan) [ $# -eq 3 ] || die "usage: layout.sh $1 FROM TO" ;;
  *) die "usage: layout.sh sources CONTEXT SRC | plan SRC PLAN" ;;
esac
"$@"
