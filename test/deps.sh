#!/bin/sh
# Install what is missing for a purpose: build, demo, test, deb, lint or bench.  As root, or with sudo.
set -eu
build="gcc libc6-dev make pkgconf libsodium-dev libzstd-dev libxxhash-dev libjansson-dev libnbd-dev libseccomp-dev libvirt-dev libxml2-dev linux-libc-dev"
demo="$build python3 zstd e2fsprogs qemu-utils"
virt="libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 iproute2"
guest="qemu-system-x86 seabios busybox-static cpio fdisk dosfstools mtools syslinux syslinux-common"
deb="$build build-essential debhelper dpkg-dev lintian"
test="$demo $deb libarchive-dev libcriterion-dev strace util-linux mount netcat-openbsd openssh-client openssh-server nbdkit make minisign fuse3 exfat-fuse exfatprogs libnbd-bin xfsprogs btrfs-progs bash-completion zsh fish prometheus $virt $guest"
# Large, and needed to look at one page: where it cannot be had, that test is skipped.
wish="chromium"
stress="$test qemu-system-common fuse3 virtnbdbackup"
fuzz="$build clang libclang-rt-14-dev"
lint="$build clang clang-format clang-tidy cppcheck mandoc python3"
bench="$demo qemu-system-common qemu-block-extra libnbd-bin borgbackup tar virtnbdbackup $virt $guest"
case ${1:-} in
build | demo | test | deb | stress | fuzz | lint | bench) eval "want=\$$1" ;;
*) echo "usage: deps.sh build|demo|test|deb|stress|fuzz|lint|bench" >&2; exit 2 ;;
esac
if [ "$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
lacks() { # those of the packages that are not installed
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || printf ' %s' "$p"
	done
}
get() {
	echo "installing: $*"
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
# shellcheck disable=SC2086
missing=$(lacks $want)
# shellcheck disable=SC2086
[ -z "$missing" ] || get $missing
case $1 in test | stress) ;; *) exit 0 ;; esac
# shellcheck disable=SC2086
missing=$(lacks $wish)
# shellcheck disable=SC2086
[ -z "$missing" ] || get $missing || echo "not installed:$missing; the tests that need it are skipped"
