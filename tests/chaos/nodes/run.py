"""A whole run: a site under load, and one fault after the other."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from tests.chaos.nodes.clients import Load
from tests.chaos.nodes.faults import FAULTS, REFUSING, Fault, Stage
from tests.chaos.nodes.figures import WINDOW, WITHIN, Effect, recovered
from tests.chaos.nodes.hot_run import WRITERS, HotRun
from tests.chaos.nodes.site import THREADS, Site, site
from tests.chaos.nodes.totals import Totals
from tests.chaos.verify import Verification

# Seconds of the usual load before each fault, by which the load after it is judged: in the short and the long form.
_BEFORE, _BEFORE_LONG = 4, 15

# The share of what clients send that is answered when the machine does nothing else, and how often that is waited for.
_CALM, _MOMENTS = 0.9, 3

# Seconds after a fault for which the load is looked at, at most.
_LOOKED_AT = 30

# Sessions of a node besides those of its threads: of the thread for large requests, and of what runs in the background.
_OTHER_SESSIONS = 4

# Its threads besides those that serve requests: that of the loop, those of the pool, and so on.
_OTHER_THREADS = 12

Report = Callable[[str], None]


class Nodes:
    """A run.

    :param long: minutes for each fault that matters only then, and several rounds
    :ivar effects: of each fault
    :ivar broken: promises, as lines
    """

    def __init__(self, directory: Path, seed: int, report: Report, *, long: bool = False) -> None:
        self.effects: list[Effect] = []
        self.broken: list[str] = []
        self.summary: list[str] = []
        self._directory, self._seed, self._report, self._long = directory, seed, report, long
        self._dice = Random(seed)

    def run(self, rounds: int, hot_seconds: float, only: str = "") -> None:
        """Go through all faults so many times, then let many write to one run.

        :param only: leave out faults without this in their name
        """
        with site(self._directory) as running, Load(running, self._seed) as load, Totals(running) as totals:
            self._report(f"{len(running.nodes)} nodes of {THREADS} threads, {len(load.clients)} writers")
            for _ in range(rounds):
                self._go_through(running, load, [fault for fault in FAULTS if only in fault.name])
            refusing = [fault for fault in REFUSING if only in fault.name and (self._long or not fault.only_long)]
            if refusing:
                running.set("FOREMAN_RATE_LIMIT_OUTAGE", "refuse")
                self._go_through(running, load, refusing)
            with load.paused():
                self.broken += self._compare(load, everything=True)
                if hot_seconds:
                    self._write_to_one_run(running, load, hot_seconds)
                time.sleep(3)
                self._look_for_leaks(running)
            self.broken += totals.violations
            acknowledged = sum(client.acknowledged for client in load.clients)
            stored = sum(client.stored for client in load.clients)
            not_stored = sum(client.not_stored for client in load.clients)
            self.summary += [
                f"{acknowledged} writes acknowledged and compared, {len(load.record.successes(0, time.monotonic()))} "
                f"requests answered, the slowest after {load.record.slowest:.1f} s",
                f"{stored + not_stored} writes failed: {stored} were stored, {not_stored} were not and were sent again",
                f"totals compared with counting {totals.compared} times, {len(totals.violations)} differences",
            ]

    def _go_through(self, running: Site, load: Load, faults: Sequence[Fault]) -> None:
        for fault in faults:
            effect = self._one(running, load, fault)
            broken = effect.broken(fault.may)
            if broken and not effect.violations and not effect.kinds.keys() - set(fault.may):
                # Only the rate: others use this machine, too. Twice in a row is no coincidence.
                self._report(f"{broken[0]}: once more")
                effect = self._one(running, load, fault)
                broken = effect.broken(fault.may)
            self.effects.append(effect)
            self.broken += broken
            said = ", ".join(f"{number} x {kind}" for kind, number in sorted(effect.kinds.items())) or "nothing failed"
            after = "?" if effect.recovered is None else f"{effect.recovered:.0f} s"
            self._report(
                f"{fault.name}: {effect.usual:.0f} requests/s; {said}; longest gap {effect.gap:.1f} s; as before after "
                f"{after}; {'; '.join(effect.notes)} {'BROKEN' if broken else 'ok'}"
            )
            for line in broken[:10]:
                self._report(f"    {line}")

    def _one(self, running: Site, load: Load, fault: Fault) -> Effect:
        with load.front() as api:
            entry = load.owner.share(api)
        load.shared[entry.run_id] = entry
        for client in load.sharing:
            client.join(entry)
        time.sleep(0.5)
        usual = self._usual(load)
        stage = Stage(running, load, self._dice, self._long, [], [])
        if usual < _CALM * load.offered:
            stage.notes.append(
                f"on a machine so busy that it answered {usual:.0f} of {load.offered:.0f} a second before"
            )
        begin = time.monotonic()
        fault.do(stage)
        end = time.monotonic()
        took = None
        while took is None and time.monotonic() < end + _LOOKED_AT:
            time.sleep(0.5)
            took = recovered(load.record, usual, end, time.monotonic())
        time.sleep(max(0.0, end + (WITHIN if self._long else WINDOW) - time.monotonic()))
        now = time.monotonic()
        effect = Effect(fault.name, usual, load.record.kinds(begin, now), load.record.longest_gap(begin, now), took,
                        stage.notes, stage.violations)  # fmt: skip
        during = load.record.buckets(begin, end)
        if during:
            effect.notes = [*effect.notes, f"{sum(during) / len(during) / usual:.0%} of the usual rate during it"]
        with load.paused():
            effect.violations += self._compare(load, everything=False)
        self._examples(load, begin, now, fault)
        if took is None or took > WINDOW:
            rates = load.record.buckets(begin, now)
            self._report(f"    answered in each second; it ended after {end - begin:.0f}: {' '.join(map(str, rates))}")
        return effect

    def _usual(self, load: Load) -> float:
        """Requests answered per second without a fault, if possible while others leave the machine to this."""
        for _ in range(_MOMENTS):
            began = time.monotonic()
            time.sleep(_BEFORE_LONG if self._long else _BEFORE)
            usual = load.record.usual(began, time.monotonic())
            if usual >= _CALM * load.offered:
                break
        return usual

    def _examples(self, load: Load, begin: float, end: float, fault: Fault) -> None:
        """Say of some failures that may not be what they were."""
        for each in [each for each in load.record.failures(begin, end) if each.kind not in fault.may][:3]:
            self._report(f"    {each.at - begin:.1f} s after its begin: {each.kind}: {each.what}")

    def _compare(self, load: Load, *, everything: bool) -> list[str]:
        """Compare what the nodes have with what clients were told; nobody may be writing."""
        verification = Verification([load.owner, *load.clients], load.shared, [])
        with load.front() as api:
            verification.over(api, everything=everything)
        return [*load.violations(), *verification.violations]

    def _write_to_one_run(self, running: Site, load: Load, seconds: float) -> None:
        before = running.deadlocks()
        begin = time.monotonic()
        hot = HotRun(load)
        hot.work(seconds)
        deadlocks = running.deadlocks() - before
        failed = load.record.kinds(begin, time.monotonic())
        line = (
            f"{WRITERS} writers on one run for {seconds:.0f} s: {hot.answered} writes, {hot.answered / seconds:.0f} a "
            f"second, {deadlocks} deadlocks, failed: {dict(failed)}"
        )
        self._report(line)
        self.summary.append(line)
        if deadlocks or hot.violations or failed:
            self.broken += [line, *hot.violations[:20]]

    def _look_for_leaks(self, running: Site) -> None:
        """Look at the nodes and their sessions when nothing is asked of them."""
        sessions = running.sessions()
        deadlocks = running.deadlocks()
        self.summary.append(f"{deadlocks} deadlocks in all; sessions at the end: {sessions}")
        if deadlocks:
            self.broken.append(f"{deadlocks} deadlocks")
        for node in running.nodes:
            mine = {state: number for (name, state), number in sessions.items() if name == node.name}
            self.summary.append(f"{node.name}: {node.threads()} threads, {node.descriptors()} descriptors, {mine}")
            if sum(mine.values()) > THREADS + _OTHER_SESSIONS or set(mine) - {"idle"}:
                self.broken.append(f"{node.name} has the sessions {mine} although nobody asks it anything")
            if node.threads() > THREADS + _OTHER_THREADS:
                self.broken.append(f"{node.name} has {node.threads()} threads")
            said = node.said()
            for sign in ("Unexpected error", "Exception in thread", "threads are still busy", "ResourceWarning"):
                if sign in said:
                    at = said.index(sign)
                    self.broken.append(f"{node.name} has logged {said.count(sign)} times: {said[at : at + 1500]}")
