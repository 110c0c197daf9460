#!/usr/bin/env bash
# Installs pisink from an unpacked tarball, into the very places where the Debian package would put it.
set -euo pipefail

usage() {
    cat <<'END'
Installs pisink as a service: what the Debian package does, for systems that the package is not for.

    sudo ./install.sh                install, or upgrade; starts the service
    sudo ./install.sh --uninstall    take it away again; settings and readings stay
    sudo ./install.sh --purge        take settings and readings away too

    --root DIR    into a system that is not running, as in an SD card's mounted image; nothing is started

Settings that are there already are kept. Exit codes: 0 done, 1 failed, 2 wrong usage.
END
}

die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

action=install root=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --uninstall) action=uninstall ;;
    --purge) action=purge ;;
    --root)
        if [ $# -lt 2 ] || [ ! -d "$2" ]; then
            echo "install.sh: --root wants a folder; see --help" >&2
            exit 2
        fi
        root=${2%/}
        shift
        ;;
    *)
        echo "install.sh: what is '$1'? See --help" >&2
        exit 2
        ;;
    esac
    shift
done
cd "$(dirname "$0")"
[ -d files ] || die "there is no folder 'files' beside me; unpack the whole tarball"
[ "$(id -u)" -eq 0 ] || die "only root may do that; run: sudo $0"

# Whether there is a running systemd that is to hear of it.
has_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# Everything in the tarball, as paths in the system; the settings are handled apart.
list() { (cd files && find . -type f ! -path './etc/*' -printf '%P\n'); }

install_files() {
    sha256sum --check --quiet SHA256SUMS || die "the tarball is damaged; take it again"
    local file mode
    # By a pipe: a chroot may have no /dev/fd.
    list | while IFS= read -r file; do
        mode=644
        [ "$file" != usr/bin/pisink ] || mode=755
        # Renamed into place, for the file may be in use.
        install -D -m "$mode" "files/$file" "$root/$file.new"
        mv -f "$root/$file.new" "$root/$file"
    done
    if [ ! -e "$root/etc/pisink/pisink.toml" ]; then
        install -D -m 644 files/etc/pisink/pisink.toml "$root/etc/pisink/pisink.toml"
    fi
}

start() {
    systemd-sysusers ${root:+"--root=$root"} pisink.conf || die "the user pisink could not be made"
    if [ -n "$root" ]; then
        systemctl --root="$root" --quiet enable pisink.service
        echo "pisink is installed in $root, and starts at its next boot"
        return
    fi
    if [ -d /run/udev ]; then
        udevadm control --reload || :
        modprobe -q i2c-dev || :
        udevadm trigger --subsystem-match=i2c-dev || :
    fi
    if ! has_systemd; then
        systemctl --quiet enable pisink.service
        echo "pisink is installed; systemd does not run here, so it was not started"
        return
    fi
    systemctl daemon-reload
    systemctl --quiet enable pisink.service
    systemctl restart pisink.service || die "the service does not start; see: journalctl -u pisink"
    echo "pisink is installed and runs: pisink status; settings: /etc/pisink/pisink.toml"
}

uninstall() {
    if has_systemd; then
        systemctl --quiet disable --now pisink.service || :
    else
        systemctl ${root:+"--root=$root"} --quiet disable pisink.service || :
    fi
    local file
    list | while IFS= read -r file; do
        rm -f "$root/$file"
    done
    rmdir "$root/usr/share/doc/pisink" 2>/dev/null || :
    if has_systemd; then systemctl daemon-reload; fi
    echo "pisink is taken away; settings are kept in /etc/pisink, readings in /var/lib/pisink"
}

case $action in
install)
    install_files
    start
    ;;
uninstall) uninstall ;;
purge)
    uninstall >/dev/null
    rm -rf "$root/etc/pisink" "$root/var/lib/pisink"
    echo "pisink is taken away, with its settings and all readings"
    ;;
esac
