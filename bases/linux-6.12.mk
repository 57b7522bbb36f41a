# SPDX-License-Identifier: GPL-2.0
# LINUX=6.12: Debian 13's kernel. The binary package holds the source as a tarball.
LINUX_VERSION=6.12.118
LINUX_DEBVERSION=6.12.118-1
LINUX_SUITE=trixie-security
LINUX_FILE=linux-source-6.12_6.12.118-1_all.deb
LINUX_SHA256=b75bb2e78a5c7762254e2af7685085c788a67eb342cb4092ad2a05eaf9fc33b7

# what `make deb` builds with: Debian's configurations of this version
LINUX_CONFIG_FILE=linux-config-6.12_6.12.118-1_amd64.deb
LINUX_CONFIG_SHA256=d8154165c97b5e1b249d4a4893d2ac6422cbc3001849b78ebd4fbd2de98272c3
