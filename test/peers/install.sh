#!/bin/sh
# Brings the real peers that test/interop and the benchmark talk to: Debian packages, and Go programs
# built from the Go module proxy into a cache outside the checkout. What is there already is skipped.
# Usage: sh test/peers/install.sh        (Debian or Ubuntu, root, Go 1.26 or later)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=versions.env
. "$here/versions.env"
cache=${SEALIFT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealift-peers}
mkdir -p "$cache/bin" "$cache/stamps"

missing=
for package in $DEBIAN_PACKAGES; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "peers: installing from Debian:$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # policy-rc.d keeps dpkg from starting daemons: the tests start their own, on ports of their own.
  guard=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && guard=1
  fi
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >"$cache/apt.log" 2>&1 || { tail -n 40 "$cache/apt.log" >&2; exit 1; }
  if [ -n "$guard" ]; then rm -f /usr/sbin/policy-rc.d; fi
fi

# $1 program, $2 module path, $3 version
go_peer() {
  stamp="$cache/stamps/$1-$3"
  if [ -x "$cache/bin/$1" ] && [ -e "$stamp" ]; then return 0; fi
  echo "peers: building $1 $3" >&2
  GOBIN="$cache/bin" CGO_ENABLED=0 GOFLAGS=-trimpath go install -ldflags='-s -w' "$2@$3"
  touch "$stamp"
}
go_peer crane github.com/google/go-containerregistry/cmd/crane "$CRANE_VERSION"
# The module's program is called registry; keep distribution 3 apart from Debian's docker-registry (2.8).
if [ ! -e "$cache/stamps/distribution-$DISTRIBUTION_VERSION" ]; then
  go_peer registry github.com/distribution/distribution/v3/cmd/registry "$DISTRIBUTION_VERSION"
  mv "$cache/bin/registry" "$cache/bin/distribution"
  touch "$cache/stamps/distribution-$DISTRIBUTION_VERSION"
fi
# Sigstore: its client (about 7 minutes) and its services.
go_peer cosign github.com/sigstore/cosign/v3/cmd/cosign "$COSIGN_VERSION"
go_peer fulcio github.com/sigstore/fulcio "$FULCIO_VERSION"
go_peer timestamp-server github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server "$TIMESTAMP_VERSION"
go_peer rekor-server github.com/sigstore/rekor/cmd/rekor-server "$REKOR_VERSION"
# Rekor 2 over files; the module's program is called after its storage.
if [ ! -e "$cache/stamps/rekor-tiles-$REKOR_TILES_VERSION" ]; then
  go_peer posix github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix "$REKOR_TILES_VERSION"
  mv "$cache/bin/posix" "$cache/bin/rekor-tiles"
  touch "$cache/stamps/rekor-tiles-$REKOR_TILES_VERSION"
fi
# Nebula: certificates of version 2 from here; Debian's 1.6 reads version 1 alone, and gets names of its own.
go_peer nebula-cert github.com/slackhq/nebula/cmd/nebula-cert "$NEBULA_VERSION"
go_peer nebula github.com/slackhq/nebula/cmd/nebula "$NEBULA_VERSION"
ln -sf /usr/bin/nebula-cert "$cache/bin/nebula-cert-1.6"
ln -sf /usr/bin/nebula "$cache/bin/nebula-1.6"
# What policies and their tests are compared with.
go_peer opa github.com/open-policy-agent/opa "$OPA_VERSION"
# Rekor 1 keeps its entries in Trillian, and that in PostgreSQL.
go_peer trillian_log_server github.com/google/trillian/cmd/trillian_log_server "$TRILLIAN_VERSION"
go_peer trillian_log_signer github.com/google/trillian/cmd/trillian_log_signer "$TRILLIAN_VERSION"
if [ ! -e "$cache/share/trillian-$TRILLIAN_VERSION.sql" ]; then
  mkdir -p "$cache/share"
  trillian=$(go mod download -json "github.com/google/trillian@$TRILLIAN_VERSION" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
  install -m 644 "$trillian/storage/postgresql/schema/storage.sql" "$cache/share/trillian-$TRILLIAN_VERSION.sql"
  ln -sf "trillian-$TRILLIAN_VERSION.sql" "$cache/share/trillian.sql"
fi
# The conformance suite has no tagged release; it needs a module that requires it by pseudo-version.
if [ ! -e "$cache/stamps/conformance-$CONFORMANCE_VERSION" ]; then
  echo "peers: building the OCI conformance suite $CONFORMANCE_VERSION" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  printf 'module peers\n\ngo 1.24\n\nrequire github.com/opencontainers/distribution-spec/conformance %s\n' "$CONFORMANCE_VERSION" > "$work/go.mod"
  (cd "$work" && GOBIN="$cache/bin" CGO_ENABLED=0 GOFLAGS=-mod=mod go install github.com/opencontainers/distribution-spec/conformance)
  touch "$cache/stamps/conformance-$CONFORMANCE_VERSION"
fi
# Kubernetes' module replaces its parts by folders of its own repository, so it needs a module that has them by version.
if [ ! -e "$cache/stamps/kubernetes-$KUBERNETES_VERSION" ]; then
  echo "peers: building Kubernetes $KUBERNETES_VERSION (about 10 minutes)" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  kubernetes="k8s.io/kubernetes@$KUBERNETES_VERSION"
  mod=$(cd "$work" && go mod download -json "$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
  parts=$(echo "$KUBERNETES_VERSION" | sed 's/^v1/v0/')
  printf 'module peers\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes %s\n' "$KUBERNETES_VERSION" >"$work/go.mod"
  sed -n "s#^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging/.*#replace \1 => \1 $parts#p" "$mod" >>"$work/go.mod"
  set -- kube-apiserver kube-controller-manager kube-scheduler kubectl kubelet
  {
    printf '//go:build tools\n\npackage peers\n\nimport (\n'
    printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "$@"
    printf ')\n'
  } >"$work/peers.go"
  (
    cd "$work"
    go mod tidy >/dev/null 2>&1
    programs=$(printf 'k8s.io/kubernetes/cmd/%s ' "$@")
    # shellcheck disable=SC2086
    GOBIN="$cache/bin" CGO_ENABLED=0 GOFLAGS=-trimpath go install -ldflags='-s -w' $programs
  )
  touch "$cache/stamps/kubernetes-$KUBERNETES_VERSION"
fi
# Small programs over public libraries (of the tlog-tiles format, of RFC 5424, of SPIFFE); go.sum pins these.
for program in tlog-peer syslog-peer spiffe-peer; do
  state=$(cat "$here/$program/main.go" "$here/$program/go.sum" | sha256sum | cut -c1-16)
  if [ -x "$cache/bin/$program" ] && [ -e "$cache/stamps/$program-$state" ]; then continue; fi
  echo "peers: building $program" >&2
  (cd "$here/$program" && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$cache/bin/$program" .)
  touch "$cache/stamps/$program-$state"
done
echo "peers: ready in $cache/bin" >&2
