"""The report of a proof: figures into Markdown. Not for: making them (`proof`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from tests.durability import compactions, kills, outages, power_cuts
from tests.durability.ledger import Findings
from tests.durability.yardstick import Saved

HEAD = """\
# The proof that "saved" means saved

Written by `make proof`; [how it works](explanation/durability.md). *Acknowledged* is an update of which a client was
told that it is on disk. *Lost* is one that was acknowledged and was not there, by its clocks or by its characters, for
somebody who looked.
"""

KILLS_A_MINUTE = 15
IMAGES_A_MINUTE = 250
"""Half of what two slow cores manage, and what the shortest proof of 20 minutes has to have."""


@dataclass
class Proof:
    """Everything that one run found out."""

    command: str
    seed: int
    minutes: float
    """How long it was to take."""
    seconds: float = 0.0
    machine: Sequence[tuple[str, str]] = ()
    kills: kills.Figures = field(default_factory=kills.Figures)
    records: int = 0
    recorded: int = 0
    """Updates that were acknowledged while servers were recorded."""
    images: power_cuts.Figures = field(default_factory=power_cuts.Figures)
    runs: compactions.Figures = field(default_factory=compactions.Figures)
    processes: compactions.Figures = field(default_factory=compactions.Figures)
    outages: dict[str, outages.Figures] = field(default_factory=dict)
    saved_seconds: Sequence[float] = ()
    sync_seconds: Sequence[float] = ()
    yardstick: Saved | None = None
    """What the server counted under the yardstick's `typing`; None if it was not here."""

    @property
    def findings(self) -> Findings:
        total = self.kills.findings + self.images.findings + self.runs.findings + self.processes.findings
        return sum((each.findings for each in self.outages.values()), total)

    @property
    def large(self) -> bool:
        """Whether there was enough of everything, for its minutes, that something could have been found."""
        return (
            self.kills.kills.total() >= KILLS_A_MINUTE * self.minutes
            and self.images.images >= IMAGES_A_MINUTE * self.minutes
            and all(each.acknowledged for each in self.outages.values())
            and min(self.kills.acknowledged, self.images.with_receipts, self.runs.killed, len(self.outages)) > 0
        )

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled, brought back or damaged."""
        return not self.findings and not self.images.unsound

    @property
    def holds(self) -> bool:
        return self.sound and self.large

    @property
    def acknowledged(self) -> int:
        return self.kills.acknowledged + self.recorded + sum(each.acknowledged for each in self.outages.values())


def write(proof: Proof, path: Path) -> None:
    """Write the report; whoever reads it meanwhile reads the old one or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text(proof))
    new.replace(path)


def verdict(proof: Proof) -> str:
    """Return what came of it, in one sentence."""
    if not proof.sound:
        return "**This proof failed.**"
    return "Nothing acknowledged was lost." if proof.large else "**Nothing was lost, of too little to prove anything.**"


def text(proof: Proof) -> str:
    """Return the report."""
    found = proof.findings
    parts = [
        HEAD,
        f"{verdict(proof)} {proof.kills.kills.total():,} kills, {proof.images.images:,} power cuts, "
        f"{proof.acknowledged:,} acknowledged updates: {found.lost} lost, {found.doubled} doubled, "
        f"{found.resurrected} brought back, {len(proof.images.unsound)} databases unsound.\n",
        _table(
            ("", ""),
            [
                *proof.machine,
                ("Command", f"`{proof.command}`"),
                ("Seed", str(proof.seed)),
                ("Took", f"{proof.seconds / 60:.1f} minutes"),
            ],
        ),
        "## Kills (G1, G9)\n",
        f"{proof.kills.acknowledged:,} updates acknowledged of {proof.kills.sent:,} sent, documents read and compared "
        f"{proof.kills.readings:,} times: {proof.kills.findings.lost} lost.\n",
        _table(("killed", "times"), [(place, f"{number:,}") for place, number in sorted(proof.kills.kills.items())]),
        "## Power cuts (G2)\n",
        f"{proof.images.images:,} disks, {proof.images.with_receipts:,} of them of a moment at which something had "
        f"been acknowledged, made of {proof.records} recordings of {proof.recorded:,} acknowledged updates: "
        f"{proof.images.findings.lost} lost, {len(proof.images.unsound)} unsound.\n",
        "## Compaction (G7)\n",
        _table(
            ("", "documents", "compactors killed", "lost", "brought back"),
            [_compaction("in one process", proof.runs), _compaction("processes, SIGKILL", proof.processes)],
        ),
        "## Disks and databases that are not well (G11)\n",
        _table(
            ("what", "times", "acknowledged", "lost"),
            [
                (name, f"{each.outages:,}", f"{each.acknowledged:,}", str(each.findings.lost))
                for name, each in proof.outages.items()
            ],
        ),
        "## How long until it is saved\n",
        "From sending a character to hearing that it is on disk: 100 rooms of ten people, two of each ten typing ten "
        f"characters a second, {len(proof.saved_seconds):,} characters. The disk's own sync of 4 KiB was measured just "
        "before.\n",
        _table(
            ("milliseconds", "median", "95 %", "99 %"),
            [_times("saved", proof.saved_seconds), _times("the disk's sync", proof.sync_seconds)],
        ),
        _yardstick(proof.yardstick),
    ]
    return "\n".join(parts)


def _compaction(name: str, figures: compactions.Figures) -> tuple[str, ...]:
    found = figures.findings
    return name, f"{figures.runs:,}", f"{figures.killed:,}", str(found.lost), str(found.resurrected)


def _yardstick(saved: Saved | None) -> str:
    if saved is None:
        return "The yardstick was not here, so its own `typing` was not measured.\n"
    median, most, nearly_all = (f"{saved.quantile(share) * 1000:.1f}" for share in (0.5, 0.95, 0.99))
    return (
        "Under the scenario `typing` of the yardstick, by the server's own histogram (`collab_saved_seconds` of "
        f"`/metrics`, from when an edit was received until it is on disk; {saved.count:,} turns): median "
        f"{median} ms, 95 % {most} ms, 99 % {nearly_all} ms, reckoned between the bounds of its buckets.\n"
    )


def _times(name: str, seconds: Sequence[float]) -> tuple[str, ...]:
    if len(seconds) < 2:
        return name, "-", "-", "-"
    cuts = quantiles(seconds, n=100)
    return (name, *(f"{cuts[at - 1] * 1000:.1f}" for at in (50, 95, 99)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
