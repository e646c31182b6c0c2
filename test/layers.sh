#!/bin/sh
# The order of the rooms, as doc/DESIGN draws it: a file includes its own room and those below, nothing above.
# format stands by itself: the compiler sees no other folder when it builds it.
set -eu
cd "$(dirname "$0")/.."
order="base role tally schedule disk bundle site link host hyper libvirt qmp medium primary replica status"
# These stand on the verbs of core/*.c, and say so by including them.
top="session run"
bad=0
check() { # room, rooms it may include
	room=$1; shift
	for f in core/"$room"/*.[ch]; do
		for used in $(sed -n 's|^#include "\([a-z]*\)/[a-z_]*\.h"|\1|p' "$f" | sort -u); do
			case " $* " in *" $used "*) ;; *) echo "$f includes $used, which is not below $room"; bad=1 ;; esac
		done
	done
}
check base base
check role role
check tally base tally
check schedule base schedule
check disk base disk
check bundle base disk bundle
check site base disk bundle site
check link base site link
check host base host
check hyper base host hyper
check libvirt base host hyper libvirt
check qmp base host hyper qmp
check medium base disk bundle site medium
check primary base role tally disk bundle site host medium primary
check replica base role tally disk bundle site host medium replica
check status base role tally disk bundle site host medium primary replica status
check session base role tally schedule disk bundle site link host medium primary replica session
check run base role tally schedule disk bundle site link host medium primary replica session run
for f in core/*/*.[ch]; do
	case " $top " in *" $(basename "$(dirname "$f")") "*) continue ;; esac
	for h in core/*.h; do
		if grep -q "^#include \"$(basename "$h")\"" "$f"; then echo "$f includes $h, which is above it"; bad=1; fi
	done
done
if grep -l '^#include "\(session\|run\)/' core/*.[ch]; then echo "is below session and run"; bad=1; fi
for d in $(ls -d core/*/ | sed 's|core/||; s|/||'); do
	case " $order $top " in *" $d "*) ;; *) echo "core/$d has no place in the order"; bad=1 ;; esac
done
exit $bad
