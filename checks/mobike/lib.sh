# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2034,SC2086,SC2154,SC2206 # dir, programs and so on are the run script's
# Sourced by checks/mobike/run: two hosts and a router, a pluto on each host. $dir is the
# case's, $programs has pluto and the programs that talk to it.

G=10.0.9.2	# the gateway; the client is 10.0.1.2 on link A, 10.0.2.2 on B
NAT=10.0.9.1
declare -A pid=()

# --- the network

link() { # ROUTER'S-DEVICE HOST ITS-DEVICE NET
	ip link add "$3" netns "$2" type veth peer name "$1" netns router
	ip -n "$2" link set "$3" up
	ip -n router address add "10.0.$4.1/24" dev "$1"
	ip -n router link set "$1" up
}
build() {
	local ns i
	for ns in client gateway router; do
		ip netns add $ns
		ip -n $ns link set lo up
	done
	ip netns exec router sysctl -qw net.ipv4.ip_forward=1
	link toA client linkA 1
	link toB client linkB 2
	link wan gateway eth0 9
	ip -n gateway address add $G/24 dev eth0
	ip -n gateway address add 10.0.9.3/24 dev eth0
	ip netns exec gateway sysctl -qw net.ipv4.conf.all.promote_secondaries=1
	ip -n gateway route add default via $NAT
	for i in 1 2; do
		ip -n client address add 10.1.0.$i/32 dev lo
		ip -n gateway address add 10.2.0.$i/32 dev lo
	done
	arrive A 100
	arrive B 200
}
net_of() { if [ "$1" = A ]; then echo 1; else echo 2; fi; }
arrive() { # A|B METRIC
	local net
	net=$(net_of "$1")
	ip -n client address add "10.0.$net.2/24" dev "link$1"
	ip -n client route add default via "10.0.$net.1" dev "link$1" src "10.0.$net.2" metric "$2"
}
leave() { # A|B: its address is gone
	local net
	net=$(net_of "$1")
	ip -n client route delete default via "10.0.$net.1" dev "link$1"
	ip -n client address delete "10.0.$net.2/24" dev "link$1"
}
# nat A|B PORT: the router does NAT for that link, and what comes from port 4500 gets PORT
nat() {
	ip netns exec router nft -f - <<-END
		table ip nat {}
		delete table ip nat
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				iifname to$1 oifname wan udp sport 4500 snat to $NAT:$2
				iifname to$1 oifname wan snat to $NAT
			}
		}
	END
	forget
}
forget() { ip netns exec router conntrack -F 2>/dev/null; }
# lose RULE: the router drops what matches; lose: nothing any more
lose() {
	ip netns exec router nft -f - <<-END
		table ip lost {}
		delete table ip lost
		table ip lost {
			chain forward {
				type filter hook forward priority filter
				${1:+$1 drop}
			}
		}
	END
}
CREATE_CHILD_SA='udp dport 500 @th,208,8 36'	# that exchange

# --- the daemons

# config HOST LINES of each conn, with commas
config() {
	local ns=$1 i me other
	{
		echo 'config setup'
		printf '\t%s\n' "logfile=$dir/log.$ns" logtime=yes logappend=no plutodebug=none \
			"secretsfile=$dir/secrets" nssdir=/var/lib/ipsec/nss
		for ((i = 1; i <= children; i++)); do
			me=(left=10.0.1.2 leftid=@client "leftsubnet=${client_subnets:-10.1.0.$i/32}")
			other=(right=$G rightid=@gateway "rightsubnet=${gateway_subnets:-10.2.0.$i/32}")
			if [ "$ns" = gateway ]; then
				me=(left=$G leftid=@gateway "leftsubnet=${gateway_subnets:-10.2.0.$i/32}")
				other=(right=%any rightid=@client "rightsubnet=${client_subnets:-10.1.0.$i/32}")
			fi
			echo "conn child$i"
			# shellcheck disable=SC2086 # a line each
			printf '\t%s\n' authby=secret keyexchange=ikev2 ike=aes_gcm128-sha2_256-dh31 \
				type=tunnel leftupdown=%disabled "${me[@]}" "${other[@]}" ${2//,/ }
		done
	} >"$dir/ipsec.conf.$ns"
	echo '@client @gateway : PSK "as long as it is the same on both sides"' >"$dir/secrets"
	chmod 600 "$dir/secrets"
}
# start HOST PLUTO KERNEL: the names of its sockets and of its programs are built in
start() {
	ip netns exec "$1" unshare --mount bash -c '
		for d in /run /var/lib /usr/libexec; do mount -t tmpfs tmpfs $d; done
		mkdir -p /run/pluto /var/lib/ipsec/nss /usr/libexec/ipsec
		cp "$1/addconn" /usr/libexec/ipsec/
		certutil -N -d sql:/var/lib/ipsec/nss --empty-password
		exec env XFRM="$2" XFRM_KERNEL="$3" LD_PRELOAD="$4" XFRM_OFFLOAD=" $7 " \
			"$1/$5" --config "$6" --nofork' \
		start "$programs" "$dir/$1" "$3" "$work/xfrm.so" "$2" "$dir/ipsec.conf.$1" "$offload" \
		>"$dir/daemon.$1" 2>&1 &
	pid[$1]=$!
}
at() { # HOST PROGRAM ARGUMENT...
	nsenter -t "${pid[$1]}" -n -m "$programs/$2" "${@:3}" >>"$dir/whack.$1" 2>&1
}
whack() { at "$1" whack "${@:2}"; }
rekey() { whack "$1" "--rekey-$2" --name child1 --asynchronous; } # HOST child|ike
ready() { # HOST
	local i
	for ((i = 0; i < 100; i++)); do
		if whack "$1" --briefstatus; then break; fi
		sleep 0.1
	done
	whack "$1" --listen
	for ((i = 1; i <= children; i++)); do
		at "$1" addconn --config "$dir/ipsec.conf.$1" --ctlsocket /run/pluto/pluto.ctl "child$i"
	done
}
# up [LINES]: a tunnel. The case may have set:
children=2 client_subnets='' gateway_subnets='' offload=''
client=pluto client_kernel='' client_lines=''
gateway=pluto gateway_kernel='' gateway_lines=''
up() {
	local i lines=${1:-esp=aes_gcm128,mobike=yes}
	config client "$lines,$client_lines"
	config gateway "$lines,$gateway_lines"
	start gateway "$gateway" "$gateway_kernel"
	start client "$client" "$client_kernel"
	ready gateway
	ready client
	for ((i = 1; i <= children; i++)); do
		whack client --initiate --name "child$i" || wrong "no Child SA $i: $(tail -n 1 "$dir/whack.client")"
	done
}

# --- what became of it

wrong() { echo "WRONG: $*"; }
# same ADDRESS [SEEN PORT] [esp|udp]: at once, or within 15 s
same() {
	local i words
	for ((i = 0; i < 75; i++)); do
		words=$("$here/same" "$dir/client.state" "$dir/gateway.state" "$@" 2>&1)
		[ "$words" ] || return 0
		sleep 0.2
	done
	echo "$words"
}
# stays SECONDS ADDRESS...: the same, and then
stays() { sleep "$1" && "$here/same" "$dir/client.state" "$dir/gateway.state" "${@:2}"; }
# logged HOST N WORDS: N lines
logged() {
	local n
	n=$(grep -c -- "$3" "$dir/log.$1")
	[ "$n" = "$2" ] || wrong "$n lines of the $1's log, not $2: $3"
}
