# shellcheck shell=bash disable=SC2034 # what is set here is used by the scripts
# SPDX-License-Identifier: GPL-2.0
# Sourced after lib.sh by the scripts of the patch queue: the base as a git tree,
# patches into git and out of it, the same for everybody.

verb=${0##*/}	# what messages begin with
[ -f "$TOP/patches/linux.series" ] || die "$verb: no patches/linux.series, which says in what order the series apply"
# a step that fails inside $(...) fails the script
shopt -s inherit_errexit

# What the caller's git is configured to do (hooks, signing, line ends, diff and
# format options, templates, attributes, ignores) has no part in what we make, and
# we work in the repository that we name, or in none.
# g DIR COMMAND...: git in the repository DIR/.git with the work tree DIR
g() {
	local dir=$1
	shift
	HOME=$CACHE/.no-home XDG_CONFIG_HOME=$CACHE/.no-home \
		GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 \
		GIT_TERMINAL_PROMPT=0 GIT_EDITOR=false GIT_PAGER=cat \
		git -C "$dir" --git-dir="$dir/.git" --work-tree="$dir" \
		-c core.hooksPath=/dev/null -c commit.gpgSign=false -c core.autocrlf=false \
		-c gc.auto=0 -c maintenance.auto=false -c advice.detachedHead=false "$@"
}

# What we commit carries no person's name, and has the same hash everywhere.
as_lab() {
	GIT_AUTHOR_NAME=lab GIT_AUTHOR_EMAIL=lab@localhost GIT_AUTHOR_DATE='@0 +0000' \
		GIT_COMMITTER_NAME=lab GIT_COMMITTER_EMAIL=lab@localhost GIT_COMMITTER_DATE='@0 +0000' "$@"
}

# choose_projects "$@": the trees that the script's argument names
choose_projects() {
	case ${1-} in
	'') mapfile -t projects < <(all_projects) ;;
	--help | -h) usage ;;
	*)
		is_project "$1" || die "$verb: no project '$1'; there are: ${ALL_PROJECTS[*]}"
		projects=("$1")
		;;
	esac
}

# dirs_of PROJECT: its directories below patches/, in the order they apply
dirs_of() {
	case $1${LINUX:+-$LINUX} in
	# several series, or one row
	linux-[0-9]*) cat "$TOP/patches/linux-$LINUX.series" 2>/dev/null || echo "linux-$LINUX" ;;
	linux) cat "$TOP/patches/linux.series" ;;
	*) echo "$1" ;;
	esac
}

# all_projects: those that a command works on if none is named
all_projects() { echo linux; [ -n "$LINUX" ] || echo iproute2; }

# tag_of DIR: the tag that follows where the patches of DIR end, if others come after them
tag_of() {
	case $1 in
	linux) echo feature ;;
	linux-*) echo "${1#linux-}" ;;
	*) echo "$1" ;;
	esac
}

# An empty commit tells where one directory ends and the next begins: unlike a tag it
# takes part in every kind of rebase, and is seen in `git rebase -i`.
boundary_name() { echo "---- patches/$1 ends, patches/$2 begins ----"; }

# begins SUBJECT: the directory that begins with the commit of that subject, if it is a
# boundary
begins() { sed -nE 's,^---- patches/[^ ]+ ends\, patches/([^ ]+) begins ----$,\1,p' <<<"$1"; }

# boundary TREE DIR NEXT: the commit between base and HEAD that parts them
boundary() {
	local found name
	name=$(boundary_name "$2" "$3")
	found=$(g "$1" log --format='%H %s' base..HEAD | awk -v s="$name" 'substr($0, index($0, " ") + 1) == s { print $1 }')
	case $(wc -w <<<"$found") in
	1) echo "$found" ;;
	0) die "$verb: the commit '$name' is gone from $1; where it belongs, make it again: git commit --allow-empty -m '$name'" ;;
	*) die "$verb: more than one commit '$name' in $1; drop all but one with git rebase -i base" ;;
	esac
}

# parts PROJECT TREE: a line for each directory, in order: DIR RANGE [BOUNDARY], where its
# patches are the commits in RANGE, and BOUNDARY is the commit behind them
parts() {
	local dir before='' from=base at
	for dir in $(dirs_of "$1"); do
		if [ -n "$before" ]; then
			at=$(boundary "$2" "$before" "$dir") || return
			g "$2" merge-base --is-ancestor "$from" "$at" ||
				die "$verb: '$(boundary_name "$before" "$dir")' is in the wrong place in $2; put the boundaries in order with git rebase -i base"
			echo "$before $from..$at^ $at"
			from=$at
		fi
		before=$dir
	done
	echo "$before $from..HEAD"
}

