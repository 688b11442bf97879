#!/usr/bin/env python3
"""The path under load, relevo beside keepalived: what an advert costs, and what bursts do to it.

Both daemons run in turn (A B A B ..) on the same configuration, in namespaces of their own. A line of
the table has the medians, their ratio, the same ratio of keepalived's own runs (every second one
against the others: what the machine adds by itself), and what is aimed at.

Needs root, the standard library, iproute2, util-linux, strace and the two daemons.
"""
import argparse, itertools, os, shutil, signal, sys, time

sys.dont_write_bytecode = True

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases
from lab import say, sweep

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = ["sent", "term", "received", "fast", "quiet", "addresses", "syscalls"]
# metric: (words, unit, aim, kind of the aim). Kinds: "ratio" to keepalived's median, "later" than it by, ratio
# to the bare loop ("floor"), own "median", "worst" of the own runs.
METRICS = {
    "sent": ("CPU for each advert sent", "us", 0.4, "ratio"),
    "sent_loop": ("- of that, main thread", "us", None, ""),
    "sent_all": ("- all processes", "us", None, ""),
    "sent_sleeps": ("sleeps of the main thread for each", "", None, ""),
    "sent_backup": ("CPU of its own backup for each", "us", None, ""),
    "received": ("CPU for each advert received", "us", 0.6, "ratio"),
    "received_loop": ("- of that, main thread", "us", None, ""),
    "received_all": ("- all processes", "us", None, ""),
    "received_sleeps": ("sleeps of the main thread for each", "", None, ""),
    "fast_master": ("CPU of the master at 0.1 s", "%", 0.5, "ratio"),
    "fast_backup": ("CPU of its own backup at 0.1 s", "%", None, ""),
    "fast_adverts": ("adverts a second at 0.1 s", "", None, ""),
    "false": ("false transitions", "", 0, "worst"),
    "gap": ("largest advert gap", "ms", None, ""),
    "heard": ("instances heard", "", None, ""),
    "term_late": ("last first-advert, late by", "ms", 10, "median"),
    "term_median": ("median first-advert, late by", "ms", None, ""),
    "term_goodbyes": ("priority-0 adverts", "", None, ""),
    "term_goodbye": ("SIGTERM to last priority 0", "ms", None, ""),
    "term_advert": ("SIGTERM to last first-advert", "ms", None, ""),
    "term_removed": ("SIGTERM to last address gone", "ms", None, ""),
    "term_first_address": ("SIGTERM to first address", "ms", None, ""),
    "term_address": ("SIGTERM to last address", "ms", 1, "later"),
    "term_first_arp": ("SIGTERM to first ARP", "ms", 1, "later"),
    "term_arp": ("SIGTERM to last address's first ARP", "ms", 1, "later"),
    "term_both": ("longest time on both hosts", "ms", None, ""),
    "install": ("first advert to last address", "ms", 1.3, "floor"),
    "install_first": ("first advert to first address", "ms", None, ""),
    "install_arp": ("first advert to last first ARP", "ms", None, ""),
    "install_gap": ("largest advert gap at 1 s", "ms", 1050, "worst"),
    "takeovers": ("false takeovers at 0.1 s", "", 0, "worst"),
    "takeover_gap": ("largest advert gap at 0.1 s", "ms", None, ""),
}
STARTED = time.monotonic()
LINE = "{:<36} {:>16} {:>16} {:>6} {:>6}  {}"


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def shown(values, unit):
    """Median and the worst run."""
    if not values:
        return "-"
    digits = lambda v: f"{v:.0f}" if v == int(v) or abs(v) >= 1000 else f"{v:.2f}" if abs(v) < 100 else f"{v:.1f}"
    text = digits(median(values))
    return f"{text} ({digits(max(values))})" if len(values) > 1 else text


def over(a, b):
    return median(a) / median(b) if a and b and median(b) > 0 else None


