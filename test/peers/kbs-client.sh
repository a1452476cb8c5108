#!/bin/sh
# Builds Trustee's own kbs-client, unchanged: what test/interop/broker-admin.interop.ts administers our key broker with.
# About 5 minutes on two cores.
#
# Usage: sh test/peers/kbs-client.sh [TRUSTEE [GUEST_COMPONENTS]]
#   Wants what guest-clients.sh wants.
#   TRUSTEE, GUEST_COMPONENTS  clones, also bare ones, of https://github.com/confidential-containers/trustee and
#               .../guest-components; without them, they are cloned from there. Neither install.sh nor CI needs this.
#   SEALIFT_GUEST_BUILD   where to build (a new directory under /tmp, removed at the end)
#   CARGO_BUILD_JOBS      how many compilers at once (2)
#
# Not one line of Rust is changed. Changed are manifests alone: the workspaces have only what kbs-client needs, which
# takes guest-components from the clone, and dependencies that come by git and are not switched on are taken out.
set -eu
bin=${SEALIFT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealift-peers}/bin
build=${SEALIFT_GUEST_BUILD:-$(mktemp -d /tmp/kbs-client.XXXXXX)}
[ -n "${SEALIFT_GUEST_BUILD:-}" ] || trap 'rm -rf "$build"' EXIT
export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}"
mkdir -p "$bin" "$build/trustee" "$build/guest"

# main of 2026-08-21, after v0.21.0, and the commit of guest-components that its manifest names
trustee=78962cd416dcc8a32f9377e0066a28fe21420f69
guest=da8d93f2797088a5f0636c8c1eeb31da73784fe8

# $1 name of the repository, $2 a clone of it or nothing: tells where a clone is
clone_of() {
  if [ -n "$2" ]; then
    echo "$2"
    return
  fi
  git clone --quiet --bare "https://github.com/confidential-containers/$1" "$build/$1.git"
  echo "$build/$1.git"
}
git -C "$(clone_of trustee "${1:-}")" archive "$trustee" | tar -x -C "$build/trustee"
git -C "$(clone_of guest-components "${2:-}")" archive "$guest" | tar -x -C "$build/guest"

# $1 a workspace's manifest, $2 its members
with_members() {
  awk -v members="members = [$2]" '
    /^members = \[/ { print members; skipping = 1 }
    !skipping { print }
    skipping && /^\]/ { skipping = 0 }
  ' "$1" >"$1.new"
  mv "$1.new" "$1"
}
members=
for member in attestation-agent/kbs_protocol attestation-agent/attester attestation-agent/deps/resource_uri \
  attestation-agent/deps/crypto protos; do
  if [ -e "$build/guest/$member/Cargo.toml" ]; then members="$members\"$member\", "; fi
done
with_members "$build/guest/Cargo.toml" "$members"
with_members "$build/trustee/Cargo.toml" '"tools/kbs-client"'
attester=$build/guest/attestation-agent/attester/Cargo.toml
sed -n 's/^\([A-Za-z0-9_-]*\) *= *{ *git *=.*/\1/p' "$attester" | while read -r name; do
  sed -i "/^$name *=/d; s/\"$name\" *, *//; s/, *\"$name\"//; s/\"$name\"//" "$attester"
done
sed -i 's|^kbs_protocol = .*|kbs_protocol = { path = "../guest/attestation-agent/kbs_protocol", default-features = false }|
  /^kms = /d
  /^\[patch.crates-io\]/,$d' "$build/trustee/Cargo.toml"

(cd "$build/trustee" && cargo build --quiet --release -p kbs-client)
install -s -m 755 "$build/trustee/target/release/kbs-client" "$bin/kbs-client"