# patches_in DIR: the patch files of one directory, in order
patches_in() {
	local file
	for file in "$1"/*.patch; do
		[ -e "$file" ] || continue
		case ${file##*/} in
		[0-9][0-9][0-9][0-9]-*.patch) printf '%s\n' "$file" ;;
		*) die "$verb: $file is not named NNNN-*.patch: no telling where it goes" ;;
		esac
	done
}

# queue_id PATCHES PROJECT: one hash for base and patches, names and contents
queue_id() {
	local dir words sha list=()
	sha=$(pin_of "$2")_SHA256
	for dir in $(dirs_of "$2"); do
		words=$(patches_in "$1/$dir")
		[ -z "$words" ] || mapfile -t -O ${#list[@]} list <<<"$words"
	done
	words=$([ ${#list[@]} -eq 0 ] || { cd "$1" && sha256sum -- "${list[@]#"$1/"}"; })
	words=$(sha256sum <<<"${!sha} $words")
	echo "${words%% *}"
}

# take_lock FILE WHAT: held until the script ends, however it ends
take_lock() {
	mkdir -p "${1%/*}" 2>/dev/null || true
	# shellcheck disable=SC2188
	{ >>"$1"; } 2>/dev/null || die "$verb: cannot write to ${1%/*}: no space left, or not yours (set XDG_CACHE_HOME to a directory that is)"
	local fd
	exec {fd}>>"$1"
	flock -n "$fd" || { say "$verb: another one is at work on $2, waiting for it"; flock "$fd"; }
}

# What is half made when the script ends (an error, Ctrl-C, a full disk) goes.
# (What kill -9 leaves has a fixed name; the next one that holds the lock removes it.)
half_made=()
trap 'rm -rf -- "${half_made[@]}"' EXIT

# failed WHAT WORDS: dies with what tar or git said. (Kept in variables on the way
# here: on a full disk a log is empty.) Git has many words for a full disk, and some
# that do not tell, so that one is tried out.
failed() {
	local words
	if grep -qiE 'no space left|out of diskspace|disk quota' <<<"$2" || ! head -c 65536 /dev/zero 2>/dev/null >"$CACHE/.full"; then
		rm -f "$CACHE/.full"
		die "$verb: $1: no space left in $CACHE; nothing half made was kept"
	fi
	rm -f "$CACHE/.full"
	words=$(grep -m 1 -E '^(error|fatal|tar|xz):' <<<"$2" || tail -n 1 <<<"$2")
	die "$verb: $1: $words"
}

# new_repo DIR OBJECTS COMMIT: a repository whose branch `series` and tag `base` are
# COMMIT, of another repository whose OBJECTS it shares; index filled, no files
new_repo() {
	local words
	words=$({
		mkdir -p "$1" &&
			g "$1" -c init.defaultBranch=series init -q --template= &&
			mkdir -p "$1/.git/objects/info" "$1/.git/info" &&
			printf '%s\n' "$2" >"$1/.git/objects/info/alternates" &&
			g "$1" update-ref refs/heads/series "$3" &&
			g "$1" tag base "$3" &&
			g "$1" symbolic-ref HEAD refs/heads/series &&
			g "$1" read-tree HEAD
	} 2>&1) || failed "cannot make a git repository" "$words"
}

# unpack FILE DIR: the source in FILE, a tarball, or a package of Debian that has one
unpack() {
	local into=(-C "$2" --strip-components=1 --no-same-owner --no-same-permissions)
	case $1 in
	*.deb)
		(set -o pipefail && dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/src/*.tar.xz' | tar -xJ "${into[@]}") || return
		# Debian's packaging ignores all files at the top, so that new ones would not show
		sed -i '/^# Debian packaging: ignore everything/,$d' "$2/.gitignore"
		;;
	*) tar -xf "$1" "${into[@]}" ;;
	esac
}

# make_base PROJECT: sees to the unpatched tree, shared by all clones
make_base() {
	local project=$1 home file words
	home=$(home_of "$project")
	[ ! -e "$home/base/.git" ] || return 0
	take_lock "$home/.lock" "the base of $project"
	[ ! -e "$home/base/.git" ] || return 0
	"$TOP/queue/fetch" "$project" || exit 1
	file=$(tarball_of "$project")
	say "$verb: git tree of the base from ${file##*/} (linux: some 60 s, once)"
	half_made+=("$home/base.new")
	rm -rf "$home/base.new"
	mkdir -p "$home/base.new"
	words=$(unpack "$file" "$home/base.new" 2>&1) || failed "cannot unpack ${file##*/}" "$words"
	words=$({
		g "$home/base.new" -c init.defaultBranch=series init -q --template= &&
			# -f: the tarball's own .gitignore names files that the tarball has.
			# bigFileThreshold: straight into one pack, not into 94,000 loose objects.
			g "$home/base.new" -c core.bigFileThreshold=1 -c core.compression=1 add -f -A &&
			as_lab g "$home/base.new" commit -q --no-verify -m "${file##*/}" &&
			g "$home/base.new" tag base
	} 2>&1) || failed "cannot make a git tree of ${file##*/}" "$words"
	mv "$home/base.new" "$home/base"
}

# apply PROJECT REPO PATCHES [MARK]: the patches below PATCHES onto the branch of REPO.
# No fuzz: a patch whose context differs is refused. The files of REPO need not be
# checked out. With MARK a boundary is committed between two directories.
apply() {
	local project=$1 repo=$2 patches=$3 mark=${4-} dir before='' file list words
	for dir in $(dirs_of "$project"); do
		if [ -n "$mark" ] && [ -n "$before" ]; then
			words=$(as_lab g "$repo" commit -q --no-verify --allow-empty -m "$(boundary_name "$before" "$dir")" 2>&1) ||
				failed "cannot commit" "$words"
		fi
		before=$dir
		words=$(patches_in "$patches/$dir")
		[ -n "$words" ] || continue
		mapfile -t list <<<"$words"
		for file in "${list[@]}"; do
			words=$(rm -rf "$repo/.git/split" && mkdir "$repo/.git/split" && g "$repo" mailsplit -o"$repo/.git/split" -- "$file" 2>&1) ||
				failed "cannot apply ${file#"$TOP/"}, it is no patch as git format-patch writes them" "$words"
			[ "$words" = 1 ] || die "$verb: ${file#"$TOP/"} is not one patch but $words: one file each"
		done
		words=$(as_lab g "$repo" -c am.threeWay=false -c am.keepcr=true -c apply.whitespace=nowarn \
			-c apply.ignoreWhitespace=no am --quiet --no-3way --keep-cr --keep-non-patch --no-scissors \
			--no-gpg-sign --no-message-id --committer-date-is-author-date --whitespace=nowarn \
			--patch-format=mbox "${list[@]}" 2>&1 </dev/null) || {
			file=$(cat "$repo/.git/rebase-apply/next" 2>/dev/null || echo 1)
			failed "cannot apply ${list[file - 1]#"$TOP/"} to the base and the patches before it" "$words"
		}
	done
}

# api_page PROJECT REPO: the page for authors of programs, which docs/api.rst shows to
# those who have no tree; false if it has none
api_page() {
	[ "$1" = linux ] && [ -z "$LINUX" ] &&
		g "$2" show HEAD:Documentation/networking/xfrm/xfrm_migrate_state.rst 2>/dev/null
}

# write_patches PROJECT REPO OUT: the commits of REPO as patch files in OUT/DIR, for each
# directory, the same bytes whoever runs it. REPO has nothing but our own configuration
# (new_repo).
write_patches() {
	local words list dir range
	list=$(parts "$1" "$2")
	while read -r dir range _; do
		words=$(mkdir -p "$3/$dir" 2>&1) || failed "cannot write patches" "$words"
		words=$(g "$2" format-patch -q --zero-commit --full-index --no-signature --no-numbered --no-base \
			--diff-algorithm=histogram -o "$3/$dir" "$range" 2>&1) || failed "cannot write patches" "$words"
	done <<<"$list"
}

# scratch PROJECT NAME: makes the throw-away repository `$scratch` at the base. The
# caller holds the lock of this clone's tree.
scratch() {
	local home
	home=$(home_of "$1")
	scratch=$home/.$2.$CLONE_ID
	half_made+=("$scratch")
	rm -rf "$scratch"
	new_repo "$scratch" "$home/base/.git/objects" "$(g "$home/base" rev-parse base)"
}

# link PROJECT: build/PROJECT leads to the tree
link() {
	mkdir -p "$BUILD"
	[ "$(readlink "$BUILD/$1")" = "$(tree_of "$1")" ] || ln -sfn -- "$(tree_of "$1")" "$BUILD/$1"
}

# settings TREE: what makes working in it pleasant; who commits is taken from this checkout
settings() {
	local key value
	for key in user.name user.email; do
		value=$(git -C "$TOP" config "$key") || continue
		g "$1" config "$key" "$value" || return
	done
	# (the other backend of rebase drops the boundaries, empty commits)
	g "$1" config gc.auto 0 && g "$1" config maintenance.auto false &&
		g "$1" config rebase.autoSquash true && g "$1" config rebase.backend merge &&
		printf '%s\n' "$TOP" "$(uname -n)" >"$1/.git/xfrm-clone"
}

# walk_tree TREE: this clone's tree of Linux for those who go from commit to commit, so that
# make compiles again just what each of them changes; in $walk, locked until the end, and
# with "series" where TREE is. go COMMIT checks it out there.
walk_tree() {
	local words
	walk=$(tree_of linux).walk
	take_lock "$walk.lock" "$walk"
	make_base linux
	if [ ! -e "$walk/.git/xfrm-clone" ]; then
		say "$verb: checking out a tree to go through the patches"
		rm -rf "$walk"
		words=$({ new_repo "$walk" "$(home_of linux)/base/.git/objects" "$(g "$(home_of linux)/base" rev-parse base)" &&
			g "$walk" -c checkout.workers=0 reset -q --hard && settings "$walk"; } 2>&1) || failed "cannot make $walk" "$words"
	fi
	words=$(g "$walk" fetch -q --no-tags "$1" HEAD 2>&1) || failed "cannot read $1" "$words"
	g "$walk" update-ref refs/heads/series FETCH_HEAD
}
go() { g "$walk" checkout -q --force --detach "$1"; }
# documents and selftests are no reason to ask make
NO_KERNEL=(':!Documentation' ':!tools' ':!MAINTAINERS')

# record TREE ID HEAD: the queue that the tree stands for, and the commit that is it
record() {
	printf '%s\n' "$2" "$3" >"$1/.git/xfrm-imported.new" &&
		mv "$1/.git/xfrm-imported.new" "$1/.git/xfrm-imported" &&
		rm -f "$1/.git/xfrm-moving"
}

# tag_parts PROJECT TREE: after each change of the branch the tags follow
tag_parts() {
	local list dir at
	list=$(parts "$1" "$2") || return
	while read -r dir _ at; do
		[ -z "$at" ] || g "$2" tag -f "$(tag_of "$dir")" "$at" >/dev/null || return
	done <<<"$list"
}

# as_of REV: this repository's pins, patches and scripts as of REV, in $as_of
as_of() {
	local paths
	paths=$(git -C "$TOP" ls-tree --name-only "$1" -- base.mk bases patches 2>/dev/null) || die "$verb: no revision '$1' in $TOP"
	grep -qx base.mk <<<"$paths" || die "$verb: revision '$1' has no base.mk"
	as_of=$BUILD/.$verb.as-of
	half_made+=("$as_of")
	rm -rf "$as_of"
	mkdir -p "$as_of"
	# shellcheck disable=SC2086 # three words at most, ours
	git -C "$TOP" -c core.autocrlf=false archive "$1" $paths | tar -x -C "$as_of"
	cp -r "$TOP/lab" "$TOP/queue" "$as_of/"
	# before there was that file
	[ -e "$as_of/patches/linux.series" ] || printf '%s\n' linux-fixes linux linux-tests >"$as_of/patches/linux.series"
}

# turn_to DIR: from here on it is the pins and patches of DIR
turn_to() {
	TOP=$1
	pins
}

# local_work TREE: what is in this clone's tree and not in patches/, in a few words;
# nothing when there is none
local_work() {
	local tree=$1 imported changes
	going_on "$tree"
	changes=$(g "$tree" status --porcelain --untracked-files=normal)
	[ -z "$changes" ] || echo "$(wc -l <<<"$changes") files not committed (${changes:3:60}"'...)' | tr '\n' ' '
	imported=$(sed -n 2p "$tree/.git/xfrm-imported")
	[ "$(g "$tree" rev-parse HEAD)" = "$imported" ] || printf 'commits that are not exported'
}

# going_on TREE: the operation that waits for the user there, if any
going_on() {
	local file
	for file in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD; do
		[ ! -e "$1/.git/$file" ] || { printf 'a rebase, merge or pick that is not finished '; break; }
	done
}
