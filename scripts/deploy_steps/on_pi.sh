#!/bin/sh
# What scripts/deploy does on a Pi. It comes over ssh; nobody has to put it there.
#
#     on_pi.sh probe                      what this Pi is and has: KEY=VALUE lines; changes nothing, needs no root
#     on_pi.sh start DIR KEY=VALUE...     begins `install` on its own feet: it ends well or is taken back also when
#                                         the connection that asked for it is long gone; then follows it
#     on_pi.sh follow DIR                 prints what `install` has said and says until it has ended, and cleans up
#
# PISINK_ROOT puts another folder in the place of / (tests do).
set -eu

root=${PISINK_ROOT:-}
packaged_program=$root/usr/bin/pisink
local_program=$root/usr/local/bin/pisink
local_unit=$root/etc/systemd/system/pisink.service
tarball_unit=$root/usr/lib/systemd/system/pisink.service
config=$root/etc/pisink/pisink.toml
state=$root/var/lib/pisink-deploy # records of config and package; under former/ what the last deployment replaced
lock=$root/run/pisink-deploy.lock
default_status=127.0.0.1:7001
stale_minutes=60 # folders of deployments that died go after this time

# Lines of `install`: KEY=VALUE; "step" is for people to watch.
say() { printf '%s=%s\n' "$1" "$2"; }

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

uptime_s() {
    read -r up _ </proc/uptime
    echo "${up%%.*}"
}

package_version() {
    dpkg-query -W -f '${db:Status-Abbrev}${Version}\n' pisink 2>/dev/null | sed -n 's/^ii *//p'
}

version_of() { [ -x "$1" ] && "$1" --version 2>/dev/null | sed -n 's/^pisink \([^ ]*\).*/\1/p'; }

# The program that the service runs, or will run: where it is, or nothing.
program() {
    if [ -x "$local_program" ]; then
        echo "$local_program"
    elif [ -x "$packaged_program" ]; then
        echo "$packaged_program"
    fi
}

# "yes" when systemd knows the service, or nothing.
service() { if systemctl cat pisink.service >/dev/null 2>&1; then echo yes; fi; }

hash_of() { [ -f "$1" ] && as_root sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1; }

# Whether the config is as it came: from a deployment, or with the package.
config_is_as_it_came() {
    here=$(hash_of "$config") || return 0
    [ "$here" != "$(as_root cat "$state/config.sha256" 2>/dev/null)" ] || return 0
    shipped=$(dpkg-query -W -f '${Conffiles}\n' pisink 2>/dev/null |
        sed -n 's|^ /etc/pisink/pisink.toml \([0-9a-f]*\).*|\1|p')
    [ -n "$shipped" ] && [ "$shipped" = "$(as_root md5sum "$config" | cut -d ' ' -f 1)" ]
}

probe() {
    say rooms "$root/var/tmp"
    say sudo "$(as_root true 2>/dev/null </dev/null && echo yes || echo no)"
    say user "$(id -un)"
    say dpkg "$(dpkg --print-architecture 2>/dev/null || true)"
    say machine "$(uname -m)"
    say bits "$(getconf LONG_BIT 2>/dev/null || true)"
    say cpu "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
    say package "$(package_version || true)"
    say local_program "$([ ! -x "$local_program" ] || echo yes)"
    say tarball "$([ -n "$(package_version)" ] || [ ! -x "$packaged_program" ] || echo yes)"
    say version "$(version_of "$(program)" || true)"
    say service "$(service)"
    say config_hash "$(hash_of "$config" || true)"
    say config_changed "$(config_is_as_it_came || echo yes)"
}

start() {
    find "$(dirname "$1")" -maxdepth 1 -name 'pisink-deploy-*' -mmin "+$stale_minutes" -exec rm -rf {} +
    setsid sh "$1/on_pi.sh" alone "$@" >"$1/log" 2>&1 </dev/null &
    echo $! >"$1/pid"
    follow "$1"
}

# One deployment at a time; -o, so that no process that it starts can hold the lock.
alone() {
    mkdir -p "$(dirname "$lock")"
    code=0
    flock -n -o -E 75 "$lock" sh "$1/on_pi.sh" install "$@" || code=$?
    if [ "$code" -eq 75 ]; then
        say why "another deployment is at work on this Pi"
        say result failed
    fi
}

follow() {
    tail -n +1 -s 0.2 -f --pid="$(cat "$1/pid")" "$1/log"
    if grep -q '^result=' "$1/log"; then
        rm -rf "$1"
    fi
}

# put_file FROM TO MODE: TO is the old file or the new one at every moment.
put_file() {
    mkdir -p "$(dirname "$2")" && cp "$1" "$2.new" && chmod "$3" "$2.new" && sync "$2.new" && mv -f "$2.new" "$2" &&
        return 0
    rm -f "$2.new"
    return 1
}

