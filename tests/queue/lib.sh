# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the cases of tests/queue have in common: W is their directory, C the checkout in it,
# L its tree of Linux.
# shellcheck disable=SC2012,SC2010,SC2011,SC2015,SC2030,SC2031,SC2034,SC2154,SC2164

# ---------------------------------------------------------------- assertions

fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "$*" >"$W/skip"; exit 0; }

# same A B: equal strings
same() { [ "$1" = "$2" ] || fail "got '$1', want '$2'"; }

# ok COMMAND...: succeeds, its output is in $out
ok() {
	out=$("$@" 2>&1) || fail "$* exits with $?: $out"
	echo "$out"
}

# says PATTERN: the last ok or refused said so
says() { grep -qE -- "$1" <<<"$out" || fail "it does not say '$1': $out"; }
silent_on() { ! grep -qE -- "$1" <<<"$out" || fail "it says '$1': $out"; }

# refused PATTERN COMMAND...: fails, and besides progress says exactly one line, with PATTERN
refused() {
	local pattern=$1 status=0
	shift
	out=$("$@" 2>&1) || status=$?
	echo "$out"
	[ $status = 1 ] || fail "$* exits with $status, want 1"
	out=$(grep -v '^== ' <<<"$out")
	same "$(wc -l <<<"$out")" 1
	says "$pattern"
}

# nothing_half_made: no file is left that a later run could take for a whole one
nothing_half_made() {
	local left
	left=$(find "$XDG_CACHE_HOME" "$C/patches" -name '*.new' -o -name '.new' -o -name '.import.*' -o \
		-name '.roundtrip.*' -o -name '.export.*' -o -name '.rangediff-*' -o -name '.rebase.*' 2>/dev/null)
	same "$left" ''
}

# ---------------------------------------------------------------- fixture

CANONICAL=(--zero-commit --full-index --no-signature --no-numbered --no-base --diff-algorithm=histogram)

# plain git, no configuration but this: what the product is measured by
pgit() {
	HOME=$W/none XDG_CONFIG_HOME=$W/none GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2026-01-02 03:04:05 +0100' \
		git -c user.name='Zoë Tester' -c user.email=zoe@example.org "$@"
}

# pins_of PROJECT VERSION: the pins of its tarball in $W
pins_of() {
	local file=$1_$2.tar.xz
	printf "${1^^}_%s\n" "VERSION=$2" "DEBVERSION=$2-1" SUITE=trixie "FILE=$file" \
		"SHA256=$(sha256sum <"$W/$file" | cut -d ' ' -f 1)"
}

# fixture DIR: a checkout of the product with tiny bases and patches, made by plain git
fixture() {
	local dir=$1 src=$W/src
	mkdir -p "$dir/patches"
	printf '%s\n' linux-fixes linux linux-tests >"$dir/patches/linux.series"
	mkdir -p "$src/linux-1.0/net/xfrm" "$src/linux-1.0/bin" "$src/iproute2-1.0/ip"
	(
		cd "$src/linux-1.0"
		printf 'line %s\n' {1..30} >net/xfrm/state.c
		{ echo 'int a(void)' && echo '{' && printf '\tstep(%s);\n' {1..12} && echo '}'; } >net/xfrm/user.c
		printf 'dos %s\r\n' {1..9} >dos.txt
		printf 'caf\351 %s\n' {1..9} >latin1.txt
		printf 'no newline at the end' >noeol
		printf '#!/bin/sh\n' >bin/tool && chmod 755 bin/tool
		ln -s net/xfrm/state.c link
		printf '*.o\n/ignored*\n' >.gitignore
		echo 'the tarball has it' >ignored-but-there
		printf '*.c diff=cpp\n*.txt ident\n' >.gitattributes
		head -c 60000 /dev/urandom >blob
	)
	printf 'ip %s\n' {1..20} >"$src/iproute2-1.0/ip/xfrm.c"
	tar -C "$src" -cJf "$W/linux_1.0.tar.xz" linux-1.0
	tar -C "$src" -cJf "$W/iproute2_1.0.tar.xz" iproute2-1.0
	{ pins_of linux 1.0 && pins_of iproute2 1.0 && echo GUEST_SUITE=trixie; } >"$dir/base.mk"
	cp -r "$TOP/lab" "$TOP/queue" "$TOP/.gitattributes" "$TOP/.gitignore" "$dir/"
	(
		cd "$src/linux-1.0"
		pgit init -q
		pgit add -f -A
		pgit commit -qm base
		pgit tag base
		sed -i 's/^line 5$/line five/' net/xfrm/state.c
		pgit commit -qam 'xfrm: fix the fifth line' -m 'A body, with ünïcode and a very long line that nobody wraps, because nobody ever reads it to its end anyway.'
		sed -i 's/step(3)/step(three)/' net/xfrm/user.c
		printf 'trailing space \n' >>net/xfrm/user.c
		pgit commit -qam '[RFC] xfrm: [brackets] stay, and this subject is much longer than one line of a mail header can be'
		pgit tag fixes
		sed -i 's/^line 15$/line fifteen/' net/xfrm/state.c
		printf 'dos one\r\n' >>dos.txt
		pgit commit -qam 'xfrm: feature one'
		pgit mv net/xfrm/user.c net/xfrm/xfrm_user.c
		sed -i 's/step(9)/step(nine)/' net/xfrm/xfrm_user.c
		chmod 755 net/xfrm/state.c
		printf 'x\0y' >binary
		ln -s nowhere dangling
		printf 'added\n' >ignored-and-added
		pgit rm -q latin1.txt
		pgit add -f -A
		pgit commit -qm 'xfrm: feature two'
		sed -i 's/^line 25$/line twenty-five/' net/xfrm/state.c
		printf ' and now one' >>noeol
		pgit commit -qam 'xfrm: feature three'
		pgit format-patch -q "${CANONICAL[@]}" -o "$dir/patches/linux-fixes" base..fixes
		pgit format-patch -q "${CANONICAL[@]}" -o "$dir/patches/linux" fixes..HEAD
		echo 'a cover letter' >"$dir/patches/linux/cover-letter.txt"
	)
	(
		cd "$src/iproute2-1.0"
		pgit init -q
		pgit add -A
		pgit commit -qm base
		pgit tag base
		sed -i 's/^ip 7$/ip seven/' ip/xfrm.c
		pgit commit -qam 'ip: seven'
		pgit format-patch -q "${CANONICAL[@]}" -o "$dir/patches/iproute2" base..HEAD
	)
	(cd "$dir" && pgit init -q && pgit add -A && pgit commit -qm 'the queue')
}

