#!/bin/sh
# Exim: a delivery that is killed goes on counting against `max_parallel` of its transport.
#
# One would guess: `max_parallel = 1` is a lock that ends with the process that holds it, as with a semaphore, flock() or
# the process limits of Postfix, so that after a kill (no memory, a reboot) the next queue run delivers.
# What happens: the number stands in the hints file `misc` and is lowered by the process that raised it. When that one is
# killed, each delivery through the transport is deferred with "concurrency limit reached", although nothing runs. Exim
# passes over such an entry after six hours; without the file the next run delivers at once.
# Version: Exim 4.96 (Debian 12).
# Why it matters: `max_parallel` is how one bounds the processes that read reports on a small machine. After as many killed
# deliveries as it allows, reports stand in the queue for six hours, and nothing says what holds them.
# Root runs it: Debian's Exim looks for a user of its name, which it finds in a mount namespace of this script alone.
set -eu
[ -n "${inside-}" ] || exec unshare --mount env inside=1 sh "$0"
work=$(mktemp -d)
cleanup() {
    [ ! -s "$work/held" ] || kill -9 "$(cat "$work/held")" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
chmod 777 "$work"
cd "$work"
for package in exim4-daemon-light exim4-base libgnutls-dane0 libidn12 libunbound8 libevent-2.1-7 libpcre2-8-0 libdb5.3; do
    apt-get download -q "$package" >/dev/null 2>&1 || true # one that is here already
done
for package in ./*.deb; do dpkg -x "$package" root; done
dpkg-deb -f exim4-daemon-light_*.deb Version | grep '^4\.96'
mkdir spool
{ cat /etc/passwd; echo 'Debian-exim:x:65533:65533::/nonexistent:/bin/false'; } >passwd
{ cat /etc/group; echo 'Debian-exim:x:65533:'; } >group
mount --bind passwd /etc/passwd
mount --bind group /etc/group
cat >held.sh <<'EOH'
#!/bin/sh
cat >/dev/null
echo $$ >"$1/held"
exec sleep 60
EOH
cat >quick.sh <<'EOH'
#!/bin/sh
cat >>"$1/delivered"
EOH
chmod +x held.sh quick.sh
ln -s held.sh program.sh
cat >exim.conf <<EOC
exim_user = root
exim_group = root
never_users =
primary_hostname = mx.example.org
spool_directory = $work/spool
log_file_path = $work/%slog
tls_advertise_hosts =
keep_environment =
begin routers
all:
  driver = accept
  transport = program
begin transports
program:
  driver = pipe
  command = $work/program.sh $work
  user = Debian-exim
  max_parallel = 1
begin retry
* * F,1d,1s
EOC
exim() { LD_LIBRARY_PATH="$(echo "$work"/root/usr/lib/*-linux-gnu)" "$work/root/usr/sbin/exim4" -C "$work/exim.conf" "$@"; }
message() { printf 'From: a@example.net\nTo: reports@example.org\nSubject: %s\n\ntext\n' "$1"; }

message first | exim -odq -f a@example.net reports@example.org
exim -qff & # a queue run, whose delivery hangs in the program
queue=$!
for _ in $(seq 100); do [ -s held ] || sleep 0.1; done
[ -s held ]
inner=$(cut -d' ' -f4 "/proc/$(cat held)/stat") # the delivery that waits for the program, and those above it
while [ "$inner" != "$queue" ] && [ "$inner" -gt 1 ]; do
    outer=$(cut -d' ' -f4 "/proc/$inner/stat")
    kill -9 "$inner"
    inner=$outer
done
kill -9 "$queue" "$(cat held)" 2>/dev/null || true
wait "$queue" 2>/dev/null || true
: >held
ln -sf quick.sh program.sh
echo "nothing runs: $(pgrep -fc "$work/exim.conf" || true) processes of Exim"
sleep 2
exim -qff
grep -o 'concurrency limit reached for transport' mainlog | uniq
[ ! -e delivered ]
rm spool/db/misc*
sleep 2
exim -qff
echo "without the hints file: $(grep -c '^Subject: first' delivered) delivered"
grep -q 'concurrency limit reached for transport' mainlog
grep -q '^Subject: first' delivered
