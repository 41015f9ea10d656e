"""The monitor: judges windows when they close, and says when an alert begins and ends.

It keeps no data. Messages on ``sketches`` tell it which windows changed and how far each source partition has come; ClickHouse answers what is so, up to
a stated offset of the same partition of ``sketches``. A verdict is a pure function of that offset (its revision), of the contract in effect and of
the reference; an alert is a pure function of the last verdicts in window order. So a restart, a rebalance or a second monitor gives the same rows again.

::

    worker      Faust: the group, the partitions, the messages        watchdog   tells when Faust has silently ceased
    rounds      one round after another: fold, wait, judge, alert     record     every question to ClickHouse
    progress    what one partition of sketches has told (pure)        judge      sketches to verdicts (pure)
    headings    messages to what they announce (pure)                 alert_life verdicts to alerts (pure)
    reconciling totals of windows in which messages came twice        integrity  alerts where stream and record differ
"""
