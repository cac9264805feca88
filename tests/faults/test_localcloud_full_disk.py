"""A disk without a free byte: what runs can be ended and taken away, and is told in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from localcloud import CloudError, LocalCloud, processes
from localcloud.record import Record


@pytest.fixture
def fill(disk: Path) -> Callable[[], Path]:
    """Take the last free byte; gives the file that has it."""

    def take() -> Path:
        ballast = disk / "ballast"
        with ballast.open("ab", buffering=0) as file:
            for block in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(b"\0" * block):
                        pass
                except OSError:
                    continue
        return ballast

    return take


@pytest.fixture
def cloud(disk: Path) -> Iterator[LocalCloud]:
    made = LocalCloud(disk / "state" / "cloud", cache=disk / "cache")
    yield made
    for process in alive(made):
        process.kill()


def alive(cloud: LocalCloud) -> list[psutil.Process]:
    return processes.belonging(Record.load(cloud.layout).id, cloud.layout.run)


def test_stop_ends_everything_and_start_says_why_it_can_t(cloud: LocalCloud, fill):
    cloud.start()
    everyone = alive(cloud)
    ballast = fill()
    cloud.stop()
    assert not [process for process in everyone if processes.is_alive(process)]
    fill()  # what the parts had in their temporary files is free now
    with pytest.raises(CloudError) as caught:
        cloud.start()
    assert "No space left" in str(caught.value)
    cloud.stop()
    assert alive(cloud) == []
    ballast.unlink()
    cloud.start()
    cloud.stop()
    fill()
    cloud.erase()
    assert not cloud.layout.folder.exists()


def test_the_commands_stop_and_take_away(cloud: LocalCloud, fill, invoke_on):
    cloud.start()
    everyone = alive(cloud)
    state = cloud.layout.folder.parent
    fill()
    assert "stopped" in invoke_on(state, "stop").stdout
    assert not [process for process in everyone if processes.is_alive(process)]
    fill()
    done = invoke_on(state, "start", code=3)
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    done = invoke_on(state, "down", "--yes")
    assert "without Terraform" in done.stdout + done.stderr
    assert not cloud.layout.folder.exists()
    assert alive(cloud) == []


def test_a_running_stack_is_taken_away_without_terraform(cloud: LocalCloud, fill, invoke_on):
    cloud.start()
    everyone = alive(cloud)
    fill()
    done = invoke_on(cloud.layout.folder.parent, "down", "--yes")
    assert "without Terraform" in done.stdout + done.stderr
    assert not [process for process in everyone if processes.is_alive(process)]
    assert not cloud.layout.folder.exists()
