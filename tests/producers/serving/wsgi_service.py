"""The smallest service there is: a logger at module level, and an application that logs as many predictions as it is asked for.

With SAYS_AT_IMPORT it says its deployment when it is loaded, which a server that loads it before it forks does in its master.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from producers import PredictionLogger
from producers.forks import in_child

loaded_by = os.getpid()
began_anew: set[int] = set()
in_child(lambda: began_anew.add(os.getpid()))
log = PredictionLogger(model="m", model_version="1")
if os.environ.get("SAYS_AT_IMPORT"):
    log.deployment(role="champion", actor=str(os.getpid()))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Log ``n`` predictions; answer with their ids, the process that logged them, and how it came to be."""
    count = int(parse_qs(environ["QUERY_STRING"]).get("n", ["0"])[0])
    me = os.getpid()
    ids = [log.prediction(features={"n": n}, score=0.5, entity_id=me) for n in range(count)]
    start_response("200 OK", [("Content-Type", "application/json")])
    answer = {"pid": me, "ids": ids, "loaded_by": loaded_by, "began_anew": me in began_anew}
    return [json.dumps(answer).encode()]
