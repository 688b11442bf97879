#!/usr/bin/env python3
"""What checking a configuration costs: `-t` of both daemons on the same file, in turn.

The processor time is that of the whole process as the kernel counts it, the memory its peak. Each
case runs so many times a side, one side after the other, and medians are told. Needs root: the
interfaces that the files name exist in a network namespace of the run.
"""
import argparse, ctypes, os, statistics, subprocess, sys, tempfile

from lab import CLONE_NEWNET, LIBC, MARK, enter, remove, run, say, sweep

HERE = os.path.dirname(os.path.abspath(__file__))
PER_INTERFACE = 250
PER_SERVICE = 50


def servers(count):
    """Services with fifty servers each, all checked."""
    lines = ["global_defs {", "    router_id bench", "}"]
    for service in range(-(-count // PER_SERVICE)):
        lines += [f"virtual_server 10.{service // 250 % 250}.{service % 250}.1 {80 + service // 62500} {{",
                  "    delay_loop 6", "    lvs_sched wrr", "    lvs_method NAT", "    protocol TCP"]
        for server in range(min(PER_SERVICE, count - service * PER_SERVICE)):
            lines += [f"    real_server 172.{service // 250 % 250}.{service % 250}.{server + 1} 8080 {{",
                      "        weight 10", "        inhibit_on_failure", "        TCP_CHECK {",
                      "            connect_timeout 3", "            retry 2",
                      "            delay_before_retry 1", "        }", "    }"]
        lines.append("}")
    return "\n".join(lines + [""])


def instances(count, addresses=20):
    """Instances with so many addresses each."""
    lines = ["global_defs {", "    router_id bench", "}"]
    for number in range(count):
        interface = f"eth{number // PER_INTERFACE}"
        lines += [f"vrrp_instance VI_{number} {{", "    state BACKUP", f"    interface {interface}",
                  f"    virtual_router_id {number % PER_INTERFACE + 1}", "    priority 100",
                  "    advert_int 1", "    virtual_ipaddress {"]
        first = number * addresses
        lines += [f"        10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}/32 dev {interface}"
                  for n in range(first, first + addresses)]
        lines += ["    }", "}"]
    return "\n".join(lines + [""])


def check(program, path):
    """Processor seconds, peak memory in KiB and exit code of one check."""
    # A process counts the memory of the one that it was forked from: `time` is a small one.
    words = ["time", "-q", "-f", "%M", "-o", path + ".kib", program, "-t", "-f", path]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    with open(path + ".kib") as handle:
        peak = int(handle.read())
    return used.ru_utime + used.ru_stime, peak, child.returncode


def measure(programs, text, runs):
    """{program: [(seconds, KiB, code)]}, the sides in turn."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "check.conf")
        with open(path, "w") as handle:
            handle.write(text)
        found = {name: [] for name in programs}
        for _ in range(runs):
            for name, program in programs.items():
                found[name].append(check(program, path))
    return found


def show(title, count, found):
    """Prints one row; returns ours as a share of the original's time and memory."""
    median = {name: [statistics.median(one[part] for one in runs) for part in (0, 1)]
              for name, runs in found.items()}
    (ours, ours_kib), (theirs, theirs_kib) = median["relevo"], median["keepalived"]
    codes = "/".join(str(found[name][0][2]) for name in ("relevo", "keepalived"))
    print(f"{title:28} {ours * 1e3:9.1f} ms {theirs * 1e3:9.1f} ms {ours / theirs:6.2f}"
          f" {ours * 1e6 / count:8.2f} us {theirs * 1e6 / count:8.2f} us"
          f" {ours_kib / 1024:8.1f} MiB {theirs_kib / 1024:8.1f} MiB   {codes}", flush=True)
    return ours / theirs, ours_kib / theirs_kib, ours / count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--relevo", default=os.path.join(HERE, "../../target/release/relevo"))
    parser.add_argument("--keepalived", default="keepalived")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a run of each, and no more than 50,000 servers")
    wish = parser.parse_args()
    programs = {"relevo": wish.relevo, "keepalived": wish.keepalived}
    runs = 1 if wish.quick else wish.runs
    sweep()
    space = f"{MARK}{os.getpid()}xt"
    run("ip", "netns", "add", space)
    good = True
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        enter(space)
        for number in range(8):
            run("ip", "link", "add", f"eth{number}", "type", "veth", "peer", "name", f"peer{number}")
        print(f"{'':28} {'relevo':>12} {'keepalived':>12} {'share':>6} {'for each':>11} {'for each':>11}"
              f" {'peak':>12} {'peak':>12}   exit")
        time, memory, _ = show("2,000 instances, 20 each", 2_000, measure(programs, instances(2_000), runs))
        good &= time <= 1 / 3 and memory <= 1
        each = []
        for count in (1_000, 10_000, 50_000) + (() if wish.quick else (200_000,)):
            time, memory, one = show(f"{count:,} servers", count, measure(programs, servers(count), runs))
            each.append(one)
            if count == 50_000:
                good &= time <= 1 / 3 and memory <= 1
        # The first pays for the start of the process.
        linear = each[-1] / each[1]
        print(f"a server of the largest file costs {linear:.2f} times one of the file of 10,000")
        good &= linear < 1.3
    finally:
        # What is left in the namespace is ended with it.
        if LIBC.setns(own, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        remove(space)
    say("all as promised" if good else "NOT as promised: a third of the time, no more memory, linear")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
