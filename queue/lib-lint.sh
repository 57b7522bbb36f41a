# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by queue/lint: what each tool says of a tree, and of a patch. walk is the tree that
# goes from patch to patch (queue/lib-queue.sh), logs the directory for what was said, CLANG
# a compiler. Each line that a function prints: check, TAB, message.
# shellcheck disable=SC2154 # what queue/lint sets

findings() { "$TOP/queue/findings" "$@"; }

# What the patches touch, and some more that use xfrm's headers. A patch that touches a
# file that is not compiled here is a finding.
OBJECTS=(net/xfrm/ net/key/ net/ipv4/{esp4,ah4}.o net/ipv6/{esp6,ah6}.o security/selinux/{nlmsgtab,xfrm}.o
	drivers/net/netdevsim/)

here='' # the commit that the ledgers are of

# variant NAME: directory and arguments for make, in $out and $kbuild
variant() {
	out=out-lint-$1
	kbuild=(make -C "$walk" "O=$out" LOCALVERSION= "HOSTCC=ccache gcc")
	case $1 in
	clang) kbuild+=("CC=ccache $CLANG") ;;
	# Debian's sparse does not know that operator, for which kbuild would leave it out
	gcc) kbuild+=("CC=ccache gcc" C=1 "CHECK=sparse -D__typeof_unqual__=__typeof__") ;;
	*) kbuild+=("CC=ccache gcc") ;;
	esac
}

# configure: a fresh start for each variant, at the commit that is checked out
configure() {
	local v
	for v in gcc clang i386; do
		variant "$v"
		mkdir -p "$walk/$out"
		echo '*' >"$walk/$out/.gitignore"
		{
			cat "$TOP/lab/configs/guest.config"
			[ "$v" != i386 ] || cat "$TOP/lab/configs/matrix/i386.config"
		} >"$walk/$out/asked"
		"${kbuild[@]}" -s "KCONFIG_ALLCONFIG=$walk/$out/asked" allnoconfig >"$logs/$v.log" 2>&1 </dev/null ||
			{ compiler_errors "$logs/$v.log" >&2; die "lint: no configuration for $v"; }
		# a ledger tells of each object that there is; ccache has them all
		rm -f "$logs/$v.ledger"
		: >"$logs/$v.ledger"
		find "$walk/$out/net" "$walk/$out/security" "$walk/$out/drivers/net" -name '*.o' -delete 2>/dev/null || true
	done
}

# compile: brings the ledgers to the commit that is checked out. With -O what is said of
# an object follows its name.
compile() {
	local v log
	for v in gcc clang i386; do
		variant "$v"
		log=$logs/$v.log
		"${kbuild[@]}" -O -k -j "$JOBS" W=1 "${OBJECTS[@]}" >"$log" 2>&1 </dev/null || true
		! grep -q 'is not available or not up to date' "$log" || die "lint: kbuild leaves sparse out, see ${log#"$TOP/"}"
		grep -qE '^  (CC|DESCEND|CALL|SYNC|UPD|AR) ' "$log" || [ -e "$walk/$out/net/xfrm/built-in.a" ] ||
			{ compiler_errors "$log" >&2; die "lint: nothing could be compiled with $v, see ${log#"$TOP/"}"; }
		findings ledger "$v" "$log" "$logs/$v.ledger"
	done
}

# state COMMIT KERNEL: the tree is that of COMMIT, and with KERNEL the ledgers are
state() {
	go "$1"
	[ -n "$2" ] || return 0
	if [ -z "$here" ]; then
		configure
		compile
	elif ! g "$walk" diff --quiet "$here" "$1" -- . "${NO_KERNEL[@]}"; then
		compile
	fi
	here=$1
}

# --- what is said of the tree as it is: check, TAB, message

