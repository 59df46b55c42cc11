#!/bin/sh
# Installs the Debian packages that LogLog is built with; asks apt only for what is missing.
#   samples/install_packages.sh          what `cmake --preset release` needs
#   samples/install_packages.sh tests    also what tests/run.sh needs
set -eu

packages="g++ cmake ninja-build pkg-config ccache libuv1-dev liburing-dev libxxhash-dev libfmt-dev libcli11-dev libtomlplusplus-dev libmicrohttpd-dev
  doctest-dev"
case "${1:-}" in
  "") ;;
  tests) packages="$packages binutils python3 clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
    iproute2 nftables fuse3 libfuse3-dev zsh fish man-db groff-base mandoc doxygen
    adduser lintian systemd python3-yaml prometheus chromium chromium-driver python3-selenium" ;;
  *)
    echo "install_packages.sh: '$1' is no group of packages; give nothing or: tests" >&2
    exit 2
    ;;
esac

missing=""
for package in $packages; do
  if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
    missing="$missing $package"
  fi
done
if [ -z "$missing" ]; then
  exit 0
fi

as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install_packages.sh: not root and no sudo; as root, run: apt-get install$missing" >&2
    exit 1
  fi
  as_root="sudo"
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A foreign package source that cannot be reached must not stop us: what counts is whether the install succeeds.
$as_root apt-get update >"$log" 2>&1 || true
# shellcheck disable=SC2086
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "install_packages.sh: apt-get could not install$missing" >&2
  exit 1
fi
# The tests start a Prometheus of their own; the package's service need not run beside it.
case "$missing" in
  *" prometheus"*) if [ -d /run/systemd/system ]; then $as_root systemctl disable --quiet --now prometheus; fi ;;
esac
