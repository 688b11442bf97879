#!/bin/sh
# install-deps.sh build|demo|test|bench|soak: installs what a target needs and this machine lacks (Debian).
# Ends with 1 and the list when something is missing and may not be installed.
set -u

build='cc:gcc cc:libc6-dev git:git'
demo="$build ip:iproute2 nsenter:util-linux unshare:util-linux setpriv:util-linux ping:iputils-ping"
test="$demo tcpdump:tcpdump tshark:tshark python3:python3 groff:groff-base keepalived:keepalived strace:strace"
soak="$test linux.uml:user-mode-linux insmod:kmod"
bench="$demo python3:python3 groff:groff-base keepalived:keepalived strace:strace time:time"
case "${1:-}" in
build) wanted=$build ;;
demo) wanted=$demo ;;
test) wanted=$test ;;
bench) wanted=$bench ;;
soak) wanted=$soak ;;
*)
	echo "usage: $0 build|demo|test|bench|soak" >&2
	exit 2
	;;
esac

# Debian keeps network tools where an ordinary user does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

if ! command -v cargo >/dev/null; then
	echo 'Rust is missing: install the stable toolchain as https://rustup.rs says.' >&2
	exit 1
fi

packages=
for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null || packages="$packages ${pair##*:}"
done
packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
[ -n "${packages# }" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
	# A password may be asked for only where somebody can type it.
	if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
		root=sudo
	else
		root=none
	fi
fi
if [ "$root" = none ] || ! command -v apt-get >/dev/null; then
	echo "Missing, and not mine to install: $packages" >&2
	exit 1
fi
echo "Installing: $packages"
log=$(mktemp)
apt() {
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null >>"$log" 2>&1
}
# Installing a daemon to test against must neither start it nor have it started at the next boot.
case $packages in
*keepalived*)
	if command -v systemctl >/dev/null && $root systemctl mask keepalived.service >/dev/null 2>&1; then
		trap '$root systemctl unmask keepalived.service >/dev/null 2>&1; $root systemctl disable keepalived.service >/dev/null 2>&1' EXIT
	fi
	;;
esac
if ! apt install --no-install-recommends $packages; then
	apt update
	if ! apt install --no-install-recommends $packages; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		echo "apt-get could not install: $packages" >&2
		exit 1
	fi
fi
rm -f "$log"
