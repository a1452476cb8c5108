#!/bin/sh
# Builds the guest clients of Confidential Containers, one for each version of the key broker protocol, from the
# releases of guest-components: what test/interop/guest-client.interop.ts talks to our key broker with, and what
# src/attestation/recorded was recorded with. About 2 minutes for each on two cores (4 for the newest).
#
# Usage: sh test/peers/guest-clients.sh [REPOSITORY [VERSION...]]
#   Wants Rust 1.95 or later through rustup, a C compiler and git.
#   REPOSITORY  a clone, also a bare one, of https://github.com/confidential-containers/guest-components with its
#               tags; without it, it is cloned from there. install.sh does not call this, and CI does not need it.
#   VERSION     of the protocol: 0.1.0, 0.1.1, 0.2.0, 0.4.0; all of them where none is named
#   SEALIFT_GUEST_BUILD   where to build (a new directory under /tmp, removed at the end)
#   CARGO_BUILD_JOBS      how many compilers at once (2)
#
# What is built of each release, into the peers' bin:
#   trustee-attester-VERSION  the release's own program, from 0.1.1 on: no release has one that speaks 0.1.0
#   kbs-guest-VERSION         kbs-guest/main.rs here on the release's kbs_protocol crate: it can be told the TEE's key,
#                             init-data and a token, and asks for several resources with one client
# Both attest as `sample` where there is no TEE.
#
# Not one line of the release's Rust is changed, and its Cargo.lock stands. Changed are manifests alone: the workspace
# has only kbs_protocol and what it needs of the repository, and dependencies that come by git (TEE drivers, all of them
# optional and not switched on) are taken out, since cargo fetches them even so.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${SEALIFT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealift-peers}/bin
build=${SEALIFT_GUEST_BUILD:-$(mktemp -d /tmp/guest-clients.XXXXXX)}
[ -n "${SEALIFT_GUEST_BUILD:-}" ] || trap 'rm -rf "$build"' EXIT
features='"background_check", "passport", "rust-crypto"'
export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
# The releases name toolchains of their day; all of them compile with this one.
export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}"
mkdir -p "$bin" "$bin/../stamps" "$build"

repository=${1:-}
[ $# -eq 0 ] || shift
versions=${*:-0.1.0 0.1.1 0.2.0 0.4.0}
if [ -z "$repository" ]; then
  repository=$build/repository
  [ -d "$repository" ] ||
    git clone --quiet --bare https://github.com/confidential-containers/guest-components "$repository"
fi

# $1 the release's attester/Cargo.toml: takes out what comes by git, and its name where a feature switches it on
without_git_dependencies() {
  sed -n 's/^\([A-Za-z0-9_-]*\) *= *{ *git *=.*/\1/p' "$1" | while read -r name; do
    sed -i "/^$name *=/d; s/\"$name\" *, *//; s/, *\"$name\"//; s/\"$name\"//" "$1"
  done
}

# $1 version of the protocol, $2 commit, $3 feature of kbs-guest, $4 what else of kbs_protocol it switches on
guest_client() {
  case " $versions " in *" $1 "*) ;; *) return 0 ;; esac
  stamp=$bin/../stamps/kbs-guest-$1-$2-$(cksum <"$here/kbs-guest/main.rs" | cut -d ' ' -f 1)
  if [ -x "$bin/kbs-guest-$1" ] && [ -e "$stamp" ]; then return 0; fi
  echo "peers: building the guest clients that speak $1" >&2
  tree=$build/$1
  mkdir -p "$tree/kbs-guest/src"
  git -C "$repository" archive "$2" | tar -x -C "$tree"
  members=
  for member in attestation-agent/kbs_protocol attestation-agent/attester attestation-agent/deps/resource_uri \
    attestation-agent/deps/crypto protos; do
    if [ -e "$tree/$member/Cargo.toml" ]; then members="$members\"$member\", "; fi
  done
  awk -v members="members = [$members\"kbs-guest\"]" '
    /^members = \[/ { print members; skipping = 1 }
    !skipping { print }
    skipping && /^\]/ { skipping = 0 }
  ' "$tree/Cargo.toml" >"$tree/Cargo.toml.new"
  mv "$tree/Cargo.toml.new" "$tree/Cargo.toml"
  without_git_dependencies "$tree/attestation-agent/attester/Cargo.toml"
  cp "$here/kbs-guest/main.rs" "$tree/kbs-guest/src/main.rs"
  cat >"$tree/kbs-guest/Cargo.toml" <<END
[package]
name = "kbs-guest"
version = "0.0.0"
edition = "2021"
publish = false

[dependencies]
anyhow.workspace = true
async-trait.workspace = true
base64.workspace = true
kbs_protocol = { path = "../attestation-agent/kbs_protocol", default-features = false, features = [$features] }
serde_json.workspace = true
tokio = { workspace = true, features = ["rt", "macros", "time"] }

[features]
rsa-only = []
composite = [$4]
END
  # crates.io's newest `time` before 0.3.35 does not compile with Rust 1.80 and later.
  if [ "$1" = 0.1.0 ]; then (cd "$tree" && cargo update --quiet -p time --precise 0.3.36); fi
  if [ -d "$tree/attestation-agent/kbs_protocol/src/bin" ]; then
    (cd "$tree" && cargo build --quiet --release --bin trustee-attester -p kbs_protocol --no-default-features \
      --features background_check,passport,rust-crypto,bin)
    install -s -m 755 "$tree/target/release/trustee-attester" "$bin/trustee-attester-$1"
  fi
  (cd "$tree/kbs-guest" && cargo build --quiet --release --features "$3")
  install -s -m 755 "$tree/target/release/kbs-guest" "$bin/kbs-guest-$1"
  touch "$stamp"
  rm -rf "$tree"
}

guest_client 0.1.0 v0.9.0 rsa-only ''
guest_client 0.1.1 v0.11.0 rsa-only ''
guest_client 0.2.0 v0.13.0 '' ''
# main of 2026-08-20, after v0.21.0: the first with keys of ML-KEM. Its trustee-attester does not compile with them.
guest_client 0.4.0 8246e5e0977f6322f0a1b0f77e0739cf1c3e1f74 composite '"kbs_protocol/pqc-experimental"'
