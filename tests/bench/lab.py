"""Nodes around some switches, daemons on them, and what can be seen of both from outside.

Everything lives in network namespaces whose names carry the pid of the run; they go with it, and
`sweep` removes what a killed run has left. Standard library only.
"""
import atexit, ctypes, os, pickle, random, select, shutil, signal, socket, struct, subprocess
import sys, tempfile, time

PER_SEGMENT = 250
MARK = "rlvs"
LIBC = ctypes.CDLL(None, use_errno=True)
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
CLONE_NEWNET = 0x40000000
RTM_NEWADDR, RTM_DELADDR = 20, 21
GROUP_IPV4_ADDRESSES = 0x10
OUTGOING = 4
DAEMON_NICE, WATCHER_NICE = -19, -15


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def run(*words, check=True, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip()}")
    return done.stdout


def enter(namespace):
    """Moves this process into a network namespace."""
    with open(f"/run/netns/{namespace}") as handle:
        if LIBC.setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def remove(namespace):
    """Ends what still runs in a namespace of ours, and the namespace."""
    if os.path.exists(f"/run/netns/{namespace}"):
        for victim in run("ip", "netns", "pids", namespace, check=False).split():
            if victim.isdigit():
                run("kill", "-KILL", victim, check=False)
        run("ip", "netns", "del", namespace, check=False)


def sweep():
    """Removes the namespaces of runs that are no more."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split(" ")[0]
        pid = name[len(MARK):].split("x")[0] if name.startswith(MARK) else ""
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            remove(name)


def descendants(root):
    """The process and all that came of it, ancestors first."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            parents.setdefault(parent, []).append(int(entry))
        except OSError:
            pass
    pids = [root]
    for pid in pids:
        pids += parents.get(pid, [])
    return pids


def thread_ns(pid):
    """{thread: nanoseconds on a CPU}, the softirq work of its own system calls included."""
    used = {}
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
                used[int(thread)] = int(stat.read().split()[0])
    except OSError:
        pass
    return used


