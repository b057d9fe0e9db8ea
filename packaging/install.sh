#!/bin/sh
# Lays out a package: install.sh FOLDER puts what was built there as it is to stand under /. Distributions differ in ZSHDIR.
set -eu
cd "$(dirname "$0")/.."
root=$1
share=$root/usr/share
zshdir=$root${ZSHDIR-/usr/share/zsh/site-functions}

file() { install -D -m "$1" "$2" "$3"; }

file 755 dist/faultproxy "$root/usr/bin/faultproxy"
ln -sf faultproxy "$root/usr/bin/faultctl"

install -d -m 700 "$root/etc/xdg/faultproxy"
config=$root/etc/xdg/faultproxy/config.toml
{
  echo "# Of the service. Its port is set in faultproxy.socket; systemctl reload faultproxy reads this file again."
  dist/faultproxy config --example
} > "$config"
chmod 600 "$config"

for page in dist/man/*.[1-8]; do
  file 644 "$page" "$share/man/man${page##*.}/${page##*/}"
  gzip -9 -n -f "$share/man/man${page##*.}/${page##*/}"
done
ln -sf faultproxy-ctl.1.gz "$share/man/man1/faultctl.1.gz"

file 644 dist/completions/bash/faultproxy "$share/bash-completion/completions/faultproxy"
ln -sf faultproxy "$share/bash-completion/completions/faultctl"
file 644 dist/completions/fish/faultproxy.fish "$share/fish/vendor_completions.d/faultproxy.fish"
ln -sf faultproxy.fish "$share/fish/vendor_completions.d/faultctl.fish"
file 644 dist/completions/zsh/_faultproxy "$zshdir/_faultproxy"

for unit in faultproxy.service faultproxy.socket; do file 644 "packaging/systemd/$unit" "$root/usr/lib/systemd/system/$unit"; done
