"""What was acknowledged survives a power cut, on an honest disk (G2)."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import mkdtemp

import pytest

from tests.durability import power_cuts
from tests.durability.disk import Disk
from tests.durability.ledger import Findings
from tests.durability.power_cuts import Figures, Record
from tests.durability.recording import Create, FailedSync, Receipt, Sync, Unlink, Write

UPDATES = 200


@pytest.mark.parametrize(
    ("records", "images"), [(1, 200), pytest.param(20, 1000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])]
)
async def test_nothing_acknowledged_is_lost_by_a_power_cut(
    tmp_path: Path, seed: int, records: int, images: int
) -> None:
    """G2: whenever it comes, and whatever the disk had kept by then of what it was not asked to keep."""
    figures = Figures()
    for number in range(records):
        folder = Path(mkdtemp(dir=tmp_path))
        record = await power_cuts.record(folder, seed + number, updates=UPDATES)
        assert record.acknowledged >= UPDATES
        figures += await power_cuts.cut(record, seed, power_cuts.moments(record, images, seed))

    assert [] == figures.unsound
    assert Findings() == figures.findings
    assert records * images == figures.images
    assert figures.with_receipts > figures.images // 2


async def test_what_a_dead_server_did_not_sync_is_synced_before_the_next_one_acknowledges_it(
    tmp_path: Path, seed: int
) -> None:
    """G2, S14: the next one finds it in the kernel's cache, and its author, who comes back, has nothing to add."""
    record = await power_cuts.record(tmp_path, seed, updates=30, typists=1, patiently=True)
    first = next(at for at, event in enumerate(record.events) if at > record.restart and isinstance(event, Receipt))

    figures = await power_cuts.cut(record, seed, [first] * 20)

    assert Findings() == figures.findings


@pytest.mark.parametrize("module", ["collab", "tests.durability.hurried"])
async def test_what_a_failed_sync_left_in_the_cache_is_on_disk_before_the_next_server_acknowledges_it(
    tmp_path: Path, seed: int, module: str
) -> None:
    """G2, S14: nor is anything lost that it wrote behind that, with checkpoints or without."""
    record = await power_cuts.record(tmp_path, seed, updates=UPDATES // 4, failing=True, module=module)

    figures = await power_cuts.cut(record, seed, later_receipts(record, 40, seed))

    assert [] == figures.unsound
    assert Findings() == figures.findings


async def test_the_check_finds_a_server_that_believes_what_a_failed_sync_left_in_the_cache(
    tmp_path: Path, seed: int
) -> None:
    """G2: a check that can't fail proves nothing (hazards S5)."""
    record = await power_cuts.record(
        tmp_path, seed, updates=UPDATES // 4, failing=True, module="tests.durability.credulous"
    )

    assert (await power_cuts.cut(record, seed, later_receipts(record, 20, seed))).findings.lost


def later_receipts(record: Record, count: int, seed: int) -> list[int]:
    """Return moments at which the second server has told somebody that something is saved."""
    told = [at for at, event in enumerate(record.events) if at > record.restart and isinstance(event, Receipt)]
    return Random(seed).choices(told, k=count)


async def test_the_check_finds_what_is_lost_without_syncs(tmp_path: Path, seed: int) -> None:
    """G2: a check that can't fail proves nothing (hazards S2)."""
    record = await power_cuts.record(tmp_path, seed, updates=UPDATES // 4, module="tests.durability.unsynced")

    assert (await power_cuts.cut(record, seed, power_cuts.moments(record, 40, seed))).findings.lost


def found(*events: Write | Create | Sync | FailedSync | Unlink) -> set[tuple[tuple[str, bytes], ...]]:
    """Return every folder that may be found after these events."""
    disk = Disk()
    for event in events:
        disk.take(event)
    return {tuple(sorted(disk.after_power_cut(Random(seed)).items())) for seed in range(500)}


def test_the_disk_keeps_what_was_synced_and_any_part_of_the_rest() -> None:
    """G2."""
    folders = found(Create("f"), Write("f", 0, b"a"), Sync("f"), Sync(""), Write("f", 1, b"b"), Write("f", 2, b"c"))

    assert {((("f", content)),) for content in (b"a", b"ab", b"abc", b"a\0c")} == folders


def test_the_disk_tears_at_sectors() -> None:
    """G2."""
    folders = found(Create("f"), Sync(""), Write("f", 500, bytes((1,)) * 24))

    torn = {bytes(500) + bytes((first,)) * 12 + bytes((second,)) * 12 for first in (0, 1) for second in (0, 1)}
    assert {dict(folder)["f"].ljust(524, b"\0") for folder in folders} == torn


def test_the_disk_may_forget_names_that_were_not_synced() -> None:
    """G2: a new file may be missing, and one that is gone may be back."""
    assert {(), (("f", b""),)} == found(Create("f"), Sync("f"))
    assert {(), (("f", b""),)} == found(Create("f"), Sync(""), Unlink("f"))


def test_the_disk_never_keeps_what_a_sync_failed_to_keep_unless_it_is_written_again() -> None:
    """G2, S5 of the hazards: a later sync succeeds, and is for what came later."""
    before = Create("f"), Write("f", 0, b"ab"), Sync("f"), Sync(""), Write("f", 1, b"c"), FailedSync("f")

    assert {(("f", b"ab"),)} == found(*before, Sync("f"))
    assert {(("f", b"ab\0d"),)} == found(*before, Write("f", 3, b"d"), Sync("f"))
    assert {(("f", b"ac"),)} == found(*before, Write("f", 1, b"c"), Sync("f"))
