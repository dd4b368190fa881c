#!/bin/bash
# get.sh FLAVOUR [CACHE]
#
# Make sure that CACHE/FLAVOUR holds a database server that runs in place, and
# print that folder.  FLAVOUR is mariadb-10.5, mariadb-10.11, mariadb-11.8 or
# mysql-9.7.  Nothing is installed on this machine: see unpack.sh.
#
# CACHE defaults to $MPP_SERVER_CACHE, $XDG_CACHE_HOME/mpp/servers or
# ~/.cache/mpp/servers.  Exit status: 2 unknown flavour, 3 the version cannot be
# had here (the reason is on standard error), 0 the folder is ready.
set -euo pipefail
export LC_ALL=C

flavour=${1:-}
cache=${2:-${MPP_SERVER_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither HOME nor a cache folder is known}/.cache}/mpp/servers}}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Where each flavour comes from.  "full" packages bring all that they depend on,
# "bare" ones only their own files: they hold client programs and plugins whose
# dependencies (perl, a service, an init system) nobody wants here.
full=() bare=()
case $flavour in
  mariadb-10.5)
    suites=(bullseye)
    full=(mariadb-server-core-10.5 mariadb-client-core-10.5)
    bare=(mariadb-server-10.5 mariadb-client-10.5 mariadb-backup) ;;
  mariadb-10.11)
    suites=(bookworm bookworm-updates bookworm-security) ;;
  mariadb-11.8)
    suites=(trixie trixie-updates trixie-security) ;;
  mysql-9.7)
    suites=("${MPP_MYSQL_SUITE:-sid}")      # not in a stable release yet, so it may move on
    full=(mysql-server-core mysql-client-core) ;;
  *)
    echo "get.sh: unknown flavour '$flavour': want mariadb-10.5, mariadb-10.11, mariadb-11.8 or mysql-9.7" >&2
    exit 2 ;;
esac
if ((${#full[@]} == 0)); then
  full=(mariadb-server-core mariadb-client-core)
  bare=(mariadb-server mariadb-client mariadb-backup)
fi

cannot() {
  {
    echo "==================================================================="
    echo "  $flavour CANNOT BE HAD HERE: $1"
    echo "  Name a server of your own with MPP_SERVER_DIR=DIR (DIR/bin or"
    echo "  DIR/sbin holds mariadbd or mysqld), or copy a filled cache to"
    echo "  $cache"
    echo "==================================================================="
  } >&2
  exit 3
}

mkdir -p "$cache" || cannot "no cache folder $cache"
cache=$(cd "$cache" && pwd)
base=$cache/$flavour

if [[ ! -e $base/.complete ]]; then
  [[ -w $cache ]] || cannot "$cache is not writable"
  for tool in apt-get apt-cache apt-config dpkg dpkg-deb flock; do
    command -v "$tool" >/dev/null || cannot "this needs $tool (a Debian-like host)"
  done
  exec {lock}>"$base.lock"
  flock "$lock"                             # another process may be at it
  if [[ ! -e $base/.complete ]]; then
    bash "$here/unpack.sh" "$base" "${suites[*]}" "${full[*]}" "${bare[*]}" || cannot "the download failed, see above"

    server=$base/bin/${flavour%%-*}d
    said=$("$server" --no-defaults --version 2>&1) || cannot "$server does not run: $said"
    [[ $said =~ Ver\ ([0-9]+\.[0-9]+)\. ]] || cannot "its version is not understood: $said"
    if [[ ${BASH_REMATCH[1]} != "${flavour#*-}" ]]; then
      rm -rf "$base"
      cannot "${suites[0]} has version ${BASH_REMATCH[1]} now"
    fi
    : >"$base/.complete"
  fi
fi
printf '%s\n' "$base"
