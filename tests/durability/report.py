"""The report of a proof: figures into Markdown. Not for: making them (`proof`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from tests.durability import compactions, kills, outages, power_cuts
from tests.durability.ledger import Findings

HEAD = """\
# The proof that "saved" means saved

Written by `make proof`; [how it works](explanation/durability.md). *Acknowledged* is an update of which a client was
told that it is on disk. *Lost* is one that was acknowledged and was not there, by its clocks or by its characters, for
somebody who looked.
"""


@dataclass
class Proof:
    """Everything that one run found out."""

    command: str
    seed: int
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

    @property
    def findings(self) -> Findings:
        total = self.kills.findings + self.images.findings + self.runs.findings + self.processes.findings
        return sum((each.findings for each in self.outages.values()), total)

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled, brought back or damaged."""
        return not self.findings and not self.images.unsound

    @property
    def acknowledged(self) -> int:
        return self.kills.acknowledged + self.recorded + sum(each.acknowledged for each in self.outages.values())


def write(proof: Proof, path: Path) -> None:
    """Write the report; whoever reads it meanwhile reads the old one or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text(proof))
    new.replace(path)


def text(proof: Proof) -> str:
    """Return the report."""
    found = proof.findings
    verdict = "Nothing acknowledged was lost." if proof.holds else "**This proof failed.**"
    parts = [
        HEAD,
        f"{verdict} {proof.kills.kills.total():,} kills, {proof.images.images:,} power cuts, "
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
    ]
    return "\n".join(parts)


def _compaction(name: str, figures: compactions.Figures) -> tuple[str, ...]:
    found = figures.findings
    return name, f"{figures.runs:,}", f"{figures.killed:,}", str(found.lost), str(found.resurrected)


def _times(name: str, seconds: Sequence[float]) -> tuple[str, ...]:
    if len(seconds) < 2:
        return name, "-", "-", "-"
    cuts = quantiles(seconds, n=100)
    return (name, *(f"{cuts[at - 1] * 1000:.1f}" for at in (50, 95, 99)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
