#!/usr/bin/env python3
"""Reload with one change among many, relevo beside keepalived, in turn (A B A B ..).

Every instance is master. The one in the middle gets another priority and one more address; the others
stay. Measured from SIGHUP: the first advert with the new priority, the new address in the kernel; the
lateness of every other instance's adverts in a window around it and in one of the same length before
it; and what the kernel's addresses did beyond that one.

Needs root, the standard library, iproute2, util-linux and the two daemons.
"""
import os, sys, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases, scale
from lab import PER_SEGMENT, Lab, say

INTERVAL = 1
WINDOW = 4
SAMPLES = 3
# Milliseconds that keepalived needs on the machine that the aims are from.
COUNTS = (255, 2000)
scale.METRICS.update({
    "effect": ("SIGHUP to first advert with the change", "ms", 0.6, "ratio"),
    "address": ("SIGHUP to the new address", "ms", 0.6, "ratio"),
    "late": ("lateness of the others' adverts, p99", "ms", None, ""),
    "late_before": ("- the same without a reload", "ms", None, ""),
    "late_more": ("- more than without, p99", "ms", None, ""),
    "late_worst": ("- latest", "ms", None, ""),
    "beyond": ("addresses added or removed beyond it", "", 0, "worst"),
    "extra": ("adverts of others out of turn", "", None, ""),
    "goodbyes": ("priority-0 adverts", "", 0, "worst"),
})


def configuration(count, changed):
    """`changed` tells whether the one in the middle is in its other form."""
    text = [cases.head()]
    for n in range(count):
        other = changed and n == count // 2
        addresses = [cases.vip(n)] + (["10.49.0.1"] if other else [])
        text.append(cases.instance(f"VI_{n}", f"eth{n // PER_SEGMENT}", n % PER_SEGMENT + 1,
                                   190 if other else 200, INTERVAL, addresses))
    return "".join(text)


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0


def lateness(events, key, begin, end):
    """How late each advert of another instance came, in ms, and how many came out of turn."""
    last, late, early = {}, [], 0
    for event in events:
        if event[1] != "advert":
            continue
        who = (event[2], event[4])
        if who == key:
            continue
        if who in last and begin <= event[0] < end:
            gap = (event[0] - last[who]) / 1e6 - INTERVAL * 1000
            late.append(max(0, gap))
            early += gap < -300
        last[who] = event[0]
    return late, early


def one(lab, daemon, watcher, count, changed):
    key = ((count // 2) // PER_SEGMENT, (count // 2) % PER_SEGMENT + 1)
    watcher.forget()
    time.sleep(INTERVAL + WINDOW)
    with open(daemon.conf + ".new", "w") as out:
        out.write(configuration(count, changed))
    os.replace(daemon.conf + ".new", daemon.conf)
    at = time.time_ns()
    daemon.process.send_signal(1)
    priority, change = (190, "added") if changed else (200, "removed")
    effect = watcher.wait(lambda events: next((e[0] for e in events if e[1] == "advert" and e[0] > at
                                               and (e[2], e[4]) == key and e[5] == priority), 0), 60, "the advert")
    address = watcher.wait(lambda events: next((e[0] for e in events if e[1] == change and e[0] > at
                                                and e[3] == "10.49.0.1"), 0), 60, "the address")
    rest = at / 1e9 + WINDOW - time.time()
    time.sleep(max(rest, 0.5))
    events = watcher.ask()
    span = WINDOW * 1_000_000_000
    before, _ = lateness(events, key, at - span, at)
    during, early = lateness(events, key, at, at + span)
    moved = [e for e in events if e[1] in ("added", "removed") and e[0] > at]
    p99 = percentile(during, 0.99), percentile(before, 0.99)
    return {"effect": (effect - at) / 1e6, "address": (address - at) / 1e6, "late": p99[0], "late_before": p99[1],
            "late_more": p99[0] - p99[1], "late_worst": max(during, default=0), "beyond": len(moved) - 1,
            "extra": early, "goodbyes": sum(e[1] == "advert" and e[5] == 0 and e[0] > at for e in events)}


def measure(count, program):
    with Lab("a", cases.segments(count)) as lab:
        daemon = lab.start("a", program, configuration(count, False))
        daemon.vrrp_pid()
        time.sleep(5)
        cases.settle(lab, count, INTERVAL, 60)
        watcher = lab.watch(nodes="a")
        # To and fro, so that each begins where the last but one did.
        results = [one(lab, daemon, watcher, count, number % 2 == 0) for number in range(SAMPLES)]
        return {name: scale.median([result[name] for result in results]) for name in results[0]}


def main():
    known = [str(count) for count in COUNTS]
    setting = scale.options(__doc__, known, many=0)
    programs = scale.begin("reload.py", setting)
    table = scale.Table()
    for count in map(int, setting.cases):
        results = scale.in_turn(table, f"reload {count}", setting.runs, programs,
                                lambda side: measure(count, programs[side]))
        table.title(f"reload of {count} instances at {INTERVAL} s, one of them changed")
        table.rows(results)
    return scale.end(table)


if __name__ == "__main__":
    sys.exit(main())
