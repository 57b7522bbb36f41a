# SPDX-License-Identifier: GPL-2.0
# Found by chaos, SEED=1: a packet for an SA in BEET mode whose selector has no family
# ended in WARN_ON_ONCE() of xfrm_inner_mode_encap_remove().
set -e
ip netns add a
ip netns add b
ip link add ab netns a type veth peer name ba netns b
ip -n a addr add 10.0.0.1/24 dev ab
ip -n b addr add 10.0.0.2/24 dev ba
ip -n a link set ab up
ip -n b link set ba up
sa='src 10.0.0.1 dst 10.0.0.2 proto esp spi 1 mode beet flag af-unspec'
key='rfc4106(gcm(aes)) 0x0123456789abcdef0123456789abcdef01234567 128'
ip -n a xfrm state add $sa aead $key sel src 10.1.0.1 dst 10.1.0.2
ip -n a xfrm policy add src 10.1.0.1 dst 10.1.0.2 dir out tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode beet
ip -n b xfrm state add $sa aead $key
ip -n a addr add 10.1.0.1/32 dev lo
ip -n a route add 10.1.0.2 via 10.0.0.2 src 10.1.0.1
ip netns exec a ping -c 1 -W 1 10.1.0.2 >/dev/null || true
# it came so far
ip netns exec b awk '/XfrmInStateModeError/ { print; exit !$2 }' /proc/net/xfrm_stat
ip netns delete a
ip netns delete b