def sleeps(pid):
    """How often the process's main thread has slept."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))


class Daemon:
    """A daemon on a node, started with the options that both programs have."""

    def __init__(self, lab, node, program, configuration):
        self.lab, self.node, self.program = lab, node, program
        self.dir = os.path.join(lab.dir, node)
        self.conf = os.path.join(self.dir, "conf")
        with open(self.conf, "w") as out:
            out.write(configuration)
        shutil.rmtree(os.path.join(self.dir, "run"), ignore_errors=True)
        os.makedirs(os.path.join(self.dir, "run"))
        os.makedirs(os.path.join(self.dir, "tmp"), exist_ok=True)
        script = 'mount -n --bind "$0/run" /run && mount -n --bind "$0/tmp" /tmp && exec "$@"'
        words = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{lab.name(node)}",
                 "unshare", "--mount", "sh", "-c", script, self.dir, *lab.nice, program,
                 "-n", "-l", "-G", "-D", "-f", self.conf,
                 "-p", "/run/p.pid", "-r", "/run/v.pid", "-c", "/run/c.pid", "-b", "/run/b.pid"]
        self.started = time.time_ns()
        with open(os.path.join(self.dir, "log"), "w") as log:
            # A session of its own: Ctrl-C is for the one who measures.
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

    def vrrp_pid(self):
        """The process that speaks VRRP, by its pid file."""
        path = os.path.join(self.dir, "run", "v.pid")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with open(path) as text:
                    return int(text.read())
            except (OSError, ValueError):
                time.sleep(0.02)
        raise RuntimeError(f"{self.node}: no VRRP process\n{self.log()}")

    def cpu(self):
        """Nanoseconds of the VRRP process's main thread, of that process and of all processes of the
        daemon; and how often the main thread has slept."""
        child = self.vrrp_pid()
        own = thread_ns(child)
        everything = sum(sum(thread_ns(pid).values()) for pid in descendants(self.process.pid))
        return own.get(child, 0), sum(own.values()), everything, sleeps(child)

    def log(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as log:
            return f"--- {self.node}: {self.program}\n" + "".join(log.readlines()[-15:])

    def terminate(self):
        """SIGTERM; returns when, in nanoseconds of the wall clock."""
        now = time.time_ns()
        self.process.send_signal(signal.SIGTERM)
        return now

    def kill(self):
        """Nobody of the tree says another word."""
        if self.process.poll() is None:
            pids = descendants(self.process.pid)
            for number, order in ((signal.SIGSTOP, pids), (signal.SIGKILL, pids[::-1])):
                for pid in order:
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        pass
        self.process.wait(10)


class Lab:
    """Nodes `a`, `b`.. with an interface in each of some switches (namespace `sw`)."""

    def __init__(self, nodes="ab", segments=1, nice=DAEMON_NICE):
        self.nodes, self.segments = nodes, segments
        self.nice = ["nice", "-n", str(nice)] if nice else []
        self.prefix = f"{MARK}{os.getpid()}x{random.randrange(1 << 24):x}-"
        self.dir = tempfile.mkdtemp(prefix="relevo-bench-", dir="/var/tmp")
        self.daemons, self.watcher = {}, None
        atexit.register(self.close)
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind and issubclass(kind, Exception):     # the logs go with the lab
            for daemon in self.daemons.values():
                say(daemon.log())
        self.close()

    def name(self, node):
        return self.prefix + node

    def address(self, node, segment=0):
        return f"192.168.{100 + segment}.{self.nodes.index(node) + 1}"

    def batch(self, node, lines):
        run("ip", "-n", self.name(node), "-batch", "-", input="\n".join(lines) + "\n")

    def sysctl(self, node, **settings):
        for key, value in settings.items():
            path = "/proc/sys/" + key.replace("__", "/")
            run("nsenter", f"--net=/run/netns/{self.name(node)}", "sh", "-c", f"echo {value} > {path}", check=False)

    def build(self):
        for node in ["sw", *self.nodes]:
            run("ip", "netns", "add", self.name(node))
            # Nothing but the daemons is to speak here.
            self.sysctl(node, net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        self.batch("sw", [line for k in range(self.segments) for line in (
            f"link add br{k} type bridge mcast_snooping 0 forward_delay 0", f"link set br{k} up")])
        for node in self.nodes:
            self.batch("sw", [line for k in range(self.segments) for line in (
                f"link add p{node}{k} type veth peer name eth{k} netns {self.name(node)}",
                f"link set p{node}{k} master br{k} up")])
            self.batch(node, ["link set lo up"] + [line for k in range(self.segments) for line in (
                f"addr add {self.address(node, k)}/24 dev eth{k}", f"link set eth{k} up")])
            os.makedirs(os.path.join(self.dir, node))

    def start(self, node, program, configuration):
        self.daemons[node] = Daemon(self, node, program, configuration)
        return self.daemons[node]

    def stop(self, node):
        if daemon := self.daemons.pop(node, None):
            daemon.kill()

    def watch(self, wire=True, nodes=""):
        """Starts to stamp adverts and announcements in the switches, addresses on nodes."""
        self.watcher = Watcher(self, wire, nodes)
        return self.watcher

    def sent(self, node):
        """Frames that the node has sent: adverts, once its announcements are over."""
        with open(f"/proc/{self.daemons[node].vrrp_pid()}/net/dev") as text:
            links = [line.split(":") for line in text if ":" in line]
        return sum(int(counters.split()[9]) for name, counters in links if name.strip() != "lo")

    def close(self):
        atexit.unregister(self.close)
        # A second Ctrl-C must not leave half of it behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for node in list(self.daemons):
                self.stop(node)
            if self.watcher:
                self.watcher.close()
            for node in ["sw", *self.nodes]:
                remove(self.name(node))
            shutil.rmtree(self.dir, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, before)


# ---------------------------------------------------------------- the watcher: a process of its own

class Watcher:
    """Events as tuples, with nanoseconds of the wall clock first:
    (t, "advert", segment, source, vrid, priority), (t, "arp", segment, address),
    (t, "added" | "removed", node, address), (t, "lost", where, count)."""

    def __init__(self, lab, wire, nodes):
        self.events = []
        words = [sys.executable, os.path.abspath(__file__), lab.prefix, str(lab.segments if wire else 0), nodes]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.ask()

    def ask(self):
        """Fetches what has come since the last time."""
        self.process.stdin.write(b"?")
        self.process.stdin.flush()
        head = self.process.stdout.read(8)
        if len(head) < 8:
            raise RuntimeError("the watcher has died")
        new = pickle.loads(self.process.stdout.read(struct.unpack("=Q", head)[0]))
        for event in new:
            if event[1] == "lost":
                raise RuntimeError(f"the watcher was too slow: {event}")
        self.events += new
        return self.events

    def forget(self):
        self.ask()
        self.events = []

    def wait(self, answer, limit, what, step=0.05):
        """The first true answer(events)."""
        end = time.monotonic() + limit
        while not (found := answer(self.ask())):
            if time.monotonic() > end:
                raise RuntimeError(f"waited in vain for {what}")
            time.sleep(step)
        return found

    def close(self):
        self.process.kill()
        self.process.wait()


def wire_socket(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    s.bind((name, 3))
    return s


def address_socket():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    s.bind((0, GROUP_IPV4_ADDRESSES))
    return s


def read_wire(s, segment, events):
    frame, ancillary, _, origin = s.recvmsg(2048, 64)
    if origin[2] == OUTGOING:
        return
    seconds, nanos = struct.unpack_from("qq", ancillary[0][2])
    stamp = seconds * 1_000_000_000 + nanos
    if frame[12:14] == b"\x08\x00" and frame[23] == 112:
        at = 14 + (frame[14] & 15) * 4
        events.append((stamp, "advert", segment, socket.inet_ntoa(frame[26:30]), frame[at + 1], frame[at + 2]))
    elif frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42]:
        events.append((stamp, "arp", segment, socket.inet_ntoa(frame[28:32])))


def read_addresses(s, node, events):
    data = s.recv(1 << 16)
    stamp, at = time.time_ns(), 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            attribute = at + 24
            while attribute + 4 <= at + length:
                size, what = struct.unpack_from("=HH", data, attribute)
                if what == 2:                    # IFA_LOCAL
                    events.append((stamp, "added" if kind == RTM_NEWADDR else "removed", node,
                                   socket.inet_ntoa(data[attribute + 4:attribute + 8])))
                    break
                attribute += (size + 3) & ~3
        at += max(16, (length + 3) & ~3)


def answer(sources, events):
    """Hands over what was seen; says if the kernel had to drop something."""
    for s, read, where in sources.values():
        if read is read_wire:
            lost = struct.unpack("II", s.getsockopt(263, 6, 8))[1]   # SOL_PACKET, PACKET_STATISTICS
            if lost:
                events.append((time.time_ns(), "lost", where, lost))
    text = pickle.dumps(events, -1)
    sys.stdout.buffer.write(struct.pack("=Q", len(text)) + text)
    sys.stdout.buffer.flush()


def watcher(prefix, segments, nodes):
    LIBC.prctl(1, signal.SIGKILL)                # PR_SET_PDEATHSIG
    try:
        os.setpriority(os.PRIO_PROCESS, 0, WATCHER_NICE)
    except OSError:
        pass
    sources, poll = {}, select.epoll()
    if segments:
        enter(prefix + "sw")
        for k in range(segments):
            s = wire_socket(f"br{k}")
            sources[s.fileno()] = (s, read_wire, k)
    for node in nodes:
        enter(prefix + node)
        s = address_socket()
        sources[s.fileno()] = (s, read_addresses, node)
    for fd, (s, _, _) in sources.items():
        s.setblocking(False)
        poll.register(fd, select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    events = []
    while True:
        asked = False
        for fd, _ in poll.poll():
            if fd == 0:
                asked = True
                continue
            s, read, where = sources[fd]
            try:
                for _ in range(512):
                    read(s, where, events)
            except BlockingIOError:
                pass
            except OSError as error:
                events.append((time.time_ns(), "lost", where, str(error)))
        if asked:
            if not os.read(0, 1):
                return
            answer(sources, events)
            events = []


if __name__ == "__main__":
    watcher(sys.argv[1], int(sys.argv[2]), sys.argv[3])
