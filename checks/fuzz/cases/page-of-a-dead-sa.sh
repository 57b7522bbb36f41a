# SPDX-License-Identifier: GPL-2.0
# The page that an SA takes its trailers from, up to 32 kB, once stayed with the dead SA
# that lends its transform: memory of a gateway, gone for as long as the SAs live. Packets
# in pages (sendfile), for the others have room for a trailer.
set -e
ip netns add page-a
ip netns add page-b
trap 'ip netns delete page-a; ip netns delete page-b' EXIT
ip link add v0 netns page-a type veth peer name v0 netns page-b
ip -n page-a address add 10.0.1.1/24 dev v0
ip -n page-b address add 10.0.1.2/24 dev v0
ip -n page-a link set v0 up
ip -n page-b link set v0 up
ip netns exec page-a python3 - <<'END'
import os, socket, subprocess, sys, time

SAS = 200
ends = "src 10.0.1.1 dst 10.0.1.2"


def ip(lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), check=True)


def free():  # kB
    time.sleep(4)  # dead SAs go after a grace period
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")
    with open("/proc/vmstat") as file:
        return 4 * int(next(line for line in file if line.startswith("nr_free_pages ")).split()[1])


def send():
    with open("/tmp/data", "rb") as file:
        for i in range(1, SAS + 1):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("10.0.1.2", 5000 + i))
                os.sendfile(s.fileno(), file.fileno(), 0, 1000)


with open("/tmp/data", "w") as file:
    file.write("x" * 1000)
ip(f"xfrm state add {ends} proto esp spi {0x1000 + i} reqid {i} mode transport aead rfc4106(gcm(aes)) 0x{'11' * 20} 128" for i in range(1, SAS + 1))
ip(f"xfrm policy add {ends} proto udp dport {5000 + i} dir out tmpl {ends} proto esp reqid {i} mode transport" for i in range(1, SAS + 1))
seen = [free()]
send()
seen.append(free())
ip(f"xfrm state migrate {ends} proto esp spi {0x1000 + i} new-src 10.0.1.1" for i in range(1, SAS + 1))
# not what the requests took: KASAN keeps what is freed for a while
seen.append(free())
send()
seen.append(free())
pages, more = seen[0] - seen[1], seen[2] - seen[3]
print(f"{pages} kB for the packets before the migration, {more} kB more for those after it", file=sys.stderr)
if pages < 8 * SAS:
    sys.exit("the packets took no pages, so this shows nothing")
if more > pages / 2:
    sys.exit("the dead SAs keep theirs")
END
