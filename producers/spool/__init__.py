"""The spool: encoded messages on disk while Kafka does not take them, in Avro files that survive the process.

::

    spool = Spool(Path("/var/spool/hindcast"))
    spool.append([Spooled("predictions", key, value, "churn", "production", hour)])

    while (segment := spool.claim()) is not None:
        for message in segment.messages():
            ...  # send it; once all are acknowledged:
        segment.done()
"""

from producers.spool.message import Spooled
from producers.spool.segment import Segment
from producers.spool.settings import SpoolSettings
from producers.spool.spool import Spool, SpoolFull

__all__ = ["Segment", "Spool", "SpoolFull", "SpoolSettings", "Spooled"]
