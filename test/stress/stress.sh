#!/bin/sh
# Longer searches than those of "make test", for STRESS_SECONDS in all: power failures on real file systems, kills at
# every system call, 'run' for a long time, a line that goes down at random, histories of couriers (at least 100,000,
# whatever the time) and of roles (at least 1,000,000 steps), random walks against an oracle.
# Ends with "N passed, N failed".
# STRESS_SEED=N repeats a run, as far as the kernel lets it.
set -u
cd "$(dirname "$0")" || exit 1
seconds=${STRESS_SECONDS:-600}
seed=${STRESS_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
begin=$(date +%s)
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# part NAME SECONDS ARGUMENT...: run one and add up its closing line.
part() {
	name=$1 budget=$2
	shift 2
	echo "== $name, $budget s"
	case $name in
	roles) "${VMFERRY_TEST:-../../build/test}/roles" --seconds "$budget" --seed "$seed" "$@" 2>&1 | tee "$log" ;;
	courier) "${VMFERRY_TEST:-../../build/test}/courier" --seconds "$budget" --seed "$seed" "$@" 2>&1 | tee "$log" ;;
	*) python3 "$name.py" --seconds "$budget" --seed "$seed" "$@" 2>&1 | tee "$log" ;;
	esac
	p=$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$log" | tail -n 1)
	f=$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$log" | tail -n 1)
	if [ -z "$p" ] || [ -z "$f" ]; then
		echo "FAILED  $name did not come to its end"
		p=0 f=1
	fi
	passed=$((passed + p)) failed=$((failed + f))
}

echo "stress: $seconds s, seed $seed"
part power $((seconds * 20 / 100))
part kills $((seconds * 18 / 100))
part guests $((seconds * 15 / 100))
part qmp $((seconds * 8 / 100))
part views $((seconds * 5 / 100))
# Cycles of a second: 120 of them are an hour of those of 30.
part cuts $((seconds * 5 / 100))
part soak $((seconds * 8 / 100))
part line $((seconds * 8 / 100))
part courier $((seconds * 12 / 100)) --histories 100000
part roles $((seconds * 5 / 100)) --steps 1000000
left=$((begin + seconds - $(date +%s)))
# What the others left over or took too much of; but some walks there are in any case.
[ "$left" -ge $((seconds / 5)) ] || left=$((seconds / 5))
part walk "$left" --many
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
