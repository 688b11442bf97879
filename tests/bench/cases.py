"""What scale.py measures: one function for each case, each returning {metric: number} of one run."""
import re, signal, subprocess, tempfile, time

import floor
from lab import Lab, PER_SEGMENT

# Seconds after which announcements are repeated: shorter than by default, on both sides, for that
# long each run waits for silence.
REPEAT_DELAY = 1
PRIORITY = {"a": 200, "b": 100, "c": 50}


def vip(number):
    return f"10.{50 + number // PER_SEGMENT}.0.{number % PER_SEGMENT + 1}"


def many_vips(count):
    return [f"10.{100 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(count)]


def head():
    return f"""global_defs {{
    router_id bench
    vrrp_garp_master_delay {REPEAT_DELAY}
}}
"""


def instance(name, interface, vrid, priority, interval, addresses, excluded=()):
    lines = [f"vrrp_instance {name} {{", "    state BACKUP", f"    interface {interface}",
             f"    virtual_router_id {vrid}", f"    priority {priority}", "    version 3",
             f"    advert_int {interval:g}", "    virtual_ipaddress {"]
    lines += [f"        {address}/32 dev {interface}" for address in addresses] + ["    }"]
    if excluded:
        lines += ["    virtual_ipaddress_excluded {"]
        lines += [f"        {address}/32 dev {interface}" for address in excluded] + ["    }"]
    return "\n".join(lines + ["}\n"])


def many(count, node, interval):
    """Instances with one address each, as many on one interface as have room there."""
    return head() + "".join(
        instance(f"VI_{n}", f"eth{n // PER_SEGMENT}", n % PER_SEGMENT + 1, PRIORITY[node], interval, [vip(n)])
        for n in range(count))


def segments(count):
    return -(-count // PER_SEGMENT)


def settle(lab, count, interval, limit=40):
    """Waits until the master sends its adverts and nothing else."""
    # Elected, announced, and announced again.
    time.sleep(2.5 * interval + REPEAT_DELAY + 0.3)
    others = [node for node in lab.daemons if node != "a"]
    speak = lambda: (lab.sent("a"), sum(lab.sent(node) for node in others), time.monotonic())
    end, calm, rate, foreign = time.monotonic() + limit, 0, 0, 0
    while calm < 2:
        if time.monotonic() > end:
            raise RuntimeError(f"no steady adverts: {rate:.2f} of what is due, {foreign} frames of backups")
        before = speak()
        time.sleep(max(0.5, interval))
        mine, foreign, passed = (y - x for x, y in zip(before, speak()))
        rate = mine / passed * interval / count
        # Backups report their groups, and nothing else. At short intervals they may do more: that is counted.
        quiet_backups = interval < 1 or foreign < 10 + count / 50
        calm = calm + 1 if 0.95 < rate < 1.05 and quiet_backups else 0


def start_all(lab, programs, count, interval):
    """Starts {node: program}: `a` becomes master, the others have heard it when this returns."""
    for node, program in programs.items():
        lab.start(node, program, many(count, node, interval)).vrrp_pid()
        if node == "a":
            # Nobody else may be the first to find that there is no master.
            time.sleep(1 if interval >= 1 else 4 * interval + 0.3)
    settle(lab, count, interval)


def window(lab, nodes, seconds):
    """(adverts sent by `a`, {node: what Daemon.cpu has, as differences}, seconds)."""
    before, sent, then = {n: lab.daemons[n].cpu() for n in nodes}, lab.sent("a"), time.monotonic()
    time.sleep(seconds)
    after, sent_after, now = {n: lab.daemons[n].cpu() for n in nodes}, lab.sent("a"), time.monotonic()
    used = {n: [y - x for x, y in zip(before[n], after[n])] for n in nodes}
    return sent_after - sent, used, now - then


def per_advert(name, used, adverts):
    loop, child, everything, slept = used
    return {name: child / adverts / 1e3, name + "_loop": loop / adverts / 1e3,
            name + "_all": everything / adverts / 1e3, name + "_sleeps": slept / adverts}


def expect(adverts, count, interval, seconds):
    due = count / interval * seconds
    # A bunch more or less at the edges; anything else is another master or a silent one.
    if abs(adverts - due) > 0.03 * due + count:
        raise RuntimeError(f"{adverts} adverts where {due:.0f} are due")


def pair(setting, program, which):
    """A master of all instances and its backup, at one advert a second.

    `sent`: CPU for each advert sent, steady. `term`: SIGTERM to the master, when the backup has what."""
    results = {}
    with Lab("ab", segments(setting.many)) as lab:
        start_all(lab, {"a": program, "b": program}, setting.many, 1)
        if "sent" in which:
            adverts, used, seconds = window(lab, "ab", setting.window)
            expect(adverts, setting.many, 1, seconds)
            results["sent"] = per_advert("sent", used["a"], adverts)
            results["sent"]["sent_backup"] = used["b"][1] / adverts / 1e3
        if "term" in which:
            results["term"] = term(setting, lab)
    return results


def received(setting, programs, swapped):
    """CPU for each advert received: both programs listen to one and the same master, at the same time."""
    # The switch hands a frame to one before the other; that must not always be the same one.
    sides = {"keepalived": "c", "relevo": "b"} if swapped else {"keepalived": "b", "relevo": "c"}
    with Lab("abc", segments(setting.many)) as lab:
        start_all(lab, {"a": programs["keepalived"], **{node: programs[name] for name, node in sides.items()}},
                  setting.many, 1)
        adverts, used, seconds = window(lab, "bc", setting.window)
        expect(adverts, setting.many, 1, seconds)
        return {name: per_advert("received", used[node], adverts) for name, node in sides.items()}


def fast(setting, program):
    """Share of a CPU at ten adverts a second and instance."""
    with Lab("ab", segments(setting.many)) as lab:
        start_all(lab, {"a": program, "b": program}, setting.many, 0.1)
        adverts, used, seconds = window(lab, "ab", setting.window / 2)
        percent = {node: 100 * used[node][1] / 1e9 / seconds for node in "ab"}
        return {"fast_master": percent["a"], "fast_backup": percent["b"], "fast_adverts": adverts / seconds}


def quiet(setting, program, count, interval):
    """Transitions while nothing happens, and the largest gap between adverts of one instance."""
    with Lab("ab", segments(count)) as lab:
        start_all(lab, {"a": program, "b": program}, count, interval)
        watcher = lab.watch()
        time.sleep(0.2)
        watcher.forget()
        end = time.monotonic() + setting.window
        while time.monotonic() < end:
            time.sleep(0.5)
            watcher.ask()
        false, worst, last, master = 0, 0, {}, {}
        for stamp, _, segment, source, vrid, priority in sorted(e for e in watcher.events if e[1] == "advert"):
            key, mine = (segment, vrid), source == lab.address("a", segment)
            # One that lets go counts as much as one that takes over.
            false += priority == 0 or master.get(key, lab.address("a", segment)) == lab.address("a", segment) != source
            master[key] = source
            if mine and priority:
                worst = max(worst, stamp - last.get(key, stamp))
                last[key] = stamp
        return {"false": false, "gap": worst / 1e6, "heard": len(last)}


def first(events, kind, key):
    """{key: when first seen}."""
    found = {}
    for event in events:
        if event[1] == kind and (name := key(event)) is not None:
            found[name] = min(event[0], found.get(name, event[0]))
    return found


def term(setting, lab):
    """SIGTERM to the master of all instances: when the backup has what."""
    count = setting.many
    vips = {vip(n) for n in range(count)}
    watcher = lab.watch(nodes="ab")
    time.sleep(0.3 + time.time() % 0.7)
    watcher.forget()
    now = lab.daemons["a"].terminate()

    def of(node, zero):
        return lambda e: (e[2], e[4]) if e[3] == lab.address(node, e[2]) and (e[5] == 0) == zero else None

    def done(events):
        taken = first(events, "advert", of("b", False))
        arps = first((e for e in events if e[0] > now), "arp", lambda e: e[3] if e[3] in vips else None)
        added = first(events, "added", lambda e: e[3] if e[2] == "b" and e[3] in vips else None)
        return len(taken) == len(arps) == len(added) == count and (taken, arps, added)

    taken, arps, added = watcher.wait(done, 15, "the takeover of all", 0.25)
    goodbye = first(watcher.events, "advert", of("a", True))
    removed = first(watcher.events, "removed", lambda e: e[3] if e[2] == "a" else None)
    skew = (256 - PRIORITY["b"]) / 256 * 1e9
    late = sorted((taken[k] - goodbye[k] - skew) / 1e6 for k in taken if k in goodbye)
    if not late or not removed:
        raise RuntimeError("the master went without a word")
    since = lambda values, best: (best(values) - now) / 1e6
    both = max(removed.get(a, max(removed.values())) - added[a] for a in vips) / 1e6
    return {"term_late": late[-1], "term_median": late[len(late) // 2], "term_goodbyes": len(goodbye),
            "term_goodbye": since(goodbye.values(), max), "term_advert": since(taken.values(), max),
            "term_removed": since(removed.values(), max),
            "term_first_address": since(added.values(), min), "term_address": since(added.values(), max),
            "term_first_arp": since(arps.values(), min), "term_arp": since(arps.values(), max),
            "term_both": max(0, both)}


def burst(count, node, interval):
    vips = many_vips(count)
    return head() + instance("VI", "eth0", 51, PRIORITY[node], interval, vips[:20], vips[20:])


def addresses(setting, program):
    """Thousands of addresses on one instance: installed when, and the adverts meanwhile."""
    vips = set(many_vips(setting.addresses))
    mine = lambda e: e[3] if e[3] in vips else None
    with Lab("ab") as lab:
        watcher = lab.watch(nodes="a")
        lab.start("a", program, burst(setting.addresses, "a", 1))
        watcher.wait(lambda events: len(first(events, "added", mine)) == len(vips), 40, "all addresses", 0.25)
        watcher.wait(lambda events: len(first(events, "arp", mine)) == len(vips), 40, "all announcements", 0.25)
        # Past the second round of announcements.
        time.sleep(REPEAT_DELAY + 2)
        events = watcher.ask()
        adverts = sorted(e[0] for e in events if e[1] == "advert")
        added, arps = first(events, "added", mine), first(events, "arp", mine)
        return {"install": (max(added.values()) - adverts[0]) / 1e6,
                "install_first": (min(added.values()) - adverts[0]) / 1e6,
                "install_arp": (max(arps.values()) - adverts[0]) / 1e6,
                "install_gap": max(y - x for x, y in zip(adverts, adverts[1:])) / 1e6}


def bare(setting):
    """The same addresses, put there by a loop that does nothing else."""
    with Lab("ab") as lab:
        watcher = lab.watch(nodes="a")
        vips = many_vips(setting.addresses)
        started = floor.install(lab.name("a"), "eth0", vips)
        added = watcher.wait(lambda events: (got := first(events, "added", lambda e: e[3])) and len(got) == len(vips) and got,
                             20, "the bare loop's addresses")
        return {"install": (max(added.values()) - started) / 1e6}


def takeovers(setting, program):
    """How often the backup takes over from a master that lives but is busy with its addresses."""
    vips = setting.addresses
    with Lab("ab") as lab:
        watcher = lab.watch()
        for node in "ab":
            lab.start(node, program, burst(vips, node, 0.1))
        a, b = lab.address("a"), lab.address("b")
        watcher.wait(lambda events: any(e[1] == "advert" and e[3] == a for e in events), 20, "a master")
        time.sleep(REPEAT_DELAY + 4)
        end = time.time_ns()
        adverts = sorted(e for e in watcher.ask() if e[1] == "advert" and e[0] < end)
        start = next(e[0] for e in adverts if e[3] == a)
        sources = [e[3] for e in adverts if e[0] >= start and e[5]]
        # Silence to the end is a gap too.
        stamps = [e[0] for e in adverts if e[3] == a] + [end]
        return {"takeovers": sum(x == a and y == b for x, y in zip(sources, sources[1:])),
                "takeover_gap": max(y - x for x, y in zip(stamps, stamps[1:])) / 1e6}


def trace(lab, node, seconds):
    """{system call: count} of the node's VRRP process, all threads."""
    with tempfile.NamedTemporaryFile("r", dir=lab.dir) as out:
        tracer = subprocess.Popen(["strace", "-f", "-c", "-o", out.name, "-p", str(lab.daemons[node].vrrp_pid())],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        counts = {}
        for line in out:
            words = line.split()
            if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
                counts[words[-1]] = int(words[3])
        return counts


def syscalls(setting, program, interval):
    """{role: ({system call: count}, adverts)} over a steady window."""
    found = {}
    with Lab("ab", segments(setting.many)) as lab:
        start_all(lab, {"a": program, "b": program}, setting.many, interval)
        for role, node in (("master", "a"), ("backup", "b")):
            before = lab.sent("a")
            counts = trace(lab, node, 3)
            found[role] = counts, lab.sent("a") - before
    return found
