#!/bin/sh
# Make the guest of the tests in folder OUT: vmlinuz and agent of Debian, our pattern, busybox.
#	vmlinuz  initrd  initrd-agent	to be booted by QEMU's -kernel and -initrd
#	boot.raw			a disk that boots them by itself: partition 1 is FAT, 2 is for the journal
#	pattern				static, for the guest and for this machine
# Nothing of it needs root.  apt-get finds the packages; without it, OUT/why says why there is no guest.
set -eu
out=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out/deb"
out=$(cd "$out" && pwd)
rm -f "$out/made" "$out/why"

fail() {
	echo "$*" >"$out/why"
	touch "$out/made"
	echo "no guest for the tests: $*"
	exit 0
}

fetch() { # PACKAGE: its content in OUT/deb/PACKAGE
	[ ! -e "$out/deb/$1/fetched" ] || return 0
	mkdir -p "$out/deb/$1"
	(cd "$out/deb" && apt-get download -qq "$1" >"$out/apt.log" 2>&1 && dpkg -x "$1"_*.deb "$1" && rm -f "$1"_*.deb) || return 1
	touch "$out/deb/$1/fetched"
}

for p in busybox cpio zstd cc; do
	command -v "$p" >/dev/null || fail "$p is not installed"
done
[ "$(uname -m)" = x86_64 ] || fail "the guest is for x86_64"
kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || fail "apt-cache knows no linux-image-cloud-amd64"
fetch "$kernel" || fail "apt-get cannot download $kernel: $(tail -n 1 "$out/apt.log")"
cp "$out/deb/$kernel"/boot/vmlinuz-* "$out/vmlinuz"

# What initramfs holds: busybox, the modules in the order in which they go in, the pattern, our scripts.
root=$out/root
rm -rf "$root"
mkdir -p "$root/bin" "$root/sbin" "$root/modules" "$root/etc/acpi/PWRF"
cp "$(command -v busybox)" "$root/bin/busybox"
"$root/bin/busybox" true || fail "busybox does not run"
if ldd "$root/bin/busybox" >/dev/null 2>&1; then fail "busybox is not static: install busybox-static"; fi
for a in $("$root/bin/busybox" --list); do
	[ "$a" = busybox ] || ln -s busybox "$root/bin/$a"
done
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console button evdev; do
	f=$(find "$out/deb/$kernel/lib/modules" -name "$m.ko")
	[ -z "$f" ] || { cp "$f" "$root/modules/" && echo "$m.ko" >>"$root/modules/order"; }
done
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -static -o "$out/pattern" "$here/pattern.c"
cp "$out/pattern" "$root/bin/pattern"
cp "$here/init" "$root/init"
cp "$here/off" "$root/bin/off"
chmod 755 "$root/init" "$root/bin/off"
ln -s ../bin/off "$root/sbin/shutdown"
ln -s /bin/off "$root/etc/acpi/PWRF/00000080"

archive() { (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | zstd -q -3) >"$1"; }
archive "$out/initrd"

# The same with the agent and the libraries that it wants here.
rm -f "$out/initrd-agent"
if fetch qemu-guest-agent; then
	agent=$out/deb/qemu-guest-agent/usr/sbin/qemu-ga
	if ldd "$agent" | grep 'not found'; then
		echo "the guest has no agent, for want of these libraries"
	else
		mkdir -p "$root/usr/sbin"
		cp "$agent" "$root/usr/sbin/"
		ldd "$agent" | grep -o '/[^ ]*' | while read -r lib; do
			mkdir -p "$root$(dirname "$lib")"
			cp -L "$lib" "$root$lib"
		done
		archive "$out/initrd-agent"
	fi
fi

# The disk.  Its boot loader is installed through mtools, so nothing is mounted.
rm -f "$out/boot.raw"
if command -v syslinux >/dev/null && command -v mcopy >/dev/null && command -v mkfs.vfat >/dev/null && command -v sfdisk >/dev/null; then
	disk=$out/boot.new
	rm -f "$disk"
	truncate -s 48M "$disk"
	printf '2048,65536,6,*\n67584,,83\n' | sfdisk -q "$disk"
	dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none
	mkfs.vfat -F 16 --offset 2048 "$disk" 32768 >"$out/vfat.log" 2>&1 || fail "mkfs.vfat: $(tail -n 1 "$out/vfat.log")"
	printf 'SERIAL 0 115200\nDEFAULT l\nPROMPT 0\nLABEL l\n KERNEL vmlinuz\n INITRD initrd\n APPEND console=ttyS0 quiet panic=-1 mode=pattern journal=/dev/vda2 data=/dev/vdb\n' >"$out/syslinux.cfg"
	MTOOLS_SKIP_CHECK=1 mcopy -i "$disk@@1048576" "$out/vmlinuz" "$out/initrd" "$out/syslinux.cfg" ::
	syslinux --offset 1048576 --install "$disk"
	mv "$disk" "$out/boot.raw"
else
	echo "no disk to boot from: needs syslinux, mtools, dosfstools and fdisk"
fi
rm -rf "$root"
touch "$out/made"