# put_package FILE: a config that is there stays, one that is not comes, and dpkg never asks.
put_package() {
    if command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --allow-downgrades --reinstall --no-install-recommends \
            -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confmiss "$1"
    else
        dpkg --force-confold --force-confmiss -i "$1"
    fi
}

# Unpacks what came and runs it once: a file that cannot run here is found before anything is touched.
prepare() {
    new=$dir/$file
    printf '%s  %s\n' "$sha256" "$new" | sha256sum -c --status || {
        why="the file did not arrive whole"
        return 1
    }
    try=$new
    why="no pisink can be read out of $file"
    case $kind in
    deb)
        try=$dir/pisink.try
        dpkg-deb --fsys-tarfile "$new" | tar -xO ./usr/bin/pisink >"$try" || return 1
        ;;
    tarball)
        mkdir "$dir/tarball" && tar -xzof "$new" -C "$dir/tarball" --strip-components=1 || return 1
        try=$dir/tarball/files/usr/bin/pisink
        ;;
    esac
    chmod 755 "$try" || return 1
    said=$("$try" --version 2>&1) || true
    to=$(printf '%s\n' "$said" | sed -n 's/^pisink \([^ ]*\).*/\1/p')
    [ -n "$to" ] || {
        why="$file does not run here: $(printf '%s' "$said" | tail -n 1)"
        return 1
    }
    say to "$to"
}

# Copies what is there now; former_* tell what was there.
keep_former() {
    former=$state/former
    former_program=$(program)
    former_package=$(package_version || true)
    former_version=$(version_of "$former_program" || true)
    former_service=$(service)
    mkdir -p "$state" && chmod 700 "$state" && rm -rf "$former" && mkdir "$former" || return 1
    for thing in "$former_program:program" "$unit_file:unit" "$config:config"; do
        [ ! -f "${thing%:*}" ] || cp -p "${thing%:*}" "$former/${thing##*:}" || return 1
    done
}

put_all() {
    if [ -f "$dir/config" ] && ! cmp -s "$dir/config" "$config"; then
        say step "writing /etc/pisink/pisink.toml"
        [ ! -f "$config" ] || cp -p "$config" "$config.old" || return 1
        put_file "$dir/config" "$config" 644 || return 1
    fi
    if [ -f "$dir/unit" ]; then
        user=$(sed -n 's/^User=//p' "$dir/unit")
        if [ -n "$user" ] && ! id "$user" >/dev/null 2>&1; then
            useradd --system --user-group --no-create-home "$user" || return 1
            usermod --append --groups i2c "$user" || say note "no group i2c here: is I2C enabled?"
        fi
        put_file "$dir/unit" "$local_unit" 644 || return 1
    fi
    say step "installing $to"
    case $kind in
    deb) put_package "$new" ;;
    tarball) sh_install ;;
    *) put_file "$new" "$local_program" 755 ;;
    esac
}

# The tarball's own script, told where / is.
sh_install() { bash "$dir/tarball/install.sh" ${root:+--root "$root"} "$@"; }

restart() {
    restarted_at=$(uptime_s)
    systemctl daemon-reload && systemctl enable --quiet pisink.service &&
        systemctl restart --no-block pisink.service # to wait for an answer is our own part
}

# Where the node answers questions from its own machine.
status_address() {
    [ -z "$status" ] || { echo "$status" && return 0; }
    listen=$(sed -n 's/^[[:space:]]*listen[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' "$config" 2>/dev/null | head -n 1)
    case $listen in
    '') echo "$default_status" ;;
    0.0.0.0:*) echo "127.0.0.1:${listen##*:}" ;;
    '[::]':*) echo "[::1]:${listen##*:}" ;;
    *) echo "$listen" ;;
    esac
}

# healthy VERSION: a process of this version, started just now, answers and stays up; or `why` says what is wrong.
healthy() {
    address=$(status_address)
    first_up=
    why="nothing answered at $address"
    while [ $(($(uptime_s) - restarted_at)) -le "$health_s" ]; do
        if answer=$("$(program)" status "$address" --json --timeout 2s 2>"$dir/status.err"); then
            runs=$(printf '%s\n' "$answer" | sed -n 's/^  "version": "\([^"]*\)".*/\1/p')
            up=$(printf '%s\n' "$answer" | sed -n 's/^  "up_s": \([0-9]*\).*/\1/p')
            up=${up:-0}
            [ "${first_up:-0}" -le "$up" ] || first_up= # it has been started anew in between
            if [ "$runs" != "$1" ]; then
                why="pisink ${runs:-of no version} answers at $address, not $1"
            elif [ "$up" -gt $(($(uptime_s) - restarted_at + 2)) ]; then
                why="what answers at $address has not been restarted: is it another process than the service?"
            elif [ -n "$first_up" ] && [ $((up - first_up)) -ge "$settle_s" ]; then
                return 0
            else
                first_up=${first_up:-$up}
                why="it answers at $address, but does not stay up for $settle_s s"
            fi
        else
            why=$(tail -n 1 "$dir/status.err")
            if systemctl is-failed --quiet pisink.service; then
                why="the service has failed"
                return 1
            fi
        fi
        sleep 0.2
    done
    return 1
}

