#!/bin/sh
# Packs what was built into dist/deb. Needs dpkg-deb; SOURCE_DATE_EPOCH makes it repeatable.
set -eu
cd "$(dirname "$0")/../.."
version=$(dist/faultproxy version | sed -n 's/^faultproxy //p')
architecture=$(dpkg --print-architecture)
root=dist/deb/root
doc=$root/usr/share/doc/faultproxy
epoch=${SOURCE_DATE_EPOCH:-$(date +%s)}

rm -rf dist/deb
umask 022
ZSHDIR=/usr/share/zsh/vendor-completions packaging/install.sh "$root"

install -D -m 644 packaging/deb/copyright "$doc/copyright"
install -m 644 README.md ARCHITECTURE.md CONTRIBUTING.md LICENSE packaging/THIRD-PARTY.md "$doc"
cp -R docs "$doc/docs"
chmod -R u=rwX,go=rX "$doc/docs"
gzip -9 -n < CHANGELOG.md > "$doc/changelog.gz"
gzip -9 -n > "$doc/changelog.Debian.gz" << END
faultproxy ($version-1) unstable; urgency=medium

  * Version $version; changelog.gz says what is new.

 -- faultproxy developers <developers@faultproxy.invalid>  $(LC_ALL=C date -u -R -d "@$epoch")
END
for name in @pydantic/genai-prices citty consola smol-toml; do install -m 644 "node_modules/$name/LICENSE" "$doc/LICENSE.${name##*/}"; done
install -D -m 644 packaging/deb/lintian-overrides "$root/usr/share/lintian/overrides/faultproxy"

mkdir "$root/DEBIAN"
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$version-1/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" packaging/deb/control > "$root/DEBIAN/control"
echo /etc/xdg/faultproxy/config.toml > "$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "packaging/deb/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum > DEBIAN/md5sums)

SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "dist/deb/faultproxy_${version}-1_$architecture.deb" > /dev/null
echo "dist/deb/faultproxy_${version}-1_$architecture.deb"
