"""Some rows of a table on their way to the log: encoded but for their sequence numbers, sent and counted together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from producers.ledger import Tally
from producers.sink import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

    from producers.byte_sheet import Sheet
    from producers.intake import Intake
    from producers.row_groups import Places


class Share(NamedTuple):
    """The rows of one account: their tally, how many they are, and the places of the first and last."""

    tally: Tally
    rows: int
    first: int
    last: int


class Encoded:
    """Encoded rows of one stream.

    Args:
        intake: what counts them.
        stream: their topic without prefix.
        keys: a string per row.
        before: a message per row, up to its sequence number.
        after: what follows that.
        shares: which tallies count how many of the rows.
        share_of: the place in ``shares`` of each row's; None where there is only one.

    Attributes:
        stream, keys: as given.
        rows: how many there are.
        values: the messages, once they are numbered.
        done: set when the fate of all is known.
        rescue: asked for each row that was refused, with its place and the name of the error, whether it goes another way.
    """

    def __init__(
        self,
        intake: Intake,
        stream: str,
        keys: pa.StringArray,
        *,
        before: Sheet,
        after: Sheet,
        shares: Sequence[Share],
        share_of: Places | None,
    ) -> None:
        self.stream = stream
        self.keys = keys
        self.rows = len(keys)
        self.values: pa.BinaryArray | None = None
        self.done = threading.Event()
        self.rescue: Callable[[Encoded, int, str], bool] | None = None
        self._intake = intake
        self._sheets = [before, after]
        self._shares = shares
        self._share_of = share_of
        self._heard = 0

    def accept(self) -> None:
        """Count all rows as taken from the caller."""
        with self._intake.lock:
            for share in self._shares:
                share.tally.accept(share.rows)

    def number(self, numbers: Sequence[int]) -> None:
        """Give every row its sequence number, in rising order."""
        import numpy as np  # whoever has a table has numpy; a service without does without

        before, after = self._sheets
        first, last = numbers[0], numbers[-1]
        in_a_row = last - first + 1 == len(numbers)
        before.varints(np.arange(first, last + 1) if in_a_row else np.array(numbers, np.int64))
        before.append(after)
        self.values = before.packed()
        self._sheets.clear()
        with self._intake.lock:
            for share in self._shares:
                share.tally.number(numbers[share.first], numbers[share.last])

    def message(self, place: int) -> tuple[bytes, bytes]:
        """Key and value of a row, once it is numbered."""
        assert self.values is not None
        key: bytes = self.keys[place].as_py().encode()
        value: bytes = self.values[place].as_py()
        return key, value

    def tally(self, place: int) -> Tally:
        """What counts a row."""
        return self._shares[self._share(place)].tally

    def progress(self, left: int) -> None:
        """Hear how many rows have no fate yet; whoever waits for progress sees it."""
        with self._intake.lock:
            self._intake.settling += self.rows - left - self._heard
            self._heard = self.rows - left

    def settled(self, refused: Sequence[tuple[int, Refusal]]) -> None:
        """Count what became of the rows: acknowledged, but for those at the places that were refused."""
        lost: Counter[int] = Counter()
        with self._intake.lock:
            for place, refusal in refused:
                share = self._share(place)
                lost[share] += 1
                if self.rescue is None or not self.rescue(self, place, refusal.name()):
                    self._shares[share].tally.lose(refusal.name())
            for number, share_ in enumerate(self._shares):
                share_.tally.deliver(share_.rows - lost[number])
            self.progress(self.rows)
        self.done.set()

    def leave(self) -> None:
        """Every row has gone another way, which counts it."""
        with self._intake.lock:
            self.progress(self.rows)
        self.done.set()

    def give_up(self, reason: str) -> None:
        """Count all rows as given up."""
        with self._intake.lock:
            for share in self._shares:
                share.tally.drop(reason, share.rows)
            self.progress(self.rows)
        self.done.set()

    def _share(self, place: int) -> int:
        return 0 if self._share_of is None else int(self._share_of[place])
