#!/bin/bash
# The main job on real disks, step by step, with what each step did: two sites on this machine, a VM with a
# file system on its disk, a seed through a pipe, deltas as files, receipts, any point back, proof.
set -eu
bin=$(cd "${VMFERRY_BIN:?}" && pwd)
export PATH="$bin:$PATH:/usr/sbin:/sbin"
rescue=$(cd "$(dirname "$0")/../doc" && pwd)/rescue.py
work=$(mktemp -d)
plugged=
trap 'cd /; for d in $plugged; do umount "$work/$d"; done; rm -rf "$work"' EXIT
cd "$work"
step() { printf '\n== %s\n' "$*"; }
exec 3>&1
show() { printf '$ %s\n' "$*" >&3; "$@"; }
put() { # a file into the guest's file system, as the guest would
	head -c "$2" /dev/urandom >new
	debugfs -w -R "write new $1" web1.img >/dev/null 2>&1
}

step "two sites make their keys and exchange cards"
show vmferry --home hq init --name hq >hq.card
show vmferry --home dr init --name dr >dr.card
show vmferry --home hq trust add dr.card
show vmferry --home dr trust add hq.card --vm 'web*' --store "$work/store" --max-size 2T

step "a VM with a file system on its disk, a raw data disk of an odd size, and swap"
truncate -s 1G web1.img && mkfs.ext4 -q -F web1.img
put report.1 20000000
truncate -s 9999872 data.img && head -c 5000000 /dev/urandom | dd of=data.img conv=notrunc status=none
truncate -s 64M swap.img
show vmferry --home hq enable web1 --disk vda=web1.img --disk vdb=data.img --exclude vdc=swap.img --to dr --points 24
cp --sparse=always web1.img day1.img && cp data.img day1.data

step "day 1: the seed goes through a pipe (ssh and nc do as well), and the receipt comes back"
vmferry --home hq export web1 --seed | vmferry --home dr import --receipt - | vmferry --home hq import

step "day 2: the guest writes; the delta goes as a file"
put report.2 3000000
dd if=/dev/urandom of=data.img bs=4k seek=100 count=5 conv=notrunc status=none
cp --sparse=always web1.img day2.img && cp data.img day2.data
show vmferry --home hq export web1 --delta -o d2.vmf
show vmferry verify --key hq.card d2.vmf
show vmferry inspect d2.vmf
show vmferry --home dr import d2.vmf --receipt r2.vmf
show vmferry --home hq import r2.vmf

step "day 3: a flipped bit on the way is refused, and changes nothing"
put report.3 1000000
show vmferry --home hq export web1 --delta -o d3.vmf
cp d3.vmf bad.vmf
printf '\377\377\377\377\377\377\377\377' | dd of=bad.vmf bs=1 seek=20000 conv=notrunc status=none
vmferry --home dr import bad.vmf || echo "(exit $?)"
show vmferry --home dr import d3.vmf

step "the points, any of them back, and the proof"
show vmferry --home dr points web1
show vmferry --home dr restore web1 --point 1 -o out1
show vmferry --home dr restore web1 --point 2 -o out2
show vmferry --home dr restore web1 -o out3
cmp out1/vda.raw day1.img && cmp out1/vdb.raw day1.data && echo "point 1 is bit-identical to day 1"
cmp out2/vda.raw day2.img && cmp out2/vdb.raw day2.data && echo "point 2 is bit-identical to day 2"
cmp out3/vda.raw web1.img && cmp out3/vdb.raw data.img && echo "point 3 is bit-identical to the disks as they are"
e2fsck -fn out2/vda.raw >/dev/null 2>&1 && echo "the file system of point 2 is clean"
debugfs -R 'ls -p /' out2/vda.raw 2>/dev/null | grep -o 'report[^/]*' | tr '\n' ' '; echo
show vmferry --home dr scrub web1

plug() { # a disk of that size: a file system of its own where we may mount one, else a folder
	mkdir "$1"
	[ "$(id -u)" = 0 ] || return 0
	truncate -s "$2" "$1.usb" && mkfs.ext4 -q -F "$1.usb" && mount -o loop "$1.usb" "$1"
	plugged="$1 $plugged"
}

