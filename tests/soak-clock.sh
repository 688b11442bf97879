#!/bin/sh
# soak-clock.sh RELEVO DIR: steps the wall clock of a machine by an hour either way while two routers work on it.
# The machine is a guest (Debian's user-mode-linux, as an ordinary process), so that nobody else's clock moves.
# Everything is written below DIR, which must not be under /tmp. Ends with 0 when nothing happened to the
# routers, 3 when there is no user-mode-linux.
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# The guest's part: two hosts on one cable, and a listener with a clock that nobody steps.
guest() {
	relevo=$1 dir=$2
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	for place in /run /tmp /mnt; do mount -t tmpfs tmpfs $place; done
	mkdir -p /run/netns /mnt/a /mnt/b
	insmod "$(find "/usr/lib/uml/modules/$(uname -r)" -name 'veth.ko*')"
	ip link set lo up
	ip netns add a
	ip netns add b
	ip link add eth0 netns a type veth peer name eth0 netns b
	for host in a b; do
		ip -n $host link set lo up
		ip -n $host link set eth0 up
	done
	ip -n a addr add 10.0.0.1/24 dev eth0
	ip -n b addr add 10.0.0.2/24 dev eth0
	start a 150
	sleep 2
	start b 100
	sleep 2
	ip netns exec b python3 "$dir/listen.py" 16 >"$dir/heard" 2>&1 &
	listener=$!
	for step in '+1 hour' '-1 hour' '-1 hour' '+1 hour'; do
		sleep 3
		date -s "$step" >>"$dir/steps"
	done
	wait $listener
	ip -n a -o addr >"$dir/addresses.a"
	ip -n b -o addr >"$dir/addresses.b"
	echo 0 >"$dir/rc.part"
	mv "$dir/rc.part" "$dir/rc"
	sync
	halt -f
}

start() {
	cat >"/mnt/$1/conf" <<-END
		vrrp_instance VI_1 {
		    state BACKUP
		    interface eth0
		    virtual_router_id 51
		    priority $2
		    version 3
		    advert_int 0.3
		    virtual_ipaddress {
		        10.0.0.100/24
		    }
		}
	END
	ip netns exec "$1" "$relevo" -n -l -G -D -f "/mnt/$1/conf" -p "/mnt/$1/pid" -r "/mnt/$1/vrrp.pid" \
		>"$dir/log.$1" 2>&1 </dev/null &
}

if [ "${1:-}" = guest ]; then
	guest "$2" "$3"
	exit
fi

relevo=$1 dir=$2
for pair in linux.uml:user-mode-linux insmod:kmod; do
	command -v "${pair%%:*}" >/dev/null || {
		echo "not installed: ${pair%%:*} (package ${pair##*:})"
		exit 3
	}
done
mkdir -p "$dir"
self=$(cd "$(dirname "$0")" && pwd)/soak-clock.sh
cat >"$dir/listen.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.settimeout(0.5)
end = time.monotonic() + float(sys.argv[1])
times, others = [], 0
while time.monotonic() < end:
    try:
        frame = s.recv(2000)
    except TimeoutError:
        continue
    if frame[12:14] == b"\x08\x00" and frame[23] == 112:
        if frame[26:30] == bytes([10, 0, 0, 1]):
            times.append(time.monotonic())
        else:
            others += 1
gaps = sorted(b - a for a, b in zip(times, times[1:])) or [0]
print(len(times), round(gaps[0] * 1000), round(gaps[len(gaps) // 2] * 1000), round(gaps[-1] * 1000), others)
END
printf '#!/bin/sh\nexec sh %s guest %s %s\n' "$self" "$relevo" "$dir" >"$dir/init"
chmod +x "$dir/init"
setsid timeout --kill-after=5 120 linux.uml mem=256M root=/dev/root rootfstype=hostfs rootflags=/ rw init="$dir/init" \
	con=null con0=fd:0,fd:1 quiet uml_dir="$dir/" umid=g </dev/null >"$dir/console" 2>&1 &
guest_pid=$!
wait $guest_pid
[ -f "$dir/rc" ] || {
	echo "the guest did not come to its end; see $dir/console"
	exit 1
}
read -r adverts least median most others <"$dir/heard"
entered=$(cat "$dir/log.a" "$dir/log.b" | grep -c ' Entering ')
echo "$(grep -c . "$dir/steps") steps; $adverts adverts in 16 s, gaps least $least ms, median $median ms, most $most ms; of the backup $others"
# 16 s at 0.3 s; each router enters BACKUP at its start, and the first of them MASTER.
[ "$(grep -c . "$dir/steps")" = 4 ] && [ "$adverts" -ge 50 ] && [ "$adverts" -le 58 ] && [ "$most" -lt 700 ] && [ "$others" = 0 ] &&
	[ "$entered" = 3 ] && grep -q 10.0.0.100 "$dir/addresses.a" && ! grep -q 10.0.0.100 "$dir/addresses.b"
