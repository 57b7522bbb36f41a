# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the cases of tests/build have in common. tmp is a directory for all of them; products
# and build directories of theirs carry the name in made.
# shellcheck disable=SC2154

skip() { echo "$*"; exit 77; }
# fails COMMAND...: it must; what it says is in $tmp/said
fails() {
	if "$@" >"$tmp/said" 2>&1; then
		echo "succeeded, but should not: $*"
		cat "$tmp/said"
		return 1
	fi
}
said() { grep -qF -- "$1" "$tmp/said" || { echo "did not say '$1', but:"; cat "$tmp/said"; return 1; }; }
said_not() { ! grep -qF -- "$1" "$tmp/said" || { echo "said '$1':"; cat "$tmp/said"; return 1; }; }

# A tree with all that the first minute of a build reads and no driver in it.
small_tree() {
	[ -d "$1" ] || {
		git clone -q --shared --no-checkout "$(tree_of base)" "$1"
		git -C "$1" sparse-checkout set --no-cone '/Makefile' '/Kbuild' 'Kconfig*' 'Makefile*' \
			'*.include' '/scripts/' '/include/' '/arch/x86/' '/kernel/' '/tools/' '/lib/' '/usr/' '/security/' \
			'!/tools/testing/' '!/tools/perf/'
		git -C "$1" checkout -q --detach base
	}
}

plant_product() {	# what a build of yesterday left
	mkdir -p "$BUILD/$1"
	touch "$BUILD/$1"/{bzImage,config,System.map,vmlinux,key}
}
