#!/bin/sh
# Builds Trustee's own key broker, which `npm run bench` measures ours beside: it attests as `sample`, and its evidence
# verifiers for hardware are left out. About 10 minutes on two cores. Wants Rust, protobuf-compiler and libssl-dev.
#
# Usage: sh test/peers/trustee-kbs.sh [TRUSTEE]
#   TRUSTEE               a clone, also a bare one, of https://github.com/confidential-containers/trustee; without it,
#                         it is cloned from there. Neither install.sh nor CI needs this.
#   SEALIFT_GUEST_BUILD   where to build (a new directory under /tmp, removed at the end)
#   CARGO_BUILD_JOBS      how many compilers at once (2)
#
# Changed are manifests, which lose what comes by git and is not switched on; and the list of extractors of reference
# values, which loses CoRIM, as its library comes by git.
set -eu
bin=${SEALIFT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealift-peers}/bin
build=${SEALIFT_GUEST_BUILD:-$(mktemp -d /tmp/trustee-kbs.XXXXXX)}
[ -n "${SEALIFT_GUEST_BUILD:-}" ] || trap 'rm -rf "$build"' EXIT
export CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-2}"
export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}"
# main of 2026-08-21, after v0.21.0
commit=78962cd416dcc8a32f9377e0066a28fe21420f69

clone=${1:-}
mkdir -p "$bin" "$build/trustee"
if [ -z "$clone" ]; then
  clone=$build/trustee.git
  git clone --quiet --bare https://github.com/confidential-containers/trustee "$clone"
fi
git -C "$clone" archive "$commit" | tar -x -C "$build/trustee"
cd "$build/trustee"

awk '
  /^members = \[/ { print "members = [\"kbs\", \"attestation-service\", \"rvps\", \"deps/verifier\", \"deps/eventlog\", \"deps/key-value-storage\", \"deps/policy-engine\"]"; skipping = 1 }
  !skipping { print }
  skipping && /^\]/ { skipping = 0 }
' Cargo.toml >Cargo.toml.new
mv Cargo.toml.new Cargo.toml
sed -i '/^kbs_protocol = /d
  s|^kms = .*|kms = { path = "kms-nothing" }|
  /^\[patch.crates-io\]/,$d' Cargo.toml
# A dependency that is named, and whose one feature (Aliyun) is off.
mkdir -p kms-nothing/src
printf '[package]\nname = "kms"\nversion = "0.1.0"\nedition = "2021"\n[features]\naliyun = []\n' >kms-nothing/Cargo.toml
: >kms-nothing/src/lib.rs
sed -i '/^corim-rs = /d' rvps/Cargo.toml
sed -i '/corim/d' rvps/src/extractors/mod.rs
sed -i '/^\(intel-tee-quote-verification-rs\|veraison-apiclient\|ccatoken\) = /d
  /^ *"intel-tee-quote-verification-rs",$/d
  s/, "veraison-apiclient", "ccatoken"//' deps/verifier/Cargo.toml
sed -i '/^ *"\(all\|snp\|nvidia\|se\|cca\)-verifier",$/d' kbs/Cargo.toml

cargo build --release -p kbs --bin kbs --no-default-features --features coco-as-builtin
cp "${CARGO_TARGET_DIR:-target}/release/kbs" "$bin/trustee-kbs"
echo "peers: trustee-kbs is in $bin"
