#!/usr/bin/env bash
# Installs what the demo and the tests need from Debian: the MariaDB server (without its
# service) and the balancers that the tests plug into. Without root or apt it says what is
# missing; a server of your own is taken from PATH or MPP_SERVER_DIR.
set -euo pipefail

declare -A package=(
  [mariadbd]=mariadb-server-core
  [mariadb]=mariadb-client-core
  [haproxy]=haproxy
  [keepalived]=keepalived
  [ip]=iproute2
)
export PATH=$PATH:/usr/sbin:/sbin

missing=()
for program in "${!package[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
((${#missing[@]})) || exit 0

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
  echo "deps: not installed: ${missing[*]} (as root on Debian: apt-get install --no-install-recommends ${missing[*]})" >&2
  command -v mariadbd >/dev/null || command -v mysqld >/dev/null || [[ -n ${MPP_SERVER_DIR:-} ]] ||
    echo "deps: no database server on PATH; set MPP_SERVER_DIR to the folder of one" >&2
  exit 0
fi

# Packages with a service must not start it here. The file is ours only if nobody had one.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
echo "deps: installed ${missing[*]}"
