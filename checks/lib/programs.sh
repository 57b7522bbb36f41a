# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced after lib.sh, lib-boot.sh and lib-tap.sh by checks/fuzz/run, fault, stress, coverage
# and kcsan: builds the programs in checks/ that run in the guest, and what a guest needs besides.

# programs DIR NAME...: makes DIR with the static program of checks/NAME/NAME.c for each
# NAME; 32-NAME is the same for 32 bit.
programs() {
	local dir=$1 name bits headers
	shift
	need gcc gcc-m32 libc-dev
	"$TOP/lab/rootfs"
	headers=$(uapi_headers)
	rm -rf "$dir"
	mkdir -p "$dir"
	cp "$TOP/lab/guest/parts" "$dir/"
	for name; do
		bits=-m64
		[[ $name != 32-* ]] || bits=-m32
		gcc "$bits" -static -O2 -Wall -Wextra -Werror -pthread -isystem "$headers" \
			-o "$dir/$name" "$TOP/checks/${name#32-}/${name#32-}.c" || die "programs: checks/${name#32-} does not compile"
	done
}

# in_guest LOG KERNEL SECONDS APPEND COMMAND...: runs it in a guest that has LOG/share;
# prints its TAP with a line more, of what the kernel said, and goes on counting there
in_guest() {
	local log=$1 kernel=$2 seconds=$3 append=$4 status=0
	shift 4
	echo 'TAP version 13'
	"$TOP/lab/boot" --kernel "$kernel" --log "$log" --share "$log/share" --mem 4G \
		--timeout "$seconds" --append "$append" -- "$@" 2>"$log/stderr" | tee "$log/said" ||
		status=${PIPESTATUS[0]}
	cat "$log/stderr" >&2
	count=$(grep -cE '^(not )?ok' "$log/said" || true)
	failed=$(grep -c '^not ok' "$log/said" || true)
	# 1 is the program's own, told above
	((count && (failed || status != 1))) || result 1 "the guest said how many parts there were and which failed"
	((status != 1)) || status=0
	result "$status" "the kernel reported nothing$( ((status == 0)) || echo ": the guest ended with $status")"
}

# verdict [WORDS]: ends the script with TAP's plan and what came of it
verdict() {
	local name=${0%/run} words=passed
	name=${name##*/}
	((failed == 0)) || words=FAILED
	echo "1..$count"
	say "$name: $words, $((count - failed)) of $count parts${1:+; $1}; logs in ${log#"$TOP/"}"
	exit $((failed > 0))
}
