# The pins. Read by make and by the shell: NAME=value, no spaces.
LINUX_VERSION=7.1.13
LINUX_DEBVERSION=7.1.13-1~bpo13+1
LINUX_SUITE=trixie-backports
LINUX_FILE=linux_7.1.13.orig.tar.xz
LINUX_SHA256=25f65727fb83a4fa90d18ec1449bd99db93ad54faceacab821c38f19431940c2

IPROUTE2_VERSION=7.2.0
IPROUTE2_DEBVERSION=7.2.0-1
IPROUTE2_SUITE=forky
IPROUTE2_FILE=iproute2_7.2.0.orig.tar.xz
IPROUTE2_SHA256=4c2fa124c2cf0afd7ca34d1eeacba6ba048a56f6374e2aab93dafbdbd4eea9c0

GUEST_SUITE=trixie
