# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by scripts and tests that print TAP; needs nothing else.

count=0 failed=0

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