# queue_is DIR: the patches are those in DIR, byte for byte
queue_is() { diff -r "$C/patches" "$1" >&2 || fail "patches/ is not what $1 has"; }
tree_id() { pgit -C "$1" rev-parse "${2-HEAD}^{tree}"; }

# a developer's git in the tree: the user's configuration, an identity
dev() { (cd "$C/build/linux" && GIT_AUTHOR_NAME=dev GIT_AUTHOR_EMAIL=dev@example.org \
	GIT_COMMITTER_NAME=dev GIT_COMMITTER_EMAIL=dev@example.org GIT_EDITOR=true git "$@"); }
imported() { ok "$C/queue/import" linux >/dev/null; L=$(realpath "$C/build/linux"); }

# blocked COMMAND: in $W/bin, a git that stops for good when called to COMMAND, and says so
# in $W/blocked; the first half of the work is done by then
blocked() {
	mkdir -p "$W/bin"
	cat >"$W/bin/git" <<-END
		#!/bin/bash
		case " \$* " in *" $1 "*)
			$2
			: >"$W/blocked"
			read -r _ <> <(:)
		esac
		exec $(command -v git) "\$@"
	END
	chmod +x "$W/bin/git"
}

# kill_at COMMAND FIRST SCRIPT...: kill -9 of SCRIPT and all its children in the middle
kill_at() {
	local pid deadline=$((SECONDS + 20))
	rm -f "$W/blocked"
	blocked "$1" "$2"
	PATH=$W/bin:$PATH setsid "${@:3}" >/dev/null 2>&1 &
	pid=$!
	until [ -e "$W/blocked" ]; do
		[ $SECONDS -lt $deadline ] || fail "$3 never came to git $1"
		read -rt 0.05 _ <> <(:) || true
	done
	kill -9 -- "-$pid"
	wait "$pid" 2>/dev/null || true
}

# ---------------------------------------------------------------- what several cases do

needs_apt() { command -v apt-get >/dev/null && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
	skip 'no apt-get or no keyring of Debian here'; }

# new_base SED: base.mk names another base, the old one with SED on state.c
new_base() {
	cp -r "$W/src/linux-1.0" "$W/src/linux-1.1"
	(cd "$W/src/linux-1.1" && pgit checkout -q base && rm -rf .git && sed -i "$1" net/xfrm/state.c)
	tar -C "$W/src" -cJf "$W/linux_1.1.tar.xz" linux-1.1
	sed -i "s/^LINUX_VERSION=.*/LINUX_VERSION=1.1/; s/^LINUX_FILE=.*/LINUX_FILE=linux_1.1.tar.xz/
		s/^LINUX_SHA256=.*/LINUX_SHA256=$(sha256sum <"$W/linux_1.1.tar.xz" | cut -d ' ' -f 1)/" "$C/base.mk"
	LINUX_TARBALL=$W/linux_1.1.tar.xz
}

# other_base [SED]: a second base, Linux 0.9, which is 1.0 with a line more in state.c (and
# SED on it), and the main series carried to it: patches/linux-0.9, with OF
other_base() {
	cp -r "$W/src/linux-1.0" "$W/src/linux-0.9"
	(
		cd "$W/src/linux-0.9"
		pgit checkout -q base
		sed -i "1i line 0${1:+;$1}" net/xfrm/state.c
		rm -rf .git
		tar -C .. -cJf "$W/linux_0.9.tar.xz" linux-0.9
		pgit init -q
		pgit add -f -A
		pgit commit -qm base
		pgit tag base
		pgit am -q --keep-cr --keep-non-patch "$C"/patches/linux-fixes/*.patch "$C"/patches/linux/*.patch
		pgit format-patch -q "${CANONICAL[@]}" -o "$C/patches/linux-0.9" base..HEAD
	)
	mkdir -p "$C/bases"
	pins_of linux 0.9 >"$C/bases/linux-0.9.mk"
	(cd "$C" && pgit rev-parse HEAD >patches/linux-0.9/OF && pgit add -A && pgit commit -qm 'another base')
	ok "$C/queue/import" linux
	L=$(realpath "$C/build/linux")
	LINUX=0.9 LINUX_TARBALL=$W/linux_0.9.tar.xz ok "$C/queue/import"
	O=$(realpath "$C/build/0.9/linux")
}

# main_is MESSAGE: build/linux is the main series now, and committed
main_is() {
	ok "$C/queue/export" linux
	(cd "$C" && pgit add -A && pgit commit -qm "$1")
}