def verdict(metric, ours, theirs, bare):
    words, unit, aim, kind = METRICS[metric]
    if not kind or not ours:
        return ""
    got = {"ratio": lambda: over(ours, theirs), "floor": lambda: over(ours, bare),
           "later": lambda: median(ours) - median(theirs) if theirs else None,
           "worst": lambda: max(ours), "median": lambda: median(ours)}[kind]()
    if got is None:
        return ""
    what = {"ratio": "of keepalived's", "floor": f"of the bare loop's {median(bare):.1f} {unit}" if bare else "",
            "later": f"{unit} later than keepalived", "worst": unit + " at worst", "median": unit}[kind]
    mark = "ok" if got <= aim else "MISSED"
    return f"{mark}: {got:.2f} (at most {aim:g}) {what}"


class Table:
    def __init__(self):
        self.missed = self.failed = 0

    def title(self, text):
        print(f"\n## {text}   [load {os.getloadavg()[0]:.1f}]")
        print(LINE.format("median (worst run)", "relevo", "keepalived", "ratio", "noise", "aim").rstrip(), flush=True)

    def rows(self, results):
        names = dict.fromkeys(metric for values in results.values() for one in values for metric in one)
        for metric in names:
            column = {name: [one[metric] for one in values if metric in one] for name, values in results.items()}
            ours, theirs = column.get("relevo", []), column.get("keepalived", [])
            words, unit = METRICS[metric][:2]
            ratio, noise = over(ours, theirs), over(theirs[::2], theirs[1::2])
            judged = verdict(metric, ours, theirs, column.get("bare", []))
            self.missed += judged.startswith("MISSED")
            number = lambda v: "-" if v is None else f"{v:.2f}"
            print(LINE.format(f"{words} {unit and '[' + unit + ']'}", shown(ours, unit), shown(theirs, unit),
                              number(ratio), number(noise), judged).rstrip(), flush=True)


def in_turn(table, what, runs, sides, measure):
    """{side: [results]}; a run that fails is told, and counts as none."""
    results = {side: [] for side in sides}
    for number in range(runs):
        for side in sides:
            then = time.monotonic()
            try:
                results[side].append(measure(side))
                outcome = ""
            except Exception as error:
                outcome = f" FAILED: {type(error).__name__}: {error}"
                table.failed += 1
            say(f"  {what}, run {number + 1} of {runs}, {side}: {time.monotonic() - then:.1f} s{outcome}")
    return results


def do_pair(table, setting, programs):
    which = [case for case in ("sent", "term") if case in setting.cases]
    results = in_turn(table, " and ".join(which), setting.runs, programs,
                      lambda side: cases.pair(setting, programs[side], which))
    titles = {"sent": "sent: {} instances at 1 s, the master", "term": "term: SIGTERM to the master of {} instances at 1 s"}
    for case in which:
        table.title(titles[case].format(setting.many))
        table.rows({name: [one[case] for one in values] for name, values in results.items()})


def do_received(table, setting, programs):
    swapped = itertools.cycle((False, True))
    both = in_turn(table, "received", setting.runs, ["side by side"],
                   lambda _: cases.received(setting, programs, next(swapped)))
    table.title(f"received: {setting.many} instances at 1 s, both backups behind one keepalived")
    table.rows({name: [one[name] for one in both["side by side"]] for name in programs})


def do_fast(table, setting, programs):
    results = in_turn(table, "fast", setting.runs, programs, lambda side: cases.fast(setting, programs[side]))
    table.title(f"fast: {setting.many} instances at 0.1 s")
    table.rows(results)


