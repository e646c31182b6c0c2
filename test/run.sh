#!/bin/sh
# Run every test program given and add up their closing lines; end with "N passed, N failed".
set -u
passed=0 failed=0
log=$(mktemp)
for t in "$@"; do
	echo "== $(basename "$t")"
	case $t in
	*.py) python3 "$t" >"$log" 2>&1 ;;
	*) "$t" --jobs 2 >"$log" 2>&1 ;;
	esac
	rc=$?
	case $t in
	*.py)
		cat "$log"
		p=$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$log" | tail -1)
		f=$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$log" | tail -1)
		;;
	*)
		# Criterion: "[====] Synthesis: Tested: 9 | Passing: 9 | Failing: 0 | Crashing: 0"
		p=$(sed -n 's/.*Passing: \([0-9]*\).*/\1/p' "$log" | tail -1)
		f=$(sed -n 's/.*Tested: \([0-9]*\) | Passing: \([0-9]*\).*/\1 \2/p' "$log" | tail -1 | awk '{print $1 - $2}')
		if [ "$rc" != 0 ]; then cat "$log"; else tail -1 "$log"; fi
		;;
	esac
	if [ -z "$p" ] || [ -z "$f" ] || { [ "$p" = 0 ] && [ "$f" = 0 ]; }; then
		echo "FAILED  $t ran no test (exit $rc)"
		p=0 f=1
	elif [ "$rc" != 0 ] && [ "$f" = 0 ]; then
		echo "FAILED  $t ended with $rc"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f))
done
rm -f "$log"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
