# shellcheck shell=bash disable=SC2004,SC2154 # dir, run and so on are the scenario's
# SPDX-License-Identifier: GPL-2.0
# Sourced by checks/interop/guest: how it configures libreswan's pluto and talks to it.

config() { # HOST
	local ns=$1 i option setup='' conn=$'esp=aes_gcm128\nmobike=yes\n'
	for option in ${options//,/ }; do
		# the last word on a keyword must be its only one
		case $option in
		lab:*) continue ;;
		setup:*) setup+=$'\t'${option#setup:}$'\n' && continue ;;
		esp=* | mobike=*) conn=$(sed "/^${option%%=*}=/d" <<<"$conn")$'\n' ;;
		esac
		conn+=$option$'\n'
	done
	{
		echo 'config setup'
		printf '\t%s\n' "logfile=$dir/log.$ns" logtime=yes logappend=no plutodebug=none \
			"secretsfile=$run/secrets" nssdir=/var/lib/ipsec/nss
		# Debian's waits for a name server, and there is none. Ours is built without DNSSEC.
		[ "$(kind "$ns")" = newpluto ] || printf '\tdnssec-enable=no\n'
		printf '%s' "$setup"
		for ((i = 1; i <= children; i++)); do
			echo "conn child$i"
			# shellcheck disable=SC2086 # a line each
			printf '\t%s\n' authby=secret keyexchange=ikev2 ike=aes_gcm128-sha2_256-dh31 "type=$mode" \
				"left=$(outside "$ns")" "leftid=@$ns" "leftsubnet=$(protected "$ns" $i)" \
				"right=$(outside "$(other "$ns")" "$ns")" "rightid=@$(other "$ns")" "rightsubnet=$(protected "$(other "$ns")" $i)" $conn
		done
	} >"$dir/ipsec.conf.$ns"
	echo '@client @gateway : PSK "as long as it is the same on both sides"' >"$run/secrets"
	chmod 600 "$run/secrets"
}
# outside HOST [FOR]: its address, as it stands in the configuration of FOR
outside() {
	case $1${2-}$outer in
	clientgateway*) echo %any ;;
	client6) echo fd00:1::2 ;;
	client*) echo 10.0.1.2 ;;
	gatewayclient*) if [[ $options = *lab:gateway-nat* ]]; then echo "$PUBLIC"; else echo "$gateway"; fi ;;
	gateway*) echo "$gateway" ;;
	esac
}
start() { # HOST pluto|newpluto
	ip netns exec "$1" "$here/pluto" "$2" "$dir/ipsec.conf.$1" >"$dir/daemon.$1" 2>&1 &
	pid[$1]=$!
}
# at HOST COMMAND...: in the namespaces of its daemon: its sockets are in a mount of its own
at() {
	local ns=$1
	shift
	nsenter -t "${pid[$ns]}" -n -m "$@" >>"$dir/whack.$ns" 2>&1
}
# it does, or it never will
answers() { # HOST
	at "$1" ipsec whack --briefstatus || ! kill -0 "${pid[$1]}" 2>/dev/null
}
ready() { # HOST
	local i
	if ! poll 60 answers "$1" || ! kill -0 "${pid[$1]}"; then
		echo "no pluto on $1: $(tail -n 3 "$dir/daemon.$1")"
		return 1
	fi
	at "$1" ipsec whack --listen
	for ((i = 1; i <= children; i++)); do
		at "$1" ipsec addconn --config "$dir/ipsec.conf.$1" "child$i" || { echo "no connection on $1: $(tail -n 3 "$dir/whack.$1")" && return 1; }
	done
}
connect() { # CHILD
	at client timeout 60 ipsec up "child$1" ||
		{ echo "no Child SA: $(tail -n 3 "$dir/whack.client")" >>"$dir/wrong" && return 1; }
}
# renew CHILD [ike]: the client makes new SAs for it, or a new IKE SA for its connection; the
# old ones are there for a second more
renew() {
	at client timeout 60 ipsec whack "--rekey-${2-child}" --name "child$1" ||
		{ echo "no rekeying: $(tail -n 3 "$dir/whack.client")" >>"$dir/wrong" && return 1; }
}
# rekey CHILD: the same, until only the new ones are there
rekey() {
	local old
	old=$(spis client)
	renew "$1" || return
	poll 20 rekeyed || { echo "the old SAs do not go" >>"$dir/wrong" && return 1; }
}
rekeyed() {
	local new
	new=$(spis client)
	[ "$(wc -l <<<"$new")" = "$(wc -l <<<"$old")" ] && ! comm -12 <(echo "$old") <(echo "$new") | grep -q .
}
