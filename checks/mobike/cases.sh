# shellcheck shell=bash disable=SC2034,SC2086,SC2154 # what is set here is lib.sh's
# SPDX-License-Identifier: GPL-2.0
# Sourced by checks/mobike/run: a function for each case, its first line says what it shows.

case_roam() { # all Child SAs follow
	up && same 10.0.1.2
	leave A && same 10.0.2.2
	arrive A 300 && leave B && same 10.0.1.2
}
case_request_lost() { # retransmissions come from the new address
	up
	lose 'iifname toB'
	leave A && sleep 0.7
	lose && same 10.0.2.2
}
case_roam_at_once() { # to B, and to A before the response
	up
	lose 'oifname toB'
	leave A && sleep 0.3
	arrive A 300 && leave B && same 10.0.1.2
	stays 3 10.0.1.2
}
case_client_rekeys() { # the response is lost, the client moves
	up
	lose 'iifname wan'
	rekey client child && sleep 0.3
	leave A && lose
	same 10.0.2.2
	stays 4 10.0.2.2
	logged client 1 'initiator rekeyed Child SA'
}
case_client_rekeys_request_lost() { # the request is lost, the client moves
	up
	lose 'iifname toA'
	rekey client child && sleep 0.3
	leave A && same 10.0.2.2
	stays 4 10.0.2.2
	logged client 1 'initiator rekeyed Child SA'
}
case_client_adds() { # a new Child SA: the request is lost, the client moves
	up
	whack client --terminate --name child2 && sleep 1
	lose 'iifname toA'
	whack client --initiate --name child2 --asynchronous && sleep 0.3
	leave A && same 10.0.2.2
	stays 4 10.0.2.2
	[ "$(grep -c '^sa' "$dir/client.state")" = 4 ] || wrong 'not 4 SAs'
}
case_gateway_rekeys() { # its request is lost, the client moves to behind another NAT
	nat A 40001
	up && same 10.0.1.2 $NAT 40001 udp
	lose 'ip protocol udp oifname toA'
	rekey gateway child && sleep 0.3
	nat B 40002
	leave A && same 10.0.2.2 $NAT 40002 udp
	stays 4 10.0.2.2 $NAT 40002 udp
	logged gateway 1 'initiator rekeyed Child SA'
}
rekeyed_ike() { # HOST LOST: the IKE SA is rekeyed, LOST is lost, the client moves, and again
	nat A 40001
	up && same 10.0.1.2 $NAT 40001 udp
	lose "$2"
	rekey "$1" ike && sleep 0.3
	nat B 40002
	leave A && sleep 1
	lose && same 10.0.2.2 $NAT 40002 udp
	sleep 4 # the old IKE SA is deleted
	arrive A 300 && sleep 0.5
	nat A 40003
	leave B && same 10.0.1.2 $NAT 40003 udp
}
case_client_rekeys_ike() { rekeyed_ike client 'iifname none'; } # MOBIKE is inherited
case_client_rekeys_ike_no_response() { rekeyed_ike client 'iifname wan'; } # while it moves
case_client_rekeys_ike_no_request() { rekeyed_ike client 'iifname toA'; } # while it moves
case_gateway_rekeys_ike() { rekeyed_ike gateway 'iifname none'; } # MOBIKE is inherited
case_gateway_rekeys_ike_moving() { rekeyed_ike gateway 'iifname wan'; } # while the client moves
case_gateway_moves() { # only the initiator may change addresses
	up && ip -n gateway address delete $G/24 dev eth0
	ip -n gateway route add default via $NAT
	stays 4 10.0.1.2
	grep -q 10.0.9.3 "$dir/client.state" "$dir/gateway.state" && wrong 'the SAs have moved'
	logged gateway 0 'MOBIKE update'
}
case_unpatched_gateway_moves() { # and the client does not obey one that does
	gateway=pluto.base
	children=1
	up && ip -n gateway address delete $G/24 dev eth0
	ip -n gateway route add default via $NAT
	sleep 4
	grep -q 10.0.9.3 "$dir/client.state" && wrong "the client's SAs have moved"
	logged client 1 'ignoring MOBIKE UPDATE_SA_ADDRESSES'
}
case_nat_goes() { # and comes back
	nat A 40001
	up && same 10.0.1.2 $NAT 40001 udp
	leave A && same 10.0.2.2 - - esp
	arrive A 300 && sleep 0.5 && forget
	leave B && same 10.0.1.2 $NAT 40001 udp
}
nat_goes_udp() { # an unpatched peer does not stop the encapsulation
	children=1
	nat A 40001
	up && same 10.0.1.2 $NAT 40001 udp
	leave A && same 10.0.2.2 - - udp
	arrive A 300 && sleep 0.5 && forget
	leave B && same 10.0.1.2 $NAT 40001 udp
}
case_nat_goes_unpatched_client() { client=pluto.base && nat_goes_udp; } # ESP stays in UDP
case_nat_goes_unpatched_gateway() { gateway=pluto.base && nat_goes_udp; } # ESP stays in UDP
always_udp() {
	up && same 10.0.1.2 - - udp
	leave A && same 10.0.2.2 - - udp
}
case_encapsulation() { client_lines=encapsulation=yes && always_udp; } # of the client
case_encapsulation_gateway() { gateway_lines=encapsulation=yes && always_udp; } # of the gateway
case_encapsulation_unpatched() { # of an unpatched client, whose payloads are honest later
	client=pluto.base client_lines=encapsulation=yes children=1
	always_udp
}
case_other_path() { # a client behind a NAT answers where the request came from
	client_lines=encapsulation=yes children=1
	up
	ip netns exec router nft -f - <<-END
		table ip path {
			chain postrouting {
				type nat hook postrouting priority srcnat
				iifname wan oifname toA snat to 10.0.9.7
			}
			chain forward {
				type filter hook forward priority filter
				iifname toA ip daddr $G ct direction original drop
			}
		}
	END
	forget
	rekey gateway child && sleep 3
	logged gateway 1 'initiator rekeyed Child SA'
}
without_mobike() { # LINES
	nat A 40001
	up "esp=aes_gcm128,mobike=no${1:+,$1}" && same 10.0.1.2 $NAT 40001 udp
}
case_mapping_request() { # without MOBIKE, a request from another port
	without_mobike
	nat A 40002
	rekey client child && same 10.0.1.2 $NAT 40002 udp
	stays 3 10.0.1.2 $NAT 40002 udp
}
case_mapping_request_elsewhere() { # and to another address of the gateway: not followed
	without_mobike
	nat A 40002
	ip netns exec router nft add table ip to \
		"{ chain prerouting { type nat hook prerouting priority dstnat; ip daddr $G dnat to 10.0.9.3; }; }"
	rekey client child && sleep 3
	logged gateway 0 'success NAT mapping'
}
mapping() { # OLD-PORT NEW-PORT COUNT: the gateway's kernel has noticed it
	local spi
	spi=$(awk '$1 == "sa" && $3 == "'$G'" { print $5; exit }' "$dir/gateway.state")
	echo "mapping $spi $NAT $1 $NAT $2 $3" >"$dir/command"
	mv "$dir/command" "$dir/gateway.command"
}
case_mapping_event() { # of the kernel; and at most once a second
	without_mobike
	mapping 40001 40002 1
	same 10.0.1.2 $NAT 40002 udp
	mapping 40002 40010 1500
	sleep 3
	logged gateway 4 'success NAT mapping'
}
case_mapping_event_mobike() { # not with MOBIKE
	nat A 40001
	up
	mapping 40001 40002 1
	sleep 1.5
	logged gateway 0 'success NAT mapping'
}
case_mapping_event_no_window() { # not without a replay window
	without_mobike replay-window=0
	mapping 40001 40002 1
	sleep 1.5
	logged gateway 0 'success NAT mapping'
}
case_cannot_migrate() { # neither kernel can: one new Child SA
	client_kernel=refuse gateway_kernel=refuse children=1
	up && leave A
	sleep 3
	same 10.0.2.2
	logged client 1 'initiator rekeyed Child SA'
	logged gateway 0 'initiator rekeyed Child SA'
}
case_cannot_migrate_twice() { # the client moves again while the gateway rekeys: one is enough
	gateway_kernel=refuse children=1
	up
	lose "iifname wan $CREATE_CHILD_SA"
	leave A && sleep 1.3
	arrive A 300 && leave B && sleep 2.5
	lose && sleep 3
	same 10.0.1.2
	logged gateway 1 'initiating rekey'
}
case_no_aead() { # Linux 7.2 must not migrate it
	client_kernel=7.2 gateway_kernel=7.2 children=1
	up esp=aes128-sha2_256,mobike=yes
	leave A && sleep 3
	same 10.0.2.2
	grep -q '^migrate' "$dir/client.log" "$dir/gateway.log" && wrong 'an SA was migrated'
	logged client 1 'initiator rekeyed Child SA'
}
case_aead() { # and may migrate this
	client_kernel=7.2 gateway_kernel=7.2
	up && leave A
	same 10.0.2.2
	logged client 0 'initiator rekeyed Child SA'
}
case_selectors() { # 64 pairs do not fit into one write
	local i
	children=1
	for i in 1 2 3 4 5 6 7 8; do
		client_subnets+=${client_subnets:+,}10.1.$i.0/24
		gateway_subnets+=${gateway_subnets:+,}10.2.$i.0/24
	done
	up && leave A
	same 10.0.2.2
	logged client 0 'initiator rekeyed Child SA'
	[ "$(grep -c 'in one write' "$dir/client.log")" = 2 ] || wrong "not two writes: $(xargs <"$dir/client.log")"
}
offloaded() { # DEVICE|-: the client's SAs are there
	[ "$(awk '$1 == "sa" { print $9 }' "$dir/client.state" | sort -u)" = "$1" ] ||
		wrong "not offloaded to $1: $(grep ^sa "$dir/client.state")"
}
case_offload() { # to the new device
	client_lines=nic-offload=crypto offload='linkA linkB'
	up && offloaded linkA
	leave A && same 10.0.2.2
	offloaded linkB
}
case_offload_ends() { # if the new device has none; the next Child SA does without
	client_lines=nic-offload=crypto offload=linkA
	up && offloaded linkA
	leave A && same 10.0.2.2
	offloaded -
	rekey client child && sleep 3
	same 10.0.2.2
	logged client 1 'initiator rekeyed Child SA'
}
