#!/bin/sh
# Build the fuzz targets named and run each, one after the other, on seeds from the real encoders:
#
#    B=DIR fuzz.sh TARGET...
#
# Each has FUZZ_RUNS runs or FUZZ_SECONDS seconds, whichever is over first; FUZZ_SEED repeats a search.  Where the
# input carries signatures, TARGET.nosign takes every one for right; whole bundles and records are tried both ways.
# An input that breaks a promise is kept in DIR/found, and the command that shows it again is printed.
set -eu
B=${B:-build/fuzz}
runs=${FUZZ_RUNS:-1000000} seconds=${FUZZ_SECONDS:-60} seed=${FUZZ_SEED:-$(date +%s)}
here=$(dirname "$0")
cc=${CC_FUZZ:-clang}
flags="-g -O1 -std=c11 -D_GNU_SOURCE -pthread -Wall -Wextra -Icore -Iformat
    -fsanitize=address,undefined -fno-sanitize-recover=undefined $(pkgconf --cflags libvirt libxml-2.0)"
libs="-lsodium -lzstd -lxxhash -ljansson -lnbd -lseccomp -pthread"
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM
cd "$here/../.."
mkdir -p "$B/obj" "$B/found" "$B/log"

# shellcheck disable=SC2086
build() {
	objects=
	newest=$(find format core -name '*.h' -newer "$B/headers" 2>/dev/null | head -1)
	if [ ! -e "$B/headers" ] || [ -n "$newest" ]; then rm -f "$B"/obj/*.o; fi
	touch "$B/headers"
	for c in format/*.c core/*.c core/*/*.c; do
		o=$B/obj/$(echo "${c%.c}" | tr / -).o
		[ -n "$(find "$o" -newer "$c" 2>/dev/null)" ] || $cc $flags -fsanitize=fuzzer-no-link -c -o "$o" "$c"
		objects="$objects $o"
	done
	rm -f "$B/lib.a"
	ar rcs "$B/lib.a" $objects
	$cc $flags -o "$B/corpus" test/fuzz/corpus.c "$B/lib.a" $libs
	rm -f "$B"/fuzz_*
	for t in "$@"; do
		plain="test/fuzz/$t.c test/fuzz/quiet.c"
		case $t in
		fuzz_card | fuzz_changelist | fuzz_header | fuzz_keylist | fuzz_state | fuzz_trust)
			plain="$plain test/fuzz/longer.c"
			;;
		esac
		case $t in
		fuzz_chain | fuzz_keylist | fuzz_segment | fuzz_record | fuzz_stream)
			$cc $flags -fsanitize=fuzzer -o "$B/$t.nosign" $plain test/fuzz/nosign.c "$B/lib.a" $libs
			;;
		esac
		case $t in
		fuzz_chain | fuzz_segment) ;;
		*) $cc $flags -fsanitize=fuzzer -o "$B/$t" $plain "$B/lib.a" $libs ;;
		esac
	done
	rm -rf "$B/seeds"
	mkdir "$B/seeds"
	"$B/corpus" "$B/seeds"
}

# Run one: a line of the table, and what was found.
run() {
	kind=${1#fuzz_} log=$B/log/$1
	kind=${kind%.nosign}
	mkdir -p "$B/grown/$1"
	set -- "$1" -runs="$runs" -max_total_time="$seconds" -seed="$seed" -max_len=16384 -timeout=20 \
	    -rss_limit_mb=2048 -print_final_stats=1 -keep_seed=1 -artifact_prefix="$B/found/$1-" \
	    "$B/grown/$1" "$B/seeds/$kind"
	target=$1
	shift
	rc=0
	"$B/$target" "$@" >"$log" 2>&1 || rc=$?
	done=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
	edges=$(sed -n 's/^.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
	found=0
	[ $rc = 0 ] || found=1
	[ "${speed:-0}" != 0 ] || speed=
	printf '%-22s %10s %9s %7s %9s\n' "$target" "${done:--}" "${speed:--}" "${edges:--}" $found
	[ $rc != 0 ] || return 0
	grep -m 3 -e 'does not hold' -e 'runtime error' -e 'ERROR: ' "$log" || tail -3 "$log"
	input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
	[ -z "$input" ] || echo "    again: $B/$target $input"
	echo "    log:   $log"
	return 1
}

build "$@"
echo "seed $seed; at most $runs runs or $seconds s each"
printf '%-22s %10s %9s %7s %9s\n' target runs per-sec edges findings
bad=0
for t in "$@"; do
	for one in "$t" "$t.nosign"; do
		[ ! -x "$B/$one" ] || run "$one" || bad=1
	done
done
exit $bad
