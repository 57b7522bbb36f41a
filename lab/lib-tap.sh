# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by all scripts that print TAP; needs nothing else. Start with `tap`, end with
# `plan`, whose status says whether nothing failed.

count=0 failed=0

tap() { echo 'TAP version 13'; }

# result STATUS NAME [FILE]: the line for it, and FILE behind # if it failed
result() {
	count=$((count + 1))
	if (($1 == 0)); then
		echo "ok $count - $2"
		return
	fi
	echo "not ok $count - $2"
	failed=$((failed + 1))
	[[ ! ${3-} ]] || sed 's/^/# /' "$3"
}

# skip_result NAME WHY
skip_result() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

plan() {
	echo "1..$count"
	((failed == 0))
}
