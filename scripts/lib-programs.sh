# shellcheck shell=bash
# Sourced after lib.sh and lib-boot.sh by scripts/fuzz, fault and stress: builds the
# programs in tests/ that run in the guest, and what a guest needs besides.

# programs DIR NAME...: makes DIR with the static program of tests/NAME/NAME.c for each
# NAME; 32-NAME is the same for 32 bit.
programs() {
	local dir=$1 name bits headers
	shift
	need gcc gcc-m32 libc-dev
	"$TOP/scripts/rootfs"
	headers=$(uapi_headers)
	rm -rf "$dir"
	mkdir -p "$dir"
	for name; do
		bits=-m64
		[[ $name != 32-* ]] || bits=-m32
		gcc "$bits" -static -O2 -Wall -Wextra -Werror -pthread -isystem "$headers" \
			-o "$dir/$name" "$TOP/tests/${name#32-}/${name#32-}.c" || die "programs: tests/${name#32-} does not compile"
	done
}

# in_guest LOG KERNEL SECONDS APPEND COMMAND...: runs it in a guest that has LOG/share;
# prints its TAP with a line more, of what the kernel said, and the plan; ends the script
# with an exit status
in_guest() {
	local log=$1 kernel=$2 seconds=$3 append=$4 status=0 count name=${0##*/} verdict=passed
	shift 4
	echo 'TAP version 13'
	"$TOP/scripts/boot" --kernel "$kernel" --log "$log" --share "$log/share" --mem 4G \
		--timeout "$seconds" --append "$append" -- "$@" 2>"$log/stderr" | tee "$log/said" ||
		status=${PIPESTATUS[0]}
	cat "$log/stderr" >&2
	count=$(grep -cE '^(not )?ok' "$log/said" || true)
	# 1 is the program's own, told above
	case $status in
	0 | 1) echo "ok $((count + 1)) - the kernel reported nothing" ;;
	*) echo "not ok $((count + 1)) - the guest: exit status $status" ;;
	esac
	echo "1..$((count + 1))"
	((count)) || status=$((status ? status : 1))
	((status == 0)) || verdict=FAILED
	say "$name: $verdict, $(grep -c '^ok' "$log/said" || true) of $count parts; logs in ${log#"$TOP/"}"
	exit "$status"
}
