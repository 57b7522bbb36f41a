# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced after lib.sh by what runs programs of checks/ in a guest (checks/fuzz/run, fault, stress,
# coverage, kcsan, fixes, bench): builds them, and what a guest needs besides.
# shellcheck source=lab/lib-boot.sh
. "$TOP/lab/lib-boot.sh"
# shellcheck source=lab/lib-tap.sh
. "$TOP/lab/lib-tap.sh"

# compile OUT ARG...: a static program, with the headers of the patched tree
compile() {
	local headers
	need gcc libc-dev
	headers=$(uapi_headers)
	gcc -static -O2 -Wall -Wextra -Werror -pthread -isystem "$headers" -o "$@"
}

# programs DIR NAME...: makes DIR with the program of checks/NAME/NAME.c for each NAME;
# 32-NAME is the same for 32 bit.
programs() {
	local dir=$1 name bits
	shift
	need gcc-m32
	"$TOP/lab/rootfs"
	rm -rf "$dir"
	mkdir -p "$dir"
	cp "$TOP/lab/guest/parts" "$dir/"
	for name; do
		bits=-m64
		[[ $name != 32-* ]] || bits=-m32
		compile "$dir/$name" "$bits" "$TOP/checks/${name#32-}/${name#32-}.c" ||
			die "programs: checks/${name#32-} does not compile"
	done
}

# in_guest LOG KERNEL SECONDS APPEND COMMAND...: runs it in a guest that has LOG/share;
# prints its TAP with a line more, of what the kernel said, and goes on counting there
in_guest() {
	local log=$1 kernel=$2 seconds=$3 append=$4 status=0
	shift 4
	tap
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
	plan || true
	say "$name: $words, $((count - failed)) of $count parts${1:+; $1}; logs in ${log#"$TOP/"}"
	exit $((failed > 0))
}
