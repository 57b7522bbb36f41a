# SPDX-License-Identifier: GPL-2.0
# The front door. `make` lists what most people need, `make help-all` the rest. Each
# recipe calls one script, which can as well be run alone and says what it does.
#
# Variables, as in `make kernel DEBUG=1`, reach the script as environment.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# The stages order themselves: each script calls the ones it builds on.
.NOTPARALLEL:

help: ## this list
	@lab/help Makefile
help-all: ## all commands
	@lab/help --all Makefile

##! If you are root on Debian or Ubuntu, these commands install what they need
demo: ##! move live SAs while packets flow, in a guest, and prove it (30 min the first time, then 1)
	@checks/demo/run
check: ##! everything that must hold before a commit (60 min the first time, then 25)
	@checks/run
shell: ##! a prompt in a guest
	@lab/shell
iproute2: ##! build/ip, static (1 min)
	@lab/iproute2
deb: ##! LINUX=6.12: packages for Debian 13 (20 min to hours; FLAVOUR, LOCALMOD, T=part: docs/install.md)
	@lab/deb $(T)
import: ##! make git trees build/linux and build/iproute2 from patches/ (1 min the first time)
	@queue/import
export: ##! write the commits of these trees back to patches/
	@queue/export
kernel: ##! build/kernel/bzImage; BASE=1: unpatched, DEBUG=1: all checks, UM=1: no QEMU (15 min)
	@lab/kernel
test: ##! selftests in a guest: those of lab/expect/tests, or T=name; BASE, DEBUG, UM as above (8 min)
	@checks/selftests/run
docs: ##! build/docs has the API page as HTML and ip-xfrm(8) as text (2 min the first time)
	@checks/docs/render

##: The patch queue (docs/workflow.md)
fetch: ## download the pinned sources; MIRROR=url LINUX_TARBALL=file IPROUTE2_TARBALL=file (1 min)
	@queue/fetch
roundtrip: ## import and export must give the same files, byte for byte
	@queue/roundtrip
sizes: ## how large the patches and series of the kernel are; OLD=rev: those of that revision
	@queue/sizes $(OLD)
rangediff: ## what changed in the series since revision OLD=rev of this repository
	@queue/rangediff
send: ## SERIES=linux-fixes: a dry run of sending a series; checks author, sign-off, numbers, recipients
	@queue/send $(SERIES)
rebase: ## after base.mk names another base: bring the patches of revision OLD=rev to it
	@queue/rebase
carry: ## LINUX=6.12: bring changes of the main series to that base's; T=--check: which patches lag
	@queue/carry $(T)
bisect: ## each patch builds, boots and passes (2 h, what has passed is in results/bisect); T=numbers
	@queue/bisect $(T)
lint: ## what netdev's CI says of each patch, new findings only (1 h); T=numbers, T=series
	@queue/lint $(T)

##: Building
iproute2-matrix: ## gcc and clang, with and without libmnl, foreign kernel headers; no warnings (5 min)
	@lab/iproute2 --matrix
selftests: ## build/selftests, kselftest's runner and tests for the guest (1 min)
	@lab/selftests
rootfs: ## build/initramfs.cpio, the guest without its kernel (1 min the first time)
	@lab/rootfs
htmldocs: ## the series' documentation without new warnings, its C example in a guest (5 min)
	@checks/docs/htmldocs && checks/docs/run --guest
configs: ## options off that the series has code for, m68k, arm, s390x, ppc64: no warnings, and boots (20 min); T=--each: each patch (2 h)
	@checks/configs/run $(or $(T),--boot)

##: Proving
interop: ## strongSwan and libreswan roam; UM=1, T="scenario..." (checks/interop/README.md; 30 min)
	@checks/interop/run
mobike: ## two patched plutos, with a library that plays the kernel; T="case..." (checks/mobike/README.md; 3 min)
	@checks/mobike/run
pluto-tests: ## libreswan's own tests of patches/libreswan, in a guest; PLUTO=base: without the patches (3 min)
	@checks/pluto-tests/run
netlink-go: ## the Go library vishvananda/netlink with XfrmStateMigrate, its tests in a guest; BASE=1, UM=1 (3 min); T=--each: each patch
	@checks/netlink-go/run $(T)
bench: ## cost and losses: ours, the base, upstream; QUICK=1 (checks/bench/README.md; 40 min)
	@checks/bench/run
figures: ## results/*.svg and the pages with them, of the measured data in results/*.tsv (seconds)
	@checks/lib/figures
mutants: ## the series broken on purpose, one line at a time: which test notices (30 min)
	@checks/mutants/run
ip-mutants: ## the same for ip xfrm state migrate and its tests (20 min)
	@checks/ip/mutants
netlink-go-mutants: ## the same for the Go library and its tests; UM=1 (15 min)
	@checks/netlink-go/mutants
ip-kernels: ## does our ip tell which of three kernels lack the message? (3 min)
	@checks/ip/kernels
system: ## as root, in a virtual machine: install the packages of make deb, roam, go back (6 min)
	@checks/system/run
check-bases: ## the selftests on the kernels of bases/, with their patches; UM=1, DEBUG=1 (20 min each); T=6.12
	@checks/bases/run $(T)
compare-base: ## the kernel's own selftests of xfrm, base against patched, as a table (35 to 60 min); T=names
	@checks/compare-base/run $(T)
fuzz: ## SECS=n [SEED=n]: the message among all others against a model, then chaos, DEBUG=1 kernel (6 min)
	@checks/fuzz/run
fault: ## each allocation of a migration fails once, for each kind of SA; DEBUG=1 kernel (10 min)
	@checks/fault/run
stress: ## SECS=n SAS=n: packets, migrations, deletes, dumps, 100,000 SAs, all at once; DEBUG=1 (8 min)
	@checks/stress/run
coverage: ## SECS=n: which lines and branches of the series its tests reach, all the others by name (15 min)
	@checks/coverage/run
kcsan: ## SECS=n: data races of the series, under load and chaos; a kernel of its own (20 min the first time)
	@checks/kcsan/run
bigendian: ## the selftests of the message on an emulated s390x; T=names (10 min the first time, then 2)
	@checks/bigendian/run $(T)

##: The lab's own tests, and housekeeping
judge-tests: ## the golden cases of the judge that reads the guests' logs (seconds)
	@tests/judge/run
lint-tests: ## faults planted in patches, each of which lint has to find (5 min)
	@tests/lint/run
clean: ## remove build/; trees with work in them, downloads and the compiler cache stay
	@lab/clean

.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' Makefile)
