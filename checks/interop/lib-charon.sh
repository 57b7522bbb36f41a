# shellcheck shell=bash disable=SC2004,SC2154 # dir, run and so on are the scenario's
# SPDX-License-Identifier: GPL-2.0
# Sourced by checks/interop/guest: how it configures strongSwan's charon and talks to it.

config() { # HOST
	local ns=$1 best=no i
	[ "$event" != address_added ] || best=yes
	cat >"$dir/strongswan.conf.$ns" <<-END
		charon {
			load = random nonce openssl kernel-netlink socket-default vici
			# a host prefers the path that its routes do
			prefer_best_path = $best
			plugins {
				vici {
					socket = unix://$run/vici.$ns
				}
			}
			filelog {
				log {
					path = $dir/log.$ns
					time_format = %T
					time_add_ms = yes
					flush_line = yes
					default = 1
					knl = 2
				}
			}
		}
		swanctl {
			load = random nonce openssl
		}
	END
	mkdir -p "$run/swanctl.$ns"
	{
		local conn='' child='' option
		for option in ${options//,/ }; do
			case $option in
			conn:*) conn+=${option#conn:}$'\n' ;;
			lab:*) ;;
			start_action=*) [ "$ns" = gateway ] || child+=$option$'\n' ;;
			*) child+=$option$'\n' ;;
			esac
		done
		[[ $child = *esp_proposals=* ]] || child+=$'esp_proposals=aes128gcm16\n'
		echo 'connections {'
		echo 'roam {'
		echo 'version=2'
		echo 'proposals=aes128gcm16-prfsha256-x25519'
		[ "$ns" = gateway ] || echo "remote_addrs=$gateway"
		printf '%s' "$conn"
		case $ns in
		client) echo 'local { auth=psk, id=client }' 'remote { auth=psk, id=gateway }' | tr , '\n' ;;
		gateway) echo 'local { auth=psk, id=gateway }' 'remote { auth=psk, id=client }' | tr , '\n' ;;
		esac | sed 's/[{}]/\n&\n/g'
		echo 'children {'
		for ((i = 1; i <= children; i++)); do
			echo "child$i {"
			echo "mode=$mode"
			[ "$mode" = transport ] || printf '%s\n' "local_ts=$(protected "$ns" $i)" "remote_ts=$(protected "$(other "$ns")" $i)"
			printf '%s' "$child"
			echo '}'
		done
		echo '}'
		echo '}'
		echo '}'
		echo 'secrets {'
		echo 'ike-1 {'
		echo 'secret="as long as it is the same"'
		echo '}'
		echo '}'
	} >"$run/swanctl.$ns/swanctl.conf"
	cp "$run/swanctl.$ns/swanctl.conf" "$dir/swanctl.conf.$ns"
}
swanctl() { # HOST ARG...
	local ns=$1
	shift
	STRONGSWAN_CONF=$dir/strongswan.conf.$ns SWANCTL_DIR=$run/swanctl.$ns \
		ip netns exec "$ns" swanctl "$@" --uri "unix://$run/vici.$ns" >>"$dir/swanctl.$ns" 2>&1
}
start() { # HOST told|plain|probing
	local ns=$1
	STRONGSWAN_CONF=$dir/strongswan.conf.$ns ip netns exec "$ns" "$here/charon" "$2" "$dir/uname.$ns" >"$dir/daemon.$ns" 2>&1 &
	pid[$ns]=$!
}
# Afterwards nobody stands between the daemon and the kernel (see checks/interop/charon).
untell() { # PID
	local tracer
	tracer=$(awk '/^TracerPid/ { print $2 }' "/proc/$1/status")
	((tracer)) || return 0
	kill -TERM "$tracer"
	poll 10 untraced "$1" || { echo "checks/interop/guest: strace does not let go of charon" && return 1; }
}
untraced() { grep -q '^TracerPid:[[:space:]]*0$' "/proc/$1/status"; }
ready() { # HOST
	poll 60 test -S "$run/vici.$1" || { echo "no charon on $1: $(tail -n 3 "$dir/daemon.$1")" && return 1; }
	untell "${pid[$1]}" || return
	swanctl "$1" --load-all
}
connect() { # CHILD
	swanctl client --initiate --child "child$1" --timeout 30 ||
		{ echo "no CHILD_SA: $(tail -n 3 "$dir/swanctl.client")" >>"$dir/wrong" && return 1; }
}
