#!/bin/sh
# Run every test program given, as many at a time as there are processors, and add up their closing lines; end with
# "N passed, N failed".
set -u
if [ "${1-}" != --one ]; then
	counts=$(mktemp)
	printf '%s\n' "$@" | VMFERRY_COUNTS=$counts VMFERRY_JOBS=1 xargs -P "$(nproc)" -n 1 "$0" --one
	awk '{ p += $1; f += $2 } END { print p + 0 " passed, " f + 0 " failed"; exit f > 0 || p == 0 }' "$counts"
	rc=$?
	rm -f "$counts"
	exit $rc
fi

t=$2
log=$(mktemp)
case $t in
*.py)
	python3 "$t" >"$log" 2>&1
	rc=$?
	p=$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$log" | tail -1)
	f=$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$log" | tail -1)
	;;
*)
	"$t" --jobs 1 >"$log" 2>&1
	rc=$?
	# Criterion: "[====] Synthesis: Tested: 9 | Passing: 9 | Failing: 0 | Crashing: 0"
	p=$(sed -n 's/.*Passing: \([0-9]*\).*/\1/p' "$log" | tail -1)
	f=$(sed -n 's/.*Tested: \([0-9]*\) | Passing: \([0-9]*\).*/\1 \2/p' "$log" | tail -1 | awk '{print $1 - $2}')
	if [ "$rc" = 0 ]; then tail -1 "$log" >"$log.last"; mv "$log.last" "$log"; fi
	;;
esac
if [ -z "$p" ] || [ -z "$f" ] || { [ "$p" = 0 ] && [ "$f" = 0 ]; }; then
	echo "FAILED  $t ran no test (exit $rc)" >>"$log"
	p=0 f=1
elif [ "$rc" != 0 ] && [ "$f" = 0 ]; then
	echo "FAILED  $t ended with $rc" >>"$log"
	f=1
fi
# One after the other, so that each program's lines stay together; a short line appended stays whole.
(flock 9; echo "== $(basename "$t")"; cat "$log") 9>>"$VMFERRY_COUNTS"
echo "$p $f" >>"$VMFERRY_COUNTS"
rm -f "$log"
exit 0
