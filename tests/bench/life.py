#!/usr/bin/env python3
"""What the daemon's anatomy costs: its start, its rest.

  start   2,000 instances: from exec to the last instance's first advert, less the protocol's own wait
  idle    two instances: memory of all processes, and how often they wake up

Both daemons run in turn on the same configuration. Needs what scale.py needs.
"""
import os, re, sys, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases, scale
from lab import Lab, descendants, say, sweep

CASES = ["start", "idle"]
PRIORITY = cases.PRIORITY["a"]
scale.METRICS.update({
    "start": ("start beyond the protocol's wait", "ms", 0.5, "ratio"),
    "start_first": ("- the first instance", "ms", None, ""),
    "idle_anonymous": ("anonymous memory, all processes", "KiB", 1331, "median"),
    "idle_resident": ("resident memory, all processes", "KiB", None, ""),
    "idle_processes": ("processes", "", None, ""),
    "idle_threads": ("threads", "", None, ""),
    "idle_wakes": ("wake-ups a second, all threads", "", None, ""),
    "idle_adverts": ("adverts a second", "", None, ""),
})


def wait_us(interval_us):
    """Master-down interval of priority 200 in version 3, in microseconds."""
    return 3 * interval_us + (256 - PRIORITY) * interval_us // 256


def start(setting, program):
    """Elected alone: what comes on top of three intervals and the skew time is the start's."""
    with Lab("a", cases.segments(setting.many)) as lab:
        watcher = lab.watch()
        daemon = lab.start("a", program, cases.many(setting.many, "a", 1))
        keys = lambda events: {(e[2], e[4]): e[0] for e in reversed(events) if e[1] == "advert"}
        enough = lambda events: len(keys(events)) == setting.many
        watcher.wait(enough, 60, f"{setting.many} instances", 0.3)
        first = sorted(keys(watcher.events).values())
        beyond = lambda stamp: (stamp - daemon.started) / 1e6 - wait_us(1_000_000) / 1e3
        return {"start": beyond(first[-1]), "start_first": beyond(first[0])}


def of_status(pid, word):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(rf"^{word}:\s+(\d+)", status.read(), re.M).group(1))


def wakes(pids):
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as status:
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M).group(1))
    return total


def idle(setting, program):
    """A master of two instances that nothing happens to."""
    with Lab("a", 1) as lab:
        daemon = lab.start("a", program, cases.many(2, "a", 1))
        daemon.vrrp_pid()
        time.sleep(8)
        # The wrappers have become the daemon by now.
        pids = descendants(daemon.process.pid)
        before, sent, then = wakes(pids), lab.sent("a"), time.monotonic()
        time.sleep(2 * setting.window)
        passed = time.monotonic() - then
        return {
            "idle_anonymous": sum(of_status(pid, "RssAnon") for pid in pids),
            "idle_resident": sum(of_status(pid, "VmRSS") for pid in pids),
            "idle_processes": len(pids),
            "idle_threads": sum(of_status(pid, "Threads") for pid in pids),
            "idle_wakes": (wakes(pids) - before) / passed,
            "idle_adverts": (lab.sent("a") - sent) / passed,
        }


def main():
    setting = scale.options(__doc__, CASES, many=2000)
    programs = scale.begin("life.py", setting)
    table = scale.Table()
    titles = {"start": f"start: {setting.many} instances", "idle": "idle: two instances, master of both"}
    for case, measure in (("start", start), ("idle", idle)):
        if case in setting.cases:
            results = scale.in_turn(table, case, setting.runs, programs, lambda side: measure(setting, programs[side]))
            table.title(titles[case])
            table.rows(results)
    return scale.end(table)


if __name__ == "__main__":
    sys.exit(main())
