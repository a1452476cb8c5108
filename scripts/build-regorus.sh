#!/bin/sh
# Rebuilds src/policy/engine/regorus.wasm from crates/, byte for byte, wherever the tree stands.
# Needs rustup with the toolchain named in crates/rust-toolchain.toml; OUT says where the module goes.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/crates/target}
out=${OUT:-$root/src/policy/engine/regorus.wasm}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
cd "$root/crates"
sysroot=$(rustc --print sysroot)

# No path of this machine in the module; the memory is the host's, who gives it its maximum.
RUSTFLAGS="--remap-path-prefix=$root/crates=/crates --remap-path-prefix=$cargo_home=/cargo \
--remap-path-prefix=$sysroot=/rust --remap-path-prefix=$target=/target -C link-arg=--import-memory" \
  GIT_HASH=unknown CARGO_INCREMENTAL=0 \
  cargo build --locked --release --target wasm32-wasip1 --target-dir "$target" -p sealift-regorus

# Counts instructions and depth inside of the module, so that its limits are the same on every machine.
RUSTFLAGS= cargo run --locked --quiet --release --target-dir "$target/host" -p sealift-meter -- \
  "$target/wasm32-wasip1/release/sealift_regorus.wasm" "$out"
(cd "$(dirname "$out")" && sha256sum "$(basename "$out")" >"$(basename "$out").sha256")
