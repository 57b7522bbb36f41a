# shellcheck shell=bash disable=SC2034 # what is set here is used by the scripts
# SPDX-License-Identifier: GPL-2.0
# Sourced first by every script: where things are, the pins, how we talk.

say() { printf '== %s\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }
# usage: prints what stands at the head of the script, and ends it
usage() { sed -n '3,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[-1]}" && exit; }
# no_arguments WORDS "$@": for a script that takes none but --help
no_arguments() {
	case ${2-} in
	'') ;;
	--help | -h) usage ;;
	*) die "$1" ;;
	esac
}

# A git hook or a developer's shell must not steer git into another repository or
# change what it writes. What says where git's configuration is may stay.
for name in "${!GIT_@}"; do
	case $name in
	GIT_CONFIG_GLOBAL | GIT_CONFIG_SYSTEM | GIT_CONFIG_NOSYSTEM | GIT_TRACE*) ;;
	*) unset "$name" ;;
	esac
done
unset name CDPATH
export LC_ALL=C

TOP=$(cd -P -- "${BASH_SOURCE[0]%/*}/.." && pwd)
# base directory specification: a relative path is to be ignored
case ${XDG_CACHE_HOME-} in
/*) CACHE=$XDG_CACHE_HOME/xfrm-migrate-state ;;
*) CACHE=${HOME:?"set HOME or XDG_CACHE_HOME: the cache has to live somewhere"}/.cache/xfrm-migrate-state ;;
esac
# names this clone's trees in the cache; kbuild wants neither spaces nor colons
CLONE_ID=$(printf %s "$TOP" | sha256sum)
CLONE_ID=${CLONE_ID:0:8}
name=${TOP##*/}
CLONE_ID=${name//[!A-Za-z0-9._]/_}-$CLONE_ID
unset name

# pins: reads base.mk, and for LINUX=6.12 bases/linux-6.12.mk, too. A script that works
# with other bases than that of base.mk, the reference, says `bases=any`; others stop.
pins() {
	# shellcheck source=base.mk
	. "$TOP/base.mk"
	case ${LINUX-} in
	'' | "${LINUX_VERSION%.*}") export LINUX='' && return ;;
	esac
	[[ $LINUX =~ ^[0-9]+\.[0-9]+$ && -r $TOP/bases/linux-$LINUX.mk ]] ||
		die "LINUX=$LINUX: there is no bases/linux-$LINUX.mk, only $(cd "$TOP/bases" 2>/dev/null && echo linux-*.mk)"
	[ "${bases-}" = any ] || die "${0#"$TOP/"} is for the reference base, Linux $LINUX_VERSION: not with LINUX=$LINUX"
	# shellcheck source=bases/linux-6.12.mk
	. "$TOP/bases/linux-$LINUX.mk"
}
pins
# of each base; ip, selftests and initramfs are the same for all
BUILD=$TOP/build${LINUX:+/$LINUX} USERSPACE=$TOP/build

# need TOOL...: installs what is missing, or names it and stops
need() { "$TOP/lab/need" "$@" || exit 1; }

# every SECONDS COMMAND...: COMMAND again and again, until it is killed or the script
# ends. For the background. A process that waits in a builtin leaves no sleep behind
# that holds our output.
every() {
	while ! read -rt "$1" && kill -0 $$; do "${@:2}"; done <> <(:)
}

# The projects that have patches. Commands work on those in EXTRA_PROJECTS only when they are
# named. Each has its directory in patches/ and its pins in base.mk.
EXTRA_PROJECTS=(strongswan libreswan vishvananda-netlink)
ALL_PROJECTS=(linux iproute2 "${EXTRA_PROJECTS[@]}")

is_project() { [[ " ${ALL_PROJECTS[*]} " = *" $1 "* ]]; }

# pin_of NAME: what the names of its pins begin with, as IPROUTE2_DEB of iproute2-deb
pin_of() {
	local name=${1//-/_}
	echo "${name^^}"
}

# tarball_of NAME: the pinned file in the cache, where queue/fetch puts it
tarball_of() {
	local pin file sha
	pin=$(pin_of "$1")
	file=${pin}_FILE sha=${pin}_SHA256
	echo "$CACHE/tarballs/${!sha}/${!file}"
}

# home_of PROJECT: the directory with all trees of this base
home_of() {
	local pin version sha
	is_project "$1" || die "home_of: no project '$1'"
	pin=$(pin_of "$1")
	version=${pin}_VERSION sha=${pin}_SHA256
	echo "$CACHE/$1-${!version}-${!sha:0:8}"
}

# tree_of PROJECT: this clone's tree
# tree_of base: the unpatched Linux tree, shared by all clones (built in, never changed)
tree_of() {
	case $1 in
	base) echo "$(home_of linux)/base" ;;
	*) echo "$(home_of "$1")/$CLONE_ID" ;;
	esac
}

# copy_tree TREE DIR: makes DIR, which has the files of TREE as they are now: work that is
# not committed is in it, what git ignores is not
copy_tree() {
	rm -rf "$2"
	mkdir -p "$2"
	# those that were removed are still in the index
	git -C "$1" ls-files -z --cached --others --exclude-standard |
		tar -c -C "$1" --null --verbatim-files-from --files-from=- --ignore-failed-read --warning=no-failed-read |
		tar -x -C "$2"
}

