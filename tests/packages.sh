#!/usr/bin/env bash
# The Debian packages that the full test run and the KVM lab need. Without root it says what is left out.
set -euo pipefail

packages=(
  # the browser tests
  chromium fonts-dejavu-core
  # servers of the distribution, which tests run for themselves
  redis-server postgresql nginx-light curl
  # what reads docker-compose.yml and the systemd units; neither needs an engine or a running systemd
  docker-compose systemd
  # libvirt-python is compiled
  gcc libvirt-dev pkg-config python3-dev
  # three libvirt nodes in network namespaces, and their guests
  libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils
  iproute2 util-linux procps kmod socat busybox-static cpio zstd
  # hosts reached by ssh: the daemon runs inside lab nodes only
  openssh-server openssh-client
)

if ! command -v dpkg-query apt-get >/dev/null; then
  echo "this is no Debian: tests for which a program is missing are skipped"
  exit 0
fi
missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "not root: these stay missing, and tests that need them are skipped: ${missing[*]}"
  exit 0
fi

# What is installed for tests must not start services of its own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
echo "installing Debian packages: ${missing[*]}"
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 30 "$log" >&2
  echo "the Debian packages could not be installed; the lines above say why" >&2
  exit 1
fi
rm -f "$log"