# The service's own last words.
last_words() {
    journalctl -q -n 3 -o cat --no-pager --since "@$begun" _SYSTEMD_UNIT=pisink.service 2>/dev/null | while read -r line; do
        say log "$line"
    done
}

# put_back NAME WHERE MODE: what was there, or nothing.
put_back() {
    if [ ! -f "$former/$1" ]; then
        rm -f "$2"
    elif ! cmp -s "$former/$1" "$2"; then
        put_file "$former/$1" "$2" "$3" || back=no
    fi
}

put_back_package() {
    if [ -z "$former_package" ]; then
        dpkg -r pisink
    elif [ -f "$state/package.deb" ] && [ "$(dpkg-deb -f "$state/package.deb" Version)" = "$former_package" ]; then
        put_package "$state/package.deb"
    else
        # That package is nowhere to be had, but its program is.
        put_file "$former/program" "$former_program" 755
        say note "dpkg believes in the new package; the program is the former one. Deploy a good package next"
    fi
}

# Everything as it was; ends with what became of that.
roll_back() {
    say step "taking it back: $why"
    # A tarball's install.sh starts the service itself; else a failed installation has not got as far as that.
    if [ "$why" != "installing failed" ] || [ "$kind" = tarball ]; then
        last_words
    fi
    health_s=$((2 * health_s)) # the former version is known to work: it gets more time
    failed_why=$why
    [ -n "$former_service" ] || systemctl disable --quiet --now pisink.service 2>/dev/null || true
    rm -rf "$new" "$dir/pisink.try" # the disk may be full
    case $kind in
    deb) put_back_package || back=no ;;
    tarball)
        [ -n "$former_program" ] || sh_install --uninstall || back=no
        put_back program "$packaged_program" 755
        ;;
    *) put_back program "$local_program" 755 ;;
    esac
    put_back unit "$unit_file" 644
    put_back config "$config" 644
    if [ "${back:-yes}" = no ]; then
        finish broken "$failed_why; and putting back ${former_version:-what was there} failed"
    elif [ -z "$former_version" ]; then
        systemctl daemon-reload || true
        systemctl reset-failed pisink.service 2>/dev/null || true
        finish removed "$failed_why"
    elif [ -z "$former_service" ]; then
        finish rolled-back "$failed_why"
    elif restart && healthy "$former_version"; then
        finish rolled-back "$failed_why"
    else
        finish broken "$failed_why; $former_version is back, but: $why"
    fi
}

finish() {
    rm -rf "${dir:?}/$file" "$dir/pisink.try" "$dir/tarball"
    [ -z "${2:-}" ] || say why "$2"
    say result "$1"
    exit 0
}

commit() {
    [ ! -f "$dir/config" ] || hash_of "$config" >"$state/config.sha256" || say note "no room for the config's record"
    if [ "$kind" = deb ]; then
        mv -f "$new" "$state/package.deb" || say note "no room to keep the package for a later way back"
    fi
}

# The whole change. Whatever fails from `put_all` on is taken back.
install() {
    dir=$1 kind='' file='' sha256='' status='' health_s=30 settle_s=3
    shift
    for setting in "$@"; do
        case $setting in
        kind=*) kind=${setting#*=} ;;
        file=*) file=${setting#*=} ;;
        sha256=*) sha256=${setting#*=} ;;
        status=*) status=${setting#*=} ;;
        health_s=*) health_s=${setting#*=} ;;
        settle_s=*) settle_s=${setting#*=} ;;
        esac
    done
    case $kind in
    tarball) unit_file=$tarball_unit ;;
    *) unit_file=$local_unit ;;
    esac
    begun=$(date +%s)
    trap '' HUP INT TERM PIPE
    prepare || finish failed "$why"
    keep_former || finish failed "cannot keep what is there now in /var/lib/pisink-deploy: is the disk full?"
    if ! put_all; then
        why="installing failed"
        roll_back
    fi
    if [ -z "$(service)" ]; then
        commit
        finish installed
    fi
    say step "restarting the service, and waiting for its answer"
    if ! restart; then
        why="the service does not start"
        roll_back
    elif ! healthy "$to"; then
        roll_back
    fi
    commit
    finish deployed
}

verb=$1
shift
case $verb in
probe) probe ;;
start) start "$@" ;;
alone) alone "$@" ;;
follow) follow "$@" ;;
install)
    install_dir=$1
    shift
    install "$install_dir" "$@"
    ;;
*) echo "on_pi.sh: no verb $verb" >&2 && exit 2 ;;
esac
