#!/usr/bin/env bash
# Builds HAProxy's image from Debian's package, for machines that cannot pull `haproxy:2.6`, and gives it that name: the
# major and minor version of the package. Like the official image it reads /usr/local/etc/haproxy/haproxy.cfg, runs as
# user 99 and stops softly on SIGUSR1; unlike it, it has no shell. Needs Docker and Debian or Ubuntu, but not root.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,archives/partial,unpacked,context/root}

# The package and all it depends on, as on a system that has nothing installed.
apt=(apt-get -qq -o Dir::State::status=/dev/null -o Dir::State::lists="$work/lists" -o Dir::Cache="$work"
    -o Dir::Cache::archives="$work/archives" -o APT::Sandbox::User= -o Debug::NoLocking=true)
"${apt[@]}" update
"${apt[@]}" --yes --no-install-recommends --download-only install haproxy >/dev/null
for package in "$work"/archives/*.deb; do
    dpkg-deb -x "$package" "$work/unpacked"
done
version=$(dpkg-deb -f "$work"/archives/haproxy_*.deb Version)
tag=$(sed -E 's/^([0-9]+\.[0-9]+).*/\1/' <<<"$version")

# Of these the program, its libraries and its licence; the rest is for scripts of packages.
cd "$work/unpacked"
root=$work/context/root
libraries=$(find "$PWD" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
loader=$(find "$PWD" -type f -name 'ld-linux*.so.*' -print -quit)
"$loader" --library-path "$libraries" --list usr/sbin/haproxy | grep -o "${PWD}[^ ]*" |
    xargs realpath --no-symlinks --relative-to=. | sort -u >"$work/files"
xargs cp --parents --dereference -t "$root" usr/sbin/haproxy usr/share/doc/haproxy/copyright <"$work/files"
# The loader, also under the name of the absolute link that programs are linked with.
find lib* -name "${loader##*/}" -exec install -D -m 755 "$loader" "$root/{}" \;
mkdir -p "$root"/{tmp,var/lib/haproxy,usr/local/etc/haproxy}
chmod 1777 "$root/tmp"

cat >"$work/context/Dockerfile" <<EOF
FROM scratch
LABEL org.opencontainers.image.title="haproxy" \\
      org.opencontainers.image.description="HAProxy from Debian's package, not the official image" \\
      org.opencontainers.image.version="$version"
COPY root /
USER 99:99
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/usr/sbin/haproxy", "-W", "-db"]
CMD ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]
EOF
docker build --quiet --tag "haproxy:$tag" "$work/context" >/dev/null
echo "built haproxy:$tag from Debian's haproxy $version"
[ "$tag" = 2.6 ] || echo "compose.yaml expects haproxy:2.6; tell it by: export HAPROXY_IMAGE=haproxy:$tag"
