#!/bin/bash
# Builds the Debian packages of a build directory and checks them with lintian. Then, on a
# copy-on-write view of this machine that vanishes with its namespaces: installs them, checks that
# systemd accepts the units, runs three storage nodes and three sequencers with the installed
# programs and configuration, appends and reads, compiles against the library, upgrades and purges.
#   tests/architecture/debian_package.sh BUILD_DIR
set -eu

fail() {
  echo "debian package: $*" >&2
  exit 1
}

outside() { # BUILD_DIR
  local build
  build=$(cd "$1" && pwd)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$build" && cpack -B "$work/packages") >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; fail "cpack failed"; }
  mv "$work"/packages/*.deb "$work"
  rm -rf "$work/packages"

  # Three findings do not count: the maintainer is unnamed here (LOGLOG_PACKAGE_CONTACT), the place
  # of pkg-config files follows the prefix of the build, and cpack calls ldconfig beside the trigger.
  local known=bogus-mail-host,bogus-mail-host-in-debian-changelog,pkg-config-unavailable-for-cross-compilation
  known+=,maintscript-calls-ldconfig
  lintian --allow-root --fail-on error,warning --suppress-tags $known "$work"/*.deb || fail "lintian found something"
  dpkg-deb --fsys-tarfile "$work"/loglog_*.deb | tar -xO ./usr/share/doc/loglog/copyright >"$work/copyright"
  for library in CLI11 toml++; do
    grep -qi -- "$library" "$work/copyright" || fail "the notice of $library, whose code the programs contain, is missing"
  done

  if [ "$(id -u)" != 0 ]; then
    echo "debian package: built; not installed, which only root may do"
    return
  fi
  cp "$0" "$(dirname "$0")/../../samples/hello_append/main.cpp" "$work"
  unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation private "$0" --view "$work"
}

# Enters namespaces in which `/` shows this machine and is written to in memory.
view() { # WORK_DIR
  mount -t tmpfs none /mnt
  mkdir -p /mnt/upper /mnt/work /mnt/root
  mount -t overlay none -o "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
  mount --rbind /dev /mnt/root/dev
  mount -t proc none /mnt/root/proc
  mount -t sysfs none /mnt/root/sys
  mount -t tmpfs none /mnt/root/run
  mount -t tmpfs none /mnt/root/tmp
  cp "$1"/* /mnt/root/tmp
  ip link set lo up
  exec chroot /mnt/root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/tmp "/tmp/$(basename "$0")" --inside
}

# Lists everything called loglog in the places of packages, except the data.
traces() { find /etc /usr /lib /var -xdev -name '*loglog*' -not -path '/var/lib/loglog*' -not -path '/var/tmp/*' | sort; }

start() { # program config
  setpriv --reuid loglog --regid loglog --init-groups "/usr/bin/$1" --config "$2" >>"/tmp/$(basename "$2").log" 2>&1 &
  nodes="${nodes:-} $!"
}

inside() {
  local nodes="" n line before after unit owner
  dpkg --purge loglog libloglog-dev libloglog0.1 >/dev/null 2>&1 || true # of this machine, should it have them
  before=$(traces)
  dpkg -i /tmp/*.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg cannot install it"; }

  for unit in loglog-storage loglog-sequencer; do
    line=$(systemd-analyze verify --man=no "/lib/systemd/system/$unit.service" 2>&1) || fail "systemd does not take $unit: $line"
    grep -q "$unit" <<<"$line" && fail "systemd says of $unit: $line"
    find /etc/systemd -name "$unit*" | grep -q . && fail "$unit is enabled by installing it"
    "/usr/bin/$unit" --config "/etc/loglog/${unit#loglog-}.toml" --check-config 2>/dev/null || fail "$unit refuses its configuration"
  done
  owner=$(stat -c %U:%a /var/lib/loglog)
  [ "$owner" = loglog:750 ] || fail "/var/lib/loglog is $owner"

  for n in 1 2 3; do
    sed -E "s/^id = 1/id = $n/; s/^((listen|http) = .*[79]08)1/\1$n/; s|^(data = .*storage)|\1-$n|" /etc/loglog/storage.toml >"/etc/loglog/s$n.toml"
    sed -E "s/^id = 1/id = $n/; s/^((listen|http) = .*[79]07)1/\1$n/; s|^(data = .*sequencer)|\1-$n|" /etc/loglog/sequencer.toml >"/etc/loglog/q$n.toml"
    start loglog-storage "/etc/loglog/s$n.toml"
    start loglog-sequencer "/etc/loglog/q$n.toml"
  done
  export LOGLOG_CLUSTER=127.0.0.1:7071,127.0.0.1:7072,127.0.0.1:7073
  for n in $(seq 100); do
    [ "$(loglog status --json 2>/dev/null | grep -o '"state": "up"' | wc -l)" = 3 ] && break
    [ "$n" = 100 ] && { tail -n 5 /tmp/*.toml.log; fail "no cluster of three storage nodes within 20 s"; }
    sleep 0.2
  done
  seq 1000 | loglog append events --create >/dev/null
  cmp <(seq 1000) <(loglog read events) || fail "what is read is not what was appended"

  # shellcheck disable=SC2046
  g++ -std=c++23 /tmp/main.cpp -o /tmp/hello $(pkg-config --cflags --libs loglog)
  ldd /tmp/hello | grep -q 'libloglog.so.0.1 => /' || fail "a program made with libloglog-dev does not load libloglog0.1"
  /tmp/hello "${LOGLOG_CLUSTER%%,*}" >/tmp/hello.log || { cat /tmp/hello.log; fail "a program made with libloglog-dev does not append"; }

  # An upgrade keeps edits of the configuration and ends no process.
  sed -i 's/^log-level = .*/log-level = "debug"/' /etc/loglog/storage.toml
  dpkg -i /tmp/*.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg cannot install it over itself"; }
  grep -q '^log-level = "debug"' /etc/loglog/storage.toml || fail "an upgrade took the administrator's configuration"
  for n in $nodes; do kill -0 "$n" || fail "an upgrade ended a node"; done
  for n in $nodes; do kill "$n"; done
  for n in $nodes; do wait "$n" || fail "a node ends with $?"; done

  rm /etc/loglog/[sq][123].toml
  dpkg --purge loglog libloglog-dev libloglog0.1 >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg cannot purge it"; }
  after=$(traces)
  [ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after"); fail "a purge leaves the files above"; }
  n=$(find /var/lib/loglog/storage-1 -name '*.seg' | wc -l)
  [ "$n" -ge 2 ] || fail "a purge took the data"
  echo "debian package: installed, ran 3 + 3, upgraded and purged; only data is left"
}

case $1 in
  --view) view "$2" ;;
  --inside) inside ;;
  *) outside "$1" ;;
esac
