# SPDX-License-Identifier: GPL-2.0
"""What lab/boot adds to an initramfs: init's variables, COMMAND, modules."""
import os
import re
import shlex
import shutil
import struct
import subprocess
import tempfile

# What networking and the lab need of a distribution's modules (from Debian's cloud
# kernel 40 of 90 MB)
WANTED = re.compile(
    r"kernel/(net|crypto|lib|arch/x86/crypto|fs/(fuse|9p)"
    r"|drivers/(virtio|char/(hw_random/)?virtio|net/([^/]*\.ko|(bonding|team|vxlan|wireguard|ipvlan|netdevsim)/)))")


def kernel_release(kernel):
    """The version in an x86 kernel's header; ValueError if it has none"""
    with open(kernel, "rb") as f:
        head = f.read(528)
        if len(head) < 528 or head[514:518] != b"HdrS":
            raise ValueError(kernel)
        f.seek(struct.unpack_from("<H", head, 526)[0] + 512)
        return re.split(rb"[ \0]", f.read(100), maxsplit=1)[0].decode()


def write_run(path, variables, command):
    """For lab/guest/init to source. COMMAND may be any bytes."""
    words = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    script = " ".join(words) + "\nset -- " + " ".join(shlex.quote(word) for word in command) + "\n"
    with open(path, "wb") as f:
        f.write(os.fsencode(script))


def needed_modules(lines):
    """A line of modules.dep: a module, a colon, all modules it needs."""
    names = set()
    for line in lines:
        if WANTED.match(line):
            names.update(line.replace(":", " ", 1).split())
    return names


def find_modules(modules, release):
    """The directory of this release's modules; LookupError if there is none"""
    for place in f"{modules}/lib/modules/{release}", f"{modules}/usr/lib/modules/{release}", \
            f"{modules}/{release}", modules:
        place = os.path.realpath(place)
        if os.path.basename(place) == release and os.path.isdir(f"{place}/kernel"):
            return place
    raise LookupError(release)


def pack_modules(run, modules, release):
    """Copies the modules that are wanted, and those that they need, to RUN/lab/modules."""
    source = find_modules(modules, release)
    # an unpacked package has no modules.dep yet, and not all that depmod looks for
    tree = f"{run}/lib/modules/{release}"
    os.makedirs(tree)
    subprocess.run(["cp", "-as", f"{source}/kernel", tree], check=True)
    for name in "modules.order", "modules.builtin", "modules.builtin.modinfo":
        if os.path.exists(f"{source}/{name}"):
            os.symlink(f"{source}/{name}", f"{tree}/{name}")
        else:
            open(f"{tree}/{name}", "wb").close()
    # root's programs are not in everybody's PATH
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    subprocess.run(["depmod", "-b", run, release], check=True, env=os.environ | {"PATH": path})
    with open(f"{tree}/modules.dep", encoding="utf-8") as f:
        names = needed_modules(f)
    names.update(name for name in os.listdir(tree) if name.startswith("modules."))
    for name in names:
        to = f"{run}/lab/modules/{release}/{name}"
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(f"{tree}/{name}", to)


def append(initrd, run, directory):
    """INITRD with DIRECTORY of RUN behind it: an open file without a name. Archives may
    follow one another, each from a multiple of four bytes."""
    names = [os.path.relpath(os.path.join(place, name), run)
             for place, dirs, files in os.walk(f"{run}/{directory}") for name in ["", *dirs, *files]]
    names = sorted({os.path.normpath(name) for name in names})
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=run, check=True,
                             input="\n".join(names).encode(), stdout=subprocess.PIPE).stdout
    out = tempfile.TemporaryFile(dir=run)
    with open(initrd, "rb") as f:
        shutil.copyfileobj(f, out)
    out.write(bytes(-out.tell() & 3) + archive)
    out.flush()
    out.seek(0)
    return out
