#!/usr/bin/env bash
# install.sh DESTDIR PREFIX: binaries, wrappers, man pages, completion and units. A binary is
# replaced by rename: a load balancer may start it at any moment.
set -euo pipefail
dest=${1:-} prefix=${2:-/usr/local}
here=$(cd "$(dirname "$0")/.." && pwd)

place() { # place MODE FILE TARGET
  install -D -m "$1" "$2" "$dest$3.new"
  mv -f "$dest$3.new" "$dest$3"
}
for b in mppd mpp mpp-check; do place 755 "$here/bin/$b" "$prefix/bin/$b"; done
for f in "$here"/packaging/libexec/*; do place 755 "$f" "$prefix/libexec/mpp/$(basename "$f")"; done
for f in "$here"/dist/man/*.1; do place 644 "$f" "$prefix/share/man/man1/$(basename "$f")"; done
for f in "$here"/packaging/man/*.8; do place 644 "$f" "$prefix/share/man/man8/$(basename "$f")"; done
ln -sfn ../../bin/mpp-check "$dest$prefix/libexec/mpp/check_mpp" # for Nagios, which takes every exit code as it is
for f in "$here"/packaging/systemd/*; do
  place 644 <(sed "s#/usr/\(bin\|libexec\)/#$prefix/\1/#" "$f") "$prefix/lib/systemd/system/$(basename "$f")"
done
place 644 "$here/packaging/sysusers/mpp.conf" "$prefix/lib/sysusers.d/mpp.conf"
place 644 <("$here/bin/mpp" completion bash) "$prefix/share/bash-completion/completions/mpp"
zsh=site-functions # what zsh looks at below /usr/local; Debian's packages have a folder of their own below /usr
[[ $prefix == /usr ]] && zsh=vendor-completions
place 644 <("$here/bin/mpp" completion zsh) "$prefix/share/zsh/$zsh/_mpp"
place 644 <("$here/bin/mpp" completion fish) "$prefix/share/fish/vendor_completions.d/mpp.fish"
echo "installed below $dest$prefix; next: systemd-sysusers, systemctl daemon-reload, and examples/mpp.toml to /etc/mpp/mpp.toml"
