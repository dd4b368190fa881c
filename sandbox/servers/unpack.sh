#!/bin/bash
# unpack.sh BASE "SUITE..." "PACKAGE..." "BARE..."
#
# Unpack Debian packages into the folder BASE, with every library they need down
# to the C library, so that they run on a host of another release.  Called by
# get.sh, which holds the lock.
#
# apt does the work under a private configuration and state: an empty package
# database makes it resolve all dependencies within SUITEs, signatures are
# checked, the host's own state is not touched, and no rights are needed but to
# write BASE.  Nothing is installed: no package script runs, no service starts.
#
# The files come from the mirrors that this host's apt is set up with
# (MPP_DEBIAN_MIRROR and MPP_DEBIAN_SECURITY_MIRROR name others).
set -euo pipefail
export LC_ALL=C

base=$1
read -ra suites <<<"$2"
read -ra full <<<"$3"
read -ra bare <<<"$4"

new=$base.new apt=$base.apt
rm -rf "$new" "$apt"
trap 'rm -rf "$new" "$apt"' EXIT
trap 'exit 1' INT TERM HUP

fail() { echo "unpack.sh: $*" >&2; exit 1; }

# --- a private apt -----------------------------------------------------------

known=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u)
mirror=${MPP_DEBIAN_MIRROR:-$(grep -m1 -E '/debian/?$' <<<"$known" || true)}
security=${MPP_DEBIAN_SECURITY_MIRROR:-$(grep -m1 -E '/debian-security/?$' <<<"$known" || true)}
[[ -n $mirror ]] || fail "apt on this host knows no Debian mirror: run apt-get update once, or set MPP_DEBIAN_MIRROR"
[[ -n $security ]] || security=${mirror%/}-security

keyring=${MPP_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
[[ -r $keyring ]] || fail "no keyring $keyring to check signatures with: install debian-archive-keyring"
arch=$(dpkg --print-architecture)

mkdir -p "$new" "$apt"/{lists,archives}/partial
chmod 700 "$apt"                            # its configuration may name a proxy
for suite in "${suites[@]}"; do
  from=$mirror
  [[ $suite != *-security ]] || from=$security
  printf 'deb [arch=%s signed-by=%s] %s %s main\n' "$arch" "$keyring" "$from" "$suite"
done >"$apt/sources.list"

# Some programs that come along are Perl scripts that nobody calls here: a
# stand-in saves fetching Perl.
printf '%s\n' 'Package: perl' 'Status: install ok installed' 'Version: 999' "Architecture: $arch" \
  'Multi-Arch: allowed' 'Maintainer: nobody <nobody@localhost>' 'Description: stand-in' '' >"$apt/status"

# How to reach the mirrors is the host's business: proxies, and whether a mirror
# is a snapshot whose Release file is old.  All else is set here.
apt-config dump | grep -E '^Acquire::(https?::(Proxy|Timeout|[^" ]*::Proxy)|Check-Valid-Until|ForceIPv[46]) ' >"$apt/conf" || true
cat >>"$apt/conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
Dir::Etc "$apt";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
CONF
export APT_CONFIG=$apt/conf

# --- fetch and unpack --------------------------------------------------------

apt-get -qq update >&2
apt-get -qq -y --download-only install "${full[@]}" >&2
if ((${#bare[@]})); then
  (cd "$apt/archives" && apt-get -qq download "${bare[@]}" >&2)
fi

shopt -s nullglob
debs=("$apt"/archives/*.deb)
((${#debs[@]})) || fail "apt fetched nothing for ${full[*]}"
for deb in "${debs[@]}"; do
  dpkg-deb -x "$deb" "$new"
  dpkg-deb -W --showformat '${Package} ${Version}\n' "$deb" >>"$new/PACKAGES"
done
rm -rf "$new"/usr/share/{bug,doc,doc-base,info,lintian,locale,man,zoneinfo} "$new"/usr/lib/*/gconv

# --- make it run in place ----------------------------------------------------

# bin/NAME starts the program through the loader that was unpacked with it.  Each
# has a link to the loader of its own name, so that process lists show "mariadbd".
# exec keeps the process id, and the path is taken from $0: BASE may be moved.
loader=
for f in "$new"/lib*/*/ld-linux*.so.* "$new"/usr/lib*/*/ld-linux*.so.* "$new"/lib*/ld-linux*.so.* "$new"/usr/lib*/ld-linux*.so.*; do
  [[ ! -f $f ]] || { loader=$f; break; }
done
[[ -n $loader ]] || fail "no dynamic loader among the packages"
mkdir -p "$new/bin" "$new/loader"
cp -L "$loader" "$new/loader/ld.so"
chmod 755 "$new/loader/ld.so"

path=
for d in "$new"/usr/lib/*-linux-gnu* "$new"/lib/*-linux-gnu*; do
  [[ -d $d && ! -L ${d%/*} ]] || continue
  path+=${path:+:}'$base'${d#"$new"}
done

for program in "$new"/usr/sbin/* "$new"/usr/bin/*; do
  [[ -f $program && ! -L $program && -x $program ]] || continue
  [[ $(head -c 4 "$program" | tail -c 3) == ELF ]] || continue
  name=${program##*/}
  ln "$new/loader/ld.so" "$new/loader/$name"
  {
    echo '#!/bin/sh'
    echo 'base=${0%/*}/..'
    printf 'exec "$base/loader/%s" --library-path "%s" "$base%s" "$@"\n' "$name" "$path" "${program#"$new"}"
  } >"$new/bin/$name"
  chmod 755 "$new/bin/$name"
done

# The same names for every release.
for d in usr/share/mariadb usr/share/mysql; do
  [[ ! -d $new/$d/charsets ]] || ln -sfn "$d" "$new/share"
done
if [[ -d $new/usr/lib/mysql/plugin ]]; then ln -sfn usr/lib/mysql/plugin "$new/plugin"; fi

rm -rf "$base"
mv "$new" "$base"
