# shellcheck shell=bash disable=SC2034 # what is set here is used by the scripts
# SPDX-License-Identifier: GPL-2.0
# Sourced after lib.sh by the scripts that boot: which kernel, where the logs go.

# kernel_of BASE DEBUG UM: the kernel that these variables ask for, in build/
kernel_of() {
	local base=${1#0} debug=${2#0} um=${3#0} image=bzImage
	[[ ! $um ]] || image=linux
	printf '%s\n' "$BUILD/kernel${base:+-base}${debug:+-debug}${um:+-um}/$image"
}

# log_dir NAME: makes build/logs/NAME-TIME-PID and prints it; of those with the same
# name the last 20 are kept
log_dir() {
	local dir
	dir=$BUILD/logs/$1-$(date +%Y%m%d-%H%M%S)-$$
	mkdir -p "$dir"
	find "$BUILD/logs" -mindepth 1 -maxdepth 1 -type d -name "$1-*" -printf '%T@ %p\0' |
		sort -znr | tail -zn +21 | cut -zd' ' -f2- | xargs -0r rm -rf
	printf '%s\n' "$dir"
}
