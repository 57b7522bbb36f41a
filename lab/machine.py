# SPDX-License-Identifier: GPL-2.0
"""The guest as lab/boot starts it: files, share, QEMU or ARCH=um, and what init says."""
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import termios
import time

import initramfs

HERE = os.path.dirname(os.path.realpath(__file__))
# la57=off: early on the kernel forgets for a moment what its CPU can do, and KASAN
# then takes each address of five-level paging for a wild one if an interrupt comes
# just then
MACHINES = {
    "icount": "-accel tcg,thread=single -cpu max,la57=off -icount shift=0,sleep=off",
    "tcg": "-accel tcg,thread=multi -cpu max,la57=off",
    "kvm": "-accel kvm -cpu host",
}
# seconds for the guest's way up, and down
WAY = {"icount": 300, "tcg": 300, "kvm": 60, "um": 60}
# no_timer_check: on a busy host the kernel may not see enough emulated ticks in time,
# and panics over it. unknown_nmi_panic: lab/boot sends an NMI. tsc=nowatchdog: with one
# CPU in stop_machine(), and the host busy, the watchdog of the other waits for it over
# and over, and the guest never gets past its first change of the clock.
COMMAND_LINE = ("console=ttyS0 earlyprintk=serial panic=-1 oops=panic unknown_nmi_panic no_timer_check"
                " tsc=nowatchdog printk.devkmsg=on rdinit=/lab/init")
UM_COMMAND_LINE = "panic=-1 oops=panic printk.devkmsg=on rdinit=/lab/init"


