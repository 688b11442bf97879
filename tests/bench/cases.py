"""What scale.py measures: one function for each case, each returning {metric: number} of one run."""
import os, re, signal, subprocess, tempfile, time

import floor
from lab import Lab, PER_SEGMENT, run

PRIORITY = {"a": 200, "b": 100, "c": 50}


def vip(number):
    return f"10.{50 + number // PER_SEGMENT}.0.{number % PER_SEGMENT + 1}"


def many_vips(count):
    return [f"10.{100 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(count)]


def head(repeat_delay):
    return f"""global_defs {{
    router_id bench
    vrrp_garp_master_delay {repeat_delay}
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
    # The repeated announcements come after one second on both sides: that long we wait for silence.
    return head(1) + "".join(
        instance(f"VI_{n}", f"eth{n // PER_SEGMENT}", n % PER_SEGMENT + 1, PRIORITY[node], interval, [vip(n)])
        for n in range(count))


def segments(count):
    return -(-count // PER_SEGMENT)


def settle(lab, count, interval, limit=40):
    """Waits until the master sends its adverts and nothing else."""
    daemon = lab.daemons["a"]
    daemon.vrrp_pid()
    end = time.monotonic() + limit
    time.sleep(4 * interval + 1.5)
    calm = 0
    before, then = lab.sent("a"), time.monotonic()
    while calm < 2:
        time.sleep(max(0.5, interval))
        after, now = lab.sent("a"), time.monotonic()
        rate = (after - before) / (now - then) * interval / count
        calm = calm + 1 if 0.9 < rate < 1.1 else 0
        before, then = after, now
        if now > end:
            raise RuntimeError(f"no steady adverts: {rate:.2f} of what is due")


def start_pair(lab, masters, backups, count, interval):
    """`a` of one program is master, the others follow."""
    lab.start("a", masters, many(count, "a", interval))
    settle(lab, count, interval)
    for node, program in backups.items():
        lab.start(node, program, many(count, node, interval))
    for node in backups:
        lab.daemons[node].vrrp_pid()
    # Start-up, and one master-down interval: a backup that did not hear the master shows up here.
    time.sleep(1 + 4 * interval)


def window(lab, nodes, seconds):
    """(adverts sent by `a`, {node: CPU in ns as Daemon.cpu has it}, seconds)."""
    before, sent, then = {n: lab.daemons[n].cpu() for n in nodes}, lab.sent("a"), time.monotonic()
    time.sleep(seconds)
    after, sent_after, now = {n: lab.daemons[n].cpu() for n in nodes}, lab.sent("a"), time.monotonic()
    used = {n: [y - x for x, y in zip(before[n], after[n])] for n in nodes}
    return sent_after - sent, used, now - then


def expect(adverts, count, interval, seconds):
    due = count / interval * seconds
    # A bunch more or less at the edges; anything else is another master or a silent one.
    if abs(adverts - due) > 0.03 * due + count:
        raise RuntimeError(f"{adverts} adverts where {due:.0f} are due")


def sent(setting, program):
    """CPU for each advert sent; the backup of the same program listens."""
    with Lab("ab", segments(setting.many)) as lab:
        start_pair(lab, program, {"b": program}, setting.many, 1)
        adverts, used, seconds = window(lab, "ab", setting.window)
        expect(adverts, setting.many, 1, seconds)
        loop, child, everything = used["a"]
        return {"sent": child / adverts / 1e3, "sent_loop": loop / adverts / 1e3,
                "sent_all": everything / adverts / 1e3}


def received(setting, programs):
    """CPU for each advert received: all programs listen to one and the same master, at the same time."""
    with Lab("abc", segments(setting.many)) as lab:
        start_pair(lab, programs["keepalived"], {"b": programs["keepalived"], "c": programs["relevo"]},
                   setting.many, 1)
        adverts, used, seconds = window(lab, "bc", setting.window)
        expect(adverts, setting.many, 1, seconds)
        return {name: {"received": used[node][1] / adverts / 1e3, "received_loop": used[node][0] / adverts / 1e3,
                       "received_all": used[node][2] / adverts / 1e3}
                for name, node in (("keepalived", "b"), ("relevo", "c"))}


def fast(setting, program):
    """Share of a CPU at ten adverts a second and instance."""
    with Lab("ab", segments(setting.many)) as lab:
        start_pair(lab, program, {"b": program}, setting.many, 0.1)
        adverts, used, seconds = window(lab, "ab", setting.window / 2)
        percent = {node: 100 * used[node][1] / 1e9 / seconds for node in "ab"}
        return {"fast_master": percent["a"], "fast_backup": percent["b"],
                "fast_adverts": adverts / seconds}


def quiet(setting, program, count, interval):
    """False transitions and the largest gap between adverts of one instance, in a steady state."""
    with Lab("ab", segments(count)) as lab:
        start_pair(lab, program, {"b": program}, count, interval)
        watcher = lab.watch()
        time.sleep(0.2)
        watcher.forget()
        end = time.monotonic() + setting.window
        while time.monotonic() < end:
            time.sleep(0.5)
            watcher.ask()
        false, worst, last = 0, 0, {}
        for event in sorted(e for e in watcher.events if e[1] == "advert"):
            stamp, _, segment, source, vrid, priority = event
            if source == lab.address("a", segment) and priority:
                worst = max(worst, stamp - last.get((segment, vrid), stamp))
                last[segment, vrid] = stamp
            else:
                false += 1
        return {"false": false, "gap": worst / 1e6, "heard": len(last)}


def first(events, kind, key):
    """{key: when first seen}."""
    found = {}
    for event in events:
        if event[1] == kind and (name := key(event)) is not None:
            found[name] = min(event[0], found.get(name, event[0]))
    return found


def term(setting, program):
    """SIGTERM to the master of all instances: when the backup has what."""
    count = setting.many
    with Lab("ab", segments(count)) as lab:
        start_pair(lab, program, {"b": program}, count, 1)
        watcher = lab.watch(nodes="ab")
        time.sleep(0.5)
        watcher.forget()
        now = lab.daemons["a"].terminate()
        vips = {vip(n) for n in range(count)}

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
        since = lambda values, best: (best(values) - now) / 1e6
        both = max((removed.get(a, max(removed.values(), default=0)) - added[a]) / 1e6 for a in vips)
        return {"term_late": late[-1], "term_median": late[len(late) // 2], "term_goodbyes": len(goodbye),
                "term_goodbye": since(goodbye.values(), max), "term_advert": since(taken.values(), max),
                "term_removed": since(removed.values(), max),
                "term_first_address": since(added.values(), min), "term_address": since(added.values(), max),
                "term_first_arp": since(arps.values(), min), "term_arp": since(arps.values(), max),
                "term_both": max(0, both)}


def burst(count, node, interval):
    vips = many_vips(count)
    return head(5) + instance("VI", "eth0", 51, PRIORITY[node], interval, vips[:20], vips[20:])


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
        time.sleep(7)
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
        time.sleep(9)
        adverts = sorted(e for e in watcher.ask() if e[1] == "advert")
        start = next(e[0] for e in adverts if e[3] == a)
        sources = [e[3] for e in adverts if e[0] >= start and e[5]]
        stamps = [e[0] for e in adverts if e[3] == a]
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
        start_pair(lab, program, {"b": program}, setting.many, interval)
        for role, node in (("master", "a"), ("backup", "b")):
            before = lab.sent("a")
            counts = trace(lab, node, 4)
            found[role] = counts, lab.sent("a") - before
    return found
