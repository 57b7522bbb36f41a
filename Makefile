# SPDX-License-Identifier: GPL-2.0
# The front door. `make` lists what there is; each recipe calls one script, which
# can as well be run alone and says what it does.
#
# Variables, as in `make kernel DEBUG=1`, reach the script as environment.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# The stages order themselves: each script calls the ones it builds on.
.NOTPARALLEL:

help: ## this list
	@scripts/help Makefile

##: The two that matter; on a fresh Debian or Ubuntu machine, as root, they install what they need
demo: ## move live SAs while packets flow, in a guest, and prove it (20 min the first time, then 2)
	@demo/run
check: ## everything that must hold before a commit (35 min the first time, then 15)
	@scripts/check

##: The patch queue (docs/workflow.md)
fetch: ## download the pinned sources; MIRROR=url LINUX_TARBALL=file IPROUTE2_TARBALL=file (1 min)
	@scripts/fetch
import: ## make git trees build/linux and build/iproute2 from patches/ (1 min the first time)
	@scripts/import
export: ## write the commits of these trees back to patches/
	@scripts/export
roundtrip: ## import and export must give the same files, byte for byte
	@scripts/roundtrip
sizes: ## how large the patches and series of the kernel are; OLD=rev: those of that revision
	@scripts/sizes $(OLD)
rangediff: ## what changed in the series since revision OLD=rev of this repository
	@scripts/rangediff
send: ## SERIES=linux-fixes: a dry run of sending a series; checks author, sign-off, numbers, recipients
	@scripts/send $(SERIES)
rebase: ## after base.mk names another base: bring the patches of revision OLD=rev to it
	@scripts/rebase

##: The patches as others will look at them
lint: ## what netdev's CI says of each patch, new findings only (1 h); T=numbers, T=series
	@scripts/lint $(T)
lint-tests: ## faults planted in patches, each of which lint has to find (5 min)
	@tests/lint/run
configs: ## options off that the series has code for, m68k, arm, s390x, ppc64: no warnings, and boots (20 min); T=--each: each patch (2 h)
	@scripts/configs $(or $(T),--boot)
docs: ## what users read: build/docs has the API page as HTML and ip-xfrm(8) as text (seconds)
	@scripts/docs
htmldocs: ## the series' documentation without new warnings, its C example in a guest (5 min)
	@scripts/htmldocs && tests/docs/run --guest

##: Building
kernel: ## build/kernel/bzImage; BASE=1 unpatched, DEBUG=1 with all checks on, UM=1 as a program (15 min the first time)
	@scripts/kernel
iproute2: ## build/ip, static (1 min)
	@scripts/iproute2
iproute2-matrix: ## gcc and clang, with and without libmnl, foreign kernel headers; no warnings (5 min)
	@scripts/iproute2 --matrix
selftests: ## build/selftests, kselftest's runner and tests for the guest (1 min)
	@scripts/selftests
rootfs: ## build/initramfs.cpio, the guest without its kernel (1 min the first time)
	@scripts/rootfs

##: Running
test: ## selftests in a guest: all that policy/tests lists, or T=name; BASE=1, DEBUG=1, UM=1 as above
	@scripts/test
interop: ## strongSwan roams, on the base and on our kernel; T="scenario..." (interop/README.md; 20 min)
	@interop/run
shell: ## a prompt in a guest
	@scripts/shell
bench: ## what a migration costs and interrupts, ours and the base; QUICK=1: 4 min (bench/README.md; 25 min)
	@bench/run
mutants: ## the series broken on purpose, one line at a time: which test notices (40 min)
	@scripts/mutants
ip-mutants: ## the same for ip xfrm state migrate and its tests (20 min)
	@tests/ip/mutants
ip-kernels: ## one ip on our kernel, the base and Debian's: which of them it says cannot migrate (3 min)
	@tests/ip/kernels
bisect: ## each patch builds, boots and passes (2 h, what has passed is in results/bisect); T=numbers
	@scripts/bisect $(T)
sidebyside: ## the kernel's own selftests of xfrm, base against patched, as a table (35 to 60 min); T=names
	@scripts/sidebyside $(T)
fuzz: ## SECS=n [SEED=n]: the message among all others against a model, then chaos, DEBUG=1 kernel (6 min)
	@scripts/fuzz
fault: ## each allocation of a migration fails once, for each kind of SA; DEBUG=1 kernel (10 min)
	@scripts/fault
stress: ## SECS=n SAS=n: packets, migrations, deletes, dumps, 100,000 SAs, all at once; DEBUG=1 (8 min)
	@scripts/stress
coverage: ## SECS=n: which lines and branches of the series its tests reach, all the others by name (15 min)
	@scripts/coverage
kcsan: ## SECS=n: data races of the series, under load and chaos; a kernel of its own (20 min the first time)
	@scripts/kcsan
bigendian: ## the selftests of the message on an emulated s390x; T=names (10 min the first time, then 2)
	@scripts/bigendian $(T)
judge-tests: ## the golden cases of the judge that reads the guests' logs (seconds)
	@tests/judge/run

##: Housekeeping
clean: ## remove build/; trees with work in them, downloads and the compiler cache stay
	@scripts/clean

.PHONY: docs send help demo check fetch import export roundtrip sizes rangediff rebase kernel iproute2 \
	iproute2-matrix selftests rootfs test bench mutants ip-mutants ip-kernels fuzz fault stress \
	coverage kcsan bigendian interop \
	shell lint lint-tests configs htmldocs bisect sidebyside judge-tests clean