class Failed(Exception):
    """There is no verdict, and the message says why."""


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def tool(*command, **kwargs):
    """What a command prints; if it fails, it has said why."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **kwargs)
    if done.returncode:
        sys.exit(125)
    return done.stdout.rstrip("\n")


def first_line(path, pattern):
    """The first line that the pattern matches, or None"""
    with open(path, encoding="utf-8", errors="replace") as f:
        return next((line.rstrip() for line in f if re.search(pattern, line)), None)


def last_line(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return (f.read().splitlines() or [""])[-1]


class Machine:
    """A kernel that runs in QEMU, or as a process, and what it needs beside it"""

    def __init__(self, args, log):
        self.args = args
        self.log = log
        self.processes = []
        self.viewer = None
        self.terminal = termios.tcgetattr(0) if os.isatty(0) else None
        self.run = os.path.realpath(tempfile.mkdtemp(prefix="boot."))
        # The older virtiofsd takes a lock named after its socket, and leaves it behind.
        self.socket = os.path.basename(self.run) + ".sock"

    def path(self, name):
        return os.path.join(self.log, name)

    def start(self, *command, **kwargs):
        # What we have started ends with us, even by SIGKILL.
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=self.run, **kwargs)
        self.processes.append(process)
        return process

    def tidy(self):
        """No file stays, whatever becomes of us."""
        shutil.rmtree(self.run, ignore_errors=True)
        try:
            os.unlink(f"/var/run/virtiofsd/{self.socket}.pid")
        except OSError:
            pass  # an ordinary user's has none

    def end(self):
        for process in reversed(self.processes):
            process.kill()
        for process in self.processes:
            process.wait()
        if self.viewer:
            self.viewer.wait()
        if self.terminal:
            termios.tcsetattr(0, termios.TCSANOW, self.terminal)
        self.tidy()

    # How the share gets there: virtiofs, which Debian's cloud kernels have too; 9p where
    # there is no virtiofsd (a package of its own since Debian 13) or it does not start.

    def start_virtiofsd(self):
        share = self.args.share
        program = "/usr/libexec/virtiofsd"
        # no cache in the guest: what the host writes is there at once
        options = [f"--socket-path={self.socket}", f"--shared-dir={share}", "--cache=never", "--log-level=warn"]
        if not os.access(program, os.X_OK):
            # the older one, part of QEMU until 8, is for root only
            program = "/usr/lib/qemu/virtiofsd"
            if not os.access(program, os.X_OK) or os.getuid() != 0:
                return False
            source = share.replace(",", "\\,")
            options = [f"--socket-path={self.socket}", "-f", "-o", f"source={source}", "-o", "cache=none",
                       "-o", "log_level=warn"]
        with open(self.path("virtiofsd.log"), "wb") as log:
            daemon = self.start(program, *options, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not os.path.exists(f"{self.run}/{self.socket}"):
            if daemon.poll() is not None:
                self.processes.remove(daemon)
                say(f"{program} does not start ({last_line(self.path('virtiofsd.log'))}); the share goes by 9p")
                return False
            time.sleep(0.02)
        return True

    def share(self):
        """The file system of the share, and QEMU's device for it"""
        if not self.args.share:
            return "", []
        if self.args.um:
            return "hostfs", []
        if self.start_virtiofsd():
            # the daemon must see the guest's memory
            return "virtiofs", [
                "-object", f"memory-backend-memfd,id=mem,size={self.args.mem},share=on",
                "-machine", "memory-backend=mem", "-chardev", f"socket,id=share,path={self.socket}",
                "-device", "vhost-user-fs-pci,chardev=share,tag=share"]
        path = self.args.share.replace(",", ",,")
        return "9p", ["-virtfs", f"local,path={path},mount_tag=share,security_model=none,multidevs=remap"]

    def pack(self, share):
        """The initramfs with init, COMMAND and modules, as an open file without a name"""
        args = self.args
        variables = {"um": "1" if args.um else "", "share": share, "share_from": args.share or ""}
        if args.shell:
            columns, rows = os.get_terminal_size(0)
            variables |= {"term": os.environ.get("TERM", "linux"), "size": f"rows {rows} cols {columns}"}
        lab = os.path.join(self.run, "lab")
        os.mkdir(lab)
        initramfs.write_run(f"{lab}/run", variables, args.command)
        shutil.copy(f"{HERE}/guest/init", f"{lab}/init")
        os.chmod(f"{lab}/init", 0o755)
        if args.modules:
            tool(f"{HERE}/need", "depmod")
            try:
                initramfs.pack_modules(self.run, args.modules, self.release)
            except LookupError:
                raise Failed(f"--modules {args.modules}: no modules of {self.release} there,"
                             f" which {args.kernel} is") from None
        try:
            return initramfs.append(args.initrd, self.run, "lab")
        except OSError as e:
            raise Failed(f"cannot write the initramfs in {self.run}: {e.strerror}") from e

    def boot(self):
        """Starts the kernel. It writes what init says to self.words, reads QEMU's commands
        from self.monitor and ends both when it ends."""
        args = self.args
        if args.um:
            self.release = tool(args.kernel, "--version")
        else:
            try:
                self.release = initramfs.kernel_release(args.kernel)
            except ValueError:
                raise Failed(f"{args.kernel}: not an x86 kernel image (bzImage)") from None
        share, device = self.share()
        initrd = self.pack(share)
        self.accel = "icount" if args.icount else "um" if args.um else tool(f"{HERE}/accel", args.kernel)
        self.way = WAY[self.accel]
        say(f"boot {self.release} ({self.accel}, {args.cpus} CPUs, {args.mem}), logs in {self.log}")

        # The kernel alone has the other end, so that its end is the end of what we read.
        self.words, words = os.pipe()
        os.set_blocking(self.words, False)
        self.said = b""
        with initrd:
            (self.start_um if args.um else self.start_qemu)(initrd.fileno(), words, device)
        os.close(words)
        if not args.shell:
            self.viewer = subprocess.Popen(["tail", "-c", "+1", "-s", "0.1", f"--pid={self.kernel.pid}", "-f",
                                            self.path("output.log")])

    def start_um(self, initrd, words, _):
        args = self.args
        open(self.path("qemu.log"), "wb").close()
        with open(self.path("console.log"), "ab") as console, open(self.path("output.log"), "ab") as output:
            # noreboot: on a panic it ends, by SIGABRT
            self.kernel = self.start(
                args.kernel, f"mem={args.mem}", "seccomp=on", f"ncpus={args.cpus}", "noreboot",
                f"initrd=/dev/fd/{initrd}", "con=null", f"con0=null,fd:{console.fileno()}",
                f"con1=null,fd:{words}", f"con2=null,fd:{output.fileno()}",
                *UM_COMMAND_LINE.split(), *args.append.split(),
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                pass_fds=(initrd, console.fileno(), words, output.fileno()))
        self.monitor = None

    def start_qemu(self, initrd, words, device):
        args = self.args
        log = self.log.replace(",", ",,")
        open(self.path("output.log"), "ab").close()
        with open(self.path("qemu.log"), "wb") as errors:
            terminal = ["-monitor", "stdio"]
            files = {"stdin": subprocess.PIPE, "stdout": errors, "stderr": errors}
            if args.shell:
                terminal = ["-chardev", "stdio,id=tty,mux=on,signal=off", "-device", "virtconsole,chardev=tty"]
                files = {"stderr": errors}
            self.kernel = self.start(
                "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-machine", "q35", *MACHINES[self.accel].split(), "-smp", str(args.cpus), "-m", args.mem,
                "-kernel", args.kernel, "-initrd", f"/dev/fd/{initrd}",
                "-append", f"{COMMAND_LINE} {args.append}", "-serial", f"file:{log}/console.log",
                "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                "-chardev", f"file,id=out,path={log}/output.log", "-device", "virtserialport,chardev=out,name=out",
                "-add-fd", f"fd={words},set=1", "-chardev", "file,id=ctl,path=/dev/fdset/1,append=on",
                "-device", "virtserialport,chardev=ctl,name=ctl", *device, *terminal,
                *(["-plugin", args.plugin] if args.plugin else []),
                pass_fds=(initrd, words), **files)
        self.monitor = self.kernel.stdin

    def next_word(self, end):
        """init's next line; EOFError if the kernel has ended, TimeoutError at END"""
        poll = select.poll()
        poll.register(self.words, select.POLLIN)
        while b"\n" not in self.said:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(min(left * 1000, 1 << 30)):
                raise TimeoutError
            more = os.read(self.words, 4096)
            if not more:
                raise EOFError
            self.said += more
        line, self.said = self.said.split(b"\n", 1)
        word = line.decode("utf-8", "replace")
        # From here on no file of ours is needed, and whoever sees this in status finds none.
        if word == "init":
            self.tidy()
        with open(self.path("status"), "a", encoding="utf-8") as f:
            f.write(word + "\n")
        return word