def do_quiet(table, setting, programs):
    for count, interval in ((2 * setting.many, 1), (setting.many // 10, 0.01)):
        results = in_turn(table, f"quiet {count}", 1, programs,
                          lambda side: cases.quiet(setting, programs[side], count, interval))
        table.title(f"quiet: {count} instances at {interval:g} s for {setting.window:g} s")
        table.rows(results)


def do_addresses(table, setting, programs):
    def measure(side):
        return cases.bare(setting) if side == "bare" else cases.addresses(setting, programs[side])

    results = in_turn(table, "addresses", setting.runs, [*programs, "bare"], measure)
    table.title(f"addresses: {setting.addresses} on one instance at 1 s")
    table.rows(results)
    results = in_turn(table, "takeovers", setting.runs, programs, lambda side: cases.takeovers(setting, programs[side]))
    table.title(f"addresses: {setting.addresses} on one instance at 0.1 s, both nodes start")
    table.rows(results)


def rates(counts, adverts):
    """{system call: times for each wake-up}, and a line of it, the most frequent first."""
    waits = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "select", "pselect6", "poll", "ppoll")
    wakes = max(1, sum(counts.get(name, 0) for name in waits))
    order = sorted(counts.items(), key=lambda item: -item[1])[:8]
    line = ", ".join(f"{name} {count / wakes:.2f} ({count / max(1, adverts):.3f})" for name, count in order)
    return wakes, {name: count / wakes for name, count in counts.items()}, line


def do_syscalls(table, setting, programs):
    if not shutil.which("strace"):
        say("  syscalls: strace is missing")
        return
    sockets = cases.segments(setting.many)
    # A read that finds nothing, or a look before a timer, may come on top now and then.
    aims = {"timerfd_settime": 1.0, "sendmmsg": sockets * 1.0, "recvmmsg": sockets * 1.1}
    for interval in (1, 0.1):
        found = in_turn(table, f"syscalls at {interval:g} s", 1, programs,
                        lambda side: cases.syscalls(setting, programs[side], interval))
        print(f"\n## syscalls: {setting.many} instances on {sockets} sockets at {interval:g} s, while traced (which slows)")
        print(f"{'':<20} {'wake-ups':>9} {'adverts':>8}  calls for each wake-up (and for each advert)", flush=True)
        for side, runs in found.items():
            for role, (counts, adverts) in (runs[0].items() if runs else ()):
                wakes, each, line = rates(counts, adverts)
                print(f"{side + ' ' + role:<20} {wakes:>9} {adverts:>8}  {line}", flush=True)
                for name, aim in aims.items():
                    if side == "relevo" and each.get(name, 0) > aim:
                        table.missed += 1
                        print(f"{'':<20} MISSED: {name} {each[name]:.2f} for each wake-up (at most {aim:g})", flush=True)


def options(about, known, many):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.join(HERE, "..", "..")
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--relevo", default=os.environ.get("RELEVO_BIN", os.path.join(target, "release", "relevo")))
    parser.add_argument("--keepalived", default=shutil.which("keepalived", path=os.environ["PATH"] + ":/usr/sbin"))
    parser.add_argument("--runs", type=int, help="a side (default 5)")
    parser.add_argument("--window", type=float, help="seconds of steady state (default 10)")
    parser.add_argument("--many", type=int, default=many, help="instances")
    parser.add_argument("--addresses", type=int, default=5000)
    parser.add_argument("--quick", action="store_true", help="one run of each, short windows")
    setting = parser.parse_args()
    if unknown := set(setting.cases) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    setting.cases = setting.cases or known
    setting.runs = setting.runs or (1 if setting.quick else 5)
    setting.window = setting.window or (5 if setting.quick else 10)
    return setting


def begin(script, setting):
    """{side: program}, when everything is there."""
    if os.geteuid() != 0:
        sys.exit(f"{script}: needs root, to make network namespaces")
    if not setting.keepalived or not os.path.exists(setting.relevo):
        sys.exit(f"{script}: needs both daemons (--relevo, --keepalived)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"{script}: WARNING: load average {load:.1f} at begin: latencies below are the neighbours' too")
    sweep()
    return {"relevo": os.path.realpath(setting.relevo), "keepalived": setting.keepalived}


def end(table):
    print(f"\n{time.monotonic() - STARTED:.0f} s, load {os.getloadavg()[0]:.1f}; {table.missed} aims missed, {table.failed} runs failed")
    return 1 if table.failed else 0


def main():
    setting = options(__doc__, CASES, many=1000)
    programs = begin("scale.py", setting)
    table = Table()
    steps = {"sent": do_pair, "term": do_pair, "received": do_received, "fast": do_fast, "quiet": do_quiet,
             "addresses": do_addresses, "syscalls": do_syscalls}
    try:
        for step in dict.fromkeys(steps[case] for case in CASES if case in setting.cases):
            step(table, setting, programs)
    except KeyboardInterrupt:
        sys.exit("scale.py: interrupted")
    return end(table)


if __name__ == "__main__":
    sys.exit(main())
