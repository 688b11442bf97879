#!/usr/bin/env python3
"""How long after the theoretical moment a backup has taken over, for relevo and for keepalived.

Two nodes of the same daemon share an address (VRRP version 3, priorities 200 and 100). The master's
power is cut right after one of its adverts; measured are the backup's first advert and first gratuitous
ARP, minus the last advert of the dead master, minus 3 intervals and the backup's skew time. Stamps are
the kernel's, taken when the frame arrives at the switch. Rounds of the two daemons alternate.

Needs root, and nothing but the standard library, iproute2, util-linux and the two daemons.
"""
import argparse, atexit, concurrent.futures, os, random, shutil, signal, socket, struct, subprocess
import sys, tempfile, threading, time

SO_TIMESTAMPNS = 35
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
VIP, ADDRESS = "10.99.0.1", {"a": "10.0.0.1", "b": "10.0.0.2"}
PRIORITY = {"a": 200, "b": 100}
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*words, check=True, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip()}")
    return done.stdout


def monitor():
    """Child process in the switch: one line `stamp kind source-or-address priority` for each frame."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    s.bind(("br0", 3))
    index = socket.if_nametoindex("br0")
    s.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("iHH8s", index, PACKET_MR_PROMISC, 0, b""))
    print("0 ready - 0", flush=True)
    while True:
        frame, ancillary, _, origin = s.recvmsg(2048, 64)
        if origin[2] == 4:                       # what the bridge itself sends
            continue
        seconds, nanos = next(struct.unpack("qq", data[:16]) for level, kind, data in ancillary
                              if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS))
        stamp = seconds * 1_000_000_000 + nanos
        if frame[12:14] == b"\x08\x00" and frame[23] == 112:
            packet = frame[14 + (frame[14] & 15) * 4:]
            print(stamp, "advert", socket.inet_ntoa(frame[26:30]), packet[2], flush=True)
        elif frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42]:
            print(stamp, "arp", socket.inet_ntoa(frame[28:32]), frame[11], flush=True)


class Stage:
    """A switch and two nodes in namespaces of their own."""

    def __init__(self, nice):
        self.nice = nice
        self.prefix = f"rlvb{os.getpid()}x{random.randrange(1 << 24):x}-"
        self.dir = tempfile.mkdtemp(prefix="relevo-bench-", dir="/var/tmp")
        self.daemons, self.events, self.changed = {}, [], threading.Condition()
        self.watcher = None
        self.build()

    def name(self, node):
        return self.prefix + node

    def inside(self, node, *words):
        return ["nsenter", f"--net=/run/netns/{self.name(node)}", *words]

    def ip(self, node, *words):
        return run(*self.inside(node, "ip", *words))

    def build(self):
        run("ip", "netns", "add", self.name("sw"))
        self.ip("sw", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        self.ip("sw", "link", "set", "br0", "up")
        for number, node in enumerate("ab", 1):
            run("ip", "netns", "add", self.name(node))
            self.ip("sw", "link", "add", "p" + node, "type", "veth", "peer", "name", "eth0",
                    "netns", self.name(node))
            self.ip("sw", "link", "set", "p" + node, "master", "br0", "up")
            self.ip(node, "link", "set", "lo", "up")
            self.ip(node, "link", "set", "eth0", "address", f"02:00:00:00:00:0{number}")
            self.ip(node, "addr", "add", ADDRESS[node] + "/24", "dev", "eth0")
            self.ip(node, "link", "set", "eth0", "up")
            for folder in ("run", "tmp"):
                os.makedirs(os.path.join(self.dir, node, folder))
        self.watcher = subprocess.Popen(
            self.inside("sw", "setpriv", "--pdeathsig", "KILL", sys.executable, __file__, "--monitor"),
            stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.collect, daemon=True).start()
        self.wait(lambda events: any(e[1] == "ready" for e in events), 10, "the monitor")

    def collect(self):
        for line in self.watcher.stdout:
            stamp, kind, who, number = line.split()
            with self.changed:
                self.events.append((int(stamp), kind, who, int(number)))
                self.changed.notify_all()

    def wait(self, answer, limit, what):
        """The first true answer(events)."""
        end = time.monotonic() + limit
        with self.changed:
            while not (found := answer(self.events)):
                rest = end - time.monotonic()
                if rest <= 0:
                    raise RuntimeError(f"waited in vain for {what}")
                self.changed.wait(rest)
        return found

    def start(self, node, program, interval):
        conf = os.path.join(self.dir, node, "conf")
        with open(conf, "w") as out:
            out.write(f"""global_defs {{
    router_id {node}
}}
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {PRIORITY[node]}
    version 3
    advert_int {interval:g}
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
""")
        script = 'mount -n --bind "$0/run" /run && mount -n --bind "$0/tmp" /tmp && exec "$@"'
        words = ["setpriv", "--pdeathsig", "KILL", *self.inside(node, "unshare", "--mount", "sh", "-c", script),
                 os.path.join(self.dir, node), "nice", "-n", str(self.nice), program, "-n", "-l", "-G", "-D", "-f", conf,
                 "-p", "/run/p.pid", "-r", "/run/v.pid", "-c", "/run/c.pid", "-b", "/run/b.pid"]
        with open(os.path.join(self.dir, node, "log"), "a") as log:
            self.daemons[node] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def tree(self, node):
        """The node's daemon and its descendants, ancestors first."""
        parents = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(entry))
            except OSError:
                pass
        pids = [self.daemons[node].pid]
        for pid in pids:
            pids += parents.get(pid, [])
        return pids

    def kill(self, node, pids):
        """Nobody of the tree says another word."""
        for number, order in ((signal.SIGSTOP, pids), (signal.SIGKILL, pids[::-1])):
            for pid in order:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        self.daemons.pop(node).wait(5)

    def wipe(self, node):
        """What a dead machine would have lost with its power."""
        run(*self.inside(node, "ip", "addr", "del", VIP + "/24", "dev", "eth0"), check=False)
        shutil.rmtree(os.path.join(self.dir, node, "run"), ignore_errors=True)
        os.makedirs(os.path.join(self.dir, node, "run"))

    def log(self):
        text = ""
        for node in "ab":
            path = os.path.join(self.dir, node, "log")
            if os.path.exists(path):
                with open(path, errors="replace") as log:
                    text += f"--- {node}\n" + "".join(log.readlines()[-15:])
        return text

    def close(self):
        for node in list(self.daemons):
            self.kill(node, self.tree(node))
        if self.watcher:
            self.watcher.kill()
            self.watcher.wait()
        for node in ("a", "b", "sw"):
            run("ip", "netns", "del", self.name(node), check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def one(stage, program, interval):
    """One takeover: (advert, ARP) past the theoretical moment in milliseconds."""
    source = ADDRESS["a"]
    down = 3 * interval + (256 - PRIORITY["b"]) / 256 * interval
    armed = time.time_ns()
    stage.start("a", program, interval)
    heard = lambda events: [e for e in events if e[1] == "advert" and e[2] == source and e[0] > armed]
    stage.wait(lambda events: len(heard(events)) >= 3, 10 + 5 * interval, "the master's adverts")
    # Past the answers of a new master, and at another phase each time.
    time.sleep(0.3 + random.random() * 0.2)
    pids = stage.tree("a")
    with stage.changed:
        stage.events.clear()
    stage.wait(lambda events: heard(events), 5 + 3 * interval, "an advert to kill after")
    killed = time.time_ns()
    stage.kill("a", pids)

    def taken(events):
        later = [e for e in events if e[0] > killed]
        adverts = [e[0] for e in later if e[1:3] == ("advert", ADDRESS["b"])]
        arps = [e[0] for e in later if e[1:4] == ("arp", VIP, 2)]
        return adverts and arps and (min(adverts), min(arps))

    advert, arp = stage.wait(taken, down + 5, "the takeover")
    last = max(e[0] for e in heard(stage.events) if e[3] > 0)
    stage.wipe("a")
    theory = last + down * 1e9
    return (advert - theory) / 1e6, (arp - theory) / 1e6


def series(job):
    """Some takeovers on a stage of their own."""
    program, interval, count, nice, delay = job
    time.sleep(delay)
    stage = Stage(nice)
    atexit.register(stage.close)
    try:
        stage.start("b", program, interval)
        return [one(stage, program, interval) for _ in range(count)]
    except RuntimeError as error:
        raise RuntimeError(f"{program} at {interval} s: {error}\n{stage.log()}") from None
    finally:
        atexit.unregister(stage.close)
        stage.close()


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def measure(programs, interval, samples, parallel, nice):
    """{name: [(advert, arp)]}, in alternating rounds."""
    per_stage = 5
    rounds = max(1, -(-samples // (parallel * per_stage)))
    results = {name: [] for name, _ in programs}
    for number in range(rounds):
        for name, program in programs:
            rest = samples - len(results[name])
            jobs = []
            while rest > 0 and len(jobs) < parallel:
                jobs.append((program, interval, min(per_stage, rest), nice, len(jobs) * 0.37 * min(1, interval)))
                rest -= per_stage
            with concurrent.futures.ProcessPoolExecutor(max(1, len(jobs))) as pool:
                for part in pool.map(series, jobs):
                    results[name] += part
            print(f"  {interval:g} s, round {number + 1} of {rounds}: {name} {len(results[name])}", file=sys.stderr, flush=True)
    return results


def sweep():
    """Removes what a killed run has left."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split(" ")[0]
        pid = name[4:].split("x")[0] if name.startswith("rlvb") else ""
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            for victim in run("ip", "netns", "pids", name, check=False).split():
                run("kill", "-KILL", victim, check=False)
            run("ip", "netns", "del", name, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.join(HERE, "..", "..")
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
    parser.add_argument("--relevo", default=os.environ.get("RELEVO_BIN", os.path.join(target, "release", "relevo")))
    parser.add_argument("--keepalived", default=shutil.which("keepalived", path=os.environ["PATH"] + ":/usr/sbin"))
    parser.add_argument("--plan", default="0.01:60,0.1:60,1:20", help="interval:samples, comma separated")
    parser.add_argument("--nice", type=int, default=-10, help="of the daemons: on a busy machine both need it")
    parser.add_argument("--monitor", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.monitor:
        return monitor()
    if os.geteuid() != 0:
        sys.exit("takeover.py: needs root, to make network namespaces")
    if not options.keepalived or not os.path.exists(options.relevo):
        sys.exit("takeover.py: needs both daemons (--relevo, --keepalived)")
    sweep()
    programs = [("relevo", os.path.realpath(options.relevo)), ("keepalived", options.keepalived)]
    print("milliseconds past the theoretical moment; load average", os.getloadavg()[0])
    head = f"{'interval':>8}  {'daemon':<10} {'n':>3}"
    for what in ("advert", "ARP"):
        head += f" | {what + ' median':>13} {'p95':>7} {'> 1 ms':>7}"
    print(head, flush=True)
    for item in options.plan.split(","):
        interval, samples = float(item.split(":")[0]), int(item.split(":")[1])
        # Long waits side by side; short ones alone, since they are sensitive.
        parallel = 1 if interval < 0.05 else 2 if interval < 0.5 else 4
        for name, values in measure(programs, interval, samples, parallel, options.nice).items():
            line = f"{interval:>6g} s  {name:<10} {len(values):>3}"
            for part in zip(*values):
                late = sum(value > 1 for value in part) / len(part)
                line += f" | {median(part):>13.3f} {quantile(part, 0.95):>7.3f} {late:>6.0%} "
            print(line, flush=True)


if __name__ == "__main__":
    main()
