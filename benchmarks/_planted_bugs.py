"""What a planted bug is: slips in the text of the package, as somebody might make them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ("Bug", "Patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A change of one place in one file.

    Attributes:
        file: The file, from the root of the project.
        old: What stands there, exactly once.
        new: What stands there afterwards.
    """

    file: str
    old: str
    new: str

    def changed(self, text: str) -> str:
        """Return the text of the file with the change.

        Raises:
            ValueError: What is to be changed does not stand there exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            msg = f"{self.file}: {self.old!r} stands there {found} times, not once"
            raise ValueError(msg)
        return text.replace(self.old, self.new)

    def apply(self, root: Path) -> None:
        """Change the file under `root`.

        Raises:
            ValueError: See `changed`.
        """
        path = root / self.file
        path.write_text(self.changed(path.read_text(encoding="utf-8")), encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()  # its time stamp may be that of the change


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One slip, and what it breaks.

    Attributes:
        name: Its name.
        breaks: The number of the invariant that it breaks first.
        slip: What is wrong, in a sentence.
        patches: The changes; several where another safeguard would hide the slip.
        expected: The name of the catcher that is asked first; all others are asked after it.
        note: Which safeguards had to be changed with it; empty for none.
    """

    name: str
    breaks: int
    slip: str
    patches: tuple[Patch, ...]
    expected: str
    note: str = ""
