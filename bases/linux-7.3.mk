# SPDX-License-Identifier: GPL-2.0
# LINUX=7.3: Debian's backports and sid. The binary package holds the source as a tarball.
LINUX_VERSION=7.3.4
LINUX_DEBVERSION=7.3.4-1~bpo13+1
LINUX_SUITE=trixie-backports
LINUX_FILE=linux-source-7.3_7.3.4-1~bpo13+1_all.deb
LINUX_SHA256=703e369ddd4cce971452f5a593ee55df3a5c10c83caf0fa0df039633ed181ee3