# reference_tree: the tree of Linux of the reference base, whatever LINUX says
reference_tree() {
	# shellcheck disable=SC2016 # the other shell's
	LINUX='' bash -c '. "$0/lab/lib.sh" && tree_of linux' "$TOP"
}

# uapi_headers: the directory of the patched tree's UAPI headers, which lab/selftests
# installs; the host's know nothing of a new message. Call it as `dir=$(uapi_headers)`.
# They are those of the reference base.
uapi_headers() {
	"$TOP/lab/selftests" >&2 && echo "$(reference_tree)/out-selftests/usr/include"
}

# debian_mirror LABEL [LISTS]: the URI of Debian's archive of that label among the host's
# apt sources, by what the archive's Release file in apt's (or our) lists says of itself
debian_mirror() {
	local label=$1 option=() index uri found=''
	[ $# -eq 1 ] || option=(-o "Dir::State::lists=$2")
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get "${option[@]}" indextargets --no-release-info \
		--format '$(FILENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
		while read -r index uri; do
			if [ -z "$found" ] && grep -qsx "Label: $label" "${index%_main_*}"_{InRelease,Release}; then
				found=$uri
				echo "$uri"
			fi
		done
}

# mirror LABEL: the mirror of Debian to use: $MIRROR, or the one this machine's apt uses.
# LABEL is Debian-Security for the archive of security updates: that which this machine's
# apt uses, or else the one beside the mirror.
# Call it as `uri=$(mirror Debian)`, on a line of its own, so that its failure counts.
mirror() {
	local uri=${MIRROR-} lists=$CACHE/apt/host-lists
	if [ "${1-}" = Debian-Security ]; then
		if [ -z "$uri" ]; then uri=$(debian_mirror Debian-Security); fi
		[ -n "$uri" ] || uri=$(mirror Debian)
		uri=${uri%/}
		case $uri in
		*-security) echo "$uri" ;;
		*) echo "$uri-security" ;;
		esac
		return
	fi
	if [ -z "$uri" ]; then
		need apt-get
		uri=$(debian_mirror Debian)
		if [ -z "$uri" ]; then
			# Containers come without lists: ask for the Release files alone, and
			# keep them apart from the host's.
			mkdir -p "$lists/partial"
			apt_config "$CACHE/apt/host.conf"
			APT_CONFIG=$CACHE/apt/host.conf apt-get -o "Dir::State::lists=$lists" \
				-o Acquire::IndexTargets::deb::Packages::DefaultEnabled=no \
				-o Acquire::IndexTargets::deb-src::Sources::DefaultEnabled=no \
				update >/dev/null 2>&1 || true
			uri=$(debian_mirror Debian "$lists")
		fi
	fi
	# Debian's cloud images name a file with a list of mirrors
	case $uri in
	mirror+file:*) uri=$(awk '/^[^#]/ { print $1; exit }' "${uri#mirror+file:}" 2>/dev/null || true) ;;
	esac
	[ -n "$uri" ] || die "mirror: apt on this machine names no mirror of Debian; set MIRROR= to the URI of one"
	echo "${uri%/}"
}

# debian SUITE TARGET LOG OPTION...: mmdebstrap from our mirror, for amd64. Needs
# mmdebstrap, setsid and debian-keyring.
debian() {
	local uri conf
	uri=$(mirror Debian)
	conf=$(mktemp)
	# how to reach a mirror (proxies and so on) is for the host's apt to say
	apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' >"$conf" || true
	# In a session of its own: when it fails half-way, mmdebstrap hangs up on its whole
	# process group.
	setsid --wait mmdebstrap --quiet --architectures=amd64 --aptopt="$conf" \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg "${@:4}" \
		"$1" "$2" "$uri" >"$3" 2>&1 </dev/null ||
		{
			rm -f "$conf"
			tail -n 5 "$3" >&2
			die "${0##*/}: mmdebstrap failed (MIRROR= names another mirror); log: ${3#"$TOP/"}"
		}
	rm -f "$conf"
}

# debian_packages SUITE PACKAGES FILE.tar LOG: makes FILE.tar of Debian's PACKAGES (with
# commas) and what they depend on, unpacked; their scripts do not run.
debian_packages() {
	local mode=chrootless
	if [ "$(id -u)" = 0 ]; then mode=root; fi
	debian "$1" "$3" "$4" --variant=extract --mode="$mode" --include="$2"
}

# apt_config FILE: makes FILE the configuration of a private apt (APT_CONFIG=FILE).
# How to reach a mirror (proxies and so on) is the host's; its hooks are not run,
# its directories not written to.
apt_config() {
	mkdir -p "$CACHE/apt/lists/partial" "$CACHE/apt/cache/archives/partial"
	: >>"$CACHE/apt/status"
	{
		apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' || true
		cat <<-END
			Dir::Etc::parts "/dev/null";
			Dir::Etc::main "/dev/null";
			Dir::State "$CACHE/apt";
			Dir::State::lists "$CACHE/apt/lists";
			Dir::State::status "$CACHE/apt/status";
			Dir::Cache "$CACHE/apt/cache";
			APT::Sandbox::User "root";
			Acquire::Languages "none";
		END
	} >"$1"
}