said_files() { # FILE...
	local file name test compiler said
	for file; do
		[ -f "$walk/$file" ] || continue
		case $file in
		*.c | *.h)
			"$walk/scripts/kernel-doc" -none -Wall "$walk/$file" 2>&1 | findings messages "$walk" kernel-doc
			;;
		*.sh)
			(cd "$walk/${file%/*}" && { shellcheck -f gcc -x -e SC2317,SC2329 "${file##*/}" || true; }) |
				sed -E "s/:[0-9]+:[0-9]+: /: /; s/^/shellcheck\t/"
			;;
		esac
		case $file in
		tools/testing/selftests/*.c)
			# an object of a lib, or a program
			test=${file%/*} name=${file##*/}
			name=${name%.c}
			[[ $test != */lib ]] || { test=${test%/lib} && name=lib/$name.o; }
			variant gcc
			"${kbuild[@]}" -s headers >"$logs/headers.log" 2>&1 </dev/null || die "lint: no headers, see ${logs#"$TOP/"}/headers.log"
			for compiler in gcc 'gcc -m32' "$CLANG"; do
				dir=$walk/$out/tests/${compiler//[^a-z0-9]/-}/${test##*/}
				mkdir -p "$dir"
				rm -f "$dir/$name"
				said=$(make -s -C "$walk/$test" "OUTPUT=$dir" "KHDR_INCLUDES=-isystem $walk/$out/usr/include" \
					"CC=ccache $compiler" "$dir/$name" 2>&1 </dev/null) || said+=$'\n'"$name: error: does not compile"
				findings messages "$walk" selftests "$compiler:" <<<"$said"
			done
			;;
		tools/testing/selftests/*/Makefile | tools/testing/selftests/*/.gitignore | tools/testing/selftests/*/config)
			findings order "$file" <"$walk/$file"
			;;
		esac
	done
}

# said KERNEL FILE...: all of it
said() {
	[ -z "$1" ] || findings compiled "$walk" "$logs"/{gcc,clang,i386}.ledger
	said_files "${@:2}"
}

# --- what is said of the patch itself

check_patch() { # REPOSITORY COMMIT OPTION...
	local said
	g "$1" format-patch --stdout -1 "$2" >"$logs/patch"
	said=$(cd "$walk" && go_quietly ./scripts/checkpatch.pl --strict --codespell --max-line-length=80 --ignore=MISSING_SIGN_OFF \
		--terse --show-types --no-summary --color=never "${@:3}" "$logs/patch" 2>&1) || true
	! grep -q 'No codespell typos will be found' <<<"$said" || die "lint: checkpatch does not find codespell's dictionary"
	# of spdxcheck, for want of a module of Python, say
	! grep -q '^Traceback' <<<"$said" || die "lint: checkpatch breaks: $(tail -n 1 <<<"$said")"
	sed -E "s|^$logs/patch:||; s|^[0-9]+: ||; /^$/d; s/^/checkpatch\t/" <<<"$said"
	sed -n '1,/^---$/s/^\(signed-off-by:.*\)/style\t\1: who sends a patch signs it off/Ip' "$logs/patch"
}
go_quietly() { "$@" </dev/null; }

check_style() { # COMMIT
	local file name
	g "$walk" diff -U0 "$1^" "$1" -- '*.c' | findings inline
	while read -r file; do
		name=${file##*/}
		case $file in
		tools/testing/selftests/*/lib/* | tools/testing/selftests/*/lib.sh) ;;
		tools/testing/selftests/*.sh)
			[ -x "$walk/$file" ] || printf 'selftests\t%s\n' "$file: is not executable"
			g "$walk" show "$1:${file%/*}/Makefile" | grep -qE "^[[:space:]]+$name( |$)" ||
				printf 'selftests\t%s\n' "$file: is not in the Makefile"
			;;
		tools/testing/selftests/*.c)
			g "$walk" show "$1:${file%/*}/Makefile" | grep -qE "^[[:space:]]+${name%.c}( |$)" ||
				printf 'selftests\t%s\n' "$file: is not in the Makefile"
			g "$walk" show "$1:${file%/*}/.gitignore" | grep -qx "/\?${name%.c}" ||
				printf 'selftests\t%s\n' "$file: its program is not in .gitignore"
			;;
		esac
	done < <(g "$walk" diff --name-only --diff-filter=A "$1^" "$1")
}

check_compiled() { # FILE...: each .c file of the kernel was compiled
	local file v
	for file; do
		case $file in
		tools/* | Documentation/* | samples/*) continue ;;
		*.c) ;;
		*) continue ;;
		esac
		for v in gcc clang i386; do
			[ "$v $file" != 'i386 net/xfrm/xfrm_compat.c' ] || continue # 64 bit only
			[ -e "$walk/out-lint-$v/${file%.c}.o" ] || printf '%s\t%s\n' "$v" "$file: error: did not compile, or nobody tried (OBJECTS in queue/lib-lint.sh)"
		done
	done
}

# --- what is said of the whole series

coccicheck() { # what it finds in the tree that is checked out
	local status=0 scripts
	variant gcc
	scripts=$(grep -rlE '^@.*(script|initialize|finalize):ocaml' "$walk/scripts/coccinelle" || true)
	[ -z "$scripts" ] || xargs -d '\n' rm -- <<<"$scripts"
	"${kbuild[@]}" C=0 coccicheck MODE=report M=net/xfrm "J=$JOBS" >"$logs/cocci.log" 2>&1 </dev/null || status=$?
	# it fails only if it could not run
	if ((status)) || ! grep -q 'Please check for false positives' "$logs/cocci.log"; then
		printf 'coccicheck\t%s\n' "it could not run, see ${logs#"$TOP/"}/cocci.log"
		return
	fi
	findings cocci "$walk" <"$logs/cocci.log"
}