step "day 4: no line at all: two USB disks, the first of them too small"
put report.4 40000000
plug usb1 32M
plug usb2 64M
show vmferry --home hq export web1 --delta --media usb1 --volume-size 16M ||
	show vmferry --home hq export web1 --delta --media usb2 --volume-size 16M
ls usb*/vmferry
(cd usb1/vmferry && b2sum -c ./*.b2)

step "they arrive in the wrong order; the receipt goes home on the last one"
if [ -n "$plugged" ]; then show vmferry --home dr import --media usb2; fi
show vmferry --home dr import --media usb1
show vmferry --home hq media usb1 --clean
cmp dr/replicas/*/disks/vda.raw web1.img && echo "the replica is bit-identical to the disk as it is"

step "readable without us: an unencrypted seed, tar, b2sum and the rescue program"
show vmferry --home hq export web1 --seed --plain -o plain.vmf
tar tf plain.vmf | head -4
mkdir t && tar xf plain.vmf -C t && (cd t && b2sum --quiet -c manifest && echo "b2sum agrees with the manifest")
show python3 "$rescue" -o rescued plain.vmf
cmp rescued/vda.raw web1.img && cmp rescued/vdb.raw data.img && echo "rescue.py reads the same disks"

roles() { vmferry --home "$1" status web1; }
vda() { echo "$work"/store/*/disks/vda.raw; }

step "a test failover: a duplicate from point 2 on an overlay, while replication goes on"
show vmferry --home dr failover web1 --test --point 2
put report.5 1000000
vmferry --home hq export web1 | vmferry --home dr import
qemu-img convert -O raw "$work"/store/*/test/vda.qcow2 test.img
cmp test.img day2.img && echo "the duplicate's disk is bit-identical to day 2"
show vmferry --home dr failover web1 --stop-test --result "boots, mail works"

step "a planned failover: is all ready, and how long would the VM be down?"
vmferry --home hq trust add dr.card --vm 'web*' 2>/dev/null
show vmferry --home hq failover web1 --planned --dry-run --bandwidth 5M || echo "(exit $?)"

step "the VM was shut down: the last delta, the lock, and the other site takes over; nothing is lost"
put report.6 1000000
show vmferry --home hq failover web1 --planned --vm-is-shut-down -o final.vmf
show vmferry --home dr import final.vmf
show vmferry --home dr failover web1 --planned --complete --reverse | grep -v 'to try it'
cmp "$(vda)" web1.img && echo "the VM goes on with the very bytes that it stopped with"
roles hq

step "the guest writes at dr; deltas flow back, and the old primary becomes the replica"
head -c 2000000 /dev/urandom >new && debugfs -w -R "write new report.7" "$(vda)" >/dev/null 2>&1
vmferry --home dr export web1 | vmferry --home hq import --receipt - | vmferry --home dr import
roles hq

step "and back again: the same, the other way round"
show vmferry --home dr failover web1 --planned --vm-is-shut-down -o back.vmf
show vmferry --home hq import back.vmf
show vmferry --home hq failover web1 --planned --complete --reverse | grep -v 'to try it'
vmferry --home hq export web1 | vmferry --home dr import --receipt - | vmferry --home hq import
cmp "$(vda)" web1.img && e2fsck -fn web1.img >/dev/null 2>&1 && echo "hq runs it again, dr has it bit for bit, and the file system is clean"
debugfs -R 'ls -p /' web1.img 2>/dev/null | grep -o 'report[^/]*' | tr '\n' ' '; echo
show vmferry --home hq confirm web1 dns

step "by itself: one pipe, both ways, at a frequency"
echo 'site="dr" via="vmferry --home '"$work"'/dr serve"' >hq/routes        # ssh dr vmferry serve, say
show vmferry --home hq sync web1 --test
show vmferry --home hq enable web1 --frequency 5m
put report.8 1500000
show vmferry --home hq sync web1
put report.9 500000
show vmferry --home hq run --once
show vmferry --home hq report --html "$work/report.html"
grep -c . report.html | sed 's/$/ lines of HTML, for any browser/'

step "how it stands"
show vmferry --home hq status
show vmferry --home dr status
