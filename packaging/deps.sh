#!/usr/bin/env bash
# deps.sh [all|demo|lab]: installs what the tests (all), the demo or the lab need from Debian:
# the MariaDB server, for the tests the balancers that they plug into and MHA, and what the lab's
# hosts need (sshd, nft, arping), none of them with its service running. Without root or apt it says
# what is missing. A server of your own, on PATH or in MPP_SERVER_DIR, is used as it is: then no
# other one is installed beside it, and no package is ever removed.
set -euo pipefail

server=(mariadbd:mariadb-server-core mariadb:mariadb-client-core) # program:package
balancers=(haproxy:haproxy keepalived:keepalived)
tools=(mariadb-binlog:mariadb-client mariadb-backup:mariadb-backup) # what MPP uses on the servers' hosts
mha=(masterha_manager:mha4mysql-manager apply_diff_relay_logs:mha4mysql-node) # what MPP is tried beside
lab=(ip:iproute2 sshd:openssh-server ssh:openssh-client nft:nftables arping:iputils-arping ps:procps)
export PATH=$PATH:/usr/sbin:/sbin

case ${1:-all} in
  all) wanted=("${balancers[@]}" "${mha[@]}" "${lab[@]}" sudo:sudo ping:iputils-ping) ;;
  demo)
    # With hosts of its own where network namespaces are allowed, without where they are not.
    wanted=()
    if [[ $(id -u) == 0 ]] && unshare --net true 2>/dev/null; then wanted=("${lab[@]}"); fi
    ;;
  lab) wanted=("${lab[@]}") ;;
  *) echo "usage: deps.sh [all|demo|lab]" >&2 && exit 2 ;;
esac
own_server() { [[ -n ${MPP_SERVER_DIR:-} ]] || command -v mysqld >/dev/null; }
own_server || wanted+=("${server[@]}")
if [[ ${1:-all} != demo ]] && ! own_server; then wanted+=("${tools[@]}"); fi

missing=()
for each in "${wanted[@]}"; do
  command -v "${each%%:*}" >/dev/null || missing+=("${each#*:}")
done
((${#missing[@]})) || exit 0

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
  echo "deps: not installed: ${missing[*]} (as root on Debian: apt-get install --no-install-recommends ${missing[*]})" >&2
  own_server || command -v mariadbd >/dev/null ||
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
# --no-remove: apt would take away somebody's MySQL for ours. Then it must fail instead, and a
# server is fetched into the cache by those who need one.
install=(apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}")
if ! "${install[@]}" >/dev/null 2>&1; then
  apt-get update -qq || true
  "${install[@]}" >/dev/null || {
    echo "deps: not installed: ${missing[*]} (apt's reason is above); going on without" >&2
    exit 0
  }
fi
echo "deps: installed ${missing[*]}"

# Nor must a service that came with them start at the next boot: nobody asked for one.
for name in "${missing[@]}"; do
  case $name in
    haproxy | keepalived) units=("$name.service") ;;
    openssh-server) units=(ssh.service ssh.socket) ;;
    *) continue ;;
  esac
  if command -v systemctl >/dev/null; then
    systemctl --quiet disable "${units[@]}" >/dev/null 2>&1 || true
  elif command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper disable "${units[@]}" >/dev/null 2>&1 || true
  fi
done
