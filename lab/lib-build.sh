# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced after lib.sh by the scripts that build: when is a product current,
# which compiler cache, how a failure is told.

# What the caller's make hands down (BASE=1 on its command line, its job server)
# or a developer's shell holds is no business of the kernel's makefiles.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL O V W C T BASE DEBUG UM ARCH CROSS_COMPILE \
	CC HOSTCC LD CFLAGS CPPFLAGS LDFLAGS KCFLAGS KCPPFLAGS KAFLAGS \
	KBUILD_OUTPUT KBUILD_EXTMOD KCONFIG_CONFIG KCONFIG_ALLCONFIG
export LC_ALL=C
# a step that fails inside $(...) fails the script
shopt -s inherit_errexit

JOBS=${JOBS:-$(nproc)}

# Object files are shared by all clones and by the base and patched trees: build
# directories are a direct child of the source tree, so that kbuild names every
# source "../...", and the name of the directory is left out of the hash.
export CCACHE_DIR=$CACHE/ccache CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=10G CCACHE_COMPRESS=1
unset CCACHE_DISABLE CCACHE_READONLY CCACHE_RECACHE CCACHE_PREFIX CCACHE_CONFIGPATH

# tree_id TREE [PATH...]: one hash of all that is in TREE (or in each PATH of it)
# as it is now, work that is not committed included. Nothing is written to the tree
# or its repository.
tree_id() {
	local tree=$1 tmp objects index status=0
	shift
	tmp=$(mktemp -d)
	objects=$(git -C "$tree" rev-parse --path-format=absolute --git-path objects)
	index=$(git -C "$tree" rev-parse --path-format=absolute --git-path index)
	mkdir "$tmp/objects"
	# with its time: git reads a file whose stat is that of the index's own second
	cp -p "$index" "$tmp/index"
	(
		export GIT_INDEX_FILE=$tmp/index GIT_OBJECT_DIRECTORY=$tmp/objects
		export GIT_ALTERNATE_OBJECT_DIRECTORIES=$objects
		cd "$tree" && git add --all && id=$(git write-tree) || exit
		(($#)) || set -- ''
		for path in "$@"; do git rev-parse "$id:$path" || exit; done
	) || status=$?
	rm -rf "$tmp"
	return "$status"
}

# compiler_id: what the tools say of themselves
compiler_id() { gcc --version | head -n 1; ld --version | head -n 1; }

# arch_vars NAME: the makefiles' variables for lab/configs/arch/NAME.config, one a line; it
# names them in its second line
arch_vars() {
	local file=$TOP/lab/configs/arch/$1.config line=''
	[ "$1" = common ] || [ ! -r "$file" ] || line=$(sed -n '2s/^# //p' "$file")
	[[ $line =~ ^ARCH=[a-z0-9]+\ CROSS_COMPILE=[a-z0-9-]+-$ ]] ||
		die "there is no lab/configs/arch/$1.config whose second line is # ARCH=... CROSS_COMPILE=..."
	tr ' ' '\n' <<<"$line"
}

# var_of VAR DEFAULT VAR=VALUE...: the last value of VAR among these
var_of() {
	local name=$1 value=$2 word
	shift 2
	for word; do [[ $word != "$name="* ]] || value=${word#*=}; done
	printf '%s\n' "$value"
}

# current STAMP KEY FILE...: STAMP holds KEY, and each FILE is there
current() {
	local stamp=$1 key=$2 file
	shift 2
	[ -f "$stamp" ] && [ "$(<"$stamp")" = "$key" ] || return 1
	for file in "$@"; do [ -e "$file" ] || return 1; done
}

# only_one NAME: wait until no other NAME of this clone is at work; the lock goes
# with the process
only_one() {
	mkdir -p "$BUILD/logs"
	exec {only_one_fd}>"$BUILD/logs/.$1.lock"
	flock -n "$only_one_fd" && return
	say "$1: another one is at work in this clone, waiting for it"
	flock "$only_one_fd"
}

# compiler_errors LOG: what a person wants to see of a failed build
compiler_errors() {
	grep -E -A 3 ': (fatal )?error: |undefined reference|^(ld|objtool|ccache): |No space left|Killed|No rule to make target' "$1" |
		head -n 30 || true
	# nothing we know: the end of the log
	grep -qE ': (fatal )?error: |undefined reference|^(ld|objtool|ccache): |No space left|Killed|No rule to make target' "$1" ||
		tail -n 15 "$1"
}

# minutes SECONDS
minutes() { if (($1 < 60)); then echo "${1} s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi; }

# copy_of_series NAME: sets tree to another checkout of build/linux as it is committed, to
# be broken as one likes
copy_of_series() {
	local head
	tree=$(home_of linux)/$1-$CLONE_ID
	head=$(git -C "$(tree_of linux)" rev-parse HEAD)
	if [[ ! -e $tree/.git ]]; then
		rm -rf "$tree.new"
		git clone -q --shared --no-checkout "$(tree_of linux)" "$tree.new"
		mv "$tree.new" "$tree"
	fi
	git -C "$tree" fetch -q "$(tree_of linux)" HEAD
	git -C "$tree" checkout -q -f --detach "$head"
	git -C "$tree" clean -q -fd
}
